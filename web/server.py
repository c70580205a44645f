"""The daemon of the pages: cheroot's threads, the hub of the streams, and the word to systemd that both live."""
from __future__ import annotations

import contextlib
import http.client
import ipaddress
import logging
import socket
import ssl
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

from cheroot import wsgi
from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter

from appliance.box.notify import Notify
from appliance.config import Box, ConfigError
from appliance.doors.mqtt import Mqtt
from appliance.doors.postman import Postman
from appliance.doors.slips import Slips
from appliance.people import desks, users
from appliance.store import db as store
from web import api, app, auth, certificate, firstwords
from web.events import Hub
from web.ncid import Ncid
from web.office import Office
from web.redirect import Redirect

log = logging.getLogger("web")

THREADS, MOST_THREADS = 6, 20      # a player that pauses and a client that stops in mid-sentence hold one for 20 s
CHECK_EVERY_S = 3.0
PING_TIMEOUT_S = 5.0
RENEW_EVERY_S = 600.0   # how often it looks whether the certificate still fits
IDLE_CONNECTION_S = 20
HANDSHAKE_S = 5
HEAD_S = 5.0            # for a whole request head: who writes a header a second may not keep a worker for ever
MOST_BODY_BYTES = 1024 * 1024      # a list of some 30,000 people to text
MOST_HEADER_BYTES = 32 * 1024
ROOM = 4                           # a file so many times too big is still read to its end, and refused in a sentence
MOST_IDLE_CONNECTIONS = 300


class _Gateway(wsgi.Gateway_10):
    """Lets a page reach its connection, so that a stream can be handed over."""

    def get_environ(self) -> dict[str, Any]:      # type: ignore[override]
        self.req.conn.reads_since = None
        return {**super().get_environ(), "deskbell.request": self.req}      # type: ignore[no-untyped-call]


class _Tls(BuiltinSSLAdapter):
    """Leaves the handshake to a worker: here it would hold up everyone who connects after a silent client."""

    def wrap(self, sock: Any) -> tuple[ssl.SSLSocket, dict[str, str]]:
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), {
            "wsgi.url_scheme": "https", "HTTPS": "on"}


class _Roomier:
    """The server as a request sees it whose route takes a file: only the most that may come is another."""

    def __init__(self, server: Any, most: int) -> None:
        self._server, self.max_request_body_size = server, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


class _Request(HTTPRequest):
    """Lets a route that takes a file have more than a form, so that it can say in words what is too much."""

    def read_request_headers(self) -> bool:
        most = self.server.uploads.get((self.path or b"").decode("latin-1"), 0)
        if most and self.method == b"POST":
            self.server = _Roomier(self.server, most * ROOM)
        return bool(super().read_request_headers())      # type: ignore[no-untyped-call]

    def simple_response(self, status: str, msg: str = "") -> None:
        """What is refused before any page sees it: a program is told so in its own way."""
        if not (getattr(self, "path", b"") or b"").startswith(api.START.encode()):
            super().simple_response(status, msg)      # type: ignore[no-untyped-call]
            return
        body = api.refused(int(status[:3])).encode()
        self.close_connection = self.sent_headers = True
        self.conn.wfile.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
            "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + body)


class _Connection(HTTPConnection):
    """Shakes hands first and goes back to wait: a browser opens connections ahead and none may hold a worker."""

    RequestHandlerClass = _Request
    is_ready = False
    reads_since: float | None = None       # monotonic seconds, while a head is being read

    def communicate(self) -> bool:
        self.reads_since = time.monotonic()
        self.server.reading.add(self)
        try:
            return self._communicate()
        finally:
            self.reads_since = None
            self.server.reading.discard(self)

    def _communicate(self) -> bool:
        if self.is_ready or not isinstance(self.socket, ssl.SSLSocket):
            return bool(super().communicate())      # type: ignore[no-untyped-call]
        try:
            self.socket.settimeout(HANDSHAKE_S)
            self.socket.do_handshake()
            self.socket.settimeout(self.server.timeout)
        except OSError as failed:                  # plain words, an old browser, a client that went away
            log.info("a client did not come through TLS: %s", failed)
            return False
        self.is_ready = True
        return True


class _Server(wsgi.Server):
    """Cheroot, but a connection costs no thread until it says something."""

    ConnectionClass = _Connection
    expiration_interval = 0.1       # how often it looks whether to stop
    keep_alive_conn_limit = MOST_IDLE_CONNECTIONS
    max_request_body_size = MOST_BODY_BYTES
    max_request_header_size = MOST_HEADER_BYTES

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)      # type: ignore[no-untyped-call]
        self.reading: set[_Connection] = set()
        self.uploads: dict[str, int] = {}

    def cut_the_slow(self) -> None:
        """Ends the connections that have been at one head for longer than HEAD_S."""
        for conn in list(self.reading):
            since = conn.reads_since
            if since is not None and time.monotonic() - since > HEAD_S:
                with contextlib.suppress(OSError):
                    conn.socket.shutdown(socket.SHUT_RDWR)

    def process_conn(self, conn: HTTPConnection) -> None:
        if conn.last_used is None and self.can_add_keepalive_connection:
            self.put_conn(conn)
        elif conn.last_used is None:      # before we run out of descriptors: cheroot would then spin for ever
            log.info("%d connections wait already; one more was turned away", MOST_IDLE_CONNECTIONS)
            conn.close()
        else:
            if self.requests.idle <= self.requests.qsize:
                self.requests.grow(1)
            super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(min(level, logging.WARNING), "%s", msg, exc_info=traceback and level >= logging.ERROR)


