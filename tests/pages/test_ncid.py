"""NCID clients of other people see who rings: byte-exact lines on a real socket."""
from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from appliance import settings
from appliance.networks import is_allowed, networks
from appliance.people import numbers
from appliance.store import db as store
from tests.desk import Office
from web import ncid_lines
from web.ncid import Ncid

NOW = datetime(2026, 11, 21, 19, 5, 9, tzinfo=UTC)         # 20:05:09 in Berlin
HELLO = b"HELLO: IDENT: client test 1.0\r\nHELLO: CMD: no_log\r\n"
BERLIN = ZoneInfo("Europe/Berlin")


def wait(until: Callable[[], object], limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


class Client:
    """A client of our own."""

    def __init__(self, port: int, hello: bytes = HELLO) -> None:
        self.line = socket.create_connection(("127.0.0.1", port), 10)
        self.line.sendall(hello)
        self.heard = b""

    def until(self, end: bytes) -> bytes:
        """All that was heard, once it ends so."""
        while not self.heard.endswith(end):
            said = self.line.recv(65536)
            assert said, f"closed after {self.heard!r}"
            self.heard += said
        heard, self.heard = self.heard, b""
        return heard

    def line_of_its_own(self) -> bytes:
        """The next line, whatever follows it."""
        while b"\r\n" not in self.heard:
            said = self.line.recv(65536)
            assert said, "closed"
            self.heard += said
        line, _, self.heard = self.heard.partition(b"\r\n")
        return line

    def is_closed(self) -> bool:
        try:
            while self.line.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


@pytest.fixture
def door(office: Office) -> Iterator[Ncid]:
    with store.write(office.db) as db:
        settings.put(db, "ncid_on", True)
    door = Ncid(office.box, 0, lambda: NOW)
    door.start()
    wait(lambda: door.port)
    yield door
    door.stop()


def started(door: Ncid, hello: bytes = HELLO) -> Client:
    client = Client(door.port, hello)
    client.until(b"300 End of connection startup\r\n")
    return client


def test_a_connection_begins_as_the_api_has_it(office: Office, door: Ncid) -> None:
    assert Client(door.port).until(b"startup\r\n") == (
        b"200 Server: ncidd (NCID) Deskbell\r\n210 API 1.5 Feature Set 1\r\n"
        b"251 Call log not sent\r\n300 End of connection startup\r\n")
    assert Client(door.port, b"").until(b"startup\r\n").endswith(
        b"252 Call log empty\r\n300 End of connection startup\r\n")


def test_a_call_that_is_answered_and_ends(office: Office, door: Ncid) -> None:
    client = started(door)
    call = office.call("+4915123456789", contact="Anna *VIP*\r\nCID: Öztürk", at=NOW)
    assert client.until(b"\r\n").decode() == (
        "CID: *DATE*11212026*TIME*2005*LINE*Line1*NMBR*01512 345 6789*MESG*NONE*NAME*Anna VIP CID: Öztürk*\r\n")
    office.answered(call, at=NOW)
    assert client.until(b"\r\n") == b"CIDINFO: *LINE*Line1*RING*0*TIME*20:05:09*\r\n"
    office.ended(call, "answered", talk_ms=1000)
    assert client.until(b"\r\n") == b"CIDINFO: *LINE*Line1*RING*-2*TIME*20:05:09*\r\n"


def test_a_call_nobody_answered(office: Office, door: Ncid) -> None:
    client = started(door)
    call = office.call("+493012345678", at=NOW)
    client.until(b"\r\n")
    office.ended(call, "missed")
    assert client.until(b"\r\n") == b"CIDINFO: *LINE*Line1*RING*-1*TIME*20:05:09*\r\n"


def test_who_withheld_and_who_is_called_and_who_is_blocked(office: Office, door: Ncid) -> None:
    client = started(door)
    office.call(None, presentation="withheld", at=NOW)
    assert b"*NMBR*PRIVATE*MESG*NONE*NAME*PRIVATE*" in client.until(b"\r\n")
    office.call(None, presentation="unavailable", at=NOW)
    assert b"*NMBR*OUT-OF-AREA*MESG*NONE*NAME*OUT-OF-AREA*" in client.until(b"\r\n")
    office.call("+493012345678", direction="out", at=NOW)
    assert client.until(b"\r\n").startswith(b"OUT: *DATE*11212026*TIME*2005*LINE*Line1*NMBR*030 1234 5678*")
    blocked = office.call("+493012345670", at=NOW)
    client.until(b"\r\n")
    office.ended(blocked, "blocked")
    assert client.until(b"\r\n").startswith(b"HUP: *DATE*11212026*")


@pytest.mark.parametrize(
    ("number", "country", "shown"),
    [("+8613800138000", "CN", "138 0013 8000"), ("+12125550123", "US", "(212) 555-0123"),
     ("+79161234567", "RU", "8 (916) 123-45-67"),
     ("+33123456789", "FR", "01 23 45 67 89"), ("+442079460958", "DE", "+44 20 7946 0958")],
)  # fmt: skip
def test_numbers_of_many_countries_stay_as_they_are_written_there(number: str, country: str, shown: str) -> None:
    told = {"presentation": "allowed", "shown": numbers.shown(number, country), "direction": "in", "outcome": None,
            "trunk": "Line 1", "name": None}
    assert ncid_lines.number(told) == shown.replace("\N{NO-BREAK SPACE}", " ")
    assert f"*NMBR*{shown}*".encode() in ncid_lines.call(told, NOW, BERLIN)


def test_the_log_is_sent_to_who_did_not_decline_it(office: Office, door: Ncid) -> None:
    for n in range(3):
        office.ended(office.call(f"+49301234567{n}", at=NOW), "missed")
    said = Client(door.port, b"").until(b"startup\r\n").decode().splitlines()
    assert [line[:8] for line in said[2:5]] == ["CIDLOG: "] * 3 and "1234 5672" in said[4]
    assert said[5:] == ["250 End of call log", "300 End of connection startup"]


def test_rubbish_and_silence_delay_nobody(office: Office, door: Ncid) -> None:
    good = started(door)
    deaf = socket.create_connection(("127.0.0.1", door.port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    for rubbish in (
            b"\x00" * 100_000, b"HELLO" * 5000, b"\xff\xfe\n" * 100, b"CID: *DATE*x\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        stranger = socket.create_connection(("127.0.0.1", door.port))
        with contextlib.suppress(OSError):
            stranger.sendall(rubbish)
    began = time.monotonic()
    office.call("+493012345678", at=NOW)
    good.until(b"\r\n")
    assert time.monotonic() - began < 2


def test_a_client_that_never_reads_is_let_go(office: Office, door: Ncid) -> None:
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    deaf.connect(("127.0.0.1", door.port))
    wait(lambda: door.clients == 1)
    good = started(door)
    call = office.call("+493012345600", contact="A name of forty letters, so that it fills up", at=NOW)
    good.until(b"\r\n")
    for _ in range(50):
        with store.write(office.db) as db:
            db.execute("DROP INDEX IF EXISTS event_once")
            db.executemany("INSERT INTO event (at, kind, call_id) VALUES (?, 'ringing', ?)",
                           [(store.iso(NOW), call)] * 50)
        for _ in range(50):
            good.line_of_its_own()
        if door.clients == 1:
            break
    wait(lambda: door.clients == 1)


def test_it_is_off_until_the_owner_switches_it_on_and_off_again_at_once(office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    door = Ncid(office.box, port)
    door.start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    with store.write(office.db) as db:
        settings.put(db, "ncid_on", True)
    wait(lambda: is_open(port))
    client = started(door)
    with store.write(office.db) as db:
        settings.put(db, "ncid_on", False)
    assert client.is_closed()
    wait(lambda: not is_open(port))
    door.stop()


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "named", "may"),
    [("192.168.2.7", "", True), ("10.1.1.1", "", True), ("127.0.0.1", "", True), ("fe80::1%eth0", "", True),
     ("8.8.8.8", "", False), ("2001:4860::1", "", False), ("::ffff:8.8.8.8", "", False),
     ("::ffff:192.168.1.1", "", True), ("192.168.2.7", "192.168.2.0/24", True),
     ("192.168.3.7", "192.168.2.0/24", False), ("10.0.0.5", "192.168.2.0/24, 10.0.0.5", True),
     ("127.0.0.1", "192.168.2.0/24", True)],
)  # fmt: skip
def test_only_this_building_or_who_is_named_sees_who_rings(address: str, named: str, may: bool) -> None:
    assert is_allowed(address, networks(named)) is may


def test_a_network_that_is_none_is_refused_in_words(office: Office) -> None:
    with pytest.raises(settings.SettingError, match="networks or addresses"), store.write(office.db) as db:
        settings.put(db, "ncid_allow", "my house")
