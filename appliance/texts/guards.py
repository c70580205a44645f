"""What keeps an automatic text from going: the same guards for rules, keyword answers and campaigns.

check() is pure; recent() gathers what it asks; recheck() asks again when a text is due. Every `now` and `due_at` that
check() and quiet() get is in shop time, because the quiet hours are.
"""
from __future__ import annotations

import enum
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from appliance import hours
from appliance.box.wallclock import EARLIEST
from appliance.config import Box
from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.store.db import iso, parse_time
from appliance.texts import optouts

LOOP_S = 10  # a person needs longer to read a text and to answer it
LOOP_LOOK_BACK = timedelta(days=1)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Purpose(enum.StrEnum):
    """What a text is for: MISSED answers a call that did not come through, CALL any other one, ANSWER a text."""

    MISSED = "missed"
    CALL = "call"
    ANSWER = "answer"
    CAMPAIGN = "campaign"


AUTOMATIC = {Purpose.MISSED, Purpose.CALL, Purpose.ANSWER}


class Back(enum.StrEnum):
    """How the two sides have spoken since the call."""

    CALLED_BACK = "called_back"
    CAME_THROUGH = "came_through"


class Shortage(enum.StrEnum):
    """What no SIM has enough of."""

    ALLOWANCE = "allowance"
    BALANCE = "balance"


@dataclass(frozen=True)
class Recent:
    """What happened before. Automatic texts count when they went, may have gone or are on their way.

    last_text_at and texts_today (24 hours) are those to the number, texts_this_hour those of the whole box.
    """

    last_text_at: datetime | None = None
    texts_today: int = 0
    texts_this_hour: int = 0
    is_opted_out: bool = False
    is_own: bool = False
    is_bouncing: bool = False
    back: Back | None = None
    shortage: Shortage | None = None


@dataclass(frozen=True)
class Refusal:
    """Why not: a code for the program, a sentence for the page; rule is the key of the one that fitted."""

    code: str
    reason: str
    rule: str | None = None


@dataclass(frozen=True)
class Later:
    """It may go, but not before due_at."""

    due_at: datetime


KINDS = {
    Kind.LANDLINE: Refusal("landline", "Not texted: a landline cannot take texts."),
    Kind.SHORT: Refusal("short", "Not texted: the number is too short or not a subscriber's."),
    Kind.OTHER: Refusal("other", "Not texted: a service number cannot take texts."),
}
OWN = Refusal("own", "Not texted: the call came from a number of our own.")
OPTED_OUT = Refusal("opted_out", "Not texted: they asked not to be texted.")
BOUNCING = Refusal("loop", "Not texted: an automatic system seems to answer there, and the two would text for ever.")
BREAKER = Refusal("breaker", "Not texted: too many automatic texts went out within the hour. Calls are logged; "
                             "texts go again as the hour passes.")
SHORTAGES = {
    Shortage.ALLOWANCE: Refusal("allowance", "Not texted: the SIM's allowance for this month is used up."),
    Shortage.BALANCE: Refusal("balance", "Not texted: the SIM's balance is too low. Top it up."),
}
BACKS = {
    Back.CALLED_BACK: Refusal("called_back", "Not texted: somebody here has called back."),
    Back.CAME_THROUGH: Refusal("came_through", "Not texted: the caller got through in another call."),
}
QUIET = Refusal("quiet", "Not texted: it is in the quiet hours.")


def check(number: str | None, kind: Kind, why: Purpose, recent: Recent, settings: Settings, now: datetime,
          due_at: datetime | None = None) -> Refusal | Later | None:
    """None when the number may be texted at due_at (None: now), else until when to wait or why not. Pure."""
    if number is None:
        return KINDS[Kind.SHORT]
    if recent.is_own:
        return OWN
    if kind is not Kind.MOBILE:
        return KINDS[kind]
    if recent.is_opted_out:
        return OPTED_OUT
    if why is Purpose.MISSED and recent.back is not None:
        return BACKS[recent.back]
    if why in AUTOMATIC and (refusal := _too_often(why, recent, settings, now)) is not None:
        return refusal
    if recent.shortage is not None:
        return SHORTAGES[recent.shortage]
    return None if why is Purpose.ANSWER else quiet(settings, due_at or now)


def _too_often(why: Purpose, recent: Recent, settings: Settings, now: datetime) -> Refusal | None:
    if recent.is_bouncing:
        return BOUNCING
    if why is not Purpose.ANSWER and recent.last_text_at is not None:
        ago = max(now - recent.last_text_at, timedelta(0))
        if ago < timedelta(minutes=settings.text_pause_min):
            return Refusal("pause", f"texted {_ago(ago)} ago")
    if recent.texts_today >= settings.texts_a_day:
        return Refusal("a_day", f"texted {recent.texts_today} times within a day")
    return BREAKER if recent.texts_this_hour >= settings.breaker_an_hour else None


def quiet(settings: Settings, at: datetime) -> Refusal | Later | None:
    """What the quiet hours make of a text that would go at `at`; None outside of them.

    A clock that was never set knows no night: then a text goes.
    """
    if at < EARLIEST or not hours.is_between(settings.quiet_from, settings.quiet_until, at):
        return None
    return QUIET if settings.quiet_does == "drop" else Later(hours.next_time(settings.quiet_until, at))


