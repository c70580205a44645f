"""Tones in a recording, measured by the Goertzel algorithm in plain Python."""
from __future__ import annotations

import array
import io
import math
import wave

WINDOW_S = 0.5


def channels(wav: bytes) -> tuple[list[int], list[int], int]:
    """Samples of the left and of the right side, and the rate. ValueError for anything but 16-bit stereo."""
    with wave.open(io.BytesIO(wav)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (2, 2):
            raise ValueError(f"{file.getnchannels()} channels of {8 * file.getsampwidth()} bits")
        samples = array.array("h", file.readframes(file.getnframes()))
        return list(samples[0::2]), list(samples[1::2]), file.getframerate()


def power(samples: list[int], hertz: float, rate: int) -> float:
    """The power of one frequency in a Hann window, in squared sample units; never 0."""
    turn = 2 * math.cos(2 * math.pi * hertz / rate)
    count, before, last = len(samples), 0.0, 0.0
    for place, sample in enumerate(samples):
        shaped = sample * (0.5 - 0.5 * math.cos(2 * math.pi * place / count))
        before, last = last, shaped + turn * last - before
    return max(1.0, (before * before + last * last - turn * before * last) / count)


def apart_db(wav: bytes, left_hz: float, right_hz: float) -> tuple[float, float]:
    """While each side's own tone sounds: how far it lies above everything else that was looked for, in dB.

    That is the other side's tone on its own side, and its own tone on the other side. A side that
    never has its tone is about 0 or below.
    """
    left, right, rate = channels(wav)
    return _apart(left, right, left_hz, right_hz, rate), _apart(right, left, right_hz, left_hz, rate)


def _apart(own: list[int], other: list[int], hertz: float, other_hertz: float, rate: int) -> float:
    length = int(WINDOW_S * rate)
    windows = range(0, max(1, len(own) - length), length // 2)
    at = max(windows, key=lambda place: power(own[place:place + length], hertz, rate))
    here, there = own[at:at + length], other[at:at + length]
    strongest = max(power(here, other_hertz, rate), power(there, hertz, rate), power(there, other_hertz, rate))
    return 10 * math.log10(power(here, hertz, rate) / strongest)
