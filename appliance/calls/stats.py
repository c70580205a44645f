"""What the calls of a time come to, from the figures that schema/0007_statistics.sql keeps beside them.

Every question reads figures, never calls: a year costs the same whether the office has a thousand calls or a million.
"""
from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from appliance.calls import periods

WITHIN_S = (5, 10, 15, 20, 30, 45, 60, 90, 120)
UNDER_S = (2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120)
COUNTS = ("calls", "answered", "missed", "abandoned", "voicemail", "blocked", "withheld", "outgoing",
          "outgoing_answered", "wait_ms", "talk_ms", "outgoing_talk_ms")
COLUMNS = (*COUNTS, *(f"answered_{s}" for s in WITHIN_S), *(f"lost_{s}" for s in UNDER_S))
QUARTER_S, DAY_S = 900, 86400
KINDS = ("line", "extension", "disposition")


@dataclass(frozen=True)
class Scope:
    """What is counted: everything, or one line, extension or disposition (what a call was about)."""
    kind: str = "all"
    key: str = ""


ALL = Scope()


@dataclass(frozen=True)
class Figures:
    """Calls that came in, without blocked ones, unless the name says outgoing; sums of milliseconds.

    answered_within[20]: how many within 20 s; lost_under[5]: how many hung up, or rang in vain, in less than 5 s.
    """
    calls: int
    answered: int
    missed: int
    abandoned: int
    voicemail: int
    blocked: int
    withheld: int
    outgoing: int
    outgoing_answered: int
    wait_ms: int
    talk_ms: int
    outgoing_talk_ms: int
    answered_within: dict[int, int]
    lost_under: dict[int, int]

    @property
    def lost(self) -> int:
        """Nobody answered, or the caller gave up before."""
        return self.missed + self.abandoned

    @property
    def otherwise(self) -> int:
        """Neither answered nor lost: busy, turned down, to the machine, cut off."""
        return self.calls - self.answered - self.lost

    @property
    def mean_wait_ms(self) -> int | None:
        return round(self.wait_ms / self.answered) if self.answered else None

    @property
    def mean_talk_ms(self) -> int | None:
        """Of the calls in; what is done after a call is not measured."""
        return round(self.talk_ms / self.answered) if self.answered else None


@dataclass(frozen=True)
class Bar:
    """One bar of a chart, or one hour of the week."""
    calls: int = 0
    answered: int = 0
    lost: int = 0
    in_time: int = 0
    quick: int = 0
    talk_ms: int = 0

    @property
    def otherwise(self) -> int:
        return self.calls - self.answered - self.lost


def total(db: sqlite3.Connection, scope: Scope, since: datetime, until: datetime) -> Figures:
    """All of the time in one."""
    found = _sums(db, scope.kind, [scope.key], since, until)
    return found.get(scope.key) or _figures((0,) * len(COLUMNS))


def each(db: sqlite3.Connection, kind: str, since: datetime, until: datetime,
         columns: tuple[str, ...] = COLUMNS) -> dict[str, Figures]:
    """The same for each line, extension or disposition that had a call in it; with COUNTS as columns it is faster
    and leaves out how long callers waited."""
    return _sums(db, kind, keys(db, kind), since, until, columns)


def keys(db: sqlite3.Connection, kind: str) -> list[str]:
    """Every line, extension or disposition that ever had a call."""
    return [row[0] for row in db.execute("SELECT DISTINCT key FROM call_tally WHERE kind = ?", (kind,))]


