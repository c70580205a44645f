"""Calls and texts for the tests of the statistics, as a table a person can count."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from appliance.calls import periods
from appliance.store import db as store

BERLIN, KOLKATA, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")
NUMBERS = {"Ann": "+4915123456701", "Ben": "+4915123456702", "Cem": "+4915123456703", "-": None}
#      at (Berlin)        way  who line  ext  rang  talk  outcome
WEEK = """
    2026-11-16 09:05:00  in   Ann line1 101  4.0   120   answered
    2026-11-16 09:20:00  in   Ben line1 102  20.0  60    answered
    2026-11-16 09:40:00  in   Cem line2 101  20.1  180   answered
    2026-11-16 10:00:00  in   Ann line1 -    4.9   -     missed
    2026-11-16 10:10:00  in   Ann line1 -    5.0   -     missed
    2026-11-16 10:20:00  in   -   line1 -    31.0  -     abandoned
    2026-11-17 23:50:00  in   Ben line2 -    12.0  -     busy
    2026-11-18 00:10:00  in   Ben line2 -    0.0   -     blocked
    2026-11-18 11:00:00  out  Cem line1 101  9.0   30    answered
    2026-11-18 11:05:00  out  Cem line1 102  25.0  -     missed
"""


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def add(db: sqlite3.Connection, started: datetime, direction: str = "in", number: str | None = NUMBERS["Ann"],
        trunk: str = "line1", extension: str | None = None, ring_s: float = 10, talk_s: float | None = None,
        outcome: str | None = "missed") -> int:
    answered = started + timedelta(seconds=ring_s) if talk_s is not None else None
    ended = started + timedelta(seconds=ring_s + (talk_s or 0))
    with store.write(db):
        return int(db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, extension,
                              started_at, answered_at, ended_at, ring_ms, talk_ms, outcome, is_clock_set)
            VALUES ('box1', 1, (SELECT coalesce(max(id), 0) + 1 FROM call), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)""",
            (trunk, direction, number or "", number, "allowed" if number else "withheld", extension, store.iso(started),
             store.iso(answered) if answered else None, store.iso(ended) if outcome else None,
             round(ring_s * 1000) if outcome else None, round(talk_s * 1000) if talk_s is not None else None,
             outcome)).lastrowid or 0)


def fill(db: sqlite3.Connection, table: str) -> None:
    for line in table.strip().splitlines():
        day, clock, way, who, trunk, extension, rang, talk, outcome = line.split()
        add(db, at(f"{day} {clock}"), way, NUMBERS[who], trunk, None if extension == "-" else extension, float(rang),
            None if talk == "-" else float(talk), outcome)


def week_of(day: str) -> tuple[datetime, datetime]:
    monday = date.fromisoformat(day)
    return periods.begins(monday, BERLIN), periods.begins(monday + timedelta(days=7), BERLIN)


def text(db: sqlite3.Connection, moment: datetime, direction: str = "out", call_id: int | None = None,
         state: str = "sent", number: str | None = NUMBERS["Ann"]) -> int:
    when = store.iso(moment)
    with store.write(db):
        return int(db.execute("""
            INSERT INTO sms (direction, number, text, state, call_id, created_at, due_at, sent_at, updated_at)
            VALUES (?, ?, 'words', ?, ?, ?, ?, ?, ?)""",
            (direction, number, state if direction == "out" else "received", call_id, when, when,
             when if direction == "out" and state != "queued" else None, when)).lastrowid or 0)
