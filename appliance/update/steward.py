"""`deskbell steward`: does the errands that wait, one after the other, and goes.

Runs as root, once at a time, when somebody knocked. It trusts nothing in a row but the name of a verb it knows; what
was wanted is checked by the verb. Rows are written in short transactions: a call never waits for an errand.
"""
from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from appliance import config
from appliance.config import Box
from appliance.store import db as store
from appliance.update import errands, verbs
from appliance.update.errands import FailedError, RefusedError

log = logging.getLogger("steward")

Find = Callable[[str], verbs.Verb | None]
SAID_EVERY_S = 0.5
FULL_S = 10.0                    # a disk that is full: so long until it is asked again
BROKEN_S = 60.0                  # a store that cannot be used; then systemd starts us anew
NEXT = "SELECT * FROM errand WHERE state = 'waiting' ORDER BY id LIMIT 1"


class LeavingError(Exception):
    """The system goes down: what runs is said to be cut off, what waits is refused by the next boot."""


def run(box: Box | None = None, broken_s: float = BROKEN_S) -> int:
    """Serves what waits. The exit code: 0, also when there was nothing to do; 1 while the store cannot be used."""
    box = box or config.read()
    with _alone(box) as is_alone:
        if not is_alone:
            return 0                            # the other one looks once more after it has taken the knock away
        stop = threading.Event()

        def stopped(_number: int, _frame: FrameType | None) -> None:
            stop.set()              # not at once: who has just ordered a restart writes that down first

        signal.signal(signal.SIGTERM, stopped)
        try:
            _attend(box, stop)
        except (sqlite3.Error, store.StoreError) as broken:
            log.error("The errands of the pages wait: the store cannot be used (%s). Telephones ring.", broken)
            return 0 if stop.wait(broken_s) else 1        # not at once: nobody is helped by twenty starts a minute
    return 0


def _attend(box: Box, stop: threading.Event) -> None:
    db = store.connect(box.store)
    try:
        settle(db, datetime.now(UTC))
        while not stop.is_set() and _take_knock(box) | serve(db, box, verbs.verb, lambda: datetime.now(UTC), stop):
            pass
    finally:
        db.close()


def settle(db: sqlite3.Connection, now: datetime) -> None:
    """Whoever is said to run, while nobody else does, was cut off."""
    with store.write(db):
        db.execute("""
            UPDATE errand
            SET state = 'failed', said = ?, wanted = '{}', ended_at = ?
            WHERE state = 'running'""", (errands.CUT_OFF, store.iso(now)))


def serve(db: sqlite3.Connection, box: Box, find: Find, clock: Callable[[], datetime],
          stop: threading.Event | None = None) -> bool:
    """Does every errand that waits, oldest first, until stop is set; whether there was one."""
    was_one, stop = False, stop or threading.Event()
    while not stop.is_set() and (row := db.execute(NEXT).fetchone()):
        was_one = True
        with store.write(db):
            if not db.execute("UPDATE errand SET state = 'running' WHERE id = ? AND state = 'waiting'",
                              (row["id"],)).rowcount:
                continue
        state, said = _do(db, box, row, find, clock(), stop)
        log.info("%s, asked by %s: %s. %s", row["kind"], row["by_user"], state, said)
        _end(db, row["id"], state, said, clock(), stop)
    return was_one


def _end(db: sqlite3.Connection, errand_id: int, state: str, said: str, now: datetime, stop: threading.Event) -> None:
    """Writes how it went, as soon as the disk takes it: it was done, and would be said to have been cut off."""
    while True:
        try:
            with store.write(db):
                db.execute("""
                    UPDATE errand
                    SET state = ?, said = ?, wanted = '{}', ended_at = ?, progress = iif(? = 'done', 100, progress)
                    WHERE id = ?""", (state, said, store.iso(now), state, errand_id))
            return
        except sqlite3.OperationalError as full:
            log.warning("How the errand went cannot be written yet (%s).", full)
            if stop.wait(FULL_S):
                return


def _do(db: sqlite3.Connection, box: Box, row: sqlite3.Row, find: Find, now: datetime,
        stop: threading.Event) -> tuple[str, str]:
    if row["boot"] != errands.this_boot(box):
        return "refused", errands.OTHER_BOOT
    if abs(now - store.parse_time(row["at"])) > errands.OLDEST:
        return "refused", errands.TOO_OLD
    if row["kind"] not in errands.KINDS:
        return "refused", errands.UNKNOWN
    try:
        verb = find(row["kind"])
    except (ImportError, AttributeError):
        log.exception("The verb %s is not in this version.", row["kind"])
        verb = None
    if verb is None:
        return "refused", errands.UNKNOWN
    try:
        return "done", verb(db, json.loads(row["wanted"]), _progress(db, row["id"], stop))
    except LeavingError:
        return "failed", errands.CUT_OFF
    except RefusedError as refused:
        return "refused", str(refused)
    except FailedError as failed:
        return "failed", str(failed)
    except (OSError, sqlite3.Error, ValueError, KeyError, TypeError) as broken:
        log.exception("The errand %s failed.", row["kind"])
        return "failed", f"It did not work ({broken or type(broken).__name__}). Telephones ring as always. Try again."


def _progress(db: sqlite3.Connection, errand_id: int, stop: threading.Event) -> verbs.Progress:
    """Writes how far it is, twice a second at most; a new sentence at once. Raises LeavingError."""
    last: tuple[float, str] = (-SAID_EVERY_S, "")

    def went(percent: int, said: str = "") -> None:
        nonlocal last
        if stop.is_set():
            raise LeavingError
        now = time.monotonic()
        if said == last[1] and now - last[0] < SAID_EVERY_S:
            return
        last = now, said
        try:
            with store.write(db):
                db.execute("UPDATE errand SET progress = max(progress, ?), said = ? WHERE id = ?",
                           (max(0, min(100, percent)), said or None, errand_id))
        except sqlite3.OperationalError as full:         # what is being done goes on, seen or not
            log.warning("How far the errand is cannot be written (%s).", full)

    return went


def _take_knock(box: Box) -> bool:
    """Whether somebody knocked. Taken away before the rows are looked at, so that no later one is missed."""
    knocker = errands.knocker(box)
    try:
        knocker.unlink()
    except FileNotFoundError:
        return False
    except (IsADirectoryError, PermissionError):
        shutil.rmtree(knocker)                  # nobody of ours makes one; it would call us for ever
    return True


@contextmanager
def _alone(box: Box) -> Iterator[bool]:
    descriptor = os.open(box.run / "steward.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)

