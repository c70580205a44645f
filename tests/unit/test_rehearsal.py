"""Who would have been texted: the last 30 days played again, nothing sent and nothing written."""
from __future__ import annotations

import itertools
import json
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from appliance import cli, config
from appliance.config import Box, Modem
from appliance.people import contacts
from appliance.settings import Settings
from appliance.store import db as store
from appliance.texts import guards, outbox, rehearsal, rulebook
from appliance.texts.conditions import NEW_CALLER, Conditions
from appliance.texts.rehearsal import Rehearsal
from appliance.texts.rules import Rule
from tests.unit.texting import CALLER, NOW, OTHER, SIM, Office, office

__all__ = ["office"]
MISSED = Rule("missed", "Missed call", "{shop}: sorry we missed you.", Conditions(outcomes=("missed",)), delay_s=60)
TODAY = NOW + timedelta(days=1)
WRITTEN = itertools.count(1)


def call(db: sqlite3.Connection, number: str | None = CALLER, at: datetime = NOW, outcome: str = "missed",
         direction: str = "in", presentation: str = "allowed", talk_s: int = 0) -> int:
    """A call of the past that nobody decided then; it began at `at` and rang for 10 s."""
    answered = at + timedelta(seconds=10) if outcome == "answered" else None
    return int(db.execute("""
        INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, started_at,
                          answered_at, ended_at, ring_ms, talk_ms, outcome, is_clock_set)
        VALUES ('box1', 1, ?, 'line1', ?, '', ?, ?, ?, ?, ?, 10000, ?, ?, 1)""",
        (str(next(WRITTEN)), direction, number, presentation, store.iso(at), store.iso(answered) if answered else None,
         store.iso(at + timedelta(seconds=10 + talk_s)), talk_s * 1000 if answered else None, outcome)).lastrowid or 0)


def played(office: Office, *rules: Rule, settings: Settings | None = None, days: int = 30) -> Rehearsal:
    return rehearsal.rehearse(office.db, office.box, rules or (MISSED,), settings or Settings(), TODAY, days)


def codes(found: Rehearsal) -> list[str]:
    return [line.code for line in found.refused]


def test_a_rehearsal_says_who_would_have_been_texted_with_what_and_what_it_costs(office: Office) -> None:
    call(office.db)
    call(office.db, OTHER, NOW + timedelta(minutes=5))
    with store.write(office.db):
        contacts.add(office.db, "Anna Petrova", [OTHER], office.box.country, NOW)
        office.db.execute("INSERT INTO sim (name, price, allowance) VALUES ('SIM', '0.09', 100)")
    found = played(office, replace(MISSED, text="Hello {name|there}: " + "x" * 150))
    assert [(line.number, line.name, line.segments, line.rule) for line in found.texted] == [
        (CALLER, "", 2, "missed"), (OTHER, "Anna Petrova", 2, "missed")]
    assert found.texted[1].text.startswith("Hello Anna Petrova: xxx")
    assert (found.calls, found.cost.texts, found.cost.segments) == (2, 2, 4)
    assert (found.cost.price, found.cost.left_after) == (Decimal("0.36"), 96)


def test_the_memory_is_made_of_the_rehearsed_texts_and_not_of_the_real_ones(office: Office) -> None:
    office.call(at=NOW - timedelta(minutes=5))
    assert office.states() == ["queued"], "a real text, to the same caller, shortly before"
    for minutes in (0, 30, 65):
        call(office.db, at=NOW + timedelta(minutes=minutes))
    found = played(office, replace(MISSED, delay_s=0))
    assert [line.at.minute for line in found.texted] == [55, 5]
    assert found.texted[1].at.astimezone(UTC) == NOW + timedelta(minutes=65)
    assert codes(found) == ["pause", "pause"]
    assert found.why_not == [("Not texted: they were texted shortly before.", 2)]


def test_each_reason_is_counted(office: Office) -> None:
    call(office.db, "+498912345679")
    call(office.db, "+498912345680")
    call(office.db, None, presentation="withheld")
    call(office.db, OTHER, outcome="busy")
    call(office.db, OTHER, outcome="answered", talk_s=60)
    call(office.db, OTHER, outcome="missed", direction="internal")
    found = played(office)
    assert found.why_not == [
        ("Not texted: a landline cannot take texts.", 2), ("Not texted: the caller withheld the number.", 1),
        ("Not texted: the caller heard that we are busy.", 1)]
    assert (found.calls, found.texted) == (5, ())


def test_who_was_called_back_before_the_text_would_have_gone_gets_none(office: Office) -> None:
    call(office.db)
    call(office.db, at=NOW + timedelta(seconds=30), direction="out", outcome="answered", talk_s=5)
    call(office.db, OTHER)
    call(office.db, OTHER, NOW + timedelta(seconds=100), outcome="answered", talk_s=5)
    found = played(office)
    assert codes(found) == ["called_back"]
    assert [line.number for line in found.texted] == [OTHER], "60 s after the call it had gone already"
    assert codes(played(office, replace(MISSED, delay_s=300))) == ["called_back", "came_through"]
    still_ringing = replace(MISSED, delay_s=95)
    assert codes(played(office, still_ringing)) == ["called_back"]


