"""The store goes from version to version, and back: `deskbell store`, alone and before any daemon opens it.

Forward, a snapshot is kept first. Back, after an update that did not stay, the newer store is kept aside, and what is
in it is carried into the form that this version knows: every row, so that no call is lost and no text goes twice. That
holds as long as a migration only adds (DECISIONS 64). Where a row does not fit, the snapshot itself comes back: what
waited in it is unknown, never sent again by itself, and Asterisk's ledger tells the calls since once more.
"""
from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.backup import carry
from appliance.backup.snapshot import flush
from appliance.calls import follow
from appliance.config import Box
from appliance.people import forget
from appliance.store import db as store
from appliance.store import migrations
from appliance.store.files import flush_folder

log = logging.getLogger("store")

STEP_PAGES = 512
KEPT = 2
KEPT_FOR = timedelta(days=60)
ROOM_BYTES = 16 * 1024 * 1024
NEWER = "newer-"
MAY_HAVE_GONE = ("It waited when a new version was tried, which may have sent it. Look whether it came; send it again "
                 "only if it did not.")


class CrossingError(Exception):
    """The store can go neither forward nor back; the text says what to do. Telephones ring meanwhile."""


def cross(box: Box, now: datetime) -> str:
    """What was done, in a sentence; "" when the store is that of this version. Raises CrossingError, StoreError."""
    if not box.store.exists():
        return ""
    folder = snapshots(box)
    folder.mkdir(mode=0o770, exist_ok=True)             # the group is that of the state (RestrictSUIDSGID)
    for left in folder.glob("*.tmp*"):                       # of a power cut: it was never named
        left.unlink()
    try:
        with contextlib.closing(_raw(box.store)) as db:
            known, applied = steps(), applied_steps(db)
    except sqlite3.DatabaseError as broken:
        raise store.StoreError(f"{box.store} is not a Deskbell store ({broken}). Calls still ring. Restore the last "
                               "good backup.") from broken
    if applied - known:
        return _back(box, folder, known, applied, now)
    if known - applied:
        return _forward(box, folder, applied, now)
    return ""


def snapshots(box: Box) -> Path:
    return box.state / "snapshots"


def steps() -> set[str]:
    """The schema steps that this version knows."""
    return {file.stem for file in store.SCHEMA.glob("[0-9]*.sql")}


