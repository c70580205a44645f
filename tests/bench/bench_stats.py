"""Statistics of a year among a million calls of three: p50 and p95 in ms over HTTP, and the same counted call by call.

    python3 -m tests.bench.bench_stats [TIMES [CALLS [CONTACTS]]]

Also what the figures cost the calls: microseconds a call more in the transaction that ends it.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.store import db as store
from tests.bench import million
from tests.desk import Office

PAGES = {
    "a year": "/statistics?from=2025-01-01&to=2025-12-31",
    "twelve months of two years": "/statistics?from=2025-11-21&to=2026-11-20",
    "a year of one line": "/statistics?from=2025-01-01&to=2025-12-31&of=line:line2",
    "a month": "/statistics?from=2026-10-01&to=2026-10-31",
    "a year as a sheet": "/statistics/export?from=2025-01-01&to=2025-12-31&format=csv",
    "the slip of a week": "/statistics/saved?week=2026-W46",
}
RAW = (
    "SELECT date(started_at, '+1 hour') AS day, count(*), sum(answered_at IS NOT NULL), sum(outcome = 'missed'), "
    "sum(ring_ms <= 20000), sum(talk_ms) FROM call WHERE {} AND direction = 'in' GROUP BY day",
    "SELECT strftime('%w %H', started_at, '+1 hour') AS hour, count(*), sum(outcome = 'missed') FROM call "
    "WHERE {} AND direction = 'in' GROUP BY hour",
    "SELECT trunk, extension, count(*), sum(answered_at IS NOT NULL) FROM call WHERE {} GROUP BY trunk, extension",
    "SELECT number, count(*) AS calls FROM call WHERE {} AND direction = 'in' AND number IS NOT NULL "
    "GROUP BY number ORDER BY calls DESC LIMIT 8",
)
YEARS = ("started_at >= '2024-12-31T23:00' AND started_at < '2025-12-31T23:00'",
         "started_at >= '2023-12-31T23:00' AND started_at < '2024-12-31T23:00'")


def main(times: int = 40, calls: int = 1_000_000, contacts: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        office = Office(million.made(Path(folder), calls, contacts))
        try:
            amy = office.browser()
            by_hand = statistics.median(spent(lambda: raw(office.db), 3))       # the disk's cache is warm from here
            for name, address in PAGES.items():
                first = spent(lambda address=address: amy.get(address), 1)[0]      # type: ignore[misc]
                taken = spent(lambda address=address: amy.get(address), times)     # type: ignore[misc]
                ratio = f", {by_hand / statistics.median(taken):.1f} times faster than call by call" \
                    if name == "a year" else ""
                print(f"statistics, {name}: p50 {statistics.median(taken):.0f} ms, p95 {p95(taken):.0f} ms, "
                      f"first {first:.0f} ms{ratio}")
            print(f"statistics, a year and the one before call by call: {by_hand:.0f} ms")
            with_figures, without = cost(office.db)
            print(f"statistics: a call written and ended takes {with_figures:.0f} µs, {without:.0f} µs without figures")
        finally:
            office.close()


def spent(ask: Callable[[], object], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def p95(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.95)]


def raw(db: sqlite3.Connection) -> None:
    for place, year in enumerate(YEARS):
        for question in RAW[:1] if place else RAW:
            db.execute(question.format(year)).fetchall()


def cost(db: sqlite3.Connection, calls: int = 500) -> tuple[float, float]:
    """Microseconds a call, with the triggers of the figures and without; in one transaction that is taken back."""
    found = []
    for is_kept in (True, False):
        db.execute("BEGIN IMMEDIATE")
        if not is_kept:
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'call' AND "
                                      "(name LIKE 'call_tally%' OR name LIKE 'caller_%' OR name LIKE 'text_echo%')"
                                      ).fetchall():
                db.execute(f"DROP TRIGGER {name}")
        began = time.perf_counter()
        for place in range(calls):
            at = datetime(2026, 11, 20, 9, tzinfo=UTC) + timedelta(seconds=place)
            call_id = db.execute("""
                INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, started_at,
                                  is_clock_set)
                VALUES ('box1', 9, ?, 'line1', 'in', 'x', ?, 'allowed', ?, 1)""",
                (str(place), f"+4915{place:09d}", store.iso(at))).lastrowid
            db.execute("UPDATE call SET answered_at = ?, ended_at = ?, ring_ms = 9000, talk_ms = 60000, "
                       "extension = '101', outcome = 'answered' WHERE id = ?", (store.iso(at), store.iso(at), call_id))
        found.append((time.perf_counter() - began) * 1e6 / calls)
        db.execute("ROLLBACK")
    return found[0], found[1]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
