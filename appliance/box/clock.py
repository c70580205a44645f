"""`deskbell run clock`: the slow work on the disk. APScheduler wakes us; what is due is read from the store."""
from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from appliance.box.notify import Notify
from appliance.config import Box
from appliance.store import db as store

log = logging.getLogger("clock")

SESSION_KEPT = timedelta(days=30)      # idle ones are refused much sooner; this only tidies
LEDGER_KEPT = timedelta(days=7)        # rows of calls that are over, for somebody who asks why
EVENT_KEPT = timedelta(days=7)         # a browser that slept longer is shown how things stand
FEED_S = 5.0
STUCK_S = 600.0          # no task here may take longer; then the watchdog restarts us


def run(box: Box, stop: threading.Event, notify: Notify) -> None:
    """Runs the tasks until stop is set; a task that fails is said and tried again at its next time."""
    db = store.connect(box.store)
    store.migrate(db)
    db.close()
    clock = Clock(box)
    # A late start still runs (grace None) and once (coalesce): the defaults drop a job that is 30 s late.
    scheduler = BackgroundScheduler(timezone=box.zone, job_defaults={
        "misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    scheduler.add_job(clock.hourly, "interval", hours=1, next_run_time=datetime.now(UTC))
    scheduler.start()
    notify.ready()
    while not stop.wait(FEED_S):
        if scheduler.running and not clock.is_stuck(datetime.now(UTC)):
            notify.alive()
    scheduler.shutdown(wait=True)


class Clock:
    """The tasks and since when one of them has been running."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._since: datetime | None = None

    def is_stuck(self, now: datetime) -> bool:
        return self._since is not None and now - self._since > timedelta(seconds=STUCK_S)

    def hourly(self) -> None:
        """Lets go of what nobody needs: sessions that ended, ledger rows of calls long over."""
        tasks: tuple[Callable[[sqlite3.Connection, datetime], int], ...] = (
            forget_ledger_rows, forget_sessions, forget_events)
        self._since = datetime.now(UTC)
        try:
            db = store.connect(self._box.store)
            for task in tasks:
                if gone := task(db, datetime.now(UTC)):
                    log.info("%s: %d rows let go.", task.__name__.replace("_", " "), gone)
            db.close()
        except (sqlite3.Error, store.StoreError) as broken:
            log.error("The hourly tidying failed (%s). Calls and texts go on; it is tried again in an hour.", broken)
        finally:
            self._since = None


def forget_ledger_rows(db: sqlite3.Connection, now: datetime) -> int:
    """How many ledger rows of long ended calls were let go."""
    before = int((now - LEDGER_KEPT).timestamp() * 1_000_000)
    with store.write(db):
        return db.execute("""
            DELETE FROM ledger_event WHERE at_us < ? AND NOT EXISTS (
              SELECT 1 FROM call WHERE call.boot = ledger_event.boot
              AND call.linkedid = ledger_event.linkedid AND call.ended_at IS NULL)""", (before,)).rowcount


def forget_sessions(db: sqlite3.Connection, now: datetime) -> int:
    """How many sessions that nobody used for 30 days were removed."""
    with store.write(db):
        return db.execute("DELETE FROM session WHERE seen_at < ?", (store.iso(now - SESSION_KEPT),)).rowcount


def forget_events(db: sqlite3.Connection, now: datetime) -> int:
    """How many events that every desk has long seen were removed; their ids are never used again."""
    with store.write(db):
        return db.execute("DELETE FROM event WHERE at < ?", (store.iso(now - EVENT_KEPT),)).rowcount
