"""The long work of an import, in the clock: every row looked at, the cards written, or all of it taken back.

The write lock is held for HOLD_S at most and paused after, so that no call waits. Where it stands is written with what
it did, so a restart goes on exactly there; the check changes nothing and begins anew.
"""
from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from pathlib import Path
from typing import BinaryIO

from appliance.config import Box
from appliance.people import (
    changes,
    links,
    traces,
    transfer_cards,
    transfer_columns,
    transfer_read,
    transfer_rows,
    transfer_store,
)
from appliance.people import transfer_vcard as vcard
from appliance.people.transfer import Line, Plan, Ready, TransferError
from appliance.people.transfer_store import Import
from appliance.store import db as store

HOLD_S = 0.006               # aimed at, the commit included; HOUSE allows 20 ms
WORK_S = 0.003               # of it at least, however slow the disk commits
PAUSE_S = 0.004              # who waits asks each millisecond (store.write)
BATCH, LEAST, MOST = 60, 10, 1000
ROUND_S = 2.0                # then the clock looks whether it shall stop
TELL_S = 0.5
MERGE_PAGES = 8              # of the index of names with each batch; it grows by less than two
LOOKED_AT = 200              # rows that one question to the store is asked about
MOST_REMARKS = 10_000


def attend(db: sqlite3.Connection, box: Box, now: datetime, limit_s: float = ROUND_S,
           is_over: Callable[[], bool] = lambda: False) -> bool:
    """Works on the oldest import that has work; False when there is none.

    Goes on for about limit_s; a check goes to its end, or is given up for now when is_over says so.
    """
    it = transfer_store.next_working(db)
    if it is None:
        return False
    try:
        if it.state == "checking":
            _check(db, box, it, is_over)
        else:
            {"importing": _bring_in, "undoing": _undo}[it.state](db, box, it, now, limit_s)
    except _Stopped:
        pass                              # somebody turned it to another step: the next round sees which
    except TransferError as refused:
        _fail(db, it, str(refused))
    except OSError as lost:
        _fail(db, it, f"The file could not be read ({lost.strerror}). Send it again.")
    return True


def lines(box: Box, it: Import, progress: Callable[[float], None] | None = None) -> Iterator[Line]:
    """What the rows of the file say by its plan."""
    path = transfer_store.folder(box) / (it.aside or "")
    if it.format == "vcard":
        return vcard.lines(path, it.plan.encoding, progress)
    return transfer_columns.lines(rows(path, it.format, it.plan, progress), it.plan)


def rows(path: Path, format: str, plan: Plan, progress: Callable[[float], None] | None = None) -> Iterator[list[str]]:
    """The rows of a table, its head too."""
    if format == "xlsx":
        return transfer_read.excel_rows(path, progress)
    return transfer_read.csv_rows(path, plan.encoding, plan.separator, progress)


def plan_of(path: Path, format: str, country: str, more: dict[str, str] | None = None, encoding: str = "",
            separator: str = "") -> Plan:
    """How this file is to be read, as far as it can be guessed; what is given is not guessed."""
    if format != "xlsx":
        encoding = encoding or transfer_read.encoding_of(path)
    if format == "csv":
        separator = separator or transfer_read.separator_of(path, encoding)
    plan = Plan(encoding or "utf-8", separator or ",")
    if format == "vcard":
        return plan
    sample = [row for row, _ in zip(rows(path, format, plan), range(60), strict=False)]
    guessed = transfer_columns.guess(sample, country, more)
    return Plan(plan.encoding, plan.separator, guessed.has_head, guessed.columns)


@dataclass
class Seen:
    """Whose the rows before were, so that the check counts a person that stands in the file twice once."""
    owners: transfer_cards.Owners = field(default_factory=transfer_cards.Owners)

    def verdicts(self, db: sqlite3.Connection, rows: Sequence[Ready]) -> Iterator[tuple[str, str]]:
        """For each row new, join or left_out; and whose card it joins, "" when that card is not written yet."""
        self.owners.look(db, rows)
        for row in rows:
            if row.left_out:
                yield "left_out", ""
                continue
            owner = self.owners.of(row)
            self.owners.add(owner or "", row)
            yield "new" if owner is None else "join", owner or ""


