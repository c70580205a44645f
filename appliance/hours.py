"""When the shop is open: one line that a receptionist writes, such as "Mon-Fri 09:00-18:00, Sat 10:00-14:00".

Pure. Every moment is given in shop time: its tzinfo is the shop's zone.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
IN_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CLOCK = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")
DASHES = str.maketrans("–—", "--")
EXAMPLE = "Write it like \"Mon-Fri 09:00-18:00, Sat 10:00-14:00\"."
MIDNIGHT = 24 * 60

Span = tuple[int, int]  # minutes after midnight; one that goes past midnight ends at or before its start
Week = tuple[tuple[Span, ...], ...]
Special = Callable[[date], tuple[Span, ...] | None]


class HoursError(Exception):
    """A time or a day cannot be read; the text says which, and how to write it."""


@lru_cache(maxsize=16)
def parse(text: str) -> Week:
    """The spans of each weekday from Monday on. Empty text: no day has any. Raises HoursError."""
    week: list[list[Span]] = [[] for _ in WEEKDAYS]
    days: list[int] = []
    had_days = False
    for word in re.split(r"[\s,;]+", re.sub(r"\s*-\s*", "-", text.translate(DASHES)).strip()):
        if not word:
            continue
        if word.lower() == "closed":
            had_days = False
        elif word[0].isdigit():
            if not days:
                raise HoursError(f"{word} stands before any day. {EXAMPLE}")
            for day in days:
                week[day].append(_span(word))
            had_days = False
        else:
            days = [*days, *_days(word)] if had_days else _days(word)
            had_days = True
    if had_days:
        raise HoursError(f"A day without hours at the end. {EXAMPLE}")
    return tuple(tuple(spans) for spans in week)


def is_open(opening_hours: str, now: datetime, closed_until: str = "", special: Special = lambda _day: None) -> bool:
    """Whether the shop is open at `now`. Without opening hours it is, unless it is closed for now.

    closed_until is a UTC time as the store writes it, or "" when nobody closed the shop. special gives the hours of a
    day that differs from its week, none when it is closed; None for any other day.
    """
    closed = until(closed_until)
    if closed is not None and now < closed:
        return False
    week = parse(opening_hours)
    usual: Week = week if any(week) else (((0, MIDNIGHT),),) * 7
    today, yesterday = ((spans if (spans := special(day)) is not None else usual[day.weekday()])
                        for day in (now.date(), now.date() - timedelta(days=1)))
    return any(_is_in(today, now) + _is_in_yesterdays(yesterday, now))


def until(text: str) -> datetime | None:
    """The aware time of "2026-11-21T15:00:00.000Z", None for "". Raises HoursError."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        at = datetime.min
    if at is not None and at.tzinfo is None:
        raise HoursError(f"{text!r} is no moment. Write it like 2026-11-21T15:00:00Z.")
    return at


def minutes(clock: str) -> int:
    """Minutes after midnight of "09:00". Raises HoursError."""
    found = CLOCK.fullmatch(clock.strip())
    if found is None or (value := int(found[1]) * 60 + int(found[2])) > MIDNIGHT:
        raise HoursError(f"{clock!r} is no time of day. Write it like 09:00.")
    return value


def is_between(start: str, end: str, now: datetime) -> bool:
    """Whether `now` lies between two times of day; past midnight when the end is before the start, never when equal."""
    first, last, at = minutes(start), minutes(end), now.hour * 60 + now.minute
    if first <= last:
        return first <= at < last
    return at >= first or at < last


def next_time(clock: str, now: datetime) -> datetime:
    """The next moment after `now` at which the shop's clock shows `clock`, in shop time."""
    hour, minute = divmod(minutes(clock) % MIDNIGHT, 60)
    at = datetime.combine(now.date(), time(hour, minute), now.tzinfo)
    if at.timestamp() <= now.timestamp():
        at = datetime.combine(now.date() + timedelta(days=1), time(hour, minute), now.tzinfo)
    return at


def _is_in(spans: tuple[Span, ...], now: datetime) -> list[bool]:
    at = now.hour * 60 + now.minute
    return [start <= at < (end if end > start else MIDNIGHT) for start, end in spans]


def _is_in_yesterdays(spans: tuple[Span, ...], now: datetime) -> list[bool]:
    at = now.hour * 60 + now.minute
    return [end <= start and at < end for start, end in spans]


def _span(word: str) -> Span:
    start, dash, end = word.partition("-")
    if not dash:
        raise HoursError(f"{word} has no end. {EXAMPLE}")
    return minutes(start), minutes(end)


def _days(word: str) -> list[int]:
    first, dash, last = word.rstrip(":").partition("-")
    start, end = _day(first), _day(last) if dash else _day(first)
    return [(start + step) % 7 for step in range((end - start) % 7 + 1)]


def _day(word: str) -> int:
    for number, day in enumerate(IN_FULL):
        if len(word) >= 3 and day.startswith(word.lower()):
            return number
    raise HoursError(f"{word!r} is no day of the week. {EXAMPLE}")
