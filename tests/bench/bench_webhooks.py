"""Calls while twenty webhook targets are down, against none; then how fast 10,000 letters catch up, in their order.

    python3 -m tests.bench.bench_webhooks
"""
from __future__ import annotations

import http.server
import json
import statistics
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.calls.events import announce
from appliance.config import Box
from appliance.doors import webhooks
from appliance.doors.postman import Postman
from appliance.store import db as store

HERE = "192.0.2.7"           # RFC 5737, on the loopback interface: no loopback address
CALLS, LETTERS, TARGETS = 400, 10_000, 20


class Taker:
    """A target that notes the ids it was told."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        taker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taker.ids.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass
        self.server = http.server.ThreadingHTTPServer((HERE, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.server.server_port}/"


def commits(box: Box, count: int) -> list[float]:
    """Milliseconds that each of so many calls took to be written and announced."""
    db, took = store.connect(box.store), []
    for n in range(count):
        at, began = datetime.now(UTC), time.perf_counter()
        with store.write(db):
            call_id = db.execute("""
                INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, started_at,
                  bell, is_clock_set)
                VALUES ('box1', 1, ?, 'line1', 'in', '', '+4915123456789', 'allowed', ?, 'rang', 1)""",
                (f"{n}.{time.time_ns()}", store.iso(at))).lastrowid
            announce(db, "ringing", int(call_id or 0), at)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.005)
    db.close()
    return took


def office(folder: Path) -> Box:
    box = Box(state=folder / "state", spool=folder / "spool", run=folder / "run")
    box.state.mkdir(parents=True)
    db = store.connect(box.store)
    store.migrate(db)
    db.close()
    return box


def told(name: str, took: list[float]) -> float:
    took = sorted(took)
    p50 = statistics.median(took)
    print(f"{name}: commit of a call p50 {p50:.2f} ms, p99 {took[int(len(took) * .99)]:.2f} ms, {len(took)} calls")
    return p50


def main() -> None:
    subprocess.run(["ip", "address", "replace", f"{HERE}/32", "dev", "lo"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        none = told("no webhooks", commits(office(Path(folder) / "none"), CALLS))
        box = office(Path(folder) / "down")
        db = store.connect(box.store)
        with store.write(db):
            for n in range(TARGETS):
                webhooks.add(db, f"down {n}", f"http://{HERE}:{9 + n}/", ["call.ringing"], datetime.now(UTC))
        postman = Postman(box)
        postman.start()
        down = told(f"{TARGETS} targets down", commits(box, CALLS))
        postman.stop()
        print(f"ratio of the p50: {down / none:.2f}")
        catch_up(Path(folder) / "back")


def catch_up(folder: Path) -> None:
    box, taker = office(folder), Taker()
    db = store.connect(box.store)
    with store.write(db):
        target, _ = webhooks.add(db, "back", taker.url, ["call.ringing"], datetime.now(UTC))
        db.executemany("INSERT INTO delivery (webhook_id, kind, at, state) VALUES (?, 'call.ringing', ?, 'waiting')",
                       [(target, store.iso(datetime.now(UTC)))] * LETTERS)
    postman, began = Postman(box), time.monotonic()
    postman.start()
    while len(taker.ids) < LETTERS and time.monotonic() - began < 600:
        time.sleep(0.1)
    took = time.monotonic() - began
    postman.stop()
    print(f"{len(taker.ids)} letters after a day down: {took:.1f} s, {len(taker.ids) / took:.0f} a second, "
          f"{'in order, each once' if taker.ids == sorted(set(taker.ids)) else 'OUT OF ORDER'}")


if __name__ == "__main__":
    main()
