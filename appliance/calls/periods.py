"""Stretches of shop days: today, last week, from one day to another; each with the one it is compared with. Pure."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NAMES = ("today", "yesterday", "week", "last-week", "fortnight", "month", "last-month", "year")
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
HOURLY_DAYS, DAILY_DAYS, WEEKLY_DAYS = 2, 62, 200      # up to so many days a chart has hours, days, weeks; then months
MOST_DAYS = 3660
QUARTER_S = 900


class PeriodError(Exception):
    """The days make no period."""


@dataclass(frozen=True)
class Period:
    """Whole days from first to last; `before` are those it is measured against, as many or a month or year as long."""
    first: date
    last: date
    first_before: date
    last_before: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        return Period(self.first_before, self.last_before, self.first_before, self.last_before)


def named(name: str, today: date) -> Period:
    """The period of this name around today; what still runs is measured against the same part of the one before.

    A single day is measured against the same day of the week before: a Monday has little in common with a Sunday.
    """
    monday, month = today - timedelta(days=today.weekday()), today.replace(day=1)
    if name in ("today", "yesterday"):
        day = today if name == "today" else today - DAY
        return Period(day, day, day - WEEK, day - WEEK)
    if name == "week":
        return Period(monday, today, monday - WEEK, today - WEEK)
    if name == "last-week":
        return Period(monday - WEEK, monday - DAY, monday - 2 * WEEK, monday - WEEK - DAY)
    if name == "fortnight":
        return between(today - timedelta(days=13), today)
    if name == "month":
        return Period(month, today, _month_before(month), min(_same_day(_month_before(month), today.day), month - DAY))
    if name == "last-month":
        first = _month_before(month)
        return Period(first, month - DAY, _month_before(first), first - DAY)
    if name == "year":
        first = today.replace(month=1, day=1)
        before = first.replace(year=first.year - 1)
        return Period(first, today, before, _same_day(today.replace(year=today.year - 1, day=1), today.day))
    raise PeriodError(name)


def between(first: date, last: date) -> Period:
    """From one day to another, measured against as many days just before. Raises PeriodError."""
    days = (last - first).days + 1
    if not 0 < days <= MOST_DAYS or not 1971 <= first.year <= last.year <= 2999:
        raise PeriodError(f"{first} to {last}")
    return Period(first, last, first - timedelta(days=days), first - DAY)


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The moment a shop day begins, in UTC; where its midnight does not exist, the moment the clock jumps."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def edges(period: Period, zone: ZoneInfo) -> tuple[str, list[datetime]]:
    """What the bars of a chart are (hour, day, week or month), and where each begins; the last edge ends them."""
    since, until = begins(period.first, zone), begins(period.last + DAY, zone)
    if period.days <= HOURLY_DAYS:
        hours = int((until - since).total_seconds() + 3599) // 3600         # 23 or 25 when the clock is changed
        return "hour", [since + timedelta(hours=hour) for hour in range(hours)] + [until]
    days = [period.first + timedelta(days=day) for day in range(period.days)]
    if period.days <= DAILY_DAYS:
        kind, starts = "day", days
    elif period.days <= WEEKLY_DAYS:
        kind, starts = "week", [day for day in days if day.weekday() == 0 or day == period.first]
    else:
        kind, starts = "month", [day for day in days if day.day == 1 or day == period.first]
    return kind, [begins(day, zone) for day in starts] + [until]


def offsets(since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime, int]]:
    """The time between the two, cut where the shop's clock is changed: from, to, seconds ahead of UTC."""
    found, start, at = [], since, since
    while at < until:
        end = min(at + DAY, until)
        if _offset_s(end, zone) != _offset_s(start, zone):
            change = at
            while _offset_s(change, zone) == _offset_s(start, zone):
                change += timedelta(seconds=QUARTER_S)
            if change > start:
                found.append((start, change, _offset_s(start, zone)))
            start = change
        at = end
    if start < until:
        found.append((start, until, _offset_s(start, zone)))
    return found


def _offset_s(at: datetime, zone: ZoneInfo) -> int:
    return round((at.astimezone(zone).utcoffset() or timedelta()).total_seconds())


def _month_before(first: date) -> date:
    return (first - DAY).replace(day=1)


def _same_day(first: date, day: int) -> date:
    """The day of the month that begins with first, or its last one."""
    following = (first + timedelta(days=31)).replace(day=1)
    return min(first + timedelta(days=day - 1), following - DAY)
