"""What it costs the box to tell the desks of one ringing call: the body of the event, built once for all of them.

image/enter python3 tests/bench/bench_teller.py [--calls 100000]      a caller with a card, notes, promises, 60 calls
"""
from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.calls import history
from appliance.store import db as store
from tests.desk import box_at
from web.pop import Teller

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROW = """INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, contact_id, outcome,
         started_at, answered_at, ended_at, ring_ms, talk_ms, is_clock_set)
         VALUES ('box1', 1, ?, 'line1', 'in', '', ?, 'allowed', ?, ?, ?, ?, ?, 9000, 60000, 1)"""
MARGARET, CARD = "+4915123456789", "00000000-0000-7000-8000-000000000001"


def filled(folder: Path, calls: int) -> store.sqlite3.Connection:
    db = store.connect(box_at(folder).store)
    store.migrate(db)
    with store.write(db):
        db.execute("INSERT INTO contact (id, name, company, is_vip, created_at, updated_at) "
                   "VALUES (?, 'Margaret Osei', 'Osei & Sons', 1, '2026', '2026')", (CARD,))
        db.executemany("INSERT INTO contact_number (number, contact_id) VALUES (?, ?)",
                       [(MARGARET, CARD), ("+4915123456780", CARD)])
        for place in range(calls):
            at = NOW - timedelta(minutes=3 * (calls - place))
            mine = place % max(1, calls // 60) == 0
            number = MARGARET if mine else f"+4917{place % 20000:08d}"
            is_missed = place % 7 == 0
            db.execute(ROW, (str(place), number, CARD if mine else None, "missed" if is_missed else "answered",
                             store.iso(at), None if is_missed else store.iso(at), store.iso(at)))
        db.executemany("INSERT INTO note (contact_id, text, by_user, created_at, updated_at) "
                       "VALUES (?, 'Rear wheel true and new chain.', 'Ben', ?, ?)",
                       [(CARD, store.iso(NOW), store.iso(NOW))] * 30)
        db.execute("INSERT INTO callback (number, contact_id, about, due_at, by_user, created_at, updated_at) "
                   "VALUES (?, ?, 'the quote', ?, 'Amy', ?, ?)", (MARGARET, CARD, *[store.iso(NOW)] * 3))
        live = db.execute("INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, "
                          "contact_id, started_at, is_clock_set) VALUES ('box1', 1, 'live', 'line1', 'in', '', ?, "
                          "'allowed', ?, ?, 1)", (MARGARET, CARD, store.iso(NOW))).lastrowid
        db.execute("INSERT INTO event (at, kind, call_id) VALUES (?, 'ringing', ?)", (store.iso(NOW), live))
    return db


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--calls", type=int, default=100_000)
    calls = asked.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        db = filled(Path(folder), calls)
        teller, event = Teller(box_at(Path(folder)), db), history.events_after(db, 0)[-1]
        for _ in range(20):
            body = teller.event(event, NOW)
        took = []
        for _ in range(400):
            began = time.perf_counter()
            body = teller.event(event, NOW)
            took.append((time.perf_counter() - began) * 1000)
        print(f"body of 'ringing' beside {calls} calls: p50 {statistics.median(took):.2f} ms, "
              f"p95 {sorted(took)[379]:.2f} ms, {len(json.dumps(body, ensure_ascii=False).encode())} bytes")


if __name__ == "__main__":
    main()
