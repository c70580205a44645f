"""Errands: the one way by which a page has something done that only root may do.

A page writes a row and knocks; systemd starts `deskbell steward` (root), which knows a fixed list of verbs. The store
holds no command: a kind that is not in the list is refused, and so is a row of another boot or one that waited long.
"""
from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.calls import room
from appliance.config import Box
from appliance.people import changes
from appliance.store import db as store

KINDS = ("update", "reboot", "power-off", "reset", "network", "time", "line")
OLDEST = timedelta(minutes=10)
OPEN = ("waiting", "running")

NO_STEWARD = "This box does not take such orders: it was not set up from an image. Nothing was changed."
AT_WORK = "The box is at it already. Wait until it has ended."
CUT_OFF = "It was cut off in the middle. Look whether it was done, then ask again."
TOO_OLD = "It waited too long and was not done. Ask again."
OTHER_BOOT = "The box was started anew before it came to it, so it was not done. Ask again."
NOT_WRITTEN = ("The order could not be written down, so nothing was done ({0}). Delete recordings or backups that "
               "nobody needs, then ask again.")
FULL = ("The disk is full, so the box cannot write down how far it is. Delete recordings or backups that nobody needs. "
        "Telephones ring as always.")
SCARCE_BYTES = 1_000_000
UNKNOWN = "The box does not know this order. It was not done."


class ErrandError(Exception):
    """An errand cannot be asked for now; the text says why."""


class RefusedError(Exception):
    """A verb will not do what was wanted: nothing was changed; the text says why."""


class FailedError(Exception):
    """A verb could not do what was wanted; the text says what is the case now."""


@dataclass(frozen=True)
class Errand:
    """progress goes from 0 to 100; said is a sentence, None while there is nothing to say."""
    id: int
    at: datetime
    by: str
    kind: str
    wanted: dict[str, Any]
    state: str
    progress: int
    said: str | None
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def ask(db: sqlite3.Connection, box: Box, by: str, kind: str, wanted: dict[str, Any], now: datetime) -> int:
    """The id of a new errand, in a transaction of its own; then the steward is called.

    Raises ErrandError when one of that kind is under way, or the box has no steward.
    """
    if kind not in KINDS:
        raise ErrandError(UNKNOWN)
    boot = this_boot(box)
    if boot is None:
        raise ErrandError(NO_STEWARD)
    try:
        with store.write(db):
            _expire(db, boot, now)
            errand_id = db.execute("""
                INSERT INTO errand (boot, at, by_user, kind, wanted, state)
                VALUES (?, ?, ?, ?, ?, 'waiting')""",
                (boot, store.iso(now), by, kind, json.dumps(wanted, ensure_ascii=False))).lastrowid
            changes.record(db, by, f"errand {kind}", None, {"kind": kind}, now, errand_id)
    except sqlite3.IntegrityError:
        raise ErrandError(AT_WORK) from None
    except sqlite3.OperationalError as full:
        raise ErrandError(NOT_WRITTEN.format(full)) from full
    knock(box)
    assert errand_id is not None
    return errand_id


def read(db: sqlite3.Connection, errand_id: int) -> Errand | None:
    return _one(db.execute("SELECT * FROM errand WHERE id = ?", (errand_id,)).fetchone())


def latest(db: sqlite3.Connection, kind: str = "") -> Errand | None:
    """The last one that was asked for, of this kind or of any."""
    return _one(db.execute("SELECT * FROM errand WHERE kind = ? OR ? = '' ORDER BY id DESC LIMIT 1",
                           (kind, kind)).fetchone())


def as_seen(it: Errand | None, box: Box) -> Errand | None:
    """The errand for a page: while the disk is full its row stands still, and it says so."""
    try:
        is_full = it is not None and it.is_open and room.disk(box.state).free_bytes < SCARCE_BYTES
    except OSError:
        is_full = False
    return replace(it, said=FULL) if it and is_full else it


def this_boot(box: Box) -> str | None:
    """What tells this boot from every other; tmpfiles writes it. None where there is no steward."""
    try:
        return (box.run / "boot").read_text().strip() or None
    except OSError:
        return None


def knocker(box: Box) -> Path:
    """The file that calls the steward while it is there (deskbell-steward.path)."""
    return box.state / "errand" / "wanted"


def knock(box: Box) -> None:
    """Calls the steward; without a folder for it the row grows old and is refused."""
    try:
        os.close(os.open(knocker(box), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660))
    except OSError as refused:
        raise ErrandError(NO_STEWARD) from refused


def _expire(db: sqlite3.Connection, boot: str, now: datetime) -> None:
    """What no steward will ever come to, because it was asked before a restart or long ago, stands in nobody's way."""
    db.execute("""
        UPDATE errand
        SET state = 'failed', said = iif(boot <> ?, ?, ?), wanted = '{}', ended_at = ?
        WHERE state IN ('waiting', 'running') AND boot <> ? OR state = 'waiting' AND at < ?""",
        (boot, OTHER_BOOT, TOO_OLD, store.iso(now), boot, store.iso(now - OLDEST)))


def _one(row: sqlite3.Row | None) -> Errand | None:
    if row is None:
        return None
    return Errand(row["id"], store.parse_time(row["at"]), row["by_user"], row["kind"], json.loads(row["wanted"]),
                  row["state"], row["progress"], row["said"],
                  store.parse_time(row["ended_at"]) if row["ended_at"] else None)
