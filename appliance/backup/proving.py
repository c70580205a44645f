"""Whether a backup is good: read back, opened, put into a scratch store, and every row held against the live one's."""
from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

from appliance.backup import snapshot
from appliance.backup.archive import STORE, ArchiveError, File, Hashed, Manifest, Reader
from appliance.backup.job import Job, work_folder
from appliance.backup.places import Steady
from appliance.store import db as store
from appliance.store import migrations


def prove(job: Job, source: BinaryIO, passphrase: str, manifest_sha256: str, file_sha256: str) -> Manifest:
    """What the backup holds, once it is proved. manifest_sha256: of the manifest taken from the live store.

    Raises ArchiveError or WrongPassphraseError.
    """
    scratch = fresh(work_folder(job.box) / "proof")
    try:
        hashed = Hashed(source)
        manifest = unpack(job, cast(BinaryIO, hashed), passphrase, scratch, manifest_sha256)
        if hashed.rest() != file_sha256:
            raise ArchiveError("The file is not as it was written.")
        check(scratch / STORE, manifest, job)
        return manifest
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def unpack(job: Job, source: BinaryIO, passphrase: str, folder: Path, manifest_sha256: str = "",
           with_recordings: bool = False) -> Manifest:
    """The manifest; the files lie below `folder` afterwards, each proved by its hash."""
    reader = Reader(source, passphrase)
    if manifest_sha256 and hashlib.sha256(reader.manifest_bytes).hexdigest() != manifest_sha256:
        raise ArchiveError("Its list is not the one that was taken from the live store.")
    wanted = reader.manifest.total_bytes if with_recordings else reader.manifest.files[0].size
    if wanted * 2 > shutil.disk_usage(folder).free:
        raise ArchiveError(f"There is no room on this box to open it: {wanted * 2 // 1_000_000 + 1} MB are needed. "
                           "Remove old recordings or backups.")
    job.begin("proving" if job.table == "backup" else "reading", reader.manifest.total_bytes)

    def take(file: File) -> BinaryIO | None:
        if file.name.startswith("recordings/") and not with_recordings:
            return None
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return cast(BinaryIO, Steady(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb"))

    reader.files(take, job.went)
    return reader.manifest


def check(path: Path, manifest: Manifest, job: Job) -> None:
    """Raises ArchiveError unless the store at `path` is whole and has the rows of the manifest; it is migrated then."""
    try:
        raw = sqlite3.connect(path, isolation_level=None)
        try:
            raw.execute("PRAGMA trusted_schema = 0")
            raw.execute("PRAGMA cell_size_check = 1")
            _check_schema(raw, manifest, path.parent)
            _check_whole(raw)
            if wrong := snapshot.difference(manifest.tables, snapshot.hashes(raw, lambda: job.stands(0, 0))):
                raise ArchiveError(wrong)
        finally:
            raw.close()
        db = store.connect(path)
        try:
            if store.migrate(db):
                _check_whole(db)
            db.execute("PRAGMA journal_mode = delete")
        finally:
            db.close()
    except (sqlite3.DatabaseError, store.StoreError, UnicodeError, OverflowError) as broken:
        raise ArchiveError(f"The store in it is damaged ({broken}).") from broken


def _check_schema(db: sqlite3.Connection, manifest: Manifest, folder: Path) -> None:
    """Only what a Deskbell made: no trigger, view or table more, that would act when it is restored."""
    known = sorted(file.stem for file in store.SCHEMA.glob("[0-9]*.sql"))
    if manifest.schema not in known:
        raise ArchiveError("It was made by a newer Deskbell. Install that version, then restore it.")
    if (step := snapshot.applied(db)) != manifest.schema:
        raise ArchiveError(f"The store in it is of another version ({step or 'none'}) than its list says.")
    made = store.connect(folder / "schema.db")
    try:
        with TemporaryDirectory(dir=folder) as steps:
            for step in known[:known.index(manifest.schema) + 1]:
                shutil.copy(store.SCHEMA / f"{step}.sql", steps)
            with store.write(made):
                migrations.apply(made, Path(steps))
        wanted, found = _schema(made), _schema(db)
    finally:
        made.close()
        for left in folder.glob("schema.db*"):
            left.unlink()
    if odd := {name for _, name, _, _ in wanted ^ found}:
        raise ArchiveError(f"The store in it holds {min(odd)}, which is not as Deskbell makes it.")


def _schema(db: sqlite3.Connection) -> set[tuple[str, str, str, str]]:
    return {(row[0], row[1], row[2], row[3] or "") for row in db.execute("""
        SELECT type, name, tbl_name, sql
        FROM sqlite_schema
        WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'""")}


def _check_whole(db: sqlite3.Connection) -> None:
    told = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if told != "ok":
        raise ArchiveError(f"The store in it is damaged ({told}).")
    if orphan := db.execute("PRAGMA foreign_key_check").fetchone():
        raise ArchiveError(f"The store in it is damaged (a row of {orphan[0]} belongs to none).")


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
