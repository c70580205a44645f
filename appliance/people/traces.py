"""What a deleted row leaves in the file: search indexes, the write-ahead log, gaps in pages.

The store overwrites what it deletes (secure_delete). Search indexes drop their deleted words when they are merged, the
log when it is taken into the file. A page that was divided may keep a gap with old bytes; then only rewriting the whole
file helps, which the clock does at night.
"""
from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from appliance.store.db import BUSY_TIMEOUT_MS, iso, write

log = logging.getLogger("forget")

MERGE_PAGES, PAUSE_S = 16, 0.003       # of a search index at a time: some milliseconds
CHECKPOINT_TRIES, TRY_MS = 100, 15
DIRECTORY_S = 5.0            # the calls daemon tells Asterisk once a second
CHUNK = 4 * 1024 * 1024
LARGEST_SWEPT = 256 * 1024 * 1024      # rewriting more would hold up the night's writers for longer than they wait
QUIET = range(2, 6)          # hours of the shop's night


def words_of(numbers: Sequence[str], name: str | None) -> list[bytes]:
    """What to look for: each number as digits and as radio parts have it, the name when it is more than one word."""
    found = [name.encode()] if name and " " in name else []
    for number in numbers:
        digits = number.lstrip("+")
        padded = digits + "F" if len(digits) % 2 else digits
        swapped = "".join(padded[place + 1] + padded[place] for place in range(0, len(padded), 2))
        found += [digits.encode(), swapped.encode()]
    return found


def wipe(db: sqlite3.Connection) -> None:
    """Search indexes without deleted words, everything in the file and nothing in its log. Not inside write()."""
    for row in db.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%fts5%'").fetchall():
        merge(db, row["name"])
    checkpoint(db)


def checkpoint(db: sqlite3.Connection) -> bool:
    """True when the log is empty. Readers may be in the way: asked for short moments, so that no writer waits."""
    db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    db.execute(f"PRAGMA busy_timeout = {TRY_MS}")
    try:
        for _ in range(CHECKPOINT_TRIES):
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                return True
            time.sleep(TRY_MS / 1000)
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def wait_for_directory(db: sqlite3.Connection, numbers: Sequence[str]) -> bool:
    """True once Asterisk's own database was told; at once when it never knew."""
    until = time.monotonic() + DIRECTORY_S
    places = ", ".join("?" * len(numbers))
    while db.execute(f"SELECT 1 FROM directory_copy WHERE number IN ({places})", tuple(numbers)).fetchone():
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)
    checkpoint(db)
    return True


def left(db: sqlite3.Connection, words: Sequence[bytes]) -> bool:
    """Whether the file or its log still holds one of these."""
    path = Path(db.execute("PRAGMA database_list").fetchone()["file"])
    return any(_holds(file, words) for file in (path, path.with_name(path.name + "-wal")) if file.exists())


def sweep(db: sqlite3.Connection, now: datetime, hour: int) -> bool:
    """True when the file was written anew, so that no page keeps what was deleted.

    Only at night (hour: of the shop's clock), when somebody was forgotten and traces were left, and nobody calls.
    """
    if hour not in QUIET or not db.execute("SELECT 1 FROM forget_receipt WHERE swept_at IS NULL").fetchone():
        return False
    if db.execute("SELECT 1 FROM call WHERE ended_at IS NULL").fetchone():
        return False
    pages, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    if pages * size > LARGEST_SWEPT:
        return False
    wipe(db)
    db.execute("VACUUM")
    checkpoint(db)
    with write(db):
        db.execute("UPDATE forget_receipt SET swept_at = ? WHERE swept_at IS NULL", (iso(now),))
    log.info("The store was written anew: nothing is left of who was forgotten.")
    return True


def merge(db: sqlite3.Connection, table: str) -> None:
    """Brings a search index into one piece, some pages at a time (SQLite FTS5, 6.8: merge with a negative number).

    Not inside write().
    """
    pages = -MERGE_PAGES
    while True:
        before = db.total_changes
        with write(db):
            db.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (pages,))
        if db.total_changes - before < 2:
            return
        pages = MERGE_PAGES
        time.sleep(PAUSE_S)


def _holds(path: Path, words: Sequence[bytes]) -> bool:
    longest, tail = max(map(len, words), default=0), b""
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            if any(word in tail + piece for word in words):
                return True
            tail = piece[-longest:]
    return False
