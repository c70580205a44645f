"""The recordings as a list: newest first, a page at a time, narrowed and searched; stars and marks."""
from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from appliance.calls import history
from appliance.calls.history import Call, Key
from appliance.store import db as store

MARKS = ("good", "complaint", "training")
FEWEST_LETTERS = 3                # of the trigram index
NOT_IN_NUMBERS = re.compile(r"[^0-9]")
LOOKS_LIKE_NUMBER = re.compile(r"[+0-9 ()/.-]*[0-9][+0-9 ()/.-]*", re.ASCII)
BY_NAME = """
    call.contact_id IN (SELECT contact_id FROM contact_search_key WHERE id IN (
      SELECT rowid FROM contact_search WHERE contact_search MATCH :words))
    OR call.caller_name IN (SELECT name FROM line_name WHERE id IN (
      SELECT rowid FROM line_name_search WHERE line_name_search MATCH :words))
    OR call.id IN (SELECT call_id FROM note WHERE call_id IS NOT NULL AND id IN (
      SELECT rowid FROM note_search WHERE note_search MATCH :words))"""
BY_SHORT_NAME = r"""
    call.contact_id IN (SELECT id FROM contact WHERE name LIKE :like ESCAPE '\' OR company LIKE :like ESCAPE '\')
    OR call.caller_name LIKE :like ESCAPE '\'
    OR call.id IN (SELECT call_id FROM note WHERE text LIKE :like ESCAPE '\')"""


@dataclass(frozen=True)
class Filter:
    """What the list is narrowed to; empty narrows nothing. since and until are UTC times as the store has them."""
    text: str = ""
    mark: str = ""                # one of MARKS
    is_starred: bool = False
    trunk: str = ""
    extension: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of the list."""
    call: Call
    started_at: datetime
    duration_ms: int
    is_starred: bool
    is_missing: bool
    mark: str | None
    note: str


@dataclass(frozen=True)
class Page:
    entries: list[Entry]
    older: Key | None             # where the next page goes on; None at the end


@dataclass(frozen=True)
class Tape:
    """The recording of a call with all that its player shows; peaks is None until its picture was made."""
    call_id: int
    file: str
    started_at: datetime
    duration_ms: int
    size_bytes: int
    is_cut: bool
    is_starred: bool
    is_missing: bool
    peaks: bytes | None

    @property
    def is_opus(self) -> bool:
        return self.file.endswith(".opus")


def page(db: sqlite3.Connection, wanted: Filter, before: Key | None = None, limit: int = 50) -> Page:
    """The latest recordings older than `before` that fit, newest first."""
    edge = before or Key("9999", history.LARGEST_ID)
    wheres, given = _narrowed(wanted)
    rows = db.execute(f"""
        SELECT recording.call_id, recording.started_at, recording.duration_ms, recording.is_starred,
          recording.is_missing, call.mark, coalesce((SELECT text FROM note WHERE note.call_id = call.id), '') AS note
        FROM recording CROSS JOIN call ON call.id = recording.call_id
        WHERE (recording.started_at, recording.call_id) < (:at, :id) {wheres}
        ORDER BY recording.started_at DESC, recording.call_id DESC
        LIMIT :limit""", {"at": edge.started_at, "id": edge.id, "limit": limit + 1, **given}).fetchall()
    calls = {call.id: call for call in history.these(db, [row["call_id"] for row in rows[:limit]])}
    entries = [Entry(calls[row["call_id"]], store.parse_time(row["started_at"]), row["duration_ms"],
                     bool(row["is_starred"]), bool(row["is_missing"]), row["mark"], row["note"])
               for row in rows[:limit] if row["call_id"] in calls]
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(entries, Key(last["started_at"], last["call_id"]) if last else None)


def tape(db: sqlite3.Connection, call_id: int) -> Tape | None:
    """The recording of this call, None if there is none."""
    if not 0 < call_id <= history.LARGEST_ID:
        return None
    row = db.execute("SELECT * FROM recording WHERE call_id = ?", (call_id,)).fetchone()
    return Tape(row["call_id"], row["file"], store.parse_time(row["started_at"]), row["duration_ms"],
                row["size_bytes"], bool(row["is_cut"]), bool(row["is_starred"]), bool(row["is_missing"]),
                row["peaks"]) if row else None


def mark_of(db: sqlite3.Connection, call_id: int) -> str | None:
    """What a listener thought of a call: one of MARKS, None nothing."""
    row = db.execute("SELECT mark FROM call WHERE id = ?", (call_id,)).fetchone()
    return row["mark"] if row else None


def mark(db: sqlite3.Connection, call_id: int, wanted: str | None) -> None:
    """Keeps what a listener thought of a call. In write()."""
    db.execute("UPDATE call SET mark = ? WHERE id = ?", (wanted, call_id))


def star(db: sqlite3.Connection, call_id: int, is_starred: bool) -> bool:
    """Whether there was a recording to keep for ever, or no longer. In write()."""
    return db.execute("UPDATE recording SET is_starred = ? WHERE call_id = ?", (is_starred, call_id)).rowcount == 1


def _narrowed(wanted: Filter) -> tuple[str, dict[str, object]]:
    """The conditions of a filter, and their values."""
    wheres, given = "", dict[str, object]()
    for column, name, value in (("call.mark =", "mark", wanted.mark), ("call.trunk =", "trunk", wanted.trunk),
                                ("call.extension =", "extension", wanted.extension),
                                ("recording.started_at >=", "since", wanted.since),
                                ("recording.started_at <", "until", wanted.until)):
        if value:
            wheres += f" AND {column} :{name}"
            given[name] = value
    if wanted.is_starred:
        wheres += " AND recording.is_starred = 1"
    if text := wanted.text.strip():
        digits = NOT_IN_NUMBERS.sub("", text) if LOOKS_LIKE_NUMBER.fullmatch(text) else ""
        by_name = BY_NAME if len(text) >= FEWEST_LETTERS else BY_SHORT_NAME
        wheres += f" AND ({by_name}{' OR call.number LIKE :digits' if digits else ''})"
        given["words"] = '"' + text.replace('"', '""') + '"'
        given["like"] = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
        given["digits"] = f"%{digits.lstrip('0') or digits}%"
    return wheres, given
