"""The AT engine on the simulator: what each answer of a modem becomes, and that nothing hangs."""
from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hw import pdu
from hw.gsm import AtGsm, GsmGone, GsmRejected, GsmUnknown, Incoming, State, StatusChanged
from hw.gsm_sim import GsmSim
from hw.gsm_sim_air import Outcome, script
from hw.gsm_sim_at import Modem
from hw.pdu import DeliveryReport

CALLER = "+491701234567"
HELLO = pdu.encode(CALLER, "Hello")[0]
Until = Callable[..., None]


def lines(sim: GsmSim, start: str) -> list[str]:
    return [line for _at, line in sim.commands if line.startswith(start)]


def test_a_modem_is_ready_in_a_moment_and_says_how_it_stands(sim: GsmSim) -> None:
    gsm = AtGsm(str(sim.link))
    gsm.open()
    status = gsm.status()
    gsm.close()
    assert (status.state, status.operator, status.signal_dbm) == (State.REGISTERED, "Demo Mobile", -73)


def test_a_text_is_accepted_with_the_networks_reference_and_reported(sim: GsmSim, gsm: AtGsm, until: Until) -> None:
    references = [gsm.send(HELLO), gsm.send(HELLO)]
    events: list[object] = []
    until(lambda: events.extend(gsm.events()) or len(events) == 2)
    assert references == [0, 1]
    assert [(told.reference, told.number, told.status) for told in events if isinstance(told, DeliveryReport)] == [
        (0, CALLER, 0), (1, CALLER, 0)]


def test_what_the_network_took_is_on_the_air_to_the_last_octet(sim: GsmSim, gsm: AtGsm, tmp_path: Path) -> None:
    gsm.send(HELLO)
    assert json.loads((tmp_path / "air.jsonl").read_text())["pdu"] == HELLO.hex


@pytest.mark.parametrize(("code", "is_passing", "words"), [
    (1, False, "no such number (CMS 1)"), (38, True, "out of order (CMS 38)"), (42, True, "busy (CMS 42)"),
    (304, False, "malformed (CMS 304)"), (27, True, "out of service (CMS 27)"),
    (211, False, "without a name (CMS 211)"),
])
def test_a_refusal_keeps_its_code_and_says_whether_to_try_later(
        sim: GsmSim, gsm: AtGsm, code: int, is_passing: bool, words: str) -> None:
    sim.outcomes.append(Outcome("cms", code))
    with pytest.raises(GsmRejected, match=r".") as no:
        gsm.send(HELLO)
    assert (no.value.cms_code, no.value.is_passing) == (code, is_passing)
    assert words in str(no.value) and str(sim.link) in str(no.value)
    assert gsm.send(HELLO) == 0
    assert len(sim.air) == 1


@pytest.mark.parametrize("outcome", ["noanswer", "garbage", "cms 500", "cms 332", "cms 513"])
def test_an_answer_that_does_not_say_whether_it_went_is_unknown(sim: GsmSim, gsm: AtGsm, outcome: str) -> None:
    sim.outcomes += script(outcome)
    with pytest.raises(GsmUnknown):
        gsm.send(HELLO)
    assert isinstance(gsm.send(HELLO), int), "the next text goes"


def test_an_answer_that_comes_late_is_not_taken_for_the_next_texts(sim: GsmSim, gsm: AtGsm) -> None:
    sim.outcomes += script("late 0.8")
    with pytest.raises(GsmUnknown):
        gsm.send(HELLO)
    until_it_came = time.monotonic() + 0.4
    while time.monotonic() < until_it_came:
        assert gsm.status().signal_dbm == -73, "the answer was mixed up with the late one"
    assert gsm.send(HELLO) == 1


