"""Who changed what: one row a change, written with it, read by the owner, edited by nobody."""
from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.people import numbers
from appliance.store import db as store

THE_BOX = "the box"                  # who did it when nobody did
HIDDEN = "…"
SECRET = re.compile(r"passw|passphrase|secret|token|\bpins?\b|_pin\b|totp|recovery|\bhash|_hash|credential|invitation")
NUMBER = re.compile(r"(?<![\w.+-])(?:\+|0)?\d(?:[ ()/-]{0,2}\d){6,17}(?![\w-])")
DATE = re.compile(r"(?:--|\d{4}-)\d\d-\d\d")
LONGEST = 2000


@dataclass(frozen=True)
class Change:
    """One line of the log: `before` and `after` hold only what differs; None is nothing there."""
    id: int
    at: datetime
    by: str
    what: str
    row_id: str | None
    before: Any
    after: Any


def record(db: sqlite3.Connection, by: str, what: str, before: object, after: object, now: datetime,
           row_id: object = None) -> None:
    """Writes down that `by` changed `what`; call it inside write(), beside the change itself.

    `what` begins with the kind of row: "setting ring_s", "user Ben", "rule missed". Of two mappings only
    the fields that differ are kept, and nothing at all when none does. Numbers are shortened, and the
    value of a field that sounds like a secret is never written.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        if not differing:
            return
        before = {key: before[key] for key in differing if key in before}
        after = {key: after[key] for key in differing if key in after}
    elif before is not None and before == after:
        return
    is_secret = SECRET.search(what.casefold()) is not None
    db.execute("INSERT INTO change (at, by_user, what, row_id, before, after) VALUES (?, ?, ?, ?, ?, ?)",
               (store.iso(now), by or THE_BOX, shortened(what), None if row_id is None else shortened(str(row_id)),
                _json(before, is_secret), _json(after, is_secret)))


def page(db: sqlite3.Connection, before: int | None = None, by: str = "", what: str = "",
         limit: int = 50) -> list[Change]:
    """Newest first: those older than the row `before`, of one person and one kind of row when these are given."""
    rows = db.execute("""
        SELECT * FROM change
        WHERE id < ? AND (? = '' OR by_user = ?) AND (? = '' OR what = ? OR substr(what, 1, length(?) + 1) = ? || ' ')
        ORDER BY id DESC LIMIT ?""", (before or 2**63 - 1, by, by, what, what, what, what, limit))
    return [_change(row) for row in rows]


def every(db: sqlite3.Connection, by: str = "", what: str = "") -> Iterator[Change]:
    """All of it, newest first, for a sheet; read in steps, so that no writer waits."""
    before: int | None = None
    while lines := page(db, before, by, what, 500):
        yield from lines
        before = lines[-1].id


def people(db: sqlite3.Connection) -> list[str]:
    """Everyone who ever changed something."""
    return [row[0] for row in db.execute("SELECT DISTINCT by_user FROM change ORDER BY by_user COLLATE NOCASE")]


def kinds(db: sqlite3.Connection) -> list[str]:
    """What was ever changed: the first word of each line."""
    return [row[0] for row in db.execute("""
        SELECT DISTINCT substr(what, 1, instr(what || ' ', ' ') - 1) AS kind FROM change ORDER BY kind""")]


def shortened(text: str) -> str:
    """The text with every telephone number in it cut to what a log may hold; dates and times stay."""
    def cut(found: re.Match[str]) -> str:
        return found[0] if DATE.match(found[0]) else numbers.short(re.sub(r"[ ()/-]", "", found[0]))
    return NUMBER.sub(cut, text)[:LONGEST]


def _json(value: object, is_secret: bool) -> str | None:
    return None if value is None else json.dumps(_told(value, is_secret), ensure_ascii=False)


def _told(value: object, is_secret: bool) -> object:
    if isinstance(value, Mapping):
        return {str(key): _told(inner, is_secret or SECRET.search(str(key).casefold()) is not None)
                for key, inner in value.items()}
    if value is None or isinstance(value, bool):
        return value
    if is_secret:
        return HIDDEN
    if isinstance(value, list | tuple | set | frozenset):
        return [_told(inner, False) for inner in value]
    if isinstance(value, int | float):
        return value
    return shortened(str(value))


def _change(row: sqlite3.Row) -> Change:
    return Change(row["id"], store.parse_time(row["at"]), row["by_user"], row["what"], row["row_id"],
                  json.loads(row["before"]) if row["before"] else None,
                  json.loads(row["after"]) if row["after"] else None)
