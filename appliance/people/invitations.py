"""The code with which somebody sets a first or a new password: good once, for three days, never kept itself."""
from __future__ import annotations

import hashlib
import sqlite3
from datetime import datetime, timedelta

from appliance.people import users
from appliance.people.users import User
from appliance.store import db as store

LIFE = timedelta(days=3)


def invite(db: sqlite3.Connection, user_id: int, now: datetime) -> str:
    """A new code for this user; an older one is no longer good. Call it inside write()."""
    code = users.new_code()
    db.execute("INSERT OR REPLACE INTO invitation (code_hash, user_id, expires_at) VALUES (?, ?, ?)",
               (_hash(code), user_id, store.iso(now + LIFE)))
    return code


def whose(db: sqlite3.Connection, code: str, now: datetime) -> User | None:
    """Whom this code lets in, None when it is used, too old or none; case, spaces and dashes do not matter."""
    row = db.execute("SELECT user_id FROM invitation WHERE code_hash = ? AND expires_at > ?",
                     (_hash(code), store.iso(now))).fetchone()
    user = users.get(db, row["user_id"]) if row else None
    return user if user and user.is_on else None


def accept(db: sqlite3.Connection, code: str, password: str, now: datetime) -> User | None:
    """The user whose password it now is, None when the code was not good. Raises UserError for a weak password.

    Every other session of the user ends: whoever asked for a new password may have lost the old one to somebody.
    """
    if whose(db, code, now) is None:
        return None
    hashed = users.hash_password(password)
    with store.write(db):
        user = whose(db, code, now)                # between looking and now somebody else may have used it
        if user is not None:
            users.set_password(db, user.id, hashed)
            withdraw(db, user.id)
    return user


def withdraw(db: sqlite3.Connection, user_id: int) -> None:
    """A code that is still open is no longer good; call it inside write()."""
    db.execute("DELETE FROM invitation WHERE user_id = ?", (user_id,))


def _hash(code: str) -> str:
    return hashlib.sha256(users.bare(code).encode()).hexdigest()