def test_the_three_a_day_and_the_breaker_hold_in_the_rehearsal(office: Office) -> None:
    for hour in range(4):
        call(office.db, at=NOW + timedelta(hours=2 * hour))
    assert codes(played(office)) == ["a_day"]
    assert codes(played(office, settings=Settings(texts_a_day=2))) == ["a_day", "a_day"]
    for caller in range(3):
        call(office.db, f"+4917055500{caller:02}", NOW + timedelta(hours=10))
    assert codes(played(office, settings=Settings(breaker_an_hour=2))) == ["a_day", "breaker"]


def test_quiet_hours_opt_outs_and_own_numbers_hold_in_the_rehearsal(office: Office) -> None:
    night = NOW.replace(hour=23)
    call(office.db, CALLER, night)
    call(office.db, OTHER, night)
    call(office.db, "+491510000001", night)
    office.opted_out(TODAY, OTHER)
    found = played(office)
    assert [line.due_at and line.due_at.isoformat() for line in found.texted] == ["2026-11-22T08:00:00+01:00"]
    assert codes(found) == ["opted_out", "own"]


def test_a_new_caller_is_new_in_the_first_call_ever_and_no_more(office: Office) -> None:
    long_ago = call(office.db, OTHER, NOW - timedelta(days=60))
    for number in (CALLER, OTHER):
        call(office.db, number)
        call(office.db, number, NOW + timedelta(hours=3))
    found = played(office, replace(MISSED, conditions=Conditions(groups=(NEW_CALLER,))))
    assert long_ago and [(line.number, line.at.astimezone(UTC)) for line in found.texted] == [(CALLER, NOW)]


def test_a_shop_closed_for_today_was_not_closed_all_month(office: Office) -> None:
    call(office.db)
    today = Settings(closed_until=store.iso(TODAY + timedelta(hours=3)))
    assert played(office, replace(MISSED, conditions=Conditions(when="open")), settings=today).texted


def test_a_box_without_internet_has_its_calls_rehearsed_and_one_of_1970_does_no_harm(office: Office) -> None:
    call(office.db)
    call(office.db, OTHER, at=datetime(1970, 1, 1, 0, 5, tzinfo=UTC))
    office.db.execute("UPDATE call SET is_clock_set = 0")
    assert [line.number for line in played(office).texted] == [CALLER]
    early = rehearsal.rehearse(office.db, office.box, [MISSED], Settings(), datetime(1970, 1, 1, 0, 9, tzinfo=UTC))
    assert (early.calls, early.texted) == (0, ())


def test_calls_before_the_days_asked_for_are_left_out(office: Office) -> None:
    call(office.db, at=TODAY - timedelta(days=6))
    call(office.db, OTHER, at=TODAY - timedelta(days=4))
    assert [line.number for line in played(office, days=5).texted] == [OTHER]
    assert len(played(office).texted) == 2


def test_the_first_rule_that_fits_wins_in_the_rehearsal_too(office: Office) -> None:
    call(office.db)
    found = played(office, replace(MISSED, key="no", text="", conditions=Conditions(trunks=("line1",))), MISSED)
    assert (found.texted, codes(found), found.refused[0].rule) == ((), ["no_text"], "no")


def test_what_was_rehearsed_is_what_really_happens(office: Office) -> None:
    """The same calls, once rehearsed and once for real, one after the other, give the same texts and reasons."""
    who = [f"+4917012345{number:02}" for number in range(17)] + ["+498912345679", "+491510000001"]
    with store.write(office.db):
        contacts.add(office.db, "Anna", [who[0]], office.box.country, NOW)
    office.opted_out(NOW - timedelta(days=1), who[1])
    strict = Settings(opening_hours="Mon-Sun 09:00-17:00", breaker_an_hour=3, texts_a_day=2, text_pause_min=240)
    rules = [Rule("", "Known", "Hello {name}", Conditions(groups=("known",)), True, 0),
             Rule("", "Closed", "{shop} is closed.", Conditions(outcomes=("missed",), when="after hours"), True, 5),
             Rule("", "New", "Welcome!", Conditions(outcomes=("missed",), groups=(NEW_CALLER,)), True, 0)]
    for place, rule in enumerate(rules, start=1):
        with store.write(office.db):
            rulebook.move(office.db, rulebook.save(office.db, rule, NOW, ("line1",)).key, place, NOW)
    for step in range(260):
        at = NOW + timedelta(minutes=11 * step)
        while outbox.next_due(office.db, SIM, at):
            office.sent(step % 256, at)
        office.call(who[step * step % 101 % len(who)], at, ("missed", "missed", "busy", "answered")[step * 7 % 9 % 4],
                    settings=strict)
    real = [tuple(row) for row in office.db.execute("""
        SELECT call_id, rule, text FROM sms WHERE state <> 'cancelled' ORDER BY call_id""")]
    refused = {row["call_id"]: row["reason"] for row in office.db.execute("""
        SELECT call_id, reason FROM refusal UNION ALL SELECT call_id, reason FROM sms WHERE state = 'cancelled'""")}
    assert len(real) > 40 and {text for _, _, text in real} > {"Hello Anna", "Welcome!", "Our shop is closed."}
    assert guards.BACKS[guards.Back.CAME_THROUGH].reason in refused.values() and len(set(refused.values())) > 9
    found = rehearsal.rehearse(office.db, office.box, rulebook.rules(office.db), strict, NOW + timedelta(days=9))
    assert [(line.call_id, line.rule, line.text) for line in found.texted] == real
    assert {line.call_id: line.reason for line in found.refused} == refused


