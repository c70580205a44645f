"""The daemon of the pages: TLS, the watchdog, hostile connections."""

from __future__ import annotations

import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import config
from appliance.box.notify import Notify
from appliance.people import users
from tests.desk import PASSWORD, Browser, Office, box_at, eventually
from web import auth, certificate, server


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Office]:
    box = box_at(tmp_path)
    office = Office(replace(box, web=replace(box.web, tls=True)))
    yield office
    office.close()


def encrypted(office: Office) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(certificate.own(office.box)))
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", office.server.port), timeout=10), server_hostname="localhost"
    )


def test_the_box_makes_its_own_certificate_and_keeps_it(tls: Office) -> None:
    pem = certificate.own(tls.box)
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600 and stat.S_IMODE(pem.parent.stat().st_mode) == 0o700
    assert certificate.own(tls.box).stat().st_mtime_ns == pem.stat().st_mtime_ns
    names = dict(encrypted(tls).getpeercert())["subjectAltName"]  # type: ignore[arg-type]
    assert ("DNS", "deskbell.local") in names and ("IP Address", "127.0.0.1") in names


def test_fifty_desks_listen_over_tls_and_pages_go_on(tls: Office) -> None:
    users.add_first(tls.db, "Amy", PASSWORD, datetime.now(UTC))
    cookie = auth.log_in(tls.db, 1, datetime.now(UTC))
    desks = [encrypted(tls) for _ in range(50)]
    for desk in desks:
        desk.sendall(f"GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: deskbell={cookie}\r\n\r\n".encode())
    eventually(lambda: tls.server.hub.desks == 50)
    call_id = tls.call(name="Margaret Osei")
    for desk in desks:
        told = b""
        while b"ringing" not in told:
            told += desk.recv(65536)
        assert f'"call_id":{call_id}'.encode() in told
    page = encrypted(tls)
    page.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: deskbell={cookie}\r\n\r\n".encode())
    assert page.recv(4096).startswith(b"HTTP/1.1 200")


def test_cookies_are_for_tls_only_when_there_is_tls(tls: Office) -> None:
    line = encrypted(tls)
    line.sendall(b"GET /setup HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n")
    head = line.recv(65536).decode().lower()
    assert "set-cookie: deskbell_form" in head and "secure" in head


def test_a_client_that_never_shakes_hands_holds_up_nobody(tls: Office) -> None:
    silent = [socket.create_connection(("127.0.0.1", tls.server.port)) for _ in range(20)]
    started = time.monotonic()
    assert encrypted(tls).version() in ("TLSv1.2", "TLSv1.3") and time.monotonic() - started < 5
    for connection in silent:
        connection.close()


def test_plain_words_to_the_tls_port_do_no_harm(tls: Office) -> None:
    with socket.create_connection(("127.0.0.1", tls.server.port), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain.recv(100)
    assert tls.server.can_work()


def test_old_tls_is_refused(tls: Office) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(socket.create_connection(("127.0.0.1", tls.server.port), timeout=10))


def test_the_watchdog_is_fed_while_pages_are_served_over_tls_too(office: Office, tls: Office) -> None:
    assert office.server.can_work() and tls.server.can_work()


def test_the_watchdog_is_not_fed_once_the_streams_have_stopped(office: Office) -> None:
    office.server.hub.stop()
    assert not office.server.can_work()


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nx",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: deskbell=\xff\xfe\r\nAccept-Language: \xff\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n",
    ],
)
def test_garbage_on_the_line_gets_a_4xx_or_silence(office: Office, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", office.server.port), timeout=10) as line:
        try:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(4096)
        except ConnectionError:
            answer = b""
    assert answer == b"" or answer.split()[1][:1] in (b"4", b"3") or answer.split()[1] == b"505"
    assert office.server.can_work()


def asks(office: Office, said: str, timeout_s: float = 10) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", office.server.port), timeout=timeout_s)
    line.sendall(said.encode())
    return line


def test_players_that_pause_and_clients_that_stop_in_mid_sentence_hold_up_nobody(
        office: Office, amy: Browser) -> None:
    call_id = office.call()
    office.ended(call_id, "answered", talk_ms=1000)
    with office.recorded(call_id).open("ab") as sound:
        sound.truncate(32_000_000)               # a quarter of an hour
    slow = [asks(office, f"GET /recording/{call_id} HTTP/1.1\r\nHost: localhost\r\nCookie: {amy.cookie()}\r\n\r\n")
            for _ in range(6)]
    assert all(player.recv(100).startswith(b"HTTP/1.1 200") for player in slow)
    slow += [asks(office, "GET / HTTP/1.1\r\nHost: localh") for _ in range(6)]
    assert asks(office, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n", 5).recv(99).startswith(b"HTTP/1.1 200")
    for line in slow:
        line.close()


def test_a_crowd_of_silent_connections_is_turned_away_and_the_pages_go_on(office: Office) -> None:
    crowd = [socket.create_connection(("127.0.0.1", office.server.port), timeout=10)
             for _ in range(server.MOST_IDLE_CONNECTIONS + 5)]
    assert crowd[-1].recv(1) == b""
    for line in crowd:
        line.close()
    eventually(office.server.can_work)


def test_a_port_that_is_taken_is_said_in_a_sentence(office: Office) -> None:
    taken = replace(office.box, web=replace(office.box.web, port=office.server.port))
    with pytest.raises(config.ConfigError, match="Calls still ring"):
        server.Server(taken).start()


def test_run_prints_the_code_serves_and_stops(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    box, stop = box_at(tmp_path), threading.Event()
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(10)
    daemon = threading.Thread(target=server.run, args=(box, stop, Notify(str(tmp_path / "notify"))))
    daemon.start()
    assert told.recv(100) == b"READY=1" and told.recv(100) == b"WATCHDOG=1"
    stop.set()
    daemon.join(10)
    assert not daemon.is_alive()
    assert users.first_run_code(box) in capfd.readouterr().err


def test_pages_import_nothing_that_a_box_without_them_needs() -> None:
    """appliance may not know of web: the command line calls it by name."""
    done = subprocess.run(
        [sys.executable, "-c", "import appliance.cli, sys; sys.exit('web' in sys.modules)"], check=False
    )
    assert done.returncode == 0


def test_clients_that_write_a_letter_a_second_are_cut_off_and_the_watchdog_is_fed(office: Office) -> None:
    def drip(line: socket.socket, stop: threading.Event) -> None:
        with line:
            line.sendall(b"GET / HTTP/1.1\r\n")
            while not stop.wait(0.5):
                try:
                    line.sendall(b"X")
                except OSError:
                    return

    stop = threading.Event()
    lines = [socket.create_connection(("127.0.0.1", office.server.port)) for _ in range(server.MOST_THREADS + 2)]
    drips = [threading.Thread(target=drip, args=(line, stop)) for line in lines]
    for one in drips:
        one.start()
    try:
        eventually(lambda: not any(one.is_alive() for one in drips), limit_s=4 * server.HEAD_S)
        assert office.server.can_work()
    finally:
        stop.set()
        for one in drips:
            one.join()
