"""Whether the first few who got a campaign's text speak for sending it to the rest."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.store.db import parse_time

ME, FEW, REST = 0, 1, 2                # recipient.stage
FAILED_PERCENT, STOPS_PERCENT = 20, 10
PATIENCE = timedelta(minutes=15)       # for reports, after the last of them was sent
ENOUGH = 50                            # of the rest, before their share of failures says anything


@dataclass(frozen=True)
class Verdict:
    """may_go: the next stage may begin. reason: why it must not, in words; neither: wait a little."""

    may_go: bool
    reason: str | None = None


@dataclass(frozen=True)
class Counts:
    """What became of a stage's texts. open: sent without a report yet, or unknown."""

    waiting: int
    delivered: int
    open: int
    failed: int
    stops: int
    last_at: datetime | None

    @property
    def gone(self) -> int:
        return self.delivered + self.open + self.failed


def counts(db: sqlite3.Connection, occurrence_id: int, stage: int) -> Counts:
    """A STOP counts when it came after the text was made; a text dropped for an opt-out is not a failure."""
    row = db.execute("""
        SELECT coalesce(sum(recipient.state = 'waiting' OR sms.state IN ('queued', 'sending')), 0) AS waiting,
               coalesce(sum(sms.state = 'delivered'), 0) AS delivered,
               coalesce(sum(sms.state IN ('sent', 'unknown')), 0) AS open,
               coalesce(sum(sms.state IN ('failed', 'expired')), 0) AS failed,
               coalesce(sum(opt_out.at >= sms.created_at), 0) AS stops,
               max(sms.updated_at) AS last_at
        FROM recipient LEFT JOIN sms ON sms.id = recipient.sms_id LEFT JOIN opt_out ON opt_out.number = recipient.number
        WHERE recipient.occurrence_id = ? AND recipient.stage = ? AND recipient.state IN ('waiting', 'queued')""",
        (occurrence_id, stage)).fetchone()
    return Counts(row["waiting"], row["delivered"], row["open"], row["failed"], row["stops"],
                  parse_time(row["last_at"]) if row["last_at"] else None)


def verdict(db: sqlite3.Connection, occurrence_id: int, stage: int, now: datetime) -> Verdict:
    """What the texts of this stage say of the next one."""
    seen = counts(db, occurrence_id, stage)
    if reason := _too_bad(seen, seen.gone + seen.waiting):
        return Verdict(False, reason)
    if seen.waiting:
        return Verdict(False)
    if not seen.open or seen.last_at is None:
        return Verdict(True)
    if now - seen.last_at < PATIENCE:
        return Verdict(False)
    if not seen.delivered:
        minutes = int(PATIENCE.total_seconds()) // 60
        return Verdict(False, f"No delivery report came within {minutes} min, so nobody knows whether the first texts "
                              "arrived. The rest waits. Look whether yours came, then press Resume.")
    return Verdict(True)


def spoiled(db: sqlite3.Connection, occurrence_id: int) -> str | None:
    """Why the rest itself must be halted, once enough of it has gone; None while all is well."""
    seen = counts(db, occurrence_id, REST)
    return _too_bad(seen, seen.gone) if seen.gone >= ENOUGH else None


def _too_bad(seen: Counts, of: int) -> str | None:
    if seen.failed * 100 > FAILED_PERCENT * of:
        return (f"{seen.failed} of {of} texts failed, more than {FAILED_PERCENT} %. The rest waits. "
                "Look at the numbers, then press Resume or Stop.")
    if seen.stops * 100 > STOPS_PERCENT * of:
        return (f"{seen.stops} of {of} answered STOP, more than {STOPS_PERCENT} %. The rest waits. "
                "Look at the text, then press Resume or Stop.")
    return None
