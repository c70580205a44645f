"""Makes one backup: the live store at one moment, hashed row by row, packed, sealed, put in its place, proved."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from appliance import config
from appliance.backup import age, archive, proving, snapshot
from appliance.backup.archive import BOX, RECORDING, STORE, ArchiveError, File, Manifest
from appliance.backup.job import Job, work_folder
from appliance.backup.places import Place
from appliance.box import licences
from appliance.config import Box
from appliance.store import db as store

TRIES = 3                       # a recording may be let go between the list and the copy
COUNTED = {"calls": "call", "customers": "contact", "texts": "sms", "users": "user"}


def make(job: Job, place: Place, recordings: str, passphrase: str, now: datetime,
         log_n: int = age.LOG_N) -> Manifest:
    """The manifest of a new backup that lies proved at `place`; its row is kept up to date.

    Raises ArchiveError, PlaceError, sqlite3.Error or OSError; then nothing is left at the place.
    """
    folder = proving.fresh(work_folder(job.box) / "making")
    try:
        _check_room(job.box, folder)
        job.begin("making")
        schema, tables = snapshot.copy(job.box.store, folder / "copy.db", folder / STORE, job.stands)
        sources = {STORE: folder / STORE, **_box_file(job.box), **_recordings(job.box, folder / STORE, recordings)}
        for again in range(TRIES):
            manifest = _manifest(job, schema, tables, recordings, sources, now)
            name = file_name(job.box, now, job.row_id, bool(passphrase))
            try:
                written = _put(job, place, name, manifest, sources, passphrase, log_n)
                break
            except (ArchiveError, FileNotFoundError):
                if again == TRIES - 1:
                    raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        with place.get(name) as back:
            proving.prove(job, back, passphrase, hashlib.sha256(manifest.as_bytes()).hexdigest(), written)
    except (ArchiveError, age.AgeError):
        place.remove(name)                      # what is not good must not be there on the day it is needed
        raise
    return manifest


def file_name(box: Box, now: datetime, row_id: int, is_encrypted: bool) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in box.name)[:40] or "box"
    return f"deskbell-{kept}-{now:%Y%m%dT%H%M%SZ}-{row_id}.tar.zst" + (".age" if is_encrypted else "")


def _put(job: Job, place: Place, name: str, manifest: Manifest, sources: dict[str, Path], passphrase: str,
         log_n: int) -> str:
    """The SHA-256 of the file."""
    job.begin("copying", manifest.total_bytes)
    job.put(file=name, is_encrypted=int(bool(passphrase)), taken_at=manifest.taken_at, counts=_counts(manifest),
            manifest_sha256=hashlib.sha256(manifest.as_bytes()).hexdigest())
    with place.put(name) as sink:
        hashed = archive.Hashed(sink)
        archive.write(cast(BinaryIO, hashed), manifest, lambda file: _open(sources[file.name]), passphrase, job.went,
                      log_n)
    job.put(size_bytes=place.names().get(name), file_sha256=hashed.sha256)
    return hashed.sha256


def _manifest(job: Job, schema: str, tables: snapshot.Tables, recordings: str, sources: dict[str, Path],
              now: datetime) -> Manifest:
    files = [file for name, path in sources.items() if (file := _hashed(job, name, path))]
    return Manifest(licences.version(), schema, job.box.name, store.iso(now), recordings, tables, tuple(files))


def _hashed(job: Job, name: str, path: Path) -> File | None:
    """The file with its hash, None when it was let go meanwhile."""
    seen, size = hashlib.sha256(), 0
    try:
        with _open(path) as source:
            for piece in iter(partial(source.read, archive.PIECE), b""):
                seen.update(piece)
                size += len(piece)
                job.stands(0, 0)
    except FileNotFoundError:
        if name == STORE:
            raise
        return None
    return File(name, size, seen.hexdigest())


def _open(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _recordings(box: Box, copied: Path, which: str) -> dict[str, Path]:
    if which == "none":
        return {}
    db = sqlite3.connect(copied)
    try:
        return dict(_named(db, box, which))
    finally:
        db.close()


def _named(db: sqlite3.Connection, box: Box, which: str) -> Iterator[tuple[str, Path]]:
    for (file,) in db.execute("SELECT file FROM recording WHERE ? OR is_starred ORDER BY call_id", (which == "all",)):
        name = f"recordings/{file}"
        if RECORDING.fullmatch(name):
            yield name, box.recordings / file


def _box_file(box: Box) -> dict[str, Path]:
    """box.toml as it stands, to set a new box up by: it holds no secret."""
    path = Path(os.environ.get("DESKBELL_CONFIG", config.DEFAULT_PATH))
    try:
        return {BOX: path} if 0 < path.stat().st_size <= archive.MOST_BOX_BYTES and os.access(path, os.R_OK) else {}
    except OSError:
        return {}


def _counts(manifest: Manifest) -> str:
    """What the page shows of a backup."""
    recordings = [file for file in manifest.files if file.name.startswith("recordings/")]
    return json.dumps({word: manifest.tables[table].rows for word, table in COUNTED.items()} | {
        "recordings": len(recordings), "recording_bytes": sum(file.size for file in recordings),
        "tables": len(manifest.tables), "rows": sum(table.rows for table in manifest.tables.values())})


def _check_room(box: Box, folder: Path) -> None:
    needed = 2 * box.store.stat().st_size + 16 * 1024 * 1024
    if shutil.disk_usage(folder).free < needed:
        raise ArchiveError(f"There is no room on this box to copy the store: {needed // 1_000_000 + 1} MB are needed. "
                           "Calls go on. Remove old recordings or backups.")
