"""A row that is being worked on: its state, its progress, and whether somebody wants it to stop."""
from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from appliance.config import Box
from appliance.store import db as store

SAID_EVERY_S = 1.0


class StoppedError(Exception):
    """Somebody cancelled it."""


class LeavingError(Exception):
    """The clock is being stopped; the row is begun anew when it is back."""


class Job:
    """table: backup or backup_restore. alive is called often; it may raise LeavingError."""

    def __init__(self, db: sqlite3.Connection, box: Box, table: str, row_id: int, alive: Callable[[], None]) -> None:
        assert table in ("backup", "backup_restore")
        self.db, self.box, self.table, self.row_id = db, box, table, row_id
        self._alive, self._said_at, self._done, self._total = alive, 0.0, 0, 0

    def begin(self, state: str, total_bytes: int = 0) -> None:
        """The next step, with how much there is to do (0: not known)."""
        self._done, self._total = 0, total_bytes
        self.put(state=state, done_bytes=0, total_bytes=total_bytes)

    def went(self, count: int) -> None:
        """So many bytes more. Raises StoppedError."""
        self.stands(self._done + count, self._total)

    def stands(self, done: int, total: int) -> None:
        """So far it got (0, 0: it only lives). Raises StoppedError."""
        self._alive()
        if total:
            self._done, self._total = done, total
        if time.monotonic() - self._said_at < SAID_EVERY_S:
            return
        self._said_at = time.monotonic()
        self.put(done_bytes=self._done, total_bytes=self._total)
        if self.db.execute(f"SELECT is_cancelled FROM {self.table} WHERE id = ?",     # noqa: S608 - one of two names
                           (self.row_id,)).fetchone()["is_cancelled"]:
            raise StoppedError

    def put(self, **values: object) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        with store.write(self.db):
            self.db.execute(f"UPDATE {self.table} SET {names} WHERE id = ?",          # noqa: S608 - our own words
                            (*values.values(), self.row_id))


def work_folder(box: Box) -> Path:
    """Where copies are made and opened; nobody but the clock looks in."""
    folder = box.state / "backups" / "work"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def upload_folder(box: Box) -> Path:
    """Where the pages put what somebody sent, to be restored."""
    return box.state / "backups" / "upload"
