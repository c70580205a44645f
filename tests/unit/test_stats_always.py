"""Statistics: the figures beside the calls equal a count of the calls, whoever wrote, corrected or deleted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.calls import stats
from appliance.config import Box
from appliance.store import db as store
from tests.unit.figures import NUMBERS, WEEK, add, at, fill, text

STARTS = st.datetimes(datetime(2025, 12, 31, 20), datetime(2026, 1, 3)).map(lambda moment: moment.replace(
    microsecond=0, tzinfo=UTC))
WHO = st.sampled_from([*NUMBERS.values()])
CALLS = st.fixed_dictionaries({
    "started": STARTS, "direction": st.sampled_from(["in", "in", "out", "internal"]), "number": WHO,
    "trunk": st.sampled_from(["line1", "line2"]), "extension": st.sampled_from([None, "101"]),
    "ring_s": st.sampled_from([0, 1.9, 2, 4.999, 5, 5.001, 19, 20, 20.001, 120, 121]),
    "talk_s": st.sampled_from([None, None, 61.5]),
    "outcome": st.sampled_from([None, "answered", "missed", "missed", "abandoned", "busy", "blocked", "interrupted"])})
CHANGES = st.tuples(st.just("change"), st.integers(0, 9), st.one_of(
    st.tuples(st.just("started_at"), STARTS.map(store.iso)), st.tuples(st.just("number"), WHO),
    st.tuples(st.just("trunk"), st.sampled_from([None, "line1", "sim1"])),
    st.tuples(st.just("disposition"), st.sampled_from([None, "Price"])),
    st.tuples(st.just("ring_ms"), st.sampled_from([None, 0, 4999, 5000, 20000])),
    st.tuples(st.just("direction"), st.sampled_from(["in", "out", "internal"])),
    st.tuples(st.just("mark"), st.sampled_from(["good", None]))))
DONE = st.one_of(
    st.tuples(st.just("add"), CALLS), CHANGES, st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("end"), st.integers(0, 9)), st.tuples(st.just("shift"), st.integers(-5000, 5000)),
    st.tuples(st.just("forget"), WHO),
    st.tuples(st.just("text"), STARTS, st.sampled_from(["in", "out"]), WHO))


def nth(db: sqlite3.Connection, place: int) -> int:
    row = db.execute("SELECT id FROM call ORDER BY id LIMIT 1 OFFSET ?", (place,)).fetchone()
    return int(row[0]) if row else 0


def do(db: sqlite3.Connection, done: tuple[Any, ...]) -> None:
    if done[0] == "add":
        add(db, **done[1])
        return
    if done[0] == "text":
        if done[3]:
            text(db, done[1], done[2], number=done[3])
        return
    with store.write(db):
        if done[0] == "change":
            db.execute(f"UPDATE call SET {done[2][0]} = ? WHERE id = ?", (done[2][1], nth(db, done[1])))
        elif done[0] == "delete":
            db.execute("DELETE FROM call WHERE id = ?", (nth(db, done[1]),))
        elif done[0] == "end":
            db.execute("UPDATE call SET ended_at = started_at, outcome = 'missed', ring_ms = 3000 "
                       "WHERE id = ? AND ended_at IS NULL", (nth(db, done[1]),))
        elif done[0] == "shift":                # a box without a clock learns the time: its rows are corrected
            db.execute("UPDATE call SET started_at = strftime('%Y-%m-%dT%H:%M:%fZ', started_at, ?), is_clock_set = 1",
                       (f"{done[1]} seconds",))
        elif done[0] == "forget":
            db.execute("DELETE FROM call WHERE number = ?", (done[1],))
            db.execute("DELETE FROM sms WHERE number = ?", (done[1],))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DONE, min_size=1, max_size=25))
def test_whatever_is_added_corrected_or_deleted_the_figures_equal_the_calls(
        db: sqlite3.Connection, everything: list[tuple[Any, ...]]) -> None:
    with store.write(db):
        db.execute("DELETE FROM call")
        db.execute("DELETE FROM sms")
    for done in everything:
        do(db, done)
    assert kept(db) == counted(db)
    assert first_calls(db) == {row["number"]: (row["call_id"], row["is_new"]) for row in
                               db.execute("SELECT * FROM caller")}
    assert came_back(db) == {row["sms_id"]: row["how"] for row in db.execute("SELECT * FROM text_echo")}
    years = Counter((int(row["started_at"][:4]), row["number"]) for row in db.execute(
        "SELECT * FROM call WHERE ended_at IS NOT NULL AND direction = 'in' AND outcome <> 'blocked' "
        "AND number IS NOT NULL"))
    assert years == {(row["year"], row["number"]): row["calls"] for row in db.execute("SELECT * FROM caller_year")}


@pytest.mark.parametrize(("column", "value"), [
    ("number", None), ("number", NUMBERS["Ben"]), ("started_at", "2026-11-17T10:00:00.000Z"), ("trunk", "line2"),
    ("extension", "102"), ("disposition", "Price"), ("ring_ms", 30_000), ("talk_ms", 1), ("outcome", "interrupted"),
    ("answered_at", None), ("direction", "out"), ("direction", "internal"), ("mark", "good")])
def test_a_call_that_is_corrected_after_its_end_is_counted_as_it_is_now(
        db: sqlite3.Connection, column: str, value: object) -> None:
    call_id = add(db, at("2026-11-16 09:00:00"), extension="101", talk_s=60, outcome="answered")
    with store.write(db):
        db.execute(f"UPDATE call SET {column} = ? WHERE id = ?", (value, call_id))
    assert kept(db) == counted(db)
    assert {row["number"]: row["calls"] for row in db.execute("SELECT * FROM caller_year")} == (
        {} if value in (None, "out", "internal") and column in ("number", "direction") else
        {value if column == "number" else NUMBERS["Ann"]: 1})


def kept(db: sqlite3.Connection) -> dict[tuple[object, ...], Counter[str]]:
    return {tuple(row)[:4]: Counter({column: row[column] for column in ("rows", *stats.COLUMNS) if row[column]})
            for row in db.execute("SELECT * FROM call_tally")}


def counted(db: sqlite3.Connection) -> dict[tuple[object, ...], Counter[str]]:
    """The same counted call by call, in another language."""
    found: dict[tuple[object, ...], Counter[str]] = {}
    for row in db.execute("SELECT * FROM call WHERE ended_at IS NOT NULL AND direction <> 'internal'"):
        its: Counter[str] = Counter(rows=1)
        came_in, outcome, ring = row["direction"] == "in", row["outcome"], row["ring_ms"]
        if came_in and outcome == "blocked":
            its["blocked"] += 1
        elif came_in:
            its["calls"] += 1
            its["withheld"] += row["number"] is None
            if outcome in ("missed", "abandoned", "voicemail"):
                its[outcome] += 1
            if row["answered_at"] and outcome in ("answered", "interrupted"):
                its.update({"answered": 1, "wait_ms": ring or 0, "talk_ms": row["talk_ms"] or 0})
                its.update({f"answered_{s}": 1 for s in stats.WITHIN_S if ring is not None and ring <= 1000 * s})
            if outcome in ("missed", "abandoned"):
                its.update({f"lost_{s}": 1 for s in stats.UNDER_S if ring is not None and ring < 1000 * s})
        else:
            its["outgoing"] += 1
            if row["answered_at"]:
                its.update({"outgoing_answered": 1, "outgoing_talk_ms": row["talk_ms"] or 0})
        started = int(store.parse_time(row["started_at"]).timestamp())
        for kind, key in (("all", ""), ("line", row["trunk"]), ("extension", row["extension"]),
                          ("disposition", row["disposition"])):
            for span_s in (900, 86400):
                if key is not None:
                    place = (kind, key, span_s, started - started % span_s)
                    found[place] = found.get(place, Counter()) + its
    return found


def first_calls(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for row in db.execute("SELECT * FROM call WHERE number IS NOT NULL AND direction <> 'internal' "
                          "ORDER BY started_at, id"):
        found.setdefault(row["number"], (row["id"], int(row["direction"] == "in")))
    return found


def came_back(db: sqlite3.Connection) -> dict[int, str | None]:
    events = [(store.parse_time(row[0]), row[1], row[2]) for row in db.execute("""
        SELECT created_at, number, 'replied' FROM sms WHERE direction = 'in'
        UNION ALL SELECT started_at, number, 'rang' FROM call WHERE direction = 'in' AND number IS NOT NULL""")]
    found: dict[int, str | None] = {}
    for row in db.execute("SELECT * FROM sms WHERE direction = 'out' AND sent_at IS NOT NULL"):
        sent = store.parse_time(row["sent_at"])
        after = sorted(event for event in events if event[1] == row["number"]
                       and sent <= event[0] <= sent + timedelta(hours=1))
        found[row["id"]] = after[0][2] if after else None
    return found


def test_a_store_from_before_the_statistics_has_its_figures_after_the_upgrade(box: Box, db: sqlite3.Connection) -> None:
    fill(db, WEEK)
    text(db, at("2026-11-16 10:01:00"), call_id=4)
    text(db, at("2026-11-16 10:30:00"), "in")
    before = {name: db.execute(f"SELECT * FROM {name}").fetchall()
              for name in ("call_tally", "caller", "caller_year", "text_echo")}
    with store.write(db):
        for name in before:
            db.execute(f"DELETE FROM {name}")
        for statement in (store.SCHEMA / "0007_statistics.sql").read_text().split("-- What there was before.")[1].split(
                ";\n"):
            db.execute(statement)
    for name, rows in before.items():
        assert sorted(map(tuple, db.execute(f"SELECT * FROM {name}").fetchall())) == sorted(map(tuple, rows)) and rows