def bars(db: sqlite3.Connection, scope: Scope, edges: list[datetime], within_s: int = 20,
         under_s: int = 0) -> list[Bar]:
    """What lies between each edge and the next."""
    steps = json.dumps([[place, *piece] for place, (start, end) in enumerate(zip(edges, edges[1:], strict=False))
                        for piece in _pieces(start, end)])
    quick = f"lost_{under_s}" if under_s else "0"
    found = {row[0]: Bar(*row[1:]) for row in db.execute(f"""
        SELECT step.value ->> 0 AS place, sum(calls), sum(answered), sum(missed + abandoned),
          sum(answered_{within_s}), sum({quick}), sum(talk_ms)
        FROM json_each(?) AS step CROSS JOIN call_tally
        WHERE kind = ? AND call_tally.key = ? AND span_s = step.value ->> 1
          AND at_s >= step.value ->> 2 AND at_s < step.value ->> 3
        GROUP BY place""", (steps, scope.kind, scope.key))}
    return [found.get(place, Bar()) for place in range(len(edges) - 1)]


def week(db: sqlite3.Connection, scope: Scope, since: datetime, until: datetime, zone: ZoneInfo) -> list[list[Bar]]:
    """Seven days from Monday on, each with the 24 hours of the shop's clock."""
    found = [Bar()] * 168
    for start, end, offset_s in periods.offsets(since, until, zone):
        rows = db.execute(f"""
            SELECT ((at_s + ?) / 3600 + 72) % 168 AS hour,       -- 1970 began on a Thursday
              sum(calls), sum(answered), sum(missed + abandoned)
            FROM call_tally
            WHERE kind = ? AND key = ? AND span_s = {QUARTER_S} AND at_s >= ? AND at_s < ?
            GROUP BY hour""", (offset_s, scope.kind, scope.key, _s(start), _s(end)))
        for hour, calls, answered, lost in rows:
            was = found[hour]
            found[hour] = Bar(was.calls + calls, was.answered + answered, was.lost + lost)
    return [found[24 * day:24 * day + 24] for day in range(7)]


def first_day(db: sqlite3.Connection) -> datetime | None:
    """The start of the UTC day of the first call there are figures of."""
    row = db.execute("SELECT min(at_s) FROM call_tally WHERE kind = 'all' AND key = '' AND span_s = ?",
                     (DAY_S,)).fetchone()
    return datetime.fromtimestamp(row[0], UTC) if row[0] is not None else None


def _sums(db: sqlite3.Connection, kind: str, wanted: list[str], since: datetime, until: datetime,
          columns: tuple[str, ...] = COLUMNS) -> dict[str, Figures]:
    pieces = _pieces(since, until)
    names, sums = ", ".join(columns), ", ".join(f"sum({column})" for column in columns)
    parts = " UNION ALL ".join([f"""
        SELECT key, {names} FROM call_tally
        WHERE kind = ? AND key IN (SELECT value FROM json_each(?)) AND span_s = ? AND at_s >= ? AND at_s < ?"""]
        * len(pieces))
    given = [value for piece in pieces for value in (kind, json.dumps(wanted), *piece)]
    return {row[0]: _figures(tuple(row)[1:])
            for row in db.execute(f"SELECT key, {sums} FROM ({parts}) GROUP BY key", given)} if pieces else {}


def _pieces(since: datetime, until: datetime) -> list[tuple[int, int, int]]:
    """Where a time is read, as span_s, from, to: whole days of UTC from the sums of days, its ends by quarter-hours."""
    start, end = _s(since), _s(until)
    first, last = -(-start // DAY_S) * DAY_S, end // DAY_S * DAY_S
    pieces = [(DAY_S, first, last), (QUARTER_S, start, first), (QUARTER_S, last, end)]
    return [piece for piece in pieces if piece[1] < piece[2]] if first <= last else [(QUARTER_S, start, end)]


def _figures(row: tuple[int, ...]) -> Figures:
    histogram = row[len(COUNTS):]
    return Figures(**dict(zip(COUNTS, row, strict=False)),
                   answered_within=dict(zip(WITHIN_S, histogram, strict=False)),
                   lost_under=dict(zip(UNDER_S, histogram[len(WITHIN_S):], strict=False)))


def _s(at: datetime) -> int:
    return int(at.timestamp())
