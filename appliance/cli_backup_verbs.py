"""What the verbs of `deskbell backup` do: a row for the clock; without a clock, its work."""
from __future__ import annotations

import argparse
import secrets as random
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from appliance import config
from appliance.backup import rows, secrets
from appliance.backup.archive import ArchiveError
from appliance.backup.job import upload_folder
from appliance.backup.worker import Worker
from appliance.cli_backup import passphrase
from appliance.config import Box
from appliance.store import db as store

BY = "the command line"
CLOCK_S = 4.0         # so long the clock has to take up a row; else we do its work


def run(asked: argparse.Namespace) -> int:
    """The exit code: 0 proven or restored, 1 it was not good, 2 it could not be done."""
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    secrets.prepare(db, box)
    verbs: dict[str, Callable[[argparse.Namespace, sqlite3.Connection, Box], int]] = {
        "now": _now, "list": _list, "prove": _prove, "restore": _restore, "passphrase": _passphrase}
    try:
        return verbs[asked.verb](asked, db, box)
    except (rows.BackupError, secrets.SecretError, ArchiveError) as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2


def _now(asked: argparse.Namespace, db: sqlite3.Connection, box: Box) -> int:
    at = next((one for one in rows.places(db)
               if one.name == asked.place or not asked.place and one.kind == "box"), None)
    if at is None:
        raise rows.BackupError(f"There is no place called {asked.place}. `deskbell backup list` shows them.")
    with store.write(db):
        backup_id = rows.ask(db, at.id, BY, datetime.now(UTC), recordings=asked.recordings)
    assert backup_id is not None
    _follow(db, box, lambda: rows.backup(db, backup_id).state, rows.OPEN)
    return _tell(rows.backup(db, backup_id), box)


def _list(_asked: argparse.Namespace, db: sqlite3.Connection, box: Box) -> int:
    for at in rows.places(db):
        nightly = "nightly" if at.is_nightly else "by hand"
        print(f"{at.name}  {at.kind}  {at.address}  {nightly}, recordings: {at.recordings}".replace("    ", "  "))
        if at.trouble:
            print(f"  {at.trouble}")
    for one in rows.backups(db):
        print(_line(one, box))
    return 0


def _prove(asked: argparse.Namespace, db: sqlite3.Connection, box: Box) -> int:
    rows.prove_again(db, asked.backup)
    _follow(db, box, lambda: rows.backup(db, asked.backup).state, rows.OPEN)
    return _tell(rows.backup(db, asked.backup), box)


def _restore(asked: argparse.Namespace, db: sqlite3.Connection, box: Box) -> int:
    backup_id, upload = None, None
    if asked.backup.isdecimal():
        backup_id = int(asked.backup)
        is_encrypted = rows.backup(db, backup_id).is_encrypted
    else:
        upload = _upload(Path(asked.backup), box)
        is_encrypted = asked.backup.endswith(".age")
    restore_id = rows.ask_restore(db, BY, datetime.now(UTC), passphrase(asked) if is_encrypted else "",
                                  backup_id=backup_id, upload=upload)
    _follow(db, box, lambda: rows.restore(db, restore_id).state, ("asked", "reading"))
    seen = rows.restore(db, restore_id)
    if seen.state != "ready" or seen.preview is None:
        print(f"deskbell: {seen.reason}", file=sys.stderr)
        return 1
    for word, (now, then) in seen.preview["tables"].items():
        print(f"{word}: {now} now, {then} in the backup of {seen.preview['taken_at']}")
    lost = seen.preview["lost"]
    print(f"What came since would go: {lost['calls']} calls, {lost['customers']} customers, {lost['texts']} texts.")
    if not asked.yes:
        rows.leave(db, restore_id, datetime.now(UTC))
        print("Nothing was changed. Say it once more with --yes to restore it; what is here now is kept first.")
        return 0
    rows.agree(db, restore_id, BY, datetime.now(UTC))
    _follow(db, box, lambda: rows.restore(db, restore_id).state, ("agreed", "restoring"))
    done = rows.restore(db, restore_id)
    if done.state != "restored":
        print(f"deskbell: {done.reason}", file=sys.stderr)
        return 1
    print(f"Restored. As it was before is backup {done.before_id}.")
    return 0


def _passphrase(asked: argparse.Namespace, db: sqlite3.Connection, _box: Box) -> int:
    words = passphrase(asked)
    with store.write(db):
        secrets.keep_passphrase(db, words)
    print("The passphrase is kept. Write it down where the box is not: without it no sealed backup can be opened.")
    return 0


def _upload(path: Path, box: Box) -> str:
    """The file, where the clock may read it."""
    folder = upload_folder(box)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{random.token_hex(8)}.upload"
    try:
        shutil.copyfile(path, folder / name)
    except OSError as refused:
        raise rows.BackupError(f"{path} cannot be read ({refused.strerror}).") from refused
    (folder / name).chmod(0o640)
    return name


def _follow(db: sqlite3.Connection, box: Box, state: Callable[[], str], while_in: tuple[str, ...]) -> None:
    """Waits until the row is done; does the clock's work where there is no clock."""
    first, until = state(), time.monotonic() + CLOCK_S
    seen = store.data_version(db)
    while state() == first and time.monotonic() < until:
        seen = store.wait_for_change(db, seen, 0.5)
    if state() == first:
        worker = Worker(box, lambda: datetime.now(UTC))
        while state() in while_in and worker.serve(is_clock_set=False):
            pass
        worker.close()
    while state() in while_in:
        seen = store.wait_for_change(db, seen, 0.5)


def _tell(one: rows.Backup, box: Box) -> int:
    print(_line(one, box))
    return 0 if one.state == "proven" else 1


def _line(one: rows.Backup, box: Box) -> str:
    size = f"{(one.size_bytes or 0) / 1_000_000:.1f} MB"
    return (f"{one.id}  {one.at.astimezone(box.zone):%Y-%m-%d %H:%M}  {one.state:9} {one.place}  {size}  "
            f"{one.file or ''}  {one.reason or ''}").rstrip()
