"""Whose turn it is on a SIM: a text begun first, then answers and people's texts, then those of campaigns."""
from __future__ import annotations

import sqlite3
from datetime import datetime

from appliance.box.wallclock import EARLIEST
from appliance.store.db import iso
from appliance.texts import guards, pace

LATE = "Not sent: it waited too long to be of use."
_MINE = """EXISTS (SELECT 1 FROM segment WHERE sms_id = sms.id AND state = 'queued')
          AND (sms.sim IS NULL OR sms.sim = :sim)
          AND NOT EXISTS (SELECT 1 FROM segment AS other WHERE other.sms_id = sms.id AND other.sim <> :sim)"""


def whose(db: sqlite3.Connection, sim: str, now: datetime) -> int | None:
    """The id of the sms whose segment goes next, None when nothing is due or the pace says not yet."""
    if (begun := _begun(db, sim)) is not None:
        return begun
    if (answer := _answer(db, sim, now)) is not None and pace.may_send(db, sim, now, is_campaign=False) is None:
        return answer
    if (one_of_many := _of_campaigns(db, sim, now)) is not None and pace.may_send(db, sim, now) is None:
        return one_of_many
    return None


def called_off(db: sqlite3.Connection, sms_id: int, now: datetime) -> tuple[str, str] | None:
    """(expired or cancelled, why in words) for a text that must not go any more; None when it may.

    One whose first part has gone is finished.
    """
    row = db.execute("""
        SELECT sms.expires_at <= :now AS is_late, sms.campaign_id IS NOT NULL AND opt_out.at IS NOT NULL AS is_unwanted
        FROM sms LEFT JOIN opt_out ON opt_out.number = sms.number
        WHERE sms.id = :id AND sms.state = 'queued'
          AND NOT EXISTS (SELECT 1 FROM segment WHERE sms_id = sms.id AND state <> 'queued')""",
        {"now": iso(now), "id": sms_id}).fetchone()
    if row is None:
        return None
    if row["is_unwanted"]:
        return "cancelled", guards.OPTED_OUT.reason
    if row["is_late"]:
        return "expired", LATE
    refusal = guards.recheck(db, sms_id, now)
    return ("cancelled", refusal.reason) if refusal else None


def is_open(db: sqlite3.Connection, sms_id: int, now: datetime) -> bool:
    """False for the text of a campaign that is paused, stopped or outside its hours."""
    return db.execute("""
        SELECT 1
        FROM sms LEFT JOIN campaign ON campaign.id = sms.campaign_id
        WHERE sms.id = :id AND (sms.campaign_id IS NULL OR sms.state = 'sending'
          OR campaign.state = 'running' AND campaign.sends_from <= :now AND campaign.sends_until > :now)""",
        {"id": sms_id, "now": iso(now)}).fetchone() is not None


def _begun(db: sqlite3.Connection, sim: str) -> int | None:
    row = db.execute(f"""
        SELECT sms.id
        FROM sms
        WHERE sms.state = 'sending' AND {_MINE}
        ORDER BY sms.id
        LIMIT 1""", {"sim": sim}).fetchone()
    return row["id"] if row else None


def _answer(db: sqlite3.Connection, sim: str, now: datetime) -> int | None:
    """A text last touched later than now was written by a clock that was ahead: its pause says nothing, it is due.

    While the clock stands in 1970 nobody knows how old a text is that grows too late: it waits for the date.
    """
    row = db.execute(f"""
        SELECT sms.id
        FROM sms
        WHERE sms.state = 'queued' AND sms.campaign_id IS NULL AND sms.direction = 'out'
          AND (sms.due_at <= :now OR sms.updated_at > :now) AND {_MINE}
          AND (:now >= :earliest OR sms.expires_at IS NULL OR sms.expires_at < :earliest)
        ORDER BY sms.priority, sms.due_at, sms.id
        LIMIT 1""", {"sim": sim, "now": iso(now), "earliest": iso(EARLIEST)}).fetchone()
    return row["id"] if row else None


def _of_campaigns(db: sqlite3.Connection, sim: str, now: datetime) -> int | None:
    """The longest due text of the campaigns that may send now: each is asked for its first, none is walked through."""
    asked = {"sim": sim, "now": iso(now)}
    firsts = [(first["due_at"], first["id"]) for campaign in db.execute("""
        SELECT id
        FROM campaign
        WHERE state = 'running' AND sends_from <= :now AND sends_until > :now AND (sim IS NULL OR sim = :sim)""",
        asked).fetchall() if (first := db.execute(f"""
        SELECT sms.id, sms.due_at
        FROM sms
        WHERE sms.campaign_id = :campaign AND sms.state = 'queued' AND sms.campaign_id IS NOT NULL
          AND (sms.due_at <= :now OR sms.updated_at > :now) AND {_MINE}
        ORDER BY sms.due_at, sms.id
        LIMIT 1""", {**asked, "campaign": campaign["id"]}).fetchone())]
    return min(firsts)[1] if firsts else None
