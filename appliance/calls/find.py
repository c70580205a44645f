"""A page of calls for any wish, as quick at a million calls as at a thousand.

The smallest condition that an index has is taken whole when it has few calls, and the others are tested on those. When
none is small, calls are looked at from the newest back; a page that is not full after so many says how far it looked
and where it goes on, so that no wish ever takes long.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from appliance.calls import narrow
from appliance.calls.history import LARGEST_ID, Call, Key, these
from appliance.calls.narrow import Part, Wish
from appliance.store.db import parse_time

FEW = 3_000                    # so many calls are tested one by one
MOST_FACETS = 60_000          # looked at for one page where the index says all
MOST_ROWS = 8_000             # where the calls themselves, or what belongs to them, must be looked at
ALL = "SELECT call.id FROM call INDEXED BY call_facets WHERE {when}"
BATCH = 500


@dataclass(frozen=True)
class Found:
    """A page. older: where the next one goes on, None at the end. looked_until: set when the page is not full because
    enough calls were looked at. count: how many there are in all, None when they were not counted."""
    calls: list[Call]
    older: Key | None
    looked_until: datetime | None = None
    count: int | None = None


def page(db: sqlite3.Connection, wish: Wish, country: str, before: Key | None = None, limit: int = 50) -> Found:
    """The latest calls older than `before` that fit, newest first."""
    parts = narrow.parts(wish, country)
    when = _When(*narrow.stretch(wish), before or Key("9999", LARGEST_ID))
    if not parts and not wish.since:
        return _walked(db, when, None, limit)
    if (few := _few(db, parts, when, bool(wish.since))) is not None:
        return _tested(db, few, parts, when, limit, before is None)
    if len(parts) < 2 and (not parts or parts[0].index):
        return _walked(db, when, parts[0] if parts else None, limit)
    return _looked(db, parts, when, limit)


def every(db: sqlite3.Connection, wish: Wish, country: str, most: int) -> Iterator[Call]:
    """All calls that fit, newest first, `most` at most; read a piece at a time, so that nothing waits for us."""
    before: Key | None = None
    while most > 0:
        found = page(db, wish, country, before, min(BATCH, most))
        yield from found.calls
        most -= len(found.calls)
        if found.older is None:
            return
        before = found.older


@dataclass(frozen=True)
class _When:
    """The first and the last moment, and where the page before ended.

    Only one upper bound stands in each statement: of two, SQLite may walk the index from the later one.
    """
    since: str
    until: str
    key: Key

    def into(self, sql: str) -> str:
        return sql.format(when="call.started_at BETWEEN :since AND :last")

    @property
    def last(self) -> str:
        return min(self.until, self.key.started_at)


def _few(db: sqlite3.Connection, parts: list[Part], when: _When, has_since: bool) -> Part | None:
    """The condition with the fewest calls, None when all have many."""
    best, least = None, FEW
    for part in [*(part for part in parts if part.ids), *([Part("1", (), ALL)] if has_since else [])]:
        sql, given = _named(when.into(part.ids), part.ids_given, "d")
        count = db.execute(f"SELECT count(*) FROM (SELECT 1 FROM ({sql}) LIMIT {least})",
                           _given(given, when)).fetchone()[0]
        if count < least:
            best, least = part, count
        if not least:
            break
    return best


def _tested(db: sqlite3.Connection, few: Part, parts: list[Part], when: _When, limit: int, is_first: bool) -> Found:
    ids, given = _named(when.into(few.ids), few.ids_given, "d")
    tests, more = _tests([part for part in parts if part is not few])
    rows = db.execute(f"""
        WITH hit AS MATERIALIZED (SELECT DISTINCT id FROM ({ids}))
        SELECT call.id, call.started_at
        FROM hit CROSS JOIN call ON call.id = hit.id
        WHERE {tests} AND call.started_at BETWEEN :since AND :last
          AND (call.started_at, call.id) < (:key_at, :key_id)
        ORDER BY call.started_at DESC, call.id DESC
        {'' if is_first else f'LIMIT {limit + 1}'}""", _given(given | more, when)).fetchall()
    return _full(db, rows[:limit + 1], limit, count=len(rows) if is_first else None)


def _walked(db: sqlite3.Connection, when: _When, part: Part | None, limit: int) -> Found:
    tests, given = _tests([part] if part else [])
    rows = db.execute(f"""
        SELECT call.id, call.started_at
        FROM call INDEXED BY {part.index if part else 'call_started'}
        WHERE {tests} AND call.started_at BETWEEN :since AND :last
          AND (call.started_at, call.id) < (:key_at, :key_id)
        ORDER BY call.started_at DESC, call.id DESC
        LIMIT {limit + 1}""", _given(given, when)).fetchall()
    return _full(db, rows, limit)


def _looked(db: sqlite3.Connection, parts: list[Part], when: _When, limit: int) -> Found:
    """From the newest back, so many at most."""
    is_facet = all(part.is_facet for part in parts)
    most = MOST_FACETS if is_facet and not any("EXISTS" in part.test for part in parts) else MOST_ROWS
    tests, given = _tests(parts)
    walk = """
        FROM call INDEXED BY call_facets
        WHERE call.started_at BETWEEN :since AND :last
          AND (call.started_at, call.id) < (:key_at, :key_id)
        ORDER BY call.started_at DESC, call.id DESC"""
    facets = "id, started_at, direction, outcome, answered_at, trunk, extension, mark"
    of = f"(SELECT {facets} {walk} LIMIT {most}) AS call" if is_facet else \
        f"(SELECT id {walk} LIMIT {most}) AS walked CROSS JOIN call ON call.id = walked.id"
    rows = db.execute(f"SELECT call.id, call.started_at FROM {of} WHERE {tests} LIMIT {limit + 1}",
                      _given(given, when)).fetchall()
    if len(rows) > limit:
        return _full(db, rows, limit)
    edge = db.execute(f"SELECT call.started_at, call.id {walk} LIMIT 1 OFFSET {most - 1}", _given({}, when)).fetchone()
    if edge is None:
        return _full(db, rows, limit)
    return Found(these(db, [row["id"] for row in rows]), Key(edge["started_at"], edge["id"]),
                 parse_time(edge["started_at"]))


def _full(db: sqlite3.Connection, rows: list[sqlite3.Row], limit: int, count: int | None = None) -> Found:
    last = rows[limit - 1] if len(rows) > limit else None
    return Found(these(db, [row["id"] for row in rows[:limit]]),
                 Key(last["started_at"], last["id"]) if last else None, count=count)


def _tests(parts: list[Part]) -> tuple[str, dict[str, object]]:
    sql, given = ["1"], {}
    for place, part in enumerate(parts):
        test, values = _named(part.test, part.given, f"t{place}_")
        sql.append(test)
        given.update(values)
    return " AND ".join(sql), given


def _named(sql: str, given: tuple[object, ...], prefix: str) -> tuple[str, dict[str, object]]:
    """The statement with a name for each of its question marks, so that it fits among others."""
    pieces = sql.split("?")
    names = [f":{prefix}{place}" for place in range(len(given))]
    filled = "".join(piece + name for piece, name in zip(pieces, [*names, ""], strict=True))
    return filled, {name[1:]: value for name, value in zip(names, given, strict=True)}


def _given(values: dict[str, object], when: _When) -> dict[str, object]:
    return values | {"since": when.since, "last": when.last, "key_at": when.key.started_at,
                     "key_id": when.key.id}
