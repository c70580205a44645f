"""When a campaign is due, in shop time. Pure: a schedule and a span in, due times out, each with a key of its own.

  {"kind": "now"}                                         once, when it is confirmed
  {"kind": "at", "at": "2026-11-28T10:00"}                once, at that day and time of the shop
  {"kind": "after", "delay_min": 90}                      once, so long after it is confirmed
  {"kind": "weekly", "weekday": 0, "time": "10:00"}       each Monday (0) … Sunday (6)
  {"kind": "monthly", "day": 31, "time": "10:00"}         each month, on its last day when it is shorter
  {"kind": "birthday", "time": "10:00"}                   each day, to whom it is the birthday

The repeating ones may have "until": "2027-03-31", the last day. A key is the shop's date and time, so that a time which
comes twice on an autumn night is one; a time that a spring night leaves out is the same moment by the old clock.
"""
from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

INSTANT = timedelta(milliseconds=1)  # the finest the store knows
REPEATING = ("weekly", "monthly", "birthday")
LONGEST_DELAY_MIN = 60 * 24 * 366
FIRST_YEAR, LAST_YEAR = 1970, 2199   # beyond them a zone's offset may leave the calendar
LOOK_BACK = timedelta(days=800)      # a box that was off longer does not count its missed days one by one
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ALLOWED = {"now": (), "at": ("at",), "after": ("delay_min",), "weekly": ("weekday", "time", "until"),
           "monthly": ("day", "time", "until"), "birthday": ("time", "until")}

RANGES = (("weekday", 0, 6, "a day of the week, 0 is Monday"), ("day", 1, 31, "a day from 1 to 31"),
          ("delay_min", 1, LONGEST_DELAY_MIN, "minutes from 1 to a year"))


class ScheduleError(Exception):
    """No such time; the sentence says what is wanted."""


@dataclass(frozen=True)
class Due:
    """One time it is due: key is unique within the campaign, at is UTC."""

    key: str
    at: datetime


def checked(schedule: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The schedule as it is kept. Raises ScheduleError for one that cannot be, or whose last time is past."""
    kind = schedule.get("kind")
    if kind not in ALLOWED:
        raise ScheduleError(f"There is no schedule {kind!r}. There are {', '.join(ALLOWED)}.")
    kept = {"kind": kind, **{key: schedule[key] for key in ALLOWED[kind] if schedule.get(key) not in (None, "")}}
    if kind == "at":
        at = _local(kept.get("at"))
        if _utc(at, zone) <= now:
            raise ScheduleError(f"{_day(at)} at {at:%H:%M} is past. Choose a later time, or send it now.")
        kept["at"] = at.isoformat(timespec="minutes")
    if "time" in ALLOWED[kind]:
        kept["time"] = _time(kept.get("time")).isoformat(timespec="minutes")
    for key, low, high, words in RANGES:
        if key in ALLOWED[kind] and not (type(kept.get(key)) is int and low <= kept[key] <= high):
            raise ScheduleError(f"A {kind} schedule needs {words}.")
    if "until" in kept:
        kept["until"] = _date(kept["until"]).isoformat()
        if following(kept, now, now, zone) is None:
            raise ScheduleError(f"{_day(_date(kept['until']))} comes before the first time. Choose a later last day.")
    return kept


def dues(schedule: Mapping[str, Any], created_at: datetime, after: datetime, until: datetime,
         zone: ZoneInfo) -> list[Due]:
    """The times it is due, later than `after` and not later than `until`, in order."""
    return [due for due in _every(schedule, created_at, max(after, until - LOOK_BACK), zone, until)
            if after < due.at <= until]


def following(schedule: Mapping[str, Any], created_at: datetime, now: datetime, zone: ZoneInfo) -> Due | None:
    """The first time it is due after `now`, None when there is none any more."""
    horizon = now + timedelta(days=70)   # a month and its shorter neighbour, and any weekday
    if schedule["kind"] not in REPEATING:
        horizon = datetime.max.replace(tzinfo=UTC)
    return next((due for due in _every(schedule, created_at, now, zone, horizon) if due.at > now), None)


def is_birthday(birthday: str, today: date) -> bool:
    """Whether it is the day; those born on 29 February have it on the 28th in years that have none."""
    month_day = birthday[-5:]
    if month_day == "02-29" and not calendar.isleap(today.year):
        month_day = "02-28"
    return f"{today:%m-%d}" == month_day


def words(schedule: Mapping[str, Any]) -> str:
    """The schedule in a sentence of the office."""
    said = _when(schedule)
    return f"{said}, until {_day(_date(schedule['until']))}" if "until" in schedule else said


def _when(schedule: Mapping[str, Any]) -> str:
    match schedule["kind"]:
        case "now":
            return "Now"
        case "at":
            at = _local(schedule["at"])
            return f"{_day(at)} at {at:%H:%M}"
        case "after":
            return f"{schedule['delay_min']} min after it is confirmed"
        case "weekly":
            return f"Each {WEEKDAYS[schedule['weekday']]} at {schedule['time']}"
        case "monthly" if schedule["day"] > 28:
            return (f"Each month on the {schedule['day']}. at {schedule['time']}, "
                    "on the last day of a shorter month")
        case "monthly":
            return f"Each month on the {schedule['day']}. at {schedule['time']}"
    return (f"On each one's birthday at {schedule['time']}; those born on 29 February get it on the 28th "
            "when the year has no 29th")


def _every(schedule: Mapping[str, Any], created_at: datetime, start: datetime, zone: ZoneInfo,
           end: datetime) -> Iterator[Due]:
    if schedule["kind"] == "now":
        yield Due("now", created_at)
    elif schedule["kind"] == "after":
        yield Due("after", created_at + timedelta(minutes=schedule["delay_min"]))
    elif schedule["kind"] == "at":
        at = _local(schedule["at"])
        yield Due(_key(at), _utc(at, zone))
    else:
        hour = _time(schedule["time"])
        day, last = start.astimezone(zone).date() - timedelta(days=1), end.astimezone(zone).date()
        if "until" in schedule:
            last = min(last, _date(schedule["until"]))
        while day <= last:
            if _is_on(schedule, day):
                at = datetime.combine(day, hour)
                yield Due(_key(at), _utc(at, zone))
            day += timedelta(days=1)


def _is_on(schedule: Mapping[str, Any], day: date) -> bool:
    if schedule["kind"] == "weekly":
        return bool(day.weekday() == schedule["weekday"])
    if schedule["kind"] == "monthly":
        return bool(day.day == min(schedule["day"], calendar.monthrange(day.year, day.month)[1]))
    return True


def _key(at: datetime) -> str:
    return at.isoformat(timespec="minutes")


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    """fold 0: the first of two, and the old clock's reading of a time that the spring night leaves out."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _local(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise ValueError(text)
    except ValueError:
        raise ScheduleError(f"{text!r} is no day and time. Write it as 2026-11-28T10:00.") from None
    if at.tzinfo is not None:
        raise ScheduleError("Write the shop's own time, without a zone.")
    return at.replace(second=0, microsecond=0)


def _time(text: object) -> time:
    try:
        return time.fromisoformat(str(text)).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise ScheduleError(f"{text!r} is no time of the day. Write it as 10:00.") from None


def _date(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise ScheduleError(f"{text!r} is no day. Write it as 2026-11-28.") from None
