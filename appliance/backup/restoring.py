"""A backup comes back: opened aside, proved, migrated, shown; and once a person agrees, swapped in at one stroke.

The swap is SQLite's own backup in the other direction: every page of the new store is written into the live file in one
transaction. Readers see the old store until it commits and the new one after; nobody has to be restarted; a power cut
in it leaves the old one. Writers wait meanwhile (bench_backup.py says how long); telephones ring without us.
"""
from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from appliance.backup import carry, proving
from appliance.backup.archive import BOX, STORE, ArchiveError, Manifest
from appliance.backup.job import Job, work_folder
from appliance.backup.making import COUNTED
from appliance.config import Box
from appliance.people import forget
from appliance.store import db as store
from appliance.store.files import flush_folder, write_durably

STEP_PAGES = 2000
ON_AIR_S = 90.0             # so long a restore waits for a text that is being sent
OTHER_CALL = 10**15         # added to a recording's number when another one has its name here


def read(job: Job, source: BinaryIO, passphrase: str, manifest_sha256: str = "") -> dict[str, Any]:
    """What a restore would change. The store lies ready aside; nothing of the live one was touched.

    Raises ArchiveError or WrongPassphraseError.
    """
    folder = proving.fresh(aside(job.box, job.row_id))
    try:
        manifest = proving.unpack(job, source, passphrase, folder, manifest_sha256, with_recordings=True)
        proving.check(folder / STORE, manifest, job)
        return preview(job.db, job.box, folder, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def aside(box: Box, restore_id: int) -> Path:
    return work_folder(box) / f"restore-{restore_id}"


def preview(live: sqlite3.Connection, box: Box, folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Numbers of now and then, what is new since and would go, how many recordings would come."""
    then = sqlite3.connect(folder / STORE)
    try:
        def both(query: str, *values: object) -> list[int]:
            return [int(db.execute(query, values).fetchone()[0]) for db in (live, then)]
        tables = {word: both(f"SELECT count(*) FROM {table}") for word, table in                # noqa: S608
                  {**COUNTED, "recordings": "recording", "rules": "rule", "templates": "template"}.items()}
        at = manifest.taken_at
        lost = {"calls": "SELECT count(*) FROM call WHERE started_at > ?",
                "customers": "SELECT count(*) FROM contact WHERE created_at > ?",
                "texts": "SELECT count(*) FROM sms WHERE created_at > ?"}
        settings = [dict(db.execute("SELECT key, value FROM setting").fetchall()) for db in (live, then)]
        newest = then.execute("SELECT max(started_at) FROM call").fetchone()[0]
        waiting = live.execute("SELECT count(*) FROM sms WHERE state IN ('queued', 'held')").fetchone()[0]
        users = carry.users(then, live)
    finally:
        then.close()
    return {"version": manifest.version, "box": manifest.box, "taken_at": at, "newest_call": newest, "tables": tables,
            "lost": {word: live.execute(query, (at,)).fetchone()[0] for word, query in lost.items()},
            "settings": sorted(key for key in {*settings[0], *settings[1]}
                               if settings[0].get(key) != settings[1].get(key)),
            "users": users, "waiting_texts": waiting, "box_toml": (folder / BOX).exists(),
            "recordings": len(_coming(box, folder))}


def apply(job: Job, now: Callable[[], datetime]) -> None:
    """Puts what lies aside in the place of the live store; the row says restored in the same transaction."""
    folder = aside(job.box, job.row_id)
    if not (folder / STORE).exists():
        raise ArchiveError("What was read is no longer there. Begin the restore anew.")
    _forget_again(job, folder, now())           # before their recordings are brought
    _bring_recordings(job, folder)
    if (folder / BOX).exists():
        write_durably(job.box.state / "restored-box.toml", (folder / BOX).read_bytes())
    until = time.monotonic() + ON_AIR_S
    while True:
        try:
            swap(job.box.store, folder / STORE, job.row_id, now())
            break
        except carry.BusyError:
            if time.monotonic() > until:
                raise ArchiveError("A text has been on its way for over a minute. Nothing was changed. Try again "
                                   "when it is settled.") from None
            job.stands(0, 0)
            time.sleep(0.2)
            _forget_again(job, folder, now())   # somebody may have been forgotten meanwhile
    shutil.rmtree(folder, ignore_errors=True)


def swap(live_path: Path, new_path: Path, restore_id: int, now: datetime) -> float:
    """Seconds for which nobody else could write. The live file holds the new store afterwards, or is untouched."""
    new, live = sqlite3.connect(new_path, isolation_level=None), store.connect(live_path)
    began = 0.0

    def step(status: int, _left: int, _total: int) -> None:
        nonlocal began
        if not began and status == sqlite3.SQLITE_OK:      # from the first page on the live store is ours alone
            began = time.monotonic()
            carry.carry(new, restore_id, now)

    try:
        new.execute("PRAGMA journal_mode = delete")
        new.execute("ATTACH ? AS live", (str(live_path),))
        pages = int(new.execute("PRAGMA main.page_count").fetchone()[0])       # two steps at least: see step()
        new.backup(live, pages=max(1, min(STEP_PAGES, pages // 2)), progress=step, sleep=0.005)
        return time.monotonic() - began
    finally:
        new.close()
        live.close()


def _coming(box: Box, folder: Path) -> list[Path]:
    """The recordings of the backup that this box does not have."""
    below = folder / "recordings"
    return [file for file in sorted(below.glob("*/*")) if not (box.recordings / file.relative_to(below)).exists()]


def _forget_again(job: Job, folder: Path, now: datetime) -> None:
    """Who was forgotten since the backup was made stays forgotten."""
    restored = store.connect(folder / STORE)
    try:
        forget.again(known=job.db, restored=restored, box=replace(job.box, state=folder), now=now)
        restored.execute("PRAGMA journal_mode = delete")
    finally:
        restored.close()


def _bring_recordings(job: Job, folder: Path) -> None:
    """Files first, so that no row ever names one that is not there."""
    below = folder / "recordings"
    db = sqlite3.connect(folder / STORE, isolation_level=None)
    try:
        for file in sorted(below.glob("*/*")):
            job.stands(0, 0)
            if not db.execute("SELECT 1 FROM recording WHERE file = ?", (str(file.relative_to(below)),)).fetchone():
                continue
            target = job.box.recordings / file.relative_to(below)
            if target.exists() and target.stat().st_size != file.stat().st_size:     # another call has that number here
                target = target.with_name(f"{OTHER_CALL + int(file.stem)}{file.suffix}")
                db.execute("UPDATE recording SET file = ? WHERE file = ?",
                           (str(target.relative_to(job.box.recordings)), str(file.relative_to(below))))
            if target.exists():
                continue
            if not target.parent.exists():
                target.parent.mkdir(mode=0o770)
                flush_folder(job.box.recordings)
            with open(file, "rb") as source:
                write_durably(target, lambda kept, source=source: shutil.copyfileobj(source, kept))  # type: ignore[misc]
            target.chmod(0o640)
    finally:
        db.close()


def as_json(preview: dict[str, Any]) -> str:
    return json.dumps(preview, ensure_ascii=False)
