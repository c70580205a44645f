"""The shop's rules as it keeps them, and what they ask of a call."""
from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.config import Box, Modem
from appliance.people import contacts
from appliance.settings import Settings
from appliance.store import db as store
from appliance.texts import facts, guards, outbox, rulebook
from appliance.texts.conditions import KNOWN, NEW_CALLER, Conditions, RuleError
from appliance.texts.rules import Rule
from tests.unit.texting import CALLER, NOW, OTHER, Office, office

__all__ = ["office"]
TRUNKS = ("line1",)
NEW = Rule("", "After hours", "{shop} is closed.", Conditions(when="after hours"), False, 0, 30)


def saved(db: sqlite3.Connection, rule: Rule = NEW) -> Rule:
    with store.write(db):
        return rulebook.save(db, rule, NOW, TRUNKS)


def names(db: sqlite3.Connection) -> list[str]:
    return [rule.name for rule in rulebook.rules(db)]


def test_a_new_box_answers_missed_calls_after_15_seconds(db: sqlite3.Connection) -> None:
    (rule,) = rulebook.rules(db)
    assert (rule.key, rule.is_on, rule.delay_s, rule.expiry_min) == ("missed", True, 15, 15)
    assert rule.conditions == Conditions(outcomes=("missed",))


def test_a_new_rule_stands_last_and_comes_back_as_it_was_saved(db: sqlite3.Connection) -> None:
    rule = saved(db)
    assert rule == replace(NEW, key=rule.key)
    assert rulebook.rules(db)[-1] == rulebook.rule(db, rule.key) == rule


def test_the_key_of_a_removed_rule_is_never_used_again(db: sqlite3.Connection) -> None:
    first = saved(db)
    with store.write(db):
        rulebook.remove(db, first.key)
    assert names(db) == ["Missed call"]
    assert saved(db).key != first.key


def test_a_rule_is_changed_and_switched_and_keeps_its_place(db: sqlite3.Connection) -> None:
    rule = saved(db)
    changed = saved(db, replace(rule, name=" Closed\n now ", text=" Back at nine. ", delay_s=5))
    assert (changed.name, changed.text, changed.delay_s, changed.key) == ("Closed now", "Back at nine.", 5, rule.key)
    with store.write(db):
        rulebook.switch(db, rule.key, True, NOW)
    assert rulebook.rules(db)[-1].is_on


def test_rules_are_moved_and_the_others_close_up(db: sqlite3.Connection) -> None:
    second, third = saved(db, replace(NEW, name="second")), saved(db, replace(NEW, name="third"))
    for key, place, order in ((third.key, 1, ["third", "Missed call", "second"]),
                              (third.key, 99, ["Missed call", "second", "third"]),
                              (second.key, -3, ["second", "Missed call", "third"])):
        with store.write(db):
            rulebook.move(db, key, place, NOW)
        assert names(db) == order


@pytest.mark.parametrize(("changes", "words"), [
    ({"name": " \n"}, "A rule needs a name."),
    ({"text": "x" * 1001}, "The text has 1001 characters; a rule's has at most 1000."),
    ({"text": "half \ud83d"}, "The text holds a character that is not whole."),
    ({"text": "Hello {nmae}"}, "There is no field {nmae}. Did you mean {name}?"),
    ({"text": "Hello {}"}, "The text holds {} without a field's name."),
    ({"delay_s": -1}, "The delay goes from 0 to 86400 seconds."),
    ({"expiry_min": 0}, "The expiry goes from 1 to 1440 minutes."),
    ({"conditions": Conditions(trunks=("line2",))}, "There is no line 'line2'. Did you mean 'line1'?"),
    ({"conditions": Conditions(groups=("VIP",))}, "There is no group 'VIP'."),
    ({"key": "rule-99"}, "There is no rule 'rule-99' any more."),
])
def test_a_rule_that_cannot_work_is_refused_in_words_and_not_kept(
        db: sqlite3.Connection, changes: dict[str, object], words: str) -> None:
    with pytest.raises(RuleError) as refused:
        saved(db, replace(NEW, **changes))
    assert str(refused.value).startswith(words)
    assert names(db) == ["Missed call"]


