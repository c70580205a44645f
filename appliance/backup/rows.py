"""The places, the backups and the restores as rows; what the pages and the command line ask for."""
from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.backup.secrets import seal
from appliance.people import changes
from appliance.store.db import iso, parse_time, write

OPEN = ("asked", "making", "copying", "proving")
MAX_NAME = 40


class BackupError(Exception):
    """What was asked cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Place:
    """Where backups go. trouble: why it could not be used at seen_at, None when it could."""
    id: int
    kind: str
    name: str
    address: str
    user_name: str | None
    has_secret: bool
    host_key: str | None
    is_nightly: bool
    recordings: str
    daily: int
    weekly: int
    monthly: int
    is_asked: bool
    seen_at: datetime | None
    trouble: str | None
    free_bytes: int | None


@dataclass(frozen=True)
class Backup:
    """One backup; taken_at is the moment it shows. counts: see making.COUNTED."""
    id: int
    place_id: int | None
    place: str
    kind: str | None
    night: str | None
    state: str
    reason: str | None
    recordings: str
    asked_at: datetime
    taken_at: datetime | None
    proven_at: datetime | None
    file: str | None
    size_bytes: int | None
    is_encrypted: bool
    counts: dict[str, int]
    done_bytes: int
    total_bytes: int
    is_cancelled: bool

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def at(self) -> datetime:
        return self.taken_at or self.asked_at


@dataclass(frozen=True)
class Restore:
    """One restore. preview: see restoring.preview, None until it was read."""
    id: int
    backup_id: int | None
    upload: str | None
    state: str
    reason: str | None
    preview: dict[str, Any] | None
    before_id: int | None
    by_user: str
    asked_at: datetime
    ended_at: datetime | None
    done_bytes: int
    total_bytes: int


def places(db: sqlite3.Connection) -> list[Place]:
    return [_place(row) for row in db.execute("SELECT * FROM backup_place ORDER BY kind <> 'box', id")]


def place(db: sqlite3.Connection, place_id: int) -> Place:
    row = db.execute("SELECT * FROM backup_place WHERE id = ?", (place_id,)).fetchone()
    if row is None:
        raise BackupError("That place is no longer in the list.")
    return _place(row)


def backups(db: sqlite3.Connection, limit: int = 60) -> list[Backup]:
    """Newest first; those whose file was removed are left out."""
    return [_backup(row) for row in db.execute("""
        SELECT backup.*, backup_place.kind
        FROM backup LEFT JOIN backup_place ON backup_place.id = backup.place_id
        WHERE state <> 'removed'
        ORDER BY coalesce(taken_at, asked_at) DESC, backup.id DESC
        LIMIT ?""", (limit,))]


def backup(db: sqlite3.Connection, backup_id: int) -> Backup:
    row = db.execute("""
        SELECT backup.*, backup_place.kind
        FROM backup LEFT JOIN backup_place ON backup_place.id = backup.place_id
        WHERE backup.id = ?""", (backup_id,)).fetchone()
    if row is None:
        raise BackupError("There is no such backup.")
    return _backup(row)


def last_proven(db: sqlite3.Connection) -> Backup | None:
    row = db.execute("""
        SELECT backup.*, backup_place.kind
        FROM backup LEFT JOIN backup_place ON backup_place.id = backup.place_id
        WHERE state = 'proven'
        ORDER BY taken_at DESC, backup.id DESC LIMIT 1""").fetchone()
    return _backup(row) if row else None


def ask(db: sqlite3.Connection, place_id: int, by: str, now: datetime, *, night: str | None = None,
        recordings: str | None = None, reason: str | None = None) -> int | None:
    """The id of a backup the clock will make; None when this night's was asked for already. Call it inside write()."""
    at = place(db, place_id)
    row = db.execute("""
        INSERT INTO backup (place_id, place, night, state, reason, by_user, recordings, asked_at)
        VALUES (?, ?, ?, 'asked', ?, ?, ?, ?) ON CONFLICT (place_id, night) DO NOTHING RETURNING id""",
        (at.id, at.name, night, reason, by, recordings or at.recordings, iso(now))).fetchone()
    return int(row["id"]) if row else None


