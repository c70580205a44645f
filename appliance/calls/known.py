"""What is known of whoever rings: the card, the last note, and what is still open with them.

Asked once an event, while the telephone rings: every question walks an index and looks at this caller alone.
"""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime

from appliance.calls import tocall
from appliance.calls.owed import OWED_FOR
from appliance.calls.tocall import Callback
from appliance.people import notes
from appliance.store.db import iso, parse_time
from appliance.texts.outbox import PERSONAL

MOST = 6              # tags, groups, promises: more would not be read while it rings


@dataclass(frozen=True)
class Face:
    """What stands on the card. labels: its groups, then its tags."""
    company: str | None
    is_vip: bool
    is_blocked: bool
    blocked_reason: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What is open with a caller. owed: how often they rang in vain; unread: their texts nobody has read, and the
    newest of them; waiting: texts to them that have not gone yet. All numbers of a card count."""
    face: Face | None = None
    note: notes.Note | None = None
    owed: int = 0
    owed_at: datetime | None = None
    promised: list[Callback] = field(default_factory=list)
    unread: int = 0
    unread_text: str = ""
    waiting: int = 0


def of(db: sqlite3.Connection, number: str | None, contact_id: str | None, call_id: int, now: datetime) -> Known:
    """What is known of a number and its card before this call, whose own note does not count."""
    if number is None:
        return Known(face=face(db, contact_id))
    mine = _numbers(db, number, contact_id)
    looked = face(db, contact_id)
    times, at = (0, None) if looked and looked.is_blocked else _owed(db, mine, now)
    unread, text = _unread(db, mine)
    return Known(looked, _note(db, mine, contact_id, call_id), times, at,
                 [one for its in mine for one in tocall.of_number(db, its)][:MOST], unread, text, _waiting(db, mine))


def face(db: sqlite3.Connection, contact_id: str | None) -> Face | None:
    """The face of a card, None when there is none."""
    row = db.execute("SELECT company, is_vip, is_blocked, blocked_reason FROM contact WHERE id = ?",
                     (contact_id,)).fetchone() if contact_id else None
    if row is None:
        return None
    labels = db.execute("""
        SELECT contact_group.name FROM contact_group_member
        JOIN contact_group ON contact_group.id = contact_group_member.contact_group_id
        WHERE contact_group_member.contact_id = ?1
        UNION ALL SELECT tag FROM contact_tag WHERE contact_id = ?1 LIMIT ?2""", (contact_id, MOST))
    return Face(row["company"], bool(row["is_vip"]), bool(row["is_blocked"]), row["blocked_reason"],
                tuple(dict.fromkeys(label[0] for label in labels)))


def _numbers(db: sqlite3.Connection, number: str, contact_id: str | None) -> list[str]:
    others = [row[0] for row in db.execute("SELECT number FROM contact_number WHERE contact_id = ?", (contact_id,))] \
        if contact_id else []
    return list(dict.fromkeys([number, *others]))


def _note(db: sqlite3.Connection, mine: list[str], contact_id: str | None, call_id: int) -> notes.Note | None:
    """The newest note on the card, on one of its numbers or on an earlier call."""
    rows = [db.execute("SELECT id, created_at FROM note WHERE contact_id = ? ORDER BY created_at DESC LIMIT 1",
                       (contact_id,)).fetchone() if contact_id else None]
    rows += [db.execute("SELECT id, created_at FROM note WHERE number = ? AND call_id IS NOT ? "
                        "ORDER BY created_at DESC LIMIT 1", (its, call_id)).fetchone() for its in mine]
    found = max((row for row in rows if row), key=lambda row: (row["created_at"], row["id"]), default=None)
    return notes.one(db, found["id"]) if found else None


def _owed(db: sqlite3.Connection, mine: list[str], now: datetime) -> tuple[int, datetime | None]:
    """How often these numbers rang in vain since anybody got back, and when last; as owed.py has it for everybody."""
    tried: list[str] = []
    closed = since = iso(now - OWED_FOR)
    for its in mine:
        tried += [row[0] for row in db.execute("""
            SELECT started_at FROM call WHERE number = ? AND started_at >= ? AND direction = 'in'
            AND outcome IN ('missed', 'abandoned', 'busy')""", (its, since))]
        closed = max(closed, *db.execute("""
            SELECT coalesce((SELECT max(started_at) FROM call WHERE number = ?1 AND started_at >= ?2
                     AND direction IN ('in', 'out')
                     AND (outcome = 'answered' OR ended_at IS NULL AND answered_at IS NOT NULL)), ''),
                   coalesce((SELECT max(created_at) FROM sms WHERE number = ?1 AND created_at >= ?2
                     AND direction = 'out' AND priority = ?3 AND campaign_id IS NULL AND is_automatic = 0
                     AND state NOT IN ('failed', 'expired', 'cancelled')), ''),
                   coalesce((SELECT at FROM settled WHERE number = ?1), '')""", (its, since, PERSONAL)).fetchone())
    still = [at for at in tried if at > closed]
    return len(still), parse_time(max(still)) if still else None


def _unread(db: sqlite3.Connection, mine: list[str]) -> tuple[int, str]:
    count, text = 0, ""
    for its in mine:
        rows = db.execute("SELECT text FROM sms WHERE number = ? AND direction = 'in' AND read_at IS NULL "
                          "ORDER BY id DESC", (its,)).fetchall()
        count, text = count + len(rows), text or (rows[0]["text"] if rows else "")
    return count, text


def _waiting(db: sqlite3.Connection, mine: list[str]) -> int:
    return sum(int(db.execute("SELECT count(*) FROM sms WHERE number = ? AND direction = 'out' "
                              "AND state IN ('queued', 'held', 'sending')", (its,)).fetchone()[0]) for its in mine)
