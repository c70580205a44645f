"""Groups of contacts: VIP, suppliers, whoever gets the winter offer. Writers run inside the caller's write()."""
from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched

from appliance.people import changes
from appliance.store.db import write

LONGEST_NAME = 60
STEP, PAUSE_S = 500, 0.003


class GroupError(Exception):
    """A group was refused; the text says why."""


@dataclass(frozen=True)
class Group:
    """A group and how many contacts are in it."""

    id: int
    name: str
    members: int


def listed(db: sqlite3.Connection) -> list[Group]:
    """Every group by name, empty ones too."""
    return [Group(row["id"], row["name"], row["members"]) for row in db.execute("""
        SELECT contact_group.id, contact_group.name, count(contact_group_member.contact_id) AS members
        FROM contact_group LEFT JOIN contact_group_member ON contact_group_member.contact_group_id = contact_group.id
        GROUP BY contact_group.id
        ORDER BY contact_group.name COLLATE NOCASE""")]


def named(db: sqlite3.Connection, name: str) -> int | None:
    """The id of the group with this name in any case, None when there is none."""
    row = db.execute("SELECT id FROM contact_group WHERE name = ?", (_clean(name),)).fetchone()
    return int(row["id"]) if row else None


def add(db: sqlite3.Connection, name: str) -> int:
    """The id of a new group. Raises GroupError for an empty, long or taken name."""
    try:
        return int(db.execute("INSERT INTO contact_group (name) VALUES (?)", (_checked(name),)).lastrowid or 0)
    except sqlite3.IntegrityError as taken:
        raise GroupError(f"There is a group {name!r} already.") from taken


def rename(db: sqlite3.Connection, group_id: int, name: str) -> None:
    """Raises GroupError for an empty, long or taken name, and for a group that is gone."""
    try:
        found = db.execute("UPDATE contact_group SET name = ? WHERE id = ?", (_checked(name), group_id)).rowcount
    except sqlite3.IntegrityError as taken:
        raise GroupError(f"There is a group {name!r} already.") from taken
    if not found:
        raise GroupError("This group was deleted meanwhile.")


def delete(db: sqlite3.Connection, group_id: int) -> None:
    """The group goes, its contacts stay."""
    db.execute("DELETE FROM contact_group WHERE id = ?", (group_id,))


def put(db: sqlite3.Connection, group_id: int, contacts: Iterable[str]) -> int:
    """How many of these contacts were not in the group yet and are now. Raises GroupError when one is gone."""
    before = db.total_changes
    try:
        db.executemany("""
            INSERT OR IGNORE INTO contact_group_member (contact_group_id, contact_id)
            VALUES (?, ?)""", [(group_id, contact) for contact in contacts])
    except sqlite3.IntegrityError as gone:
        raise GroupError("The group or one of these contacts was deleted meanwhile.") from gone
    return db.total_changes - before


def take_out(db: sqlite3.Connection, group_id: int, contacts: Iterable[str]) -> int:
    """How many of these contacts were in the group and are no longer."""
    before = db.total_changes
    db.executemany("DELETE FROM contact_group_member WHERE contact_group_id = ? AND contact_id = ?",
                   [(group_id, contact) for contact in contacts])
    return db.total_changes - before


def members(db: sqlite3.Connection, group_id: int) -> list[str]:
    """The ids of everybody in it."""
    return [row["contact_id"] for row in db.execute(
        "SELECT contact_id FROM contact_group_member WHERE contact_group_id = ?", (group_id,))]


def among(db: sqlite3.Connection, group_id: int, contacts: Iterable[str]) -> set[str]:
    """Those of the contacts that are in it."""
    return {contact for contact in contacts if db.execute(
        "SELECT 1 FROM contact_group_member WHERE contact_group_id = ? AND contact_id = ?",
        (group_id, contact)).fetchone()}


def empty(db: sqlite3.Connection, group_id: int) -> None:
    """Takes everybody out in steps, before the group goes: 100,000 at once would hold the lock too long.

    Never call it inside write().
    """
    gone = STEP
    while gone == STEP:
        with write(db):
            gone = db.execute("""
                DELETE FROM contact_group_member WHERE rowid IN (
                  SELECT rowid FROM contact_group_member WHERE contact_group_id = ? LIMIT ?)""",
                (group_id, STEP)).rowcount
        time.sleep(PAUSE_S)


def put_back(db: sqlite3.Connection, group_id: int, name: str, contacts: Sequence[str]) -> None:
    """A deleted group with its id, so that the campaigns that went to it go to it again; who is gone stays out.

    In steps, as it went: never call it inside write().
    """
    with write(db):
        db.execute("INSERT OR IGNORE INTO contact_group (id, name) VALUES (?, ?)", (group_id, name))
    for some in batched(contacts, STEP, strict=False):
        with write(db):
            db.execute("""
                INSERT OR IGNORE INTO contact_group_member (contact_group_id, contact_id)
                SELECT contact_group.id, contact.id
                FROM json_each(?) AS asked JOIN contact ON contact.id = asked.value, contact_group
                WHERE contact_group.id = ?""", (json.dumps(some), group_id))
        time.sleep(PAUSE_S)


def told(db: sqlite3.Connection, by: str, before: str | None, after: str | None, now: datetime, group_id: int) -> None:
    """Writes the change of a group's name into the log."""
    changes.record(db, by, f"group {after or before}", before and {"name": before}, after and {"name": after}, now,
                   group_id)


def of_contact(db: sqlite3.Connection, contact_id: str) -> list[str]:
    """The names of the groups this contact is in."""
    return [row["name"] for row in db.execute("""
        SELECT name
        FROM contact_group JOIN contact_group_member ON contact_group_member.contact_group_id = contact_group.id
        WHERE contact_id = ?
        ORDER BY name COLLATE NOCASE""", (contact_id,))]


def _clean(name: str) -> str:
    return " ".join(name.split())


def _checked(name: str) -> str:
    name = _clean(name)
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise GroupError(f"A group's name has 1 to {LONGEST_NAME} letters.")
    return name
