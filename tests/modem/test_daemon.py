"""`deskbell run modem` as the process that ships, against the simulator: nothing twice, nothing lost in silence."""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.store import db as store
from hw.gsm_sim import GsmSim
from hw.gsm_sim_air import script
from hw.pdu import PduError

CALLER, OTHER = "+491701234567", "+491709999999"
Until = Callable[..., None]
OffTheAir = Callable[[str], tuple[str, str]]
Box = Any  # conftest's


def handed_over(sim: GsmSim) -> int:
    return sum(line.startswith("AT+CMGS") for _at, line in sim.commands)


def test_a_queued_text_is_sent_and_its_report_makes_it_delivered(box: Box, sim: GsmSim, off_the_air: OffTheAir) -> None:
    box.start()
    box.text(words="Café Müller: 5 € {sorry}")
    box.until("delivered")
    assert [off_the_air(pdu) for pdu in sim.air] == [(CALLER, "Café Müller: 5 € {sorry}")]
    assert box.modem() == "registered"
    assert [row["kind"] for row in box.rows("SELECT kind FROM event")] == ["text"] * 4
    assert box.stop() == 0
    assert box.modem() == "stopped"


def test_a_long_cyrillic_text_goes_in_two_parts_that_a_telephone_joins(
        box: Box, sim: GsmSim, off_the_air: OffTheAir) -> None:
    words = "Мы пропустили ваш звонок и скоро перезвоним. " * 2 + "Ваш магазин"
    box.start()
    box.text(words=words)
    box.until("delivered")
    assert len(sim.air) == 2
    assert "".join(off_the_air(pdu)[1] for pdu in sim.air) == words
    assert [row["reference"] for row in box.rows("SELECT reference FROM segment ORDER BY part")] == [0, 1]


