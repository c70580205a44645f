"""Promised call-backs: who is to be rung when, the reminder when it is due, and what became of the promise."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.people import numbers
from appliance.store import db as store
from appliance.store.db import iso, parse_time

LONGEST = 500
MOST = 200            # on a page
ROWS = """
    SELECT callback.*, coalesce(contact.name, own.name, '') AS name
    FROM callback
    LEFT JOIN contact ON contact.id = callback.contact_id
    LEFT JOIN contact_number ON contact_number.number = callback.number
    LEFT JOIN contact AS own ON own.id = contact_number.contact_id
"""


class CallbackError(Exception):
    """It cannot be noted; the sentence says why."""


@dataclass(frozen=True)
class Callback:
    """One promise. for_user None: whoever is free; kept_by: the call that kept it, None when a person said so."""
    id: int
    number: str
    name: str
    about: str
    due_at: datetime
    state: str
    for_user: str | None
    by_user: str
    call_id: int | None
    kept_by: int | None
    updated_at: datetime

    def is_due(self, now: datetime) -> bool:
        return self.state == "open" and self.due_at <= now


def add(db: sqlite3.Connection, raw: str, about: str, due_at: datetime, by: str, country: str, now: datetime,
        for_user: str | None = None, call_id: int | None = None) -> int:
    """The id of a new promise; call it inside write(). Raises CallbackError for what is no number, or a day gone by."""
    number = numbers.e164(raw.strip(), country)
    if number is None:
        raise CallbackError(f"{raw.strip()!r} is not a telephone number here. "
                            "Write it as you would dial it, or with +.")
    if due_at < now:
        raise CallbackError("That time is over. Choose one that is still to come.")
    known = db.execute("SELECT contact_id FROM contact_number WHERE number = ?", (number,)).fetchone()
    call = db.execute("SELECT id FROM call WHERE id = ?", (call_id,)).fetchone()
    made = db.execute("""
        INSERT INTO callback (number, contact_id, call_id, about, due_at, for_user, by_user, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (number, known["contact_id"] if known else None, call["id"] if call else None, about.strip()[:LONGEST],
         iso(due_at), for_user or None, by, iso(now), iso(now))).fetchone()
    return int(made["id"])


def one(db: sqlite3.Connection, callback_id: int) -> Callback | None:
    row = db.execute(f"{ROWS} WHERE callback.id = ?", (callback_id,)).fetchone()
    return _callback(row) if row else None


def due(db: sqlite3.Connection, now: datetime) -> list[Callback]:
    """Open and due, the longest waiting first."""
    return [_callback(row) for row in db.execute(
        f"{ROWS} WHERE callback.state = 'open' AND callback.due_at <= ? ORDER BY callback.due_at, callback.id LIMIT ?",
        (iso(now), MOST))]


def coming(db: sqlite3.Connection, now: datetime, until: datetime | None = None) -> list[Callback]:
    """Open and not due yet, the next first; until None: all there are."""
    return [_callback(row) for row in db.execute(
        f"{ROWS} WHERE callback.state = 'open' AND callback.due_at > ? AND callback.due_at <= ? "
        "ORDER BY callback.due_at, callback.id LIMIT ?", (iso(now), iso(until) if until else "9999", MOST))]


def ended(db: sqlite3.Connection, since: datetime) -> list[Callback]:
    """Kept or called off since then, newest first."""
    return [_callback(row) for row in db.execute(
        f"{ROWS} WHERE callback.state <> 'open' AND callback.updated_at >= ? "
        "ORDER BY callback.updated_at DESC LIMIT 20",
        (iso(since),))]


def of_number(db: sqlite3.Connection, number: str) -> list[Callback]:
    """What is promised to a number and still open."""
    return [_callback(row) for row in db.execute(
        f"{ROWS} WHERE callback.number = ? AND callback.state = 'open' ORDER BY callback.due_at", (number,))]


def open_count(db: sqlite3.Connection, now: datetime) -> int:
    """How many are due now."""
    found = db.execute("SELECT count(*) FROM callback WHERE state = 'open' AND due_at <= ?", (iso(now),)).fetchone()
    return int(found[0])


def end(db: sqlite3.Connection, callback_id: int, state: str, now: datetime) -> bool:
    """True when it was open and is now done or cancelled; the desks let go of it. Call it inside write()."""
    is_done = db.execute("UPDATE callback SET state = ?, updated_at = ? WHERE id = ? AND state = 'open'",
                         (state, iso(now), callback_id)).rowcount == 1
    if is_done:
        _tell(db, callback_id, now)
    return is_done


def reopen(db: sqlite3.Connection, callback_id: int, now: datetime) -> bool:
    """True when it was ended and is open again, with the time it had."""
    return db.execute("""
        UPDATE callback SET state = 'open', kept_by = NULL, updated_at = ?
        WHERE id = ? AND state <> 'open'""", (iso(now), callback_id)).rowcount == 1


def put_off(db: sqlite3.Connection, callback_id: int, due_at: datetime, now: datetime) -> bool:
    """True when it was open; the desks are reminded anew when the new time comes."""
    db.execute("DELETE FROM event WHERE callback_id = ? AND kind = 'reminder'", (callback_id,))
    is_open = db.execute("""
        UPDATE callback SET due_at = ?, reminded_at = NULL, updated_at = ?
        WHERE id = ? AND state = 'open'""", (iso(due_at), iso(now), callback_id)).rowcount == 1
    if is_open:
        _tell(db, callback_id, now)
    return is_open


def _tell(db: sqlite3.Connection, callback_id: int, now: datetime) -> None:
    """A reminder that stands at the desks is over."""
    db.execute("INSERT INTO event (at, kind, callback_id) VALUES (?, 'note', ?)", (iso(now), callback_id))


def attend(db: sqlite3.Connection, now: datetime) -> int:
    """How many reminders went to the desks. Promises that a call has kept meanwhile are done and remind nobody."""
    open_ones = db.execute("""
        SELECT callback.id, (
          SELECT call.id FROM call
          WHERE call.number = callback.number AND call.started_at > callback.created_at AND call.direction = 'out'
            AND call.answered_at IS NOT NULL AND call.ended_at IS NOT NULL
            AND call.id IS NOT callback.call_id
          ORDER BY call.started_at LIMIT 1) AS kept_by,
          due_at <= ?1 AND reminded_at IS NULL AS is_new
        FROM callback WHERE state = 'open'""", (iso(now),)).fetchall()
    kept = [row for row in open_ones if row["kept_by"] is not None]
    new = [row["id"] for row in open_ones if row["kept_by"] is None and row["is_new"]]
    if not kept and not new:
        return 0
    with store.write(db):
        for row in kept:
            db.execute("""
                UPDATE callback SET state = 'done', kept_by = ?, updated_at = ?
                WHERE id = ? AND state = 'open'""", (row["kept_by"], iso(now), row["id"]))
        told = 0
        for callback_id in new:
            is_open = db.execute("""
                UPDATE callback SET reminded_at = ?1
                WHERE id = ?2 AND state = 'open' AND reminded_at IS NULL AND due_at <= ?1""",
                (iso(now), callback_id)).rowcount
            if is_open:
                told += db.execute("INSERT OR IGNORE INTO event (at, kind, callback_id) VALUES (?, 'reminder', ?)",
                                   (iso(now), callback_id)).rowcount
        return told


def _callback(row: sqlite3.Row) -> Callback:
    return Callback(row["id"], row["number"], row["name"], row["about"], parse_time(row["due_at"]), row["state"],
                    row["for_user"], row["by_user"], row["call_id"], row["kept_by"], parse_time(row["updated_at"]))
