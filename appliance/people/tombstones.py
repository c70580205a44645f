"""Who was forgotten, as keyed hashes: enough to know one again, not to read one.

A backup from before brings nobody back: `carry_over` tells a restored store whom this one has forgotten since, and
`forget.again` forgets them there.
"""
from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime

from appliance.store.db import iso, parse_time


def mark(db: sqlite3.Connection, numbers: Iterable[str], now: datetime) -> None:
    """Notes that these numbers are forgotten, and whether they wanted no texts. Runs inside write()."""
    key_id, key = next(iter(_keys(db).items()))
    for number in numbers:
        wants_none = db.execute("SELECT 1 FROM opt_out WHERE number = ?", (number,)).fetchone() is not None
        db.execute("""
            INSERT INTO forgotten (hash, key_id, at, wants_no_texts) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE
            SET at = excluded.at, wants_no_texts = max(wants_no_texts, excluded.wants_no_texts)""",
            (_hash(key, number), key_id, iso(now), wants_none))


def is_forgotten(db: sqlite3.Connection, number: str) -> bool:
    """Whether this number was ever forgotten. Who rings again afterwards is a new caller: see forgotten_at."""
    return forgotten_at(db, number) is not None


def forgotten_at(db: sqlite3.Connection, number: str) -> datetime | None:
    """When this number was last forgotten: what is older must not come back, what is newer may be kept."""
    rows = _rows(db, number)
    return max(parse_time(row["at"]) for row in rows) if rows else None


def wants_no_texts(db: sqlite3.Connection, number: str) -> bool:
    """Whether this number had asked for no texts before it was forgotten."""
    return any(row["wants_no_texts"] for row in _rows(db, number))


def unwilling(db: sqlite3.Connection) -> Callable[[str], bool]:
    """The same question for many numbers at once."""
    keys = _keys(db)
    hashes = {row["hash"] for row in db.execute("SELECT hash FROM forgotten WHERE wants_no_texts = 1")}
    return lambda number: bool(hashes) and any(_hash(key, number) in hashes for key in keys.values())


def welcome(db: sqlite3.Connection, number: str) -> bool:
    """True when a forgotten one who wanted no texts may be texted again: a person said so. Runs inside write()."""
    found = 0
    for key_id, key in _keys(db).items():
        found += db.execute("""
            UPDATE forgotten SET wants_no_texts = 0
            WHERE hash = ? AND key_id = ? AND wants_no_texts = 1""", (_hash(key, number), key_id)).rowcount
    return found > 0


def carry_over(known: sqlite3.Connection, restored: sqlite3.Connection) -> set[tuple[str, str]]:
    """Tells a restored store whom the store before it had forgotten; those that are news to it, as (hash, key).

    Only these were forgotten after the backup was taken. Runs inside write() of `restored`.
    """
    had = {(row["hash"], row["key_id"]): row["at"] for row in restored.execute("SELECT * FROM forgotten")}
    restored.executemany("INSERT OR IGNORE INTO forget_key (id, key) VALUES (?, ?)",
                         [tuple(row) for row in known.execute("SELECT id, key FROM forget_key")])
    news = [row for row in known.execute("SELECT * FROM forgotten")
            if had.get((row["hash"], row["key_id"]), "") < row["at"]]
    restored.executemany("INSERT OR REPLACE INTO forgotten (hash, key_id, at, wants_no_texts) VALUES (?, ?, ?, ?)",
                         [(row["hash"], row["key_id"], row["at"], row["wants_no_texts"]) for row in news])
    return {(row["hash"], row["key_id"]) for row in news}


def among(db: sqlite3.Connection, numbers: Iterable[str], hashes: set[tuple[str, str]]) -> list[str]:
    """Those of the numbers whose hash is among these."""
    keys = _keys(db)
    return [number for number in numbers
            if any((_hash(key, number), key_id) in hashes for key_id, key in keys.items())]


def _rows(db: sqlite3.Connection, number: str) -> list[sqlite3.Row]:
    return [row for key_id, key in _keys(db).items() if (row := db.execute(
        "SELECT * FROM forgotten WHERE hash = ? AND key_id = ?", (_hash(key, number), key_id)).fetchone())]


def _keys(db: sqlite3.Connection) -> dict[str, bytes]:
    """This store's own key first, then those that came with a restore."""
    return {row["id"]: row["key"] for row in db.execute("SELECT id, key FROM forget_key ORDER BY rowid")}


def _hash(key: bytes, number: str) -> str:
    return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()
