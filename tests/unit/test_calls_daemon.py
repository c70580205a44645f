"""The calls daemon: it follows the ledger whatever becomes of it, and serves the bell."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.box.notify import Notify
from appliance.calls import agi, ami, daemon, follow
from appliance.calls.daemon import Follower, Keeper
from appliance.config import Box
from tests.unit.manager import Asterisk, Request
from tests.unit.spool import MISSED, SpoolFile, entries

pytestmark = pytest.mark.xdist_group("the ports of Asterisk and the bell")

REPO = Path(__file__).resolve().parents[2]
RINGING = "\n".join(MISSED.splitlines()[:5])


def outcomes(db: sqlite3.Connection) -> list[str | None]:
    return [row["outcome"] for row in db.execute("SELECT outcome FROM call ORDER BY id")]


def told(db: sqlite3.Connection) -> list[str]:
    return [row["kind"] for row in db.execute("SELECT kind FROM event ORDER BY id")]


def damaged(path: Path, how: str) -> None:
    good = path.read_bytes() if path.exists() else b""
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    if how == "missing":
        return
    if how == "no spool id":
        with sqlite3.connect(path) as bare:
            bare.execute("CREATE TABLE spool (id TEXT NOT NULL)")
        bare.close()
        return
    path.write_bytes({"empty": b"", "garbage": b"\x00\xff garbage" * 999, "torn": good[:5000],
                      "text": b"Not a ledger at all.\n" * 99}[how])


@pytest.mark.parametrize("how", ["missing", "empty", "garbage", "text", "torn", "no spool id"])
def test_a_broken_spool_is_said_once_and_a_good_one_is_followed_again(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, how: str, caplog: pytest.LogCaptureFixture) -> None:
    spool.add(MISSED)
    spool.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spool.close()
    damaged(box.ledger, how)
    follower = Follower(db, box, Keeper(box))
    for _ in (1, 2):
        with pytest.raises((sqlite3.Error, OSError)):
            follower.step()
        follower.reopen("Asterisk's ledger cannot be read")
    assert len([line for line in caplog.messages if "cannot be read" in line]) == 1
    assert outcomes(db) == []
    for file in box.spool.glob("cel.db*"):
        file.unlink()
    good = SpoolFile(box.ledger, "5b02")
    good.add(MISSED)
    follower.step()
    assert outcomes(db) == ["missed"]
    good.close()


def test_a_spool_that_took_anothers_place_is_noticed(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    follower = Follower(db, box, Keeper(box))
    spool.add(MISSED)
    follower.step()
    spool.close()
    for file in box.spool.glob("cel.db*"):
        file.unlink()
    later = SpoolFile(box.ledger, "5b03")
    later.add(MISSED, boot=2)
    follower.step()
    assert outcomes(db) == ["missed", "missed"]
    later.close()


def test_each_row_is_followed_as_it_is_written(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    follower = Follower(db, box, Keeper(box))
    spool.add(RINGING)
    follower.step()
    assert outcomes(db) == [None]
    spool.add(entries(MISSED)[4:])
    follower.step()
    assert outcomes(db) == ["missed"]


def test_after_a_long_sleep_no_call_pops_up_that_is_over(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    """Its first rows and its last may lie in two batches; the pop must not rise in between."""
    now = int(time.time() * 1_000_000)
    fresh = [dataclasses.replace(row, at_us=now) for row in entries(MISSED)]
    spool.db.execute("BEGIN")
    for _ in range(follow.BATCH - 4):
        spool.raw(kind="HANGUP")
    spool.add(fresh)
    spool.db.execute("COMMIT")
    Follower(db, box, Keeper(box)).step()
    assert outcomes(db) == ["missed"]
    assert [kind for kind in told(db) if kind != "text"] == ["ended"]


def test_a_last_row_that_makes_no_sense_puts_no_call_off_for_ever(
        box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.db.execute("BEGIN")
    for _ in range(follow.BATCH - 4):
        spool.raw(kind="HANGUP")
    spool.add(entries(MISSED)[:4])
    spool.raw(kind="LINKEDID_END", at=1e300, uniqueid="1.0", linkedid="1.0", boot="1")
    spool.db.execute("COMMIT")
    Follower(db, box, Keeper(box)).step()
    assert outcomes(db) == [None], "the call is in the history, and open until Asterisk is asked"


# --- calls that Asterisk no longer has ------------------------------------------------------------


@pytest.fixture
def live(box: Box) -> Iterator[set[str]]:
    """The linkedids that Asterisk has now."""
    now: set[str] = set()

    def answer(request: Request) -> str:
        if request["Action"] != "CoreShowChannels":
            return ""
        channel = "Event: CoreShowChannel\r\nActionID: {id}\r\nLinkedid: "
        return ("Response: Success\r\nActionID: {id}\r\n\r\n"
                + "".join(f"{channel}{linkedid}\r\n\r\n" for linkedid in now)
                + "Event: CoreShowChannelsComplete\r\nActionID: {id}\r\n\r\n")

    (box.secrets / "ami").write_text("secret")
    there = Asterisk(answer, address=ami.ADDRESS)
    yield now
    there.close()


def follower(db: sqlite3.Connection, box: Box, spool: SpoolFile) -> Follower:
    """A follower that holds open calls against Asterisk's own at every step."""
    spool.add(RINGING)
    return Follower(db, box, Keeper(box), cut_check_s=0)


