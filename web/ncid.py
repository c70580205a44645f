"""NCID on TCP 3333: native clients of many systems show who rings (NCID API 1.5). Off until the owner switches it on.

One thread of its own: a client that sends rubbish, never reads or comes a hundred times costs nobody else anything.
There are no passwords in NCID, so only addresses of this local network are let in, or those the owner names.
"""
from __future__ import annotations

import contextlib
import logging
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from appliance import chosen, settings
from appliance.calls import history
from appliance.config import Box
from appliance.networks import is_allowed, networks
from appliance.settings import Settings
from appliance.store import db as store
from web import ncid_lines as lines
from web.pop import Teller

log = logging.getLogger("web.ncid")

PORT = 3333
POLL_S = 0.004
IDLE_S = 0.25
LOOK_S = 1.0                     # how soon a change of the settings is obeyed
HELLO_S = 1.0                    # the stock client says HELLO: within half a second, others have nothing to say
MOST_CLIENTS = 100
MOST_PENDING_BYTES = 16 * 1024     # over a hundred calls
SEND_BUFFER_BYTES = 16 * 1024
MOST_SAID_BYTES = 4096           # of a line that does not end
LOG_CALLS = 50
GONE = select.EPOLLHUP | select.EPOLLERR


@dataclass
class Client:
    """One connection. hello_s: until when its HELLO: lines are awaited, None once it was started."""
    socket: socket.socket
    hello_s: float | None
    wants_log: bool = True
    said: bytearray = field(default_factory=bytearray)
    pending: bytearray = field(default_factory=bytearray)


