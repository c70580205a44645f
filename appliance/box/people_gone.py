"""Nobody may open the pages any more: passwords and whatever else lets somebody in, out of the store and its copies.

The copies that an update keeps (update/crossing.py) would bring them back, were the version before taken again.
"""
from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

log = logging.getLogger("reset")
# What says who may open the pages; children of user go with it.
PEOPLE = ("session", "recovery_code", "invitation", "pairing", "desk", "api_token", "user")
SNAPSHOTS = "snapshots"


def forget(state: Path) -> str:
    """Takes everybody out; why the store of the box would not have it, "" when nobody is left in it.

    A copy that cannot be emptied is deleted, as are those that were never whole. Done again, it ends the same.
    """
    folder = state / SNAPSHOTS
    (state / "sticker.txt").unlink(missing_ok=True)
    why = _emptied(state / "office.db") if (state / "office.db").exists() else ""
    if folder.is_symlink():            # we are root, and the folder's place is the pages' to write
        folder.unlink()
    kept = {copy.name for copy in sorted(folder.glob("*.db")) if _is_kept(copy)}
    for left in folder.glob("*"):
        beside = left.name.removesuffix("-wal").removesuffix("-shm")
        if beside not in kept and (left.is_symlink() or left.is_file()):
            left.unlink()              # of a power cut, or the journal of a copy that is gone
    return why


def _is_kept(copy: Path) -> bool:
    """Whether a copy of an update is without people now; one that is not must go."""
    if not copy.is_file() or ".tmp" in copy.name:
        return False
    if refused := _emptied(copy):
        log.warning("The copy %s is deleted: its passwords could not be taken out (%s).", copy.name, refused)
    return not refused


def _emptied(file: Path) -> str:
    """Why nobody could be taken out of this store, in one transaction; "" when it was done."""
    if file.is_symlink():
        return "it is a link"
    try:
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA foreign_keys = 1")
            db.execute("PRAGMA secure_delete = 1")
            there = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            for table in PEOPLE:
                if table in there:
                    db.execute(f"DELETE FROM {table}")
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")        # what was deleted is gone from the file itself
    except sqlite3.Error as broken:
        return str(broken)
    return ""
