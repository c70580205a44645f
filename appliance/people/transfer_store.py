"""The rows of imports: begun by the pages or the command line, worked on by the clock, looked at by everyone."""
from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from appliance.config import Box
from appliance.people.transfer import Plan, TransferError
from appliance.store import db as store

ABANDONED = timedelta(days=1)
WORKING = ("checking", "importing", "undoing")


@dataclass(frozen=True)
class Import:
    """One file of customers. share: how much of the work of this state is done, 0 to 1."""
    id: int
    file: str
    aside: str | None
    format: str
    plan: Plan
    state: str
    reason: str | None
    share: float
    rows: int
    position: int
    added: int
    joined: int
    same: int
    left_out: int
    kept: int
    made_groups: tuple[int, ...]
    by_user: str
    created_at: datetime
    stamp: str | None
    ended_at: datetime | None

    @property
    def is_working(self) -> bool:
        return self.state in WORKING

    @property
    def usable(self) -> int:
        """Rows that become a card or add to one."""
        return self.added + self.joined


@dataclass(frozen=True)
class Remark:
    line: int
    is_left_out: bool
    reason: str
    cells: tuple[str, ...]


def folder(box: Box) -> Path:
    """Where files stand aside; every daemon of the group may write there."""
    path = box.state / "uploads"
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError):   # RestrictSUIDSGID; a daemon has its umask and the group
            path.chmod(0o2770)
    return path


def add(db: sqlite3.Connection, file: str, aside: str, format: str, plan: Plan, by: str, now: datetime) -> int:
    """The id of a new import whose file stands aside. Call it inside write()."""
    return int(db.execute("""
        INSERT INTO import (file, aside, format, plan, state, by_user, created_at) VALUES (?, ?, ?, ?, 'uploaded', ?, ?)
        """, (file[:200], aside, format, plan.to_json(), by, store.iso(now))).lastrowid or 0)


def get(db: sqlite3.Connection, import_id: int) -> Import:
    """Raises TransferError when there is none."""
    row = db.execute("SELECT * FROM import WHERE id = ?", (import_id,)).fetchone()
    if row is None:
        raise TransferError("There is no such import.")
    return _import(row)


def listed(db: sqlite3.Connection, limit: int = 50) -> list[Import]:
    """Those that were brought in or are under way, newest first."""
    return [_import(row) for row in db.execute("SELECT * FROM import ORDER BY id DESC LIMIT ?", (limit,))]


def next_working(db: sqlite3.Connection) -> Import | None:
    row = db.execute("""
        SELECT * FROM import WHERE state IN ('checking', 'importing', 'undoing') ORDER BY id LIMIT 1""").fetchone()
    return _import(row) if row else None


def plan(db: sqlite3.Connection, import_id: int, plan: Plan) -> None:
    """It is read another way from now on, and has to be checked anew. Call it inside write()."""
    _turn(db, import_id, ("uploaded", "checking", "checked", "failed"), """
        plan = ?, state = 'uploaded', share = 0, reason = NULL, position = 0""", (plan.to_json(),))


def check(db: sqlite3.Connection, import_id: int) -> None:
    """The clock looks at every row. Call it inside write()."""
    _turn(db, import_id, ("uploaded", "checked", "failed"), """
        state = 'checking', share = 0, reason = NULL, rows = 0, added = 0, joined = 0, same = 0, left_out = 0""")


def bring_in(db: sqlite3.Connection, import_id: int, now: datetime) -> None:
    """The clock writes the cards. Call it inside write()."""
    _turn(db, import_id, ("checked",), """
        state = 'importing', share = 0, position = 0, added = 0, joined = 0, same = 0, stamp = ?""", (store.iso(now),))


def undo(db: sqlite3.Connection, import_id: int) -> None:
    """The clock takes back what this import did, also half of one. Call it inside write()."""
    _turn(db, import_id, ("done", "importing"), "state = 'undoing', share = 0, kept = 0")


def forget(db: sqlite3.Connection, box: Box, import_id: int) -> None:
    """A file that was never brought in is put away. Call it inside write()."""
    it = get(db, import_id)
    if it.state not in ("uploaded", "checking", "checked", "failed"):
        raise TransferError("This file was brought in; it can be undone, not put away.")
    db.execute("DELETE FROM import WHERE id = ?", (import_id,))
    clear(box, it)


def clear(box: Box, it: Import) -> None:
    """The files of an import, once nothing needs them."""
    if it.aside:
        for name in (it.aside, f"{it.aside}.ready", f"{it.aside}.ready.tmp"):
            (folder(box) / name).unlink(missing_ok=True)


def remarks(db: sqlite3.Connection, import_id: int, limit: int, after: int = 0) -> list[Remark]:
    """Rows left out or used in part, in the order of the file."""
    return [Remark(row["line"], bool(row["is_left_out"]), row["reason"], tuple(json.loads(row["cells"])))
            for row in db.execute("SELECT * FROM import_remark WHERE import_id = ? AND line > ? ORDER BY line LIMIT ?",
                                  (import_id, after, limit))]


def every_remark(db: sqlite3.Connection, import_id: int) -> Iterator[Remark]:
    after = 0
    while found := remarks(db, import_id, 500, after):
        yield from found
        after = found[-1].line


def sweep(db: sqlite3.Connection, box: Box, now: datetime) -> int:
    """How many files that nobody went on with for a day were put away."""
    old = [_import(row) for row in db.execute("""
        SELECT * FROM import WHERE state IN ('uploaded', 'checked', 'failed') AND created_at < ?""",
                                              (store.iso(now - ABANDONED),))]
    for it in old:
        with store.write(db):
            db.execute("DELETE FROM import WHERE id = ?", (it.id,))
        clear(box, it)
    return len(old)


def _turn(db: sqlite3.Connection, import_id: int, states: tuple[str, ...], change: str,
          given: tuple[object, ...] = ()) -> None:
    found = db.execute(f"UPDATE import SET {change} WHERE id = ? AND state IN ({', '.join('?' * len(states))})",
                       (*given, import_id, *states)).rowcount
    if not found:
        raise TransferError("This file is at another step meanwhile. Nothing was changed.")


def _import(row: sqlite3.Row) -> Import:
    given = dict(row)
    given["plan"] = Plan.from_json(row["plan"])
    given["made_groups"] = tuple(json.loads(row["made_groups"]))
    given["created_at"] = store.parse_time(row["created_at"])
    given["ended_at"] = store.parse_time(row["ended_at"]) if row["ended_at"] else None
    return Import(**given)
