"""The clock's thread for backups: it waits for rows, and takes hours where a copy takes hours."""
from __future__ import annotations

import logging
import sqlite3
import threading
import time
from datetime import UTC, datetime

from appliance import config
from appliance.backup.job import LeavingError
from appliance.backup.worker import Worker
from appliance.box import wallclock
from appliance.config import Box
from appliance.store import db as store

log = logging.getLogger("backup")

LOOK_S = 1.0
STUCK_S = 600.0          # without one byte more: a place that hangs; then the watchdog restarts us


class Served:
    """start() and stop() it; clock_wait_s: so long nights wait for somebody to vouch for the time."""

    def __init__(self, box: Box, clock_wait_s: float) -> None:
        self._box, self._clock_wait_s = box, clock_wait_s
        self._stop, self._began, self._alive_at, self._said = threading.Event(), time.monotonic(), time.monotonic(), ""
        self._thread = threading.Thread(target=self._run, name="backups", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What it is at is begun anew at the next start."""
        self._stop.set()
        self._thread.join(10)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def is_stuck(self) -> bool:
        return time.monotonic() - self._alive_at > STUCK_S

    def _run(self) -> None:
        worker: Worker | None = None
        while not self._stop.is_set():
            try:
                worker = worker or Worker(self._box, lambda: datetime.now(UTC), self._alive)
                self._alive()
                is_clock_set = (wallclock.is_set(datetime.now(UTC))
                                or time.monotonic() - self._began >= self._clock_wait_s)
                if not worker.serve(is_clock_set):
                    self._stop.wait(LOOK_S)
                self._said = ""
            except LeavingError:
                return
            except (sqlite3.Error, store.StoreError, OSError, config.ConfigError) as broken:
                if str(broken) != self._said:
                    log.error("Backups wait (%s). Calls and texts go on; it is tried again each second.", broken)
                self._said = str(broken)
                self._alive_at = time.monotonic()
                self._stop.wait(LOOK_S)
        if worker:
            worker.close()

    def _alive(self) -> None:
        self._alive_at = time.monotonic()
        if self._stop.is_set():
            raise LeavingError
