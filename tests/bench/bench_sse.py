"""Commit -> event at raw clients, 1 and 50 of them: p50 and p95 in ms, memory of the pages' process.

    python3 -m tests.bench.bench_sse [CALLS]

The pages run in a process of their own, as they ship; the clients read from one thread that wakes per client.
"""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from appliance.people import users
from appliance.store import db as store
from tests.desk import PASSWORD, Stream, box_at, eventually
from web import auth

SERVER = """
import sys, threading, pathlib
from appliance.box.notify import Notify
from tests.desk import box_at
from dataclasses import replace
from web import server
box = box_at(pathlib.Path(sys.argv[1]))
server.run(replace(box, web=replace(box.web, port=int(sys.argv[2]))), threading.Event(), Notify(""))
"""


def main(calls: int = 200) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = box_at(Path(folder))
        db = store.connect(box.store)
        store.migrate(db)
        users.add_first(db, "Amy", PASSWORD, datetime.now(UTC))
        cookie = "deskbell=" + auth.log_in(db, 1, datetime.now(UTC))
        pages = subprocess.Popen([sys.executable, "-c", SERVER, folder, str(box.web.port)], stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: listens(box.web.port, cookie))
            one, fifty = (measure(db, box.web.port, cookie, desks, calls) for desks in (1, 50))
            print(f"stream: commit to event p50 {one['p50_ms']} ms, p95 {one['p95_ms']} ms at 1 desk; "
                  f"p50 {fifty['p50_ms']} ms, p95 {fifty['p95_ms']} ms, the last desk {fifty['last_desk_p50_ms']} ms "
                  f"at 50; ratio of the medians {fifty['p50_ms'] / one['p50_ms']:.1f}")
            idle = idle_cpu(pages.pid, box.web.port, cookie)
            print(f"stream: 50 desks that only listen take {idle} % of a processor; "
                  f"the pages' RSS is {rss_mb(pages.pid)} MB")
        finally:
            pages.terminate()
            pages.wait()
            db.close()


def measure(db: object, port: int, cookie: str, desks: int, calls: int) -> dict[str, float]:
    """Milliseconds from the return of the commit to the last byte at each client."""
    streams = [Stream(port, cookie) for _ in range(desks)]
    for stream in streams:
        stream.next("now")
    poll = select.poll()
    by_descriptor = {stream.socket.fileno(): stream for stream in streams}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    all_ms, last_ms = [], []
    for n in range(calls):
        ring(db, n + desks * 10_000)
        began = time.perf_counter()
        waiting = set(by_descriptor)
        while waiting:
            for descriptor, _ in poll.poll(5000):
                by_descriptor[descriptor].next("ringing")
                waiting.discard(descriptor)
                all_ms.append((time.perf_counter() - began) * 1000)
        last_ms.append(all_ms[-1])
        time.sleep(0.01 + n % 7 / 1000)  # out of step with the hub's look
    for stream in streams:
        stream.close()
    return {
        "p50_ms": round(statistics.median(all_ms), 2),
        "p95_ms": round(statistics.quantiles(all_ms, n=20)[-1], 2),
        "last_desk_p50_ms": round(statistics.median(last_ms), 2),
    }


def ring(db: object, n: int) -> None:
    now = store.iso(datetime.now(UTC))
    with store.write(db) as house:  # type: ignore[arg-type]
        call = house.execute(
            """
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation,
                              started_at, is_clock_set)
            VALUES ('box1', 1, ?, 'line1', 'in', '015123456789', '+4915123456789', 'allowed', ?, 1)""",
            (str(n), now),
        ).lastrowid
        house.execute("INSERT INTO event (at, kind, call_id) VALUES (?, 'ringing', ?)", (now, call))
        house.execute("UPDATE call SET ended_at = ?, outcome = 'missed', ring_ms = 1000 WHERE id = ?", (now, call))


def listens(port: int, cookie: str) -> bool:
    try:
        Stream(port, cookie).close()
    except OSError:
        return False
    return True


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def idle_cpu(pid: int, port: int, cookie: str, seconds: float = 5.0) -> float:
    """Per cent of one core while 50 desks listen and nobody calls."""
    streams = [Stream(port, cookie) for _ in range(50)]
    for stream in streams:
        stream.next("now")

    def used_s() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used_s()
    time.sleep(seconds)
    share = (used_s() - before) / seconds * 100
    for stream in streams:
        stream.close()
    return round(share, 1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
