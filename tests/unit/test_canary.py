"""When the rest of a campaign may go: the first few spoke well, it is the hour for it, the box was on."""
from __future__ import annotations

import sqlite3

import pytest

from appliance.config import Box
from appliance.texts import campaigns, outbox
from tests.unit.mailing import SIM, Mailing, mobile

ME = "+4915112345678"


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Mailing:
    """No pace and no limits, so that a test sends as fast as it asks."""
    made = Mailing(db, box)
    made.sim(pace_s=0, hourly=0, daily=0)
    return made


def test_first_to_me_then_to_a_few_and_then_to_the_rest(office: Mailing) -> None:
    office.set("owner_numbers", ME)
    office.people(40)
    one = office.start(canary_percent=5)
    assert office.sends(30) == [ME]
    office.reports()
    few = office.sends(30)
    assert len(few) == 2
    office.reports()
    assert len(office.sends(30)) == 38
    assert sorted(office.texted()) == sorted([ME, *(mobile(place) for place in range(40))])
    assert office.state(one)[0] == "done"


def test_the_rest_waits_for_the_reports_of_the_first_few(office: Mailing) -> None:
    office.people(40)
    office.start(canary_percent=5)
    assert len(office.sends(600)) == 2


def test_without_any_report_a_person_must_look_and_resume(office: Mailing) -> None:
    office.people(40)
    one = office.start(canary_percent=5)
    office.sends(120)
    office.pass_(minutes=14)
    office.tick()
    assert office.state(one)[0] == "paused" and "No delivery report" in str(office.state(one)[1])
    campaigns.resume(office.db, one, office.now)
    assert len(office.sends(10)) == 38


def test_failures_of_the_first_few_halt_the_rest(office: Mailing) -> None:
    office.people(100)
    one = office.start(canary_percent=5)
    office.sends(5)
    office.reports(status=0x43)
    office.sends(5)
    state, reason = office.state(one)
    assert (state, reason) == ("paused", "5 of 5 texts failed, more than 20 %. The rest waits. "
                                         "Look at the numbers, then press Resume or Stop.")
    assert len(office.texted()) == 5


def test_stops_from_the_first_few_halt_the_rest(office: Mailing) -> None:
    office.people(100)
    one = office.start(canary_percent=5)
    few = office.sends(5)
    office.opt_out(few[0])
    office.reports()
    office.sends(5)
    assert office.state(one)[0] == "paused" and "1 of 5 answered STOP" in str(office.state(one)[1])
    assert len(office.texted()) == 5


def test_failures_among_the_rest_halt_it_too(office: Mailing) -> None:
    office.people(200)
    one = office.start()
    office.tick()
    for place in range(60):
        office.radio(silent=bool(place % 3), fails=None if place % 3 else 500)
    office.pass_(minutes=2)
    office.tick()
    assert office.state(one)[0] == "paused" and "20 of 60 texts failed" in str(office.state(one)[1])


def test_split_over_days_no_more_than_so_many_go_each_day(office: Mailing) -> None:
    office.people(25)
    one = office.start(a_day=10)
    sent = []
    for _ in range(3):
        sent.append(len(office.sends(30)))
        for _hour in range(24):
            office.pass_(hours=1, seconds=-30 if _hour == 23 else 0)
            office.tick()
    assert (sent, office.state(one)[0]) == ([10, 10, 5], "done")


def test_group_texts_go_within_the_broadcast_hours_only(office: Mailing) -> None:
    office.people(3)
    office.pass_(hours=12)
    one = office.start()
    assert office.sends(60) == []
    assert outbox.next_due(office.db, SIM, office.now) is None
    assert office.answer(mobile(50)) and office.radio() == mobile(50), "an answer to a call is no group text"
    for _ in range(11 * 60 + 1):
        office.pass_(minutes=1)
        office.tick()
    assert (len(office.sends(5)), office.state(one)[0]) == (3, "done")


def test_off_while_it_ran_the_rest_is_not_sent_late_by_itself(office: Mailing) -> None:
    office.people(3)
    one = office.start()
    office.tick()
    office.radio()
    office.pass_(hours=3)
    assert outbox.next_due(office.db, SIM, office.now) is None, "before the clock has looked, nothing goes"
    office.tick()
    assert office.radio() is None
    assert office.state(one) == ("paused", "The box was off while it ran; 2 texts still wait. "
                                           "Press Resume to send them now, or Stop.")
    campaigns.resume(office.db, one, office.now)
    assert len(office.sends(5)) == 2


def test_a_sim_without_money_holds_the_campaign_and_says_why(office: Mailing) -> None:
    office.people(2)
    office.sim(least_balance="1.00")
    office.db.execute("INSERT INTO modem (name, state, updated_at, balance) VALUES ('SIM', 'registered', '', '0.40')")
    one = office.start()
    assert office.sends(30) == []
    assert office.state(one) == ("running", "It waits: the SIM's balance is too low. Top it up.")
    office.db.execute("UPDATE modem SET balance = '9'")
    assert len(office.sends(5)) == 2
