"""Statistics: what a week of calls comes to, on every clock; periods, callers, texts and the week's slip."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appliance.calls import callers, owed, periods, saved, service_level, stats
from appliance.calls.stats import ALL, Scope
from appliance.people import contacts
from appliance.store import db as store
from tests.unit.figures import BERLIN, KOLKATA, LORD_HOWE, NUMBERS, WEEK, add, at, fill, text, week_of

# --- what a week comes to ---


def test_a_week_of_calls_comes_to_what_a_person_would_count(db: sqlite3.Connection) -> None:
    fill(db, WEEK)
    its = stats.total(db, ALL, *week_of("2026-11-16"))
    assert (its.calls, its.answered, its.missed, its.abandoned, its.otherwise) == (7, 3, 2, 1, 1)
    assert (its.blocked, its.withheld, its.outgoing, its.outgoing_answered) == (1, 1, 2, 1)
    assert its.mean_wait_ms == 14_700 and its.mean_talk_ms == 120_000
    assert its.answered_within[5] == 1 and its.answered_within[20] == 2 and its.answered_within[30] == 3
    assert its.lost_under[5] == 1 and its.lost_under[10] == 2 and its.lost_under[45] == 3


def test_the_service_level_leaves_out_who_hung_up_at_once(db: sqlite3.Connection) -> None:
    fill(db, WEEK)
    level = service_level.of(stats.total(db, ALL, *week_of("2026-11-16")), 20, 5)
    assert (level.in_time, level.calls, level.quick) == (2, 7, 1) and level.share == 2 / 6
    assert level.abandonment == 2 / 6                       # three were lost, one of them at once
    assert level.of_answered == 2 / 3                       # Asterisk's ServicelevelPerf
    assert level.with_lost == (2 + 2) / (3 + 3)             # and ServicelevelPerf2
    everybody = service_level.of(stats.total(db, ALL, *week_of("2026-11-16")), 20, 0)
    assert everybody.quick == 0 and everybody.share == 2 / 7


def test_a_time_without_calls_has_no_share_and_no_mean(db: sqlite3.Connection) -> None:
    its = stats.total(db, ALL, *week_of("2026-11-16"))
    level = service_level.of(its, 20, 5)
    assert its.calls == 0 and its.mean_wait_ms is None and its.mean_talk_ms is None
    assert (level.share, level.abandonment, level.of_answered, level.with_lost) == (None, None, None, None)


def test_each_line_and_extension_has_its_own_figures(db: sqlite3.Connection) -> None:
    fill(db, WEEK)
    lines = stats.each(db, "line", *week_of("2026-11-16"))
    assert {key: (its.calls, its.answered, its.outgoing) for key, its in lines.items()} == {
        "line1": (5, 2, 2), "line2": (2, 1, 0)}
    phones = stats.each(db, "extension", *week_of("2026-11-16"))
    assert {key: (its.answered, its.outgoing) for key, its in phones.items()} == {"101": (2, 1), "102": (1, 1)}
    assert stats.total(db, Scope("line", "line2"), *week_of("2026-11-16")).answered == 1
    assert stats.total(db, Scope("line", "nothing"), *week_of("2026-11-16")).calls == 0


def test_a_mark_of_what_it_was_about_counts_at_once_and_can_change(db: sqlite3.Connection) -> None:
    call_id = add(db, at("2026-11-16 09:00:00"), talk_s=5, outcome="answered")
    for reason, expected in (("Price", {"Price": 1}), ("Ordered", {"Ordered": 1}), (None, {})):
        with store.write(db):
            db.execute("UPDATE call SET disposition = ? WHERE id = ?", (reason, call_id))
        found = stats.each(db, "disposition", *week_of("2026-11-16"))
        assert {key: its.calls for key, its in found.items()} == expected


def test_a_call_that_still_lives_is_not_counted(db: sqlite3.Connection) -> None:
    add(db, at("2026-11-16 09:00:00"), outcome=None)
    assert stats.total(db, ALL, *week_of("2026-11-16")).calls == 0


def test_the_hours_of_the_week_are_those_of_the_shop(db: sqlite3.Connection) -> None:
    fill(db, WEEK)
    week = stats.week(db, ALL, *week_of("2026-11-16"), BERLIN)
    found = {(day, hour): (bar.calls, bar.lost) for day, row in enumerate(week) for hour, bar in enumerate(row)
             if bar.calls}
    assert found == {(0, 9): (3, 0), (0, 10): (3, 3), (1, 23): (1, 0)}


# --- the nights the clock is changed ---


@pytest.mark.parametrize(("night", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-21", 24)])
def test_a_day_has_as_many_bars_as_hours(night: str, hours: int) -> None:
    day = date.fromisoformat(night)
    kind, edges = periods.edges(periods.between(day, day), BERLIN)
    assert kind == "hour" and len(edges) - 1 == hours
    assert edges[0] == periods.begins(day, BERLIN) and edges[-1] == periods.begins(day + timedelta(days=1), BERLIN)


def test_the_hour_that_comes_twice_in_autumn_is_one_square_and_two_bars(db: sqlite3.Connection) -> None:
    for moment in ("2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"):       # 02:30 and 02:30 in Berlin
        add(db, datetime.fromisoformat(moment))
    day = date(2026, 10, 25)
    since, until = periods.begins(day, BERLIN), periods.begins(day + timedelta(days=1), BERLIN)
    assert stats.week(db, ALL, since, until, BERLIN)[6][2].calls == 2
    bars = stats.bars(db, ALL, periods.edges(periods.between(day, day), BERLIN)[1])
    assert [bar.calls for bar in bars][:5] == [0, 0, 1, 1, 0]


def test_calls_about_midnight_are_on_their_day_before_and_after_the_clock_is_changed(db: sqlite3.Connection) -> None:
    for moment in ("2026-10-24 23:59:00", "2026-10-25 00:01:00", "2026-10-25 23:59:00", "2026-10-26 00:01:00"):
        add(db, at(moment))
    _, edges = periods.edges(periods.between(date(2026, 10, 23), date(2026, 10, 27)), BERLIN)
    assert [bar.calls for bar in stats.bars(db, ALL, edges)] == [0, 1, 2, 1, 0]


@pytest.mark.parametrize("zone", [KOLKATA, LORD_HOWE, BERLIN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Santiago")])
def test_every_zone_has_its_own_midnight(db: sqlite3.Connection, zone: ZoneInfo) -> None:
    day = date(2026, 11, 18)
    start = periods.begins(day, zone)
    add(db, start - timedelta(seconds=1))
    add(db, start)
    add(db, start + timedelta(hours=9, minutes=59))
    add(db, start + timedelta(days=1))
    its = stats.total(db, ALL, start, periods.begins(day + timedelta(days=1), zone))
    row = stats.week(db, ALL, start, periods.begins(day + timedelta(days=1), zone), zone)[2]
    assert its.calls == 2 and {hour: bar.calls for hour, bar in enumerate(row) if bar.calls} == {0: 1, 9: 1}


def test_a_year_of_bars_and_its_heat_map_hold_every_call_once(db: sqlite3.Connection) -> None:
    chance = random.Random(4)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(200):
        add(db, start + timedelta(minutes=chance.randrange(365 * 1440)))
    for zone in (BERLIN, KOLKATA, LORD_HOWE):
        for first, last in ((date(2026, 1, 1), date(2026, 12, 31)), (date(2026, 3, 2), date(2026, 7, 9)),
                            (date(2026, 9, 20), date(2026, 11, 2)), (date(2026, 10, 3), date(2026, 10, 5))):
            _, edges = periods.edges(periods.between(first, last), zone)
            its = stats.total(db, ALL, edges[0], edges[-1])
            raw = db.execute("SELECT count(*) FROM call WHERE started_at >= ? AND started_at < ?",
                             (store.iso(edges[0]), store.iso(edges[-1]))).fetchone()[0]
            week = stats.week(db, ALL, edges[0], edges[-1], zone)
            assert its.calls == raw == sum(bar.calls for bar in stats.bars(db, ALL, edges))
            assert raw == sum(bar.calls for row in week for bar in row)


# --- periods ---


@pytest.mark.parametrize(("name", "today", "expected"), [
    ("today", "2026-11-18", "2026-11-18 2026-11-18 2026-11-11 2026-11-11"),
    ("yesterday", "2026-11-18", "2026-11-17 2026-11-17 2026-11-10 2026-11-10"),
    ("week", "2026-11-18", "2026-11-16 2026-11-18 2026-11-09 2026-11-11"),
    ("last-week", "2026-11-18", "2026-11-09 2026-11-15 2026-11-02 2026-11-08"),
    ("fortnight", "2026-11-15", "2026-11-02 2026-11-15 2026-10-19 2026-11-01"),
    ("month", "2026-03-30", "2026-03-01 2026-03-30 2026-02-01 2026-02-28"),
    ("last-month", "2026-03-30", "2026-02-01 2026-02-28 2026-01-01 2026-01-31"),
    ("last-month", "2026-01-05", "2025-12-01 2025-12-31 2025-11-01 2025-11-30"),
    ("year", "2028-02-29", "2028-01-01 2028-02-29 2027-01-01 2027-02-28"),
])
def test_a_period_is_measured_against_the_one_before(name: str, today: str, expected: str) -> None:
    it = periods.named(name, date.fromisoformat(today))
    assert f"{it.first} {it.last} {it.first_before} {it.last_before}" == expected


def test_days_that_make_no_period_are_refused() -> None:
    for first, last in (("2026-11-18", "2026-11-17"), ("1969-01-01", "1969-01-02"), ("2000-01-01", "2026-01-01")):
        with pytest.raises(periods.PeriodError):
            periods.between(date.fromisoformat(first), date.fromisoformat(last))
    with pytest.raises(periods.PeriodError):
        periods.named("century", date(2026, 11, 18))


# --- callers ---


def test_the_most_frequent_callers_of_a_long_time_are_the_same_however_they_are_found(db: sqlite3.Connection) -> None:
    chance = random.Random(2)
    start = datetime(2024, 6, 1, tzinfo=UTC)
    for _ in range(600):
        place = min(int(chance.expovariate(1 / 8)), 60)
        add(db, start + timedelta(minutes=chance.randrange(800 * 1440)), chance.choice(("in", "in", "out")),
            f"+49151000000{place:02d}", chance.choice(("line1", "line2")),
            outcome=chance.choice(("missed", "missed", "blocked")))
    for first, last in (("2025-01-01", "2025-12-31"), ("2024-06-01", "2026-08-01"), ("2025-03-05", "2026-02-11")):
        since, until = at(first), at(last) + timedelta(days=1)
        found = callers.most(db, ALL, since, until)
        counted = callers._counted(db, ALL, since, until, 8)
        assert [one.calls for one in found] == [calls for _, calls in counted] and found
        every = dict(callers._counted(db, ALL, since, until, 100))
        assert all(every[one.number] == one.calls for one in found)
    since, until = at("2025-03-05"), at("2025-04-01")
    assert sum(one.calls for one in callers.most(db, Scope("line", "line2"), since, until, 100)) < sum(
        one.calls for one in callers.most(db, ALL, since, until, 100))


def test_who_had_a_card_or_a_call_before_is_no_new_caller(db: sqlite3.Connection) -> None:
    with store.write(db):
        contacts.add(db, "Ben", ["+4915123456702"], "DE", at("2026-11-01 00:00:00"))
    add(db, at("2026-11-16 09:00:00"), number=NUMBERS["Ann"])
    add(db, at("2026-11-16 10:00:00"), number=NUMBERS["Ann"])
    add(db, at("2026-11-16 11:00:00"), number=NUMBERS["Ben"])
    add(db, at("2026-11-16 12:00:00"), "out", number=NUMBERS["Cem"])
    add(db, at("2026-11-16 13:00:00"), number=NUMBERS["Cem"])
    assert callers.new(db, ALL, *week_of("2026-11-16")) == 1
    assert callers.new(db, Scope("line", "line1"), *week_of("2026-11-16")) == 1
    assert callers.new(db, Scope("line", "line2"), *week_of("2026-11-16")) == 0


def test_an_earlier_call_that_is_deleted_makes_the_next_one_the_first(db: sqlite3.Connection) -> None:
    first = add(db, at("2026-11-09 09:00:00"))
    add(db, at("2026-11-16 10:00:00"))
    assert callers.new(db, ALL, *week_of("2026-11-16")) == 0
    with store.write(db):
        db.execute("DELETE FROM call WHERE id = ?", (first,))
    assert callers.new(db, ALL, *week_of("2026-11-16")) == 1


# --- texts and what came back ---


def test_a_reply_or_a_ring_within_the_hour_comes_back_of_a_text(db: sqlite3.Connection) -> None:
    nine = at("2026-11-16 09:00:00")
    for place, (minutes, what) in enumerate(((59, "in"), (60, "call"), (61, "in"), (-1, "in"))):
        number = f"+4915199999{place:03d}"
        text(db, nine, number=number, call_id=add(db, nine - timedelta(minutes=5), number=number))
        moment = nine + timedelta(minutes=minutes)
        text(db, moment, "in", number=number) if what == "in" else add(db, moment, number=number)
    found = callers.echoes(db, *week_of("2026-11-16"))["call"]
    assert (found.sent, found.replied, found.rang) == (4, 1, 1)


def test_a_text_counts_once_it_is_sent_and_the_first_thing_that_comes_back_decides(db: sqlite3.Connection) -> None:
    nine = at("2026-11-16 09:00:00")
    sms_id = text(db, nine, state="queued")
    assert callers.echoes(db, *week_of("2026-11-16")) == {}
    with store.write(db):
        db.execute("UPDATE sms SET state = 'sent', sent_at = ? WHERE id = ?", (store.iso(nine), sms_id))
    call_id = add(db, nine + timedelta(minutes=10))
    text(db, nine + timedelta(minutes=20), "in")
    found = callers.echoes(db, *week_of("2026-11-16"))["person"]
    assert (found.sent, found.replied, found.rang) == (1, 0, 1)
    with store.write(db):
        db.execute("DELETE FROM call WHERE id = ?", (call_id,))
    assert callers.echoes(db, *week_of("2026-11-16"))["person"].replied == 1
    with store.write(db):
        db.execute("UPDATE sms SET state = 'failed' WHERE id = ?", (sms_id,))
    assert callers.echoes(db, *week_of("2026-11-16")) == {}


# --- the week's slip ---


def test_the_slip_says_who_was_missed_texted_saved_and_is_still_owed(db: sqlite3.Connection) -> None:
    monday = at("2026-11-16 09:00:00")
    with store.write(db):
        contacts.add(db, "Ben", ["+4915123456702", "+4930123456"], "DE", monday)
    ann, ben, cem = (add(db, monday, number=NUMBERS[who]) for who in ("Ann", "Ben", "Cem"))
    add(db, monday + timedelta(minutes=1), number="+4930123456")                # Ben again, from his other number
    add(db, monday, number=None)
    for call_id, who in ((ann, "Ann"), (ben, "Ben")):
        text(db, monday + timedelta(minutes=2), call_id=call_id, number=NUMBERS[who])
    add(db, monday + timedelta(minutes=30), number=NUMBERS["Ann"], talk_s=60, outcome="answered")
    slip = saved.slip(db, date(2026, 11, 16), BERLIN)
    assert (len(slip.missed), slip.texted, slip.saved, slip.owed, slip.withheld) == (3, 2, 1, 2, 1)
    assert {one.name or one.number: (one.times, one.is_texted, one.how, one.is_owed) for one in slip.missed} == {
        NUMBERS["Ann"]: (1, True, "rang", False), "Ben": (2, True, None, True), NUMBERS["Cem"]: (1, False, None, True)}
    assert cem in [one.call_id for one in slip.missed]
    assert saved.slip(db, date(2026, 11, 9), BERLIN).missed == []


def test_the_slip_and_today_agree_on_who_is_owed(db: sqlite3.Connection) -> None:
    chance, monday = random.Random(7), at("2026-11-16 00:00:00")
    with store.write(db):
        contacts.add(db, "Two numbers", ["+4915112300000", "+4915112300001"], "DE", monday)
        blocked = contacts.add(db, "Blocked", ["+4915112300002"], "DE", monday)
        db.execute("UPDATE contact SET is_blocked = 1 WHERE id = ?", (blocked,))
    for _ in range(150):
        moment = monday + timedelta(minutes=chance.randrange(7 * 1440 - 5))
        number = f"+4915112300{chance.randrange(40):03d}"
        kind = chance.random()
        if kind < 0.7:
            add(db, moment, number=number, outcome=chance.choice(("missed", "abandoned", "busy")))
        elif kind < 0.85:
            add(db, moment, chance.choice(("in", "out")), number=number, talk_s=9, outcome="answered")
        elif kind < 0.93:
            with store.write(db):
                db.execute("""
                    INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at, priority)
                    VALUES ('out', ?1, 'words', ?2, ?3, ?3, ?3, 5)""",
                    (number, chance.choice(("sent", "failed")), store.iso(moment)))
        else:
            with store.write(db):
                db.execute("INSERT OR REPLACE INTO settled (number, at, by_user) VALUES (?, ?, 'Amy')",
                           (number, store.iso(moment)))
    theirs = {one.number for one in owed.owed(db, monday)}
    ours = {one.number for one in saved.slip(db, date(2026, 11, 16), BERLIN).missed if one.is_owed}
    assert ours == theirs and len(ours) > 5
