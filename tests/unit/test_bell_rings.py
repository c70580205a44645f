"""The bell, asked over FastAGI as the dialplan asks it: it answers first and writes after."""
from __future__ import annotations

import io
import logging
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import settings
from appliance.box import wallclock
from appliance.calls import bell
from appliance.calls.agi import Agi, Server
from appliance.calls.bell import Bell
from appliance.config import Box
from appliance.people import contacts, numbers, plans
from appliance.store import db as store
from appliance.update import errands

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
CALLER = "+491701234567"
ENV = {"agi_network_script": "ringing", "agi_channel": "PJSIP/line1-00000000", "agi_callerid": CALLER,
       "agi_calleridname": "Foo", "agi_callingpres": "0", "agi_uniqueid": "1.0", "agi_arg_1": "1"}


@pytest.fixture
def server(box: Box, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture) -> Iterator[Server]:
    caplog.set_level(logging.INFO)
    with Server({"ringing": Bell(box, patience_s=60).ringing}, ("127.0.0.1", 0)) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ring(server: Server, answers: bytes = b"200 result=1\n", **changed: str | bytes) -> list[str]:
    """The commands that Asterisk hears in one call, until the bell closes."""
    with socket.create_connection(server.server_address[:2], 5) as line, line.makefile("rb") as reader:
        for key, value in (ENV | changed).items():
            line.sendall(f"{key}: ".encode() + (value if isinstance(value, bytes) else value.encode()) + b"\n")
        line.sendall(b"\n")
        heard = []
        try:
            while command := reader.readline():
                heard.append(command.decode().rstrip("\n"))
                line.sendall(answers)
        except ConnectionError:
            pass
        return heard


def calls(db: sqlite3.Connection, many: int) -> list[sqlite3.Row]:
    """The calls, once there are so many: the bell writes after it has let the phones ring."""
    until = time.monotonic() + 5
    while len(found := db.execute("SELECT * FROM call ORDER BY id").fetchall()) < many:
        assert time.monotonic() < until, f"{len(found)} of {many} calls"
        time.sleep(0.005)
    return found


def events(db: sqlite3.Connection) -> list[str]:
    return [row["kind"] for row in db.execute("SELECT kind FROM event ORDER BY id")]


def test_a_stranger_rings_and_is_a_call_with_a_leg_and_an_event(server: Server, db: sqlite3.Connection) -> None:
    assert ring(server) == ['SET VARIABLE "RECORD" "no"', 'SET VARIABLE "RING_S" "30"']
    call = calls(db, 1)[0]
    assert (call["boot"], call["linkedid"], call["trunk"], call["direction"], call["number"], call["caller_name"],
            call["bell"], call["ended_at"]) == (1, "1.0", "line1", "in", CALLER, "Foo", "rang", None)
    assert [tuple(row) for row in db.execute("SELECT uniqueid, party, is_caller FROM leg")] == [("1.0", "line1", 1)]
    assert events(db) == ["ringing"]


@pytest.mark.parametrize("spelling", ["+491701234567", "01701234567", "0049 170 1234567", "0170/1234567"])
def test_a_known_caller_is_named_however_the_line_writes_the_number(
        server: Server, db: sqlite3.Connection, spelling: str) -> None:
    with store.write(db):
        who = contacts.add(db, "Margaret O'Sei", [CALLER], "DE", NOW)
    assert ring(server, agi_callerid=spelling)[0] == '''SET VARIABLE "CALLERID(name)" "Margaret O'Sei"'''
    assert calls(db, 1)[0]["contact_id"] == who


def test_the_settings_of_this_moment_decide(server: Server, db: sqlite3.Connection) -> None:
    with store.write(db):
        settings.put(db, "record_calls", True)
        settings.put(db, "ring_s", 12)
    assert ring(server) == ['SET VARIABLE "RECORD" "yes"', 'SET VARIABLE "RING_S" "12"']


@pytest.mark.parametrize(("date", "told"), [
    ("Mon 22 Nov 2027 10:30:00 GMT", "2027-11-22T10:30:00.000Z"), ("Sat 01 Jan 2000 00:00:09 GMT", None), ("", None)])
def test_a_box_that_knows_no_time_takes_the_time_of_a_call(
        server: Server, box: Box, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
        date: str, told: str | None) -> None:
    (box.state / "errand").mkdir()
    (box.run / "boot").write_text("this boot\n")
    monkeypatch.setattr(wallclock, "SYNCHRONISED", tmp_path / "none")
    monkeypatch.setattr(wallclock, "_kernel_is_synchronised", lambda: False)        # as it is on a box without network
    ring(server, agi_arg_2=date)
    calls(db, 1)
    until = time.monotonic() + (5 if told else 0.2)         # it is asked after the call was written
    while (asked := errands.latest(db, "time")) is None and time.monotonic() < until:
        time.sleep(0.005)
    assert (asked.wanted["at"] if asked else None) == told


@pytest.mark.parametrize(("changed", "presentation", "number"), [
    ({"agi_callingpres": "32"}, "withheld", None),
    ({"agi_callingpres": "35"}, "withheld", None),
    ({"agi_callingpres": "3"}, "allowed", CALLER),
    ({"agi_callingpres": "67", "agi_callerid": "unknown"}, "unavailable", None),
    ({"agi_callerid": "anonymous"}, "withheld", None),
    ({"agi_callerid": "unknown"}, "unavailable", None),
    ({"agi_callerid": ""}, "unavailable", None),
    ({"agi_callerid": "7"}, "allowed", None),
    ({"agi_callerid": "1" * 300}, "allowed", None),
    ({"agi_callerid": b"\xff\x00\x1b"}, "allowed", None),
    ({"agi_callingpres": "nonsense"}, "allowed", CALLER),
    ({"agi_callingpres": "9" * 30}, "allowed", CALLER),
])
def test_what_the_line_said_of_the_number(server: Server, db: sqlite3.Connection, changed: dict[str, str],
                                          presentation: str, number: str | None) -> None:
    assert ring(server, **changed)
    call = calls(db, 1)[0]
    assert (call["presentation"], call["number"]) == (presentation, number)
    assert len(call["caller_id"]) <= 80 and call["caller_id"].isprintable()


