"""The keeper of the recordings in the clock: makes them smaller, lets them go at their time, tidies what a cut left."""
from __future__ import annotations

import logging
import shutil
import signal
import sqlite3
import threading
import time
from datetime import UTC, datetime
from subprocess import Popen

from appliance.box import wallclock
from appliance.calls import packing, retention
from appliance.calls.opus import OpusError
from appliance.config import Box
from appliance.store import db as store

log = logging.getLogger("recordings")

LOOK_S = 5.0                     # a recording is a WAV for so long at least
ROOM_S = 60.0
TIDY_S = 1800.0
STUCK_S = 600.0                  # no step here takes longer without a breath


class Stopping(Exception):
    """The daemon ends: what is under way is dropped, and begun anew next time."""


class Archive(threading.Thread):
    """One thread; only its tools are idle in processor and disk: it holds the store's write lock, and a call waits."""

    def __init__(self, box: Box, clock_wait_s: float = 600.0) -> None:
        super().__init__(name="recordings", daemon=True)
        self._box, self._clock_wait_s = box, clock_wait_s
        self._stop = threading.Event()
        self._began = self._breath = time.monotonic()
        self._refused: frozenset[int] = frozenset()
        self._sweeper = retention.Sweeper(box)
        self._due = {"room": 0.0, "tidy": 0.0}
        self._said = ""
        self._is_able = all(shutil.which(tool) for tool in ("opusenc", "ionice", "nice"))

    def stop(self) -> None:
        self._stop.set()
        if self.is_alive():
            self.join(timeout=10)

    def is_stuck(self) -> bool:
        return time.monotonic() - self._breath > STUCK_S

    def run(self) -> None:
        db: sqlite3.Connection | None = None
        while not self._stop.is_set():
            try:
                db = db or store.connect(self._box.store)
                is_busy = self.step(db, datetime.now(UTC))
                self._said = ""
            except Stopping:
                break
            except (sqlite3.Error, store.StoreError, OSError) as broken:
                is_busy = False
                if str(broken) != self._said:
                    log.error("Recordings wait (%s). Calls go on.", broken)
                self._said = str(broken)
            self._breath = time.monotonic()
            if not is_busy:
                self._stop.wait(LOOK_S)
        if db:
            db.close()

    def step(self, db: sqlite3.Connection, now: datetime) -> bool:
        """Whether there is more to do at once."""
        retention.take_away(db, self._box, now)
        if self._is_due("room", ROOM_S):
            retention.make_room(db, self._box, now)
        if self._is_due("tidy", TIDY_S):
            self._refused = frozenset()          # what failed for a full disk may go well now
            if wallclock.is_set(now) or time.monotonic() - self._began >= self._clock_wait_s:
                retention.let_old_go(db, now)
                self._sweeper.look(db, now)
            else:
                self._due["tidy"] = 0.0          # nothing grows old by a clock that nobody vouches for
        return self._pack_one(db)

    def _is_due(self, what: str, every_s: float) -> bool:
        now_s = time.monotonic()
        if self._due[what] > now_s:
            return False
        self._due[what] = now_s + every_s
        return True

    def _pack_one(self, db: sqlite3.Connection) -> bool:
        if not self._is_able or packing.are_calls_many(db):
            return False
        tape = packing.next_tape(db, self._refused)
        if tape is None:
            return False
        try:
            return packing.pack(db, self._box, tape, lambda tool: self._rest(db, tool))
        except (OpusError, OSError) as refused:
            log.error("The recording of call %d stays a WAV: %s.", tape.call_id, refused)
            self._refused |= {tape.call_id}
            return True

    def _rest(self, db: sqlite3.Connection, tool: Popen[bytes] | None) -> None:
        """While calls are many the tool stands still, and so do we."""
        self._breathe()
        if not packing.are_calls_many(db):
            return
        if tool:
            tool.send_signal(signal.SIGSTOP)
        try:
            while packing.are_calls_many(db):
                self._breathe()
                self._stop.wait(1.0)
        finally:
            if tool:
                tool.send_signal(signal.SIGCONT)

    def _breathe(self) -> None:
        self._breath = time.monotonic()
        if self._stop.is_set():
            raise Stopping