class Ncid:
    """The port and its clients. start() returns at once; whether it listens follows the setting ncid_on."""

    def __init__(self, box: Box, port: int = PORT, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._box, self.port, self._clock = box, port, clock
        self.clients = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ncid", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident:
            self._thread.join(5)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        db = store.connect(self._box.store)
        while not self._stop.is_set():
            try:
                wanted = settings.read(db)
                if not wanted.ncid_on:
                    self._stop.wait(LOOK_S)
                    continue
                with socket.create_server((self._box.web.listen, self.port), backlog=64) as door:
                    self.port = door.getsockname()[1]
                    self._listen(db, door, wanted)
            except (sqlite3.Error, OSError) as broken:
                log.error("NCID clients are not served (%s). The pages and calls go on.", broken)
                self._stop.wait(LOOK_S)
        db.close()

    def _listen(self, db: sqlite3.Connection, door: socket.socket, wanted: Settings) -> None:
        loop = _Loop(chosen.over(self._box, chosen.read(db)), db, door, wanted, self._clock)
        looked_s = time.monotonic()
        try:
            while not self._stop.is_set():
                loop.turn()
                self.clients = len(loop.clients)
                if time.monotonic() - looked_s >= LOOK_S:
                    looked_s = time.monotonic()
                    if settings.read(db) != wanted:
                        return
        finally:
            loop.close()


class _Loop:
    """What the thread does while the port is open."""

    def __init__(self, box: Box, db: sqlite3.Connection, door: socket.socket, wanted: Settings,
                 clock: Callable[[], datetime]) -> None:
        self.box, self.db, self.door, self.clock = box, db, door, clock
        self.teller = Teller(box, db)
        self.allowed = networks(wanted.ncid_allow)
        self.clients: dict[int, Client] = {}
        self.seen = store.data_version(db)
        self.last = history.last_event_id(db)
        self.epoll = select.epoll()
        door.setblocking(False)
        self.epoll.register(door, select.EPOLLIN)

    def close(self) -> None:
        for descriptor in list(self.clients):
            self._drop(descriptor)
        self.epoll.close()

    def turn(self) -> None:
        for descriptor, what in self.epoll.poll(POLL_S if self.clients else IDLE_S):
            if descriptor == self.door.fileno():
                self._let_in()
            elif descriptor in self.clients:
                self._serve(descriptor, what)
        self._tell_news()
        for descriptor, client in list(self.clients.items()):
            if client.hello_s is not None and time.monotonic() >= client.hello_s:
                self._begin(descriptor, client)

    def _let_in(self) -> None:
        try:
            line, address = self.door.accept()
        except OSError:
            return                              # gone again, or no descriptor is left: the next turn asks again
        if len(self.clients) >= MOST_CLIENTS or not is_allowed(address[0], self.allowed):
            log.info("an NCID client was turned away")
            line.close()
            return
        self._tell_news()                       # the others first: what was before is in the log
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.clients[line.fileno()] = Client(line, time.monotonic() + HELLO_S)
        self.epoll.register(line, select.EPOLLIN)
        self._send(line.fileno(), lines.GREETING)

    def _begin(self, descriptor: int, client: Client) -> None:
        """The log, unless it was declined, and that the start is over."""
        client.hello_s = None
        out = lines.NO_LOG
        if client.wants_log:
            past = self._past()
            out = b"".join(past) + (lines.LOG_END if past else lines.LOG_EMPTY)
        self._send(descriptor, out + lines.STARTED)

    def _past(self) -> list[bytes]:
        """The latest calls, oldest first."""
        rows = self.db.execute("""
            SELECT id FROM call WHERE direction <> 'internal' ORDER BY started_at DESC, id DESC LIMIT ?""",
            (LOG_CALLS,)).fetchall()
        calls = [call for row in reversed(rows) if (call := history.one(self.db, row["id"]))]
        return [lines.call(self.teller.call(call, self.clock()), call.started_at, self.box.zone,
                           "OUTLOG" if call.direction == "out" else "CIDLOG") for call in calls]

    def _tell_news(self) -> None:
        version = store.data_version(self.db)
        if version == self.seen:
            return
        self.seen = version
        while news := history.events_after(self.db, self.last):
            for event in news:
                self.last = event.id
                if self.clients and event.call_id is not None and (out := self._lines(event)):
                    for descriptor, client in list(self.clients.items()):
                        if client.hello_s is not None:
                            self._begin(descriptor, client)
                        self._send(descriptor, out)

    def _lines(self, event: history.Event) -> bytes:
        """What an event says to NCID; b"" for one it has no word for."""
        call = history.one(self.db, event.call_id or 0)
        if call is None or call.direction == "internal":
            return b""
        now, zone = self.clock(), self.box.zone
        told = self.teller.call(call, now)
        if event.kind == "ringing":
            return lines.call(told, call.started_at, zone)
        if event.kind == "answered":
            return lines.info(told, lines.ANSWERED, now, zone)
        if event.kind == "ended":
            if call.outcome == "blocked":
                return lines.call(told, call.started_at, zone)
            return lines.info(told, lines.HUNG_UP if call.answered_at else lines.UNANSWERED, now, zone)
        return b""

    def _serve(self, descriptor: int, what: int) -> None:
        if what & GONE:
            self._drop(descriptor)
            return
        if what & select.EPOLLIN:
            self._read(descriptor)
        if what & select.EPOLLOUT and descriptor in self.clients:
            self._flush(descriptor)

    def _read(self, descriptor: int) -> None:
        client = self.clients[descriptor]
        try:
            said = client.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._drop(descriptor)
            return
        client.said += said
        while b"\n" in client.said:
            line, _, rest = bytes(client.said).partition(b"\n")
            client.said[:] = rest
            self._heard(descriptor, client, line.strip())
            if descriptor not in self.clients:
                return
        if len(client.said) > MOST_SAID_BYTES:
            self._drop(descriptor)                       # no line of any client is so long

    def _heard(self, descriptor: int, client: Client, line: bytes) -> None:
        """HELLO: and REQ: YO are understood; all else is passed over, as the API bids."""
        if line == b"HELLO: CMD: no_log":
            client.wants_log = False
        elif line == b"HELLO: CMD: send_log":
            client.wants_log = True
        elif line == b"REQ: YO":
            self._send(descriptor, b"ACK: REQ YO\r\n")

    def _send(self, descriptor: int, out: bytes) -> None:
        client = self.clients.get(descriptor)
        if client is None:
            return
        if len(client.pending) + len(out) > MOST_PENDING_BYTES:
            log.info("an NCID client did not read for long; it was let go")
            self._drop(descriptor)
            return
        waits = bool(client.pending)
        client.pending += out
        if not waits:
            self._flush(descriptor)

    def _flush(self, descriptor: int) -> None:
        client = self.clients[descriptor]
        try:
            while client.pending:
                sent = client.socket.send(client.pending)
                del client.pending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(descriptor)
            return
        self.epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if client.pending else 0))

    def _drop(self, descriptor: int) -> None:
        if client := self.clients.pop(descriptor, None):
            self.epoll.unregister(descriptor)
            with contextlib.suppress(OSError):
                client.socket.close()
