"""The time for a box that no time server reaches: of the mobile network (NITZ) or of a call. Root sets it."""
from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from appliance.box import wallclock
from appliance.box.boot_notes import tell
from appliance.box.places import Places
from appliance.config import Box
from appliance.store.db import iso, parse_time
from appliance.update import errands
from appliance.update.errands import RefusedError
from hw.at import GsmRejected
from hw.gsm import Gsm

log = logging.getLogger("time")
LATEST = wallclock.EARLIEST + timedelta(days=15 * 365)     # what says more is a broken clock too
CLOSE = {"gsm": timedelta(seconds=2), "line": timedelta(minutes=2)}      # a caller ID tells minutes
BY = {"gsm": "the mobile network", "line": "the telephone line"}
SET = {"gsm": "The clock goes by the mobile network now.", "line": "The clock goes by the telephone line now."}
# "yy/MM/dd,hh:mm:ss±zz" in local time, zz quarters of an hour from UTC (3GPP TS 27.007, 8.15)
CLOCK = re.compile(r'\+CCLK: *"?(\d\d)/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)([+-]\d\d)?"?')


def read(lines: list[str]) -> datetime | None:
    """The UTC time in the answer to AT+CCLK?; None for a clock that was never set, as most are in 1980."""
    found = next((match for line in lines if (match := CLOCK.fullmatch(line.strip()))), None)
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    at = local - timedelta(minutes=15 * int(found[7] or 0))
    return at if wallclock.EARLIEST <= at < LATEST else None


def offer(db: sqlite3.Connection, box: Box, gsm: Gsm, now: datetime) -> bool:
    """Whether the network's time was handed on. Ask only while nobody vouches for the clock. GsmGone passes."""
    try:
        gsm.at("AT+CTZU=1")                  # from now on the network sets the modem's clock
    except GsmRejected:
        log.info("the modem lets no network set its clock")
    try:
        at = read(gsm.at("AT+CCLK?"))
    except GsmRejected:
        return False
    return at is not None and _ask(db, box, at, "gsm", now)


def offer_of_call(db: sqlite3.Connection, box: Box, date: str, now: datetime) -> bool:
    """Whether the time of a call was handed on: the Date of its INVITE (RFC 3261, 20.17), "" where there is none.

    A gateway has it of a time server or a caller ID. Our clock began at the last time seen: an earlier one is wrong.
    """
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return False
    if at.tzinfo is None or not max(wallclock.EARLIEST, now - CLOSE["line"]) <= at < LATEST:
        return False
    return _ask(db, box, at.astimezone(UTC), "line", now)


def _ask(db: sqlite3.Connection, box: Box, at: datetime, source: str, now: datetime) -> bool:
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'errand'").fetchone():
        return False
    try:
        errands.ask(db, box, BY[source], "time", {"at": iso(at), "counted_s": time.monotonic(), "of": source}, now)
    except errands.ErrandError as refused:
        log.info("the time of %s is not taken: %s", BY[source], refused)
        return False
    return True


def errand(_db: sqlite3.Connection, wanted: dict[str, Any], progress: Callable[[int, str], None],
           places: Places | None = None, set_clock: Callable[[float], None] | None = None) -> str:
    """The verb `time`: sets the clock to {"at": UTC, "counted_s": CLOCK_MONOTONIC of that moment, "of": of BY}.

    Raises RefusedError.
    """
    if wallclock.SYNCHRONISED.exists():
        raise RefusedError("A time server keeps the clock; no other time was taken.")
    try:
        at = parse_time(str(wanted["at"]))
        at += timedelta(seconds=max(0.0, time.monotonic() - float(wanted.get("counted_s", time.monotonic()))))
    except (KeyError, ValueError, TypeError, OverflowError) as wrong:
        raise RefusedError("That is no time. The clock stays as it is.") from wrong
    if at.tzinfo is None or not wallclock.EARLIEST <= at < LATEST:
        raise RefusedError("That time cannot be. The clock stays as it is.")
    source = "line" if wanted.get("of") == "line" else "gsm"
    if abs(at - datetime.now(UTC)) > CLOSE[source]:
        (set_clock or _set)(at.timestamp())
    tell(places or Places(), "time", {"by": source, "at": iso(at)})
    progress(100, "")
    return SET[source]


def _set(seconds: float) -> None:
    time.clock_settime(time.CLOCK_REALTIME, seconds)
