"""The week's slip of saved customers: who rang in vain, was texted, came back within the hour, is still owed a call."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from appliance.calls import periods
from appliance.store.db import iso, parse_time
from appliance.texts.outbox import PERSONAL

# Somebody got back to this number since the last try, as calls/owed.py has it: by an answered call either way, by a
# text of one of us, or by somebody's word for it.
GOT_BACK = """(EXISTS (
          SELECT 1 FROM call INDEXED BY call_number
          WHERE call.number = {number} AND call.started_at >= missed.at AND call.id <> missed.id
            AND call.direction IN ('in', 'out')
            AND (call.outcome = 'answered' OR call.ended_at IS NULL AND call.answered_at IS NOT NULL))
        OR EXISTS (
          SELECT 1 FROM sms INDEXED BY sms_number
          WHERE sms.number = {number} AND sms.created_at >= missed.at AND sms.direction = 'out'
            AND sms.priority = :personal AND sms.campaign_id IS NULL AND sms.is_automatic = 0
            AND sms.state NOT IN ('failed', 'expired', 'cancelled'))
        OR EXISTS (SELECT 1 FROM settled WHERE settled.number = {number} AND settled.at >= missed.at))"""
OWED = f"""missed.is_blocked = 0 AND NOT {GOT_BACK.format(number='missed.number')}
        AND NOT EXISTS (
          SELECT 1 FROM contact_number AS other
          WHERE other.contact_id = missed.contact_id AND other.number <> missed.number
            AND {GOT_BACK.format(number='other.number')})"""


@dataclass(frozen=True)
class Missed:
    """One caller who rang in vain, a card with all its numbers or a number. at, number, call_id: of the last try.

    how: "replied" or "rang" when something came back within an hour of our text.
    """
    number: str
    name: str | None
    at: datetime
    times: int
    call_id: int
    is_texted: bool
    how: str | None
    is_owed: bool


@dataclass(frozen=True)
class Slip:
    """A week from its Monday on; withheld: tries of callers who showed no number and cannot be texted."""
    monday: date
    missed: list[Missed]
    withheld: int

    @property
    def texted(self) -> int:
        return sum(one.is_texted for one in self.missed)

    @property
    def saved(self) -> int:
        return sum(one.how is not None for one in self.missed)

    @property
    def owed(self) -> int:
        return sum(one.is_owed for one in self.missed)


def slip(db: sqlite3.Connection, monday: date, zone: ZoneInfo) -> Slip:
    """The slip of that week; who is owed is as it stands now."""
    since, until = iso(periods.begins(monday, zone)), iso(periods.begins(monday + timedelta(days=7), zone))
    tried = ("started_at >= :since AND started_at < :until AND direction = 'in' "
             "AND outcome IN ('missed', 'abandoned', 'busy')")
    rows = db.execute(f"""
        WITH missed AS MATERIALIZED (
          SELECT coalesce(contact_number.contact_id, call.number) AS person, call.number, max(call.started_at) AS at,
            count(*) AS times, call.id, contact.name, contact.id AS contact_id,
            coalesce(contact.is_blocked, 0) AS is_blocked
          FROM call LEFT JOIN contact_number ON contact_number.number = call.number
          LEFT JOIN contact ON contact.id = contact_number.contact_id
          WHERE {tried} AND call.number IS NOT NULL
          GROUP BY person)
        SELECT missed.*, {OWED} AS is_owed FROM missed ORDER BY at DESC""",
        {"since": since, "until": until, "personal": PERSONAL}).fetchall()
    texted = {row[0]: row[1] for row in db.execute("""
        SELECT coalesce(contact_number.contact_id, call.number) AS person, max(text_echo.how)
        FROM call INDEXED BY call_tried CROSS JOIN sms ON sms.call_id = call.id
        CROSS JOIN text_echo ON text_echo.sms_id = sms.id
        LEFT JOIN contact_number ON contact_number.number = call.number
        WHERE call.started_at >= ? AND call.started_at < ? AND call.direction = 'in'
          AND call.outcome IN ('missed', 'abandoned', 'busy') AND call.number IS NOT NULL AND text_echo.kind = 'call'
        GROUP BY person""", (since, until))}
    withheld = db.execute(f"SELECT count(*) FROM call WHERE {tried} AND number IS NULL",
                          {"since": since, "until": until}).fetchone()[0]
    return Slip(monday, [
        Missed(row["number"], row["name"], parse_time(row["at"]), row["times"], row["id"], row["person"] in texted,
               texted.get(row["person"]), bool(row["is_owed"])) for row in rows], int(withheld))

