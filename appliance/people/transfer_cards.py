"""Many cards at once: written, joined to those there are, taken back. Each function runs inside one short write()."""
from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.people import groups
from appliance.people.transfer import SKIP, Ready

COLUMNS = ("other_name", "company", "address", "birthday", "blocked_reason")
FLAGS = ("is_vip", "is_blocked")


@dataclass
class Counts:
    """What became of the rows of a batch."""
    added: int = 0
    joined: int = 0
    same: int = 0
    left_out: int = 0


@dataclass
class Batch:
    """Cards that go in together. made: ids of groups that had to be made."""
    db: sqlite3.Connection
    import_id: int
    stamp: str
    by: str
    counts: Counts = field(default_factory=Counts)
    made: list[int] = field(default_factory=list)
    _groups: dict[str, int] = field(default_factory=dict)
    _new: dict[str, str] = field(default_factory=dict)                  # numbers of cards not written yet
    _rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)

    def bring_in(self, rows: Sequence[Ready], duplicates: str) -> None:
        """Writes what the rows say; of a number that somebody has, the card is completed or left as it is."""
        for row in rows:
            if row.left_out:
                self.counts.left_out += 1
                continue
            owner = owner_of(self.db, row)
            if owner is None and any(number in self._new for number, _ in row.numbers):
                self._flush()                          # an earlier row of this file has that number
                owner = owner_of(self.db, row)
            if owner is None:
                self._add(row)
            elif duplicates == SKIP or not self._join(owner, row):
                self.counts.same += 1
            else:
                self.counts.joined += 1
        self._flush()

    def _add(self, row: Ready) -> None:
        contact = str(uuid.uuid7())
        self.counts.added += 1
        put = self._rows.setdefault
        put(CONTACT, []).append((contact, row.name, row.other_name, row.company, row.address, row.birthday, row.is_vip,
                                 row.is_blocked, row.blocked_reason, self.stamp, self.stamp))
        for position, (number, label) in enumerate(row.numbers):
            self._new[number] = contact
            put(NUMBER, []).append((number, contact, label or None, position))
        put(CHANGE, []).append((self.import_id, contact, None))
        if not row.numbers:
            self._flush()                              # the next one of this name is the same person
        self._more(contact, row)

    def _more(self, contact: str, row: Ready) -> None:
        put = self._rows.setdefault
        for name, value in row.fields:
            put(FIELD, []).append((contact, name, value))
        for tag in row.tags:
            put(TAG, []).append((contact, tag))
        for name in row.groups:
            put(MEMBER, []).append((self._group(name), contact))
        if row.note:
            put(NOTE, []).append((contact, row.note, self.by, self.stamp, self.stamp))

    def _flush(self) -> None:
        for sql in ORDER:
            if rows := self._rows.pop(sql, None):
                self.db.executemany(sql, rows)
        self._new.clear()

    def _join(self, contact: str, row: Ready) -> bool:
        """Whether the card lacked something that the row has. What the card says already stays as it is."""
        db, added = self.db, dict[str, Any]()
        self._flush()
        card = db.execute("SELECT * FROM contact WHERE id = ?", (contact,)).fetchone()
        wanted = {name: getattr(row, name) for name in (*COLUMNS, *FLAGS)}
        put = {name: value for name, value in wanted.items() if value and not card[name]}
        if card["is_blocked"]:
            put.pop("blocked_reason", None)
        if put:
            added["columns"] = put
        position = db.execute("SELECT count(*) FROM contact_number WHERE contact_id = ?", (contact,)).fetchone()[0]
        added["numbers"] = [number for place, (number, label) in enumerate(row.numbers, position) if db.execute(
            "INSERT OR IGNORE INTO contact_number (number, contact_id, label, position) VALUES (?, ?, ?, ?)",
            (number, contact, label or None, place)).rowcount]
        added["fields"] = {name: value for name, value in row.fields if db.execute(
            "INSERT OR IGNORE INTO contact_field (contact_id, name, value) VALUES (?, ?, ?)",
            (contact, name, value)).rowcount}
        added["tags"] = [tag for tag in row.tags if db.execute(
            "INSERT OR IGNORE INTO contact_tag (contact_id, tag) VALUES (?, ?)", (contact, tag)).rowcount]
        added["groups"] = [group for group in map(self._group, row.groups) if db.execute("""
            INSERT OR IGNORE INTO contact_group_member (contact_group_id, contact_id) VALUES (?, ?)""",
            (group, contact)).rowcount]
        if row.note and not db.execute("SELECT 1 FROM note WHERE contact_id = ? AND text = ?",
                                       (contact, row.note)).fetchone():
            added["note"] = db.execute(NOTE, (contact, row.note, self.by, self.stamp, self.stamp)).lastrowid
        added = {name: value for name, value in added.items() if value}
        if not added:
            return False
        db.execute(f"UPDATE contact SET {''.join(f'{name} = ?, ' for name in put)}updated_at = ? WHERE id = ?",
                   (*put.values(), self.stamp, contact))
        self._remember(contact, added, card["updated_at"])
        return True

    def _remember(self, contact: str, added: dict[str, Any], updated_at: str) -> None:
        """Keeps what was put on a card; a card of this very import goes as a whole, another is added to twice."""
        before = self.db.execute("SELECT added FROM import_change WHERE import_id = ? AND contact_id = ?",
                                 (self.import_id, contact)).fetchone()
        if before is None:
            self.db.execute(CHANGE, (self.import_id, contact, json.dumps({**added, "updated_at": updated_at})))
        elif before["added"] is not None:
            told = json.loads(before["added"])
            for name, value in added.items():
                told[name] = {**told.get(name, {}), **value} if isinstance(value, dict) else \
                    told.get(name, []) + value if isinstance(value, list) else told.get(name, value)
            self.db.execute("UPDATE import_change SET added = ? WHERE import_id = ? AND contact_id = ?",
                            (json.dumps(told), self.import_id, contact))

    def _group(self, name: str) -> int:
        key = name.casefold()
        if key not in self._groups:
            known = groups.named(self.db, name)
            if known is None:
                known = groups.add(self.db, name)
                self.made.append(known)
            self._groups[key] = known
        return self._groups[key]


