"""Names and blocks, kept in Asterisk's own database too: phones show them while we are dead.

What Asterisk was told is mirrored in directory_copy, so that only differences travel.
"""
from __future__ import annotations

import secrets
import sqlite3

from appliance.calls.ami import Ami
from appliance.config import Box
from appliance.people import numbers
from appliance.store import db as store

BATCH = 100


def check_mirror(db: sqlite3.Connection, ami: Ami) -> None:
    """Forgets the mirror when Asterisk's database is another one than it was made for."""
    row = db.execute("SELECT name FROM directory_copy WHERE number = ''").fetchone()
    if row and ami.get("deskbell", "mirror") == row["name"]:
        return
    mark = secrets.token_hex(8)
    ami.put("deskbell", "mirror", mark)
    with store.write(db):
        db.execute("DELETE FROM directory_copy")
        db.execute("INSERT INTO directory_copy (number, name, is_blocked) VALUES ('', ?, 0)", (mark,))


def copy_changes(db: sqlite3.Connection, box: Box, ami: Ami) -> int:
    """How many numbers were told to Asterisk, at most BATCH; 0 when it knows them all."""
    wrong = db.execute("""
        SELECT n.number, c.name, c.is_blocked
        FROM contact_number n JOIN contact c ON c.id = n.contact_id LEFT JOIN directory_copy d ON d.number = n.number
        WHERE d.number IS NULL OR d.name <> c.name OR d.is_blocked <> c.is_blocked LIMIT ?""", (BATCH,)).fetchall()
    gone = db.execute("""
        SELECT d.number FROM directory_copy d LEFT JOIN contact_number n ON n.number = d.number
        WHERE n.number IS NULL AND d.number <> '' LIMIT ?""", (BATCH,)).fetchall()
    for row in wrong:
        _tell(ami, box, row["number"], row["name"], bool(row["is_blocked"]))
    for row in gone:
        _tell(ami, box, row["number"], None, False)
    with store.write(db):
        db.executemany("INSERT OR REPLACE INTO directory_copy (number, name, is_blocked) VALUES (?, ?, ?)",
                       [tuple(row) for row in wrong])
        db.executemany("DELETE FROM directory_copy WHERE number = ?", [tuple(row) for row in gone])
    return len(wrong) + len(gone)


def _tell(ami: Ami, box: Box, number: str, name: str | None, is_blocked: bool) -> None:
    for spelling in numbers.spellings(number, box.country):
        if name:
            ami.put("name", spelling, name)
        else:
            ami.delete("name", spelling)
        if is_blocked:
            ami.put("blocked", spelling, "1")
        else:
            ami.delete("blocked", spelling)
