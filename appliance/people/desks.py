"""Paired desks: programs that see who rings. Paired by a code of six digits, each with a token of its own.

The store holds only the hash of a token: it is told once, to the program that gave the code.
Writers run inside the caller's write().
"""
from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.people import seats
from appliance.people.seats import Seat
from appliance.store import db as store

CODE_LIFE = timedelta(minutes=10)
DIGITS = 6
MOST_TRIES = 5               # wrong codes while one is open: whoever guesses closes it for everybody
SEEN_EVERY = timedelta(minutes=2)
LONGEST_NAME = 60
NAMELESS = "Desk"


class DeskError(Exception):
    """A desk was refused; the text says why."""


@dataclass(frozen=True)
class Desk:
    """One paired program and whose it is. seen_at None: it has not come yet; revoked_at None: it may come."""
    id: int
    name: str
    user_id: int
    user: str
    seat: Seat
    created_at: datetime
    seen_at: datetime | None
    revoked_at: datetime | None


def new_code(db: sqlite3.Connection, user_id: int, now: datetime) -> str:
    """Six digits, good for ten minutes, for a desk of this user; the one of before is no longer good."""
    db.execute("DELETE FROM pairing WHERE user_id = ? OR expires_at <= ?", (user_id, store.iso(now)))
    while True:
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        if db.execute("INSERT OR IGNORE INTO pairing (code_hash, user_id, expires_at) VALUES (?, ?, ?)",
                      (key_of(code), user_id, store.iso(now + CODE_LIFE))).rowcount:
            return code


def is_waiting(db: sqlite3.Connection, user_id: int, now: datetime) -> bool:
    """Whether a code of this user is still good."""
    return db.execute("SELECT 1 FROM pairing WHERE user_id = ? AND expires_at > ? AND tries < ?",
                      (user_id, store.iso(now), MOST_TRIES)).fetchone() is not None


def pair(db: sqlite3.Connection, code: str, name: str, now: datetime) -> str | None:
    """The token of a new desk, None for a code that is wrong, old, used, or whose user may not see calls.

    A wrong one counts against every code that is open; call it inside write() and keep that also for None.
    """
    code = "".join(letter for letter in code if letter in "0123456789")
    row = db.execute(f"""
        SELECT user_id, user.extension FROM pairing JOIN user ON user.id = pairing.user_id
        WHERE code_hash = ? AND expires_at > ? AND tries < ? AND {MAY_HEAR}""",
                     (key_of(code), store.iso(now), MOST_TRIES)).fetchone()
    if row is None:
        db.execute("UPDATE pairing SET tries = tries + 1")
        return None
    db.execute("DELETE FROM pairing WHERE code_hash = ?", (key_of(code),))
    token = secrets.token_urlsafe(32)
    db.execute("INSERT INTO desk (name, token_hash, user_id, extension, created_at) VALUES (?, ?, ?, ?, ?)",
               (_free_name(db, row["user_id"], name), key_of(token), row["user_id"], row["extension"], store.iso(now)))
    return token


def find(db: sqlite3.Connection, key: str) -> Desk | None:
    """The desk whose token has this hash, None when it may not come (any more)."""
    row = db.execute(f"{SELECT} WHERE token_hash = ? AND revoked_at IS NULL AND {MAY_HEAR}", (key,)).fetchone()
    return _desk(row) if row else None


def one(db: sqlite3.Connection, desk_id: int) -> Desk | None:
    row = db.execute(f"{SELECT} WHERE desk.id = ?", (desk_id,)).fetchone() if 0 < desk_id < 2**63 else None
    return _desk(row) if row else None


def listed(db: sqlite3.Connection, user_id: int | None = None) -> list[Desk]:
    """Those that may come, of one user or of all, by name."""
    rows = db.execute(f"{SELECT} WHERE revoked_at IS NULL AND (?1 IS NULL OR user_id = ?1) "
                      "ORDER BY desk.name COLLATE NOCASE, desk.id", (user_id,))
    return [_desk(row) for row in rows]


def living(db: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Seat]:
    """The seats of those tokens that may hear of calls now: never more lines than their user's."""
    rows = db.execute(f"""{SELECT} WHERE token_hash IN (SELECT value FROM json_each(?))
        AND revoked_at IS NULL AND {MAY_HEAR}""", (json.dumps(list(keys)),))
    return {row["token_hash"]: _desk(row).seat for row in rows}


def change(db: sqlite3.Connection, desk_id: int, name: str, extension: str | None, lines: Iterable[str] | None) -> None:
    """Keeps what the page says of a desk. Raises DeskError for a name that is none."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise DeskError("A desk has a name of 1 to 60 letters, such as the room it stands in.")
    db.execute("UPDATE desk SET name = ?, extension = ?, lines = ? WHERE id = ?",
               (name, extension, None if lines is None else json.dumps(sorted(lines)), desk_id))


def mute(db: sqlite3.Connection, desk_id: int, is_muted: bool) -> None:
    db.execute("UPDATE desk SET is_muted = ? WHERE id = ?", (is_muted, desk_id))


def revoke(db: sqlite3.Connection, desk_id: int, at: datetime | None) -> None:
    """Its token opens nothing from now on; None lets it come again."""
    db.execute("UPDATE desk SET revoked_at = ? WHERE id = ?", (store.iso(at) if at else None, desk_id))


def mark_seen(db: sqlite3.Connection, keys: Iterable[str], now: datetime) -> None:
    """Notes that these were here; each is written every two minutes at most. Makes its own write()."""
    due = [row["id"] for row in db.execute("""
        SELECT id FROM desk WHERE token_hash IN (SELECT value FROM json_each(?))
        AND (seen_at IS NULL OR seen_at < ?)""", (json.dumps(list(keys)), store.iso(now - SEEN_EVERY)))]
    if due:
        with store.write(db):
            db.executemany("UPDATE desk SET seen_at = ? WHERE id = ?", [(store.iso(now), desk_id) for desk_id in due])


def key_of(secret: str) -> str:
    """SHA-256, as the store has it."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


MAY_HEAR = "user.is_on AND user.role IN ('owner', 'staff')"
SELECT = """
    SELECT desk.*, user.name AS user, user.lines AS user_lines FROM desk JOIN user ON user.id = desk.user_id"""


def _desk(row: sqlite3.Row) -> Desk:
    own = seats.seat(row)
    if row["user_lines"] is not None:
        users = frozenset(map(str, json.loads(row["user_lines"])))
        own = Seat(own.extension, users if own.lines is None else own.lines & users, own.is_muted)
    return Desk(row["id"], row["name"], row["user_id"], row["user"], own, store.parse_time(row["created_at"]),
                store.parse_time(row["seen_at"]) if row["seen_at"] else None,
                store.parse_time(row["revoked_at"]) if row["revoked_at"] else None)


def _free_name(db: sqlite3.Connection, user_id: int, name: str) -> str:
    """What the program calls its computer, told apart from the user's other desks."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())[:LONGEST_NAME - 4] or NAMELESS
    taken = {row[0] for row in db.execute("SELECT name FROM desk WHERE user_id = ? AND revoked_at IS NULL", (user_id,))}
    return next(one for n in range(1, len(taken) + 2) if (one := name if n == 1 else f"{name} {n}") not in taken)
