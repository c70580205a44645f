"""Figures in words: tiles with what they were before, charts with their labels and tables, the lines of the sheet."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from appliance.calls import service_level
from appliance.calls.callers import Caller
from appliance.calls.periods import Period
from appliance.calls.sale import Sale
from appliance.calls.service_level import ServiceLevel
from appliance.calls.stats import Bar, Figures
from appliance.config import Box
from appliance.people import numbers
from appliance.people.sheets import Cell
from appliance.settings import Settings
from web import charts
from web.charts import Bars, Spark, Square
from web.language import DAYS, DAYS_SHORT, MONTHS, MONTHS_SHORT, N_, Words

PERIODS = (("today", N_("Today")), ("yesterday", N_("Yesterday")), ("week", N_("This week")),
           ("last-week", N_("Last week")), ("fortnight", N_("Last 14 days")), ("month", N_("This month")),
           ("last-month", N_("Last month")), ("year", N_("This year")))
TITLES = {"hour": N_("Calls by the hour"), "day": N_("Calls a day"), "week": N_("Calls a week"),
          "month": N_("Calls a month")}
FIRST_COLUMNS = {"hour": N_("From"), "day": N_("Day"), "week": N_("Week from"), "month": N_("Month")}
PAIR_FROM = 3          # so many missed in two hours are worth a sentence


@dataclass(frozen=True)
class Tile:
    """icon: up, down or "" when it stood still or nothing was before."""
    name: str
    value: str
    said: str
    icon: str = ""
    spark: Spark | None = None


@dataclass(frozen=True)
class Row:
    """One line of a ranking; length: of its bar, 0..90."""
    name: str
    count: int
    length: int
    link: str = ""


@dataclass(frozen=True)
class Counted:
    """A chart of bars with its title, what a reader of the screen hears, and its table."""
    title: str
    said: str
    chart: Bars
    column: str
    table: list[tuple[str, Bar, int | None]]
    has_otherwise: bool
    has_before: bool


@dataclass(frozen=True)
class Heat:
    """start: where the first hour with a call is, as a share of the width."""
    days: list[tuple[str, list[Square]]]
    said: str
    advice: str
    table: list[tuple[str, list[Bar]]]
    start: float


def rows(named: Sequence[tuple[str, int]]) -> list[Row]:
    return [Row(name, count, length) for (name, count), length in zip(
        named, charts.lengths([count for _, count in named]), strict=True)]


class Teller:
    """Speaks of figures in one language."""

    def __init__(self, words: Words, box: Box, now: datetime) -> None:
        self.words, self.box, self.now = words, box, now

    # --- days, shares, spans ---

    def head(self, period: Period, is_running: bool) -> str:
        """2 to 15 November, against 19 October to 1 November."""
        days = self.days(period.first, period.last)
        before = self.days(period.first_before, period.last_before)
        if is_running:
            return self.words("%(days)s, so far, against %(before)s up to the same hour", days=days, before=before)
        return self.words("%(days)s, against %(before)s", days=days, before=before)

    def days(self, first: date, last: date) -> str:
        words, year = self.words, self.now.astimezone(self.box.zone).year
        if first == last and first.year == year:
            return words.day(first)
        if first == last:
            return words("%(day)s %(year)s", day=words.day(first), year=first.year)
        if (first.year, first.month) == (last.year, last.month) and last.year == year:
            return words("%(first)s to %(last)s %(month)s", first=first.day, last=last.day,
                         month=words(MONTHS[first.month - 1]))
        with_year = not first.year == last.year == year
        return words("%(first)s to %(last)s", first=self._date(first, with_year), last=self._date(last, with_year))

    def share(self, share: float | None) -> str:
        return self.words("%(n)s\N{NO-BREAK SPACE}%%", n=round(100 * share)) if share is not None else "–"

    def mean(self, ms: int | None) -> str:
        """2:51."""
        return "–" if ms is None else f"{round(ms / 1000) // 60}:{round(ms / 1000) % 60:02d}"

    def wait(self, low: int, high: int | None) -> str:
        if high is None:
            return self.words("over %(s)s\N{NO-BREAK SPACE}s", s=low)
        return self.words("%(low)s to %(high)s\N{NO-BREAK SPACE}s", low=low, high=high)

    def number(self, number: str) -> str:
        return numbers.shown(number, self.box.country).replace(" ", "\N{NO-BREAK SPACE}")

    def money(self, average: Sale, times: int) -> str:
        amount = average.amount * times
        shown = self.words.number(amount, 0 if amount == amount.to_integral_value() else 2)
        return f"{average.before}{shown}" + (f"\N{NO-BREAK SPACE}{average.after}" if average.after else "")

    # --- tiles ---

    def tiles(self, now: Figures, was: Figures, level: ServiceLevel, level_was: ServiceLevel, bars: list[Bar],
              set_: Settings) -> list[Tile]:
        words = self.words
        return [
            Tile(words("Calls in"), words.number(now.calls), *self._more(now.calls, was.calls),
                 charts.spark([bar.calls for bar in bars])),
            Tile(words("Answered"), self.share(_of(now.answered, now.calls)),
                 *self._was(_of(now.answered, now.calls), _of(was.answered, was.calls)),
                 charts.spark([_of(bar.answered, bar.calls) for bar in bars])),
            Tile(words("Answered in %(s)s\N{NO-BREAK SPACE}s", s=level.within_s), self.share(level.share),
                 *self._level(level.share, level_was.share, set_.service_level_percent),
                 charts.spark([_of(bar.in_time, bar.calls - bar.quick) for bar in bars])),
            Tile(words("Talk time"), self.mean(now.mean_talk_ms), *self._longer(now.mean_talk_ms, was.mean_talk_ms),
                 charts.spark([_of(bar.talk_ms, bar.answered) for bar in bars])),
            Tile(words("Gave up or rang in vain"), self.share(level.abandonment),
                 *self._was(level.abandonment, level_was.abandonment)),
            Tile(words("Time to answer"), self.mean(now.mean_wait_ms),
                 *self._longer(now.mean_wait_ms, was.mean_wait_ms)),
            Tile(words("Calls out"), words.number(now.outgoing), *self._more(now.outgoing, was.outgoing)),
            Tile(words("Answered there"), self.share(_of(now.outgoing_answered, now.outgoing)),
                 *self._was(_of(now.outgoing_answered, now.outgoing), _of(was.outgoing_answered, was.outgoing))),
        ]

    def _more(self, now: int, was: int) -> tuple[str, str]:
        words = self.words
        if not was:
            return words("none before"), ""
        if now == was:
            return words("as many as before"), ""
        n, share = words.number(abs(now - was)), self.share(abs(now - was) / was)
        if now > was:
            return words("%(n)s more, %(share)s", n=n, share=share), "up"
        return words("%(n)s fewer, %(share)s", n=n, share=share), "down"

    def _was(self, now: float | None, was: float | None) -> tuple[str, str]:
        if was is None or now is None:
            return self.words("nothing to compare with") if was is None else "", ""
        icon = "" if round(100 * now) == round(100 * was) else "up" if now > was else "down"
        return self.words("was %(share)s", share=self.share(was)), icon

    def _level(self, now: float | None, was: float | None, goal: int) -> tuple[str, str]:
        said, icon = self._was(now, was)
        if now is None:
            return said, icon
        under = goal - round(100 * now)
        goal_said = self.words.plural("%(n)s under your goal", "%(n)s under your goal", under) if under > 0 \
            else self.words("your goal is met")
        return (self.words("%(was)s, %(goal)s", was=said, goal=goal_said), icon) if was is not None \
            else (goal_said, icon)

    def _longer(self, now: int | None, was: int | None) -> tuple[str, str]:
        words = self.words
        if now is None or was is None:
            return words("nothing to compare with") if was is None else "", ""
        seconds = round(now / 1000) - round(was / 1000)
        if not seconds:
            return words("as long as before"), ""
        span = words.span(abs(seconds) * 1000)
        return (words("%(span)s longer", span=span), "up") if seconds > 0 else (words("%(span)s shorter", span=span),
                                                                              "down")

    # --- charts ---

    def counted(self, kind: str, bars: list[tuple[datetime, Bar]], before: list[int]) -> Counted:
        found = [bar for _, bar in bars]
        chart = charts.bars(found, [self._label(kind, at) for at, _ in bars], before if any(before) else ())
        names = [self._name(kind, at) for at, _ in bars]
        place = max(range(len(found)), key=lambda place: found[place].calls)
        said = self.words.plural(
            "Busiest: %(when)s with %(n)s call, %(missed)s missed. The table below has every number.",
            "Busiest: %(when)s with %(n)s calls, %(missed)s missed. The table below has every number.",
            found[place].calls, when=names[place], missed=found[place].lost)
        earlier: list[int | None] = [*before, *[None] * len(found)]
        return Counted(self.words(TITLES[kind]), said, chart, self.words(FIRST_COLUMNS[kind]),
                       list(zip(names, found, earlier, strict=False)), any(bar.otherwise for bar in found),
                       bool(chart.before))

    def by_hour(self, week: list[list[Bar]]) -> Counted:
        """The hours of the day, all days together."""
        hours = [_sum([day[hour] for day in week]) for hour in range(24)]
        chart = charts.bars(hours, [(str(hour),) if hour % 3 == 0 else () for hour in range(24)], every=1)
        place = max(range(24), key=lambda hour: hours[hour].calls)
        said = self.words("Most calls come between %(start)s and %(end)s.", start=_clock(place), end=_clock(place + 1))
        return Counted(self.words("By the hour of the day"), said, chart, self.words("From"),
                       [(_clock(hour), bar, None) for hour, bar in enumerate(hours)],
                       any(bar.otherwise for bar in hours), False)

    def heat(self, week: list[list[Bar]]) -> Heat:
        words = self.words
        hours = [(bar, day, hour) for day, row in enumerate(week) for hour, bar in enumerate(row)]
        _, day, hour = max(hours, key=lambda one: one[0].calls)
        said = words("Calls by day and hour. Busiest: %(day)s at %(hour)s.", day=words(DAYS[day]), hour=_clock(hour))
        first = min((hour for bar, _, hour in hours if bar.calls), default=0)
        return Heat([(words(DAYS_SHORT[day]), row) for day, row in enumerate(charts.heat(week))], said,
                    self._advice(week), [(words(DAYS_SHORT[day]), row) for day, row in enumerate(week)],
                    round(charts.SQUARE_STEP_X * first / charts.HEAT_WIDTH, 3))

    def _advice(self, week: list[list[Bar]]) -> str:
        lost, day, hour = max((row[hour].lost + row[hour + 1].lost, -day, -hour)
                              for day, row in enumerate(week) for hour in range(23))
        if lost < PAIR_FROM:
            return ""
        everything = sum(bar.lost for row in week for bar in row)
        return self.words("Most are missed on %(day)s from %(start)s to %(end)s: %(n)s of %(all)s.",
                          day=self.words(DAYS[-day]), start=_clock(-hour), end=_clock(2 - hour),
                          n=self.words.number(lost), all=self.words.number(everything))

    def _label(self, kind: str, at: datetime) -> tuple[str, ...]:
        local, words = self.words.local(at), self.words
        month = words(MONTHS_SHORT[local.month - 1])
        return {"hour": (str(local.hour),), "day": (str(local.day), words(DAYS_SHORT[local.weekday()])),
                "week": (str(local.day), month), "month": (month, str(local.year))}[kind]

    def _name(self, kind: str, at: datetime) -> str:
        local = self.words.local(at)
        if kind == "hour":
            return self.words("%(day)s, %(time)s", day=self.words.day_short(at, self.now), time=f"{local:%H:%M}")
        if kind == "month":
            return self.words("%(month)s %(year)s", month=self.words(MONTHS[local.month - 1]), year=local.year)
        return self.words.day_short(at, self.now)

    def _date(self, day: date, with_year: bool) -> str:
        given = {"day": day.day, "month": self.words(MONTHS[day.month - 1])}
        if with_year:
            return self.words("%(day)s %(month)s %(year)s", year=day.year, **given)
        return self.words("%(day)s %(month)s", **given)

    # --- the sheet ---

    def sheet_head(self, set_: Settings) -> list[str]:
        words = self.words
        return [words("Part"), words("Name"), words("Number"), words("Calls in"), words("Answered"), words("Missed"),
                words("Left the queue"), words("Otherwise"), words("Withheld"), words("Blocked"), words("Calls out"),
                words("Answered there"), words("Answered within %(s)s s", s=set_.service_level_s),
                words("Hung up in under %(s)s s", s=set_.abandon_under_s), words("Time to answer, s"),
                words("Talk time, s"), words("Per cent")]

    def sheet_totals(self, now: Figures, was: Figures, set_: Settings) -> list[list[Cell]]:
        words, found = self.words, []
        for name, its in ((words("These days"), now), (words("Period before"), was)):
            level = service_level.of(its, set_.service_level_s, set_.abandon_under_s)
            found.append(self.sheet_line(words("All"), name, its, set_))
            for formula, share in (
                    (words("Service level: answered in time ÷ (calls in − hung up at once)"), level.share),
                    (words("Asterisk ServicelevelPerf: answered in time ÷ answered"), level.of_answered),
                    (words("Asterisk ServicelevelPerf2: (answered in time + lost in that time) ÷ (answered + lost)"),
                     level.with_lost),
                    (words("Gave up: (lost − hung up at once) ÷ (calls in − hung up at once)"), level.abandonment)):
                found.append([name, formula, *[None] * 14, round(100 * share, 1) if share is not None else None])
        return found

    def sheet_bars(self, bars: list[tuple[datetime, Bar]]) -> list[list[Cell]]:
        return [[self.words("Time"), self.words.local(at).replace(tzinfo=None), None, *self._bar(bar)]
                for at, bar in bars]

    def sheet_week(self, week: list[list[Bar]]) -> list[list[Cell]]:
        return [[self.words(DAYS[day]), _clock(hour), None, *self._bar(bar)]
                for day, row in enumerate(week) for hour, bar in enumerate(row) if bar.calls]

    def sheet_line(self, part: str, name: str, its: Figures, set_: Settings) -> list[Cell]:
        level = service_level.of(its, set_.service_level_s, set_.abandon_under_s)
        return [part, name, None, its.calls, its.answered, its.missed, its.abandoned, its.otherwise, its.withheld,
                its.blocked, its.outgoing, its.outgoing_answered, level.in_time, level.quick,
                _seconds(its.mean_wait_ms), _seconds(its.mean_talk_ms),
                round(100 * level.share, 1) if level.share is not None else None]

    def sheet_caller(self, caller: Caller) -> list[Cell]:
        return [self.words("Caller"), caller.name, caller.number, caller.calls, *[None] * 13]

    def _bar(self, bar: Bar) -> list[Cell]:
        """Missed and left stand together in the column of the missed."""
        return [bar.calls, bar.answered, bar.lost, None, bar.otherwise, *[None] * 9]


def _sum(bars: list[Bar]) -> Bar:
    return Bar(sum(bar.calls for bar in bars), sum(bar.answered for bar in bars), sum(bar.lost for bar in bars))


def _of(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def _seconds(ms: int | None) -> float | None:
    return round(ms / 1000, 1) if ms is not None else None


def _clock(hour: int) -> str:
    return f"{hour:02d}:00"