@pytest.mark.deep
def test_ten_thousand_calls_are_rehearsed_in_two_seconds_and_nothing_is_written(office: Office) -> None:
    with store.write(office.db):
        for number in range(10_000):
            call(office.db, f"+49170{1000000 + number * 7 % 6000:07}", NOW - timedelta(minutes=2 * (10_000 - number)),
                 ("missed", "answered", "busy", "missed")[number % 4], talk_s=30)
    before, changes = store.data_version(office.db), office.db.total_changes
    rules = [MISSED, replace(MISSED, key="b", conditions=Conditions(answered=True, talk_longer_s=20))]
    began = time.process_time()          # others use this machine too
    found = played(office, *rules)
    took_s = time.process_time() - began
    assert found.calls > 10_000 - 10 and len(found.texted) > 1000
    assert (store.data_version(office.db), office.db.total_changes, office.states()) == (before, changes, [])
    assert took_s < 2, f"{took_s:.2f} s"


# -- on the command line

@pytest.fixture
def box(box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Box:
    path = tmp_path / "box.toml"
    path.write_text(f'state = "{box.state}"\n[[trunk]]\nkey = "line1"\nname = "Line 1"\ngateway = "127.0.0.1:5070"\n'
                    '[[modem]]\nname = "SIM"\nport = "/dev/null"\n')
    monkeypatch.setenv("DESKBELL_CONFIG", str(path))
    return replace(box, modems=(Modem("SIM", "/dev/null"),))


def test_the_rules_are_listed_in_their_order(
        box: Box, db: sqlite3.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    with store.write(db):
        rulebook.save(db, Rule("", "Suppliers", "", Conditions(answered=False), False), NOW, ("line1",))
    assert config.load().modems and cli.main(["rule", "list"]) == 0
    assert capsys.readouterr().out == """\
1. Missed call (missed), on
   {"direction": "in", "outcomes": ["missed"]}
   after 15 s, dropped after 15 min: {shop}: sorry we missed your call. We will ring you back soon.
2. Suppliers (rule-2), off
   {"direction": "in", "answered": false}
   after 15 s, dropped after 15 min: (no text: such calls get none)
"""
    assert cli.main(["rule", "list", "--json"]) == 0
    assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == ["missed", "rule-2"]


def test_a_switched_off_rule_is_rehearsed_as_if_it_were_on(
        box: Box, db: sqlite3.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    noon = datetime.now(UTC).replace(hour=11, minute=0) - timedelta(days=2)
    with store.write(db):
        rulebook.switch(db, "missed", False, NOW)
        call(db, at=noon)
        call(db, "+498912345679", at=noon)
        db.execute("INSERT INTO sim (name, price) VALUES ('SIM', '0.09')")
    assert cli.main(["rule", "rehearse"]) == 0
    assert "Of 2 calls in 30 days, 0 would have been texted: 0 segments, 0.00 in all. Nothing was sent." in \
        capsys.readouterr().out
    assert cli.main(["rule", "rehearse", "missed", "--days", "3"]) == 0
    told = capsys.readouterr().out
    assert "0170 1234567  1 segment  Our shop: sorry we missed your call." in told
    assert "Of 2 calls in 3 days, 1 would have been texted: 1 segment, 0.09 in all. Nothing was sent." in told
    assert "1  Not texted: a landline cannot take texts." in told
    assert cli.main(["rule", "rehearse", "missed", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("code") for line in lines] == ["", "landline", None] and lines[-1]["segments"] == 1
    assert not db.execute("SELECT 1 FROM sms").fetchone()


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["nobody"], "deskbell: There is no rule 'nobody'. `deskbell rule list` shows their keys.\n"),
    (["--days", "0"], "deskbell: --days goes from 1 to 366.\n")])
@pytest.mark.usefixtures("box", "db")
def test_a_rehearsal_that_cannot_be_is_refused_in_words(
        arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rule", "rehearse", *arguments]) == 2
    assert capsys.readouterr().err == sentence