def recent(db: sqlite3.Connection, number: str | None, now: datetime, *, since: datetime | None = None,
           own: Collection[str] = ()) -> Recent:
    """What check() asks of `number`. since: when the call began that is to be answered; own: own_numbers()."""
    texts = db.execute("""
        SELECT max(created_at) AS last, coalesce(sum(created_at > ? AND created_at <= ?), 0) AS today
        FROM sms
        WHERE number = ? AND direction = 'out' AND (is_automatic = 1 OR rule IS NOT NULL)
          AND state NOT IN ('failed', 'cancelled', 'expired')""", (iso(now - DAY), iso(now), number)).fetchone()
    is_opted_out = number is not None and optouts.has(db, number)
    return Recent(parse_time(texts["last"]) if texts["last"] else None, texts["today"], _of_the_box(db, now),
                  is_opted_out, number in own, _is_bouncing(db, number, now),
                  _back(db, number, since) if since and number else None, shortage(db, now))


def recheck(db: sqlite3.Connection, sms_id: int, now: datetime) -> Refusal | None:
    """Why a text that was queued earlier must not go now: they opted out since, or the two sides have spoken.

    A text made after the opt-out was made in the knowledge of it, such as the confirmation of a STOP.
    """
    sms = db.execute("""
        SELECT sms.number, sms.created_at, sms.is_automatic, call.started_at, call.outcome, opt_out.at AS opted_out_at
        FROM sms LEFT JOIN call ON call.id = sms.call_id LEFT JOIN opt_out ON opt_out.number = sms.number
        WHERE sms.id = ?""", (sms_id,)).fetchone()
    if sms is None:
        return None
    if sms["opted_out_at"] and sms["opted_out_at"] > sms["created_at"]:
        return OPTED_OUT
    if sms["is_automatic"] and sms["outcome"] not in (None, "answered"):
        back = _back(db, sms["number"], parse_time(sms["started_at"]))
        return BACKS[back] if back else None
    return None


def own_numbers(db: sqlite3.Connection, box: Box) -> set[str]:
    """Every number that is ours: lines, and SIMs as box.toml or the radio itself names them."""
    told = {row["number"] for row in db.execute("SELECT number FROM modem WHERE number IS NOT NULL")}
    return {*box.own_numbers, *(modem.number for modem in box.modems if modem.number), *told}


def shortage(db: sqlite3.Connection, now: datetime) -> Shortage | None:
    """What every SIM lacks, None while one of them can pay for a text. A SIM nobody set limits for always can."""
    lacks = [_lacks(db, row, now) for row in db.execute(_LIMITS).fetchall()]
    return lacks[0] if lacks and all(lacks) else None


def shortage_of(db: sqlite3.Connection, sim: str, now: datetime) -> Shortage | None:
    """What this SIM lacks, whatever the others have."""
    row = db.execute(f"{_LIMITS} WHERE modem.name = ?", (sim,)).fetchone()
    return _lacks(db, row, now) if row else None


_LIMITS = """
    SELECT modem.name, modem.balance, sim.least_balance, sim.allowance, sim.allowance_day
    FROM modem LEFT JOIN sim ON sim.name = modem.name"""


def _lacks(db: sqlite3.Connection, sim: sqlite3.Row, now: datetime) -> Shortage | None:
    if sim["least_balance"] and sim["balance"] and _decimal(sim["balance"]) < _decimal(sim["least_balance"]):
        return Shortage.BALANCE
    if sim["allowance"] is None:
        return None
    used: int = db.execute("""
        SELECT count(*) AS used
        FROM segment
        WHERE sending_at BETWEEN ? AND ? AND state IN ('sent', 'delivered', 'unknown') AND coalesce(sim, ?) = ?""",
        (iso(month_start(sim["allowance_day"], now)), iso(now), sim["name"], sim["name"])).fetchone()["used"]
    return Shortage.ALLOWANCE if used >= sim["allowance"] else None


def month_start(day: int, now: datetime) -> datetime:
    """The last midnight, in the zone of `now`, on which an allowance began whose months start on `day` (1..28)."""
    first = now.replace(day=day, hour=0, minute=0, second=0, microsecond=0)
    return first if first <= now else (first.replace(day=1) - DAY).replace(day=day)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


def _of_the_box(db: sqlite3.Connection, now: datetime) -> int:
    return int(db.execute("""
        SELECT count(*)
        FROM sms
        WHERE is_automatic = 1 AND created_at > ? AND created_at <= ? AND state NOT IN ('cancelled', 'expired')""",
        (iso(now - HOUR), iso(now))).fetchone()[0])


def _is_bouncing(db: sqlite3.Connection, number: str | None, now: datetime) -> bool:
    """A text came within seconds of an automatic one of ours, or says the very same.

    updated_at of a text that came is when we got it, by the clock that wrote sent_at; created_at is the network's.
    """
    return db.execute("""
        SELECT 1
        FROM sms AS ours JOIN sms AS theirs ON theirs.number = ours.number AND theirs.direction = 'in'
        WHERE ours.number = ? AND ours.direction = 'out' AND ours.is_automatic = 1
          AND theirs.created_at > ?
          AND (trim(theirs.text) = trim(ours.text) COLLATE NOCASE
               OR (julianday(theirs.updated_at) - julianday(ours.sent_at)) * 86400 BETWEEN 0 AND ?)
        LIMIT 1""", (number, iso(now - LOOP_LOOK_BACK), LOOP_S)).fetchone() is not None


def _back(db: sqlite3.Connection, number: str, since: datetime) -> Back | None:
    row = db.execute("""
        SELECT direction
        FROM call
        WHERE number = ? AND started_at >= ? AND answered_at IS NOT NULL AND direction IN ('in', 'out')
          AND coalesce(outcome, 'answered') = 'answered'
        LIMIT 1""", (number, iso(since))).fetchone()
    if row is None:
        return None
    return Back.CAME_THROUGH if row["direction"] == "in" else Back.CALLED_BACK


def _ago(ago: timedelta) -> str:
    passed = int(ago.total_seconds()) // 60
    return f"{passed} min" if passed < 120 else f"{passed // 60} h"
