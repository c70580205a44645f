"""Fifty desks of all three kinds at once, commit to event, CPU and memory; 10,000 events while ten come and go.

    python3 -m tests.bench.bench_desks [CALLS] [EVENTS]

The pages run in a process of their own, as they ship. 20 pages, 20 programs with a token, 10 NCID clients.
"""
from __future__ import annotations

import os
import random
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from appliance import settings
from appliance.people import desks, users
from appliance.store import db as store
from tests.bench.bench_sse import SERVER, ring, rss_mb
from tests.desk import PASSWORD, Stream, box_at, eventually
from web import auth

KINDS = ("page", "program", "NCID")
GUESTS = 10


class Ncid:
    """A client on the NCID port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.sendall(b"HELLO: IDENT: client bench 1.0\r\nHELLO: CMD: no_log\r\n")
        self._heard = b""
        self.next(b"300 ")

    def next(self, beginning: bytes = b"CID: ") -> None:
        while True:
            while b"\r\n" not in self._heard:
                self._heard += self.socket.recv(65536)
            line, _, self._heard = self._heard.partition(b"\r\n")
            if line.startswith(beginning):
                return


class Tokened(Stream):
    """The stream of a program."""

    def __init__(self, port: int, token: str, after: int | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        last = f"Last-Event-ID: {after}\r\n" if after is not None else ""
        self.socket.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                            f"Authorization: Bearer {token}\r\n{last}\r\n".encode())
        self._rest, self.last_id = b"", 0
        self.status = int(self._until(b"\r\n\r\n").decode().split()[1])


def main(calls: int = 200, events: int = 10_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = box_at(Path(folder))
        db = store.connect(box.store)
        store.migrate(db)
        now = datetime.now(UTC)
        users.add_first(db, "Amy", PASSWORD, now)
        with store.write(db):
            settings.put(db, "ncid_on", True)
            tokens = [desks.pair(db, desks.new_code(db, 1, now), f"Desk {n}", now) for n in range(20 + GUESTS)]
        cookie = "deskbell=" + auth.log_in(db, 1, now)
        pages = subprocess.Popen([sys.executable, "-c", SERVER, folder, str(box.web.port)], stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: can(lambda: Stream(box.web.port, cookie).close()))
            eventually(lambda: can(lambda: socket.create_connection(("127.0.0.1", 3333), 1).close()))
            fifty(db, pages.pid, box.web.port, cookie, [str(token) for token in tokens[:20]], calls)
            coming_and_going(db, box.web.port, [str(token) for token in tokens[20:]], events)
        finally:
            pages.terminate()
            pages.wait()
            db.close()


def fifty(db: object, pid: int, port: int, cookie: str, tokens: list[str], calls: int) -> None:
    clients = [("page", Stream(port, cookie)) for _ in range(20)] \
        + [("program", Tokened(port, token)) for token in tokens] + [("NCID", Ncid(3333)) for _ in range(10)]
    for _, client in clients[:40]:
        client.next("now")
    poll, by_descriptor = select.poll(), {client.socket.fileno(): (kind, client) for kind, client in clients}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    spent_s = 0.0
    for n in range(calls):
        before_s = used_s(pid)
        ring(db, n)
        began, waiting = time.perf_counter(), set(by_descriptor)
        while waiting:
            for descriptor, _ in poll.poll(5000):
                kind, client = by_descriptor[descriptor]
                client.next("ringing" if kind != "NCID" else b"CID: ")
                waiting.discard(descriptor)
                took[kind].append((time.perf_counter() - began) * 1000)
        spent_s += used_s(pid) - before_s
        time.sleep(0.01 + n % 7 / 1000)               # out of step with the hub's look
    whole = sorted(sum(took.values(), []))
    each = "; ".join(f"{kind} p50 {statistics.median(took[kind]):.2f}" for kind in KINDS)
    print(f"desks: 50 of three kinds, commit to event p50 {statistics.median(whole):.2f} ms, "
          f"p99 {whole[int(len(whole) * 0.99)]:.2f} ms ({each}); {spent_s / calls * 1000:.1f} ms CPU an event, "
          f"the pages' RSS {rss_mb(pid)} MB. Measured elsewhere, notes of the project: ncidd 1.6 with 50 clients "
          "p50 0.93 ms, 2.1 MB, without a store that is safe or a look at the card", flush=True)
    for _, client in clients:
        client.socket.close()


def coming_and_going(db: object, port: int, tokens: list[str], events: int) -> None:
    """Ten desks that break off at random and come back with their last id: each hears each event once."""
    first = db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0]      # type: ignore[attr-defined]
    last = first + events
    heard: list[Counter[int]] = [Counter() for _ in tokens]
    breaks = [0] * len(tokens)
    listening = [threading.Thread(target=_guest, args=(port, token, first, last, n, heard[n], breaks))
                 for n, token in enumerate(tokens)]
    for guest in listening:
        guest.start()
    began_s = time.monotonic()
    for n in range(first, last, 5):
        with store.write(db):                          # type: ignore[arg-type]
            db.executemany("INSERT INTO event (at, kind) VALUES (?, 'text')",      # type: ignore[attr-defined]
                           [(store.iso(datetime.now(UTC)),)] * min(5, last - n))
        time.sleep(0.002)
    for guest in listening:
        guest.join(120)
    wanted = set(range(first + 1, last + 1))
    lost = sum(len(wanted - set(one)) for one in heard)
    twice = sum(times - 1 for one in heard for times in one.values())
    print(f"desks: {events} events while {len(tokens)} desks came and went {sum(breaks)} times in "
          f"{time.monotonic() - began_s:.0f} s: {lost} lost, {twice} twice", flush=True)
    assert lost == 0 and twice == 0 and sum(breaks) > len(tokens)


def _guest(port: int, token: str, first: int, last: int, seed: int, heard: Counter[int], breaks: list[int]) -> None:
    rng, known = random.Random(seed), first
    while known < last:
        try:
            stream = Tokened(port, token, after=known)
            for _ in range(rng.randrange(20, 400)):
                told = stream.next()
                known = stream.last_id
                if told["kind"] != "now":
                    heard[known] += 1
                if known >= last:
                    return
        except (ConnectionError, TimeoutError):
            pass
        finally:
            stream.close()
            breaks[seed] += 1


def used_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def can(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
