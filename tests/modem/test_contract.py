"""One contract for each way to drive a radio: our engine and gammu on the simulated modem; --gsm=PORT a real one.

A real modem must be free (stop deskbell-modem) and its own number given with --number: it texts itself once.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hw import pdu
from hw.gammu_backend import GammuGsm
from hw.gsm import AtGsm, Gsm, GsmError, GsmGone, GsmUnknown, Incoming, Ringing, RingingOver, State, UssdAnswer
from hw.gsm_sim import GsmSim
from hw.gsm_sim_air import script
from hw.gsm_sim_at import Modem
from hw.rings import Shown

CALLER = "+491701234567"
Until = Callable[..., None]
OffTheAir = Callable[[str], tuple[str, str]]
DRIVERS: dict[str, Callable[..., Gsm]] = {"engine": AtGsm, "gammu": GammuGsm}
WORDS = ["Hello", "Grüße für 5 € {[~]}", "Привет ~ из магазина ~", "😀 " * 40, "a" * 161 + "€"]


@pytest.fixture(params=sorted(DRIVERS))
def driver(request: pytest.FixtureRequest) -> Callable[..., Gsm]:
    return DRIVERS[request.param]


@pytest.fixture
def radio(driver: Callable[..., Gsm], sim: GsmSim) -> Iterator[Gsm]:
    radio = driver(str(sim.link), send_timeout_s=3.0, ussd_timeout_s=2.0)
    radio.open()
    radio.status()
    yield radio
    radio.close()


def gathered(radio: Gsm, until: Until, kind: type, limit_s: float = 10.0) -> list[object]:
    found: list[object] = []
    until(lambda: found.extend(radio.events()) or any(isinstance(event, kind) for event in found), limit_s)
    return [event for event in found if isinstance(event, kind)]


def test_it_says_how_it_stands(radio: Gsm) -> None:
    status = radio.status()
    assert (status.state, status.operator, status.signal_dbm, status.full) == (
        State.REGISTERED, "Demo Mobile", -73, None)


@pytest.mark.parametrize("words", WORDS)
def test_every_text_is_on_the_air_once_and_as_it_was_written(
        radio: Gsm, sim: GsmSim, off_the_air: OffTheAir, words: str) -> None:
    parts = pdu.encode(CALLER, words, reference=9)
    references = [radio.send(part) for part in parts]
    assert references == list(range(len(parts)))
    body = [part.hex[-20:] for part in parts]
    assert [taken[-20:] for taken in sim.air] == body
    assert {off_the_air(taken)[0] for taken in sim.air} == {CALLER}


def test_it_asks_for_a_report_and_for_a_day_of_trying(radio: Gsm, sim: GsmSim) -> None:
    radio.send(pdu.encode(CALLER, "Hello")[0])
    tpdu = sim.air[0][2 + 2 * int(sim.air[0][:2], 16):]
    assert int(tpdu[:2], 16) & 0x20, "a report is asked for"
    assert "00A7" in tpdu, "24 hours (TP-VP)"


def test_a_refusal_is_never_taken_for_sent_and_the_next_text_goes(radio: Gsm, sim: GsmSim) -> None:
    sim.outcomes += script("cms 38")
    hello = pdu.encode(CALLER, "Hello")[0]
    with pytest.raises(GsmError):
        radio.send(hello)
    assert sim.air == []
    radio.send(hello)
    assert len(sim.air) == 1


def test_silence_after_the_text_was_taken_is_unknown_and_it_is_not_on_the_air_twice(
        radio: Gsm, sim: GsmSim) -> None:
    sim.outcomes += script("noanswer")
    began = time.monotonic()
    with pytest.raises(GsmUnknown):
        radio.send(pdu.encode(CALLER, "Hello")[0])
    assert time.monotonic() - began < 10
    assert len(sim.air) == 1


def test_after_an_unknown_it_can_be_closed_opened_and_used(radio: Gsm, sim: GsmSim) -> None:
    sim.outcomes += script("noanswer")
    hello = pdu.encode(CALLER, "Hello")[0]
    with pytest.raises(GsmUnknown):
        radio.send(hello)
    radio.close()
    radio.open()
    radio.send(hello)
    assert len(sim.air) == 2


def test_no_modem_is_gone(driver: Callable[..., Gsm], tmp_path: Path) -> None:
    radio = driver(str(tmp_path / "nothing"))
    with pytest.raises(GsmGone):
        radio.open()
    radio.close()


def test_a_text_that_came_is_told_lies_in_the_sim_and_is_forgotten_on_request(
        radio: Gsm, sim: GsmSim, until: Until) -> None:
    sim.receive(CALLER, "Danke, bis später!", "und tschüss")
    came: list[Incoming] = []
    until(lambda: came.extend(event for event in radio.events() if isinstance(event, Incoming)) or len(came) == 2)
    assert [(text.text.number, text.text.text) for text in came] == [
        (CALLER, "Danke, bis später!"), (CALLER, "und tschüss")]
    assert len(sim.modem.stored["SM"]) == 2
    for text in came:
        radio.forget(text)
    assert radio.stored() == [] and sim.modem.stored["SM"] == {}


def test_what_came_while_nobody_listened_is_found(driver: Callable[..., Gsm], sim: GsmSim) -> None:
    sim.receive(CALLER, "before we listened")
    radio = driver(str(sim.link))
    radio.open()
    radio.status()
    assert [text.text.text for text in radio.stored()] == ["before we listened"]
    radio.close()


def test_a_call_is_told_once_and_so_is_its_end(radio: Gsm, sim: GsmSim, until: Until) -> None:
    sim.ring_every_s = 0.3
    calls: list[object] = []
    sim.ring(CALLER)
    until(lambda: calls.extend(radio.calls()) or calls)
    until(lambda: sim.rings_said >= 3)
    sim.hang_up()
    until(lambda: calls.extend(radio.calls()) or len(calls) > 1)
    ringing, over = calls
    assert isinstance(ringing, Ringing) and (ringing.number, ringing.shown) == (CALLER, Shown.ALLOWED)
    assert isinstance(over, RingingOver)


def test_a_ussd_answer_comes_as_an_event(radio: Gsm, sim: GsmSim, until: Until) -> None:
    radio.ask("*100#")
    answer, = gathered(radio, until, UssdAnswer)
    assert isinstance(answer, UssdAnswer) and "12.34 EUR" in (answer.text or "")


def test_ussd_that_is_never_answered_ends_in_time(radio: Gsm, sim: GsmSim, until: Until) -> None:
    sim.modem.set_ussd("never")
    radio.ask("*100#")
    answer, = gathered(radio, until, UssdAnswer)
    assert answer == UssdAnswer(None, "the network did not answer within 2 s")


def test_a_pin_is_asked_for_and_entered(driver: Callable[..., Gsm], tmp_path: Path) -> None:
    with GsmSim(tmp_path / "port2", modem=Modem(pin="1234")) as sim:
        radio = driver(str(sim.link))
        radio.open()
        assert radio.status().state is State.PIN
        with pytest.raises(GsmError):
            radio.enter_pin("0000")
        radio.enter_pin("1234")
        assert radio.status().state is State.REGISTERED
        assert sim.modem.pin_tries_left == 3
        radio.close()


def test_a_real_modem_texts_itself(request: pytest.FixtureRequest, until: Until) -> None:
    port, number = request.config.getoption("--gsm"), request.config.getoption("--number")
    if not port or not number:
        pytest.skip("no real modem here: --gsm=/dev/serial/by-id/… --number=+49… texts that SIM's own number once")
    radio = AtGsm(port)
    radio.open()
    assert radio.status().state.can_send
    words = f"Deskbell {int(time.time())} äöü €"
    radio.send(pdu.encode(number, words)[0])
    came = gathered(radio, until, Incoming, 120.0)
    assert any(isinstance(text, Incoming) and text.text.text == words for text in came)
    for text in came:
        assert isinstance(text, Incoming)
        radio.forget(text)
    radio.close()
