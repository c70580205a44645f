"""A store as it was at one moment: copied while calls go on, and the hash of every row in it."""
from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.store import db as store

STEP_PAGES = 512                   # 2 MB between two looks at whether to go on
FLUSH_BYTES = 8 * 1024 * 1024      # the disk gets a copy in pieces, so that no commit waits behind a gigabyte
ROWS = 2000
VACUUM_STEPS = 20_000              # of SQLite's machine, between two looks: some 5 MB
Progress = Callable[[int, int], None]       # done and total; raises to stop the work


@dataclass(frozen=True)
class Table:
    """How many rows, and the sum of their SHA-256 as hex: no row may be added, removed or changed unseen."""
    rows: int
    sha256: str


Tables = dict[str, Table]


def copy(source: Path, copy_to: Path, compact_to: Path, progress: Progress) -> tuple[str, Tables]:
    """The last schema step and the tables of the live store at one moment; compact_to is that moment, flushed.

    One reading transaction covers the copy and the hashes. While it is open nobody's writing restarts the copy, as it
    does when the backup API is stepped without one, and nobody waits for us.
    """
    live = store.connect(source)
    try:
        live.execute("BEGIN")
        steps = applied(live)
        _copy_pages(live, copy_to, progress)
        tables = hashes(live, lambda: progress(0, 0))
        live.execute("COMMIT")
    finally:
        live.close()
    made = sqlite3.connect(copy_to, isolation_level=None)
    try:
        made.execute("PRAGMA journal_mode = delete")
        made.set_progress_handler(_flusher(compact_to, progress), VACUUM_STEPS)
        made.execute("VACUUM INTO ?", (str(compact_to),))      # leaves behind what was deleted: pages keep it
    finally:
        made.close()
    flush(compact_to)
    copy_to.unlink()
    return steps, tables


def _flusher(path: Path, progress: Progress) -> Callable[[], int]:
    """What SQLite calls while it writes `path`: the disk gets it in pieces; an exception stops it."""
    flushed = 0

    def went() -> int:
        nonlocal flushed
        size = path.stat().st_size if path.exists() else 0
        if size - flushed >= FLUSH_BYTES:
            flush(path)
            flushed = size
        progress(0, 0)
        return 0

    return went


def _copy_pages(live: sqlite3.Connection, path: Path, progress: Progress) -> None:
    page_bytes = int(live.execute("PRAGMA page_size").fetchone()[0])
    target = sqlite3.connect(path, isolation_level=None)
    os.chmod(path, 0o600)
    target.execute("PRAGMA synchronous = OFF")
    descriptor, step = os.open(path, os.O_RDONLY), 0

    def went(_status: int, left: int, total: int) -> None:
        nonlocal step
        step += 1
        if step * STEP_PAGES * page_bytes % FLUSH_BYTES == 0:
            os.fdatasync(descriptor)
        progress((total - left) * page_bytes, total * page_bytes)

    try:
        live.backup(target, pages=STEP_PAGES, progress=went, sleep=0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
        target.close()


def hashes(db: sqlite3.Connection, alive: Callable[[], None] = lambda: None) -> Tables:
    """Every table of a store, FTS5's own among them, and its schema as if it were one."""
    names = [row[0] for row in db.execute("""
        SELECT name
        FROM sqlite_schema
        WHERE type = 'table' AND rootpage > 0
        ORDER BY name""")]
    found = {name: _hash(db, f"SELECT * FROM \"{name.replace('\"', '\"\"')}\"", alive) for name in names}
    found["sqlite_schema"] = _hash(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema", alive)
    return found


def _hash(db: sqlite3.Connection, query: str, alive: Callable[[], None]) -> Table:
    """A sum, because the order of rows is not kept by a compact copy; repr() tells 1 from '1' from 1.0."""
    cursor, rows, total = db.cursor(), 0, 0
    cursor.row_factory = None
    cursor.execute(query)
    digest, number = hashlib.sha256, int.from_bytes
    while batch := cursor.fetchmany(ROWS):
        for row in batch:
            total += number(digest(repr(row).encode("utf-8", "surrogatepass")).digest())
        rows += len(batch)
        alive()
    return Table(rows, f"{total % 2**256:064x}")


def applied(db: sqlite3.Connection) -> str:
    """The last schema step of a store, "" when it has none."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone():
        return ""
    return str(db.execute("SELECT max(name) FROM _sqlite_migrations WHERE migration_set = 'deskbell'").fetchone()[0]
               or "")


def as_json(tables: Tables) -> dict[str, dict[str, object]]:
    return {name: asdict(table) for name, table in tables.items()}


def difference(wanted: Tables, found: Tables) -> str:
    """What is not the same, in words; "" when everything is."""
    for name in sorted({*wanted, *found}):
        one, other = wanted.get(name), found.get(name)
        if one is None or other is None:
            return f"The table {name} is {'missing' if other is None else 'one too many'}."
        if one.rows != other.rows:
            return f"The table {name} has {other.rows} rows; the live one had {one.rows}."
        if one != other:
            return f"A row of the table {name} is not as it was in the live one."
    return ""


def canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
