"""How long a campaign of 10,000 takes: looked at, and queued by the clock; and what it costs a call meanwhile.

python3 -m tests.bench.bench_campaign [--people 10000]
Prints one line a figure with its share of the aim (below 1.00 is better than the aim), and exits 1 when one is not met.
"""
from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from appliance.config import Box, Modem
from appliance.people import groups
from appliance.store import db as store
from appliance.texts import campaigns, occurrences, outbox
from appliance.texts.campaigns import Wish

TEXT = ("{shop}: dear {first_name|customer}, the winter service is 35 until 12 December, ready the same day if it is "
        "here before 10. Reply BOOK and we ring you to agree a day. Reply STOP and we text no more.")
PREVIEWED_S, QUEUED_S, TURN_MS, HELD_MS, KEPT_MS = 2.0, 5.0, 5.0, 20.0, 50.0
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def fill(box: Box, people: int) -> None:
    """A book with so many contacts in one group, each with a name, a company and a field."""
    db = store.connect(box.store)
    store.migrate(db)
    with store.write(db):
        group = groups.add(db, "Everyone")
        for place in range(people):
            contact = f"{place:036d}"
            db.execute("INSERT INTO contact (id, name, company, created_at, updated_at) VALUES (?, ?, 'Velo', '', '')",
                       (contact, f"Rider{place} Schmidt"))
            db.execute("INSERT INTO contact_number (number, contact_id) VALUES (?, ?)",
                       (f"+4917{10000000 + place}", contact))
            db.execute("INSERT INTO contact_field (contact_id, name, value) VALUES (?, 'bike', 'Gazelle')", (contact,))
            groups.put(db, group, [contact])
    db.close()


class Calls(threading.Thread):
    """Commits a row every 20 ms as the calls' daemon does, and keeps how long each took."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.stop, self.took_ms = path, threading.Event(), list[float]()

    def run(self) -> None:
        db = store.connect(self.path)
        while not self.stop.wait(0.02):
            began = time.perf_counter()
            with store.write(db):
                db.execute("INSERT INTO event (at, kind) VALUES ('', 'text')")
            self.took_ms.append((time.perf_counter() - began) * 1000)


class Lock:
    """How long each transaction of a connection held the write lock: from its first statement until it commits.

    By a clock of the processor it says what a quiet machine would need, on a busy one too.
    """

    def __init__(self, db: sqlite3.Connection, clock: Callable[[], float] = time.perf_counter) -> None:
        self.held_ms, self.last, self.since, self.clock = list[float](), "", 0.0, clock
        db.set_trace_callback(self.said)

    def said(self, statement: str) -> None:
        if self.last == "BEGIN IMMEDIATE":
            self.since = self.clock()
        if statement == "COMMIT":
            self.held_ms.append((self.clock() - self.since) * 1000)
        self.last = statement


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=10_000)
    people = parser.parse_args().people
    with tempfile.TemporaryDirectory() as folder:
        box = Box(state=Path(folder), modems=(Modem("SIM", "/dev/null"),))
        fill(box, people)
        db = store.connect(box.store)
        wish = Wish("Winter", TEXT, {"groups": [1]})
        began = time.perf_counter()
        seen = campaigns.preview(db, box, wish, NOW)
        previewed_s = time.perf_counter() - began
        assert len(seen.recipients) == people
        campaigns.confirm(db, box, seen.hash, wish, NOW)
        calls, lock = Calls(box.store), Lock(db)
        calls.start()
        began, ours = time.perf_counter(), time.process_time()
        queued = occurrences.expand_due(db, box, NOW)
        queued_s, ours = time.perf_counter() - began, time.process_time() - ours
        calls.stop.set()
        calls.join()
        db.set_trace_callback(None)
        assert queued == people
        turns = []
        for _ in range(50):
            began = time.perf_counter()
            assert outbox.next_due(db, "SIM", NOW)
            turns.append((time.perf_counter() - began) * 1000)
        db.close()
    scale = people / 10_000
    figures = [(f"a campaign of {people} is previewed", previewed_s, PREVIEWED_S * scale, "s"),
               (f"a campaign of {people} is queued ({ours:.2f} s of it our own work)", queued_s, QUEUED_S * scale, "s"),
               (f"the write lock is held by {len(lock.held_ms)} batches, median",
                statistics.median(lock.held_ms), HELD_MS, "ms"),
               (f"meanwhile {len(calls.took_ms)} calls are kept, median",
                statistics.median(calls.took_ms), KEPT_MS, "ms"),
               ("the next text is found among them, median", statistics.median(turns), TURN_MS, "ms")]
    for words, found, aim, unit in figures:
        print(f"{words}: {found:.2f} {unit}, aim {aim:.2f} {unit}: {found / aim:.2f} of it")
    return int(any(found > aim for _, found, aim, _ in figures))


if __name__ == "__main__":
    sys.exit(main())
