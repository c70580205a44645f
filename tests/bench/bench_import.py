"""How long 100,000 customers take to come in by a file, and what it costs a call meanwhile.

python3 -m tests.bench.bench_import [--people 100000]
Prints one line a figure with its share of the aim (below 1.00 is better than the aim), and exits 1 when one is not met.
"""
from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from appliance.config import Box
from appliance.people import changes, links, numbers, transfer_store, transfer_work
from appliance.store import db as store

BROUGHT_IN_S, HELD_MS, KEPT_MS, UNDONE_S = 20.0, 20.0, 50.0, 20.0
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def write_file(path: Path, people: int) -> None:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        file.write("Name;Mobile;Work;Company;City;Group\r\n")
        for place in range(people):
            landline = f"030{2000000 + place}" if place % 4 == 0 else ""
            file.write(f"Rider{place} Schmidt;0151{20000000 + place};{landline};Velo {place % 900};Berlin;"
                       f"{'VIP' if place % 10 == 0 else ''}\r\n")


def bare_s(folder: Path, people: int) -> float:
    """The least it could cost: each number made E.164, and two executemany."""
    db = store.connect(folder / "bare.db")
    store.migrate(db)
    began = time.perf_counter()
    rows = [(str(uuid.uuid7()), f"Rider{place} Schmidt", numbers.e164(f"0151{20000000 + place}", "DE"))
            for place in range(people)]
    with store.write(db):
        db.executemany("INSERT INTO contact (id, name, created_at, updated_at) VALUES (?, ?, '', '')",
                       [row[:2] for row in rows])
        db.executemany("INSERT INTO contact_number (contact_id, number) VALUES (?, ?)",
                       [(row[0], row[2]) for row in rows])
    took = time.perf_counter() - began
    db.close()
    return took


def work(db: sqlite3.Connection, box: Box) -> float:
    began = time.perf_counter()
    while transfer_work.attend(db, box, NOW):
        pass
    return time.perf_counter() - began


class Linking(threading.Thread):
    """Gives calls to the cards whose numbers came in, as the clock does beside each import."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.stop = path, threading.Event()

    def run(self) -> None:
        db = store.connect(self.path)
        while not self.stop.wait(0.2):
            links.settle(db)
        assert links.settle(db, 60)


class CallsBeside:
    """The daemon of the calls in a process of its own: commits a row every 20 ms and says how long each took."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen([sys.executable, "-P", "-c", CALLS, str(path)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)

    def took_ms(self) -> list[float]:
        """Of each commit so far, shortest first; it ends with that."""
        said, _ = self._process.communicate("over\n", timeout=60)
        return sorted(float(line) for line in said.split())


CALLS = """
import sys, threading
from pathlib import Path
from tests.bench.bench_campaign import Calls
calls = Calls(Path(sys.argv[1]))
calls.start()
sys.stdin.readline()
calls.stop.set()
calls.join()
print(*calls.took_ms)
"""


def measure(folder: Path, people: int) -> dict[str, tuple[float, float]]:
    box = Box(state=folder, run=folder)
    db = store.connect(box.store)
    store.migrate(db)
    path = transfer_store.folder(box) / "people.csv"
    write_file(path, people)
    plan = transfer_work.plan_of(path, "csv", box.country)
    with store.write(db):
        it = transfer_store.add(db, "people.csv", "people.csv", "csv", plan, "amy", NOW)
        transfer_store.check(db, it)
    calls, linking = CallsBeside(box.store), Linking(box.store)
    linking.start()
    ours = time.process_time()
    checked = work(db, box)
    assert transfer_store.get(db, it).added == people, transfer_store.get(db, it)
    with store.write(db):
        transfer_store.bring_in(db, it, NOW)
    written = work(db, box)
    assert transfer_store.get(db, it).state == "done"
    assert db.execute("SELECT count(*) FROM contact").fetchone()[0] == people
    waits, ours = calls.took_ms(), time.process_time() - ours
    calls = CallsBeside(box.store)
    with store.write(db):
        transfer_store.undo(db, it)
    undone = work(db, box)
    last = calls.took_ms()
    linking.stop.set()
    linking.join()
    assert db.execute("SELECT count(*) FROM contact").fetchone()[0] == 0 and changes.page(db)
    print(f"  looked at in {checked:.1f} s, written in {written:.1f} s, {ours:.1f} s of it on the processor; a load of "
          f"{os.getloadavg()[0]:.1f}; bare executemany and E.164 {(bare := bare_s(folder, people)):.1f} s: "
          f"{(checked + written) / bare:.1f} times that")
    return {f"{people:,} brought in, s": (checked + written, BROUGHT_IN_S * people / 100_000),
            "a call's commit meanwhile, p99 ms": (waits[len(waits) * 99 // 100], HELD_MS),
            "a call's commit meanwhile, longest ms": (waits[-1], KEPT_MS),
            f"{people:,} taken back, s": (undone, UNDONE_S * people / 100_000),
            "a call's commit beside that, p99 ms": (last[len(last) * 99 // 100], HELD_MS),
            "a call's commit beside that, longest ms": (last[-1], KEPT_MS)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=100_000)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), parser.parse_args().people)
    for name, (figure, aim) in figures.items():
        print(f"{name}: {figure:.1f} ({figure / aim:.2f} of the aim)")
    return int(any(figure > aim for figure, aim in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