def test_killed_between_sending_and_the_answer_is_unknown_and_never_sent_twice(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.report_after_s = None
    sim.outcomes += script("late 2")
    box.start()
    box.text()
    until(lambda: len(sim.air) == 1)
    assert box.states() == ["sending"], "committed before the modem is touched"
    box.kill()
    box.start()
    box.until("unknown")
    assert "may have been sent" in box.reason()
    box.text(OTHER)
    box.until("unknown", "sent")
    assert (handed_over(sim), len(sim.air)) == (2, 2)


def test_killed_again_and_again_no_text_is_on_the_air_twice_and_none_is_left_hanging(
        box: Box, sim: GsmSim, until: Until, off_the_air: OffTheAir) -> None:
    sim.network_s = 0.05
    numbers = [f"+4917012345{place:02d}" for place in range(12)]
    for number in numbers:
        box.text(number)
    for life in range(1, 5):
        box.start()
        until(lambda aim=life * 2: len(sim.air) >= aim)
        box.kill()
    box.start()
    until(lambda: not {"queued", "sending"} & set(box.states()))
    reached = [off_the_air(pdu)[0] for pdu in sim.air]
    assert len(reached) == len(set(reached)), "somebody got it twice"
    states = dict(zip(numbers, box.states(), strict=True))
    assert set(states.values()) <= {"delivered", "sent", "unknown"}  # a report may have come while nobody lived
    assert all(number in reached for number, state in states.items() if state != "unknown")


def test_a_report_after_the_crash_settles_what_was_unknown(box: Box, sim: GsmSim, until: Until) -> None:
    sim.network_s, sim.report_after_s = 0.1, 6.0
    box.start()
    box.text()
    until(lambda: handed_over(sim) == 1)
    box.kill()
    box.start()
    box.until("unknown")
    box.until("delivered")
    assert (handed_over(sim), len(sim.air)) == (1, 1)


def test_a_store_that_is_held_for_long_loses_no_report_no_text_and_no_radio(
        box: Box, sim: GsmSim, until: Until) -> None:
    """As by the swap of a restore, seconds for a gigabyte here and many on a slow card."""
    sim.outcomes += script("late 1")
    box.start()
    box.text()
    until(lambda: len(sim.air) == 1)
    box.db.execute("BEGIN IMMEDIATE")
    sim.receive(OTHER, "Are you open?")
    time.sleep(store.BUSY_TIMEOUT_MS / 1000 + 3)        # the modem has answered and reported meanwhile
    assert box.daemon.poll() is None, box.log.read_text()
    box.db.rollback()
    box.until("delivered")
    until(lambda: box.rows("SELECT 1 FROM sms WHERE direction = 'in'"))
    assert (handed_over(sim), len(sim.air)) == (1, 1)


def test_a_radio_that_waits_for_the_store_can_be_stopped_and_the_text_is_there_at_the_next_start(
        box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    box.db.execute("BEGIN IMMEDIATE")
    sim.receive(OTHER, "Are you open?")
    until(lambda: any(line.startswith("AT+CMGR") for _at, line in sim.commands))
    assert box.stop() == 0
    box.db.rollback()
    assert "stopped while somebody else wrote" in box.log.read_text()
    box.start()
    until(lambda: box.rows("SELECT 1 FROM sms WHERE direction = 'in'"))


def test_a_lasting_refusal_is_failed_in_words(box: Box, sim: GsmSim) -> None:
    sim.outcomes += script("cms 1")
    box.start()
    box.text()
    box.until("failed")
    assert box.reason() == "No such number (CMS 1)."
    assert sim.air == []


def test_a_passing_refusal_waits_and_the_next_text_overtakes_it(
        box: Box, sim: GsmSim, off_the_air: OffTheAir) -> None:
    sim.outcomes += script("cms 42")
    box.text(CALLER)
    box.text(OTHER)
    box.start()
    box.until("queued", "delivered")
    assert off_the_air(sim.air[0])[0] == OTHER
    box.until("delivered", "delivered", limit_s=20)
    assert len(sim.air) == 2


@pytest.mark.parametrize("mood", ["garbage", "silent"])
def test_a_modem_that_speaks_garbage_or_nothing_only_makes_texts_wait(
        box: Box, sim: GsmSim, until: Until, mood: str) -> None:
    sim.mood = mood
    box.start()
    box.text()
    until(lambda: box.modem() == "the modem does not answer")
    assert box.states() == ["queued"]
    assert box.daemon.poll() is None
    sim.mood = "well"
    box.until("delivered", limit_s=15)
    assert len(sim.air) == 1


def test_pulled_out_while_idle_texts_wait_and_go_soon_after_it_is_back(box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    sim.unplug()
    until(lambda: box.modem() not in ("registered", ""), 3.0)
    box.text()
    assert box.states() == ["queued"]
    sim.plug()
    began = time.monotonic()
    until(lambda: sim.air)
    assert time.monotonic() - began < 10
    box.until("delivered")


def test_pulled_out_while_sending_is_unknown_until_the_report_comes(box: Box, sim: GsmSim, until: Until) -> None:
    sim.outcomes += script("unplug")
    box.start()
    box.text()
    box.until("unknown")
    until(lambda: box.modem() == "no modem there")
    box.text(OTHER)
    sim.plug()
    box.until("delivered", "delivered")
    assert len(sim.air) == 2


def test_no_modem_at_all_is_said_and_texts_wait(box: Box, sim: GsmSim, until: Until) -> None:
    sim.unplug()
    until(lambda: not sim.link.exists())
    box.start()
    box.text()
    until(lambda: box.modem() == "no modem there")
    assert box.states() == ["queued"]
    assert box.stop() == 0


def test_without_network_nothing_is_handed_over_and_no_try_is_used_up(box: Box, sim: GsmSim, until: Until) -> None:
    sim.register(2)
    until(lambda: sim.modem.registration == 2)
    box.start()
    box.text()
    until(lambda: box.modem() == "searching for the network")
    assert (box.states(), handed_over(sim)) == (["queued"], 0)
    sim.register(1)
    box.until("delivered")
    assert box.rows("SELECT attempts FROM segment")[0]["attempts"] == 1


def test_a_modem_that_only_thinks_it_has_network_uses_up_no_try_either(box: Box, sim: GsmSim, until: Until) -> None:
    sim.outcomes += script("cms 331")
    box.start()
    box.text()
    until(lambda: handed_over(sim) == 1 and box.states() == ["queued"])
    assert box.reason() == "The modem has no network (CMS 331)."
    assert box.rows("SELECT attempts FROM segment")[0]["attempts"] == 0


def test_what_comes_is_kept_in_the_store_and_leaves_the_sim(box: Box, sim: GsmSim, until: Until) -> None:
    sim.receive(CALLER, "before we listened")
    box.start()
    until(lambda: box.modem() == "registered")
    sim.receive(CALLER, "after")
    until(lambda: len(box.rows("SELECT * FROM sms WHERE direction = 'in'")) == 2)
    until(lambda: not sim.modem.stored["SM"])
    assert [row["text"] for row in box.rows("SELECT text FROM sms ORDER BY id")] == ["before we listened", "after"]


def test_no_text_and_no_full_number_reaches_the_log(box: Box, sim: GsmSim, tmp_path: Path) -> None:
    sim.outcomes += script("cms 1, noreport")
    box.start()
    box.text(words="a secret word")
    box.text(OTHER, words="a secret word")
    box.until("failed", "sent")
    sim.receive(CALLER, "another secret word")
    box.stop()
    log = box.log.read_text()
    assert "refused" in log and "sent, reference" in log
    assert "secret" not in log and CALLER not in log and OTHER not in log
    air = [json.loads(line) for line in (tmp_path / "air.jsonl").read_text().splitlines()]
    assert not any(line["pdu"] in log for line in air)


def test_a_number_of_one_digit_is_refused_and_nothing_is_kept(box: Box) -> None:
    with pytest.raises(PduError, match="digits are needed"):
        box.text("7")
    assert box.rows("SELECT * FROM sms") == []


def test_told_to_stop_while_sending_it_waits_for_the_answer(box: Box, sim: GsmSim, until: Until) -> None:
    sim.network_s = 1.0
    box.start()
    box.text()
    until(lambda: handed_over(sim) == 1)
    assert box.stop() == 0
    assert box.states() == ["sent"]
