"""Who may open the pages: users, their passwords, and the code that lets the first one in."""
from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import sqlite3
import threading
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.config import Box
from appliance.store import db as store
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


class UserError(Exception):
    """A name or password was refused; the text says what is wanted."""


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
    code = "-".join("".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_GROUP)) for _ in range(CODE_GROUPS))
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


def is_code(box: Box, typed: str) -> bool:
    """Whether somebody typed the code of the sticker; case, spaces and dashes do not matter."""
    return hmac.compare_digest(_bare(typed).encode(), _bare(first_run_code(box)).encode())


def add_first(db: sqlite3.Connection, name: str, password: str, now: datetime) -> int | None:
    """The id of the first user, or None when somebody else was quicker. Raises UserError."""
    name, hashed = _checked_name(name), hash_password(password)
    with store.write(db):
        if not is_first_run(db):
            return None
        return db.execute("INSERT INTO user (name, password_hash, created_at) VALUES (?, ?, ?)",
                          (name, hashed, store.iso(now))).lastrowid


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
    row = db.execute("SELECT id, password_hash FROM user WHERE name = ?", (name.strip(),)).fetchone()
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


def _bare(code: str) -> str:
    return "".join(c for c in code.upper() if c.isalnum())


@lru_cache(maxsize=1)
def _nobody() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