def _check(db: sqlite3.Connection, box: Box, it: Import, is_over: Callable[[], bool]) -> None:
    """Writes every row, made ready, into a file aside, and what will become of it into the import."""
    seen, told = Seen(), _Told(db, it, is_over)
    counts = {"new": 0, "join": 0, "left_out": 0}
    remarks: list[tuple[int, int, int, str, str]] = []
    path = transfer_store.folder(box) / f"{it.aside}.ready"
    count = 0
    with open(path.with_name(path.name + ".tmp"), "wb") as file:
        for some in batched(lines(box, it, told.share), LOOKED_AT, strict=False):
            ready = [transfer_rows.ready(line, box.country) for line in some]
            count += len(ready)
            for row, (verdict, _) in zip(ready, seen.verdicts(db, ready), strict=True):
                counts[verdict] += 1
                if (row.left_out or row.remark) and len(remarks) < MOST_REMARKS:
                    remarks.append((it.id, row.line, bool(row.left_out), row.left_out or row.remark,
                                    json.dumps([cell[:400] for cell in row.cells], ensure_ascii=False)))
                file.write(row.to_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o660)
    os.rename(file.name, path)
    if not count:
        raise TransferError("There is no row in this file that could be a customer. Nothing was brought in.")
    _keep_remarks(db, it, remarks)
    with store.write(db):
        db.execute("""
            UPDATE import SET state = 'checked', share = 1, rows = ?, added = ?, joined = ?, same = 0, left_out = ?
            WHERE id = ? AND state = 'checking' AND plan = ?""",
                   (count, counts["new"], counts["join"], counts["left_out"], it.id, it.plan.to_json()))


def _keep_remarks(db: sqlite3.Connection, it: Import, remarks: list[tuple[int, int, int, str, str]]) -> None:
    with store.write(db):
        db.execute("DELETE FROM import_remark WHERE import_id = ?", (it.id,))
    for start in range(0, len(remarks), 500):
        with store.write(db):
            db.executemany("""
                INSERT INTO import_remark (import_id, line, is_left_out, reason, cells)
                VALUES (?, ?, ?, ?, ?)""", remarks[start:start + 500])
        time.sleep(PAUSE_S)


def _bring_in(db: sqlite3.Connection, box: Box, it: Import, now: datetime, limit_s: float) -> None:
    path, until = transfer_store.folder(box) / f"{it.aside}.ready", time.monotonic() + limit_s
    size, position = max(path.stat().st_size, 1), it.position
    stamp, pace = it.stamp or store.iso(now), _Pace(db)
    with open(path, "rb") as file:
        file.seek(position)
        while time.monotonic() < until:
            since = position
            batch, position = _batch(file, pace.rows)
            if not batch:
                return _ended(db, box, it, now)
            with pace.write():
                made = transfer_cards.Batch(db, it.id, stamp, it.by_user)
                made.bring_in(batch, it.plan.duplicates)
                counts = made.counts
                if not db.execute("""
                    UPDATE import SET position = ?, share = ?, added = added + ?, joined = joined + ?, same = same + ?,
                                      made_groups = ?
                    WHERE id = ? AND state = 'importing' AND position = ?""",
                                  (position, min(position / size, 1), counts.added, counts.joined, counts.same,
                                   json.dumps([*_made(db, it.id), *made.made]), it.id, since)).rowcount:
                    raise _Stopped            # Stop was pressed, or another clock works: this batch is not written


class _Stopped(Exception):
    """The import was turned to another step while it worked."""


def _made(db: sqlite3.Connection, import_id: int) -> list[int]:
    told = db.execute("SELECT made_groups FROM import WHERE id = ?", (import_id,)).fetchone()[0]
    return [int(group) for group in json.loads(told)]


def _batch(file: BinaryIO, rows: int) -> tuple[list[Ready], int]:
    found = []
    for _ in range(rows):
        raw = file.readline()
        if not raw:
            break
        found.append(Ready.from_json(raw))
    return found, file.tell()


def _ended(db: sqlite3.Connection, box: Box, it: Import, now: datetime) -> None:
    with store.write(db):
        if not db.execute("""
                UPDATE import SET state = 'done', share = 1, ended_at = ?, aside = NULL
                WHERE id = ? AND state = 'importing'""", (store.iso(now), it.id)).rowcount:
            raise _Stopped
        after = transfer_store.get(db, it.id)
        changes.record(db, it.by_user, "contacts import", None, {
            "file": it.file, "added": after.added, "joined": after.joined, "left out": after.left_out}, now, it.id)
    transfer_store.clear(box, it)


