"""Who must not be texted: they said so, a person noted it, or a list was read in. Each change runs inside write()."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from appliance.people import numbers, tombstones
from appliance.store.db import iso, parse_time

Source = Literal["reply", "person", "import"]


class OptOutError(Exception):
    """It could not be noted; the text says why."""


class Key(NamedTuple):
    """Where a page of opt-outs ends: the next one goes on before it."""

    at: str
    number: str


@dataclass(frozen=True)
class OptOut:
    """One number. word: what they wrote, None when it was not by text; name None: nobody of the book."""

    number: str
    name: str | None
    at: datetime
    source: str
    word: str | None


@dataclass(frozen=True)
class Page:
    opt_outs: list[OptOut]
    older: Key | None      # where the next page goes on; None at the end


def has(db: sqlite3.Connection, number: str) -> bool:
    """Whether this number wants no texts, also when it said so before it was forgotten."""
    return db.execute("SELECT 1 FROM opt_out WHERE number = ?", (number,)).fetchone() is not None \
        or tombstones.wants_no_texts(db, number)


def add(db: sqlite3.Connection, number: str, source: Source, now: datetime, word: str | None = None) -> bool:
    """True when it is new; the first time and word stay."""
    return db.execute("""
        INSERT INTO opt_out (number, at, source, word)
        VALUES (?, ?, ?, ?)
        ON CONFLICT (number) DO NOTHING""", (number, iso(now), source, word)).rowcount == 1


def note(db: sqlite3.Connection, raw: str, country: str, now: datetime, source: Source = "person") -> str:
    """The number in E.164 that a person wants left alone. Raises OptOutError for what is no number in `country`."""
    number = numbers.e164(raw.strip(), country)
    if number is None:
        raise OptOutError(f"{raw.strip()!r} is not a telephone number here. Write it as you would dial it, or with +.")
    add(db, number, source, now)
    return number


def remove(db: sqlite3.Connection, number: str) -> bool:
    """True when the number was listed: it may be texted again."""
    is_welcome = tombstones.welcome(db, number)
    return db.execute("DELETE FROM opt_out WHERE number = ?", (number,)).rowcount == 1 or is_welcome


def page(db: sqlite3.Connection, before: Key | None = None, limit: int = 50) -> Page:
    """The opt-outs older than `before`, newest first."""
    edge = before or Key("9999", "")
    rows = db.execute("""
        SELECT opt_out.*, contact.name
        FROM opt_out
        LEFT JOIN contact_number ON contact_number.number = opt_out.number
        LEFT JOIN contact ON contact.id = contact_number.contact_id
        WHERE (opt_out.at, opt_out.number) < (?, ?)
        ORDER BY opt_out.at DESC, opt_out.number DESC
        LIMIT ?""", (edge.at, edge.number, limit + 1)).fetchall()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page([OptOut(row["number"], row["name"], parse_time(row["at"]), row["source"], row["word"])
                 for row in rows[:limit]], Key(last["at"], last["number"]) if last else None)


def count(db: sqlite3.Connection) -> int:
    """How many numbers want no texts."""
    return int(db.execute("SELECT count(*) FROM opt_out").fetchone()[0])
