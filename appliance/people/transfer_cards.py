"""Many cards at once: written, joined to those there are, taken back. Each function runs inside one short write()."""
from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
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
    _owners: Owners = field(default_factory=lambda: Owners())
    _rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)

    def bring_in(self, rows: Sequence[Ready], duplicates: str) -> None:
        """Writes what the rows say; of a number that somebody has, the card is completed or left as it is."""
        self._owners.look(self.db, rows)
        for row in rows:
            if row.left_out:
                self.counts.left_out += 1
                continue
            owner = self._owners.of(row)
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
            put(NUMBER, []).append((number, contact, label or None, position))
        put(CHANGE, []).append((self.import_id, contact, None))
        self._owners.add(contact, row)
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
        """One statement a table: the index of names writes itself to the file once a statement, not once a row."""
        for sql in ORDER:
            if rows := self._rows.pop(sql, None):
                self.db.execute(many(sql), (json.dumps(rows, ensure_ascii=False),))

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
        self._owners.add(contact, row)
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


def many(insert: str) -> str:
    """The insertion of one row, as one of all the rows of a JSON array of arrays."""
    columns = ", ".join(f"value ->> {place}" for place in range(insert.count("?")))
    return f"{insert[:insert.index('VALUES')]}SELECT {columns} FROM json_each(?)"


@dataclass
class Owners:
    """Whose numbers these are; of rows without numbers, the cards of that name that have none either."""
    numbers: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def look(self, db: sqlite3.Connection, rows: Iterable[Ready]) -> None:
        """Asks the store about all these rows at once."""
        theirs = [number for row in rows for number, _ in row.numbers]
        self.numbers.update(db.execute("""
            SELECT number, contact_id FROM contact_number WHERE number IN (SELECT value FROM json_each(?))""",
                                       (json.dumps(theirs),)) if theirs else ())
        if bare := [row.name for row in rows if not row.numbers and not row.left_out]:
            self.names.update((_folded(name), contact) for name, contact in db.execute("""
                SELECT name, id FROM contact WHERE name COLLATE NOCASE IN (SELECT value FROM json_each(?))
                AND NOT EXISTS (SELECT 1 FROM contact_number WHERE contact_id = contact.id)""",
                                                                                  (json.dumps(bare),)))

    def of(self, row: Ready) -> str | None:
        """The card that is this row's person, None when there is none."""
        if not row.numbers:
            return self.names.get(_folded(row.name))
        return next((self.numbers[number] for number, _ in row.numbers if number in self.numbers), None)

    def add(self, contact: str, row: Ready) -> None:
        """From now on what this row has is of this card, as far as it was nobody's."""
        for number, _ in row.numbers:
            self.numbers.setdefault(number, contact)
        if not row.numbers:
            self.names.setdefault(_folded(row.name), contact)


def _folded(name: str) -> str:
    """As NOCASE compares: only ASCII letters are the same in both cases."""
    return name.lower() if name.isascii() else "".join(c.lower() if c.isascii() else c for c in name)


def take_back(db: sqlite3.Connection, import_id: int, stamp: str, changes: Sequence[tuple[str, str | None]]) -> int:
    """How many of these cards stay, since somebody changed them since; the others are as before the import."""
    new = json.dumps([contact for contact, added in changes if added is None])
    db.execute("""
        DELETE FROM contact WHERE id IN (SELECT value FROM json_each(?)) AND updated_at = ?
        AND NOT EXISTS (SELECT 1 FROM note WHERE contact_id = contact.id AND updated_at <> ?)""", (new, stamp, stamp))
    kept = db.execute("SELECT count(*) FROM contact WHERE id IN (SELECT value FROM json_each(?))", (new,)).fetchone()[0]
    for contact, added in changes:
        if added is not None:
            _take_off(db, contact, stamp, json.loads(added))
    db.execute("DELETE FROM import_change WHERE import_id = ? AND contact_id IN (SELECT value FROM json_each(?))",
               (import_id, json.dumps([contact for contact, _ in changes])))
    return int(kept)


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
