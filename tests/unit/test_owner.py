"""The owner by text: obeyed and answered, and nobody else."""
from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from appliance.box import health
from appliance.calls import owed
from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import inbox, optouts, owner
from tests.unit.replying import CALLER, HOUR, MOBILE, NOW, OWNER, Office, office

__all__ = ["office"]


def test_a_stranger_who_texts_an_order_gets_nothing_and_changes_nothing(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    for text in ("STATUS", "MISSED", "CLOSED TILL 15", "OPEN", "help"):
        office.came(text)
    assert office.out() == [] and office.closed_until() == "" and owner.questions(office.db) == []


def test_closed_till_15_closes_until_then_in_shop_time_and_open_opens(office: Office) -> None:
    office.put(owner_numbers=f" 0171 5550001, nonsense,{MOBILE}")
    office.came("Closed till 15", OWNER)
    assert office.closed_until() == "2026-11-21T14:00:00.000Z"
    office.came("OPEN", MOBILE)
    assert office.closed_until() == ""
    assert office.out() == [(OWNER, "Closed till Sat 21 Nov 15:00. Text OPEN to open before."), (MOBILE, "Open.")]


def test_open_outside_the_opening_hours_says_what_the_hours_say(office: Office) -> None:
    office.put(owner_numbers=OWNER, opening_hours="Mon-Fri 09:00-18:00")
    office.came("OPEN", OWNER)
    assert office.out() == [(OWNER, "No longer closed by text. By the opening hours the shop is closed now.")]


def test_an_order_that_comes_a_day_late_closes_nothing(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("CLOSED TILL TOMORROW", OWNER, sent_at=NOW - timedelta(days=1))
    assert office.closed_until() == "" and "too late; nothing was done" in office.out()[0][1]


def test_missed_lists_who_is_still_owed_a_call(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    with store.write(office.db):
        contacts.add(office.db, "Anna Roth", [CALLER], "DE", NOW)
    office.missed(CALLER, NOW - 3 * HOUR)
    office.missed(CALLER, NOW - 2 * HOUR)
    office.missed("+491709999999", NOW - 3 * HOUR)
    office.missed("+491709999999", NOW - HOUR, outcome="answered", direction="out")
    office.missed("+4930123456", NOW - 2 * HOUR, outcome="answered")
    office.missed("+4930123456", NOW - HOUR, outcome="abandoned")
    office.missed("+4930123457", NOW - timedelta(days=8))
    office.came("MISSED", OWNER)
    assert office.out() == [(OWNER, "Still owed a call: 2.\nSat 21 Nov 12:00 030 123456\n"
                                    "Sat 21 Nov 11:00 Anna Roth 0170 1234567 (2 times)")]


def test_missed_says_when_nobody_is_owed_a_call_and_counts_those_it_cannot_list(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("MISSED", OWNER)
    for place in range(10):
        office.missed(f"+49170123450{place}", NOW - HOUR)
    office.came("MISSED", OWNER)
    assert office.out()[0][1] == "Nobody is owed a call."
    assert office.out()[1][1].startswith("Still owed a call: 10.\n") and office.out()[1][1].endswith("\nand 2 more.")


def test_a_call_back_that_nobody_answered_owes_still(office: Office) -> None:
    office.missed(CALLER, NOW - 2 * HOUR)
    office.missed(CALLER, NOW - HOUR, outcome="failed", direction="out")
    assert [caller.number for caller in owed.owed(office.db, NOW - 3 * HOUR)] == [CALLER]


def test_status_waits_for_the_clock_which_knows_what_is_wrong(office: Office) -> None:
    office.put(owner_numbers=OWNER, closed_until="2026-11-21T14:00:00.000Z")
    office.missed(CALLER, NOW - 2 * HOUR)
    office.missed("+491709999999", NOW - HOUR, outcome="answered")
    office.missed("+491709999999", NOW - timedelta(days=1))
    office.sent(CALLER)
    with store.write(office.db):
        office.db.execute("""
            INSERT INTO modem (name, state, signal_dbm, updated_at)
            VALUES ('SIM', 'registered', -73, '')""")
    office.came("STATUS", OWNER)
    assert len(office.out()) == 1, "not by the radio's daemon"
    owner.answer_questions(office.db, office.box, ["The disk is full. Remove old recordings."], office.now)
    assert office.out()[1:] == [(OWNER, (
        "Closed till Sat 21 Nov 15:00. Today 2 calls, 1 missed; 1 still owed. Texts: 1 waiting, 0 unknown, 0 unread. "
        "Modem: SIM registered -73 dBm. 1 to see to: The disk is full. Remove old recordings."))]
    assert owner.questions(office.db) == []


def test_the_clock_answers_status_with_the_findings_of_this_very_box(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("STATUS", OWNER)
    assert inbox.attend(office.db, office.box, office.now) == 1
    assert "to see to:" in office.out()[0][1], "there is no Asterisk here"
    assert inbox.attend(office.db, office.box, office.now) == 0 and len(office.out()) == 1


def test_a_status_that_waited_for_an_hour_is_let_go(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("STATUS", OWNER)
    owner.answer_questions(office.db, office.box, [], office.now + HOUR)
    assert office.out() == [] and owner.questions(office.db) == []


def test_wrong_words_of_an_owner_are_helped_three_times_an_hour(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    for _ in range(6):
        office.came("what can you do?", OWNER)
    assert office.out() == [(OWNER, "Text STATUS, MISSED, CLOSED TILL 15, CLOSED TILL TOMORROW or OPEN.")] * 3


def test_an_owner_is_answered_at_most_twenty_times_an_hour(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    for _ in range(25):
        office.came("OPEN", OWNER)
    assert len(office.out()) == 20


def test_an_owners_orders_are_no_news_for_the_desks(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    assert office.row(office.came("OPEN", OWNER))["read_at"] is not None


def test_an_order_that_we_fail_to_follow_is_kept_for_a_person_and_stops_no_radio(
        office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.put(owner_numbers=OWNER, closed_until="2026-11-21T14:00:00.000Z")
    office.box = dataclasses.replace(office.box, time_zone="Lost/Tzdata")
    sms_id = office.came("OPEN", OWNER)
    row = office.row(sms_id)
    assert row["reason"].endswith("Read it and answer it yourself.") and row["read_at"] is None
    assert office.closed_until() != "" and office.out() == []
    assert f"sms {sms_id} is kept" in caplog.text and "OPEN" not in caplog.text and OWNER not in caplog.text
    office.came("STOP")
    assert optouts.has(office.db, CALLER), "the next one is followed as ever"


def test_an_owners_number_that_is_none_is_a_finding_in_words(office: Office) -> None:
    office.put(owner_numbers=f"{OWNER}, 0171 55 5", forward_texts="Anna")
    assert [finding.split(".")[0] for finding in health.findings(office.box) if "in the setting" in finding] == [
        "'0171 55 5' in the setting owner_numbers is no number in DE",
        "'Anna' in the setting forward_texts is no number in DE"]


def test_status_is_answered_though_the_closing_is_nonsense(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.db.execute("INSERT OR REPLACE INTO setting VALUES ('closed_until', '\"nonsense\"')")
    office.came("STATUS", OWNER)
    assert inbox.attend(office.db, office.box, office.now) == 1
    assert office.out()[0][1].startswith("Today 0 calls, 0 missed; 0 still owed.")
