"""The call slip: what stands on it, in which letters, and what a printer that is off or hangs does to the others."""
from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from escpos.printer import Dummy, File, Network

from appliance import networks
from appliance.config import Box
from appliance.doors import slip, slips, standing
from appliance.doors.slip import PrinterError, Slip
from appliance.people import cards, notes
from appliance.people.cards import Wish
from appliance.store import db as store

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
MARGARET = Slip("Café Müller", "Margaret Osei", "01512 3456789", "Hauptstraße 5\n10115 Berlin",
                "Two cakes on Friday, without nuts, she collects them at ten", NOW)
RASTER = b"\x1dv0"


def wait(until: Callable[[], object], limit_s: float = 15.0) -> None:
    end = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def printed(it: Slip) -> bytes:
    to = Dummy()
    slip.send(to, it, BERLIN)
    return bytes(to.output)


def test_a_slip_says_who_rang_and_is_cut() -> None:
    out = printed(MARGARET)
    places = [out.index(part.encode("cp437")) for part in (
        "Café Müller", "2026-11-21 21:00", "Margaret Osei", "01512 3456789", "Hauptstraße 5", "10115 Berlin",
        "Two cakes on Friday, without")]
    assert places == sorted(places) and out.endswith(b"\n\n\n\n\n\x1dV\x01") and out.startswith(b"\x1b@")
    assert RASTER not in out
    assert b"\x1d!\x11Margaret Osei" in out                        # twice as large


def test_a_long_line_is_broken_between_words() -> None:
    lines = printed(MARGARET).split(b"\n")
    assert all(len(line.strip(b"\x1d!\x00\x01\x11\x1b@t")) <= slip.WIDTH + 4 for line in lines)


@pytest.mark.parametrize("name", ["王小明", "Наталья Иванова", "Ελένη", "Łukasz Żak"])
def test_letters_the_printer_lacks_are_drawn(name: str) -> None:
    out = printed(Slip("Shop", name, "", "", "", NOW))
    assert RASTER in out and name.encode() not in out and slip.NO_LETTERS.encode() not in out


def test_letters_no_font_has_are_said_plainly() -> None:
    to = Dummy()
    slip.send(to, Slip("Shop", "王小明", "+86 138 0013 8000", "", "", NOW), BERLIN, fonts=())
    assert slip.NO_LETTERS.encode() in to.output and b"+86 138 0013 8000" in to.output
    assert slip.drawn("\U0001e900", slip.FONTS, 24) is None      # Adlam, which none of them has


def test_nothing_on_a_slip_orders_the_printer_about() -> None:
    """ESC and GS in a name or a note would open the cash drawer: they never reach a card, and never the paper."""
    out = printed(Slip("Shop", cards.clean("A\x1bp\x00\x19", 120), "", "", cards.clean("\x1dV\x00", 120), NOW))
    assert b"\x1bp" not in out and out.count(b"\x1dV") == 1


def test_a_slip_goes_into_a_file_of_the_printer(tmp_path: Path) -> None:
    device = tmp_path / "lp0"
    device.touch()
    slip.send(File(str(device)), MARGARET, BERLIN)
    assert device.read_bytes() == printed(MARGARET)


def test_a_printer_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(PrinterError, match="does not answer"):
        slip.send(File(str(tmp_path / "none" / "lp0")), MARGARET, BERLIN)
    with pytest.raises(PrinterError, match="does not answer"):
        slip.send(Network("127.0.0.1", 1, timeout=1), MARGARET, BERLIN)


@pytest.mark.parametrize(("address", "is_good"), [
    ("tcp://192.168.2.9:9100", True), ("tcp://printer.local", True), ("file:///dev/usb/lp0", True),
    ("file:///dev/lp1", True), ("file:///etc/passwd", False), ("file:///dev/usb/../sda", False), ("tcp://", False),
    ("tcp://a:99999", False), ("http://a", False), ("tcp://a:0", False)])
def test_only_printers_are_addresses_of_printers(address: str, is_good: bool) -> None:
    assert networks.is_printer(address) is is_good


@pytest.fixture
def db(box: Box) -> sqlite3.Connection:
    found = store.connect(box.store)
    store.migrate(found)
    with store.write(found):
        found.execute("INSERT INTO setting (key, value) VALUES ('slip_printer', '\"tcp://192.0.2.1:9100\"')")
    return found