def test_a_rule_may_name_a_group_there_is_and_a_field_somebody_has(db: sqlite3.Connection, box: Box) -> None:
    with store.write(db):
        contact = contacts.add(db, "Anna Petrova", [CALLER], box.country, NOW)
        db.execute("INSERT INTO contact_group (name) VALUES ('VIP')")
        db.execute("INSERT INTO contact_field VALUES (?, 'bike', 'tandem')", (contact,))
    rule = replace(NEW, text="Your {bike|bicycle} is ready.", conditions=Conditions(groups=("VIP", NEW_CALLER)))
    assert saved(db, rule).conditions == rule.conditions


def test_a_rule_may_be_about_a_line_or_a_sim(db: sqlite3.Connection, box: Box) -> None:
    lines = rulebook.lines(replace(box, modems=(Modem("SIM", "/dev/null"),)))
    assert lines == ["line1", "SIM"]
    with store.write(db):
        rulebook.save(db, replace(NEW, conditions=Conditions(trunks=("SIM",))), NOW, lines)


def test_a_rule_that_was_broken_past_us_stops_no_call_and_no_other_rule(
        office: Office, caplog: pytest.LogCaptureFixture) -> None:
    with store.write(office.db):
        office.db.execute("""
            INSERT INTO rule (key, position, name, is_on, conditions, text, created_at, updated_at)
            VALUES ('odd', 0, 'Odd', 1, '{"outcome": "missed"}', 'x', '', '')""")
    with caplog.at_level(logging.WARNING):
        office.call()
    assert office.states() == ["queued"]
    assert "There is no condition 'outcome'. Did you mean 'outcomes'?" in caplog.text


def test_an_edited_rule_is_put_in_its_place_and_on(db: sqlite3.Connection) -> None:
    missed = rulebook.rules(db)[0]
    edited = replace(missed, text="New words", is_on=False)
    assert rulebook.instead([missed], edited) == [replace(edited, is_on=True)]
    assert rulebook.instead([missed], NEW) == [missed, replace(NEW, is_on=True)]


# -- what a rule asks of a call

def group(office: Office, name: str, number: str, group_name: str, **fields: str) -> None:
    with store.write(office.db) as db:
        contact = contacts.add(db, name, [number], office.box.country, NOW)
        db.execute("INSERT OR IGNORE INTO contact_group (name) VALUES (?)", (group_name,))
        db.execute("""
            INSERT INTO contact_group_member
            SELECT id, ? FROM contact_group WHERE name = ?""", (contact, group_name))
        db.executemany("INSERT INTO contact_field VALUES (?, ?, ?)", [(contact, *pair) for pair in fields.items()])


def test_a_caller_is_new_once_and_known_when_in_the_book(office: Office) -> None:
    group(office, "Anna Petrova", OTHER, "VIP")
    first, second, anna = office.call(), office.call(at=NOW + timedelta(hours=3)), office.call(OTHER)
    withheld = office.call(None, presentation="withheld")
    found = [facts.of_call(office.db, office.box, call) for call in (first, second, anna, withheld)]
    assert [call.groups for call in found if call] == [{NEW_CALLER}, set(), {KNOWN, "VIP"}, set()]


def test_somebody_who_was_called_by_us_before_is_not_new(office: Office) -> None:
    office.call(direction="out", outcome="answered", talk_s=20)
    call = facts.of_call(office.db, office.box, office.call())
    assert call is not None and call.groups == set()


def test_the_text_of_a_rule_names_the_caller(office: Office) -> None:
    group(office, "Anna Petrova", CALLER, "VIP", Bike="tandem")
    office.rule(text="Hello {first_name|there}, is it about the {bike|bicycle}? {shop}")
    office.call(settings=Settings(shop_name="Velo"))
    office.call(OTHER, settings=Settings(shop_name="Velo"))
    texts = [row["text"] for row in office.db.execute("SELECT text FROM sms ORDER BY id")]
    assert texts == ["Hello Anna, is it about the tandem? Velo", "Hello there, is it about the bicycle? Velo"]