def _undo(db: sqlite3.Connection, box: Box, it: Import, now: datetime, limit_s: float) -> None:
    until, pace = time.monotonic() + limit_s, _Pace(db)
    left = db.execute("SELECT count(*) FROM import_change WHERE import_id = ?", (it.id,)).fetchone()[0]
    total = max(it.added + it.joined, left, 1)
    while time.monotonic() < until:
        batch = [(row["contact_id"], row["added"]) for row in db.execute(
            "SELECT contact_id, added FROM import_change WHERE import_id = ? LIMIT ?", (it.id, pace.rows))]
        left -= len(batch)
        for contact in _with_many_calls(db, batch, it.stamp or ""):
            links.let_go(db, contact, None)
        with pace.write():
            kept = transfer_cards.take_back(db, it.id, it.stamp or "", batch)
            db.execute("UPDATE import SET kept = kept + ?, share = ? WHERE id = ?",
                       (kept, max(0.0, min(1 - left / total, 1)), it.id))
            if not batch:
                _taken_back(db, it, now)
        if not batch:
            traces.merge(db, "contact_search")         # no longer full of marks of who is gone
            return transfer_store.clear(box, it)


def _with_many_calls(db: sqlite3.Connection, batch: list[tuple[str, str | None]], stamp: str) -> list[str]:
    """New cards that would go and have calls already: those are let go before, in steps."""
    new = json.dumps([contact for contact, added in batch if added is None])
    return [str(row["id"]) for row in db.execute("""
        SELECT id FROM contact WHERE id IN (SELECT value FROM json_each(?)) AND updated_at = ?
        AND (SELECT count(*) FROM (SELECT 1 FROM call WHERE contact_id = contact.id LIMIT 50)) = 50""", (new, stamp))]


def _taken_back(db: sqlite3.Connection, it: Import, now: datetime) -> None:
    """The groups that it made and nobody else uses go too."""
    for group in _made(db, it.id):
        db.execute("""
            DELETE FROM contact_group WHERE id = ? AND NOT EXISTS (
              SELECT 1 FROM contact_group_member WHERE contact_group_id = contact_group.id)""", (group,))
    db.execute("UPDATE import SET state = 'undone', share = 1, ended_at = ?, aside = NULL WHERE id = ?",
               (store.iso(now), it.id))
    after = transfer_store.get(db, it.id)
    changes.record(db, it.by_user, "contacts import undone",
                   {"file": it.file, "added": after.added, "joined": after.joined},
                   {"file": it.file, "stay": after.kept}, now, it.id)


def _fail(db: sqlite3.Connection, it: Import, reason: str) -> None:
    """A check that cannot go on says why; what is half brought in is taken back."""
    with store.write(db):
        turned = {"checking": "failed", "importing": "undoing"}.get(it.state, it.state)
        db.execute("UPDATE import SET state = ?, reason = ? WHERE id = ? AND state = ?",
                   (turned, reason, it.id, it.state))


class _Pace:
    """How many rows a batch has: as many as hold the lock for about HOLD_S on this disk; and the pause after it.

    What a commit takes is part of it and does not depend on the rows. The middle of the last ones counts: one of them
    in ten also copies the journal into the store, without the lock.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.rows = BATCH
        self._db = db
        self._commits = deque([0.0], maxlen=9)

    @contextmanager
    def write(self) -> Iterator[None]:
        """One short transaction."""
        with store.write(self._db):
            began = time.monotonic()
            yield
            self._tidy()
            took, began = time.monotonic() - began, time.monotonic()
        self._commits.append(time.monotonic() - began)
        wanted = max(HOLD_S - sorted(self._commits)[len(self._commits) // 2], WORK_S)
        self.rows = max(LEAST, min(MOST, int(self.rows * min(1.5, max(0.5, wanted / max(took, 0.0001))))))
        time.sleep(PAUSE_S)

    def _tidy(self) -> None:
        """The index of names writes itself now, not in the commit, and is merged by a few pages: left alone it merges
        hundreds at once (FTS5, automerge)."""
        self._db.execute("SAVEPOINT searched")
        self._db.execute("RELEASE searched")
        self._db.execute("INSERT INTO contact_search (contact_search, rank) VALUES ('merge', ?)", (MERGE_PAGES,))


class _Told:
    """Writes how far a check is, twice a second."""

    def __init__(self, db: sqlite3.Connection, it: Import, is_over: Callable[[], bool]) -> None:
        self._db, self._it, self._is_over, self._at = db, it, is_over, time.monotonic()

    def share(self, share: float) -> None:
        if self._is_over():
            raise _Stopped
        if time.monotonic() - self._at < TELL_S:
            return
        self._at = time.monotonic()
        with store.write(self._db):
            found = self._db.execute("UPDATE import SET share = ? WHERE id = ? AND state = 'checking' AND plan = ?",
                                     (share, self._it.id, self._it.plan.to_json())).rowcount
        if not found:
            raise _Stopped