def missed(db: sqlite3.Connection, outcome: str = "missed") -> int:
    with store.write(db):
        call_id = db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, started_at,
              ended_at, outcome, bell, is_clock_set)
            VALUES ('box1', 1, ?, 'line1', 'in', '', '+4915123456789', 'allowed', ?, ?, ?, 'rang', 1)""",
            (f"{time.time_ns()}", store.iso(NOW), store.iso(NOW), outcome)).lastrowid
        db.execute("INSERT INTO event (at, kind, call_id) VALUES (?, 'ended', ?)", (store.iso(NOW), call_id))
    assert call_id
    return int(call_id)


class Printing:
    """Slips with a printer of the test's own."""

    def __init__(self, box: Box, give_up_s: float = 60.0) -> None:
        self.out: list[Slip] = []
        self.is_off, self.hangs = False, threading.Event()
        self.hangs.set()
        self.slips = slips.Slips(box, self._send, give_up_s)
        self.slips.start()

    def _send(self, _address: str, it: Slip) -> None:
        self.hangs.wait()
        if self.is_off:
            raise PrinterError("The receipt printer does not answer (off).")
        self.out.append(it)


@pytest.fixture
def printing(box: Box, db: sqlite3.Connection) -> Iterator[Printing]:
    it = Printing(box, 1.0)
    yield it
    it.hangs.set()
    it.slips.stop()


def ask(db: sqlite3.Connection, call_id: int) -> int:
    with store.write(db):
        return slips.queue(db, call_id, "Amy", datetime.now(UTC))


def state(db: sqlite3.Connection, slip_id: int) -> str:
    return str(db.execute("SELECT state FROM slip WHERE id = ?", (slip_id,)).fetchone()[0])


def test_a_slip_that_was_asked_for_has_card_and_note(box: Box, db: sqlite3.Connection, printing: Printing) -> None:
    with store.write(db):
        contact = cards.save(db, Wish("Margaret Osei", address="Main St 5", numbers=[("+4915123456789", "")]),
                             box.country, "Amy", NOW)
    call_id = missed(db)
    with store.write(db):
        db.execute("UPDATE call SET contact_id = ? WHERE id = ?", (contact, call_id))
        notes.keep(db, "two cakes", "Amy", NOW, call_id=call_id)
    ask(db, call_id)
    wait(lambda: printing.out)
    it = printing.out[0]
    assert (it.name, it.address, it.note) == ("Margaret Osei", "Main St 5", "two cakes")
    assert standing.trouble(db, "printer") in (None, "")


def test_a_slip_comes_out_by_itself_after_the_calls_that_are_chosen(db: sqlite3.Connection, printing: Printing) -> None:
    with store.write(db):
        db.execute("INSERT INTO setting (key, value) VALUES ('slip_when', '\"missed\"')")
    missed(db, "answered")
    missed(db, "abandoned")
    wait(lambda: printing.out)
    assert len(printing.out) == 1
    assert db.execute("SELECT count(*) FROM slip").fetchone()[0] == 1


def test_a_printer_that_is_off_is_given_up_with_a_finding_and_comes_back(db: sqlite3.Connection,
                                                                       printing: Printing) -> None:
    printing.is_off = True
    first = ask(db, missed(db))
    wait(lambda: state(db, first) == "given_up")
    assert "given up" in standing.findings(db)[0]
    printing.is_off = False
    second = ask(db, missed(db))
    wait(lambda: state(db, second) == "printed")
    wait(lambda: standing.findings(db) == [])
    assert state(db, first) == "given_up"                    # nobody wants a slip of an hour ago


def test_a_printer_that_hangs_delays_no_call_and_nobody_else(db: sqlite3.Connection, printing: Printing) -> None:
    printing.hangs.clear()
    first, second = ask(db, missed(db)), ask(db, missed(db))
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        missed(db)
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 0.5
    wait(lambda: (state(db, first), state(db, second)) == ("given_up", "given_up"))
    assert printing.slips.is_alive()
    printing.hangs.set()
    third = ask(db, missed(db))
    wait(lambda: state(db, third) == "printed")


def test_a_slip_of_a_pipe_that_nobody_reads_is_given_up(box: Box, db: sqlite3.Connection, tmp_path: Path) -> None:
    """As a USB printer without paper: it opens, takes a little, and then nothing."""
    line, other = socket.socketpair()
    held = os.fdopen(line.detach(), "wb", buffering=0)

    def send(_address: str, it: Slip) -> None:
        while True:
            held.write(b"\0" * 65536)
    it = slips.Slips(box, send, 0.5)
    it.start()
    try:
        asked = ask(db, missed(db))
        wait(lambda: state(db, asked) == "given_up")
        assert slips.STUCK in standing.findings(db)[0]
    finally:
        other.close()
        it.stop()
