"""How long recordings are kept, what goes when the disk is short, and what a cut left behind."""
from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from appliance import settings
from appliance.box import health
from appliance.calls import packing, recordings, retention, room, tapes
from appliance.config import Box
from appliance.people import changes
from appliance.store import db as store
from tests.unit.tape import NOW, files, row, talk, tape

DAY = timedelta(days=1)
LATER = NOW + timedelta(minutes=16)


def kept(db: sqlite3.Connection) -> list[int]:
    return [found[0] for found in db.execute("SELECT call_id FROM recording ORDER BY call_id")]


def put(db: sqlite3.Connection, **values: object) -> None:
    with store.write(db):
        for key, value in values.items():
            settings.put(db, key, value)


# --- by days ------------------------------------------------------------------------------------
def test_a_recording_goes_on_its_day_and_its_file_with_it(box: Box, db: sqlite3.Connection) -> None:
    old, young = tape(box, db, at=NOW - 91 * DAY), tape(box, db, at=NOW - 89 * DAY)
    assert retention.let_old_go(db, NOW) == 1
    assert retention.take_away(db, box, NOW) == 1
    assert kept(db) == [young] and [Path(file).stem for file in files(box)] == [str(young)] and old not in kept(db)
    assert db.execute("SELECT count(*) FROM call").fetchone()[0] == 2, "the call itself stays"


def test_a_starred_recording_stays_for_ever(box: Box, db: sqlite3.Connection) -> None:
    starred = tape(box, db, at=NOW - 4000 * DAY, starred=True)
    assert retention.let_old_go(db, NOW) == 0 and kept(db) == [starred]


def test_no_days_keep_all_of_them(box: Box, db: sqlite3.Connection) -> None:
    tape(box, db, at=NOW - 4000 * DAY)
    put(db, recording_keep_days=0)
    assert retention.let_old_go(db, NOW) == 0


def test_a_retention_of_hundreds_is_one_line_of_the_log(box: Box, db: sqlite3.Connection) -> None:
    for _ in range(retention.BATCH * 2 + 3):
        tape(box, db, at=NOW - 100 * DAY, sound=b"RIFF")
    assert retention.let_old_go(db, NOW) == retention.BATCH * 2 + 3
    line, = changes.page(db)
    assert (line.by, line.what, line.after) == ("the box", "retention", {"recordings": 103, "older_than_days": 90})


def test_a_cut_between_row_and_file_leaves_nothing_behind(box: Box, db: sqlite3.Connection) -> None:
    tape(box, db, at=NOW - 91 * DAY)
    retention.let_old_go(db, NOW)
    assert len(files(box)) == 1, "the cut comes here"
    retention.take_away(db, box, NOW)
    assert files(box) == [] and not db.execute("SELECT 1 FROM recording_gone").fetchone()


