"""How long recordings are kept: so many days, and as long as there is room; starred ones for ever.

A row leaves first, then its file: a cut in between leaves a file on the list of those to be taken away, never a row
without its sound.
"""
from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from appliance import settings
from appliance.calls import room, tapes
from appliance.config import Box
from appliance.people import changes
from appliance.store import db as store

log = logging.getLogger("recordings")

BATCH = 50                        # rows a transaction: a call waits for none of them
UNDO = timedelta(minutes=15)      # longer than a page offers the way back
STRAY_KEPT = timedelta(days=7)    # of a file that no row names: a restored store may yet ask for it
COPY_KEPT = timedelta(days=1)     # of a decoded copy for a browser without Opus
MOST_A_LOOK = 500


def delete(db: sqlite3.Connection, call_id: int, by: str, now: datetime) -> bool:
    """Whether the recording of this call was there and is gone from every page; its file stays for UNDO. In write()."""
    is_kept = db.execute("""
        INSERT OR REPLACE INTO recording_gone
          (file, due_at, call_id, started_at, duration_ms, size_bytes, is_cut, peaks, is_starred)
        SELECT file, ?, call_id, started_at, duration_ms, size_bytes, is_cut, peaks, is_starred
        FROM recording WHERE call_id = ?""", (store.iso(now + UNDO), call_id)).rowcount == 1
    if is_kept:
        db.execute("DELETE FROM recording WHERE call_id = ?", (call_id,))
        changes.record(db, by, "recording", {"call": call_id}, None, now, call_id)
    return is_kept


def restore(db: sqlite3.Connection, call_id: int, by: str, now: datetime) -> bool:
    """Whether a deleted recording is back. In write()."""
    is_back = db.execute("""
        INSERT INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut, peaks, is_starred)
        SELECT call_id, file, started_at, duration_ms, size_bytes, is_cut, peaks, is_starred
        FROM recording_gone WHERE call_id = ? AND due_at > ?""", (call_id, store.iso(now))).rowcount == 1
    if is_back:
        changes.record(db, by, "recording", None, {"call": call_id}, now, call_id)
    return is_back


def let_old_go(db: sqlite3.Connection, now: datetime) -> int:
    """How many recordings older than `recording_keep_days` were let go; 0 days keeps them for ever."""
    days = settings.read(db).recording_keep_days
    if not days:
        return 0
    before, gone = store.iso(now - timedelta(days=days)), 0
    while left := _leave(db, before, BATCH, now):
        gone += left
    _write_down(db, gone, {"older_than_days": days}, now)
    return gone


def make_room(db: sqlite3.Connection, box: Box, now: datetime) -> int:
    """How many of the oldest recordings went so that `recording_free_percent` of the disk is free again."""
    percent, gone = settings.read(db).recording_free_percent, 0
    while room.disk(box.recordings).is_short(percent):
        left = _leave(db, "9999", 5, now)
        if not left:
            break
        gone += left
        take_away(db, box, now)
    _write_down(db, gone, {"disk_percent_free": percent}, now)
    return gone


def take_away(db: sqlite3.Connection, box: Box, now: datetime) -> int:
    """How many files whose time has come were removed, with the copies made of them."""
    rows = db.execute("SELECT file FROM recording_gone WHERE due_at <= ? ORDER BY due_at LIMIT ?",
                      (store.iso(now), MOST_A_LOOK)).fetchall()
    removed = [row["file"] for row in rows if tapes.remove_beneath(box.recordings, row["file"])]
    for file in removed:
        for copy in box.decoded.glob(f"{Path(file).stem}-*.wav"):
            tapes.remove_beneath(box.decoded, copy.name)
    for place in range(0, len(removed), BATCH):
        with store.write(db):
            db.executemany("DELETE FROM recording_gone WHERE file = ?",
                           [(file,) for file in removed[place:place + BATCH]])
    return len(removed)


def troubles(db: sqlite3.Connection, box: Box) -> Iterator[str]:
    """What is wrong with the recordings, as findings."""
    missing = int(db.execute("SELECT count(*) FROM recording WHERE is_missing = 1").fetchone()[0])
    if missing == 1:
        yield "1 recording is not on the disk any more. Its call is still there. A backup with recordings may have it."
    elif missing:
        yield (f"{missing} recordings are not on the disk any more. Their calls are still there. A backup with "
               "recordings may have them.")
    starred, others = db.execute("""
        SELECT EXISTS (SELECT 1 FROM recording WHERE is_starred = 1),
          EXISTS (SELECT 1 FROM recording WHERE is_starred = 0)""").fetchone()
    if starred and not others and room.disk(box.recordings).is_short(settings.read(db).recording_free_percent):
        yield ("The disk is short, and every recording that is left is starred: none of them goes by itself. Take "
               "stars away, or make room.")


