"""When the shop is open, as a receptionist writes it."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appliance import hours
from appliance.hours import HoursError, is_open

BERLIN, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
MONDAY = datetime(2026, 11, 23, tzinfo=BERLIN)
SHOP = "Mon-Fri 09:00-13:00 14:00-18:00, Sat 10:00-14:00"


def at(clock: str, day: int = 0) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return MONDAY.replace(hour=hour, minute=minute) + timedelta(days=day)


@pytest.mark.parametrize(("clock", "day", "opened"), [
    ("08:59", 0, False), ("09:00", 0, True), ("12:59", 0, True), ("13:00", 0, False), ("14:00", 0, True),
    ("17:59", 4, True), ("18:00", 4, False), ("09:30", 5, False), ("10:00", 5, True), ("14:00", 5, False),
    ("11:00", 6, False)])
def test_the_shop_is_open_in_its_hours(clock: str, day: int, opened: bool) -> None:
    assert is_open(SHOP, at(clock, day)) is opened


@pytest.mark.parametrize("written", [
    "Mon-Fri 9:00-18:00", "mon–fri 09:00–18:00", "Monday - Friday 9:00 - 18:00", "Mon, Tue, Wed, Thu, Fri 9:00-18:00",
    "Mon-Fri: 9:00-18:00; Sat, Sun closed", "Mon 9:00-18:00\nTue-Thursday 9:00-18:00\nFri 9:00-18:00"])
def test_people_write_hours_in_many_ways(written: str) -> None:
    assert hours.parse(written) == hours.parse("Mon-Fri 09:00-18:00")


@pytest.mark.parametrize(("clock", "day", "opened"), [
    ("19:00", 4, True), ("01:59", 5, True), ("02:00", 5, False), ("01:00", 4, False), ("00:30", 6, True)])
def test_a_bar_is_open_past_midnight(clock: str, day: int, opened: bool) -> None:
    assert is_open("Fri-Sat 18:00-02:00", at(clock, day)) is opened


def test_a_week_may_go_over_sunday() -> None:
    assert [day for day in range(7) if is_open("Sat-Mon 10:00-12:00", at("11:00", day))] == [0, 5, 6]


def test_a_shop_without_hours_never_closes_unless_somebody_closed_it() -> None:
    assert is_open("", at("03:00", 6))
    assert not is_open("", at("03:00"), "2026-11-23T03:00:00.000Z")
    assert is_open("", at("04:00"), "2026-11-23T03:00:00.000Z"), "04:00 in Berlin is 03:00 UTC"


def test_round_the_clock_is_24_hours() -> None:
    assert all(is_open("Mon-Sun 0:00-24:00", at(clock, 2)) for clock in ("00:00", "12:00", "23:59"))


@pytest.mark.parametrize(("written", "words"), [
    ("Mo-Fr 9:00-18:00", "'Mo' is no day of the week."), ("Mon-Fri 9-18", "'9' is no time of day."),
    ("Mon-Fri 9:00", "9:00 has no end."), ("9:00-18:00", "9:00-18:00 stands before any day."),
    ("Mon-Fri", "A day without hours at the end."), ("Mon 25:00-26:00", "'25:00' is no time of day."),
    ("Mon 9:60-10:00", "'9:60' is no time of day."), ("always", "'always' is no day of the week."),
    ("Mon-Fri-Sun 9:00-10:00", "'Fri-Sun' is no day"), ("-", "'' is no day of the week."),
    ("Mon ９:00-10:00", "'９:00'")])
def test_hours_that_cannot_be_read_are_refused_in_words(written: str, words: str) -> None:
    with pytest.raises(HoursError) as refused:
        hours.parse(written)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(("clock", "now", "expected"), [
    ("08:00", datetime(2026, 11, 23, 22, tzinfo=BERLIN), datetime(2026, 11, 24, 7, tzinfo=UTC)),
    ("08:00", datetime(2026, 11, 23, 3, tzinfo=BERLIN), datetime(2026, 11, 23, 7, tzinfo=UTC)),
    ("08:00", datetime(2026, 11, 23, 8, tzinfo=BERLIN), datetime(2026, 11, 24, 7, tzinfo=UTC)),
    ("02:30", datetime(2027, 3, 27, 23, tzinfo=BERLIN), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
    ("08:00", datetime(2026, 10, 3, 22, tzinfo=LORD_HOWE), datetime(2026, 10, 3, 21, tzinfo=UTC)),
    ("08:00", datetime(2027, 4, 3, 22, tzinfo=LORD_HOWE), datetime(2027, 4, 3, 21, 30, tzinfo=UTC)),
    ("24:00", datetime(2026, 11, 23, 22, tzinfo=BERLIN), datetime(2026, 11, 23, 23, tzinfo=UTC)),
])
def test_the_next_time_of_day_is_the_shops_also_when_clocks_change(
        clock: str, now: datetime, expected: datetime) -> None:
    assert hours.next_time(clock, now).astimezone(UTC) == expected