def test_a_late_answer_in_the_middle_of_another_command_does_not_shift_all_that_follow(tmp_path: Path) -> None:
    class Late(Modem):
        def answer(self, command: str) -> list[str]:
            return [*(["+CMGS: 7", "", "OK", ""] if command == "+CSQ" else []), *super().answer(command)]
    with GsmSim(tmp_path / "port", modem=Late()) as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        assert [gsm.status().signal_dbm for _ in range(3)] == [-73] * 3
        assert gsm.status().operator == "Demo Mobile"
        gsm.close()


def test_pulled_out_while_sending_is_unknown_and_then_gone_until_it_is_back(
        sim: GsmSim, gsm: AtGsm, until: Until) -> None:
    sim.outcomes += script("unplug")
    with pytest.raises(GsmUnknown, match="went away"):
        gsm.send(HELLO)
    with pytest.raises(GsmGone, match=str(sim.link)):
        gsm.send(HELLO)
    gsm.close()
    with pytest.raises(GsmGone, match="no modem there"):
        gsm.open()
    sim.plug()
    until(sim.link.exists)
    gsm.open()
    assert gsm.send(HELLO) == 1


def test_pulled_out_while_idle_is_noticed_without_asking(sim: GsmSim, gsm: AtGsm, until: Until) -> None:
    def noticed() -> bool:
        try:
            return bool(gsm.events())
        except GsmGone:
            return True
    sim.unplug()
    until(noticed, 1.0)


@pytest.mark.parametrize("mood", ["silent", "garbage"])
def test_a_port_that_speaks_no_at_is_gone_within_seconds(sim: GsmSim, mood: str) -> None:
    sim.mood = mood
    gsm = AtGsm(str(sim.link))
    began = time.monotonic()
    with pytest.raises(GsmGone, match="does not answer"):
        gsm.open()
    assert time.monotonic() - began < 5


def test_a_modem_that_falls_silent_does_not_hang_us(sim: GsmSim, gsm: AtGsm) -> None:
    sim.mood = "silent"
    began = time.monotonic()
    with pytest.raises(GsmGone):
        gsm.send(HELLO)
    assert time.monotonic() - began < 10
    assert sim.air == []


def test_a_port_that_is_a_file_or_nothing_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a modem")
    for port in ("file", "nothing"):
        with pytest.raises(GsmGone, match=port):
            AtGsm(str(tmp_path / port)).open()


def test_the_port_is_ours_alone(sim: GsmSim, gsm: AtGsm) -> None:
    with pytest.raises(GsmGone, match="another program has the modem"):
        AtGsm(str(sim.link)).open()


def test_a_modem_left_waiting_for_a_text_is_freed(sim: GsmSim, gsm: AtGsm) -> None:
    gsm.close()
    port = os.open(sim.link, os.O_RDWR | os.O_NOCTTY)
    os.write(port, b"AT+CMGS=20\r0011")
    os.close(port)
    gsm.open()
    assert gsm.send(HELLO) == 0
    assert sim.air == [HELLO.hex]


def test_a_length_that_does_not_fit_is_refused_by_the_modem_as_real_ones_do(sim: GsmSim, until: Until) -> None:
    port = os.open(sim.link, os.O_RDWR | os.O_NOCTTY)
    os.write(port, f"AT+CMGS={HELLO.length + 1}\r{HELLO.hex}\x1a".encode())
    said = b""

    def refused() -> bool:
        nonlocal said
        said += os.read(port, 1000)
        return b"+CMS ERROR: 304" in said
    until(refused)
    os.close(port)
    assert b"\r\n> " in said and sim.air == []


@pytest.mark.parametrize(("modem", "state"), [
    (Modem(has_sim=False), State.NO_SIM), (Modem(pin="1234"), State.PIN), (Modem(registration=2), State.SEARCHING),
    (Modem(registration=3), State.DENIED), (Modem(registration=5), State.ROAMING), (Modem(signal=99), State.REGISTERED),
])
def test_what_keeps_the_radio_from_sending_is_said_in_words(tmp_path: Path, modem: Modem, state: State) -> None:
    with GsmSim(tmp_path / "port", modem=modem) as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        assert gsm.status().state is state
        gsm.close()
        assert lines(sim, "AT+CPIN=") == [], "a PIN is never tried"