def _leave(db: sqlite3.Connection, before: str, limit: int, now: datetime) -> int:
    """How many of the oldest recordings without a star, begun before that time, lost their row."""
    with store.write(db):
        ids = [row[0] for row in db.execute("""
            SELECT call_id FROM recording WHERE started_at < ? AND is_starred = 0
            ORDER BY started_at, call_id LIMIT ?""", (before, limit))]
        db.executemany("INSERT OR IGNORE INTO recording_gone (file, due_at) "
                       "SELECT file, ? FROM recording WHERE call_id = ?", [(store.iso(now), it) for it in ids])
        db.executemany("DELETE FROM recording WHERE call_id = ?", [(it,) for it in ids])
    return len(ids)


def _write_down(db: sqlite3.Connection, gone: int, why: dict[str, object], now: datetime) -> None:
    if gone:
        with store.write(db):
            changes.record(db, changes.THE_BOX, "retention", None, {"recordings": gone, **why}, now)
        log.info("%d recordings let go: %s.", gone, why)


class Sweeper:
    """Finds what a cut left behind. A file goes only when two looks at least a pause apart found nobody's."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._strays: dict[str, tuple[int, bool]] = {}

    def look(self, db: sqlite3.Connection, now: datetime) -> int:
        """How many files that no row names were removed; rows whose file is gone are marked, or find it again."""
        self._rows(db)
        removed, strays = 0, dict[str, tuple[int, bool]]()
        for name, size, age in self._files(now):
            if _is_named(db, name) or self._adopted(db, name):
                continue
            is_half = size == 0 or name.endswith(".tmp")
            if self._strays.get(name) == (size, is_half) and (is_half or age > STRAY_KEPT) and \
                    tapes.remove_beneath(self._box.recordings, name):
                log.warning("%s was half a file or nobody's, and was removed.", name)
                removed += 1
            else:
                strays[name] = (size, is_half)
        self._strays = strays
        return removed + self._copies(now)

    def _rows(self, db: sqlite3.Connection) -> None:
        """Marks the rows whose file is not there, and takes the mark from those whose file came back."""
        after = 0
        while rows := db.execute("SELECT call_id, file, is_missing FROM recording WHERE call_id > ? "
                                 "ORDER BY call_id LIMIT ?", (after, MOST_A_LOOK)).fetchall():
            after = rows[-1]["call_id"]
            wrong = [(int(not row["is_missing"]), row["call_id"], row["file"]) for row in rows
                     if self._is_there(row["file"]) == bool(row["is_missing"])]
            if wrong:
                with store.write(db):
                    db.executemany("UPDATE recording SET is_missing = ? WHERE call_id = ? AND file = ?", wrong)

    def _is_there(self, file: str) -> bool:
        descriptor = tapes.open_beneath(self._box.recordings, file)
        if descriptor is None:
            return False
        size = os.fstat(descriptor).st_size
        os.close(descriptor)
        return size > 0

    def _files(self, now: datetime) -> Iterator[tuple[str, int, timedelta]]:
        """Name below the folder, size and age of each file; folders that are links are not entered."""
        for month, _, names in self._box.recordings.walk(follow_symlinks=False):
            for name in names:
                try:
                    status = (month / name).lstat()
                except OSError:
                    continue
                age = now - datetime.fromtimestamp(status.st_mtime, now.tzinfo)
                yield str((month / name).relative_to(self._box.recordings)), status.st_size, age

    def _adopted(self, db: sqlite3.Connection, name: str) -> bool:
        """A store from a backup may still name the WAV of what has become Opus since: it takes the file there is."""
        path = Path(name)
        if path.suffix != ".opus" or not path.stem.isdecimal() or not self._is_there(name):
            return False
        size = (self._box.recordings / path).lstat().st_size
        with store.write(db):
            return db.execute("""
                UPDATE recording SET file = ?, size_bytes = ?, is_missing = 0
                WHERE call_id = ? AND file = ? AND is_missing = 1""",
                (name, size, int(path.stem), str(path.with_suffix(".wav")))).rowcount == 1

    def _copies(self, now: datetime) -> int:
        """How many decoded copies that nobody heard for a day were removed."""
        removed = 0
        if self._box.decoded.is_dir():
            for copy in self._box.decoded.iterdir():
                age = now - datetime.fromtimestamp(copy.lstat().st_mtime, now.tzinfo)
                removed += age > COPY_KEPT and tapes.remove_beneath(self._box.decoded, copy.name)
        return removed


def _is_named(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM recording WHERE file = ? UNION ALL SELECT 1 FROM recording_gone WHERE file = ?",
                      (name, name)).fetchone() is not None
