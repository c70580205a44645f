"""What one day came to, and what comes next: the numbers of the page Today."""
from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.store.db import iso, parse_time

CAME_BACK_MIN = 60


@dataclass(frozen=True)
class Tally:
    """Calls in and out of a stretch of time; incoming are those of `calls` that came in."""

    calls: int
    incoming: int
    answered: int
    missed: int
    texts: int

    @property
    def answered_percent(self) -> int | None:
        """Of the calls that came in; None when none did."""
        return round(100 * self.answered / self.incoming) if self.incoming else None


@dataclass(frozen=True)
class Next:
    """A group text that waits for its day."""

    campaign_id: int
    name: str
    at: datetime


@dataclass(frozen=True)
class CallBack:
    """A promise to ring somebody back."""

    number: str
    name: str | None
    about: str
    at: datetime
    for_user: str | None


@dataclass(frozen=True)
class Look:
    """What the clock found when it last looked at the box: sentences, worst first."""

    at: datetime
    findings: list[str]


def tally(db: sqlite3.Connection, since: datetime, until: datetime) -> Tally:
    """What began from `since` to before `until`; a call that still rings is in `calls` only."""
    between = (iso(since), iso(until))
    row = db.execute("""
        SELECT count(*) AS calls, coalesce(sum(direction = 'in' AND outcome IS NOT NULL), 0) AS incoming,
          coalesce(sum(direction = 'in' AND outcome = 'answered'), 0) AS answered,
          coalesce(sum(direction = 'in' AND outcome IN ('missed', 'abandoned', 'busy')), 0) AS missed
        FROM call INDEXED BY call_facets
        WHERE started_at >= ? AND started_at < ? AND direction IN ('in', 'out')""", between).fetchone()
    texts = db.execute("SELECT count(*) FROM sms INDEXED BY sms_went WHERE sent_at >= ? AND sent_at < ? "
                       "AND direction = 'out'", between).fetchone()[0]
    return Tally(row["calls"], row["incoming"], row["answered"], row["missed"], texts)


def came_back(db: sqlite3.Connection, since: datetime, until: datetime) -> int:
    """How many people who were texted by a rule rang or wrote within the hour."""
    return int(db.execute(f"""
        SELECT count(DISTINCT sms.number)
        FROM sms INDEXED BY sms_went
        WHERE sent_at >= ? AND sent_at < ? AND direction = 'out' AND is_automatic = 1 AND call_id IS NOT NULL
          AND (EXISTS (SELECT 1 FROM call WHERE call.number = sms.number AND call.direction = 'in'
                       AND call.started_at > sms.sent_at AND julianday(call.started_at) - julianday(sms.sent_at)
                       < {CAME_BACK_MIN} / 1440.0)
            OR EXISTS (SELECT 1 FROM sms AS reply WHERE reply.number = sms.number AND reply.direction = 'in'
                       AND reply.created_at > sms.sent_at AND julianday(reply.created_at) - julianday(sms.sent_at)
                       < {CAME_BACK_MIN} / 1440.0))""", (iso(since), iso(until))).fetchone()[0])


def scheduled(db: sqlite3.Connection, limit: int = 4) -> list[Next]:
    """The group texts that go next."""
    return [Next(row["id"], row["name"], parse_time(row["due_at"])) for row in db.execute("""
        SELECT campaign.id, campaign.name, min(occurrence.due_at) AS due_at
        FROM occurrence JOIN campaign ON campaign.id = occurrence.campaign_id
        WHERE occurrence.state = 'waiting' AND campaign.state IN ('scheduled', 'running')
        GROUP BY campaign.id
        ORDER BY due_at LIMIT ?""", (limit,))]


def call_backs(db: sqlite3.Connection, until: datetime, limit: int = 6) -> list[CallBack]:
    """The promised call-backs that are due before `until`, the oldest first."""
    return [CallBack(row["number"], row["name"], row["about"], parse_time(row["due_at"]), row["for_user"])
            for row in db.execute("""
        SELECT callback.number, callback.about, callback.due_at, callback.for_user, contact.name
        FROM callback
        LEFT JOIN contact_number ON contact_number.number = callback.number
        LEFT JOIN contact ON contact.id = coalesce(callback.contact_id, contact_number.contact_id)
        WHERE callback.state = 'open' AND callback.due_at < ?
        ORDER BY callback.due_at, callback.id LIMIT ?""", (iso(until), limit))]


def look(db: sqlite3.Connection) -> Look | None:
    """None while the clock has not looked at the box."""
    row = db.execute("SELECT at, findings FROM health_look").fetchone()
    return Look(parse_time(row["at"]), json.loads(row["findings"])) if row else None


def keep_look(db: sqlite3.Connection, findings: list[str], now: datetime) -> None:
    """What was found just now. Runs inside the caller's write()."""
    db.execute("INSERT OR REPLACE INTO health_look (id, at, findings) VALUES (1, ?, ?)",
               (iso(now), json.dumps(findings)))