def prove_again(db: sqlite3.Connection, backup_id: int) -> None:
    """Has the clock read a backup back once more. Raises BackupError."""
    with write(db):
        if not db.execute("""
                UPDATE backup SET state = 'asked', is_cancelled = 0, done_bytes = 0, total_bytes = 0
                WHERE id = ? AND state IN ('proven', 'failed') AND file IS NOT NULL AND manifest_sha256 IS NOT NULL
                  AND place_id IS NOT NULL""", (backup_id,)).rowcount:
            raise BackupError("This one cannot be proved: its file or its place is gone.")


def cancel(db: sqlite3.Connection, backup_id: int) -> None:
    with write(db):
        db.execute("UPDATE backup SET is_cancelled = 1 WHERE id = ? AND state IN ('asked', 'making', 'copying', "
                   "'proving')", (backup_id,))


def ask_restore(db: sqlite3.Connection, by: str, now: datetime, passphrase: str, *, backup_id: int | None = None,
                upload: str | None = None) -> int:
    """The id of a restore that the clock will read and show. Raises BackupError, SecretError."""
    sealed = seal(db, passphrase) if passphrase else None
    with write(db):
        if open_restore(db):
            raise BackupError("A restore is open already. Finish it or leave it first.")
        if backup_id is not None and backup(db, backup_id).file is None:
            raise BackupError("Of this backup there is no file.")
        row = db.execute("""
            INSERT INTO backup_restore (backup_id, upload, passphrase, state, by_user, asked_at)
            VALUES (?, ?, ?, 'asked', ?, ?) RETURNING id""", (backup_id, upload, sealed, by, iso(now))).fetchone()
    return int(row["id"])


def agree(db: sqlite3.Connection, restore_id: int, by: str, now: datetime) -> bool:
    """Whether the restore was waiting for this word."""
    with write(db):
        agreed = db.execute("UPDATE backup_restore SET state = 'agreed', is_cancelled = 0 WHERE id = ? AND "
                            "state = 'ready'", (restore_id,)).rowcount
        if agreed:
            changes.record(db, by, "restore", None, {"restore": restore_id}, now, restore_id)
    return bool(agreed)


def leave(db: sqlite3.Connection, restore_id: int, now: datetime) -> None:
    """Nothing is restored; a restore that runs already is not stopped in its last moment."""
    with write(db):
        db.execute("UPDATE backup_restore SET state = 'cancelled', passphrase = NULL, ended_at = ? WHERE id = ? AND "
                   "state IN ('asked', 'ready')", (iso(now), restore_id))
        db.execute("UPDATE backup_restore SET is_cancelled = 1 WHERE id = ? AND state = 'reading'", (restore_id,))


def open_restore(db: sqlite3.Connection) -> Restore | None:
    row = db.execute("SELECT * FROM backup_restore WHERE state IN ('asked', 'reading', 'ready', 'agreed', 'restoring') "
                     "ORDER BY id LIMIT 1").fetchone()
    return _restore(row) if row else None


def last_restore(db: sqlite3.Connection) -> Restore | None:
    row = db.execute("SELECT * FROM backup_restore ORDER BY id DESC LIMIT 1").fetchone()
    return _restore(row) if row else None


def restore(db: sqlite3.Connection, restore_id: int) -> Restore:
    row = db.execute("SELECT * FROM backup_restore WHERE id = ?", (restore_id,)).fetchone()
    if row is None:
        raise BackupError("There is no such restore.")
    return _restore(row)


def add_place(db: sqlite3.Connection, by: str, now: datetime, kind: str, name: str, address: str, user: str = "",
              password: str = "", recordings: str = "none") -> int:
    """The id of a new place; the clock tries it at once. Call it inside write(). Raises BackupError, SecretError."""
    from appliance.backup.network import address as checked_address
    from appliance.backup.places import PlaceError
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise BackupError("Give the place a name of up to 40 letters.")
    if kind not in ("usb", "smb", "sftp"):
        raise BackupError("A place is a USB stick or a network folder.")
    if not address.strip() or len(address) > 200 or not address.isprintable():
        raise BackupError("Say where it is: the stick's name, or the network folder.")
    try:
        if kind != "usb":
            checked_address(address, 22)
    except PlaceError as odd:
        raise BackupError(str(odd)) from odd
    if kind != "usb" and not user:
        raise BackupError("A network folder wants a user name.")
    if db.execute("SELECT 1 FROM backup_place WHERE name = ?", (name,)).fetchone():
        raise BackupError(f"There is a place called {name} already.")
    place_id = db.execute("""
        INSERT INTO backup_place (kind, name, address, user_name, secret, recordings) VALUES (?, ?, ?, ?, ?, ?)
        RETURNING id""", (kind, name, address.strip(), user or None, seal(db, password) if password else None,
                          recordings if recordings in ("all", "starred", "none") else "none")).fetchone()["id"]
    changes.record(db, by, "backup_place", None, {"kind": kind, "name": name, "address": address}, now, place_id)
    return int(place_id)


