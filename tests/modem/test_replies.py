"""The whole way of a text that comes: off the air, kept, followed, and what goes back on the air, read by gammu."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from os import environ
from typing import Any

import pytest

from appliance import settings
from appliance.store import db as store
from appliance.texts import keywords, optouts
from hw.gsm_sim import GsmSim
from hw.gsm_sim_air import write_deliver

CALLER, OWNER, MOBILE = "+491701234567", "+491715550001", "+491715550002"
Until = Callable[..., None]
OffTheAir = Callable[[str], tuple[str, str]]
Box = Any  # conftest's


@pytest.fixture
def clock(box: Box) -> Iterator[subprocess.Popen[bytes]]:
    """The clock daemon of that box."""
    running = subprocess.Popen([sys.executable, "-m", "appliance.cli", "run", "clock"], stderr=subprocess.DEVNULL,
                               env={**environ, "DESKBELL_CONFIG": str(box.config)})
    yield running
    running.kill()
    running.wait(5)


def put(box: Box, **changed: object) -> None:
    with store.write(box.db):
        for key, value in changed.items():
            settings.put(box.db, key, value)


def came(box: Box) -> list[str]:
    return [row["text"] for row in box.rows("SELECT text FROM sms WHERE direction = 'in' ORDER BY id")]


def segment(number: str, text: str, reference: int, part: int, parts: int) -> str:
    """A DELIVER PDU in hex of one part of a long text, written without the codec under test."""
    whole = write_deliver(number, text, datetime.now(UTC))
    body = text.encode("utf-16-be")
    header = bytes([5, 0, 3, reference, parts, part])
    length = len(header) + len(body)
    return f"0044{whole[4:-2 * len(body) - 2]}{length:02X}{header.hex()}{body.hex()}".upper()


def test_stop_is_kept_confirmed_on_the_air_and_the_sim_is_emptied(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    box.start()
    sim.receive(CALLER, "Stop!")
    until(lambda: len(sim.air) == 1)
    assert off_the_air(sim.air[0]) == (
        CALLER, "Our shop: you will get no more texts from us. Text START to undo this.")
    assert came(box) == ["Stop!"] and optouts.has(box.db, CALLER)
    until(lambda: sim.modem.stored["SM"] == {})


def test_who_wrote_stop_gets_no_text_that_was_queued_before(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    sim.register(2)
    box.start()
    until(lambda: box.modem() == "searching for the network")
    box.text()
    sim.receive(CALLER, "STOP")
    until(lambda: optouts.has(box.db, CALLER))
    sim.register(1)
    box.until("cancelled", "delivered")
    assert [off_the_air(pdu)[1][:9] for pdu in sim.air] == ["Our shop:"]


def test_stop_before_the_box_was_killed_is_obeyed_once(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    sim.network_s = 0.3
    sim.receive(CALLER, "STOP")
    box.start()
    until(lambda: optouts.has(box.db, CALLER))
    box.kill()
    box.start()
    until(lambda: box.states() in (["delivered"], ["unknown"]))
    until(lambda: sim.modem.stored["SM"] == {})
    assert came(box) == ["STOP"] and len(sim.air) <= 1


def test_a_keyword_is_answered_on_the_air(box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    with store.write(box.db):
        keywords.save(box.db, "HOURS", "{shop}: 9 – 18 Uhr, Sa 10 – 14.")
    box.start()
    sim.receive(CALLER, "Hours?")
    until(lambda: len(sim.air) == 1)
    assert off_the_air(sim.air[0]) == (CALLER, "Our shop: 9 – 18 Uhr, Sa 10 – 14.")


def test_a_long_text_in_disorder_across_a_restart_is_one_text_and_is_forwarded(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    put(box, forward_texts=MOBILE)
    pdus = [segment(CALLER, words, 9, part, 3) for part, words in enumerate(["Guten ", "Tag, ", "schön 🙂"], start=1)]
    box.start()
    until(lambda: box.modem() == "registered")
    sim.bring(pdus[2], pdus[0], pdus[2])
    until(lambda: box.rows("SELECT 1 FROM long_text_part WHERE part = 1"))
    box.kill()
    sim.bring(pdus[1])
    box.start()
    until(lambda: len(sim.air) == 1)
    assert came(box) == ["Guten Tag, schön 🙂"]
    assert len(box.rows("SELECT 1 FROM long_text")) == 1, "the part that came twice would wait for another text"
    assert off_the_air(sim.air[0]) == (MOBILE, "0170 1234567: Guten Tag, schön 🙂")
    until(lambda: sim.modem.stored["SM"] == {})


def test_an_owner_closes_the_shop_and_a_stranger_does_not(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    put(box, owner_numbers=OWNER)
    box.start()
    sim.receive(CALLER, "CLOSED TILL TOMORROW")
    sim.receive(OWNER, "Closed till tomorrow")
    until(lambda: len(sim.air) == 1)
    number, answer = off_the_air(sim.air[0])
    assert number == OWNER and answer.startswith("Closed till ") and answer.endswith("00:00. Text OPEN to open before.")
    assert settings.read(box.db).closed_until > store.iso(datetime.now(UTC))


def test_status_is_answered_by_the_clock_within_seconds(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir, clock: object) -> None:
    put(box, owner_numbers=OWNER)
    box.start()
    sim.receive(OWNER, "STATUS")
    until(lambda: len(sim.air) > 0, limit_s=20)
    box.until("delivered")
    said = "".join(off_the_air(pdu)[1] for pdu in sim.air)
    assert said.startswith("Today 0 calls, 0 missed; 0 still owed. Texts: 0 waiting, 0 unknown, 0 unread. Modem: SIM ")
    assert "to see to:" in said, "there is no telephone in this box"


def test_a_text_cut_in_half_is_kept_stops_nothing_and_obeys_nothing(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    put(box, forward_texts=MOBILE, stop_words="unknown")
    box.start()
    until(lambda: box.modem() == "registered")
    sim.receive_half(CALLER, "STOP")
    sim.receive(CALLER, "after it")
    until(lambda: "after it" in came(box))
    until(lambda: len(sim.air) == 1)
    assert off_the_air(sim.air[0]) == (MOBILE, "0170 1234567: after it")
    assert not optouts.count(box.db) and len(came(box)) <= 2 and box.daemon.poll() is None


def test_the_notice_of_a_picture_message_is_kept_as_no_words_and_stops_nothing(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    sim.bring("00040C91947101325476000462111291550040050102030405")
    sim.receive(CALLER, "after it")
    until(lambda: "after it" in came(box))
    assert came(box)[0].startswith("No words came but 5 bytes of data") and box.daemon.poll() is None
    until(lambda: sim.modem.stored["SM"] == {})


def test_what_people_write_is_in_no_log(box: Box, sim: GsmSim, until: Until) -> None:
    put(box, forward_texts=MOBILE, owner_numbers=OWNER)
    box.start()
    for number, text in ((CALLER, "my secret"), (OWNER, "my secret order"), (CALLER, "STOP")):
        sim.receive(number, text)
    until(lambda: len(sim.air) == 3)
    box.until(*["delivered"] * 3)
    assert box.stop() == 0
    log = box.log.read_text()
    assert "secret" not in log and "STOP" not in log and "0170 1234567" not in log and CALLER not in log
