"""From the caller's INVITE to the pop at a desk, beside the moment Asterisk's own manager tells of the channel.

python3 tests/bench/bench_pop.py [--calls 40]      as root in the disposable root; about a minute
Prints one line for 1 desk and one for 50. A desk is a raw client of the stream, in a process of its own.
"""
from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from appliance.config import Box
from appliance.store import db as store
from tests.pbx import box as boxes
from tests.pbx.box import Daemon, wait
from tests.pbx.office import Office, running
from tests.sip import State
from web import auth

MANAGER = "\n[bench]\nsecret = bench\npermit = 127.0.0.1/255.255.255.255\nread = call\nwrite =\n"


def allow_manager(_box: Box) -> None:
    """A manager user that hears of channels; the shipping one does not."""
    with (boxes.ASTERISK_ETC / "manager.conf").open("a") as file:
        file.write(MANAGER)


def a_session(office: Office) -> str:
    now = datetime.now(UTC)
    with store.write(office.db):
        user = office.db.execute("INSERT INTO user (name, password_hash, created_at) VALUES ('bench', '-', ?)",
                                 (store.iso(now),)).lastrowid
    assert user is not None
    return auth.log_in(office.db, user, now)


def desks(count: int, port: int, cookie: str) -> None:
    """Listens with that many clients; one line a ringing event: number and monotonic seconds. Ends with stdin."""
    ready = selectors.DefaultSelector()
    rest: dict[socket.socket, bytes] = {}
    for _ in range(count):
        desk = socket.create_connection(("127.0.0.1", port))
        desk.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                     f"Cookie: {auth.COOKIE}={cookie}\r\n\r\n".encode())
        while b"\r\n\r\n" not in (head := rest.get(desk, b"")):
            rest[desk] = head + desk.recv(65536)
        assert b" 200 " in rest[desk].split(b"\r\n", 1)[0], rest[desk]
        ready.register(desk, selectors.EVENT_READ)
    ready.register(sys.stdin, selectors.EVENT_READ)
    print("listening", flush=True)
    heard: list[tuple[float, bytes]] = []
    while True:
        for key, _ in ready.select():
            if key.fileobj is sys.stdin:
                for at, line in heard:
                    told = json.loads(line[6:])
                    if told.get("kind") == "ringing":
                        print(told["number"], at)
                return
            assert isinstance(key.fileobj, socket.socket)
            data, at = key.fileobj.recv(65536), time.monotonic()
            *lines, rest[key.fileobj] = (rest[key.fileobj] + data).split(b"\n")
            heard += [(at, line) for line in lines if line.startswith(b"data: ")]


def hear_manager(channels: dict[str, float]) -> None:
    """Notes when the manager interface told of each caller's channel."""
    line = socket.create_connection(("127.0.0.1", 5038))
    line.sendall(b"Action: Login\r\nUsername: bench\r\nSecret: bench\r\nEvents: on\r\n\r\n")

    def read() -> None:
        rest = b""
        while data := line.recv(65536):
            at = time.monotonic()
            *messages, rest = (rest + data).split(b"\r\n\r\n")
            for message in messages:
                fields = dict(row.split(": ", 1) for row in message.decode().split("\r\n") if ": " in row)
                if fields.get("Event") == "Newchannel":
                    channels.setdefault(fields.get("CallerIDNum", ""), at)
    threading.Thread(target=read, daemon=True).start()


def measure(office: Office, count: int, calls: int, cookie: str) -> None:
    channels: dict[str, float] = {}
    hear_manager(channels)
    listener = subprocess.Popen([sys.executable, __file__, "--desks", str(count), str(office.box.web.port), cookie],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert listener.stdin and listener.stdout and listener.stdout.readline() == "listening\n"
    invited = {}
    for _ in range(calls):
        office.begin()
        number = office.mobile()
        caller = office.line.call(number).until(State.RINGING)
        invited[number] = caller.at[State.CALLING]
        caller.cancel()
        caller.until(State.ENDED)
        office.call_of(number)
    listener.stdin.close()
    rows = [row.split() for row in listener.stdout.read().splitlines()]
    pops = sorted((float(at) - invited[number]) * 1000 for number, at in rows if number in invited)
    own = sorted((at - invited[number]) * 1000 for number, at in channels.items() if number in invited)
    assert len(pops) == count * calls and len(own) == calls, f"{len(pops)} pops, {len(own)} channels, {calls} calls"
    print(f"pop at {count} desk{'s' * (count > 1)}: INVITE to event p50 {statistics.median(pops):.1f} ms, "
          f"p95 {at_share(pops, 0.95):.1f} ms; Asterisk's own manager event p50 {statistics.median(own):.1f} ms, "
          f"p95 {at_share(own, 0.95):.1f} ms; ratio of the medians "
          f"{statistics.median(pops) / statistics.median(own):.1f}", flush=True)


def at_share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--desks", nargs=3, metavar=("COUNT", "PORT", "COOKIE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.desks:
        desks(int(asked.desks[0]), int(asked.desks[1]), asked.desks[2])
        return
    if os.geteuid() != 0 or boxes.REPO != boxes.DISPOSABLE:
        sys.exit("This bench lays out a whole box, so it runs as root in the disposable root only.")
    with tempfile.TemporaryDirectory() as folder, running(allow_manager) as office:
        Path(folder).chmod(0o755)
        web = Daemon("web", "deskbell-web", Path(folder), boxes.ENVIRONMENT).start()
        try:
            cookie = a_session(office)
            wait(lambda: office.asterisk.is_running, what="Asterisk")
            for count in (1, 50):
                measure(office, count, asked.calls, cookie)
        finally:
            web.stop()


if __name__ == "__main__":
    main()