def remove_place(db: sqlite3.Connection, place_id: int, by: str, now: datetime) -> tuple[dict[str, Any], list[int]]:
    """The row as it was and the ids of its backups, for put_back; the files there stay. Call it inside write()."""
    at = place(db, place_id)
    if at.kind == "box":
        raise BackupError("This box itself cannot be taken off the list; its nightly backup can be switched off.")
    row = dict(db.execute("SELECT * FROM backup_place WHERE id = ?", (place_id,)).fetchone())
    ids = [one["id"] for one in db.execute("SELECT id FROM backup WHERE place_id = ?", (place_id,))]
    db.execute("UPDATE backup SET is_cancelled = 1 WHERE place_id = ?", (place_id,))
    db.execute("DELETE FROM backup_place WHERE id = ?", (place_id,))
    changes.record(db, by, "backup_place", {"name": at.name, "address": at.address}, None, now, place_id)
    return row, ids


def put_back(db: sqlite3.Connection, row: dict[str, Any], backup_ids: list[int]) -> None:
    """Undoes remove_place; call it inside write()."""
    names = ", ".join(row)
    db.execute(f"INSERT OR IGNORE INTO backup_place ({names}) VALUES ({', '.join('?' * len(row))})",    # noqa: S608
               tuple(row.values()))
    db.executemany("UPDATE OR IGNORE backup SET place_id = ? WHERE id = ? AND place_id IS NULL",
                   [(row["id"], backup_id) for backup_id in backup_ids])


def set_place(db: sqlite3.Connection, place_id: int, by: str, now: datetime, **values: object) -> dict[str, Any]:
    """What those values were before; call it inside write(). Raises BackupError."""
    place(db, place_id)
    allowed = ("is_nightly", "recordings", "daily", "weekly", "monthly", "is_asked", "host_key")
    assert all(key in allowed for key in values)
    before = dict(db.execute(f"SELECT {', '.join(values)} FROM backup_place WHERE id = ?",              # noqa: S608
                             (place_id,)).fetchone())
    try:
        db.execute(f"UPDATE backup_place SET {', '.join(f'{key} = ?' for key in values)} WHERE id = ?",  # noqa: S608
                   (*values.values(), place_id))
    except sqlite3.IntegrityError as odd:
        raise BackupError("Keep 1 to 366 days, 0 to 520 weeks, 0 to 240 months.") from odd
    changes.record(db, by, "backup_place", before, values, now, place_id)
    return before


def _place(row: sqlite3.Row) -> Place:
    return Place(row["id"], row["kind"], row["name"], row["address"], row["user_name"], row["secret"] is not None,
                 row["host_key"], bool(row["is_nightly"]), row["recordings"], row["daily"], row["weekly"],
                 row["monthly"], bool(row["is_asked"]), _time(row["seen_at"]), row["trouble"], row["free_bytes"])


def _backup(row: sqlite3.Row) -> Backup:
    return Backup(row["id"], row["place_id"], row["place"], row["kind"], row["night"], row["state"], row["reason"],
                  row["recordings"], parse_time(row["asked_at"]), _time(row["taken_at"]), _time(row["proven_at"]),
                  row["file"], row["size_bytes"], bool(row["is_encrypted"]), json.loads(row["counts"] or "{}"),
                  row["done_bytes"], row["total_bytes"], bool(row["is_cancelled"]))


def _restore(row: sqlite3.Row) -> Restore:
    return Restore(row["id"], row["backup_id"], row["upload"], row["state"], row["reason"],
                   json.loads(row["preview"]) if row["preview"] else None, row["before_id"], row["by_user"],
                   parse_time(row["asked_at"]), _time(row["ended_at"]), row["done_bytes"], row["total_bytes"])


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None
