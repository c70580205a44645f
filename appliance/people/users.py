"""Who may open the pages: users, their roles and passwords, and the code that lets the first one in."""
from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.config import Box
from appliance.store import db as store
from appliance.store.db import parse_time
from appliance.store.files import flush_folder

MIN_PASSWORD = 12
MAX_PASSWORD = 256       # a longer one only costs the box time
MAX_NAME = 60
NAME_LIMIT = "A name has 1 to 60 letters."
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"   # nothing that reads like another: no I, L, O, U, 0, 1
CODE_GROUPS, CODE_GROUP = 3, 4                     # 12 of 30 characters: 58 bits

# argon2id, RFC 9106; 19 MiB and one hash at a time, so that logins cannot fill a small box.
HASHER = PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)
ONE_AT_A_TIME = threading.Lock()


ROLES = ("owner", "staff", "installer")
NOT_SET = ""             # the hash of who has not chosen a password yet: nothing fits it


class UserError(Exception):
    """A name, password or role was refused; the text says what is wanted."""


@dataclass(frozen=True)
class User:
    """One who may open the pages. language None: the browser's; extension None: no desk phone of theirs."""
    id: int
    name: str
    role: str
    is_on: bool
    language: str | None
    extension: str | None
    has_password: bool
    has_second_factor: bool
    created_at: datetime
    invited_until: datetime | None


def is_first_run(db: sqlite3.Connection) -> bool:
    """True until somebody has set a password."""
    return bool(db.execute("SELECT NOT EXISTS (SELECT 1 FROM user)").fetchone()[0])


def sticker(box: Box) -> Path:
    """The file that holds the first-run code, alone on its line; whoever can read it owns the box."""
    return box.state / "sticker.txt"


def first_run_code(box: Box) -> str:
    """The code of this box, made and written to the sticker file when there is none yet."""
    path = sticker(box)
    with contextlib.suppress(FileNotFoundError):
        if code := path.read_text().strip():
            return code
        path.unlink()                              # an older Deskbell was cut off before the code was in it
    code = new_code()
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with open(descriptor, "w") as file:
        file.write(code + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(aside)                    # whole, or somebody else's that was quicker
    except FileExistsError:
        return path.read_text().strip()
    finally:
        aside.unlink()
    flush_folder(path.parent)
    return code


def new_code() -> str:
    """Twelve letters and digits that are easy to read aloud, in three groups."""
    return "-".join("".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_GROUP)) for _ in range(CODE_GROUPS))


def is_code(box: Box, typed: str) -> bool:
    """Whether somebody typed the code of the sticker; case, spaces and dashes do not matter."""
    return hmac.compare_digest(bare(typed).encode(), bare(first_run_code(box)).encode())


def add_first(db: sqlite3.Connection, name: str, password: str, now: datetime) -> int | None:
    """The id of the first user, or None when somebody else was quicker. Raises UserError."""
    name, hashed = _checked_name(name), hash_password(password)
    with store.write(db):
        if not is_first_run(db):
            return None
        return db.execute("INSERT INTO user (name, password_hash, created_at, role) VALUES (?, ?, ?, 'owner')",
                          (name, hashed, store.iso(now))).lastrowid


def listed(db: sqlite3.Connection) -> list[User]:
    """Everyone, by name."""
    return [_user(row) for row in db.execute(f"{SELECT} ORDER BY name COLLATE NOCASE, id")]


def get(db: sqlite3.Connection, user_id: int) -> User | None:
    row = db.execute(f"{SELECT} WHERE user.id = ?", (user_id,)).fetchone()
    return _user(row) if row else None


def named(db: sqlite3.Connection, name: str) -> User | None:
    row = db.execute(f"{SELECT} WHERE name = ?", (name.strip(),)).fetchone()
    return _user(row) if row else None


def add(db: sqlite3.Connection, name: str, role: str, now: datetime, language: str | None = None,
        extension: str | None = None) -> int:
    """The id of a new user, who has no password until an invitation is taken; call it inside write().

    Raises UserError when the name is taken or does not fit.
    """
    name = _free_name(db, name)
    added = db.execute("INSERT INTO user (name, password_hash, created_at, role, language, extension) "
                       "VALUES (?, ?, ?, ?, ?, ?)",
                       (name, NOT_SET, store.iso(now), _checked_role(role), language, extension)).lastrowid
    assert added is not None
    return added


def change(db: sqlite3.Connection, user_id: int, name: str, role: str, language: str | None,
           extension: str | None) -> None:
    """Keeps what is known of a user; call it inside write(). Raises UserError, also for the last owner's role."""
    if _checked_role(role) != "owner":
        _leave_an_owner(db, user_id)
    db.execute("UPDATE user SET name = ?, role = ?, language = ?, extension = ? WHERE id = ?",
               (_free_name(db, name, user_id), role, language, extension, user_id))