class Server:
    """The pages of one box, serving between start() and stop()."""

    def __init__(self, box: Box) -> None:
        check(box)
        self.box = box
        self.hub = Hub(box)
        self._doors = (Postman(box), Ncid(box), Mqtt(box), Slips(box), *([Redirect(box)] if box.web.tls else []))
        office = Office(box, self.hub)
        self._server = _Server((box.web.listen, box.web.port), app.create(office),
                               numthreads=THREADS, max=MOST_THREADS, server_name="Deskbell",
                               request_queue_size=128, timeout=IDLE_CONNECTION_S)
        self._server.gateway = _Gateway
        self._server.uploads = office.uploads
        self._stopped = threading.Event()
        self._own = certificate.own(box) if box.web.tls else None
        if self._own:
            self._server.ssl_adapter = _Tls(str(self._own), str(self._own))
            self._server.ssl_adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._thread = threading.Thread(target=self._serve, name="pages", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.bind_addr[1])

    @property
    def address(self) -> str:
        host = self.box.web.listen
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.box.web.tls else 'http'}://{host}:{self.port}/"

    def start(self) -> None:
        """Listens and serves. Raises ConfigError when the port is taken."""
        try:
            self._server.prepare()
        except OSError as taken:
            raise ConfigError(f"The pages cannot listen on {self.box.web.listen}:{self.box.web.port} ({taken}). "
                              "Calls still ring. Stop what uses that port, or set another under [web] in box.toml."
                              ) from taken
        self.hub.start()
        for door in self._doors:
            door.start()
        self._thread.start()

    def renew(self) -> None:
        """Shows a new certificate from now on when the one of before ends soon or the box has another address."""
        if self._own is None:
            return
        before = self._own.read_bytes()
        if certificate.own(self.box).read_bytes() != before:
            self._server.ssl_adapter.context.load_cert_chain(self._own)
            log.info("the certificate was renewed")

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop()
        self.hub.stop()
        for door in self._doors:
            door.stop()

    def can_work(self) -> bool:
        """Whether a page was just served and the streams' thread comes round."""
        return self._thread.is_alive() and self.hub.is_alive() and all(door.is_alive() for door in self._doors) \
            and self._ping()

    def _serve(self) -> None:
        threading.Thread(target=self._sweep, name="sweep", daemon=True).start()
        self._server.serve()

    def _sweep(self) -> None:
        while not self._stopped.wait(1):
            self._server.cut_the_slow()

    def _ping(self) -> bool:
        host = "127.0.0.1" if self.box.web.listen == "0.0.0.0" else "::1" if self.box.web.listen == "::" \
            else self.box.web.listen
        if self._own:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE   # to ourselves; the clock may be wrong
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, self.port, timeout=PING_TIMEOUT_S, context=context)
        else:
            connection = http.client.HTTPConnection(host, self.port, timeout=PING_TIMEOUT_S)
        try:
            connection.request("GET", "/ping", headers={"Host": "localhost", "Connection": "close"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException) as failed:
            log.warning("the pages did not answer themselves: %s", failed)
            return False
        finally:
            connection.close()


def check(box: Box) -> None:
    """Raises ConfigError for a place where the pages must not be served."""
    listen = box.web.listen
    try:
        is_loopback = ipaddress.ip_address(listen).is_loopback
    except ValueError:
        is_loopback = listen == "localhost"
    if not is_loopback and not box.web.tls:
        raise ConfigError(f"The pages may leave this box only encrypted, and listen = \"{listen}\" under [web] in "
                          "box.toml is not loopback. Add tls = true there, or listen on \"127.0.0.1\". "
                          "Calls still ring.")


def run(box: Box, stop: threading.Event, notify: Notify) -> None:
    """Serves the pages until `stop`; on a first run the code is printed and put on the sticker."""
    db = store.connect(box.store)
    store.migrate(db)
    firstwords.at_start(db, box, datetime.now(UTC))
    if users.is_first_run(db):
        print(f"First-run code of this box: {users.first_run_code(box)}", file=sys.stderr, flush=True)
    renewed_s, named = time.monotonic(), certificate.names(box)
    server = Server(box)
    server.start()
    log.info("the pages are at %s", server.address)
    notify.ready()
    try:
        while not stop.wait(CHECK_EVERY_S):
            if time.monotonic() - renewed_s > RENEW_EVERY_S or named != certificate.names(box):
                renewed_s, named = time.monotonic(), certificate.names(box)
                server.renew()              # the address may come after the pages do
            if server.can_work():
                notify.alive()
                notify.status(f"{server.hub.desks} desks listen at {server.address}")
            auth.mark_seen(db, server.hub.sessions, datetime.now(UTC))
            desks.mark_seen(db, server.hub.sessions, datetime.now(UTC))
    finally:
        server.stop()
        db.close()
