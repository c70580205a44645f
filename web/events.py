"""The stream of a desk: server-sent events (WHATWG HTML, 9.2) from one epoll thread to every open page.

A worker of the pages lets the browser in, writes the head and hands the socket over. From then on the
hub owns it: it never blocks on a desk nor on the store (it only reads), drops a desk that does not read,
and looks for new events itself.
"""
from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from appliance.calls import history
from appliance.config import Box
from appliance.people.seats import Seat
from appliance.store import db as store
from web import auth
from web.pop import Teller

log = logging.getLogger("web.events")

POLL_S = 0.004              # a desk hears of a commit this much later at most
IDLE_POLL_S = 0.25          # with no desk there is nobody to hurry for
HEARTBEAT_S = 15.0
MOST_PENDING_BYTES = 256 * 1024
SEND_BUFFER_BYTES = 64 * 1024
SILENCE_MS = 30_000         # a desk whose cable was pulled is given up after this
MOST_DESKS = 250
REPLAY_LIMIT = 500
AT_ONCE = 500               # events of one look at the store
RETRY_MS = 500
GONE = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP
HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
        b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n" + f"retry: {RETRY_MS}\n\n".encode())


@dataclass
class Desk:
    """One open stream; `connection` only keeps the server's objects from closing the socket."""
    socket: socket.socket
    connection: object
    session: str
    after: int | None                                # Last-Event-ID, None when the page is new
    pending: bytearray = field(default_factory=bytearray)
    seat: Seat = Seat()                              # which lines are seen there

    def wants(self) -> int:
        return select.EPOLLIN | select.EPOLLRDHUP | (select.EPOLLOUT if self.pending else 0)


