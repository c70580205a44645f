"""Days that differ from the week: holidays, a short Christmas Eve. One a line, and those of a calendar file.

  2026-12-24 09:00-13:00 Christmas Eve
  2026-12-25..2026-12-26 closed Christmas
  --05-01 closed Labour Day           (every year)
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from appliance import hours
from appliance.hours import HoursError, Span

MOST_DAYS = 500
LONGEST_NAME = 60
DATE = re.compile(r"(\d{4}-|--)\d\d-\d\d", re.ASCII)
SPAN = re.compile(r"\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d", re.ASCII)
EXAMPLE = "Write it like \"2026-12-25 closed Christmas\"."


@dataclass(frozen=True)
class Day:
    """first to last, both meant; of every year when is_yearly (then both are of the year 2000). No spans: closed."""
    first: date
    last: date
    is_yearly: bool
    spans: tuple[Span, ...]
    name: str

    def holds(self, day: date) -> bool:
        if not self.is_yearly:
            return self.first <= day <= self.last
        return self.first <= day.replace(year=2000) <= self.last

    @property
    def line(self) -> str:
        """The day as it is kept."""
        first, last = ((f"--{at:%m-%d}" if self.is_yearly else at.isoformat()) for at in (self.first, self.last))
        when = first if self.first == self.last else f"{first}..{last}"
        spans = " ".join(f"{_clock(start)}-{_clock(end)}" for start, end in self.spans) or "closed"
        return f"{when} {spans} {self.name}".rstrip()


@lru_cache(maxsize=16)
def parse(text: str) -> tuple[Day, ...]:
    """The days of a kept text, in its order. Raises HoursError with the line that cannot be read."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > MOST_DAYS:
        raise HoursError(f"There is room for {MOST_DAYS} special days. Remove those of past years.")
    return tuple(_day(line) for line in lines)


def on(text: str, day: date) -> Day | None:
    """What is special about a day; of two that hold it the one of that very year, then the first."""
    found = [one for one in parse(text) if one.holds(day)]
    return min(found, key=lambda one: one.is_yearly) if found else None


def special(text: str) -> hours.Special:
    """What hours.is_open asks of the kept days."""
    def hours_of(day: date) -> tuple[Span, ...] | None:
        found = on(text, day)
        return found.spans if found else None
    return hours_of


def write(days: list[Day]) -> str:
    """The text that is kept: each day once, sorted, those of every year first."""
    return "\n".join(sorted({day.line for day in days}))


def spans(text: str) -> list[Span]:
    """The hours of "09:00-13:00 14:00-18:00"; none for "" or "closed". Raises HoursError."""
    found = SPAN.findall(text.translate(hours.DASHES))
    if not found and text.strip() not in ("", "closed"):
        raise HoursError(f"{text.strip()!r} are no hours. Write them like 09:00-13:00.")
    return [(hours.minutes(start), hours.minutes(end)) for start, _, end in (one.partition("-") for one in found)]


def _day(line: str) -> Day:
    when, _, rest = line.partition(" ")
    first, dots, last = when.partition("..")
    if not DATE.fullmatch(first) or dots and not DATE.fullmatch(last):
        raise HoursError(f"{when!r} is no day. {EXAMPLE}")
    is_yearly = first.startswith("--")
    begin, end = _date(first), _date(last) if dots else _date(first)
    if dots and last.startswith("--") != is_yearly or end < begin:
        raise HoursError(f"{when!r} ends before it begins. {EXAMPLE}")
    if end - begin > timedelta(days=366):
        raise HoursError(f"{when!r} is longer than a year. {EXAMPLE}")
    clock = re.match(rf"(closed\b|(?:{SPAN.pattern}[\s,;]*)+)?(.*)", rest.translate(hours.DASHES), re.ASCII)
    assert clock is not None
    return Day(begin, end, is_yearly, tuple(spans(clock[1] or "")), clock[2].strip()[:LONGEST_NAME])


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.replace("--", "2000-"))
    except ValueError:
        raise HoursError(f"{text!r} is not in the calendar. {EXAMPLE}") from None


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
