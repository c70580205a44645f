"""A WAV becomes Opus with its picture: crash by crash, and not while calls are many."""
from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.calls import opus, packing, peaks, retention
from appliance.calls.archive import Archive
from appliance.calls.recordings import wav_header
from appliance.config import Box
from appliance.store import db as store
from tests.browser.sound import apart_db
from tests.unit.tape import CALLER_HZ, NOW, STAFF_HZ, add_call, files, heard, row, talk, tape

pytestmark = pytest.mark.xdist_group("opusenc")     # they look at every encoder there is


def packed(box: Box, db: sqlite3.Connection) -> bool:
    found = packing.next_tape(db)
    assert found is not None
    return packing.pack(db, box, found)


def until(ask: Callable[[], object], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not ask():
        assert time.monotonic() < end, f"not within {limit_s} s"
        time.sleep(0.02)


def test_a_recording_becomes_opus_of_the_same_length_with_its_sides_apart(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db, 6.0)
    wav = (box.recordings / row(db, call_id)["file"]).read_bytes()
    assert packed(box, db)
    kept, file = row(db, call_id), box.recordings / f"2026-11/{call_id}.opus"
    assert kept["file"] == f"2026-11/{call_id}.opus" and kept["duration_ms"] == 6000
    assert kept["size_bytes"] == file.stat().st_size < len(wav) / 3
    assert file.stat().st_mode & 0o777 == 0o640
    assert min(apart_db(heard(file), CALLER_HZ, STAFF_HZ)) > 30
    assert len(heard(file)) == len(wav), "not a sample more or less"


def test_the_wav_goes_once_the_row_names_the_opus(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    packed(box, db)
    assert files(box) == [f"2026-11/{call_id}.opus", f"2026-11/{call_id}.wav"]
    assert retention.take_away(db, box, NOW.replace(year=2099)) == 1
    assert files(box) == [f"2026-11/{call_id}.opus"]


def test_the_picture_has_the_caller_first_and_the_staff_second(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    packed(box, db)
    caller, staff = peaks.sides(row(db, call_id)["peaks"])
    assert len(caller) == len(staff) == peaks.BARS
    assert min(caller[:95]) > 55 and max(caller[105:]) == 0
    assert max(staff[:95]) == 0 and min(staff[105:]) > 55


@pytest.mark.parametrize(("frames", "bars"), [(0, 0), (1, 1), (199, 199), (200, 200), (50_000, 200)])
def test_a_picture_has_as_many_bars_as_there_is_sound_for(tmp_path: Path, frames: int, bars: int) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"\xff\x7f\x00\x80" * frames)
    with file.open("rb") as sound:
        assert peaks.of(sound, frames) == b"\xff\xff" * bars


# --- cut at each step ---------------------------------------------------------------------------
CUT = """
import os, sys
from pathlib import Path
from appliance.calls import opus, packing, tapes
from appliance.config import Box
from appliance.store import db as store
state, step = Path(sys.argv[1]), sys.argv[2]
box = Box(state=state)
db = store.connect(box.store)

def cut(*_):
    os.kill(os.getpid(), 9)

def before(module, name):
    setattr(module, name, cut)

def after(module, name):
    whole = getattr(module, name)
    def then(*given, **named):
        whole(*given, **named)
        cut()
    setattr(module, name, then)

{"encoding begins": lambda: before(opus, "encode"), "it is encoded": lambda: after(opus, "encode"),
 "it is flushed": lambda: after(packing, "_flush"), "it is renamed": lambda: before(packing, "flush_folder"),
 "its folder is flushed": lambda: after(packing, "flush_folder"), "its row is written": lambda: None}[step]()
packing.pack(db, box, packing.next_tape(db))
cut()
"""
STEPS = ["encoding begins", "it is encoded", "it is flushed", "it is renamed", "its folder is flushed",
         "its row is written"]


@pytest.mark.parametrize("step", STEPS)
def test_a_cut_when(box: Box, db: sqlite3.Connection, step: str) -> None:
    """…loses nothing: the row names a file that plays, and the next run leaves one file and no crumb."""
    call_id = tape(box, db, 3.0)
    ended = subprocess.run([sys.executable, "-c", CUT, str(box.state), step], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    named = box.recordings / row(db, call_id)["file"]
    assert (heard(named) if named.suffix == ".opus" else named.read_bytes())[:4] == b"RIFF"
    if row(db, call_id)["peaks"] is None:
        assert packed(box, db)
    retention.take_away(db, box, NOW.replace(year=2099))
    assert files(box) == [f"2026-11/{call_id}.opus"]
    assert min(apart_db(heard(box.recordings / files(box)[0]), CALLER_HZ, STAFF_HZ)) > 30


def test_a_full_disk_in_the_middle_leaves_the_wav(small_disk: Path, new_store: Path, tmp_path: Path) -> None:
    box = Box(state=small_disk, spool=tmp_path)
    box.recordings.mkdir()
    shutil.copy(new_store, box.store)
    db = store.connect(box.store)
    call_id = tape(box, db, 20.0)
    fill(small_disk, 20_000)
    with pytest.raises((opus.OpusError, OSError)):
        packed(box, db)
    assert files(box) == [f"2026-11/{call_id}.wav"] and row(db, call_id)["file"].endswith(".wav")
    (small_disk / "filler").unlink()
    assert packed(box, db), "once there is room it goes on"
    db.close()


def test_what_is_no_wav_of_ours_stays_as_it_is(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db, sound=b"what is this" * 99)
    with pytest.raises(opus.OpusError):
        packed(box, db)
    assert row(db, call_id)["peaks"] is None and files(box) == [f"2026-11/{call_id}.wav"]


def test_an_encoder_that_made_less_than_there_was_is_not_believed(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db, 30.0, sound=talk(2.0))
    with pytest.raises(opus.OpusError, match="2000 ms came of 30000 ms"):
        packed(box, db)
    assert row(db, call_id)["file"].endswith(".wav") and files(box) == [f"2026-11/{call_id}.wav"]


def test_a_recording_deleted_while_it_was_encoded_does_not_come_back(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    found = packing.next_tape(db)
    assert found is not None
    other = store.connect(box.store)
    with store.write(other):
        retention.delete(other, call_id, "Amy", NOW)
    assert not packing.pack(db, box, found)
    assert files(box) == [f"2026-11/{call_id}.wav"] and row(db, call_id) is None


def test_a_file_that_is_gone_is_told_and_stops_no_other(box: Box, db: sqlite3.Connection) -> None:
    first, second = tape(box, db), tape(box, db)
    (box.recordings / f"2026-11/{second}.wav").unlink()
    assert not packed(box, db)
    assert row(db, second)["is_missing"] == 1
    assert packed(box, db) and row(db, first)["peaks"]


@pytest.mark.parametrize("content", [b"", b"OggS", b"OggS" + b"\0" * 60, b"RIFF" * 99,
                                     b"OggS" + b"\0" * 24 + b"OpusHead"])
def test_what_is_no_whole_opus_has_no_length(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with (tmp_path / "x").open("rb") as file:
        assert opus.length_ms(file) is None


def test_an_opus_that_was_cut_short_is_not_taken_for_whole(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db, 8.0)
    packed(box, db)
    file = box.recordings / row(db, call_id)["file"]
    whole = file.read_bytes()
    with file.open("rb") as made:
        assert opus.length_ms(made) == 8000
    for left in (len(whole) - 1, len(whole) // 2, 100):
        file.write_bytes(whole[:left])
        with file.open("rb") as made:
            assert opus.length_ms(made) != 8000


# --- beside the calls ---------------------------------------------------------------------------
def test_nothing_is_encoded_while_calls_are_many(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    live = [add_call(db, is_live=True) for _ in range(packing.MOST_LIVE + 1)]
    archive = Archive(box)
    assert not archive.step(db, NOW) and row(db, call_id)["peaks"] is None
    with store.write(db):
        db.execute("UPDATE call SET ended_at = started_at, outcome = 'answered' WHERE id = ?", (live[0],))
    assert archive.step(db, NOW) and row(db, call_id)["file"].endswith(".opus")


def states(tool: str) -> list[str]:
    """The state letters of every process of that name."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                pid, _, rest = (entry / "stat").read_text().partition(" (")
            except OSError:
                continue
            name, _, fields = rest.rpartition(") ")
            if name == tool:
                found.append(fields[0])
    return found


def test_an_encoder_stands_still_while_calls_become_many_and_then_goes_on(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db, 1200.0, sound=long_talk())
    archive = Archive(box)
    live: list[int] = []
    archive.start()
    try:
        until(lambda: states("opusenc"))
        live += [add_call(db, is_live=True) for _ in range(packing.MOST_LIVE + 1)]
        until(lambda: states("opusenc") == ["T"])
        assert not archive.is_stuck()
        with store.write(db):
            db.execute("UPDATE call SET ended_at = started_at, outcome = 'answered' WHERE ended_at IS NULL")
        until(lambda: states("opusenc") != ["T"])
    finally:
        archive.stop()
    assert states("opusenc") == [], "it ends with the clock"
    assert row(db, call_id)["file"].endswith(".wav") and files(box) == [f"2026-11/{call_id}.wav"]


def test_the_encoder_is_idle_in_processor_and_disk(box: Box, db: sqlite3.Connection) -> None:
    tape(box, db, 1200.0, sound=long_talk())
    found = packing.next_tape(db)
    assert found is not None
    nice: list[int] = []

    class Enough(Exception):
        pass

    def look(tool: subprocess.Popen[bytes] | None) -> None:
        if tool:
            nice.append(os.getpriority(os.PRIO_PROCESS, tool.pid))
            if nice[-1] == 19:
                raise Enough
    with pytest.raises(Enough):
        packing.pack(db, box, found, look)
    assert nice[-1] == 19 and not list(box.recordings.rglob("*.tmp"))


def test_the_archive_does_its_work_by_itself_and_stops_when_told(box: Box, db: sqlite3.Connection) -> None:
    first, second = tape(box, db), tape(box, db)
    archive = Archive(box)
    archive.start()
    until(lambda: row(db, first)["file"].endswith(".opus") and row(db, second)["file"].endswith(".opus"))
    archive.stop()
    assert not archive.is_alive() and threading.active_count() < 20


def long_talk() -> bytes:
    """Twenty minutes: some seconds of work."""
    sound = talk(4.0)[44:] * 300
    return wav_header(len(sound)) + sound


def fill(folder: Path, leave_bytes: int) -> None:
    """Fills the disk but for so many bytes."""
    free = os.statvfs(folder)
    with (folder / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free.f_bavail * free.f_frsize - leave_bytes)
