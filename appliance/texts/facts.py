"""What the rules ask of a call, read from its row: how long, which line, which groups, whether the caller is new."""
from __future__ import annotations

import sqlite3

from appliance.config import Box
from appliance.people import numbers
from appliance.store.db import parse_time
from appliance.texts.conditions import KNOWN, NEW_CALLER
from appliance.texts.rules import CallFacts


def of_call(db: sqlite3.Connection, box: Box, call_id: int) -> CallFacts | None:
    """None when there is no such call or it is not over yet. Its times are in shop time."""
    call = db.execute("""
        SELECT call.*, contact_number.contact_id AS owner
        FROM call LEFT JOIN contact_number ON contact_number.number = call.number
        WHERE call.id = ? AND call.ended_at IS NOT NULL""", (call_id,)).fetchone()
    if call is None:
        return None
    number, contact = call["number"], call["contact_id"] or call["owner"]
    is_clock_set = bool(call["is_clock_set"])
    return CallFacts(
        call["direction"], call["outcome"], number, call["presentation"], numbers.kind(number or ""),
        (call["talk_ms"] or 0) / 1000, (call["ring_ms"] or 0) / 1000, call["trunk"],
        _groups(db, contact, number, call_id),
        parse_time(call["started_at"]).astimezone(box.zone) if is_clock_set else None,
        parse_time(call["ended_at"]).astimezone(box.zone) if is_clock_set else None)


def _groups(db: sqlite3.Connection, contact_id: str | None, number: str | None, call_id: int) -> frozenset[str]:
    if contact_id is None:
        return frozenset() if number is None or _called_before(db, number, call_id) else frozenset({NEW_CALLER})
    names = {row["name"] for row in db.execute("""
        SELECT contact_group.name
        FROM contact_group_member JOIN contact_group ON contact_group.id = contact_group_member.contact_group_id
        WHERE contact_group_member.contact_id = ?""", (contact_id,))}
    return frozenset({KNOWN, *names})


def _called_before(db: sqlite3.Connection, number: str, call_id: int) -> bool:
    return db.execute("SELECT 1 FROM call WHERE number = ? AND id < ?", (number, call_id)).fetchone() is not None
