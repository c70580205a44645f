"""The slow work on the disk: what nobody needs is let go, at its time."""
from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest

from appliance.box import clock
from appliance.box.clock import Clock
from appliance.box.notify import Notify
from appliance.config import Box
from appliance.store import db as store

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)


def add_session(db: sqlite3.Connection, token: str, seen_at: datetime) -> None:
    with store.write(db):
        db.execute("INSERT OR IGNORE INTO user (id, name, password_hash, created_at) VALUES (1, 'anna', 'x', ?)",
                   (store.iso(NOW),))
        db.execute("INSERT INTO session (token_hash, user_id, csrf, created_at, seen_at) VALUES (?, 1, 'csrf', ?, ?)",
                   (token, store.iso(seen_at), store.iso(seen_at)))


def sessions(db: sqlite3.Connection) -> list[str]:
    return [row["token_hash"] for row in db.execute("SELECT token_hash FROM session ORDER BY token_hash")]


def test_a_session_that_nobody_used_for_a_month_is_let_go(db: sqlite3.Connection) -> None:
    add_session(db, "fresh", NOW - timedelta(days=29))
    add_session(db, "old", NOW - timedelta(days=31))
    assert clock.forget_sessions(db, NOW) == 1
    assert sessions(db) == ["fresh"]


def test_an_event_that_no_browser_asks_for_any_more_is_let_go_and_its_id_not_used_again(
        db: sqlite3.Connection) -> None:
    with store.write(db):
        for days in (8, 6):
            db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (store.iso(NOW - timedelta(days=days)),))
    assert clock.forget_events(db, NOW) == 1
    assert [row["id"] for row in db.execute("SELECT id FROM event")] == [2]


def test_the_hourly_work_does_all_of_it(box: Box, db: sqlite3.Connection) -> None:
    add_session(db, "old", datetime.now(UTC) - timedelta(days=31))
    Clock(box).hourly()
    assert sessions(db) == []


def test_a_store_that_cannot_be_read_is_said_and_tried_again(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    box.store.write_bytes(b"garbage, not a store\n" * 99)
    idle = Clock(box)
    idle.hourly()
    assert "it is tried again in an hour" in caplog.text
    assert not idle.is_stuck(), "a task that failed is not one that hangs"


def test_the_clock_works_at_its_start_and_stops_when_told(box: Box, db: sqlite3.Connection) -> None:
    add_session(db, "old", datetime.now(UTC) - timedelta(days=31))
    stop = threading.Event()
    running = threading.Thread(target=clock.run, args=(box, stop, Notify("")))
    seen = store.data_version(db)
    running.start()
    while sessions(db) and running.is_alive():
        seen = store.wait_for_change(db, seen, timeout_s=5)
    stop.set()
    running.join(5)
    assert not running.is_alive() and sessions(db) == []
