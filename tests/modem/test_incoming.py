"""Texts that come to the daemon that ships: floods, a full SIM, halves, slow modems, memories that lie."""
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw.gsm_sim import GsmSim
from hw.gsm_sim_air import script
from hw.gsm_sim_at import SIM_CAPACITY, Modem

CALLER, OTHER = "+491701234567", "+491709999999"
Until = Callable[..., None]
Box = Any  # conftest's


def test_a_flood_of_200_onto_a_sim_of_20_slots_loses_none_and_delays_a_text_by_seconds_only(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    sim.receive(CALLER, *(f"text {place}" for place in range(200)))
    until(lambda: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) >= SIM_CAPACITY)
    began = time.monotonic()
    box.text(OTHER)
    until(lambda: sim.air)
    assert time.monotonic() - began < 5
    until(lambda: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) == 200, 60.0)
    until(lambda: not sim.modem.stored["SM"])
    assert {row["text"] for row in box.rows("SELECT text FROM sms WHERE direction = 'in'")} == {
        f"text {place}" for place in range(200)}


def test_a_full_sim_is_emptied_at_the_start_and_what_the_network_kept_comes_in(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.receive(CALLER, *(f"text {place}" for place in range(30)))
    box.start()
    until(lambda: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) == 30)
    until(lambda: not sim.modem.stored["SM"])


def test_half_a_text_is_kept_as_the_modem_gave_it_and_does_not_fill_the_sim(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.receive_half(CALLER, "half of this is lost")
    sim.receive(CALLER, "whole")
    box.start()
    until(lambda: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) == 2)
    until(lambda: not sim.modem.stored["SM"])
    torn, whole = box.rows("SELECT number, text FROM sms WHERE direction = 'in' ORDER BY number = 'unknown' DESC")
    assert (torn["number"], whole["text"]) == ("unknown", "whole")
    assert "cannot be read" in torn["text"] and "0004" in torn["text"]


def test_a_modem_that_names_a_memory_and_refuses_it_still_sends_and_receives(
        box: Box, tmp_path: Path, until: Until) -> None:
    with GsmSim(tmp_path / "liar", modem=Modem(me_refused=True)) as sim:
        box.modems(SIM=str(sim.link))
        box.start()
        until(lambda: box.modem() == "registered")
        sim.receive(CALLER, "one", "two")
        box.text()
        until(lambda: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) == 2)
        until(lambda: box.states() == ["delivered"])


def test_a_slow_modem_and_a_report_that_comes_late_change_nothing_but_the_time(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.slow_s = 0.3
    sim.outcomes += script("latereport 1.5")
    box.text()
    box.start()
    box.until("sent", limit_s=30)
    box.until("delivered")
    assert len(sim.air) == 1


def test_killed_again_and_again_in_a_flood_no_text_is_lost_and_none_is_there_twice(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.receive(CALLER, *(f"text {place}" for place in range(60)))
    for kept in (5, 15, 30):
        box.start()
        until(lambda aim=kept: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) >= aim, 20.0)
        box.kill()
    box.start()
    until(lambda: len(box.rows("SELECT id FROM sms WHERE direction = 'in'")) >= 60, 30.0)
    until(lambda: not sim.modem.stored["SM"])
    assert sorted(row["text"] for row in box.rows("SELECT text FROM sms WHERE direction = 'in'")) == sorted(
        f"text {place}" for place in range(60))