def test_a_call_that_is_forgotten_takes_its_sound_along(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    with store.write(db):
        db.execute("DELETE FROM call WHERE id = ?", (call_id,))
    retention.take_away(db, box, datetime.now(NOW.tzinfo) + timedelta(seconds=1))
    assert files(box) == []


# --- by hand ------------------------------------------------------------------------------------
def test_what_was_deleted_by_hand_can_come_back_until_its_file_goes(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db, starred=True)
    before = dict(row(db, call_id))
    with store.write(db):
        assert retention.delete(db, call_id, "Amy", NOW)
    assert kept(db) == [] and retention.take_away(db, box, NOW + timedelta(minutes=14)) == 0
    with store.write(db):
        assert retention.restore(db, call_id, "Amy", NOW + timedelta(minutes=14))
    assert dict(row(db, call_id)) == before and len(files(box)) == 1
    assert retention.take_away(db, box, LATER) == 0 and len(files(box)) == 1
    assert [(line.what, line.by) for line in changes.page(db)] == [("recording", "Amy")] * 2


def test_what_was_deleted_by_hand_is_really_gone_afterwards_with_each_copy(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    box.decoded.mkdir()
    for copy in (f"{call_id}-1-2.wav", f"{call_id}1-1-2.wav"):
        (box.decoded / copy).touch()
    with store.write(db):
        retention.delete(db, call_id, "Amy", NOW)
    assert retention.take_away(db, box, LATER) == 1
    assert files(box) == [] and [file.name for file in box.decoded.iterdir()] == [f"{call_id}1-1-2.wav"]
    with store.write(db):
        assert not retention.restore(db, call_id, "Amy", LATER)
        assert not retention.delete(db, call_id, "Amy", LATER)


# --- by room ------------------------------------------------------------------------------------
@pytest.fixture
def full(small_disk: Path, new_store: Path, tmp_path: Path) -> Iterator[tuple[Box, sqlite3.Connection]]:
    """A box on a disk of 20 MB that ten recordings of 1.5 MB fill to 80 %; the oldest has a star."""
    box = Box(state=small_disk, spool=small_disk / "spool")
    box.raw_recordings.mkdir(parents=True)
    box.recordings.mkdir()
    shutil.copy(new_store, box.store)
    db = store.connect(box.store)
    for age in range(10, 0, -1):
        tape(box, db, at=NOW - age * DAY, starred=age == 10, sound=b"RIFF" * 390_000)
    yield box, db
    db.close()


def test_the_oldest_go_when_the_disk_is_short_and_the_starred_stays(full: tuple[Box, sqlite3.Connection]) -> None:
    box, db = full
    put(db, recording_free_percent=50)
    assert retention.make_room(db, box, NOW) == 5
    assert kept(db) == [1, 7, 8, 9, 10] and len(files(box)) == 5
    assert not room.disk(box.recordings).is_short(50)
    assert changes.page(db)[0].after == {"recordings": 5, "disk_percent_free": 50}
    assert retention.make_room(db, box, NOW) == 0, "and no more than needed"


def test_with_room_enough_none_goes(full: tuple[Box, sqlite3.Connection]) -> None:
    box, db = full
    put(db, recording_free_percent=10)
    assert retention.make_room(db, box, NOW) == 0 and len(kept(db)) == 10


def test_a_starred_recording_never_goes_however_short_the_disk(full: tuple[Box, sqlite3.Connection]) -> None:
    box, db = full
    put(db, recording_free_percent=90)
    retention.make_room(db, box, NOW)
    assert kept(db) == [1]


def test_a_full_disk_records_no_call_and_a_freed_one_does(full: tuple[Box, sqlite3.Connection]) -> None:
    box, db = full
    assert room.for_recordings(box)
    disk = room.disk(box.state)
    with (box.state / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, disk.free_bytes - 500_000)
    assert disk.stops_below == disk.total_bytes // 20
    assert not room.for_recordings(box)
    tape(box, db, sound=b"")
    assert kept(db)[-1] == 11, "the store still has room to write"
    (box.state / "filler").unlink()
    assert room.for_recordings(box)


def test_sound_that_finds_no_room_waits_as_it_is_and_comes_later(full: tuple[Box, sqlite3.Connection]) -> None:
    box, db = full
    call_id = tape(box, db)
    with store.write(db):
        db.execute("DELETE FROM recording WHERE call_id = ?", (call_id,))
        db.execute("UPDATE call SET linkedid = '1.5' WHERE id = ?", (call_id,))
    raw = box.raw_recordings / "1-1.5.raw"
    raw.write_bytes(talk(30)[44:])
    with (box.state / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, room.disk(box.state).free_bytes - 200_000)
    assert recordings.keep_finished(db, box) == [] and raw.exists()
    (box.state / "filler").unlink()
    assert recordings.keep_finished(db, box) == [call_id] and not raw.exists()


@pytest.mark.parametrize(("total", "stops_below"), [(4_000_000_000, 200_000_000), (20_000_000_000, 1_000_000_000),
                                                    (2_000_000_000_000, 1_000_000_000)])
def test_the_store_keeps_a_twentieth_of_the_disk_but_at_most_a_gigabyte(total: int, stops_below: int) -> None:
    assert room.Disk(0, total).stops_below == stops_below
    assert room.Disk(stops_below, total).has_room and not room.Disk(stops_below - 1, total).has_room


def test_without_its_folders_nothing_is_recorded(tmp_path: Path) -> None:
    assert not room.for_recordings(Box(state=tmp_path / "no", spool=tmp_path / "nor"))


def told(box: Box) -> str:
    return "\n".join(health.findings(box))


def test_a_full_disk_is_a_finding_and_so_are_stars_that_fill_it(full: tuple[Box, sqlite3.Connection]) -> None:
    box, db = full
    put(db, recording_free_percent=90)
    assert "MB are free on the disk" not in told(box) and "is starred" not in told(box)
    retention.make_room(db, box, NOW)
    assert "every recording that is left is starred" in told(box)
    with (box.state / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, room.disk(box.state).free_bytes - 500_000)
    assert "Only 0 MB are free on the disk. Calls ring and are written down, but none is recorded." in told(box)


def test_recordings_without_their_file_are_a_finding(box: Box, db: sqlite3.Connection) -> None:
    for count, words in ((1, "1 recording is not on the disk"), (2, "2 recordings are not on the disk")):
        call_id = tape(box, db)
        (box.recordings / f"2026-11/{call_id}.wav").unlink()
        retention.Sweeper(box).look(db, NOW)
        assert words in told(box) and count


# --- what a cut left ----------------------------------------------------------------------------
def test_half_a_file_goes_at_the_second_look_and_a_strange_one_after_a_week(box: Box, db: sqlite3.Connection) -> None:
    mine = tape(box, db)
    month = box.recordings / "2026-11"
    for name, size in (("7.wav.tmp", 9), ("8.wav", 0), ("9.wav", 9), ("old.wav", 9)):
        (month / name).write_bytes(b"x" * size)
        os.utime(month / name, (NOW.timestamp(), NOW.timestamp()))
    os.utime(month / "old.wav", (0, 0))
    sweeper = retention.Sweeper(box)
    assert sweeper.look(db, NOW) == 0
    assert sweeper.look(db, NOW) == 3
    assert files(box) == [f"2026-11/{mine}.wav", "2026-11/9.wav"]


def test_a_file_that_grows_between_two_looks_is_somebodys(box: Box, db: sqlite3.Connection) -> None:
    file = tapes.make_month(box.recordings, "2026-11") / "7.wav.tmp"
    sweeper = retention.Sweeper(box)
    for size in (10, 20, 30):
        file.write_bytes(b"x" * size)
        assert sweeper.look(db, NOW) == 0
    assert sweeper.look(db, NOW) == 1


def test_a_row_without_its_file_is_marked_until_the_file_is_back(box: Box, db: sqlite3.Connection) -> None:
    call_id, other = tape(box, db), tape(box, db)
    file = box.recordings / f"2026-11/{call_id}.wav"
    sound = file.read_bytes()
    file.write_bytes(b"")
    sweeper = retention.Sweeper(box)
    sweeper.look(db, NOW)
    assert row(db, call_id)["is_missing"] == 1 and row(db, other)["is_missing"] == 0
    file.write_bytes(sound)
    sweeper.look(db, NOW)
    assert row(db, call_id)["is_missing"] == 0


def test_a_store_from_a_backup_finds_what_became_opus_since(box: Box, db: sqlite3.Connection) -> None:
    call_id = tape(box, db)
    backup = dict(row(db, call_id))
    found = packing.next_tape(db)
    assert found and packing.pack(db, box, found)
    retention.take_away(db, box, NOW.replace(year=2099))
    with store.write(db):
        db.execute("UPDATE recording SET file = ?, peaks = NULL, size_bytes = 1", (backup["file"],))
        db.execute("DELETE FROM recording_gone")
    sweeper = retention.Sweeper(box)
    for _ in range(2):
        sweeper.look(db, NOW)
    mended = row(db, call_id)
    assert mended["file"] == f"2026-11/{call_id}.opus" and not mended["is_missing"]
    assert mended["size_bytes"] == (box.recordings / mended["file"]).stat().st_size


def test_a_decoded_copy_goes_after_a_day(box: Box, db: sqlite3.Connection) -> None:
    box.decoded.mkdir()
    for name, age in (("1-1-1.wav", timedelta(hours=25)), ("2-1-1.wav", timedelta(hours=23))):
        (box.decoded / name).touch()
        os.utime(box.decoded / name, ((NOW - age).timestamp(),) * 2)
    retention.Sweeper(box).look(db, NOW)
    assert [file.name for file in box.decoded.iterdir()] == ["2-1-1.wav"]


# --- names that lead elsewhere ------------------------------------------------------------------
def wild_names(count: int) -> list[str]:
    """Paths that mean harm, made of the parts such paths are made of."""
    parts = ["..", ".", "", "/", "link", "linked", "folder", "1.wav", "office.db", "etc", "passwd", "\0", "…",
             "a" * 300, "%2e%2e", "..\\", "~", "*", "2026-11", "\n", "-rf", "proc", "self", "fd", "0"]
    choice = random.Random(4)
    return ["/".join(choice.choice(parts) for _ in range(choice.randint(1, 7))) for _ in range(count)]


def test_of_500_wild_names_none_opens_or_removes_anything_outside(box: Box) -> None:
    outside = box.state / "office.db"
    outside.write_bytes(b"secret")
    (box.recordings / "folder").mkdir()
    inside = box.recordings / "1.wav"
    os.symlink(outside, box.recordings / "link")
    os.symlink(box.state, box.recordings / "linked")
    opened = 0
    for name in [*wild_names(500), "linked/office.db", "link", "../office.db", "folder/../../office.db", str(outside)]:
        inside.write_bytes(b"mine")
        descriptor = tapes.open_beneath(box.recordings, name)
        if descriptor is not None:
            assert os.read(descriptor, 99) == b"mine", name
            os.close(descriptor)
            opened += 1
        tapes.remove_beneath(box.recordings, name)
        assert outside.read_bytes() == b"secret", name
        assert (box.recordings / "folder").is_dir() and Path("/etc/passwd").exists()
        if not (box.recordings / "linked").is_symlink():
            os.symlink(box.state, box.recordings / "linked")
        if not (box.recordings / "link").is_symlink():
            os.symlink(outside, box.recordings / "link")
    assert opened, "some of them are harmless and name the recording"
