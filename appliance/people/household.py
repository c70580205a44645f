"""Which other card, or which number without a card, may be the same customer: same address, same note, or taking
turns within minutes. A suggestion only; a person merges, or says that they are two."""
from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from appliance.store.db import iso, parse_time

NEAR = timedelta(minutes=10)
LATEST = 200                # of the card's calls are looked at
FEWEST_TURNS = 3
LEAST_SHARE = 0.6           # of the other's calls must be near: who rings all day is near to everybody
SHORTEST_NOTE = 15          # letters: "rang back" is on many cards
MOST = 3


@dataclass(frozen=True)
class Suggestion:
    """Another card, or contact_id None: a number without one. why: address, note or turns; turns: how often."""
    contact_id: str | None
    name: str | None
    number: str | None
    why: str
    turns: int = 0

    @property
    def other(self) -> str:
        return self.contact_id or self.number or ""


def suggestions(db: sqlite3.Connection, contact_id: str) -> list[Suggestion]:
    """At most MOST, the surest first, without those of which somebody said no."""
    refused = {row["other"] for row in db.execute("""
        SELECT other FROM household_no WHERE contact_id = :card
        UNION SELECT contact_id FROM household_no WHERE other = :card""", {"card": contact_id})}
    found: dict[str, Suggestion] = {}
    for one in [*_same_address(db, contact_id), *_same_note(db, contact_id), *_turns(db, contact_id)]:
        if one.other not in refused:
            found.setdefault(one.other, one)
    return list(found.values())[:MOST]


def refuse(db: sqlite3.Connection, contact_id: str, other: str) -> None:
    """Somebody said that these are two. Runs inside write()."""
    db.execute("INSERT OR IGNORE INTO household_no (contact_id, other) SELECT id, ? FROM contact WHERE id = ?",
               (other, contact_id))


def ask_again(db: sqlite3.Connection, contact_id: str, other: str) -> None:
    db.execute("DELETE FROM household_no WHERE contact_id = ? AND other = ?", (contact_id, other))


def _same_address(db: sqlite3.Connection, contact_id: str) -> list[Suggestion]:
    return [_card(row, "address") for row in db.execute("""
        SELECT other.id, other.name, (SELECT number FROM contact_number WHERE contact_id = other.id
                                      ORDER BY position LIMIT 1) AS number
        FROM contact JOIN contact AS other ON other.address = contact.address COLLATE NOCASE
        WHERE contact.id = ? AND other.id <> contact.id AND other.address IS NOT NULL AND length(other.address) > 5
        LIMIT ?""", (contact_id, MOST * 2))]


def _same_note(db: sqlite3.Connection, contact_id: str) -> list[Suggestion]:
    found = []
    for note in db.execute("""
            SELECT text FROM note WHERE contact_id = ? AND length(text) >= ? ORDER BY created_at DESC LIMIT 3""",
                           (contact_id, SHORTEST_NOTE)).fetchall():
        found += [_card(row, "note") for row in db.execute("""
            SELECT contact.id, contact.name, (SELECT number FROM contact_number WHERE contact_id = contact.id
                                              ORDER BY position LIMIT 1) AS number
            FROM note_search JOIN note ON note.id = note_search.rowid JOIN contact ON contact.id = note.contact_id
            WHERE note_search MATCH ? AND note.text = ? AND note.contact_id <> ?
            LIMIT ?""", ('"' + note["text"].replace('"', '""') + '"', note["text"], contact_id, MOST))]
    return found


def _turns(db: sqlite3.Connection, contact_id: str) -> list[Suggestion]:
    """Numbers that rang within minutes before or after the card's own, again and again, and seldom otherwise."""
    near: Counter[str] = Counter()
    for call in db.execute("""
            SELECT started_at FROM call WHERE contact_id = ? AND direction = 'in' ORDER BY started_at DESC LIMIT ?""",
                           (contact_id, LATEST)).fetchall():
        at = parse_time(call["started_at"])
        near.update(row["number"] for row in db.execute("""
            SELECT DISTINCT number FROM call
            WHERE started_at BETWEEN ? AND ? AND direction = 'in' AND number IS NOT NULL AND contact_id IS NOT ?""",
            (iso(at - NEAR), iso(at + NEAR), contact_id)))
    found = []
    for number, turns in near.most_common(MOST * 3):
        if turns < FEWEST_TURNS:
            break
        all_of_it = db.execute("SELECT count(*) FROM call WHERE number = ? AND direction = 'in'", (number,)).fetchone()
        if turns < LEAST_SHARE * int(all_of_it[0]):
            continue
        row = db.execute("SELECT id, name FROM contact JOIN contact_number ON contact_id = id WHERE number = ?",
                         (number,)).fetchone()
        found.append(Suggestion(row["id"] if row else None, row["name"] if row else None, number, "turns", turns))
    return found


def _card(row: sqlite3.Row, why: str) -> Suggestion:
    return Suggestion(row["id"], row["name"], row["number"], why)
