"""Two cards become one, seen before it is done and undone whenever: both are kept as they were."""
from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.people import before, changes
from appliance.people.cards import MOST_NUMBERS, ContactError
from appliance.people.links import let_go
from appliance.store.db import iso, write

# What a card has one of: the other's goes into a field of this name when both have one.
ONES = {"other_name": "Other name", "company": "Company", "address": "Address", "birthday": "Birthday"}


@dataclass(frozen=True)
class Merged:
    """What one card of two would be. changed: the columns it takes over; both: fields that keep the other's value."""
    kept: dict[str, Any]
    gone: dict[str, Any]
    changed: dict[str, object]
    both: dict[str, str]
    numbers: list[str]
    tags: list[str]
    groups: list[int]
    notes: int


def preview(db: sqlite3.Connection, kept_id: str, gone_id: str, names: Mapping[str, str] = ONES) -> Merged:
    """What merging would make; stores nothing. names: of the fields for what both have, in the reader's language.

    Raises ContactError when the two are one or one is gone.
    """
    if kept_id == gone_id:
        raise ContactError("These two are the same card.")
    kept, gone = before.image(db, kept_id), before.image(db, gone_id)
    ours, theirs = kept["contact"], gone["contact"]
    changed: dict[str, object] = {}
    both: dict[str, str] = {}
    had = {field["name"] for field in kept["fields"]} | {names.get(column, name) for column, name in ONES.items()}
    for column, name in ONES.items():
        if theirs[column] and not ours[column]:
            changed[column] = theirs[column]
        elif theirs[column] and theirs[column] != ours[column]:
            _beside(both, had, names.get(column, name), str(theirs[column]))
    if theirs["name"] != ours["name"]:
        if changed.get("other_name") or ours["other_name"]:
            if theirs["name"] != ours["other_name"]:
                _beside(both, had, names.get("other_name", ONES["other_name"]), theirs["name"])
        else:
            changed["other_name"] = theirs["name"]
    for flag in ("is_vip", "is_blocked"):
        if theirs[flag] and not ours[flag]:
            changed[flag] = 1
    if "is_blocked" in changed:
        changed["blocked_reason"] = theirs["blocked_reason"]
    mine = {field["name"]: field["value"] for field in kept["fields"]}
    for field in gone["fields"]:
        if mine.get(field["name"]) != field["value"]:
            _beside(both, had, field["name"], field["value"])
    numbers = [one["number"] for one in [*kept["numbers"], *gone["numbers"]]]
    if len(numbers) > MOST_NUMBERS:
        raise ContactError(f"A contact has at most {MOST_NUMBERS} numbers.")
    known = {one["tag"].casefold() for one in kept["tags"]}
    tags = [one["tag"] for one in kept["tags"]] + [
        one["tag"] for one in gone["tags"] if one["tag"].casefold() not in known]
    groups = list(dict.fromkeys(one["contact_group_id"] for one in [*kept["groups"], *gone["groups"]]))
    return Merged(kept, gone, changed, both, numbers, tags, groups, len(kept["notes"]) + len(gone["notes"]))


def merge(db: sqlite3.Connection, kept_id: str, gone_id: str, by: str, now: datetime,
          names: Mapping[str, str] = ONES) -> int:
    """The id by which it is undone; the kept card has all of both. Not inside write(). Raises ContactError."""
    preview(db, kept_id, gone_id, names)
    let_go(db, gone_id, kept_id)
    with write(db):
        made = preview(db, kept_id, gone_id, names)
        before_id = before.keep(db, "merge", made.gone, made.kept, by, now)
        told = {**made.changed, "updated_at": iso(now)}
        db.execute(f"UPDATE contact SET {', '.join(f'{name} = ?' for name in told)} WHERE id = ?",
                   (*told.values(), kept_id))
        db.executemany("INSERT INTO contact_field (contact_id, name, value) VALUES (?, ?, ?)",
                       [(kept_id, name, value) for name, value in made.both.items()])
        _hand_over(db, kept_id, gone_id, len(made.kept["numbers"]))
        db.execute("DELETE FROM contact WHERE id = ?", (gone_id,))
        changes.record(db, by, f"contact {made.kept['contact']['name']}", {"merged with": None},
                       {"merged with": made.gone["contact"]["name"]}, now, kept_id)
    return before_id


