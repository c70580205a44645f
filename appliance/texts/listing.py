"""The texts by what became of them, as the page and `deskbell sms list` show them. Every question walks an index."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.store.db import parse_time

LARGEST_ID = 2**63 - 1
SHOWS = {    # what a page of texts can be narrowed to
    "sent": "sms.direction = 'out' AND sms.state IN ('sent', 'delivered')",
    "failed": "sms.state IN ('failed', 'expired')",
    "unknown": "sms.state = 'unknown'",
    "all": "1",
}
TEXT = """
    SELECT sms.*, contact.name, campaign.name AS campaign, coalesce(rule.name, sms.rule) AS rule_name,
      (SELECT count(*) FROM segment WHERE segment.sms_id = sms.id) AS segments
    FROM sms
    LEFT JOIN contact_number ON contact_number.number = sms.number
    LEFT JOIN contact ON contact.id = contact_number.contact_id
    LEFT JOIN campaign ON campaign.id = sms.campaign_id
    LEFT JOIN rule ON rule.key = sms.rule
"""


@dataclass(frozen=True)
class Text:
    """One text with whom and why. at: when it was sent, came or was made; segments 0 for one that came."""

    id: int
    direction: str
    number: str
    name: str | None
    text: str
    state: str
    reason: str | None
    segments: int
    at: datetime
    due_at: datetime
    call_id: int | None
    rule: str | None
    campaign_id: int | None
    campaign: str | None
    sent_again_as: int | None


@dataclass(frozen=True)
class Page:
    texts: list[Text]
    older: int | None      # `before` of the next page; None at the end


@dataclass(frozen=True)
class Crowd:
    """The texts of one campaign that wait."""

    campaign_id: int
    name: str
    waiting: int
    is_paused: bool


@dataclass(frozen=True)
class Counts:
    """waiting: without those of campaigns. unknown: those nobody has decided about."""

    waiting: int
    failed: int
    unknown: int


def page(db: sqlite3.Connection, show: str, before: int | None = None, limit: int = 50) -> Page:
    """The latest texts that came before the one with the id `before`, newest first, narrowed to one of SHOWS."""
    rows = db.execute(f"""{TEXT}
        WHERE {SHOWS[show]} AND sms.id < ?
        ORDER BY sms.id DESC
        LIMIT ?""", (LARGEST_ID if before is None else before, limit + 1)).fetchall()
    return Page([_text(row) for row in rows[:limit]], rows[limit - 1]["id"] if len(rows) > limit else None)


def waiting(db: sqlite3.Connection, limit: int = 50) -> list[Text]:
    """What goes next, in the order in which it will go: the one in the radio's hands first. Without campaigns."""
    now = db.execute(f"{TEXT} WHERE sms.state = 'sending' ORDER BY sms.id LIMIT ?", (limit,)).fetchall()
    next_ = db.execute(f"""{TEXT}
        WHERE sms.state = 'queued' AND sms.campaign_id IS NULL
        ORDER BY sms.priority, sms.due_at, sms.id
        LIMIT ?""", (limit,)).fetchall()
    return [_text(row) for row in [*now, *next_]]


def crowds(db: sqlite3.Connection) -> list[Crowd]:
    """The campaigns that have texts waiting, and how many."""
    return [Crowd(row["id"], row["name"], row["waiting"], row["state"] == "paused") for row in db.execute("""
        SELECT campaign.id, campaign.name, campaign.state, count(*) AS waiting
        FROM sms JOIN campaign ON campaign.id = sms.campaign_id
        WHERE sms.state = 'queued' AND sms.campaign_id IS NOT NULL
        GROUP BY campaign.id
        ORDER BY campaign.id""")]


def counts(db: sqlite3.Connection) -> Counts:
    row = db.execute("""
        SELECT (SELECT count(*) FROM sms WHERE state = 'queued' AND campaign_id IS NULL)
             + (SELECT count(*) FROM sms WHERE state = 'sending') AS waiting,
               (SELECT count(*) FROM sms WHERE state IN ('failed', 'expired')) AS failed,
               (SELECT count(*) FROM sms WHERE state = 'unknown' AND sent_again_as IS NULL) AS unknown""").fetchone()
    return Counts(row["waiting"], row["failed"], row["unknown"])


def one(db: sqlite3.Connection, sms_id: int) -> Text | None:
    row = db.execute(f"{TEXT} WHERE sms.id = ?", (sms_id,)).fetchone() if 0 < sms_id <= LARGEST_ID else None
    return _text(row) if row else None


def _text(row: sqlite3.Row) -> Text:
    return Text(row["id"], row["direction"], row["number"], row["name"], row["text"], row["state"], row["reason"],
                row["segments"], parse_time(row["sent_at"] or row["created_at"]), parse_time(row["due_at"]),
                row["call_id"], row["rule_name"], row["campaign_id"], row["campaign"], row["sent_again_as"])
