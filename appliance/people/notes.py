"""Notes: on a call, on a card, on a number that has no card yet. Writers run inside the caller's write()."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.people import changes
from appliance.people.cards import ContactError, clean_lines
from appliance.store.db import iso, parse_time

LONGEST = 2000


@dataclass(frozen=True)
class Note:
    """One note. call_id: the call it is about, None for one on a card or a number."""
    id: int
    text: str
    by: str
    at: datetime
    updated_at: datetime
    call_id: int | None
    contact_id: str | None
    number: str | None


def keep(db: sqlite3.Connection, text: str, by: str, now: datetime, *, call_id: int | None = None,
         contact_id: str | None = None, number: str | None = None) -> int | None:
    """The id of the note; None when the text was empty, which takes the note of a call away.

    A call has one note: a second writes over the first. Raises ContactError when call or card are gone.
    """
    text, at = clean_lines(text, LONGEST), iso(now)
    if call_id is not None:
        return _on_call(db, call_id, text, by, now)
    if not text:
        return None
    try:
        row = db.execute("""
            INSERT INTO note (contact_id, number, text, by_user, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?) RETURNING id""", (contact_id, number, text, by, at, at)).fetchone()
    except sqlite3.IntegrityError as gone:
        raise ContactError("This card was deleted meanwhile.") from gone
    changes.record(db, by, "note", None, {"text": text}, now, contact_id)
    return int(row["id"])


def _on_call(db: sqlite3.Connection, call_id: int, text: str, by: str, now: datetime) -> int | None:
    call = db.execute("SELECT number, contact_id FROM call WHERE id = ?", (call_id,)).fetchone()
    if call is None:
        raise ContactError("This call was deleted meanwhile.")
    before = of_call(db, call_id)
    changes.record(db, by, f"note call {call_id}", {"text": before.text} if before else None,
                   {"text": text} if text else None, now, call["contact_id"])
    if not text:
        db.execute("DELETE FROM note WHERE call_id = ?", (call_id,))
        return None
    return int(db.execute("""
        INSERT INTO note (call_id, number, text, by_user, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (call_id) DO UPDATE
        SET text = excluded.text, by_user = excluded.by_user, updated_at = excluded.updated_at
        RETURNING id""", (call_id, call["number"], text, by, iso(now), iso(now))).fetchone()["id"])


def one(db: sqlite3.Connection, note_id: int) -> Note | None:
    row = db.execute("SELECT * FROM note WHERE id = ?", (note_id,)).fetchone()
    return _note(row) if row else None


def change(db: sqlite3.Connection, note_id: int, text: str, by: str, now: datetime) -> None:
    """Writes a note anew, or takes it away when the text is empty. Raises ContactError when it is gone."""
    note, text = one(db, note_id), clean_lines(text, LONGEST)
    if note is None:
        raise ContactError("This note was removed meanwhile.")
    changes.record(db, by, "note", {"text": note.text}, {"text": text} if text else None, now, note.contact_id)
    if text:
        db.execute("UPDATE note SET text = ?, updated_at = ? WHERE id = ?", (text, iso(now), note_id))
    else:
        db.execute("DELETE FROM note WHERE id = ?", (note_id,))


def put_back(db: sqlite3.Connection, note: Note) -> None:
    """A removed note as it was, if what it was about is still there."""
    db.execute("""
        INSERT OR IGNORE INTO note (id, call_id, contact_id, number, text, by_user, created_at, updated_at)
        SELECT ?, ?, ?, ?, ?, ?, ?, ?
        WHERE (? IS NULL OR EXISTS (SELECT 1 FROM contact WHERE id = ?))
          AND (? IS NULL OR EXISTS (SELECT 1 FROM call WHERE id = ?))""",
        (note.id, note.call_id, note.contact_id, note.number, note.text, note.by, iso(note.at), iso(note.updated_at),
         note.contact_id, note.contact_id, note.call_id, note.call_id))


def of_call(db: sqlite3.Connection, call_id: int) -> Note | None:
    """The note of this call."""
    row = db.execute("SELECT * FROM note WHERE call_id = ?", (call_id,)).fetchone()
    return _note(row) if row else None


def of_card(db: sqlite3.Connection, contact_id: str, limit: int = 20) -> list[Note]:
    """The newest notes of a card: its own, those of its numbers and those of their calls."""
    return [_note(row) for row in db.execute("""
        SELECT * FROM note
        WHERE contact_id = :card OR number IN (SELECT number FROM contact_number WHERE contact_id = :card)
        ORDER BY created_at DESC, id DESC
        LIMIT :limit""", {"card": contact_id, "limit": limit})]


def last(db: sqlite3.Connection, number: str) -> Note | None:
    """The newest note on whoever has this number, None when there is none."""
    row = db.execute("""
        SELECT * FROM note
        WHERE number = :number
          OR contact_id = (SELECT contact_id FROM contact_number WHERE number = :number)
          OR number IN (SELECT theirs.number FROM contact_number JOIN contact_number AS theirs USING (contact_id)
                        WHERE contact_number.number = :number)
        ORDER BY updated_at DESC, id DESC
        LIMIT 1""", {"number": number}).fetchone()
    return _note(row) if row else None


def _note(row: sqlite3.Row) -> Note:
    return Note(row["id"], row["text"], row["by_user"], parse_time(row["created_at"]), parse_time(row["updated_at"]),
                row["call_id"], row["contact_id"], row["number"])
