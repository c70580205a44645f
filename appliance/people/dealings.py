"""Calls and texts with one card in one ledger, newest first, paged by key."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.calls import history
from appliance.calls.owed import OWED_FOR
from appliance.store.db import iso, parse_time
from appliance.texts.outbox import PERSONAL

SHOWS = ("all", "calls", "texts", "recordings")


@dataclass(frozen=True)
class Text:
    """One text with the card."""
    id: int
    direction: str
    number: str
    text: str
    state: str
    reason: str | None
    rule: str | None            # the rule's own name; None when a person or a campaign sent it
    campaign: str | None
    at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True)
class Row:
    """A call or a text: one of the two is there."""
    at: datetime
    call: history.Call | None
    text: Text | None
    note: str | None = None


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    older: str | None          # `before` of the next page, None at the end


@dataclass(frozen=True)
class Sum:
    """How much there was."""
    calls: int
    texts: int


@dataclass(frozen=True)
class Debt:
    """A call that this card is owed: number and at are those of the last of so many tries."""
    number: str
    at: datetime
    times: int


def page(db: sqlite3.Connection, contact_id: str, show: str = "all", before: str = "", limit: int = 40) -> Page:
    """The rows older than the key `before` (time, kind and id: "2026-11-21T10:00:00.000Z,c,12")."""
    at, kind, row_id = (before or "9999,z,9223372036854775807").split(",")
    found: list[tuple[str, str, int]] = []
    if show != "texts":
        found += _calls(db, contact_id, show == "recordings", at, kind, int(row_id), limit + 1)
    if show in ("all", "texts"):
        found += _texts(db, contact_id, at, kind, int(row_id), limit + 1)
    found.sort(reverse=True)
    last = found[limit - 1] if len(found) > limit else None
    rows = [row for key in found[:limit] if (row := _row(db, *key))]
    return Page(rows, ",".join(map(str, last)) if last else None)


def sum_of(db: sqlite3.Connection, contact_id: str) -> Sum:
    """All calls and texts there ever were with this card."""
    row = db.execute("""
        SELECT (SELECT count(*) FROM call WHERE contact_id = :card) AS calls,
          (SELECT count(*) FROM contact_number CROSS JOIN sms ON sms.number = contact_number.number
           WHERE contact_number.contact_id = :card) AS texts""", {"card": contact_id}).fetchone()
    return Sum(row["calls"], row["texts"])


def _calls(db: sqlite3.Connection, contact_id: str, recorded: bool, at: str, kind: str, row_id: int,
           limit: int) -> list[tuple[str, str, int]]:
    only = "AND EXISTS (SELECT 1 FROM recording WHERE call_id = call.id)" if recorded else ""
    return [(row["started_at"], "c", row["id"]) for row in db.execute(f"""
        SELECT started_at, id FROM call
        WHERE contact_id = ? AND started_at <= ? AND (started_at, 'c', id) < (?, ?, ?) {only}
        ORDER BY started_at DESC, id DESC
        LIMIT ?""", (contact_id, at, at, kind, row_id, limit))]


def _texts(db: sqlite3.Connection, contact_id: str, at: str, kind: str, row_id: int,
           limit: int) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    for one in db.execute("SELECT number FROM contact_number WHERE contact_id = ?", (contact_id,)).fetchall():
        found += [(row["created_at"], "t", row["id"]) for row in db.execute("""
            SELECT created_at, id FROM sms
            WHERE number = ? AND created_at <= ? AND (created_at, 't', id) < (?, ?, ?)
            ORDER BY created_at DESC, id DESC
            LIMIT ?""", (one["number"], at, at, kind, row_id, limit))]
    return found


def _row(db: sqlite3.Connection, at: str, kind: str, row_id: int) -> Row | None:
    if kind == "c":
        call = history.one(db, row_id)
        note = db.execute("SELECT text FROM note WHERE call_id = ?", (row_id,)).fetchone()
        return Row(parse_time(at), call, None, note["text"] if note else None) if call else None
    row = db.execute("""
        SELECT sms.*, coalesce((SELECT name FROM rule WHERE key = sms.rule), sms.rule) AS rule_name,
          (SELECT name FROM campaign WHERE id = sms.campaign_id) AS campaign
        FROM sms WHERE id = ?""", (row_id,)).fetchone()
    if row is None:
        return None
    return Row(parse_time(at), None, Text(
        row["id"], row["direction"], row["number"], row["text"], row["state"], row["reason"], row["rule_name"],
        row["campaign"], parse_time(row["created_at"]),
        parse_time(row["delivered_at"]) if row["delivered_at"] else None))


def owed(db: sqlite3.Connection, contact_id: str, now: datetime) -> Debt | None:
    """What appliance.calls.owed would say of this one card, without looking at everybody else's calls."""
    given = {"card": contact_id, "since": iso(now - OWED_FOR), "personal": PERSONAL}
    closed = db.execute("""
        SELECT max(
          coalesce((SELECT max(started_at) FROM contact_number CROSS JOIN call ON call.number = contact_number.number
            WHERE contact_number.contact_id = :card AND started_at >= :since AND direction IN ('in', 'out')
              AND (outcome = 'answered' OR ended_at IS NULL AND answered_at IS NOT NULL)), ''),
          coalesce((SELECT max(created_at) FROM contact_number CROSS JOIN sms ON sms.number = contact_number.number
            WHERE contact_number.contact_id = :card AND direction = 'out' AND created_at >= :since
              AND priority = :personal AND campaign_id IS NULL AND is_automatic = 0
              AND state NOT IN ('failed', 'expired', 'cancelled')), ''),
          coalesce((SELECT max(at) FROM contact_number JOIN settled USING (number) WHERE contact_id = :card), ''),
          :since)""", given).fetchone()[0]
    row = db.execute("""
        SELECT count(*) AS times, max(started_at) AS at, call.number AS number
        FROM contact_number CROSS JOIN call ON call.number = contact_number.number
        WHERE contact_number.contact_id = ? AND started_at > ? AND direction = 'in'
          AND outcome IN ('missed', 'abandoned', 'busy')
          AND NOT EXISTS (SELECT 1 FROM contact WHERE id = contact_number.contact_id AND is_blocked = 1)""",
        (contact_id, closed)).fetchone()
    return Debt(row["number"], parse_time(row["at"]), row["times"]) if row["times"] and row["number"] else None
