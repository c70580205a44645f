"""The keys of other programs: made on the page, shown once, kept as a hash, taken back at once."""
from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.people import changes
from appliance.store import db as store
from appliance.store.db import iso, parse_time

log = logging.getLogger("tokens")

ROLES = ("reader", "staff", "owner")       # each may what those before it may
PHONEBOOK = "phonebook"
LONGEST_NAME = 60
MOST = 50
SEEN_EVERY = timedelta(minutes=5)
START = "dbk_"                             # so that a scanner of leaked keys knows one


class TokenError(Exception):
    """A token was refused; the text says why."""


@dataclass(frozen=True)
class Token:
    """One key. role: one of ROLES or PHONEBOOK; expires_at None: never; seen_at: within SEEN_EVERY, None never used."""
    id: int
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    seen_at: datetime | None
    revoked_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def hash_of(token: str) -> str:
    """What the store keeps: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def add(db: sqlite3.Connection, name: str, role: str, by: str, now: datetime,
        expires_at: datetime | None = None) -> tuple[int, str]:
    """The id of a new token and the token, which is shown this once. Call it inside write(). Raises TokenError."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise TokenError(f"A name has 1 to {LONGEST_NAME} letters.")
    if role not in (*ROLES, PHONEBOOK):
        raise TokenError("Choose what it may do.")
    if expires_at is not None and expires_at <= now:
        raise TokenError("That day is over. Choose one that is still to come.")
    if db.execute("SELECT count(*) FROM api_token WHERE revoked_at IS NULL").fetchone()[0] >= MOST:
        raise TokenError(f"There are {MOST} tokens already. Take one back first.")
    token = START + secrets.token_urlsafe(32)
    row = db.execute("""
        INSERT INTO api_token (name, token_hash, role, created_at, expires_at)
        VALUES (?, ?, ?, ?, ?) RETURNING id""",
        (name, hash_of(token), role, iso(now), iso(expires_at) if expires_at else None)).fetchone()
    until = iso(expires_at)[:10] if expires_at else None
    changes.record(db, by, f"access {name}", None, {"role": role, "until": until}, now, row["id"])
    return int(row["id"]), token


def listed(db: sqlite3.Connection) -> list[Token]:
    """Those that were not taken back, the oldest first."""
    return [_token(row) for row in db.execute("SELECT * FROM api_token WHERE revoked_at IS NULL ORDER BY id")]


def one(db: sqlite3.Connection, token_id: int) -> Token | None:
    row = db.execute("SELECT * FROM api_token WHERE id = ?", (token_id,)).fetchone()
    return _token(row) if row else None


def find(db: sqlite3.Connection, key: str, now: datetime) -> Token | None:
    """The good token with this hash. It is marked as seen every few minutes; a full disk stops nobody."""
    row = db.execute("SELECT * FROM api_token WHERE token_hash = ?", (key,)).fetchone()
    token = _token(row) if row else None
    if token is None or not token.is_good(now):
        return None
    if token.seen_at is None or now - token.seen_at > SEEN_EVERY:
        try:
            with store.write(db):
                db.execute("UPDATE api_token SET seen_at = ? WHERE id = ?", (iso(now), token.id))
        except sqlite3.OperationalError as full:
            log.warning("A token could not be marked as seen: %s", full)
    return token


def revoke(db: sqlite3.Connection, token: Token, by: str, now: datetime) -> None:
    """It opens nothing from now on. Call it inside write()."""
    db.execute("UPDATE api_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (iso(now), token.id))
    changes.record(db, by, f"access {token.name}", {"role": token.role}, None, now, token.id)


def put_back(db: sqlite3.Connection, token: Token, by: str, now: datetime) -> None:
    """Undoes revoke: the same token opens again. Call it inside write()."""
    db.execute("UPDATE api_token SET revoked_at = NULL WHERE id = ?", (token.id,))
    changes.record(db, by, f"access {token.name}", None, {"role": token.role}, now, token.id)


def may(role: str, wanted: str) -> bool:
    """Whether a token of this role may do what needs `wanted`, one of ROLES."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(wanted)


def _token(row: sqlite3.Row) -> Token:
    def at(name: str) -> datetime | None:
        return parse_time(row[name]) if row[name] else None
    return Token(row["id"], row["name"], row["role"], parse_time(row["created_at"]), at("expires_at"), at("seen_at"),
                 at("revoked_at"))