@pytest.mark.parametrize("name", [b"\xc8\xe2\xe0\xed", b'evil" EXEC System "id', b"x" * 3000, b"\x00\x07\x1b[2J"])
def test_no_name_that_a_line_gives_stops_the_bell(server: Server, db: sqlite3.Connection, name: bytes) -> None:
    assert len(ring(server, agi_calleridname=name)) == 2
    assert len(calls(db, 1)) == 1


@pytest.mark.parametrize("changed", [
    {"agi_arg_1": ""}, {"agi_arg_1": "x"}, {"agi_arg_1": "9" * 40}, {"agi_arg_1": "-1"}, {"agi_uniqueid": ""}])
def test_half_a_ring_is_refused_in_words_and_writes_nothing(
        server: Server, db: sqlite3.Connection, changed: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    assert ring(server, **changed) == []
    assert "Not served: a ring without its boot number or its call. The call goes on." in caplog.messages
    assert not db.execute("SELECT 1 FROM call").fetchall()


def test_a_caller_who_has_gone_makes_no_row_and_no_pop(server: Server, db: sqlite3.Connection) -> None:
    """A daemon that was stopped and goes on reads old conversations: the ledger has those calls."""
    assert len(ring(server, answers=b"HANGUP\n")) == 1
    assert len(ring(server, agi_uniqueid="2.0")) == 2
    assert [row["linkedid"] for row in calls(db, 1)] == ["2.0"]


def test_the_first_call_finds_all_of_it_ready(box: Box, db: sqlite3.Connection) -> None:
    """On a slow processor it would else be over the dialplan's patience."""
    plans.plan.cache_clear()
    numbers.e164.cache_clear()
    warmed = Bell(box, patience_s=60)
    warmed.warm()
    compiled = plans.plan.cache_info().misses
    opened: list[str] = []
    sys.addaudithook(lambda event, _given: opened.append(event) if event == "sqlite3.connect" else None)
    asked = "".join(f"{key}: {value}\n" for key, value in ENV.items()) + "\n" + "200 result=1\n" * 2
    warmed.ringing(Agi(io.BytesIO(asked.encode()), io.BytesIO()))
    assert len(db.execute("SELECT 1 FROM call").fetchall()) == 1
    assert (plans.plan.cache_info().misses, opened) == (compiled, [])


def test_a_store_it_cannot_read_keeps_the_daemon_from_nothing(
        box: Box, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture) -> None:
    with store.write(db):
        db.execute("ALTER TABLE setting RENAME TO lost")
    Bell(box).warm()
    assert "Calls ring and are kept" in caplog.text


@pytest.mark.parametrize(("patience_s", "written"), [(bell.PATIENCE_S, 1), (0, 0)])
def test_a_bell_that_was_cut_off_writes_nothing(
        box: Box, db: sqlite3.Connection, patience_s: float, written: int) -> None:
    asked = "".join(f"{key}: {value}\n" for key, value in ENV.items()) + "\n" + "200 result=1\n" * 2
    Bell(box, patience_s).ringing(Agi(io.BytesIO(asked.encode()), io.BytesIO()))
    assert len(db.execute("SELECT 1 FROM call").fetchall()) == written


def test_the_answer_waits_for_no_writer(server: Server, box: Box, db: sqlite3.Connection) -> None:
    """An import holds the write lock: the phones ring at once, the row comes when the lock is free."""
    with store.write(db):
        assert len(ring(server)) == 2
        assert not db.execute("SELECT 1 FROM call").fetchall()
    assert len(calls(db, 1)) == 1


def test_many_at_once_are_each_one_call(server: Server, db: sqlite3.Connection) -> None:
    callers = [threading.Thread(target=ring, args=(server,), kwargs={"agi_uniqueid": f"{number}.0"})
               for number in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(calls(db, 40)) == 40
    assert events(db) == ["ringing"] * 40


def test_the_same_ring_twice_is_one_call(server: Server, db: sqlite3.Connection) -> None:
    for _ in (1, 2):
        ring(server)
    ring(server, agi_uniqueid="2.0")
    assert [row["linkedid"] for row in calls(db, 2)] == ["1.0", "2.0"]
    assert events(db) == ["ringing", "ringing"]


def test_the_log_shows_no_whole_number(
        server: Server, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture) -> None:
    ring(server)
    calls(db, 1)
    until = time.monotonic() + 5
    while not any("Ringing on line1: +4917…567." in line for line in caplog.messages):
        assert time.monotonic() < until, caplog.messages
        time.sleep(0.005)
    assert CALLER not in caplog.text


def test_a_row_that_the_bell_made_knows_whether_the_clock_was_set(db: sqlite3.Connection, box: Box) -> None:
    made = bell.Ring(1, "1.0", "PJSIP/line1-0", CALLER, None, CALLER, bell.Presentation.ALLOWED)
    bell.write_ring(db, box, made, None, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=40))
    assert db.execute("SELECT is_clock_set, started_at FROM call").fetchone()["is_clock_set"] == 0
