"""What is recorded: both sides apart, from the answer on, also when Asterisk is cut."""
from __future__ import annotations

import os
import struct
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pbx.box import wait
from tests.pbx.office import Office
from tests.sip import RING, Leg, State, answer, linear, share_of
from tests.sip_sound import tone

CALLER_HZ, STAFF_HZ = 440, 1000


@pytest.fixture
def recording_office(office: Office) -> Iterator[Office]:
    office.set(record_calls=True)
    yield office
    office.set(record_calls=False)


def talk(office: Office, seconds: float) -> Leg:
    """A caller and the counter, both humming, once the counter has heard that much."""
    office.phones_will(answer(tone_hz=STAFF_HZ), RING)
    caller = office.line.call(office.mobile(), tone_hz=CALLER_HZ).until(State.TALKING)
    staff = office.counter.next_leg()
    wait(lambda: len(staff.sound.heard) >= 8000 * seconds, 15 + seconds, f"{seconds} s of talk")
    return caller


def sides(file: Path) -> tuple[list[int], list[int]]:
    """Left and right samples, without the first and last fifth of a second."""
    with wave.open(str(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (2, 2, 8000)
        samples = struct.unpack(f"<{sound.getnframes() * 2}h", sound.readframes(sound.getnframes()))
    return list(samples[0::2])[1600:-1600], list(samples[1::2])[1600:-1600]


def sox_says(file: Path) -> str:
    return subprocess.run(["sox", "--i", str(file)], capture_output=True, text=True, check=True).stdout


def test_the_caller_is_on_the_left_and_the_staff_on_the_right(recording_office: Office) -> None:
    office = recording_office
    talk(office, 2).hang_up()
    call = office.call()
    recording = office.recording(call["id"])
    file = office.box.recordings / recording["file"]
    left, right = sides(file)
    assert share_of(left, CALLER_HZ) > 0.9 > 0.01 > share_of(left, STAFF_HZ)
    assert share_of(right, STAFF_HZ) > 0.9 > 0.01 > share_of(right, CALLER_HZ)
    assert 1500 <= recording["duration_ms"] <= 6000 and not recording["is_cut"]
    assert recording["size_bytes"] == file.stat().st_size
    assert "Channels       : 2" in sox_says(file)
    assert office.events(call["id"])[-1] == "recording"
    assert not list(office.box.raw_recordings.iterdir()), "the raw file was left behind"


def test_a_tone_with_late_packets_is_told_from_another() -> None:
    hum = [linear(byte) for byte in tone(CALLER_HZ)]
    skipped = hum[:3000] + [0] * 160 + hum[3009:7000] + hum[7013:]
    assert share_of(skipped, CALLER_HZ) > 0.9 > 0.01 > share_of(skipped, STAFF_HZ)
    mixed = [(one + two) // 2 for one, two in zip(hum, (linear(byte) for byte in tone(STAFF_HZ)), strict=True)]
    assert 0.4 < share_of(mixed, CALLER_HZ) < 0.6


def test_the_ringing_is_not_recorded(recording_office: Office) -> None:
    office = recording_office
    office.phones_will(answer(after_s=2.0, tone_hz=STAFF_HZ), RING)
    caller = office.line.call(office.mobile(), tone_hz=CALLER_HZ).until(State.TALKING)
    staff = office.counter.next_leg()
    wait(lambda: len(staff.sound.heard) >= 8000, 15, "a second of talk")
    caller.hang_up()
    call = office.call()
    assert call["ring_ms"] >= 1900 and office.recording(call["id"])["duration_ms"] <= call["talk_ms"] + 300


def test_a_missed_call_leaves_no_recording(recording_office: Office) -> None:
    office = recording_office
    call = office.missed(office.mobile())
    office.settle()
    wait(lambda: not list(office.box.raw_recordings.iterdir()), what="the empty file to be taken away")
    assert office.db.execute("SELECT count(*) FROM recording WHERE call_id = ?", (call["id"],)).fetchone()[0] == 0


def test_nothing_is_recorded_unless_the_office_wants_it(office: Office) -> None:
    talk(office, 0.5).hang_up()
    call = office.call()
    assert "recording" not in office.events(call["id"])
    assert not list(office.box.raw_recordings.iterdir())


def test_a_recording_cut_by_a_killed_asterisk_still_plays(recording_office: Office) -> None:
    office = recording_office
    caller = talk(office, 3)
    office.asterisk.kill()
    caller.drop()
    office.asterisk_again()
    call = office.call(30)
    assert call["outcome"] == "interrupted"
    recording = office.recording(call["id"])
    file = office.box.recordings / recording["file"]
    assert recording["is_cut"] and recording["duration_ms"] >= 1000
    assert "Channels       : 2" in sox_says(file)
    left, right = sides(file)
    assert share_of(left, CALLER_HZ) > 0.9 and share_of(right, STAFF_HZ) > 0.9


def test_a_call_that_ends_while_the_daemon_is_dead_keeps_its_recording(recording_office: Office) -> None:
    office = recording_office
    caller = talk(office, 1)
    office.daemon.kill()
    caller.hang_up()
    office.counter.legs[0].until(State.ENDED)
    office.daemon.start()
    call = office.call()
    assert office.recording(call["id"])["duration_ms"] >= 500
    assert office.events(call["id"]).count("recording") == 1


@pytest.fixture
def small_spool(recording_office: Office) -> Iterator[Path]:
    """Asterisk writes its recordings to a disk of a megabyte."""
    folder = recording_office.box.raw_recordings
    asterisk, group = folder.stat().st_uid, folder.stat().st_gid
    small = f"size=1m,mode=2770,uid={asterisk},gid={group}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", small, "tmpfs", str(folder)]).returncode:
        pytest.skip("this kernel lets us mount no disk of our own")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def leave(folder: Path, free_bytes: int) -> None:
    """Fills the disk but for so many bytes."""
    told = os.statvfs(folder)
    with (folder / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, told.f_bavail * told.f_frsize - free_bytes)


def test_a_full_disk_records_nothing_and_the_call_is_as_ever(recording_office: Office, small_spool: Path) -> None:
    office = recording_office
    leave(small_spool, 20_000)
    talk(office, 0.5).hang_up()
    call = office.call()
    assert call["outcome"] == "answered" and "recording" not in office.events(call["id"])
    assert [file.name for file in small_spool.iterdir()] == ["filler"]


def test_a_disk_that_fills_in_the_middle_cuts_the_recording_and_not_the_call(recording_office: Office,
                                                                            small_spool: Path) -> None:
    office = recording_office
    leave(small_spool, 100_000)                        # three seconds of both sides
    caller = talk(office, 6)
    assert caller.state is State.TALKING
    caller.hang_up()
    call = office.call()
    assert call["outcome"] == "answered" and call["talk_ms"] >= 5500
    assert 1000 <= office.recording(call["id"])["duration_ms"] <= 4000


def samples(heard: bytes) -> list[int]:
    return [linear(byte) for byte in heard]


def test_both_hear_that_the_call_is_recorded_before_anything_is(recording_office: Office) -> None:
    office = recording_office
    office.set(recording_notice=True)
    try:
        office.phones_will(answer(tone_hz=STAFF_HZ), RING)
        caller = office.line.call(office.mobile(), tone_hz=CALLER_HZ).until(State.TALKING)
        since, staff = len(caller.sound.heard), office.counter.next_leg()
        wait(lambda: len(staff.sound.heard) >= 8000 * 6 and len(caller.sound.heard) - since >= 8000 * 5, 30, "talk")
        caller.hang_up()
    finally:
        office.set(recording_notice=False)
    for heard, other_hz in ((samples(bytes(caller.sound.heard[since:])), STAFF_HZ),
                            (samples(bytes(staff.sound.heard)), CALLER_HZ)):
        loud = [sample for sample in heard[:16000] if abs(sample) > 1000]
        assert len(loud) > 800 and share_of(heard[:10000], other_hz) < 0.5, "a voice, and not the other one's"
        assert share_of(heard[-8000:], other_hz) > 0.9, "then the two are together"
    call = office.call()
    left, right = sides(office.box.recordings / office.recording(call["id"])["file"])
    assert share_of(left, CALLER_HZ) > 0.9 and share_of(right, STAFF_HZ) > 0.9, "the sentence itself is not recorded"
    assert call["outcome"] == "answered"


def test_a_caller_nobody_answers_hears_no_sentence_and_is_missed(recording_office: Office) -> None:
    office = recording_office
    office.set(recording_notice=True)
    try:
        assert office.missed(office.mobile())["outcome"] == "missed"
    finally:
        office.set(recording_notice=False)