def test_a_sim_put_in_later_is_found(tmp_path: Path) -> None:
    with GsmSim(tmp_path / "port", modem=Modem(has_sim=False)) as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        assert gsm.status().state is State.NO_SIM
        sim.modem.has_sim = True
        assert gsm.status().state is State.REGISTERED
        assert gsm.send(HELLO) == 0
        gsm.close()


@pytest.mark.parametrize("modes", [(0, 1), (0, 2), (0,)])
def test_reports_come_whichever_way_the_modem_can(tmp_path: Path, until: Until, modes: tuple[int, ...]) -> None:
    with GsmSim(tmp_path / "port", modem=Modem(report_modes=modes)) as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        gsm.status()
        assert gsm.send(HELLO) == 0
        events: list[object] = []
        if modes != (0,):
            until(lambda: events.extend(gsm.events()) or events)
            assert isinstance(events[0], DeliveryReport)
            assert sim.modem.stored["SR"] == {}, "read reports leave the SIM"
        gsm.close()


def test_a_text_that_comes_is_read_and_lies_in_the_sim_until_we_have_it_safe(
        sim: GsmSim, gsm: AtGsm, until: Until) -> None:
    sim.receive(CALLER, "Danke, bis später!")
    events: list[object] = []
    until(lambda: events.extend(gsm.events()) or events)
    came = events[0]
    assert isinstance(came, Incoming) and (came.text.number, came.text.text) == (CALLER, "Danke, bis später!")
    assert [kept.text.text for kept in gsm.stored()] == ["Danke, bis später!"]
    gsm.forget(came)
    assert gsm.stored() == []


def test_a_modem_that_keeps_texts_in_its_own_memory_is_read_and_emptied_too(tmp_path: Path, until: Until) -> None:
    with GsmSim(tmp_path / "port", modem=Modem(incoming="ME")) as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        gsm.status()
        sim.receive(CALLER, "one")
        events: list[object] = []
        until(lambda: events.extend(gsm.events()) or events)
        assert isinstance(events[0], Incoming) and events[0].text.text == "one"
        assert [kept.text.text for kept in gsm.stored()] == ["one"]
        gsm.forget(events[0])
        assert sim.modem.stored["ME"] == {} and sim.modem.memory == "SM"
        gsm.close()


def test_a_modem_that_minds_our_escape_is_no_worse_for_it(tmp_path: Path) -> None:
    with GsmSim(tmp_path / "port", modem=Modem(minds_escape=True)) as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        assert gsm.status().state is State.REGISTERED
        gsm.close()


def test_losing_the_network_is_told(sim: GsmSim, gsm: AtGsm, until: Until) -> None:
    sim.register(2)
    events: list[object] = []
    until(lambda: events.extend(gsm.events()) or events)
    assert isinstance(events[0], StatusChanged)
    assert gsm.status().state is State.SEARCHING


@pytest.mark.parametrize("said", [b"\r\nRING\r\n\r\n> ", b"\r\n> \r\nRING\r\n"])
def test_somebody_calling_the_sim_does_not_disturb_a_text(tmp_path: Path, said: bytes) -> None:
    class Ringing(GsmSim):
        def _write(self, data: bytes) -> None:
            super()._write(said if data == b"\r\n> " else data)
    with Ringing(tmp_path / "port") as sim:
        gsm = AtGsm(str(sim.link))
        gsm.open()
        sim.ring(CALLER)
        assert gsm.send(HELLO) == 0
        gsm.close()


def test_our_own_wait_is_called_back_while_the_network_takes_its_time(sim: GsmSim) -> None:
    calls: list[float] = []
    gsm = AtGsm(str(sim.link), meanwhile=lambda: calls.append(time.monotonic()))
    gsm.open()
    sim.network_s = 1.3
    gsm.send(HELLO)
    gsm.close()
    assert len(calls) >= 2
