"""Who rings most, who rang for the first time, and what came back of our texts."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance.calls.stats import ALL, Scope
from appliance.store.db import iso

SHORT = timedelta(days=40)      # so much is counted call by call: 25 ms with a thousand calls a day
MOST_CANDIDATES = 3000
COLUMN = {"line": "trunk", "extension": "extension", "disposition": "disposition"}
CAME_IN = "direction = 'in' AND outcome <> 'blocked'"


@dataclass(frozen=True)
class Caller:
    """name None: the book does not know the number."""
    number: str
    name: str | None
    calls: int


@dataclass(frozen=True)
class Echo:
    """Texts that went out, and how many of their numbers wrote or rang within the hour, whichever came first."""
    sent: int
    replied: int
    rang: int


def most(db: sqlite3.Connection, scope: Scope, since: datetime, until: datetime, limit: int = 8) -> list[Caller]:
    """The numbers that rang most often, the most frequent first; of a long time only of everything, else none."""
    if until - since <= SHORT:
        found: list[tuple[str, int]] = _counted(db, scope, since, until, limit)
    elif scope != ALL:
        found = []
    else:
        found = _walked(db, since, until, limit) or _counted(db, scope, since, until, limit)
    return [Caller(number, _name(db, number), calls) for number, calls in found]


def new(db: sqlite3.Connection, scope: Scope, since: datetime, until: datetime) -> int:
    """Calls in that were the very first with their number, which had no card before either."""
    where, given = _of(scope)
    join = "JOIN call ON call.id = caller.call_id" if scope != ALL else ""
    return int(db.execute(f"""
        SELECT count(*) FROM caller {join}
        WHERE is_new = 1 AND first_at >= ? AND first_at < ? {where}""", (iso(since), iso(until), *given)).fetchone()[0])


def echoes(db: sqlite3.Connection, since: datetime, until: datetime) -> dict[str, Echo]:
    """By why they were sent: "call" for a call, "campaign" to many, "person" by one of us."""
    return {row[0]: Echo(*row[1:]) for row in db.execute("""
        SELECT kind, count(*), coalesce(sum(how = 'replied'), 0), coalesce(sum(how = 'rang'), 0)
        FROM text_echo WHERE sent_at >= ? AND sent_at < ? GROUP BY kind""", (iso(since), iso(until)))}


def _counted(db: sqlite3.Connection, scope: Scope, since: datetime, until: datetime,
             limit: int) -> list[tuple[str, int]]:
    where, given = _of(scope)
    return [tuple(row) for row in db.execute(f"""
        SELECT number, count(*) AS calls FROM call
        WHERE started_at >= ? AND started_at < ? AND {CAME_IN} AND number IS NOT NULL {where}
        GROUP BY number ORDER BY calls DESC, number LIMIT ?""", (iso(since), iso(until), *given, limit))]


def _walked(db: sqlite3.Connection, since: datetime, until: datetime, limit: int) -> list[tuple[str, int]] | None:
    """The same without reading all calls: the years' own lists are walked from their top, each number counted
    exactly, until nobody further down can have rung as often. None when that takes too long.

    Days of a year that only just belong (the shop's midnight is not that of UTC) are read themselves.
    """
    known: dict[str, int] = {}

    def count(number: str) -> None:
        if number not in known:
            known[number] = int(db.execute(f"""
                SELECT count(*) FROM call INDEXED BY caller_calls
                WHERE number = ? AND started_at >= ? AND started_at < ? AND {CAME_IN}""",
                (number, iso(since), iso(until))).fetchone()[0])

    lists: list[Iterator[sqlite3.Row]] = []
    for year in range(since.year, until.year + 1):
        start = max(since, datetime(year, 1, 1, tzinfo=UTC))
        end = min(until, datetime(year + 1, 1, 1, tzinfo=UTC))
        if end - start > timedelta(days=2):
            lists.append(db.execute("SELECT number, calls FROM caller_year WHERE year = ? ORDER BY calls DESC, number",
                                    (year,)))
        elif end > start:
            for (number,) in db.execute("SELECT DISTINCT number FROM call WHERE started_at >= ? AND started_at < ? "
                                        "AND number IS NOT NULL", (iso(start), iso(end))).fetchall():
                count(number)
    while lists:
        rows = [row for each in lists if (row := next(each, None)) is not None]
        for row in rows:
            count(row["number"])
        best = sorted(known.values(), reverse=True)[:limit]
        if not rows or len(best) == limit and sum(row["calls"] for row in rows) <= best[-1]:
            break
        if len(known) > MOST_CANDIDATES:
            return None
    ranked = sorted(((calls, number) for number, calls in known.items() if calls), key=lambda one: (-one[0], one[1]))
    return [(number, calls) for calls, number in ranked[:limit]]


def _of(scope: Scope) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if scope == ALL else (f"AND call.{COLUMN[scope.kind]} = ?", (scope.key,))


def _name(db: sqlite3.Connection, number: str) -> str | None:
    row = db.execute("""
        SELECT contact.name FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact_number.number = ?""", (number,)).fetchone()
    return str(row[0]) if row else None