def undo(db: sqlite3.Connection, before_id: int, by: str, now: datetime) -> str:
    """The id of the card that is back. What was written on the kept card since then stays there.

    Runs inside write(); its calls follow by themselves (links.settle). Raises ContactError.
    """
    done, told = before.taken(db, before_id, "merge", now)
    kept, gone = told["kept"], told["gone"]
    theirs = gone["contact"]["id"]
    before.put_back(db, {**gone, "numbers": [], "notes": []})
    if done.kept_id is not None and db.execute("SELECT 1 FROM contact WHERE id = ?", (done.kept_id,)).fetchone():
        _take_back(db, done.kept_id, kept, gone)
    for one in gone["numbers"]:
        db.execute("UPDATE contact_number SET contact_id = ?, label = ?, position = ? "
                   "WHERE number = ? AND contact_id = ?",
                   (theirs, one["label"], one["position"], one["number"], done.kept_id))
    before.put_back(db, {**gone, "notes": []})                    # numbers that nobody has any more
    db.executemany("UPDATE note SET contact_id = ? WHERE id = ? AND contact_id = ?",
                   [(theirs, one["id"], done.kept_id) for one in gone["notes"]])
    changes.record(db, by, f"contact {kept['contact']['name']}", {"merged with": gone["contact"]["name"]},
                   {"merged with": None}, now, done.kept_id)
    return str(theirs)


def _beside(both: dict[str, str], had: set[str], name: str, value: str) -> None:
    """Puts the value under the name, or under "name 2", "name 3" where it is taken."""
    place, wanted = 2, name
    while wanted in had:
        wanted, place = f"{name} {place}", place + 1
    had.add(wanted)
    both[wanted] = value


def _hand_over(db: sqlite3.Connection, kept_id: str, gone_id: str, place: int) -> None:
    pair = (kept_id, gone_id)
    db.execute("UPDATE contact_number SET position = position + ? WHERE contact_id = ?", (place, gone_id))
    db.execute("UPDATE contact_number SET contact_id = ? WHERE contact_id = ?", pair)
    db.execute("UPDATE note SET contact_id = ? WHERE contact_id = ?", pair)
    db.execute("""
        INSERT OR IGNORE INTO contact_tag (contact_id, tag)
        SELECT ?, tag FROM contact_tag WHERE contact_id = ?""", pair)
    db.execute("""
        INSERT OR IGNORE INTO contact_group_member (contact_group_id, contact_id)
        SELECT contact_group_id, ? FROM contact_group_member WHERE contact_id = ?""", pair)


def _take_back(db: sqlite3.Connection, kept_id: str, kept: dict[str, Any], gone: dict[str, Any]) -> None:
    """What the kept card had from the other alone goes from it; what somebody changed since then stays."""
    now = before.image(db, kept_id)
    ours, theirs = kept["contact"], gone["contact"]
    for column in (*ONES, "is_vip", "is_blocked", "blocked_reason"):
        came = theirs["name"] if column == "other_name" and not theirs[column] else theirs[column]
        if now["contact"][column] != ours[column] and now["contact"][column] == came:
            db.execute(f"UPDATE contact SET {column} = ? WHERE id = ?", (ours[column], kept_id))
    values = {str(theirs[column]) for column in (*ONES, "name")} | {field["value"] for field in gone["fields"]}
    had = {field["name"] for field in kept["fields"]}
    for field in now["fields"]:
        if field["name"] not in had and field["value"] in values:
            db.execute("DELETE FROM contact_field WHERE contact_id = ? AND name = ?", (kept_id, field["name"]))
    for table, column, key in (("contact_tag", "tag", "tags"),
                               ("contact_group_member", "contact_group_id", "groups")):
        mine = {str(one[column]).casefold() for one in kept[key]}
        for one in gone[key]:
            if str(one[column]).casefold() not in mine:
                db.execute(f"DELETE FROM {table} WHERE contact_id = ? AND {column} = ?", (kept_id, one[column]))
