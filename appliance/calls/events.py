"""What the desks are told: a journal whose ids are never reused."""
from __future__ import annotations

import sqlite3
from datetime import datetime

from appliance.store import db as store


def announce(db: sqlite3.Connection, kind: str, call_id: int, now: datetime) -> None:
    """Tells the desks once of a call that rings, was answered, has ended or can be listened to.

    Call it inside the transaction that made it true.
    """
    db.execute("""
        INSERT INTO event (at, kind, call_id)
        SELECT ?1, ?2, ?3 WHERE NOT EXISTS (
          SELECT 1 FROM event WHERE call_id = ?3 AND kind = ?2
          AND kind IN ('ringing', 'answered', 'ended', 'recording'))   -- names the index event_once""",
        (store.iso(now), kind, call_id))
