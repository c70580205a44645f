"""The measure by which the demo's check tells the sides of a recording apart."""
from __future__ import annotations

import array
import io
import math
import random
import wave

import pytest

from tests.browser.sound import apart_db

RATE = 8000


def tone(hertz: float, level: float = 8000) -> list[int]:
    return [round(level * math.sin(2 * math.pi * hertz * place / RATE)) for place in range(RATE)]


def noise(level: float) -> list[int]:
    source = random.Random(1)
    return [round(level * source.uniform(-1, 1)) for _ in range(RATE)]


def silence() -> list[int]:
    return [0] * RATE


def wav(left: list[int], right: list[int]) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        both = [sample for pair in zip(left, right, strict=True) for sample in pair]
        file.writeframes(array.array("h", both).tobytes())
    return made.getvalue()


def test_two_sides_that_each_have_their_own_tone_are_far_apart() -> None:
    apart = apart_db(wav(tone(440) + silence(), silence() + tone(1000)), 440, 1000)
    assert min(apart) > 60


@pytest.mark.parametrize("left, right", [
    pytest.param(silence() + tone(1000), tone(440) + silence(), id="sides swapped"),
    pytest.param(tone(440) + silence(), silence() + tone(440), id="one tone on both"),
    pytest.param(tone(440) + silence(), silence() + noise(8000), id="no tone on the right"),
    pytest.param(tone(440) + tone(1000), tone(440) + tone(1000), id="mixed on both"),
    pytest.param(tone(440) + silence(), tone(440, 400) + tone(1000), id="the caller leaks 26 dB lower"),
    pytest.param(silence() * 2, silence() * 2, id="nothing"),
])
def test_sides_that_are_not_kept_apart_are_seen(left: list[int], right: list[int]) -> None:
    assert min(apart_db(wav(left, right), 440, 1000)) < 30
