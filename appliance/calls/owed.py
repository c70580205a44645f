"""Who rang in vain and is still owed a call: closed as soon as either side got back, whoever rang or wrote."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.store.db import iso, parse_time
from appliance.texts.outbox import PERSONAL

OWED_FOR = timedelta(days=7)     # whoever rang before that has found another way
# One row a try that nobody got back on. A person is a card with all its numbers, else a number; what closed it is
# an answered call either way, a text by one of us, or somebody's word for it.
OPEN = """
    WITH tried AS MATERIALIZED (
      SELECT number FROM call INDEXED BY call_tried
      WHERE started_at >= :since AND direction = 'in' AND outcome IN ('missed', 'abandoned', 'busy')
        AND number IS NOT NULL
      GROUP BY number),
    person AS MATERIALIZED (
      SELECT tried.number, contact_number.contact_id, coalesce(contact_number.contact_id, tried.number) AS person
      FROM tried LEFT JOIN contact_number ON contact_number.number = tried.number),
    side AS MATERIALIZED (
      SELECT DISTINCT person.person, coalesce(other.number, person.number) AS number
      FROM person LEFT JOIN contact_number AS other ON other.contact_id = person.contact_id),
    closed AS MATERIALIZED (
      SELECT person, max(max(
        coalesce((SELECT max(started_at) FROM call AS spoken INDEXED BY call_number
                  WHERE spoken.number = side.number AND spoken.started_at >= :since
                    AND spoken.direction IN ('in', 'out')
                    AND (spoken.outcome = 'answered'
                         OR spoken.ended_at IS NULL AND spoken.answered_at IS NOT NULL)), ''),
        coalesce((SELECT max(created_at) FROM sms INDEXED BY sms_number
                  WHERE sms.number = side.number AND sms.created_at >= :since AND sms.direction = 'out'
                    AND sms.priority = :personal AND sms.campaign_id IS NULL AND sms.is_automatic = 0
                    AND sms.state NOT IN ('failed', 'expired', 'cancelled')), ''),
        coalesce((SELECT at FROM settled WHERE settled.number = side.number), ''))) AS at
      FROM side GROUP BY person),
    open AS (
      SELECT person.person, person.contact_id, call.number, call.started_at, call.id
      FROM person
      JOIN closed ON closed.person = person.person
      JOIN call INDEXED BY call_number ON call.number = person.number AND call.started_at >= :since
        AND call.started_at > closed.at
      WHERE call.direction = 'in' AND call.outcome IN ('missed', 'abandoned', 'busy')
        AND NOT EXISTS (SELECT 1 FROM contact WHERE contact.id = person.contact_id AND contact.is_blocked = 1))
"""


@dataclass(frozen=True)
class Owed:
    """One caller. number, at and call_id: of the last try; name None: the book does not know the number."""

    number: str
    name: str | None
    at: datetime
    times: int
    contact_id: str | None
    call_id: int


@dataclass(frozen=True)
class Settled:
    """What stood beside a number before somebody settled it; at None: nothing did."""

    number: str
    at: str | None
    by_user: str | None


def owed(db: sqlite3.Connection, since: datetime) -> list[Owed]:
    """The callers missed since then to whom nobody got back since, one a person, the last to try first."""
    rows = db.execute(f"""{OPEN}
        SELECT open.number, max(open.started_at) AS at, count(*) AS times, open.contact_id, open.id, contact.name
        FROM open LEFT JOIN contact ON contact.id = open.contact_id
        GROUP BY open.person
        ORDER BY at DESC""", _given(since)).fetchall()
    return [Owed(row["number"], row["name"], parse_time(row["at"]), row["times"], row["contact_id"], row["id"])
            for row in rows]


def count(db: sqlite3.Connection, since: datetime) -> int:
    """How many callers are owed a call."""
    return int(db.execute(f"{OPEN} SELECT count(DISTINCT person) FROM open", _given(since)).fetchone()[0])


def settle(db: sqlite3.Connection, number: str, by: str, now: datetime) -> list[Settled]:
    """Nobody owes this caller a call any more, on none of the card's numbers; what stood there before, to undo it.

    Runs inside the caller's write(). The desks are told.
    """
    rows = db.execute("""
        SELECT wanted.number, settled.at, settled.by_user
        FROM (SELECT ? AS number UNION SELECT other.number
              FROM contact_number AS mine JOIN contact_number AS other ON other.contact_id = mine.contact_id
              WHERE mine.number = ?) AS wanted
        LEFT JOIN settled ON settled.number = wanted.number""", (number, number)).fetchall()
    before = [Settled(row["number"], row["at"], row["by_user"]) for row in rows]
    db.executemany("INSERT OR REPLACE INTO settled (number, at, by_user) VALUES (?, ?, ?)",
                   [(row.number, iso(now), by) for row in before])
    _tell(db, now)
    return before


def take_back(db: sqlite3.Connection, before: list[Settled], now: datetime) -> None:
    """Undoes what `settle` did. Runs inside the caller's write()."""
    db.executemany("DELETE FROM settled WHERE number = ?", [(row.number,) for row in before])
    db.executemany("INSERT INTO settled (number, at, by_user) VALUES (?, ?, ?)",
                   [(row.number, row.at, row.by_user) for row in before if row.at])
    _tell(db, now)


def _tell(db: sqlite3.Connection, now: datetime) -> None:
    db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (iso(now),))


def _given(since: datetime) -> dict[str, object]:
    return {"since": iso(since), "personal": PERSONAL}
