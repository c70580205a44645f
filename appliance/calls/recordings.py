"""Recordings: Asterisk writes both sides raw, we make each a WAV that plays, file first and then its row."""
from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import sqlite3
import stat
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from appliance.calls import tapes
from appliance.calls.events import announce
from appliance.config import Box
from appliance.store import db as store
from appliance.store.files import write_durably

log = logging.getLogger("recordings")

RATE = 8000                       # MixMonitor's raw stream is 8 kHz signed linear whatever the codec
FRAME_BYTES = 4                   # left (the caller) and right (the staff), 16 bits each
BYTES_A_SECOND = RATE * FRAME_BYTES
STRAY_KEPT_S = 7 * 24 * 3600
RAW_NAME = re.compile(r"([0-9]{1,9})-([A-Za-z0-9.-]+)\.raw")        # the dialplan's: boot and linkedid


def keep_finished(db: sqlite3.Connection, box: Box) -> list[int]:
    """Ids of the calls whose recording is playable now.

    Takes every raw file whose call is over (also one cut in mid-call by a crash): WAV aside, flushed, renamed,
    then its row and event, then the raw file goes. Interrupted anywhere, the next run does the rest. A full
    disk keeps the raw file and stops no call.
    """
    kept = []
    for raw in sorted(box.raw_recordings.glob("*.raw")):
        row = _ended_call(db, box, raw)
        if row is None:
            _forget_stray(db, box, raw)
            continue
        try:
            if _keep(db, box, raw, row):
                kept.append(int(row["id"]))
            raw.unlink()
        except OSError as full:
            log.error("The recording of call %s waits in %s: %s. Calls go on.", row["id"], raw.parent, full.strerror)
    return kept


def _ended_call(db: sqlite3.Connection, box: Box, raw: Path) -> sqlite3.Row | None:
    name = RAW_NAME.fullmatch(raw.name)
    if name is None:
        return None
    row: sqlite3.Row | None = db.execute("""
        SELECT id, outcome, started_at, answered_at FROM call
        WHERE box = ? AND boot = ? AND linkedid = ? AND ended_at IS NOT NULL""",
        (box.name, int(name[1]), name[2])).fetchone()
    return row


def _forget_stray(db: sqlite3.Connection, box: Box, raw: Path) -> None:
    """Removes a file that belongs to no call, a week after its last byte: a power cut took the call's first row."""
    name = RAW_NAME.fullmatch(raw.name)
    with contextlib.suppress(OSError):
        if name is None or time.time() - raw.lstat().st_mtime < STRAY_KEPT_S:
            return
        if not db.execute("SELECT 1 FROM call WHERE box = ? AND boot = ? AND linkedid = ?",
                          (box.name, int(name[1]), name[2])).fetchone():
            raw.unlink()
            log.warning("%s belonged to no call and was removed.", raw.name)


def _keep(db: sqlite3.Connection, box: Box, raw: Path, call: sqlite3.Row) -> bool:
    status = raw.lstat()
    size = status.st_size // FRAME_BYTES * FRAME_BYTES if stat.S_ISREG(status.st_mode) else 0
    if size == 0:
        return False              # nobody spoke, or it is a link to something that is not Asterisk's
    started_at = call["answered_at"] or call["started_at"]
    file = Path(started_at[:7]) / f"{call['id']}.wav"
    tapes.make_month(box.recordings, started_at[:7])
    write_durably(box.recordings / file, lambda wav: _as_wav(raw, size, wav))
    with store.write(db):
        db.execute("""
            INSERT OR IGNORE INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut)
            VALUES (?, ?, ?, ?, ?, ?)""",
            (call["id"], str(file), started_at, size * 1000 // BYTES_A_SECOND, size + len(wav_header(size)),
             call["outcome"] == "interrupted"))
        announce(db, "recording", call["id"], datetime.now(UTC))
    return True


def _as_wav(raw: Path, size: int, wav: BinaryIO) -> None:
    wav.write(wav_header(size))
    with open(os.open(raw, os.O_RDONLY | os.O_NOFOLLOW), "rb") as source:
        shutil.copyfileobj(source, wav)
    wav.truncate(size + len(wav_header(size)))
    os.fchmod(wav.fileno(), 0o640)


def wav_header(data_bytes: int) -> bytes:
    """The 44 bytes before stereo 16-bit PCM at 8 kHz (RIFF WAVE, format tag 1)."""
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 2, RATE,
                       BYTES_A_SECOND, FRAME_BYTES, 16, b"data", data_bytes)
