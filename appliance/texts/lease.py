"""Until when the texts of a running campaign may go: short leases inside the broadcast hours, which the clock renews.

A box that was off, a clock that stands in 1970 and a SIM without money therefore send nothing: no lease, no text.
"""
from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from appliance import hours
from appliance.config import Box
from appliance.settings import Settings
from appliance.store.db import iso, parse_time, write
from appliance.texts import campaigns, canary, guards

LEASE = timedelta(minutes=2)        # how long texts go without the clock looking again
RENEW = timedelta(minutes=1)
GONE_QUIET = "The box was off while it ran; {0} texts still wait. Press Resume to send them now, or Stop."


def renew(db: sqlite3.Connection, box: Box, set_: Settings, campaign: sqlite3.Row, now: datetime) -> None:
    """Lets its texts go for another two minutes, or from the next broadcast hour on.

    Pauses one that the box slept through, and one of which too many fail. Called while it is running, each second.
    """
    starts, ends = campaign["sends_from"], campaign["sends_until"]
    if ends and now - parse_time(ends) > timedelta(minutes=campaign["late_limit_min"]) + LEASE:
        waiting = db.execute("""
            SELECT (SELECT count(*) FROM sms WHERE campaign_id = :id AND state = 'queued' AND campaign_id IS NOT NULL)
                 + (SELECT count(*) FROM recipient JOIN occurrence ON occurrence.id = recipient.occurrence_id
                    WHERE occurrence.campaign_id = :id AND recipient.state = 'waiting')""",
            {"id": campaign["id"]}).fetchone()[0]
        if waiting:
            return halt(db, campaign["id"], GONE_QUIET.format(waiting), now)
    if short := guards.shortage(db, now.astimezone(box.zone)):
        return _wait(db, campaign, guards.SHORTAGES[short].reason.replace("Not texted", "It waits"), now)
    first, until = _window(set_, now.astimezone(box.zone))
    if starts and ends and parse_time(starts) <= first and (
            parse_time(ends) == until or RENEW < parse_time(ends) - first <= LEASE):
        return None
    for row in db.execute("SELECT id FROM occurrence WHERE campaign_id = ? AND state = 'running'", (campaign["id"],)):
        if spoiled := canary.spoiled(db, row["id"]):
            return halt(db, campaign["id"], spoiled, now)
    with write(db):
        db.execute("""
            UPDATE campaign
            SET sends_from = ?, sends_until = ?, reason = NULL
            WHERE id = ? AND state = 'running'""", (iso(first), iso(until), campaign["id"]))
    return None


def _window(set_: Settings, now: datetime) -> tuple[datetime, datetime]:
    """From when and until when texts may go, at most LEASE long; now: in shop time."""
    opens, closes = set_.broadcast_from, set_.broadcast_until
    if opens == closes:
        return now, now + LEASE
    if not hours.is_between(opens, closes, now):
        opening = hours.next_time(opens, now)
        return opening, opening + LEASE
    return now, min(now + LEASE, hours.next_time(closes, now))


def _wait(db: sqlite3.Connection, campaign: sqlite3.Row, reason: str, now: datetime) -> None:
    """Nothing goes until the reason has passed; it stays running."""
    if campaign["reason"] == reason and campaign["sends_until"] is None:
        return
    with write(db):
        db.execute("UPDATE campaign SET sends_from = NULL, sends_until = NULL, reason = ? WHERE id = ?",
                   (reason, campaign["id"]))
        campaigns.tell(db, now)


def halt(db: sqlite3.Connection, campaign_id: int, reason: str, now: datetime) -> None:
    """Pauses a campaign: a person must look first."""
    with write(db):
        if db.execute("""
                UPDATE campaign
                SET state = 'paused', reason = ?, updated_at = ?
                WHERE id = ? AND state IN ('scheduled', 'running')""", (reason, iso(now), campaign_id)).rowcount:
            campaigns.tell(db, now)
