"""`deskbell run clock`: the slow work on the disk. APScheduler wakes us; what is due is read from the store."""
from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from appliance.backup.served import Served
from appliance.box import wallclock
from appliance.box.look import EVERY, Eye
from appliance.box.notify import Notify
from appliance.calls import tocall
from appliance.calls.archive import Archive
from appliance.config import Box
from appliance.doors import webhooks
from appliance.people import links, traces, transfer_store, transfer_work
from appliance.store import db as store
from appliance.texts import inbox, occurrences
from appliance.update import channel
from appliance.update.bundle import Ground

log = logging.getLogger("clock")

SESSION_KEPT = timedelta(days=30)      # idle ones are refused much sooner; this only tidies
LEDGER_KEPT = timedelta(days=7)        # rows of calls that are over, for somebody who asks why
EVENT_KEPT = timedelta(days=7)         # a browser that slept longer is shown how things stand
FEED_S = 5.0
CLOCK_WAIT_S = 600.0     # so long group texts wait for somebody to vouch for the time, where nobody ever does
LINKING_S = 0.5          # so long a second at most calls are given to cards that came in by a list
STUCK_S = 600.0          # no task here may take longer; then the watchdog restarts us


def run(box: Box, stop: threading.Event, notify: Notify) -> None:
    """Runs the tasks until stop is set; a task that fails is said and tried again at its next time."""
    db = store.connect(box.store)
    store.migrate(db)
    db.close()
    clock = Clock(box)
    clock.stop = stop
    logging.getLogger("apscheduler").setLevel(logging.ERROR)   # it warns each second that 10,000 texts take longer
    # A late start still runs (grace None) and once (coalesce): the defaults drop a job that is 30 s late.
    scheduler = BackgroundScheduler(timezone=box.zone, job_defaults={
        "misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    scheduler.add_job(clock.hourly, "interval", hours=1, next_run_time=datetime.now(UTC))
    scheduler.add_job(Eye(box).look, "interval", seconds=EVERY.total_seconds(), next_run_time=datetime.now(UTC))
    scheduler.add_job(clock.each_second, "interval", seconds=1, next_run_time=datetime.now(UTC))
    scheduler.add_job(clock.imports, "interval", seconds=1, next_run_time=datetime.now(UTC))
    scheduler.add_job(channel.Nightly(box, Ground()).attend, "interval", minutes=1, next_run_time=datetime.now(UTC))
    archive, backups = Archive(box, CLOCK_WAIT_S), Served(box, CLOCK_WAIT_S)
    scheduler.start()
    archive.start()
    backups.start()
    notify.ready()
    while not stop.wait(FEED_S):
        if scheduler.running and not clock.is_stuck() and all(
                thread.is_alive() and not thread.is_stuck() for thread in (archive, backups)):
            notify.alive()
    scheduler.shutdown(wait=True)
    archive.stop()
    backups.stop()


class Clock:
    """The tasks and since when one of them has been running. clock_wait_s: see CLOCK_WAIT_S."""

    def __init__(self, box: Box, clock_wait_s: float = CLOCK_WAIT_S) -> None:
        self._box, self._clock_wait_s = box, clock_wait_s
        self._since: dict[str, float] = {}
        self._began = time.monotonic()
        self._db: sqlite3.Connection | None = None
        self._imports_db: sqlite3.Connection | None = None
        self.stop = threading.Event()
        self._said = ""

    def is_stuck(self) -> bool:
        return any(time.monotonic() - since > STUCK_S for since in list(self._since.values()))

    def each_second(self) -> None:
        """Campaigns that are due begin and go on; what owners asked by text is answered."""
        self._since["each_second"] = time.monotonic()
        try:
            self._db = self._db or store.connect(self._box.store)
            now = datetime.now(UTC)
            is_clock_set = wallclock.is_set(now) or time.monotonic() - self._began >= self._clock_wait_s
            inbox.attend(self._db, self._box, now)
            links.settle(self._db, LINKING_S)
            tocall.attend(self._db, now)
            if queued := occurrences.expand_due(self._db, self._box, now, is_clock_set):
                log.info("%d group texts queued.", queued)
            self._said = ""
        except (sqlite3.Error, store.StoreError) as broken:
            if str(broken) != self._said:
                log.error("Group texts wait (%s). Calls and their texts go on; it is tried again each second.", broken)
            self._said = str(broken)
        finally:
            del self._since["each_second"]

    def imports(self) -> None:
        """Files of customers come in, or are taken back."""
        self._since["imports"] = time.monotonic()
        try:
            self._imports_db = self._imports_db or store.connect(self._box.store)
            transfer_store.sweep(self._imports_db, self._box, datetime.now(UTC))
            while not self.stop.is_set() and transfer_work.attend(
                    self._imports_db, self._box, datetime.now(UTC), is_over=self.stop.is_set):
                self._since["imports"] = time.monotonic()
        except (sqlite3.Error, store.StoreError) as broken:
            log.error("An import waits (%s). Calls and texts go on; it is tried again each second.", broken)
        finally:
            del self._since["imports"]

    def hourly(self) -> None:
        """Lets go of what nobody needs: sessions that ended, ledger rows of calls long over."""
        tasks: tuple[Callable[[sqlite3.Connection, datetime], int], ...] = (
            forget_ledger_rows, forget_sessions, forget_events, forget_letters)
        self._since["hourly"] = time.monotonic()
        try:
            db = store.connect(self._box.store)
            for task in tasks:
                if gone := task(db, datetime.now(UTC)):
                    log.info("%s: %d rows let go.", task.__name__.replace("_", " "), gone)
            now = datetime.now(UTC)
            traces.sweep(db, now, now.astimezone(self._box.zone).hour)
            db.close()
        except (sqlite3.Error, store.StoreError) as broken:
            log.error("The hourly tidying failed (%s). Calls and texts go on; it is tried again in an hour.", broken)
        finally:
            del self._since["hourly"]


def forget_ledger_rows(db: sqlite3.Connection, now: datetime) -> int:
    """How many ledger rows of long ended calls were let go."""
    before = int((now - LEDGER_KEPT).timestamp() * 1_000_000)
    with store.write(db):
        return db.execute("""
            DELETE FROM ledger_event WHERE at_us < ? AND NOT EXISTS (
              SELECT 1 FROM call WHERE call.boot = ledger_event.boot
              AND call.linkedid = ledger_event.linkedid AND call.ended_at IS NULL)""", (before,)).rowcount


def forget_letters(db: sqlite3.Connection, now: datetime) -> int:
    """How many letters of webhooks that are long settled were let go."""
    with store.write(db):
        return webhooks.forget(db, now)


def forget_sessions(db: sqlite3.Connection, now: datetime) -> int:
    """How many sessions that nobody used for 30 days were removed."""
    with store.write(db):
        return db.execute("DELETE FROM session WHERE seen_at < ?", (store.iso(now - SESSION_KEPT),)).rowcount


def forget_events(db: sqlite3.Connection, now: datetime) -> int:
    """How many events that every desk has long seen were removed; their ids are never used again."""
    with store.write(db):
        return db.execute("DELETE FROM event WHERE at < ?", (store.iso(now - EVENT_KEPT),)).rowcount