CONTACT = """
    INSERT INTO contact (id, name, other_name, company, address, birthday, is_vip, is_blocked, blocked_reason,
                         created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
NUMBER = "INSERT INTO contact_number (number, contact_id, label, position) VALUES (?, ?, ?, ?)"
FIELD = "INSERT OR IGNORE INTO contact_field (contact_id, name, value) VALUES (?, ?, ?)"
TAG = "INSERT OR IGNORE INTO contact_tag (contact_id, tag) VALUES (?, ?)"
MEMBER = "INSERT OR IGNORE INTO contact_group_member (contact_group_id, contact_id) VALUES (?, ?)"
NOTE = "INSERT INTO note (contact_id, text, by_user, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
CHANGE = "INSERT INTO import_change (import_id, contact_id, added) VALUES (?, ?, ?)"
ORDER = (CONTACT, NUMBER, FIELD, TAG, MEMBER, NOTE, CHANGE)


def owner_of(db: sqlite3.Connection, row: Ready) -> str | None:
    """The card that has one of these numbers; of a row without numbers, a card of that name that has none either."""
    for number, _ in row.numbers:
        if found := db.execute("SELECT contact_id FROM contact_number WHERE number = ?", (number,)).fetchone():
            return str(found[0])
    if row.numbers:
        return None
    found = db.execute("""
        SELECT id FROM contact WHERE name = ? COLLATE NOCASE
        AND NOT EXISTS (SELECT 1 FROM contact_number WHERE contact_id = contact.id)""", (row.name,)).fetchone()
    return str(found[0]) if found else None


def take_back(db: sqlite3.Connection, import_id: int, stamp: str, changes: Sequence[tuple[str, str | None]]) -> int:
    """How many of these cards stay, since somebody changed them since; the others are as before the import."""
    kept = 0
    for contact, added in changes:
        if added is None:
            gone = db.execute("""
                DELETE FROM contact WHERE id = ? AND updated_at = ?
                AND NOT EXISTS (SELECT 1 FROM note WHERE contact_id = contact.id AND updated_at <> ?)""",
                              (contact, stamp, stamp)).rowcount
            if not gone and db.execute("SELECT 1 FROM contact WHERE id = ?", (contact,)).fetchone():
                kept += 1
        else:
            _take_off(db, contact, stamp, json.loads(added))
        db.execute("DELETE FROM import_change WHERE import_id = ? AND contact_id = ?", (import_id, contact))
    return kept


def _take_off(db: sqlite3.Connection, contact: str, stamp: str, added: dict[str, Any]) -> None:
    """Takes off the card what was put on it and is still as it was put."""
    for name, value in added.get("columns", {}).items():
        if name in (*COLUMNS, *FLAGS):
            nothing = 0 if name in FLAGS else None
            db.execute(f"UPDATE contact SET {name} = ? WHERE id = ? AND {name} = ?", (nothing, contact, value))
    db.executemany("DELETE FROM contact_number WHERE contact_id = ? AND number = ?",
                   [(contact, number) for number in added.get("numbers", ())])
    db.executemany("DELETE FROM contact_field WHERE contact_id = ? AND name = ? AND value = ?",
                   [(contact, name, value) for name, value in added.get("fields", {}).items()])
    db.executemany("DELETE FROM contact_tag WHERE contact_id = ? AND tag = ?",
                   [(contact, tag) for tag in added.get("tags", ())])
    db.executemany("DELETE FROM contact_group_member WHERE contact_id = ? AND contact_group_id = ?",
                   [(contact, group) for group in added.get("groups", ())])
    if "note" in added:
        db.execute("DELETE FROM note WHERE id = ? AND contact_id = ? AND updated_at = ?",
                   (added["note"], contact, stamp))
    db.execute("UPDATE contact SET updated_at = ? WHERE id = ? AND updated_at = ?",
               (added["updated_at"], contact, stamp))