def switch(db: sqlite3.Connection, user_id: int, is_on: bool) -> None:
    """Lets a user in again or shuts them out, which ends their sessions; call it inside write(). Raises UserError."""
    if not is_on:
        _leave_an_owner(db, user_id)
        end_sessions(db, user_id)
    db.execute("UPDATE user SET is_on = ? WHERE id = ?", (is_on, user_id))


def remove(db: sqlite3.Connection, user_id: int) -> Kept:
    """Takes a user away with sessions and codes; what it gives brings the user back. Inside write(). UserError."""
    _leave_an_owner(db, user_id)
    rows = db.execute("SELECT * FROM user WHERE id = ?", (user_id,)).fetchall()
    codes = db.execute("SELECT code_hash FROM recovery_code WHERE user_id = ?", (user_id,)).fetchall()
    db.execute("DELETE FROM user WHERE id = ?", (user_id,))
    return Kept(tuple(dict(row) for row in rows), tuple(row["code_hash"] for row in codes))


@dataclass(frozen=True)
class Kept:
    """A user who was removed, as the rows were."""
    rows: tuple[dict[str, object], ...]
    codes: tuple[str, ...]

    def back(self, db: sqlite3.Connection) -> None:
        """Puts the user back, with the old password; call it inside write(). Raises UserError: the name is taken."""
        for row in self.rows:
            _free_name(db, str(row["name"]))
            db.execute(f"INSERT INTO user ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                       tuple(row.values()))
            db.executemany("INSERT INTO recovery_code (code_hash, user_id) VALUES (?, ?)",
                           [(code, row["id"]) for code in self.codes])


def set_password(db: sqlite3.Connection, user_id: int, hashed: str, keep_session: str = "") -> None:
    """Keeps the hash that hash_password() gave and ends the sessions, but `keep_session`; call it inside write().

    Hash before: it takes a quarter of a second, and nobody can write meanwhile.
    """
    db.execute("UPDATE user SET password_hash = ? WHERE id = ?", (hashed, user_id))
    end_sessions(db, user_id, keep_session)


def end_sessions(db: sqlite3.Connection, user_id: int, but: str = "") -> int:
    """How many sessions of a user were ended, all but the one with this key; call it inside write()."""
    return db.execute("DELETE FROM session WHERE user_id = ? AND token_hash <> ?", (user_id, but)).rowcount


def set_language(db: sqlite3.Connection, user_id: int, language: str | None) -> None:
    db.execute("UPDATE user SET language = ? WHERE id = ?", (language, user_id))


def hash_password(password: str) -> str:
    """The argon2id hash of a password somebody chose. Raises UserError when it is too short or long."""
    if len(password) < MIN_PASSWORD:
        raise UserError("A password has at least 12 characters. Four words in a row are good.")
    if len(password) > MAX_PASSWORD:
        raise UserError("A password has at most 256 characters.")
    with ONE_AT_A_TIME:
        return HASHER.hash(password)


def verify(db: sqlite3.Connection, name: str, password: str) -> int | None:
    """The id of the user with this name and password, or None; an unknown name takes as long as a wrong password."""
    row = db.execute("SELECT id, password_hash FROM user WHERE name = ? AND is_on AND password_hash <> ?",
                     (name.strip(), NOT_SET)).fetchone()
    hashed = row["password_hash"] if row else _nobody()
    try:
        with ONE_AT_A_TIME:
            HASHER.verify(hashed, password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return None
    return int(row["id"]) if row else None


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UserError(NAME_LIMIT)
    return name


def _free_name(db: sqlite3.Connection, name: str, but: int = 0) -> str:
    name = _checked_name(name)
    if db.execute("SELECT 1 FROM user WHERE name = ? COLLATE NOCASE AND id <> ?", (name, but)).fetchone():
        raise UserError("Somebody has that name already. Add a letter, so that the log tells them apart.")
    return name


def _checked_role(role: str) -> str:
    if role not in ROLES:
        raise UserError("A role is owner, staff or installer.")
    return role


def _leave_an_owner(db: sqlite3.Connection, user_id: int) -> None:
    """Raises UserError when without this user no owner could log in any more."""
    others = db.execute("SELECT 1 FROM user WHERE role = 'owner' AND is_on AND password_hash <> ? AND id <> ?",
                        (NOT_SET, user_id)).fetchone()
    if not others:
        raise UserError("The box needs an owner who can log in. Make somebody else an owner first.")


SELECT = """
    SELECT user.*, (SELECT expires_at FROM invitation WHERE user_id = user.id) AS invited_until FROM user"""


def _user(row: sqlite3.Row) -> User:
    return User(row["id"], row["name"], row["role"], bool(row["is_on"]), row["language"], row["extension"],
                row["password_hash"] != NOT_SET, row["totp_secret"] is not None, parse_time(row["created_at"]),
                parse_time(row["invited_until"]) if row["invited_until"] else None)


def bare(code: str) -> str:
    """A code as it was typed, without what does not matter."""
    return "".join(c for c in code.upper() if c.isalnum())


@lru_cache(maxsize=1)
def _nobody() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
