"""The daemon and what is plugged in: several SIMs, ports that move, sticks that hang, PINs, balances."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.box import wallclock
from hw.gsm_sim import GsmSim
from hw.gsm_sim_at import Modem

CALLER, OTHER = "+491701234567", "+491709999999"
LONG = "Мы пропустили ваш звонок и скоро перезвоним. " * 4
Until = Callable[..., None]
Box = Any  # conftest's


def typed(sim: GsmSim, start: str) -> list[str]:
    return [line for _at, line in sim.commands if line.startswith(start)]


# several SIMs


def test_two_sims_share_the_work_and_no_text_goes_by_both(box: Box, sim: GsmSim, tmp_path: Path, until: Until) -> None:
    sim.network_s = 0.3
    with GsmSim(tmp_path / "second", network_s=0.3) as second:
        box.modems(SIM=str(sim.link), SIM2=str(second.link))
        box.start()
        until(lambda: box.modem() == box.modem("SIM2") == "registered")
        for place in range(6):
            box.text(f"+4917012345{place:02d}")
        box.until(*["delivered"] * 6)
        assert len(sim.air) + len(second.air) == 6
        assert sim.air and second.air
        assert {row["sim"] for row in box.rows("SELECT sim FROM segment")} == {"SIM", "SIM2"}


def test_a_long_text_goes_by_one_sim_from_end_to_end(box: Box, sim: GsmSim, tmp_path: Path, until: Until) -> None:
    sim.network_s = 0.1
    with GsmSim(tmp_path / "second", network_s=0.1) as second:
        box.modems(SIM=str(sim.link), SIM2=str(second.link))
        box.start()
        until(lambda: box.modem() == box.modem("SIM2") == "registered")
        for number in (CALLER, OTHER):
            box.text(number, LONG)
        box.until("delivered", "delivered")
        senders = box.rows("SELECT count(DISTINCT sim) AS sims, count(*) AS parts FROM segment GROUP BY sms_id")
        assert [tuple(row) for row in senders] == [(1, 3), (1, 3)]


def test_one_sim_pulled_out_holds_up_nothing_of_the_other(
        box: Box, sim: GsmSim, tmp_path: Path, until: Until) -> None:
    with GsmSim(tmp_path / "second") as second:
        box.modems(SIM=str(sim.link), SIM2=str(second.link))
        box.start()
        until(lambda: box.modem() == box.modem("SIM2") == "registered")
        sim.unplug()
        until(lambda: box.modem() == "no modem there", 3.0)
        box.text()
        box.until("delivered")
        assert len(second.air) == 1
        assert [row["name"] for row in box.rows("SELECT name FROM sim ORDER BY name")] == ["SIM", "SIM2"]
        assert box.modem("SIM2", "number") == "+4915112345678", "as the SIM itself says"


def test_gammu_drives_a_modem_in_a_process_of_its_own_and_its_end_is_not_ours(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.config.write_text(box.config.read_text() + 'engine = "gammu"\n')
    box.start()
    until(lambda: box.modem() == "registered", 20.0)
    box.text()
    box.until("sent")
    sim.receive(CALLER, "Danke")
    until(lambda: box.rows("SELECT 1 FROM sms WHERE direction = 'in' AND text = 'Danke'"))
    until(lambda: not sim.modem.stored["SM"])
    helper, = subprocess.run(["pgrep", "-P", str(box.daemon.pid)], capture_output=True, text=True).stdout.split()
    os.kill(int(helper), signal.SIGKILL)
    until(lambda: box.modem() != "registered")
    box.text(OTHER)
    box.until("sent", "sent", limit_s=30)
    assert len(sim.air) == 2


# ports


def test_a_modem_is_found_by_asking_its_ports_and_again_under_its_name(
        box: Box, sim: GsmSim, tmp_path: Path, until: Until) -> None:
    folder = tmp_path / "by-id"
    folder.mkdir()
    with GsmSim(folder / "usb-Gadget_Printer-if00-port0") as dead, GsmSim(folder / "usb-HUAWEI-if02-port0") as stick:
        dead.mood = "silent"
        box.modems(SIM=f"{folder}/*")
        box.start()
        until(lambda: box.modem() == "registered")
        assert box.modem(column="port") == str(stick.link)
        stick.unplug()
        until(lambda: box.modem() == f"no modem found at {folder}/*", 5.0)
        box.text()
        stick.plug()
        began = time.monotonic()
        until(lambda: stick.air)
        assert time.monotonic() - began < 10


def test_two_patterns_never_get_two_ports_of_one_stick(box: Box, sim: GsmSim, tmp_path: Path, until: Until) -> None:
    folder = tmp_path / "by-id"
    folder.mkdir()
    with GsmSim(folder / "usb-HUAWEI-if00-port0"), GsmSim(folder / "usb-HUAWEI-if02-port0"):
        box.modems(SIM=f"{folder}/*", SIM2=f"{folder}/usb*")
        box.start()
        until(lambda: sorted([box.modem(), box.modem("SIM2")])[1] == "registered")
        other = next(name for name in ("SIM", "SIM2") if box.modem(name) != "registered")
        until(lambda: box.modem(other).startswith("no modem found at"))


# unplugged, mute, stuck


def test_unplugged_is_known_within_a_second_and_ten_seconds_after_the_replug_it_sends(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    sim.unplug()
    began = time.monotonic()
    until(lambda: box.modem() == "the modem was unplugged")
    assert time.monotonic() - began < 1
    box.text()
    sim.plug()
    began = time.monotonic()
    until(lambda: sim.air)
    assert time.monotonic() - began < 10


def test_a_stick_that_stays_mute_is_switched_off_and_on_or_a_person_is_told(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.mood = "silent"
    box.start()
    box.text()
    until(lambda: box.modem() == "the modem does not answer, and it is not on USB: pull the modem out and put it in "
                                 "again", 30.0)
    sim.mood = "well"
    box.until("delivered", limit_s=15)


def test_a_modem_that_answers_ok_to_everything_is_not_trusted(box: Box, sim: GsmSim, until: Until) -> None:
    sim.mood = "yes"
    box.text()
    box.start()
    until(lambda: box.modem() == "the modem answers, but not what it is asked")
    assert (box.states(), sim.air) == (["queued"], [])
    sim.mood = "well"
    box.until("delivered")


def test_a_modem_that_takes_to_saying_ok_to_everything_while_sending_leaves_no_text_for_sent(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    sim.mood = "yes"
    box.text()
    until(lambda: "did not ask for the text" in str(box.rows("SELECT reason FROM sms")[0]["reason"]), 15.0)
    assert (box.states(), sim.air) == (["queued"], [])


# PIN


@pytest.fixture
def locked(tmp_path: Path) -> Modem:
    (tmp_path / "sim-SIM.pin").write_text("1234\n")
    return Modem(pin="1234")


def with_modem(box: Box, tmp_path: Path, modem: Modem) -> GsmSim:
    sim = GsmSim(tmp_path / "locked", modem=modem)
    box.modems(SIM=str(sim.link))
    return sim


def test_the_pin_of_the_secret_file_opens_the_sim_each_time_it_is_asked_for(
        box: Box, tmp_path: Path, until: Until, locked: Modem) -> None:
    with with_modem(box, tmp_path, locked) as sim:
        box.start()
        until(lambda: box.modem() == "registered")
        sim.unplug()
        until(lambda: box.modem() == "no modem there")
        sim.plug()
        until(lambda: box.modem() == "registered")
        assert typed(sim, "AT+CPIN=") == ['AT+CPIN="1234"'] * 2
        assert box.modem(column="number") == "+4915112345678", "as the SIM itself says"
        assert box.modem(column="pin_tried") == ""


def test_a_wrong_pin_is_tried_once_and_never_again_also_after_restarts(
        box: Box, tmp_path: Path, until: Until, locked: Modem) -> None:
    locked.pin = "9999"
    with with_modem(box, tmp_path, locked) as sim:
        for _ in range(3):
            box.start()
            until(lambda: "did not open it" in box.modem())
            box.stop()
        assert typed(sim, "AT+CPIN=") == ['AT+CPIN="1234"']
        assert locked.pin_tries_left == 2
        assert "1234" not in box.modem(column="pin_tried") and "1234" not in box.log.read_text()
        (tmp_path / "sim-SIM.pin").write_text("9999")
        box.start()
        until(lambda: box.modem() == "registered")
        assert locked.pin_tries_left == 3


def test_a_sim_with_a_wrong_pin_that_comes_back_after_another_one_is_not_tried_again(
        box: Box, tmp_path: Path, until: Until, locked: Modem) -> None:
    locked.pin = "9999"
    with with_modem(box, tmp_path, locked) as sim:
        box.start()
        until(lambda: "did not open it" in box.modem())
        sim.unplug()
        until(lambda: box.modem() == "no modem there")
        sim.modem = Modem(iccid="8949010000000000099")
        sim.plug()
        until(lambda: box.modem() == "registered")
        sim.unplug()
        until(lambda: box.modem() == "no modem there")
        sim.modem = locked
        sim.plug()
        until(lambda: "did not open it" in box.modem())
        assert locked.pin_tries_left == 2


def test_a_sim_with_a_pin_nobody_wrote_down_says_where_to_write_it(box: Box, tmp_path: Path, until: Until) -> None:
    with with_modem(box, tmp_path, Modem(pin="1234")) as sim:
        box.start()
        until(lambda: box.modem() == "the SIM card asks for its PIN: write it into the file sim-SIM.pin beside the "
                                     "other secrets")
        assert typed(sim, "AT+CPIN=") == []


# balance


@pytest.mark.parametrize("mood", ["plain", "lines", "ucs2", "packed"])
def test_the_balance_is_asked_and_read_whichever_way_the_modem_writes_it(
        box: Box, sim: GsmSim, until: Until, mood: str) -> None:
    sim.modem.set_ussd(mood)
    box.rows("INSERT INTO sim (name, balance_ussd) VALUES ('SIM', '*100#')")
    box.start()
    until(lambda: box.modem(column="balance") == "12.34")
    box.rows("UPDATE modem SET balance = NULL, balance_at = NULL")
    until(lambda: box.modem(column="balance") == "12.34", 70.0)
    assert box.modem(column="trouble") == ""


@pytest.mark.parametrize(("mood", "words"), [
    ("menu", "the answer names no sum"), ("broken", "ended it without an answer"), ("unknown", "knows no such code"),
    ("refused", "+CME ERROR"),
])
def test_a_balance_that_cannot_be_had_is_a_sentence_and_texts_go_on(
        box: Box, sim: GsmSim, until: Until, mood: str, words: str) -> None:
    sim.modem.set_ussd(mood)
    box.rows("INSERT INTO sim (name, balance_ussd) VALUES ('SIM', '*100#')")
    box.start()
    until(lambda: words in box.modem(column="trouble") or mood == "menu" and box.modem(column="balance") == "1", 15.0)
    box.text()
    box.until("delivered")


# the time


def test_the_mobile_network_is_asked_for_the_time_though_a_call_told_it(box: Box, sim: GsmSim) -> None:
    note = wallclock.BY_NETWORK
    note.parent.mkdir(parents=True, exist_ok=True)
    try:
        for number, (by, is_asked) in enumerate({"gsm": False, "line": True}.items(), 1):
            note.write_text(json.dumps({"by": by}))
            box.start()
            box.text(f"+49170123456{number}")
            box.until(*["delivered"] * number)
            assert box.stop() == 0
            assert bool(typed(sim, "AT+CTZU")) == is_asked, by
    finally:
        note.unlink()
