"""Calls to a SIM: they enter the same history and meet the same rules as those of the telephone line.

Nobody can answer there; the caller hears it ring. Asterisk knows nothing of them: boot is 0, the trunk is the modem.
Every function runs inside the caller's write().
"""
from __future__ import annotations

import sqlite3
from datetime import datetime

from appliance import settings
from appliance.box import wallclock
from appliance.calls.events import announce
from appliance.config import Box
from appliance.people import numbers
from appliance.store.db import iso, parse_time
from appliance.texts import outbox
from hw.rings import Ringing, Shown


def rang(db: sqlite3.Connection, box: Box, sim: str, ringing: Ringing, at: datetime, now: datetime) -> int:
    """The id of the call that rings since `at`; the desks are told unless its number is blocked."""
    number = numbers.e164(ringing.number, box.country) if ringing.shown is Shown.ALLOWED else None
    linkedid = f"gsm-{sim}-{iso(at)}-{_calls(db) + 1}"  # a box without a clock repeats its times
    call_id = int(db.execute("""
        INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, contact_id,
                          started_at, is_clock_set)
        VALUES (?, 0, ?, ?, 'in', ?, ?, ?, (SELECT contact_id FROM contact_number WHERE number = ?), ?, ?)""",
        (box.name, linkedid, sim, ringing.number, number, ringing.shown.value, number, iso(at),
         wallclock.is_set(now))).lastrowid or 0)
    db.execute("""
        INSERT INTO leg (call_id, uniqueid, channel, party, is_caller, started_at)
        VALUES (?, ?, ?, ?, 1, ?)""", (call_id, linkedid, f"GSM/{sim}", sim, iso(at)))
    if not _is_blocked(db, call_id):
        announce(db, "ringing", call_id, now)
    return call_id


def ended(db: sqlite3.Connection, box: Box, call_id: int, at: datetime, now: datetime) -> None:
    """The caller gave up: the call was missed, and what that causes is queued or refused in the same transaction."""
    _end(db, call_id, "blocked" if _is_blocked(db, call_id) else "missed", at, now)
    outbox.after_call(db, box, call_id, settings.read(db), now)


def cut(db: sqlite3.Connection, box: Box, sim: str, now: datetime) -> int:
    """How many calls rang on this SIM when we lost the modem or were stopped: nobody knows how they ended."""
    open_calls = db.execute("SELECT id FROM call WHERE ended_at IS NULL AND box = ? AND boot = 0 AND trunk = ?",
                            (box.name, sim)).fetchall()
    for row in open_calls:
        _end(db, row["id"], "interrupted", now, now)
        outbox.after_call(db, box, row["id"], settings.read(db), now)
    return len(open_calls)


def _end(db: sqlite3.Connection, call_id: int, outcome: str, at: datetime, now: datetime) -> None:
    started_at = parse_time(db.execute("SELECT started_at FROM call WHERE id = ?", (call_id,)).fetchone()[0])
    at = max(at, started_at)
    ring_ms = round((at - started_at).total_seconds() * 1000)
    db.execute("UPDATE call SET ended_at = ?, outcome = ?, ring_ms = ? WHERE id = ?",
               (iso(at), outcome, ring_ms, call_id))
    db.execute("UPDATE leg SET ended_at = ? WHERE call_id = ?", (iso(at), call_id))
    announce(db, "ended", call_id, now)


def _calls(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(id), 0) FROM call").fetchone()[0])


def _is_blocked(db: sqlite3.Connection, call_id: int) -> bool:
    return db.execute("""
        SELECT 1 FROM call JOIN contact ON contact.id = call.contact_id
        WHERE call.id = ? AND contact.is_blocked""", (call_id,)).fetchone() is not None
