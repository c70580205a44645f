"""A call to the SIM is one call, however often the modem says RING."""
from __future__ import annotations

import pytest

from hw.rings import Ringing, RingingOver, RingWatch, Shown, caller

CLIP = '"+491701234567",145,,,,0'


def test_a_call_is_told_once_with_its_number_and_once_when_it_is_over() -> None:
    watch, told = RingWatch(), []
    for at in (0.0, 5.0, 10.0):
        told += watch.hear("RING", "", at) + watch.hear("+CLIP", CLIP, at + 0.2)
    told += watch.hear("NO CARRIER", "", 12.0)
    assert told == [Ringing("+491701234567", Shown.ALLOWED, 0.0), RingingOver(12.0)]


def test_without_no_carrier_silence_is_the_end_and_it_ended_with_the_last_ring() -> None:
    watch = RingWatch()
    watch.hear("RING", "", 0.0)
    watch.hear("+CLIP", CLIP, 0.1)
    watch.hear("RING", "", 5.0)
    assert watch.tick(13.0) == []
    assert watch.tick(14.5) == [RingingOver(5.0)]
    assert watch.tick(99.0) == []


def test_a_modem_that_gives_no_number_is_told_after_a_moment() -> None:
    watch = RingWatch()
    assert watch.hear("RING", "", 0.0) == [] == watch.tick(1.0)
    assert watch.tick(1.6) == [Ringing("", Shown.UNAVAILABLE, 0.0)]


def test_one_ring_and_gone_is_still_a_call() -> None:
    watch = RingWatch()
    watch.hear("RING", "", 0.0)
    assert watch.hear("NO CARRIER", "", 0.5) == [Ringing("", Shown.UNAVAILABLE, 0.0), RingingOver(0.5)]


def test_the_next_caller_right_after_is_another_call() -> None:
    watch = RingWatch()
    watch.hear("+CLIP", CLIP, 0.0)
    watch.hear("NO CARRIER", "", 2.0)
    assert watch.hear("+CLIP", '"0309999999",129', 3.0) == [Ringing("0309999999", Shown.ALLOWED, 3.0)]


def test_no_carrier_without_a_call_is_nothing() -> None:
    assert RingWatch().hear("NO CARRIER", "", 0.0) == []


@pytest.mark.parametrize(("clip", "number", "shown"), [
    ('"+491701234567",145,,,,0', "+491701234567", Shown.ALLOWED),
    ('"491701234567",145', "+491701234567", Shown.ALLOWED),
    ('"01701234567",129,"",0,"Anna",0', "01701234567", Shown.ALLOWED), ('"",128,,,,1', "", Shown.WITHHELD),
    ('"",128,,,,2', "", Shown.UNAVAILABLE), ('"",128', "", Shown.UNAVAILABLE), ("rubbish", "", Shown.UNAVAILABLE),
    ('"+491701234567",145,,,,1', "", Shown.WITHHELD),
])
def test_the_number_and_whether_it_may_be_shown(clip: str, number: str, shown: Shown) -> None:
    assert caller(clip) == (number, shown)