def applied_steps(db: sqlite3.Connection) -> set[str]:
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone():
        return set()
    return {row[0] for row in db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'deskbell'")}


def _forward(box: Box, folder: Path, applied: set[str], now: datetime) -> str:
    db = store.connect(box.store)
    try:
        with store.write(db):                 # whoever opens it too early waits, and finds it migrated
            if applied:
                last = max(applied)
                _make_room(box, folder, last, now)
                _copy(box.store, folder / f"{last}.db")
            done = migrations.apply(db, store.SCHEMA)
    finally:
        db.close()
    return f"The store was brought from {max(applied, default='nothing')} to {done[-1]}." if done else ""


def _make_room(box: Box, folder: Path, but: str, now: datetime) -> None:
    """Old snapshots go. Raises CrossingError when a new one finds no room: then nothing is migrated."""
    kept = sorted((file for file in folder.glob("*.db") if file.stem != but), key=lambda file: file.stat().st_mtime,
                  reverse=True)
    needed = box.store.stat().st_size + ROOM_BYTES
    for file in reversed(kept[KEPT - 1:]):
        file.unlink()
    for file in reversed(kept[:KEPT - 1]):
        is_old = now.timestamp() - file.stat().st_mtime > KEPT_FOR.total_seconds()
        if is_old or shutil.disk_usage(folder).free < needed:
            file.unlink()
    _check_room(folder, needed)


def _check_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise CrossingError(f"There is no room for a copy of the store: {needed // 1_000_000 + 1} MB are needed. "
                            "Nothing was changed; telephones ring. Delete old recordings or backups.")


def _copy(source: Path, target: Path) -> None:
    """The store as it is, at target, whole and flushed or not at all; a reader beside whoever holds the write lock."""
    aside = target.with_name(target.name + ".tmp")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o660)
    with contextlib.closing(_raw(source)) as live, contextlib.closing(_raw(aside)) as copied:
        live.execute("BEGIN")
        copied.execute("PRAGMA synchronous = OFF")
        live.backup(copied, pages=STEP_PAGES, progress=lambda *_: os.fdatasync(descriptor), sleep=0)
        live.execute("COMMIT")
        copied.execute("PRAGMA journal_mode = delete")
        if (found := copied.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise CrossingError(f"The store is damaged ({found}). Nothing was changed; telephones ring. Restore the "
                                "last good backup.")
    os.close(descriptor)
    flush(aside)
    aside.rename(target)
    flush_folder(target.parent)


# Back

def _back(box: Box, folder: Path, known: set[str], applied: set[str], now: datetime) -> str:
    snapshot = next((file for file in sorted(folder.glob("[0-9]*.db"), reverse=True) if file.stem in known), None)
    if snapshot is None:
        raise CrossingError(f"The store was written by a newer version ({max(applied)}) and no copy from before is "
                            "kept. Nothing was changed; telephones ring. Install that version again, or restore a "
                            "backup.")
    newest = max(applied)
    for old in folder.glob(NEWER + "*"):
        if old.stem != NEWER + newest:
            old.unlink()
    _check_room(folder, 2 * max(box.store.stat().st_size, snapshot.stat().st_size) + ROOM_BYTES)
    aside = folder / "back.tmp.db"
    shutil.copyfile(snapshot, aside)
    db = store.connect(aside)
    try:
        store.migrate(db)
        try:
            _carry_all(db, box.store)
            said = f"The store went back from {newest} with all its rows."
        except sqlite3.Error as misfit:
            log.warning("The rows of the newer store do not fit (%s): the copy from before comes back.", misfit)
            said = f"The store went back to the copy from before {newest}. " + _as_it_was(db, box, folder, now)
        db.execute("PRAGMA journal_mode = delete")
    finally:
        db.close()
    flush(aside)
    _keep_newer(box.store, folder / f"{NEWER}{newest}.db")
    with contextlib.closing(_raw(aside)) as new, contextlib.closing(_raw(box.store)) as live:
        new.backup(live)                      # one transaction: the newer one, or this one, whenever the power goes
    aside.unlink()
    return said


def _keep_newer(newer: Path, target: Path) -> None:
    """The newer store for somebody who misses something; a damaged one as it lies, for it holds nothing up."""
    try:
        _copy(newer, target)
    except (CrossingError, sqlite3.Error) as damaged:
        log.warning("The newer store is kept as it lies: %s", damaged)
        shutil.copyfile(newer, target)


def _carry_all(db: sqlite3.Connection, newer: Path) -> None:
    """Every row of the newer store in the columns that both know. Raises sqlite3.Error where one does not fit."""
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("ATTACH ? AS newer", (str(newer),))
    try:
        db.execute("BEGIN")
        with _without_triggers(db):
            there = {row[0] for row in db.execute("SELECT name FROM newer.sqlite_schema WHERE type = 'table'")}
            _same_searches(db)
            for table in _tables(db):
                if table in there:
                    _carry_table(db, table)
        if orphan := db.execute("PRAGMA main.foreign_key_check").fetchone():
            raise sqlite3.IntegrityError(f"a row of {orphan[0]} belongs to none")
        db.execute("COMMIT")
        if (found := db.execute("PRAGMA main.quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.IntegrityError(found)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("DETACH newer")
        db.execute("PRAGMA foreign_keys = ON")


@contextlib.contextmanager
def _without_triggers(db: sqlite3.Connection) -> Iterator[None]:
    """What triggers keep up is carried too; they must not do it a second time."""
    kept = db.execute("SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'").fetchall()
    for row in kept:
        db.execute(f'DROP TRIGGER main."{row["name"]}"')
    yield
    for row in kept:
        db.execute(row["sql"])


def _same_searches(db: sqlite3.Connection) -> None:
    """Tables of FTS5 are carried as they are, so they must be declared as they were."""
    query = "SELECT name, sql FROM {}.sqlite_schema WHERE type = 'table' AND rootpage = 0"
    here, there = (dict(db.execute(query.format(name)).fetchall()) for name in ("main", "newer"))
    for name, sql in here.items():
        if there.get(name) != sql:
            raise sqlite3.IntegrityError(f"{name} is searched in another way")


def _tables(db: sqlite3.Connection) -> list[str]:
    """Every table with pages of its own, FTS5's too, and the counters last; not the list of steps."""
    return [row[0] for row in db.execute("""
        SELECT name
        FROM main.sqlite_schema
        WHERE type = 'table' AND rootpage > 0 AND name <> '_sqlite_migrations' AND name NOT LIKE 'sqlite_stat%'
        ORDER BY name = 'sqlite_sequence', name""")]


def _carry_table(db: sqlite3.Connection, table: str) -> None:
    here, there = (db.execute(f'PRAGMA {name}.table_info("{table}")').fetchall() for name in ("main", "newer"))
    known = {row["name"] for row in there}
    names = [f'"{row["name"]}"' for row in here if row["name"] in known]
    keys = [row for row in here if row["pk"]]
    is_keyed_by_rowid = len(keys) == 1 and keys[0]["type"].upper() == "INTEGER"
    if not is_keyed_by_rowid and _has_rowid(db, table):
        names.insert(0, "rowid")              # others may point at it without a column of its own
    listed = ", ".join(names)
    db.execute(f'DELETE FROM main."{table}"')                                            # noqa: S608 - our own names
    db.execute(f'INSERT INTO main."{table}" ({listed}) SELECT {listed} FROM newer."{table}"')          # noqa: S608


def _has_rowid(db: sqlite3.Connection, table: str) -> bool:
    try:
        db.execute(f'SELECT rowid FROM newer."{table}" LIMIT 0')                         # noqa: S608
        db.execute(f'SELECT rowid FROM main."{table}" LIMIT 0')                          # noqa: S608
    except sqlite3.OperationalError:
        return False
    return True


def _as_it_was(db: sqlite3.Connection, box: Box, folder: Path, now: datetime) -> str:
    """The snapshot becomes the store: nothing of it is sent by itself, and the ledger is read again."""
    with contextlib.suppress(sqlite3.Error):
        _ids_and_wishes(db, box.store)
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_raw(box.store)) as newer:
        forget.again(known=newer, restored=db, box=replace(box, state=folder), now=now)
    with store.write(db):
        _unknown(db, "SELECT id FROM sms WHERE state IN ('queued', 'held', 'sending') AND direction = 'out'", now)
        carry.nothing_goes_twice(db, now)
        last = int(db.execute("SELECT coalesce(max(id), 0) FROM sms").fetchone()[0])
    try:
        count = _read_again(db, box)
    except (sqlite3.Error, OSError) as broken:
        return f"Asterisk's ledger cannot be read ({broken}): calls since then come once it can."
    with store.write(db):
        _unknown(db, f"SELECT id FROM sms WHERE state IN ('queued', 'held') AND id > {last}", now)
    return f"{count} calls since then were read again from Asterisk's ledger."


def _ids_and_wishes(db: sqlite3.Connection, newer: Path) -> None:
    """No id is given twice, for recordings are named by them; and who wanted no more texts since gets none."""
    db.execute("ATTACH ? AS newer", (str(newer),))
    try:
        with store.write(db):
            for row in db.execute("SELECT name, seq FROM newer.sqlite_sequence").fetchall():
                db.execute("UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (row[1], row[0]))
            db.execute("INSERT OR IGNORE INTO main.sqlite_sequence (name, seq) SELECT name, seq "
                       "FROM newer.sqlite_sequence WHERE name NOT IN (SELECT name FROM main.sqlite_sequence) "
                       "AND name IN (SELECT name FROM main.sqlite_schema)")
            _carry_beside(db, "opt_out")
    finally:
        db.execute("DETACH newer")


def _carry_beside(db: sqlite3.Connection, table: str) -> None:
    names = ", ".join(f'"{row["name"]}"' for row in db.execute(f"PRAGMA main.table_info({table})"))
    db.execute(f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")      # noqa: S608


def _unknown(db: sqlite3.Connection, which: str, now: datetime) -> None:
    """These texts may have gone: a person says whether they go again."""
    db.execute(f"UPDATE segment SET state = 'unknown' WHERE state IN ('queued', 'sending') AND sms_id IN ({which})")  # noqa: S608
    db.execute(f"UPDATE sms SET state = 'unknown', reason = ?, updated_at = ? WHERE id IN ({which})",    # noqa: S608
               (MAY_HAVE_GONE, store.iso(now)))


def _read_again(db: sqlite3.Connection, box: Box) -> int:
    """How many calls ended in what Asterisk wrote since."""
    spool, count = follow.Spool(box.ledger), 0
    try:
        while True:
            at = follow.cursor(db, spool.id)
            entries, position = spool.after(at)
            if position == at:
                return count
            count += len(follow.apply(db, box, spool.id, entries, position, datetime.now(UTC),
                                      spool.over_after(position)))
    finally:
        spool.db.close()


def _raw(path: Path) -> sqlite3.Connection:
    """A connection that does not mind a newer store."""
    db = sqlite3.connect(path, isolation_level=None, timeout=store.BUSY_TIMEOUT_MS / 1000)
    db.row_factory = sqlite3.Row
    return db
