"""Cards as they were: what a merge or a deletion took, kept so that it comes back as it was, also weeks later."""
from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance.people import changes
from appliance.people.cards import ContactError
from appliance.people.links import let_go
from appliance.store.db import iso, parse_time, write

KEPT = timedelta(days=90)
COLUMNS = ("id", "name", "other_name", "company", "address", "birthday", "is_vip", "is_blocked", "blocked_reason",
           "created_at", "updated_at")
HANGING = {"numbers": ("contact_number", ("number", "label", "position")),
           "fields": ("contact_field", ("name", "value")),
           "tags": ("contact_tag", ("tag",)),
           "groups": ("contact_group_member", ("contact_group_id",)),
           "notes": ("note", ("id", "text", "by_user", "created_at", "updated_at"))}


@dataclass(frozen=True)
class Undoable:
    """A merge or deletion that can be undone."""
    id: int
    what: str
    at: datetime
    by: str
    name: str
    gone_id: str
    kept_id: str | None


def image(db: sqlite3.Connection, contact_id: str) -> dict[str, Any]:
    """A card with all that hangs on it. Raises ContactError when it is gone."""
    row = db.execute("SELECT * FROM contact WHERE id = ?", (contact_id,)).fetchone()
    if row is None:
        raise ContactError("This card was deleted meanwhile.")
    return {"contact": {name: row[name] for name in COLUMNS}, **{
        key: [dict(one) for one in db.execute(
            f"SELECT {', '.join(columns)} FROM {table} WHERE contact_id = ? ORDER BY rowid", (contact_id,))]
        for key, (table, columns) in HANGING.items()}}


def keep(db: sqlite3.Connection, what: str, gone: dict[str, Any], kept: dict[str, Any] | None, by: str,
         now: datetime) -> int:
    """The id under which these cards as they are now can be had back; those too old go. Runs inside write()."""
    db.execute("DELETE FROM contact_before WHERE at < ?", (iso(now - KEPT),))
    return int(db.execute("""
        INSERT INTO contact_before (what, at, by_user, kept_id, gone_id, name, before)
        VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (what, iso(now), by, kept["contact"]["id"] if kept else None, gone["contact"]["id"], gone["contact"]["name"],
         json.dumps({"gone": gone, "kept": kept}, ensure_ascii=False))).fetchone()["id"])


def delete(db: sqlite3.Connection, contact_id: str, by: str, now: datetime) -> int:
    """The id by which the deletion is undone. Calls and texts stay, without the name. Never call it inside write()."""
    gone = image(db, contact_id)
    let_go(db, contact_id, None)
    with write(db):
        gone = image(db, contact_id)
        before_id = keep(db, "delete", gone, None, by, now)
        db.execute("DELETE FROM contact WHERE id = ?", (contact_id,))
        changes.record(db, by, f"contact {gone['contact']['name']}", {"name": gone["contact"]["name"]}, None, now,
                       contact_id)
    return before_id


def put_back(db: sqlite3.Connection, gone: dict[str, Any]) -> None:
    """The card that went, with what of it nobody else has by now. Runs inside write()."""
    columns = gone["contact"]
    db.execute(f"INSERT OR IGNORE INTO contact ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
               tuple(columns.values()))
    for key, (table, names) in HANGING.items():
        allowed = "AND EXISTS (SELECT 1 FROM contact_group WHERE id = ?)" if key == "groups" else ""
        for one in gone[key]:
            its = [one[name] for name in names]
            db.execute(f"INSERT OR IGNORE INTO {table} (contact_id, {', '.join(names)}) "
                       f"SELECT ?, {', '.join('?' * len(names))} WHERE 1 {allowed}",
                       (columns["id"], *its, *(its if allowed else [])))


def undo_delete(db: sqlite3.Connection, before_id: int, by: str, now: datetime) -> None:
    """The card is back as it was. Runs inside write(). Raises ContactError when that was done or is too long ago."""
    _, told = taken(db, before_id, "delete", now)
    put_back(db, told["gone"])
    changes.record(db, by, f"contact {told['gone']['contact']['name']}", None,
                   {"name": told["gone"]["contact"]["name"]}, now, told["gone"]["contact"]["id"])


def taken(db: sqlite3.Connection, before_id: int, what: str, now: datetime) -> tuple[Undoable, dict[str, Any]]:
    """What can be undone under this id, once. Runs inside write(). Raises ContactError."""
    row = db.execute("""
        UPDATE contact_before SET undone_at = ?
        WHERE id = ? AND what = ? AND undone_at IS NULL
        RETURNING *""", (iso(now), before_id, what)).fetchone()
    if row is None:
        raise ContactError("That can no longer be undone. Everything else is as you left it.")
    return _undoable(row), json.loads(row["before"])


def undoable(db: sqlite3.Connection, before_id: int) -> Undoable | None:
    """What would be undone, None when nothing can."""
    row = db.execute("SELECT * FROM contact_before WHERE id = ? AND undone_at IS NULL", (before_id,)).fetchone()
    return _undoable(row) if row else None


def merges_of(db: sqlite3.Connection, contact_id: str) -> list[Undoable]:
    """The merges into this card that can still be undone, the latest first."""
    return [_undoable(row) for row in db.execute("""
        SELECT * FROM contact_before WHERE kept_id = ? AND what = 'merge' AND undone_at IS NULL
        ORDER BY id DESC""", (contact_id,))]


def deleted(db: sqlite3.Connection, limit: int = 50) -> list[Undoable]:
    """The cards that were deleted and can come back, the latest first."""
    return [_undoable(row) for row in db.execute("""
        SELECT * FROM contact_before WHERE what = 'delete' AND undone_at IS NULL ORDER BY id DESC LIMIT ?""", (limit,))]


def _undoable(row: sqlite3.Row) -> Undoable:
    return Undoable(row["id"], row["what"], parse_time(row["at"]), row["by_user"], row["name"], row["gone_id"],
                    row["kept_id"])
