"""The time of the mobile network (NITZ), for a box that no time server reaches: offered by the radio, set by root."""
from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
SMALL = timedelta(seconds=2)
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
    if at is None or not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'errand'").fetchone():
        return False
    try:
        errands.ask(db, box, "the mobile network", "time", {"at": iso(at), "counted_s": time.monotonic()}, now)
    except errands.ErrandError as refused:
        log.info("the network's time is not taken: %s", refused)
        return False
    return True


def errand(_db: sqlite3.Connection, wanted: dict[str, Any], progress: Callable[[int, str], None],
           places: Places | None = None, set_clock: Callable[[float], None] | None = None) -> str:
    """The verb `time`: sets the clock to {"at": UTC, "counted_s": CLOCK_MONOTONIC of that moment}. RefusedError."""
    if wallclock.SYNCHRONISED.exists():
        raise RefusedError("A time server keeps the clock; the mobile network's time was not taken.")
    try:
        at = parse_time(str(wanted["at"]))
        at += timedelta(seconds=max(0.0, time.monotonic() - float(wanted.get("counted_s", time.monotonic()))))
    except (KeyError, ValueError, TypeError, OverflowError) as wrong:
        raise RefusedError("That is no time. The clock stays as it is.") from wrong
    if at.tzinfo is None or not wallclock.EARLIEST <= at < LATEST:
        raise RefusedError("That time cannot be. The clock stays as it is.")
    off = abs(at - datetime.now(UTC))
    if off > SMALL:
        (set_clock or _set)(at.timestamp())
    tell(places or Places(), "time", {"by": "gsm", "at": iso(at)})
    progress(100, "")
    return "The clock goes by the mobile network now."


def _set(seconds: float) -> None:
    time.clock_settime(time.CLOCK_REALTIME, seconds)
