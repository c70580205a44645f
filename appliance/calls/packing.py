"""A WAV becomes Opus and gets its picture, while nobody needs the processor; interrupted anywhere, nothing is lost."""
from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from appliance.calls import opus, peaks, tapes
from appliance.calls.recordings import FRAME_BYTES, wav_header
from appliance.config import Box
from appliance.store import db as store
from appliance.store.files import flush_folder

log = logging.getLogger("recordings")

MOST_LIVE = 2                     # with more calls than this at once the processor is theirs
HEADER_BYTES = len(wav_header(0))

Breathe = Callable[["Popen[bytes] | None"], None]


@dataclass(frozen=True)
class Tape:
    """A recording that is still a WAV."""
    call_id: int
    file: str
    duration_ms: int


def next_tape(db: sqlite3.Connection, without: frozenset[int] = frozenset()) -> Tape | None:
    """The newest recording that waits, leaving out those that could not be made smaller before."""
    rows = db.execute("""
        SELECT call_id, file, duration_ms FROM recording
        WHERE peaks IS NULL AND is_missing = 0 AND file LIKE '%.wav'
        ORDER BY call_id DESC LIMIT ?""", (len(without) + 1,))
    return next((Tape(*row) for row in rows if row["call_id"] not in without), None)


def are_calls_many(db: sqlite3.Connection) -> bool:
    return int(db.execute("SELECT count(*) FROM call WHERE ended_at IS NULL").fetchone()[0]) > MOST_LIVE


def pack(db: sqlite3.Connection, box: Box, tape: Tape, breathe: Breathe = lambda tool: None) -> bool:
    """Whether the recording is Opus now and has its picture.

    The picture, then the new file aside, checked, flushed and renamed, then the row; the trigger of the row hands the
    old file to those that are taken away. Raises opus.OpusError or OSError, and everything is as it was.
    """
    sound = tapes.open_beneath(box.recordings, tape.file)
    if sound is None:
        _is_missing(db, tape)
        return False
    with open(sound, "rb") as wav:
        frames = (os.fstat(wav.fileno()).st_size - HEADER_BYTES) // FRAME_BYTES
        if not wav.read(HEADER_BYTES).startswith(b"RIFF"):
            raise opus.OpusError(f"{tape.file} is no WAV of ours")
        bars = peaks.of(wav, frames, lambda: breathe(None))
        os.lseek(wav.fileno(), 0, os.SEEK_SET)
        smaller = str(Path(tape.file).with_suffix(".opus"))
        whole = box.recordings / smaller
        aside = whole.with_name(whole.name + ".tmp")
        try:
            opus.encode(wav, aside, tape.duration_ms, breathe)
            aside.chmod(0o640)
            _flush(aside)
            size = aside.stat().st_size
            aside.rename(whole)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    flush_folder(whole.parent)
    with store.write(db):
        is_there = db.execute("""
            UPDATE recording SET file = ?, size_bytes = ?, peaks = ?
            WHERE call_id = ? AND file = ?""", (smaller, size, bars, tape.call_id, tape.file)).rowcount == 1
    if not is_there:               # it was deleted meanwhile
        tapes.remove_beneath(box.recordings, smaller)
    return is_there


def _is_missing(db: sqlite3.Connection, tape: Tape) -> None:
    with store.write(db):
        db.execute("UPDATE recording SET is_missing = 1 WHERE call_id = ? AND file = ?", (tape.call_id, tape.file))
    log.error("The recording of call %d is not on the disk any more (%s).", tape.call_id, tape.file)


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
