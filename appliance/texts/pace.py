"""How fast a SIM may send: a token bucket with jitter, so many an hour and a day, and a stop after refusals.

Every segment draws a token, but only the texts of campaigns wait for one: an answer to a call goes at once. Campaigns
leave a fifth of the hour and of the day to those. The bucket is not stored: it is read from what was sent.
"""
from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from appliance.store.db import iso, parse_time
from appliance.texts import guards
from hw import cms

BURST = 3                        # tokens in a full bucket
JITTER = 0.25                    # each token takes pace_s, a quarter more or less
CAMPAIGN_SHARE = (4, 5)          # of the hour and of the day
PERMANENT_IN_A_ROW = 5
LOOK_BACK = 64                   # segments that are enough to know how full the bucket is
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHORT = {guards.Shortage.ALLOWANCE: "It waits: the SIM's allowance for this month is used up.",
         guards.Shortage.BALANCE: "It waits: the SIM's balance is too low. Top it up."}


@dataclass(frozen=True)
class Sim:
    """What a person set of a SIM. hourly, daily: 0 is no limit; allowance: segments a month, None: unlimited."""

    name: str
    pace_s: float = 4.0
    hourly: int = 100
    daily: int = 300
    allowance: int | None = None
    allowance_day: int = 1
    price: str | None = None
    paused_reason: str | None = None
    resumed_at: str | None = None

    @property
    def price_of_one(self) -> Decimal | None:
        """The price of a segment, None when nobody wrote one that is a number."""
        try:
            return Decimal((self.price or "").replace(",", "."))
        except InvalidOperation:
            return None


@dataclass(frozen=True)
class Wait:
    """Not before `until`, and why, in words. until None: a person must do something first."""

    until: datetime | None
    reason: str


def sim(db: sqlite3.Connection, name: str) -> Sim:
    """What was set of this SIM; the defaults when nothing was."""
    row = db.execute("SELECT * FROM sim WHERE name = ?", (name,)).fetchone()
    return Sim(**{field.name: row[field.name] for field in fields(Sim)}) if row else Sim(name)


def may_send(db: sqlite3.Connection, name: str, now: datetime, is_campaign: bool = True) -> Wait | None:
    """None when this SIM may begin a text now. An answer or a person's text waits for the hour and the day only."""
    it = sim(db, name)
    if is_campaign and it.paused_reason:
        return Wait(None, it.paused_reason)
    if is_campaign and (short := guards.shortage_of(db, name, now)):
        return Wait(None, SHORT[short])
    for limit, span, said in ((it.hourly, HOUR, f"{name} may send {it.hourly} texts an hour."),
                              (it.daily, DAY, f"{name} may send {it.daily} texts a day.")):
        room = limit * CAMPAIGN_SHARE[0] // CAMPAIGN_SHARE[1] if is_campaign else limit
        if limit and (full := _full_until(db, name, max(room, 1), span, now)):
            return Wait(full, f"{said} Some are kept for answers to calls." if is_campaign else said)
    if is_campaign and it.pace_s and (at := _token_at(db, it, now)) and at > now:
        return Wait(at, f"{name} sends a group text every {it.pace_s:g} s.")
    return None


def refused_for_good(db: sqlite3.Connection, segment_id: int, now: datetime) -> bool:
    """True when this permanent refusal was its SIM's fifth in a row: group texts then wait until a person resumes them.

    Called in the transaction that keeps the refusal; a text that went, or a passing trouble, breaks the row.
    """
    row = db.execute("SELECT sim FROM segment WHERE id = ?", (segment_id,)).fetchone()
    if row is None or row["sim"] is None:
        return False
    name = str(row["sim"])
    it = sim(db, name)
    last = db.execute("""
        SELECT segment.state, segment.cms_code
        FROM segment
        WHERE sim = ? AND sending_at > ? AND sending_at <= ? AND state NOT IN ('queued', 'sending')
        ORDER BY sending_at DESC, id DESC
        LIMIT ?""", (name, it.resumed_at or "", iso(now), PERMANENT_IN_A_ROW)).fetchall()
    in_a_row = [row for row in last if row["state"] == "failed" and row["cms_code"] is not None
                and cms.outcome(row["cms_code"]) is cms.Outcome.PERMANENT]
    if it.paused_reason or len(in_a_row) < PERMANENT_IN_A_ROW:
        return False
    db.execute("""
        INSERT INTO sim (name, paused_reason) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET paused_reason = excluded.paused_reason""", (name, (
            f"{PERMANENT_IN_A_ROW} texts in a row were refused for good, the last because "
            f"{cms.words(in_a_row[0]['cms_code'])}. Group texts wait; answers to calls still go. "
            "Look at the numbers and the SIM, then press Resume.")))
    return True


def resume(db: sqlite3.Connection, name: str, now: datetime) -> None:
    """Group texts go on from this SIM; refusals before now no longer count."""
    db.execute("""
        INSERT INTO sim (name, resumed_at) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET paused_reason = NULL, resumed_at = excluded.resumed_at""", (name, iso(now)))


def _full_until(db: sqlite3.Connection, name: str, limit: int, span: timedelta, now: datetime) -> datetime | None:
    """When the oldest of the last `limit` texts leaves the span; None while there is room for one more."""
    row = db.execute("""
        SELECT sending_at
        FROM segment INDEXED BY segment_sending_at
        WHERE sim = ? AND part = 1 AND sending_at > ? AND sending_at <= ?
        ORDER BY sending_at DESC
        LIMIT 1 OFFSET ?""", (name, iso(now - span), iso(now), limit - 1)).fetchone()
    return parse_time(row["sending_at"]) + span if row else None


def _token_at(db: sqlite3.Connection, it: Sim, now: datetime) -> datetime | None:
    """When the bucket holds a token again, from the segments this SIM sent last. None: it never sent."""
    rows = db.execute("""
        SELECT id, sending_at
        FROM segment INDEXED BY segment_sending_at
        WHERE sim = ? AND sending_at <= ?
        ORDER BY sending_at DESC
        LIMIT ?""", (it.name, iso(now), LOOK_BACK)).fetchall()
    full_at: datetime | None = None
    for row in reversed(rows):
        drawn = parse_time(row["sending_at"])
        token_s = it.pace_s * random.Random(row["id"]).uniform(1 - JITTER, 1 + JITTER)
        full_at = max(full_at or drawn, drawn) + timedelta(seconds=token_s)
    return full_at - timedelta(seconds=it.pace_s * (BURST - 1) * (1 + JITTER)) if full_at else None