def test_a_text_that_stays_unfilled_is_not_sent(office: Office) -> None:
    office.rule(text="Hello {name}")
    office.call()
    assert office.states() == []
    assert office.refusals() == ["Not texted: {name} stays empty for this one. "
                                 "Write {name|…} with what to say instead."]


def test_the_draft_of_the_rule_that_fits_is_queued_with_its_key_delay_and_expiry(office: Office) -> None:
    vip = replace(NEW, name="VIP", text="We ring you first.", conditions=Conditions(groups=(KNOWN,)), is_on=True,
                  delay_s=30, expiry_min=5)
    group(office, "Anna Petrova", CALLER, "VIP")
    rule = saved(office.db, vip)
    with store.write(office.db):
        rulebook.move(office.db, rule.key, 1, NOW)
    office.call()
    row = office.db.execute("SELECT * FROM sms").fetchone()
    assert (row["rule"], row["text"], row["is_automatic"], row["priority"]) == (rule.key, "We ring you first.", 1, 0)
    assert (row["due_at"], row["expires_at"]) == ("2026-11-21T09:00:30.000Z", "2026-11-21T09:05:30.000Z")


def test_a_rule_about_answered_or_outgoing_calls_is_heard_too(office: Office) -> None:
    saved(office.db, Rule("", "Thanks", "Thank you for calling.", Conditions(answered=True, talk_longer_s=60), True, 0))
    saved(office.db, Rule("", "Tried", "We tried to reach you.", Conditions("out", ("missed",)), True, 0))
    office.call(outcome="answered", talk_s=90)
    office.call(OTHER, outcome="missed", direction="out")
    office.call("+491701111111", outcome="answered", talk_s=10)
    texts = [row["text"] for row in office.db.execute("SELECT text FROM sms ORDER BY id")]
    assert texts == ["Thank you for calling.", "We tried to reach you."]
    assert office.refusals() == [], "nobody asks why a short conversation got none"


def test_an_answered_call_that_its_rule_refuses_says_why(office: Office) -> None:
    rule = saved(office.db, Rule("", "Thanks", "Thank you.", Conditions(answered=True), True, 0))
    office.call("+498912345679", outcome="answered", talk_s=90)
    assert tuple(office.db.execute("SELECT rule, code FROM refusal").fetchone()) == (rule.key, "landline")


def test_a_call_from_before_the_clock_was_set_is_answered_once_it_ends(office: Office) -> None:
    office.rule(conditions=Conditions(outcomes=("missed",), days=("sat",)))      # 1 January 1970 was a Thursday
    old = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    with store.write(office.db):
        office.db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, ended_at,
                              outcome, is_clock_set)
            VALUES ('box1', 9, 'x', 'in', ?, ?, 'allowed', ?, ?, 'missed', 0)""",
            (CALLER, CALLER, store.iso(old), store.iso(old)))
        outbox.after_call(office.db, office.box, 1, Settings(), NOW)
    assert office.states() == ["queued"]


def steps(office: Office, call_id: int) -> int:
    """SQLite's own steps, in hundreds, to know all a rule asks of this call."""
    done = 0

    def one() -> int:
        nonlocal done
        done += 1
        return 0

    office.db.set_progress_handler(one, 100)
    for _ in range(20):
        assert facts.of_call(office.db, office.box, call_id) is not None
        guards.recent(office.db, CALLER, NOW, since=NOW)
    office.db.set_progress_handler(None, 0)
    return done


@pytest.mark.deep
def test_a_big_book_and_a_long_history_cost_a_call_no_more(office: Office) -> None:
    group(office, "Anna Petrova", CALLER, "VIP", bike="tandem")
    call_id = office.call()
    few = steps(office, call_id)
    for person in range(400):
        group(office, f"Somebody {person}", f"+49171{1_000_000 + person}", "VIP", bike="tandem")
    for caller in range(400):
        office.call(f"+49171{1_000_000 + caller}", NOW - timedelta(days=20, minutes=caller))
    assert steps(office, call_id) < 1.1 * few + 2
