"""Errands: what a page asks of root is done once, soon, by a verb of the list, or refused in a sentence."""
from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.config import Box
from appliance.store import db as store
from appliance.update import errands, steward, verbs
from appliance.update.errands import ErrandError, FailedError, RefusedError

NOW = datetime(2026, 11, 22, 2, 40, tzinfo=UTC)
HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture
def booted(box: Box) -> Box:
    """A box with a steward: its boot has a name, and there is a place to knock."""
    (box.run / "boot").write_text("first-boot\n")
    errands.knocker(box).parent.mkdir()
    return box


class Verbs:
    """What a steward could do, and what it was asked."""

    def __init__(self, answer: str | Exception = "Done.") -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.seen: list[sqlite3.Row] = []

    def find(self, kind: str) -> verbs.Verb | None:
        return self.do

    def do(self, db: sqlite3.Connection, wanted: dict[str, Any], progress: verbs.Progress) -> str:
        self.asked.append(wanted)
        progress(40, "Half way.")
        self.seen.append(db.execute("SELECT * FROM errand WHERE state = 'running'").fetchone())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def serve(db: sqlite3.Connection, box: Box, known: Verbs, now: datetime = NOW) -> None:
    steward.serve(db, box, known.find, lambda: now)


def test_an_errand_is_done_and_its_row_says_how_it_went(db: sqlite3.Connection, booted: Box) -> None:
    errand_id = errands.ask(db, booted, "Anna", "network", {"wifi": {"password": "very secret"}}, NOW)
    assert errands.knocker(booted).exists()
    known = Verbs("The box is in the network.")
    serve(db, booted, known, NOW + timedelta(seconds=3))
    done = errands.read(db, errand_id)
    assert done and (done.state, done.progress, done.said) == ("done", 100, "The box is in the network.")
    assert done.by == "Anna" and done.ended_at == NOW + timedelta(seconds=3)
    assert known.asked == [{"wifi": {"password": "very secret"}}]
    assert (known.seen[0]["progress"], known.seen[0]["said"]) == (40, "Half way.")


def test_what_was_wanted_is_not_kept_once_it_has_ended(db: sqlite3.Connection, booted: Box) -> None:
    for answer in ("Done.", RefusedError("No."), FailedError("Broken.")):
        errands.ask(db, booted, "Anna", "network", {"password": "very secret"}, NOW)
        serve(db, booted, Verbs(answer))
    assert [row["wanted"] for row in db.execute("SELECT wanted FROM errand")] == ["{}"] * 3
    assert "very secret" not in json.dumps([list(row) for row in db.execute("SELECT * FROM change")])


@pytest.mark.parametrize(("answer", "state", "said"), [
    (RefusedError("A call is going on."), "refused", "A call is going on."),
    (FailedError("No room."), "failed", "No room."),
    (OSError(28, "No space left on device"), "failed",
     "It did not work ([Errno 28] No space left on device). Telephones ring as always. Try again."),
    (KeyError("address"), "failed", "It did not work ('address'). Telephones ring as always. Try again.")])
def test_what_is_refused_or_fails_says_so(db: sqlite3.Connection, booted: Box, answer: Exception, state: str,
                                          said: str) -> None:
    errand_id = errands.ask(db, booted, "Anna", "reset", {}, NOW)
    serve(db, booted, Verbs(answer))
    it = errands.read(db, errand_id)
    assert it and (it.state, it.said) == (state, said)


def test_how_far_it_is_may_be_lost_on_a_full_disk_but_not_what_is_being_done(db: sqlite3.Connection,
                                                                            booted: Box) -> None:
    """An update that is being written goes on: said to have failed, it would start by itself the next time."""
    errand_id = errands.ask(db, booted, "Anna", "network", {}, NOW)

    def find(_kind: str) -> verbs.Verb:
        def does(its: sqlite3.Connection, _wanted: dict[str, Any], progress: verbs.Progress) -> str:
            its.execute("PRAGMA query_only = 1")
            progress(50, "Half of it.")
            its.execute("PRAGMA query_only = 0")
            return "Done."
        return does

    steward.serve(db, booted, find, lambda: NOW)
    done = errands.read(db, errand_id)
    assert done and (done.state, done.said) == ("done", "Done.")


