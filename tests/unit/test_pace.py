"""How fast a SIM sends, whose turn it is, and what stops it."""
from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from appliance.config import Box
from appliance.texts import pace
from tests.unit.mailing import SIM, Mailing, mobile

BUSY = 42


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Mailing:
    """A campaign to 60 people is under way."""
    made = Mailing(db, box)
    made.people(60)
    return made


def test_a_campaign_goes_at_the_sims_pace_with_a_small_burst_first(office: Mailing) -> None:
    office.sim(pace_s=4, hourly=0, daily=0)
    office.start()
    times = []
    for _ in range(1000):
        office.tick()
        if office.radio():
            times.append(office.now)
        office.pass_(milliseconds=100)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:], strict=False)]
    assert gaps[:2] == [0.1, 0.1]
    assert 100 / 4 - 1 <= len(times) <= 100 / 4 + pace.BURST + 1
    assert all(2.9 <= gap <= 5.1 for gap in gaps[4:])
    assert len({round(gap, 1) for gap in gaps[4:]}) > 5, "no two alike: jitter"


def test_a_sim_whose_allowance_is_used_up_sends_no_group_texts_although_another_one_has_some(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0, allowance=3)
    office.db.executemany("INSERT INTO modem (name, state, updated_at) VALUES (?, 'registered', '')",
                          [(SIM,), ("SIM2",)])
    one = office.start(sim=SIM)
    assert len(office.sends(30)) == 3
    assert office.stands(one).halted == "It waits: the SIM's allowance for this month is used up."
    office.answer(mobile(100))
    assert office.radio() == mobile(100)


def test_the_pace_of_a_sim_nobody_set_is_a_safe_one(office: Mailing) -> None:
    office.start()
    assert 14 <= len(office.sends(60)) <= 20


def test_an_answer_waits_for_no_token(office: Mailing) -> None:
    office.sim(pace_s=3600)
    office.start()
    office.tick()
    while office.radio():
        pass
    for place in range(100, 110):
        office.answer(mobile(place))
        assert office.radio() == mobile(place)


def test_campaigns_leave_a_fifth_of_the_hour_to_answers(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=10, daily=0)
    office.start()
    assert len(office.sends(30)) == 8
    office.answer(mobile(100))
    office.answer(mobile(101))
    assert (office.radio(), office.radio()) == (mobile(100), mobile(101))
    office.answer(mobile(102), expires_min=90)
    assert office.radio() is None
    office.pass_(hours=1)
    assert office.radio() == mobile(102)


def test_the_day_has_its_limit_too(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=20)
    office.start()
    assert len(office.sends(30)) == 16
    assert len(office.sends(3600, step_s=30)) == 0


@pytest.mark.parametrize(("limits", "words"), [
    ({"hourly": 2}, "may send 2 texts an hour. Some are kept"), ({"daily": 2}, "may send 2 texts a day"),
    ({"pace_s": 60}, "every 60 s")])
def test_why_it_waits_is_said_in_words(office: Mailing, limits: dict[str, int], words: str) -> None:
    office.sim(**{"hourly": 0, "daily": 0, "pace_s": 0, **limits})
    office.start()
    office.sends(3)
    wait = pace.may_send(office.db, SIM, office.now)
    assert wait is not None and wait.until is not None and words in wait.reason


def test_five_lasting_refusals_in_a_row_halt_group_texts_but_no_answer(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0)
    one = office.start()
    office.tick()
    for _ in range(5):
        assert office.radio(fails=1)
    assert office.radio() is None
    assert "5 texts in a row were refused for good" in str(office.stands(one).halted)
    assert "no such number (CMS 1)" in str(office.stands(one).halted)
    office.answer(mobile(100))
    assert office.radio() == mobile(100)


def test_resumed_the_refusals_of_before_do_not_count_again(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0)
    office.start()
    office.tick()
    while office.radio(fails=1):
        pass
    assert office.db.execute("SELECT count(*) FROM sms WHERE state = 'failed'").fetchone()[0] == 5
    pace.resume(office.db, SIM, office.now)
    office.pass_(seconds=1)
    assert office.radio(fails=1) and office.radio()


def test_one_text_that_goes_breaks_the_row(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0)
    office.start()
    office.tick()
    for _ in range(4):
        office.radio(fails=1)
        office.pass_(milliseconds=1)
    office.radio()
    office.pass_(milliseconds=1)
    office.radio(fails=1)
    assert office.radio()


def test_a_failure_the_report_brings_says_nothing_of_the_sim(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0)
    office.start()
    office.tick()
    for _ in range(6):
        office.radio()
    office.reports(status=0x43)
    assert pace.sim(office.db, SIM).paused_reason is None


def test_a_text_that_waited_too_long_is_dropped_and_not_sent_late(office: Mailing) -> None:
    late = office.answer(mobile(100), expires_min=15)
    office.pass_(minutes=16)
    office.answer(mobile(101))
    assert office.radio() == mobile(101)
    assert tuple(office.db.execute("SELECT state, reason FROM sms WHERE id = ?", (late,)).fetchone()) == (
        "expired", "Not sent: it waited too long to be of use.")


def test_who_opts_out_after_a_text_was_written_does_not_get_it(office: Mailing) -> None:
    unwanted = office.answer(mobile(100))
    office.pass_(seconds=1)
    office.opt_out(mobile(100))
    assert office.radio() is None
    assert office.db.execute("SELECT state FROM sms WHERE id = ?", (unwanted,)).fetchone()[0] == "cancelled"


def test_a_person_who_writes_to_one_that_opted_out_before_knows_what_he_does(office: Mailing) -> None:
    office.opt_out(mobile(100))
    office.pass_(seconds=1)
    office.answer(mobile(100), is_automatic=False)
    assert office.radio() == mobile(100)


def test_ten_thousand_waiting_group_texts_cost_an_answer_no_time(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0)
    office.start()
    office.tick()
    office.db.execute("UPDATE campaign SET state = 'paused'")
    office.answer(mobile(100))
    plans = " ".join(str(row[3]) for row in office.db.execute("""
        EXPLAIN QUERY PLAN SELECT sms.id FROM sms WHERE sms.state = 'queued' AND sms.campaign_id IS NULL
        AND sms.due_at <= '9' ORDER BY sms.priority, sms.due_at, sms.id LIMIT 1"""))
    assert "sms_queued" in plans and "SCAN sms\n" not in plans and "TEMP B-TREE" not in plans
    assert office.radio() == mobile(100)


def test_a_clock_that_was_put_back_holds_the_sim_up_no_longer_than_it_was_put_back(office: Mailing) -> None:
    office.sim(pace_s=4, hourly=0, daily=0)
    office.start()
    office.sends(60)
    office.now -= timedelta(seconds=50)
    assert 5 <= len(office.sends(90)) <= 20


def test_group_texts_queued_while_the_clock_was_ahead_go_once_it_is_right(office: Mailing) -> None:
    office.sim(pace_s=0, hourly=0, daily=0)
    office.pass_(days=100)
    office.start()
    office.tick()
    office.now -= timedelta(days=100)
    assert len(office.sends(5)) == 60
