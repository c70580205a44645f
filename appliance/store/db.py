"""The store: one SQLite file that every daemon opens the same way."""
from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

OLDEST_SQLITE = (3, 51, 3)   # older ones may corrupt a WAL that two connections reset at once
BUSY_TIMEOUT_MS = 5000
POLL_S = 0.005
ASK_S = 0.001                # a writer asks for the lock so often
SCHEMA = Path(__file__).parent / "schema"
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "mmap_size": 0,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "secure_delete": 1,          # who is forgotten is not left in free pages
    "journal_size_limit": 16 * 1024 * 1024,
}


class StoreError(Exception):
    """The store cannot be used; the text says why and what to do."""


class Connection(sqlite3.Connection):
    """`meanwhile` is how its owner lives on while somebody else writes; where it is set no write is given up."""
    meanwhile: Callable[[], None] | None = None


def connect(path: Path | str, meanwhile: Callable[[], None] | None = None) -> Connection:
    """A connection that keeps the promises of durability, in autocommit.

    Raises StoreError when SQLite is too old, a promise does not hold, or the file was
    written by a newer Deskbell.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} may corrupt the store; "
            f"{'.'.join(map(str, OLDEST_SQLITE))} or newer is needed. Install Debian forky's.")
    _make_for_the_group(Path(path))
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
    except sqlite3.OperationalError as refused:
        raise StoreError(f"{path} cannot be opened ({refused}). Run it as a user of the group deskbell.") from refused
    db.row_factory, db.meanwhile = sqlite3.Row, meanwhile
    try:
        for name, wanted in PRAGMAS.items():
            _set(db, name, wanted)
            got = db.execute(f"PRAGMA {name}").fetchone()
            if got is not None and got[0] != wanted:
                raise StoreError(f"{path}: PRAGMA {name} is {got[0]}, not {wanted}; "
                                 "this file system cannot keep the store safe. Put it on ext4.")
        _refuse_newer(db, path)
    except sqlite3.DatabaseError as broken:
        db.close()
        if is_busy(broken):
            raise StoreError(f"{path} is busy ({broken}). Nothing is lost; try again in a moment.") from broken
        raise StoreError(f"{path} is not a Deskbell store ({broken}). "
                         "Calls still ring. Restore the last good backup.") from broken
    except StoreError:
        db.close()
        raise
    return db


def _set(db: sqlite3.Connection, name: str, wanted: object) -> None:
    """Sets a PRAGMA. Two daemons that turn a new file to WAL at once do not wait for each other: ask again."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            db.execute(f"PRAGMA {name} = {wanted}")
            return
        except sqlite3.OperationalError as refused:
            if not is_busy(refused) or time.monotonic() >= until:
                raise
        time.sleep(POLL_S)


def is_busy(error: BaseException | None) -> bool:
    """Whether somebody else held the store for too long: nothing was written, and it may be tried again."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _make_for_the_group(path: Path) -> None:
    """Every daemon is its own user and writes; SQLite gives -wal and -shm the mode of the file itself."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return
    except OSError as refused:
        raise StoreError(f"{path} cannot be made ({refused.strerror}). Calls still ring; nothing is kept. "
                         "Run it as a user of the group deskbell.") from refused
    os.fchmod(descriptor, 0o660)
    os.close(descriptor)


@contextmanager
def write(db: sqlite3.Connection, limit_s: float = BUSY_TIMEOUT_MS / 1000) -> Iterator[sqlite3.Connection]:
    """One transaction that may write: all of it is on the disk afterwards, or nothing.

    Raises sqlite3.OperationalError when somebody else writes for longer than limit_s; a connection that has a
    `meanwhile` waits on, until that raises.
    """
    _begin(db, limit_s)
    try:
        yield db
        db.commit()
    except BaseException:       # also of the commit itself: the disk may be full
        db.rollback()
        raise


def _begin(db: sqlite3.Connection, limit_s: float) -> None:
    """Takes the write lock.

    SQLite asks again after 1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100… ms and sleeps through the pauses that a long
    piece of work makes for us: a call waited 100 ms for an import that held the lock for 10 at a time.
    """
    until, meanwhile = time.monotonic() + limit_s, getattr(db, "meanwhile", None)
    db.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as refused:
                if refused.sqlite_errorcode == sqlite3.SQLITE_BUSY_SNAPSHOT or not is_busy(refused) \
                        or meanwhile is None and time.monotonic() >= until:
                    raise
            if meanwhile is not None:
                meanwhile()
            time.sleep(ASK_S)
    finally:
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def data_version(db: sqlite3.Connection) -> int:
    """A number that differs once another connection has committed."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def wait_for_change(db: sqlite3.Connection, seen: int, timeout_s: float, stop: threading.Event | None = None,
                    poll_s: float = POLL_S) -> int:
    """The data version, as soon as it is no longer `seen`, after timeout_s, or when stop is set."""
    until = time.monotonic() + timeout_s
    wait = stop.wait if stop else time.sleep
    while (now := data_version(db)) == seen and time.monotonic() < until and not wait(poll_s):
        pass
    return now


def migrate(db: sqlite3.Connection) -> list[str]:
    """Names of the schema files applied just now, all in one transaction.

    Safe to call from several daemons at once: the loser waits and finds nothing to do.
    """
    if _known_steps() <= _applied_steps(db):
        return []
    from appliance.store import migrations  # sqlite-utils: 11 MB in each daemon, wanted once in a release
    with write(db):
        return migrations.apply(db, SCHEMA)


def _known_steps() -> set[str]:
    return {file.stem for file in SCHEMA.glob("[0-9]*.sql")}


def _applied_steps(db: sqlite3.Connection) -> set[str]:
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone():
        return set()
    return {row[0] for row in db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'deskbell'")}


def _refuse_newer(db: sqlite3.Connection, path: Path | str) -> None:
    newer = sorted(_applied_steps(db) - _known_steps())
    if newer:
        raise StoreError(f"{path} was written by a newer Deskbell (schema {newer[-1]}). Nothing was changed. "
                         "Install that version again, or restore a backup made by this one.")


def iso(at: datetime) -> str:
    """The one form of a time in the store: UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The aware UTC time that `iso` wrote."""
    return datetime.fromisoformat(text)
