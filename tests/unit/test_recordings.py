"""Recordings: Asterisk's raw sound becomes a WAV that plays, or stays where it was."""
from __future__ import annotations

import logging
import os
import resource
import sqlite3
import stat
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.box import box_file
from appliance.calls import recordings
from appliance.config import Box
from appliance.store import db as store
from appliance.store.files import write_durably

CALLER, STAFF = 1000, -2000           # what the left and the right side say, as samples


def sound(seconds: float) -> bytes:
    return struct.pack("<hh", CALLER, STAFF) * round(seconds * 8000)


def add_call(db: sqlite3.Connection, linkedid: str = "1.0", boot: int = 1, outcome: str | None = "answered") -> int:
    with store.write(db):
        return int(db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, answered_at,
                              ended_at, outcome, is_clock_set)
            VALUES ('box1', ?, ?, 'in', '7', 'allowed', '2026-11-21T20:10:23.000Z', '2026-11-21T20:10:26.000Z', ?, ?, 1)
            RETURNING id""", (boot, linkedid, outcome and "2026-11-21T20:11:00.000Z", outcome)).fetchone()["id"])


def raw(box: Box, content: bytes, name: str = "1-1.0.raw") -> Path:
    file = box.raw_recordings / name
    file.write_bytes(content)
    return file


def recorded(db: sqlite3.Connection) -> list[dict[str, object]]:
    return [dict(row) for row in db.execute("""
        SELECT call_id, file, started_at, duration_ms, size_bytes, is_cut FROM recording ORDER BY call_id""")]


def told(db: sqlite3.Connection) -> list[str]:
    return [row["kind"] for row in db.execute("SELECT kind FROM event ORDER BY id")]


def test_a_recording_plays_with_the_caller_left_and_the_staff_right(box: Box, db: sqlite3.Connection) -> None:
    call_id = add_call(db)
    file = raw(box, sound(2.5))
    assert recordings.keep_finished(db, box) == [call_id]
    assert recorded(db) == [{"call_id": call_id, "file": "2026-11/1.wav", "started_at": "2026-11-21T20:10:26.000Z",
                             "duration_ms": 2500, "size_bytes": 80044, "is_cut": 0}]
    kept = box.recordings / "2026-11/1.wav"
    with wave.open(str(kept)) as wav:
        assert wav.getparams()[:4] == (2, 2, 8000, 20000)
        assert wav.readframes(20000) == sound(2.5)
    assert kept.stat().st_size == 80044
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert told(db) == ["recording"]
    assert not file.exists()
    assert not list(box.recordings.rglob("*.tmp"))


@pytest.mark.parametrize("extra", [1, 2, 3])
def test_a_torn_last_sample_is_left_out(box: Box, db: sqlite3.Connection, extra: int) -> None:
    add_call(db)
    raw(box, sound(1) + b"\x7f" * extra)
    recordings.keep_finished(db, box)
    with wave.open(str(box.recordings / "2026-11/1.wav")) as wav:
        assert wav.readframes(99999) == sound(1)
    assert recorded(db)[0]["size_bytes"] == 32044


def test_a_call_that_was_cut_plays_too_and_says_so(box: Box, db: sqlite3.Connection) -> None:
    add_call(db, outcome="interrupted")
    raw(box, sound(1))
    recordings.keep_finished(db, box)
    assert recorded(db)[0]["is_cut"] == 1


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x00\x00\x00"])
def test_where_nobody_spoke_there_is_no_recording(box: Box, db: sqlite3.Connection, content: bytes) -> None:
    add_call(db)
    file = raw(box, content)
    assert recordings.keep_finished(db, box) == []
    assert recorded(db) == [] and told(db) == []
    assert not file.exists()


def test_a_call_that_lives_is_left_alone(box: Box, db: sqlite3.Connection) -> None:
    add_call(db, outcome=None)
    file = raw(box, sound(1))
    assert recordings.keep_finished(db, box) == []
    assert file.read_bytes() == sound(1)


NAMES = ["notes.txt", "x.raw", "-1.0.raw", "1-.raw", "1-9.9.raw", "2-1.0.raw", "9" * 40 + "-1.0.raw", "٣-1.0.raw",
         "1-1.0.raw.bak", "1- .raw", ".raw", "1-1.0;x.raw"]


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"1-\xff.raw")], ids=repr)
def test_a_file_that_is_no_calls_is_left_alone_and_stops_no_other(
        box: Box, db: sqlite3.Connection, name: str) -> None:
    call_id = add_call(db)
    stranger = raw(box, b"what is this", name)
    raw(box, sound(1))
    assert recordings.keep_finished(db, box) == [call_id]
    assert stranger.read_bytes() == b"what is this"


def test_a_folder_in_a_files_place_stops_no_other(box: Box, db: sqlite3.Connection,
                                                  caplog: pytest.LogCaptureFixture) -> None:
    add_call(db)
    (box.raw_recordings / "1-1.0.raw").mkdir()
    later = add_call(db, "2.0")
    raw(box, sound(1), "1-2.0.raw")
    assert recordings.keep_finished(db, box) == [later]
    assert "Calls go on." in caplog.text


def test_a_link_in_a_files_place_brings_nothing_foreign_to_the_page(box: Box, db: sqlite3.Connection) -> None:
    add_call(db)
    foreign = box.state / "foreign"
    foreign.write_bytes(b"not for the page" * 100)
    (box.raw_recordings / "1-1.0.raw").symlink_to(foreign)
    assert recordings.keep_finished(db, box) == []
    assert recorded(db) == [] and not list(box.recordings.rglob("*.wav"))
    assert foreign.exists() and not (box.raw_recordings / "1-1.0.raw").is_symlink()


def test_the_same_ids_after_a_restart_are_two_recordings(box: Box, db: sqlite3.Connection) -> None:
    first, second = add_call(db, boot=1), add_call(db, boot=2)
    raw(box, sound(1), "1-1.0.raw")
    raw(box, sound(2), "2-1.0.raw")
    assert recordings.keep_finished(db, box) == [first, second]
    assert [row["duration_ms"] for row in recorded(db)] == [1000, 2000]


def test_a_second_look_does_nothing(box: Box, db: sqlite3.Connection) -> None:
    add_call(db)
    raw(box, sound(1))
    recordings.keep_finished(db, box)
    before = (box.recordings / "2026-11/1.wav").stat()
    assert recordings.keep_finished(db, box) == []
    assert (box.recordings / "2026-11/1.wav").stat().st_mtime_ns == before.st_mtime_ns
    assert told(db) == ["recording"]


def test_a_box_that_stopped_before_the_row_has_all_after_the_next_look(box: Box, db: sqlite3.Connection) -> None:
    add_call(db)
    file = raw(box, sound(1))
    db.execute("CREATE TEMP TRIGGER gone BEFORE INSERT ON recording BEGIN SELECT RAISE(ABORT, 'power cut'); END")
    with pytest.raises(sqlite3.Error, match="power cut"):
        recordings.keep_finished(db, box)
    assert file.exists() and recorded(db) == [] and told(db) == []
    db.execute("DROP TRIGGER gone")
    assert recordings.keep_finished(db, box) == [1]
    assert len(recorded(db)) == 1 and told(db) == ["recording"]


def test_a_box_that_stopped_before_the_raw_file_went_tells_nobody_twice(box: Box, db: sqlite3.Connection) -> None:
    add_call(db)
    raw(box, sound(1))
    recordings.keep_finished(db, box)
    file = raw(box, sound(1))
    recordings.keep_finished(db, box)
    assert len(recorded(db)) == 1 and told(db) == ["recording"]
    assert not file.exists()


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writing beyond this fails in the middle of a file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_the_raw_file_and_stops_no_other(
        box: Box, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture) -> None:
    add_call(db)
    short = add_call(db, "2.0")
    file = raw(box, sound(120))
    raw(box, sound(1), "1-2.0.raw")
    with largest_file(2_000_000):
        assert recordings.keep_finished(db, box) == [short]
    assert file.read_bytes() == sound(120)
    assert not list(box.recordings.rglob("*1.wav*")), "half a file would only take more of the disk"
    assert any("The recording of call 1 waits in" in line and "Calls go on." in line for line in caplog.messages)
    assert recordings.keep_finished(db, box) == [1]


def test_a_missing_folder_keeps_the_raw_file(box: Box, db: sqlite3.Connection) -> None:
    add_call(db)
    file = raw(box, sound(1))
    box.recordings.rmdir()
    assert recordings.keep_finished(db, box) == []
    assert file.exists() and recorded(db) == []


def test_no_folder_of_raw_files_is_no_recording(box: Box, db: sqlite3.Connection) -> None:
    box.raw_recordings.rmdir()
    assert recordings.keep_finished(db, box) == []


def test_the_log_names_no_caller(box: Box, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    add_call(db)
    raw(box, sound(0.1))
    recordings.keep_finished(db, box)
    assert "+49" not in caplog.text


# --- files that survive a power cut ---------------------------------------------------------------


def test_a_file_is_put_in_its_place_whole(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_durably(file, b"one")
    write_durably(file, lambda out: out.writelines([b"t", b"wo"]))
    assert file.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [file]


def test_a_writer_that_fails_leaves_the_old_file_and_no_crumbs(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_durably(file, b"old")

    def half(out: BinaryIO) -> None:
        out.write(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_durably(file, half)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_who_lays_a_link_where_a_file_is_written_aside_leads_nobody_elsewhere(tmp_path: Path) -> None:
    """Root writes in folders of the pages: it must not write through what they lay there."""
    file, elsewhere = tmp_path / "a", tmp_path / "roots"
    elsewhere.write_bytes(b"root's")
    (tmp_path / "a.tmp").symlink_to(elsewhere)
    write_durably(file, b"new")
    assert elsewhere.read_bytes() == b"root's"
    assert file.read_bytes() == b"new" and not file.is_symlink()


def test_a_file_for_everybody_is_readable_from_the_moment_it_is_there(tmp_path: Path,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start runs with a mask for root alone, and a cut may come right behind the new name."""
    before = os.umask(0o077)
    try:
        monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("only once it had its name"))
        box_file.write(tmp_path / "box.toml", {})
        write_durably(tmp_path / "roots", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "box.toml").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "roots").stat().st_mode) == 0o600


def test_sound_that_belongs_to_no_call_is_let_go_after_a_week(box: Box, db: sqlite3.Connection) -> None:
    add_call(db, linkedid="2.0", outcome=None)
    stray, fresh, living = raw(box, sound(1)), raw(box, sound(1), "1-1.1.raw"), raw(box, sound(1), "1-2.0.raw")
    for file in (stray, living):
        os.utime(file, (0, 0))
    assert recordings.keep_finished(db, box) == []
    assert not stray.exists() and fresh.exists() and living.exists()
