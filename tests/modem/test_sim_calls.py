"""Calls to the SIM, in the daemon that ships: one pop a call, a missed call, its text."""
from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from appliance import settings
from appliance.people import contacts
from appliance.store import db as store
from hw.gsm_sim import GsmSim

CALLER, OTHER = "+491701234567", "+491709999999"
Until = Callable[..., None]
Box = Any  # conftest's


def texts_at_any_hour(box: Box) -> None:
    with store.write(box.db):
        settings.put(box.db, "quiet_from", "08:00")
        settings.put(box.db, "quiet_until", "08:00")
        box.db.execute("UPDATE rule SET delay_s = 0")


def test_a_call_to_the_sim_pops_once_however_often_it_rings_and_is_missed_and_texted(
        box: Box, sim: GsmSim, until: Until) -> None:
    texts_at_any_hour(box)
    sim.ring_every_s = 0.4
    box.start()
    until(lambda: box.modem() == "registered")
    sim.ring(CALLER)
    until(lambda: box.rows("SELECT 1 FROM event WHERE kind = 'ringing'"), 3.0)
    until(lambda: sim.rings_said == 4)
    sim.hang_up()
    until(lambda: box.rows("SELECT 1 FROM event WHERE kind = 'ended'"), 3.0)
    call, = box.rows("SELECT * FROM call")
    assert (call["number"], call["presentation"], call["direction"], call["outcome"], call["trunk"]) == (
        CALLER, "allowed", "in", "missed", "SIM")
    assert 1000 < call["ring_ms"] < 5000
    box.until("delivered")
    assert [row["kind"] for row in box.rows("SELECT kind FROM event WHERE kind <> 'text'")] == ["ringing", "ended"]


def test_the_pop_rises_while_a_text_is_on_its_way(box: Box, sim: GsmSim, until: Until) -> None:
    sim.network_s = 6.0
    box.start()
    until(lambda: box.modem() == "registered")
    box.text(OTHER)
    until(lambda: any(line.startswith("AT+CMGS") for _at, line in sim.commands))
    sim.ring(CALLER)
    until(lambda: box.rows("SELECT 1 FROM event WHERE kind = 'ringing'"), 4.0)
    assert box.states() == ["sending"]
    sim.hang_up()


def test_a_withheld_caller_is_in_the_history_without_a_number(box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    sim.ring("", validity=1)
    until(lambda: box.rows("SELECT 1 FROM event WHERE kind = 'ringing'"), 3.0)
    sim.hang_up()
    until(lambda: box.rows("SELECT reason FROM refusal"))
    call, = box.rows("SELECT * FROM call")
    assert (call["number"], call["presentation"], call["outcome"]) == (None, "withheld", "missed")
    assert "withheld" in box.rows("SELECT reason FROM refusal")[0]["reason"]
    assert box.states() == []


def test_a_blocked_caller_rings_no_desk(box: Box, sim: GsmSim, until: Until) -> None:
    with store.write(box.db):
        contacts.add(box.db, "Spam", [CALLER], "DE", datetime.now(UTC), is_blocked=True)
    box.start()
    until(lambda: box.modem() == "registered")
    sim.ring(CALLER)
    until(lambda: box.rows("SELECT 1 FROM call"), 3.0)
    sim.hang_up()
    until(lambda: box.rows("SELECT 1 FROM call WHERE outcome = 'blocked'"), 3.0)
    assert box.rows("SELECT 1 FROM event WHERE kind = 'ringing'") == []
    assert box.states() == []


def test_a_call_that_rang_when_the_stick_was_pulled_is_cut_and_nobody_is_texted(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    sim.ring(CALLER)
    until(lambda: box.rows("SELECT 1 FROM call"), 3.0)
    sim.unplug()
    until(lambda: box.rows("SELECT 1 FROM call WHERE outcome = 'interrupted'"), 3.0)
    assert box.states() == []