def test_on_a_full_disk_what_was_done_is_said_as_soon_as_there_is_room(db: sqlite3.Connection, booted: Box) -> None:
    errand_id = errands.ask(db, booted, "Anna", "network", {}, NOW)
    seen = list[str]()

    class Room(threading.Event):
        """Somebody deletes recordings while the steward waits."""

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout and timeout > 3, "twenty starts a minute help nobody"
            it = errands.read(db, errand_id)
            seen.append(it.state if it else "")
            db.execute("PRAGMA query_only = 0")
            return False

    def find(_kind: str) -> verbs.Verb:
        def does(its: sqlite3.Connection, _wanted: dict[str, Any], _progress: verbs.Progress) -> str:
            its.execute("PRAGMA query_only = 1")
            return "Done."
        return does

    steward.serve(db, booted, find, lambda: NOW, Room())
    done = errands.read(db, errand_id)
    assert seen == ["running"] and done and (done.state, done.said) == ("done", "Done.")


def test_a_store_that_cannot_be_used_is_waited_for_before_systemd_starts_the_steward_anew(
        db: sqlite3.Connection, booted: Box) -> None:
    db.close()
    for left in booted.state.glob("office.db-*"):
        left.unlink()
    booted.store.write_bytes(b"garbage, not a store\n" * 999)
    began = time.monotonic()
    assert steward.run(booted, broken_s=0.2) == 1 and time.monotonic() - began >= 0.2
    assert steward.BROKEN_S >= 60 / 4


def test_while_the_disk_is_full_the_page_says_why_nothing_moves(db: sqlite3.Connection, booted: Box,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    errands.ask(db, booted, "Anna", "network", {}, NOW)
    assert (it := errands.as_seen(errands.latest(db), booted)) and it.said is None
    told = os.statvfs(booted.state)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((*told[:4], 0, *told[5:10])))
    assert (it := errands.as_seen(errands.latest(db), booted)) and it.said == errands.FULL
    monkeypatch.undo()
    serve(db, booted, Verbs())
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((*told[:4], 0, *told[5:10])))
    assert (it := errands.as_seen(errands.latest(db), booted)) and it.said == "Done."


def test_an_order_that_finds_no_room_is_refused_in_a_sentence(db: sqlite3.Connection, booted: Box) -> None:
    db.execute("PRAGMA query_only = 1")
    with pytest.raises(ErrandError, match="could not be written down, so nothing was done"):
        errands.ask(db, booted, "Anna", "network", {}, NOW)
    assert not errands.knocker(booted).exists()


def test_an_errand_of_another_boot_is_never_done(db: sqlite3.Connection, booted: Box) -> None:
    errand_id = errands.ask(db, booted, "Anna", "reset", {}, NOW)
    (booted.run / "boot").write_text("second-boot\n")
    known = Verbs()
    serve(db, booted, known)
    it = errands.read(db, errand_id)
    assert known.asked == [] and it and (it.state, it.said) == ("refused", errands.OTHER_BOOT)


@pytest.mark.parametrize("late", [timedelta(minutes=11), timedelta(minutes=-11)])
def test_one_that_waited_long_or_comes_from_tomorrow_is_never_done(db: sqlite3.Connection, booted: Box,
                                                                  late: timedelta) -> None:
    errands.ask(db, booted, "Anna", "reboot", {}, NOW)
    known = Verbs()
    serve(db, booted, known, NOW + late)
    it = errands.latest(db)
    assert known.asked == [] and it and (it.state, it.said) == ("refused", errands.TOO_OLD)


def test_a_verb_that_nobody_knows_is_never_done(db: sqlite3.Connection, booted: Box) -> None:
    with pytest.raises(ErrandError, match="does not know"):
        errands.ask(db, booted, "Anna", "run", {"command": "id"}, NOW)
    with store.write(db):           # as somebody would who writes into the store
        db.execute("INSERT INTO errand (boot, at, by_user, kind, wanted, state) VALUES "
                   "('first-boot', ?, 'x', 'os:system', '{}', 'waiting')", (store.iso(NOW),))
    known = Verbs()
    serve(db, booted, known)
    it = errands.latest(db)
    assert known.asked == [] and it and (it.state, it.said) == ("refused", errands.UNKNOWN)


def test_the_list_of_verbs_is_the_list_of_kinds_and_each_is_there() -> None:
    assert set(verbs.NAMES) == set(errands.KINDS)
    assert verbs.verb("os:system") is None and verbs.verb("") is None
    assert verbs.verb("reboot") is verbs.restart


