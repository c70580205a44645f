"""The picture of a recording: at most 200 bars a side, computed once and kept in its row."""
from __future__ import annotations

import array
from collections.abc import Callable
from typing import BinaryIO

BARS = 200
FRAME_BYTES = 4                  # left (the caller) and right (the staff), 16 bits each
SHIFT = 7                        # 0..32767 becomes 0..255


def of(sound: BinaryIO, frames: int, breathe: Callable[[], None] = lambda: None) -> bytes:
    """Pairs of bytes, caller and staff: the loudest sample of each bar, 0..255.

    `sound` stands at the first of that many frames of 16-bit stereo; `breathe` is called between two bars.
    """
    count, bars = min(BARS, frames), bytearray()
    for place in range(count):
        wanted = frames * (place + 1) // count - frames * place // count
        raw = sound.read(wanted * FRAME_BYTES)
        samples = array.array("h", raw[:len(raw) // FRAME_BYTES * FRAME_BYTES])
        bars += bytes((_loudest(samples[0::2]), _loudest(samples[1::2])))
        breathe()
    return bytes(bars)


def sides(peaks: bytes) -> tuple[bytes, bytes]:
    """The bars of the caller and those of the staff."""
    return peaks[0::2], peaks[1::2]


def _loudest(samples: array.array[int]) -> int:
    return min(255, max(max(samples), -min(samples)) >> SHIFT) if samples else 0
