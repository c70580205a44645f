"""Recordings of made-up talk, as the calls daemon leaves them."""
from __future__ import annotations

import array
import math
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from appliance.calls import tapes
from appliance.calls.recordings import wav_header
from appliance.config import Box
from appliance.store import db as store

RATE = 8000
CALLER_HZ, STAFF_HZ = 440, 1000
NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)


def talk(seconds: float) -> bytes:
    """A WAV: the caller hums in the first half, the staff in the second."""
    frames, samples = round(seconds * RATE), array.array("h")
    for place in range(frames):
        is_caller = place < frames // 2
        hertz = CALLER_HZ if is_caller else STAFF_HZ
        level = round(8000 * math.sin(2 * math.pi * hertz * place / RATE))
        samples.extend((level, 0) if is_caller else (0, level))
    return wav_header(frames * 4) + samples.tobytes()


def add_call(db: sqlite3.Connection, at: datetime = NOW, is_live: bool = False, number: str = "+491701234567") -> int:
    """A call with that start; it talks still when it is live."""
    over = None if is_live else store.iso(at)
    with store.write(db):
        return int(db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, extension,
                              started_at, answered_at, ended_at, outcome, is_clock_set)
            VALUES ('box1', 1, lower(hex(randomblob(8))), 'line1', 'in', ?, ?, 'allowed', '101', ?, ?, ?, ?, 1)
            RETURNING id""",
            (number, number, store.iso(at), store.iso(at), over, over and "answered")).fetchone()["id"])


def tape(box: Box, db: sqlite3.Connection, seconds: float = 2.0, at: datetime = NOW, starred: bool = False,
         sound: bytes | None = None) -> int:
    """The id of a call whose recording is a WAV that plays."""
    call_id = add_call(db, at)
    sound = talk(seconds) if sound is None else sound
    month = store.iso(at)[:7]
    (tapes.make_month(box.recordings, month) / f"{call_id}.wav").write_bytes(sound)
    with store.write(db):
        db.execute("""
            INSERT INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut, is_starred)
            VALUES (?, ?, ?, ?, ?, 0, ?)""",
            (call_id, f"{month}/{call_id}.wav", store.iso(at), round(seconds * 1000), len(sound), starred))
    return call_id


def row(db: sqlite3.Connection, call_id: int) -> sqlite3.Row:
    found: sqlite3.Row = db.execute("SELECT * FROM recording WHERE call_id = ?", (call_id,)).fetchone()
    return found


def files(box: Box) -> list[str]:
    """Every file below the folder of the recordings."""
    return sorted(str(file.relative_to(box.recordings)) for file in box.recordings.rglob("*") if file.is_file())


def heard(opus: Path) -> bytes:
    """A WAV of what an Opus file holds."""
    told = subprocess.run(["opusdec", "--quiet", "--rate", "8000", str(opus), "-"], capture_output=True, check=True)
    return wav_header(len(told.stdout)) + told.stdout
