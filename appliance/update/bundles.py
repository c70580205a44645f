"""The bundles that somebody brought: the one that waits, the ones that were installed, and what became of them."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.config import Box
from appliance.people import changes
from appliance.store import db as store
from appliance.update.bundle import Bundle

SHOWN = 20
WENT_BACK = "The new version did not come up, and the box went back by itself. Everything is as it was before."
GOOD = "It runs and is well."


@dataclass(frozen=True)
class Row:
    """One bundle as the store has it. file: below the folder of updates, or a path on a stick."""
    id: int
    at: datetime
    by: str
    source: str
    file: str
    version: str
    news: str
    size_bytes: int
    state: str
    from_version: str | None
    said: str | None
    errand_id: int | None
    ended_at: datetime | None


def folder(box: Box) -> Path:
    return box.state / "updates"


def path(box: Box, row: Row) -> Path:
    return Path(row.file) if row.source == "stick" else folder(box) / row.file


def add(db: sqlite3.Connection, box: Box, by: str, source: str, file: str, found: Bundle, now: datetime,
        state: str = "ready") -> int:
    """A bundle that was looked at and waits; the one that waited before it goes."""
    drop(db, box, now)
    with store.write(db):
        row_id = db.execute("""
            INSERT INTO bundle (at, by_user, source, file, version, news, size_bytes, state)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (store.iso(now), by, source, file, found.version, found.news, found.size_bytes, state)).lastrowid
        changes.record(db, by, "update", None, {"version": found.version, "source": source}, now, row_id)
    assert row_id is not None
    return row_id


def waiting(db: sqlite3.Connection) -> Row | None:
    """The bundle that waits to be installed, at once or at night."""
    return _one(db.execute("SELECT * FROM bundle WHERE state IN ('ready', 'night')").fetchone())


def read(db: sqlite3.Connection, row_id: int) -> Row | None:
    return _one(db.execute("SELECT * FROM bundle WHERE id = ?", (row_id,)).fetchone())


def history(db: sqlite3.Connection) -> list[Row]:
    """What was installed or tried, newest first."""
    return [row for one in db.execute("""
        SELECT *
        FROM bundle
        WHERE state NOT IN ('ready', 'night', 'removed')
        ORDER BY id DESC
        LIMIT ?""", (SHOWN,)) if (row := _one(one))]


def put(db: sqlite3.Connection, row_id: int, state: str, said: str | None = None, now: datetime | None = None,
        from_version: str | None = None) -> None:
    """now: it has ended."""
    with store.write(db):
        db.execute("""
            UPDATE bundle
            SET state = ?, said = ?, ended_at = ?, from_version = coalesce(?, from_version)
            WHERE id = ?""", (state, said, store.iso(now) if now else None, from_version, row_id))


def drop(db: sqlite3.Connection, box: Box, now: datetime) -> None:
    """What waits goes, with its file."""
    if (row := waiting(db)) is None:
        return
    put(db, row.id, "removed", None, now)
    if row.source != "stick":
        (folder(box) / row.file).unlink(missing_ok=True)


def tidy(db: sqlite3.Connection, box: Box) -> None:
    """Files that no bundle needs any more: the card is small."""
    kept = {row["file"] for row in db.execute("""
        SELECT file FROM bundle WHERE state IN ('ready', 'night', 'installing')""")}
    for file in folder(box).glob("*.raucb*"):
        if file.name not in kept and not file.name.endswith(".tmp"):
            file.unlink(missing_ok=True)


def _one(row: sqlite3.Row | None) -> Row | None:
    if row is None:
        return None
    return Row(row["id"], store.parse_time(row["at"]), row["by_user"], row["source"], row["file"], row["version"],
               row["news"], row["size_bytes"], row["state"], row["from_version"], row["said"], row["errand_id"],
               store.parse_time(row["ended_at"]) if row["ended_at"] else None)