def test_one_of_a_kind_at_a_time(db: sqlite3.Connection, booted: Box) -> None:
    errands.ask(db, booted, "Anna", "update", {"bundle": 1}, NOW)
    with pytest.raises(ErrandError, match="at it already"):
        errands.ask(db, booted, "Ben", "update", {"bundle": 2}, NOW)
    errands.ask(db, booted, "Ben", "reboot", {}, NOW)
    serve(db, booted, Verbs())
    errands.ask(db, booted, "Ben", "update", {"bundle": 2}, NOW)


def test_one_that_nobody_came_to_stands_in_nobodys_way(db: sqlite3.Connection, booted: Box) -> None:
    first = errands.ask(db, booted, "Anna", "reboot", {}, NOW)
    errands.ask(db, booted, "Anna", "reboot", {}, NOW + timedelta(minutes=11))
    it = errands.read(db, first)
    assert it and (it.state, it.said) == ("failed", errands.TOO_OLD)


def test_where_there_is_no_steward_it_is_said_and_no_row_is_written(db: sqlite3.Connection, box: Box) -> None:
    with pytest.raises(ErrandError, match="was not set up from an image"):
        errands.ask(db, box, "Anna", "reboot", {}, NOW)
    assert errands.latest(db) is None


SLOW = """if True:
    import pathlib, sys, time
    from appliance.config import Box
    from appliance.update import steward, verbs
    state, run, mark = map(pathlib.Path, sys.argv[1:])
    def slow(db, wanted, progress):
        progress(10, "It goes on.")
        mark.touch()
        while True:
            progress(11, "It goes on.")
            time.sleep(0.02)
    verbs.verb = lambda kind: slow if kind == "update" else verbs.restart if kind == "nothing" else lambda *_: "Done."
    sys.exit(steward.run(Box(state=state, run=run)))
"""


def begun(booted: Box, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A steward in a process of its own, in the middle of an errand."""
    mark = tmp_path / "begun"
    mark.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(booted.state), str(booted.run), str(mark)], cwd=HOUSE,
                               env={**os.environ, "PYTHONPATH": str(HOUSE)})
    until = time.monotonic() + 20
    while not mark.exists():
        assert process.poll() is None and time.monotonic() < until, "the steward did not begin"
        time.sleep(0.01)
    return process


def test_a_steward_killed_in_the_middle_is_settled_in_a_sentence_and_the_next_errand_is_done(
        db: sqlite3.Connection, booted: Box, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    cut = errands.ask(db, booted, "Anna", "update", {"bundle": 1}, now)
    process = begun(booted, tmp_path)
    process.kill()
    process.wait()
    it = errands.read(db, cut)
    assert it and it.state == "running" and it.said == "It goes on."
    after = errands.ask(db, booted, "Anna", "time", {}, now)
    assert subprocess.run([sys.executable, "-c", SLOW, str(booted.state), str(booted.run), str(tmp_path / "x")],
                          cwd=HOUSE, env={**os.environ, "PYTHONPATH": str(HOUSE)}).returncode == 0
    it, then = errands.read(db, cut), errands.read(db, after)
    assert it and (it.state, it.said) == ("failed", errands.CUT_OFF)
    assert then and (then.state, then.said) == ("done", "Done.")
    assert not errands.knocker(booted).exists()


def test_a_steward_that_is_told_to_leave_says_where_it_was(db: sqlite3.Connection, booted: Box,
                                                           tmp_path: Path) -> None:
    errand_id = errands.ask(db, booted, "Anna", "update", {"bundle": 1}, datetime.now(UTC))
    process = begun(booted, tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    it = errands.read(db, errand_id)
    assert it and (it.state, it.said) == ("failed", errands.CUT_OFF)


def test_two_stewards_do_not_do_one_errand_twice(db: sqlite3.Connection, booted: Box, tmp_path: Path) -> None:
    errands.ask(db, booted, "Anna", "update", {"bundle": 1}, datetime.now(UTC))
    process = begun(booted, tmp_path)
    try:
        assert steward.run(booted) == 0            # at once: the other one is at it
        it = errands.latest(db)
        assert it and it.state == "running"
    finally:
        process.kill()
        process.wait()


def test_whatever_lies_where_one_knocks_is_taken_away(db: sqlite3.Connection, booted: Box) -> None:
    (errands.knocker(booted) / "deep").mkdir(parents=True)
    assert steward.run(booted) == 0
    assert not errands.knocker(booted).exists()
