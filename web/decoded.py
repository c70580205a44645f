"""Copies of recordings for browsers that cannot play Opus (Safari before 18.4): made when asked for, kept a day."""
from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from appliance.calls import opus, room
from appliance.calls.recordings import wav_header
from appliance.calls.tapes import open_beneath
from appliance.config import Box

MOST_BYTES = 500_000_000          # four hours and a third
_one_at_a_time = threading.Lock()        # decoding takes 15 s of processor an hour of talk: calls come first


def copy_of(box: Box, call_id: int, opus_file: int, most_bytes: int = MOST_BYTES) -> int:
    """A descriptor of the WAV that an Opus file is when decoded; the same one again while nothing changed.

    Raises opus.OpusError for a file that cannot be played, OSError when the disk has no room for a copy.
    """
    status = os.fstat(opus_file)
    name = f"{call_id}-{status.st_size:x}-{status.st_mtime_ns:x}.wav"
    with _one_at_a_time:
        made = open_beneath(box.decoded, name)
        if made is None:
            box.decoded.mkdir(mode=0o770, exist_ok=True)
            if not room.disk(box.decoded).has_room:
                raise OSError(f"no room for a copy in {box.decoded}")
            _trim(box.decoded, most_bytes)
            _decode(opus_file, box.decoded / name)
            made = open_beneath(box.decoded, name)
        else:
            with contextlib.suppress(OSError):
                os.utime(box.decoded / name)         # it was wanted: it stays another day
    if made is None:
        raise OSError(f"{name} went at once")
    return made


def _decode(opus_file: int, into: Path) -> None:
    aside = into.with_suffix(".tmp")
    try:
        with open(os.dup(opus_file), "rb") as source, aside.open("wb") as wav:
            source.seek(0)
            wav.write(wav_header(0))
            wav.flush()
            opus.decode(source, wav)
            size = wav.seek(0, os.SEEK_END) - len(wav_header(0))
            wav.seek(0)
            wav.write(wav_header(size))
        aside.rename(into)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _trim(folder: Path, most_bytes: int) -> None:
    """Lets the copies go that nobody asked for the longest, until they fit."""
    found = []
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            status = file.lstat()
            found.append((status.st_mtime, status.st_size, file))
    left = sum(size for _, size, _ in found)
    for _, size, file in sorted(found):
        if left <= most_bytes:
            return
        with contextlib.suppress(OSError):
            file.unlink()
            left -= size
