"""Passwords of places and the passphrase: in the store sealed to a key that only the clock can read.

The pages seal with the public half; the private half is one file, 0600, outside the store and in no backup. A store
that is stolen, copied or sent with diagnostics gives nothing away, and a restored one asks for them anew.
"""
from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from base64 import b64decode, b64encode
from pathlib import Path

import pyrage
from pyrage import x25519

from appliance.config import Box
from appliance.store import db as store
from appliance.store.files import flush_folder

MIN_PASSPHRASE = 12
MAX_PASSPHRASE = 256
CLOCK = "deskbell-clock"


class SecretError(Exception):
    """A passphrase was refused or cannot be read; the text says what to do."""


def key_file(box: Box) -> Path:
    return box.state / "backups" / "key"


def prepare(db: sqlite3.Connection, box: Box) -> x25519.Identity:
    """The private key, made when there is none; its public half stands in the store afterwards."""
    path = key_file(box)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        key = x25519.Identity.from_str(path.read_text().strip())
    except FileNotFoundError:
        key = _made(path)
    public = str(key.to_public())
    if _value(db, "recipient") != public:
        with store.write(db):
            db.execute("DELETE FROM backup_secret")        # sealed to another box's key: worthless here
            db.execute("INSERT INTO backup_secret (name, value) VALUES ('recipient', ?)", (public,))
    return key


def _made(path: Path) -> x25519.Identity:
    key = x25519.Identity.generate()
    aside = path.with_name(f"key.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        with contextlib.suppress(LookupError):             # the command line made it, the clock will read it
            shutil.chown(aside, CLOCK, CLOCK)
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        return x25519.Identity.from_str(path.read_text().strip())
    finally:
        aside.unlink()
    flush_folder(path.parent)
    return key


def seal(db: sqlite3.Connection, secret: str) -> str:
    """The secret so that only the clock can read it. Raises SecretError before the clock has ever run."""
    public = _value(db, "recipient")
    if public is None:
        raise SecretError("The box's clock has not started yet, and it keeps the key. Try again in a moment.")
    return b64encode(pyrage.encrypt(secret.encode(), [x25519.Recipient.from_str(public)])).decode()


def unseal(key: x25519.Identity, sealed: str | None) -> str | None:
    """The secret, None when there is none or it was sealed to another box."""
    if not sealed:
        return None
    try:
        return bytes(pyrage.decrypt(b64decode(sealed), [key])).decode()
    except (pyrage.DecryptError, ValueError):
        return None


def keep_passphrase(db: sqlite3.Connection, passphrase: str) -> None:
    """Keeps it for the nightly backups; call it inside write(). Raises SecretError."""
    if not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE:
        raise SecretError("A passphrase has 12 to 256 characters. Four words in a row are good.")
    db.execute("""
        INSERT INTO backup_secret (name, value) VALUES ('passphrase', ?)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value""", (seal(db, passphrase),))


def has_passphrase(db: sqlite3.Connection) -> bool:
    return _value(db, "passphrase") is not None


def passphrase(db: sqlite3.Connection, key: x25519.Identity) -> str | None:
    """The passphrase, None when none was set. Raises SecretError when it can no longer be read."""
    sealed = _value(db, "passphrase")
    found = unseal(key, sealed)
    if sealed and found is None:
        raise SecretError("The passphrase on this box can no longer be read. Type it again on the page Backups.")
    return found


def _value(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute("SELECT value FROM backup_secret WHERE name = ?", (name,)).fetchone()
    return str(row["value"]) if row else None