class Hub:
    """Owns every stream. `adopt` may be called from any thread; all else happens in its own."""

    def __init__(self, box: Box, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.box = box
        self.beat_s = time.monotonic()               # when the loop last came round
        self.desks = 0
        self.sessions: frozenset[str] = frozenset()  # those that listen: a page that is open is not idle
        self._clock = clock
        self._inbox: queue.SimpleQueue[Desk] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        os.eventfd_write(self._wake, 1)
        if self._thread.ident:
            self._thread.join(5)

    def is_alive(self) -> bool:
        return self._thread.is_alive() and time.monotonic() - self.beat_s < 5

    def adopt(self, desk: Desk) -> None:
        """Takes over a socket whose head has been written."""
        self._inbox.put(desk)
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        db = store.connect(self.box.store)
        try:
            _Loop(self, db, self._inbox, self._wake, self._clock).run(self._stop)
        finally:
            db.close()


class _Loop:
    """What the hub's thread does; nothing here is touched by another."""

    def __init__(self, hub: Hub, db: Any, inbox: queue.SimpleQueue[Desk], wake: int,
                 clock: Callable[[], datetime]) -> None:
        self.hub, self.db, self.inbox, self.wake, self.clock = hub, db, inbox, wake, clock
        self.teller = Teller(hub.box, db)
        self.epoll = select.epoll()
        self.epoll.register(wake, select.EPOLLIN)
        self.desks: dict[int, Desk] = {}
        self.seen = store.data_version(db)
        self.last = history.last_event_id(db)
        self.next_beat_s = time.monotonic() + HEARTBEAT_S

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            for descriptor, what in self.epoll.poll(POLL_S if self.desks else IDLE_POLL_S):
                if descriptor == self.wake:
                    self._take_in()
                elif descriptor in self.desks:
                    self._serve(self.desks[descriptor], what)
            self._tell_news()
            now_s = time.monotonic()
            if now_s >= self.next_beat_s:
                self.next_beat_s = now_s + HEARTBEAT_S
                self._heartbeat()
            self.hub.beat_s = now_s
            if self.hub.desks != len(self.desks):
                self.hub.desks = len(self.desks)
                self.hub.sessions = frozenset(desk.session for desk in self.desks.values())
        for desk in list(self.desks.values()):
            self._drop(desk)
        self.epoll.close()

    def _take_in(self) -> None:
        os.eventfd_read(self.wake)
        while not self.inbox.empty():
            self._welcome(self.inbox.get())

    def _welcome(self, desk: Desk) -> None:
        """What the desk missed while it was away, then what rings and talks now."""
        if len(self.desks) >= MOST_DESKS:
            log.warning("%d desks listen already; one more was turned away", len(self.desks))
            desk.socket.close()
            return
        desk.seat = auth.living(self.db, {desk.session}, self.clock()).get(desk.session, desk.seat)
        self._tell_news()                            # the others first; then `last` is where this one joins
        now = self.clock()
        missed = history.events_after(self.db, desk.after, REPLAY_LIMIT + 1) if desk.after is not None else []
        if len(missed) > REPLAY_LIMIT:
            missed = []                              # away for too long: what rings now is all it needs
        told = (_Told(event.id, self.teller.event(event, now)) for event in missed if event.id <= self.last)
        out = b"".join(one.to(desk.seat) for one in told) + self._now(desk.seat, now)
        _tune(desk.socket)
        self.desks[desk.socket.fileno()] = desk
        self.epoll.register(desk.socket.fileno(), desk.wants())
        self._send(desk, out)

    def _tell_news(self) -> None:
        version = store.data_version(self.db)
        if version == self.seen:
            return
        self.seen = version
        if self.teller.box is not self.hub.box:      # the office chose another country, time zone or name
            self.teller = Teller(self.hub.box, self.db)
        while True:
            with self._one_moment():                 # who was shut out by a commit hears nothing of that commit
                living, news = self._living(), history.events_after(self.db, self.last, AT_ONCE)
            self._keep_to(living)
            for event in news:
                self.last = event.id
                if self.desks:
                    told = _Told(event.id, self.teller.event(event, self.clock()))
                    for desk in list(self.desks.values()):
                        if message := told.to(desk.seat):
                            self._send(desk, message)
            if len(news) < AT_ONCE:
                return

    @contextlib.contextmanager
    def _one_moment(self) -> Iterator[None]:
        """What is read inside is of one moment of the store."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.execute("ROLLBACK")

    def _living(self) -> dict[str, Seat]:
        return auth.living(self.db, {desk.session for desk in self.desks.values()}, self.clock())

    def _now(self, seat: Seat, now: datetime) -> bytes:
        """What rings and talks at a seat, and how it stands: what a desk needs that has just come."""
        living = self.teller.now(now)
        living["calls"] = [call for call in living["calls"] if seat.sees(call["trunk_key"])]
        return _frame(self.last, living | {"is_muted": seat.is_muted})

    def _heartbeat(self) -> None:
        self._keep_to(self._living())
        for desk in list(self.desks.values()):
            self._send(desk, b":\n\n")
        self.hub.sessions = frozenset(desk.session for desk in self.desks.values())

    def _keep_to(self, living: dict[str, Seat]) -> None:
        """Ends streams that may hear no more, and tells those whose lines or mute are others now.

        Whoever logged one out, revoked a token or changed a seat has committed, and that brought us here.
        """
        for desk in list(self.desks.values()):
            seat = living.get(desk.session)
            if seat is None:
                self._drop(desk)
            elif seat != desk.seat:
                desk.seat = seat
                self._send(desk, self._now(seat, self.clock()))

    def _serve(self, desk: Desk, what: int) -> None:
        if what & GONE:
            self._drop(desk)
            return
        if what & select.EPOLLIN and not self._is_there(desk):
            return
        if what & select.EPOLLOUT:
            self._flush(desk)

    def _is_there(self, desk: Desk) -> bool:
        try:
            said = desk.socket.recv(4096)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            said = b""
        if not said:
            self._drop(desk)
        return bool(said)

    def _send(self, desk: Desk, message: bytes) -> None:
        if len(desk.pending) + len(message) > MOST_PENDING_BYTES:
            log.warning("a desk did not read for long; its stream was ended, the page asks again by itself")
            self._drop(desk)
            return
        waits = bool(desk.pending)
        desk.pending += message
        if not waits:
            self._flush(desk)

    def _flush(self, desk: Desk) -> None:
        try:
            while desk.pending:
                sent = desk.socket.send(desk.pending)
                del desk.pending[:sent]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._drop(desk)
            return
        self.epoll.modify(desk.socket.fileno(), desk.wants())

    def _drop(self, desk: Desk) -> None:
        descriptor = desk.socket.fileno()
        if self.desks.pop(descriptor, None) is None:
            return
        self.epoll.unregister(descriptor)
        with contextlib.suppress(OSError):           # it was gone already
            desk.socket.shutdown(socket.SHUT_RDWR)
        desk.socket.close()


class _Told:
    """One event as the desks hear it: made once for all, and once more for the muted."""

    def __init__(self, event_id: int, body: dict[str, Any]) -> None:
        self._id, self._body = event_id, body
        self._made: dict[bool, bytes] = {}

    def to(self, seat: Seat) -> bytes:
        """What this seat hears of it: b"" when it is of a line that is not seen there."""
        if not seat.sees(self._body.get("trunk_key")):
            return b""
        if seat.is_muted not in self._made:
            body = self._body | {"is_muted": True} if seat.is_muted else self._body
            self._made[seat.is_muted] = _frame(self._id, body)
        return self._made[seat.is_muted]


def _frame(event_id: int, body: dict[str, Any]) -> bytes:
    return f"id: {event_id}\ndata: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _tune(stream: socket.socket) -> None:
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