def test_a_call_that_asterisk_has_twice_not_is_interrupted(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, live: set[str]) -> None:
    following = follower(db, box, spool)
    following.step()
    assert outcomes(db) == [None], "its last rows may still be on their way"
    spool.raw(kind="X")
    following.step()
    assert outcomes(db) == ["interrupted"]


def test_a_call_that_asterisk_has_lives_on(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, live: set[str]) -> None:
    live.add("1.0")
    following = follower(db, box, spool)
    for _ in range(3):
        following.step()
        spool.raw(kind="X")
    assert outcomes(db) == [None]


def test_a_call_that_was_missing_once_only_lives_on(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, live: set[str]) -> None:
    following = follower(db, box, spool)
    for is_there in (False, True, False):
        live.clear()
        live.update({"1.0"} if is_there else ())
        following.step()
        spool.raw(kind="X")
    assert outcomes(db) == [None]


def test_a_call_of_an_older_start_of_asterisk_is_over_even_if_its_id_lives_again(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, live: set[str]) -> None:
    live.add("1.0")
    following = follower(db, box, spool)
    spool.add(RINGING, boot=2)
    for _ in range(2):
        following.step()
        spool.raw(kind="X")
    assert outcomes(db) == ["interrupted", None]


def test_an_asterisk_that_cannot_be_asked_ends_no_call(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, caplog: pytest.LogCaptureFixture) -> None:
    following = follower(db, box, spool)
    for _ in range(3):
        following.step()
        spool.raw(kind="X")
    assert outcomes(db) == [None]
    assert "open calls cannot be checked now" in caplog.text


# --- what systemd is told -------------------------------------------------------------------------


class OneStep(Follower):
    """A follower whose daemon is told to stop while it steps."""
    stop: threading.Event

    def step(self) -> None:
        super().step()
        self.stop.set()


@pytest.mark.parametrize(("bell", "helper", "is_fed"), [
    ("answers", "lives", True), ("is silent", "lives", False), ("is gone", "lives", False), ("answers", "died", False)])
def test_the_watchdog_is_fed_only_while_every_part_can_work(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, tmp_path: Path, bell: str, helper: str,
        is_fed: bool) -> None:
    spool.add(RINGING)
    following, over = OneStep(db, box, Keeper(box)), threading.Event()
    following.stop = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    with contextlib.ExitStack() as office:
        if helper == "lives":
            thread.start()
            office.callback(over.set)
        if bell != "is gone":
            server = agi.Server({"ping": lambda line: None if bell == "answers" else over.wait(30) and None})
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            office.callback(server.server_close)
            office.callback(server.shutdown)
        systemd = office.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        daemon.follow_ledger(following, [thread], following.stop, Notify(str(tmp_path / "notify")))
        told = [systemd.recv(99)] if select.select([systemd], [], [], 0)[0] else []
    assert told == ([b"WATCHDOG=1"] if is_fed else [])


# --- the process ----------------------------------------------------------------------------------


def test_the_daemon_says_that_it_is_ready_and_alive_serves_the_bell_and_stops_in_order(
        box: Box, spool: SpoolFile, tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text("".join(
        f'{key} = "{getattr(box, key)}"\n' for key in ("state", "spool", "run", "secrets", "asterisk")))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        running = subprocess.Popen(
            [sys.executable, "-P", "-m", "appliance.cli", "run", "calls"], stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(REPO), "NOTIFY_SOCKET": str(tmp_path / "notify"),
                 "DESKBELL_CONFIG": str(tmp_path / "box.toml")})
        try:
            assert systemd.recv(99) == b"READY=1"
            with socket.create_connection(agi.ADDRESS, 5) as line, line.makefile("rb") as heard:
                line.sendall(b"agi_network_script: ringing\nagi_channel: PJSIP/line1-0\nagi_callerid: 7\n"
                             b"agi_uniqueid: 1.0\nagi_arg_1: 1\n\n")
                assert heard.readline() == b'SET VARIABLE "RECORD" "no"\n'
            assert systemd.recv(99) == b"WATCHDOG=1"
            assert {stat.S_IMODE(file.stat().st_mode) for file in box.state.glob("office.db*")} == {0o660}
        finally:
            running.send_signal(signal.SIGTERM)
            spool.raw(kind="X")                      # wakes the follower, which looks only once a second
        assert running.communicate(timeout=10)[1].count("Traceback") == 0
        assert running.returncode == 0
        while (last := systemd.recv(99)) == b"WATCHDOG=1":
            pass
        assert last == b"STOPPING=1"
