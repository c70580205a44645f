"""A backup of a 1 GB store while calls go on: does a commit wait longer than for a plain copy of the file?

    image/enter python3 -P -m tests.bench.bench_backup [--mb 1000]

One process commits as the calls daemon does, about once a second and in pairs; p50, p99 and max of its commits are said
for: nothing beside it, a plain copy with fsync, the backup (copy, hashes, packing, sealing, proof), the restore's swap.
"""
from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

from appliance.backup import restoring, rows, secrets
from appliance.backup.worker import Worker
from appliance.config import Box
from appliance.store import db as store

PAUSE_S = 0.25                    # four commits a second: an office has one a call and a text
WRITER = """if True:
    import sys, time
    from appliance.store import db
    house = db.connect(sys.argv[1])
    number = 0
    while True:
        number += 1
        began = time.perf_counter()
        with db.write(house, limit_s=60):
            house.execute("INSERT INTO ledger_cursor VALUES ('bench', ?) ON CONFLICT (spool) DO UPDATE SET "
                          "position = excluded.position", (number,))
        print(time.perf_counter() - began, flush=True)
        time.sleep(float(sys.argv[2]))
"""


def fill(box: Box, mb: int) -> None:
    """Calls with their legs until the store has so many megabytes."""
    db = store.connect(box.store)
    store.migrate(db)
    db.execute("PRAGMA synchronous = OFF")
    call = 0
    while box.store.stat().st_size < mb * 1_000_000:
        with store.write(db):
            batch = range(call + 1, call + 5001)
            db.executemany("""
                INSERT INTO call (id, box, boot, linkedid, direction, caller_id, number, presentation, started_at,
                                  ended_at, outcome, is_clock_set)
                VALUES (?, 'box1', 1, ?, 'in', '01701234567', ?, 'allowed', ?, ?, 'missed', 1)""",
                [(n, f"{n}.{n}", f"+4917{n % 10**8:08}", stamp(n), stamp(n)) for n in batch])
            db.executemany("""
                INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at)
                VALUES ('in', ?, ?, 'received', ?, ?, ?)""",
                [(f"+4917{n % 10**8:08}", f"Text {n} " + "word " * 300, stamp(n), stamp(n), stamp(n)) for n in batch])
            call += 5000
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def stamp(number: int) -> str:
    return store.iso(datetime.fromtimestamp(1_700_000_000 + number * 30, UTC))


class Calls:
    """The writer in a process of its own; commits() gives what came since."""

    def __init__(self, box: Box) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", WRITER, str(box.store), str(PAUSE_S)], text=True,
                                         stdout=subprocess.PIPE)
        self._times: list[float] = []
        threading.Thread(target=self._read, daemon=True).start()

    def commits(self) -> list[float]:
        found, self._times = self._times, []
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._times.append(float(line))


def measured(name: str, calls: Calls, work: Callable[[], object]) -> tuple[float, float]:
    """p99 and max in ms of the commits while `work` runs."""
    calls.commits()
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    times = sorted(1000 * one for one in calls.commits()) or [0.0]
    p50, p99 = (quantiles(times, n=100)[49], quantiles(times, n=100)[98]) if len(times) > 1 else (times[0], times[0])
    print(f"backup {name:34} {took:7.1f} s  {len(times):4} commits  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  "
          f"max {times[-1]:6.1f} ms", flush=True)
    return p99, times[-1]


def again(work: Callable[[], object], for_s: float) -> None:
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        work()


def copied(box: Box) -> None:
    target = box.state / "plain"
    with box.store.open("rb") as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1024 * 1024)
        sink.flush()
        os.fsync(sink.fileno())
    target.unlink()


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--mb", type=int, default=1000)
    asked.add_argument("--folder", type=Path, default=None)
    given = asked.parse_args()
    disk = given.folder or (Path("/mnt") if os.path.ismount("/mnt") else None)    # --share of image/enter: a real disk
    folder = Path(tempfile.mkdtemp(dir=disk))
    box = replace(Box(), state=folder)
    box.recordings.mkdir()
    fill(box, given.mb)
    db = store.connect(box.store)
    worker = Worker(box, lambda: datetime.now(UTC))
    worker.serve(is_clock_set=False)
    with store.write(db):
        secrets.keep_passphrase(db, "four words in a row")
    calls = Calls(box)
    size_mb = box.store.stat().st_size / 1e6
    measured("alone", calls, lambda: time.sleep(20))
    plain = [measured("beside plain copies with fsync", calls, lambda: again(lambda: copied(box), 60))]

    def back_up() -> None:
        with store.write(db):
            rows.ask(db, 1, "bench", datetime.now(UTC))
        while worker.serve(is_clock_set=False):
            pass

    during = measured("beside a backup, proved", calls, back_up)
    one = rows.last_proven(db)
    assert one is not None, rows.backups(db)[0].reason
    worst = max(maximum for _, maximum in plain)
    print(f"backup of {size_mb:.0f} MB is {(one.size_bytes or 0) / 1e6:.0f} MB; worst commit {during[1]:.1f} ms, "
          f"beside a plain copy {worst:.1f} ms: ratio {during[1] / worst:.2f}", flush=True)
    rows.ask_restore(db, "bench", datetime.now(UTC), "four words in a row", backup_id=one.id)
    measured("beside a restore's reading", calls, lambda: worker.serve(is_clock_set=False))
    ready = restoring.aside(box, 1) / "store.db"
    locked: list[float] = []
    measured("beside the swap of a restore", calls, lambda: locked.append(
        restoring.swap(box.store, ready, 1, datetime.now(UTC))))
    print(f"backup: the swap of {size_mb:.0f} MB held the store for {locked[0]:.2f} s; telephones ring without it",
          flush=True)
    calls.stop()
    whole = sqlite3.connect(box.store).execute("PRAGMA quick_check(1)").fetchone()[0]
    print(f"backup: the store afterwards is {whole}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
