"""Who rang in vain and is still owed a call: closed as soon as the two sides have spoken, whoever rang."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.store.db import iso, parse_time


@dataclass(frozen=True)
class Owed:
    """One caller. at: the last time in vain; name None: the book does not know the number."""

    number: str
    name: str | None
    at: datetime
    times: int


def owed(db: sqlite3.Connection, since: datetime) -> list[Owed]:
    """The callers missed since then to whom nobody has spoken since their last try, newest first."""
    rows = db.execute("""
        SELECT missed.number, max(missed.started_at) AS at, count(*) AS times, contact.name
        FROM call AS missed
        LEFT JOIN contact_number ON contact_number.number = missed.number
        LEFT JOIN contact ON contact.id = contact_number.contact_id
        WHERE missed.started_at >= ? AND missed.number IS NOT NULL AND missed.direction = 'in'
          AND missed.outcome IN ('missed', 'abandoned')
          AND NOT EXISTS (SELECT 1 FROM call AS spoken
                          WHERE spoken.number = missed.number AND spoken.started_at > missed.started_at
                            AND spoken.direction IN ('in', 'out') AND spoken.outcome = 'answered')
        GROUP BY missed.number
        ORDER BY at DESC""", (iso(since),)).fetchall()
    return [Owed(row["number"], row["name"], parse_time(row["at"]), row["times"]) for row in rows]
