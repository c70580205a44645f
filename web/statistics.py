"""The statistics: what a time came to, against the one before; its sheet; the week's slip of saved customers."""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance import settings
from appliance.calls import callers, periods, sale, saved, service_level, stats
from appliance.calls.periods import Period, PeriodError
from appliance.calls.stats import ALL, Bar, Figures, Scope
from appliance.settings import Settings
from web import sheets
from web.figures import PERIODS, Teller, rows
from web.journey import Teller as Names
from web.language import N_
from web.office import Office
from web.textwords import Writer

DEFAULT = "fortnight"
WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})", re.ASCII)
MOST_SHOWN = 8
MOST_LINES = 200        # of a slip
SCOPES = (("line", N_("Lines")), ("extension", N_("Extensions")), ("disposition", N_("What it was about")))


@dataclass(frozen=True)
class Asked:
    """What the address asks for. name is "" when it gives the days; until_before: where the comparison is cut."""
    name: str
    period: Period
    scope: Scope
    since: datetime
    until: datetime
    since_before: datetime
    until_before: datetime
    is_running: bool

    def address(self, page: str = "/statistics", **more: str) -> str:
        given = {"period": self.name} if self.name else {"from": str(self.period.first), "to": str(self.period.last)}
        if self.scope != ALL:
            given["of"] = f"{self.scope.kind}:{self.scope.key}"
        return f"{page}?{urlencode(given | more)}"


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/statistics", callback=lambda: _statistics(office), role="owner")
    app.get("/statistics/export", callback=lambda: _export(office), role="owner")
    app.get("/statistics/saved", callback=lambda: _saved(office), role="owner")


def _statistics(office: Office) -> str:
    db, words, now = office.db, office.words, office.clock()
    asked, set_, zone = _asked(office, now), settings.read(office.db), office.box.zone
    teller = Teller(words, office.box, now)
    kind, bars, before = _bars(office, asked, set_)
    figures, earlier = _totals(office, asked)
    level = service_level.of(figures, set_.service_level_s, set_.abandon_under_s)
    level_before = service_level.of(earlier, set_.service_level_s, set_.abandon_under_s)
    week = stats.week(db, asked.scope, asked.since, asked.until, zone)
    first = callers.new(db, asked.scope, asked.since, asked.until)
    names = Names(office.box, words)
    return office.render(
        "statistics.html", asked=asked, periods=PERIODS, head=teller.head(asked.period, asked.is_running),
        figures=figures, level=level, set_=set_, teller=teller, scopes=_scopes(office, names),
        of=f"{asked.scope.kind}:{asked.scope.key}" if asked.scope != ALL else "",
        tiles=teller.tiles(figures, earlier, level, level_before, [bar for _, bar in bars], set_),
        counted=teller.counted(kind, bars, before), heat=teller.heat(week), by_hour=teller.by_hour(week),
        waits=rows([(teller.wait(low, high), count) for low, high, count in _waits(figures)]),
        most=rows([(caller.name or teller.number(caller.number), caller.calls)
                   for caller in callers.most(db, asked.scope, asked.since, asked.until, MOST_SHOWN)]),
        new=first, known=max(0, figures.calls - figures.withheld - first),
        lines=_each(office, asked, "line", names, stats.COUNTS),
        extensions=_each(office, asked, "extension", names, stats.COUNTS),
        reasons=rows([(key, its.calls + its.outgoing) for key, its in _each(office, asked, "disposition", names,
                                                                                       stats.COUNTS)]),
        echoes=callers.echoes(db, asked.since, asked.until) if asked.scope == ALL else {},
        slip=_slip(office, _monday(office, now) - timedelta(days=7)))


def _export(office: Office) -> HTTPResponse:
    now = office.clock()
    asked, set_ = _asked(office, now), settings.read(office.db)
    teller, names = Teller(office.words, office.box, now), Names(office.box, office.words)
    figures, earlier = _totals(office, asked)
    _, bars, _ = _bars(office, asked, set_)
    lines: list[list[sheets.Cell]] = [*teller.sheet_totals(figures, earlier, set_), *teller.sheet_bars(bars)]
    lines += teller.sheet_week(stats.week(office.db, asked.scope, asked.since, asked.until, office.box.zone))
    for kind, title in SCOPES:
        lines += [teller.sheet_line(office.words(title), name, its, set_)
                  for name, its in _each(office, asked, kind, names)]
    lines += [teller.sheet_caller(caller) for caller in
              callers.most(office.db, asked.scope, asked.since, asked.until, 100)]
    return sheets.answer(office, office.words("statistics"), teller.sheet_head(set_), lines,
                         request.query.get("format", ""))


def _saved(office: Office) -> str:
    now, asked = office.clock(), request.query.get("week", "")
    this = _monday(office, now)
    found = WEEK.fullmatch(asked)
    try:
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else this - timedelta(days=7)
    except ValueError:
        raise HTTPError(404) from None
    if asked and not found or not date(1971, 1, 1) < monday <= this:
        raise HTTPError(404)
    teller = Teller(office.words, office.box, now)
    return office.render("saved.html", slip=_slip(office, monday), teller=teller,
                         days=teller.days(monday, monday + timedelta(days=6)), set_=settings.read(office.db),
                         writer=Writer(office.box, office.words, now), most=MOST_LINES,
                         before=week_name(monday - timedelta(days=7)),
                         after=week_name(monday + timedelta(days=7)) if monday < this else "")


def week_name(monday: date) -> str:
    """2026-W47 (ISO 8601)."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


@dataclass(frozen=True)
class SlipTold:
    """The week's slip with its address and what it may have brought; money "" while there is no average sale."""
    slip: saved.Slip
    week: str
    average: str
    money: str


def _slip(office: Office, monday: date) -> SlipTold:
    slip = saved.slip(office.db, monday, office.box.zone)
    average = sale.parse(settings.read(office.db).average_sale)
    teller = Teller(office.words, office.box, office.clock())
    return SlipTold(slip, week_name(monday), teller.money(average, 1) if average else "",
                    teller.money(average, slip.saved) if average and slip.saved else "")


def _asked(office: Office, now: datetime) -> Asked:
    today, zone = now.astimezone(office.box.zone).date(), office.box.zone
    first, last, name = request.query.get("from", ""), request.query.get("to", ""), ""
    try:
        if first or last:
            days = sorted((date.fromisoformat(first or last), date.fromisoformat(last or first)))
            period = periods.between(days[0], days[1])
        else:
            name = request.query.get("period", "") or DEFAULT
            period = periods.named(name, today)
    except (PeriodError, ValueError, OverflowError):
        raise HTTPError(404) from None
    since, until = periods.begins(period.first, zone), periods.begins(period.last + periods.DAY, zone)
    until_before = periods.begins(period.last_before + periods.DAY, zone)
    is_running = since <= now < until
    if is_running and period.last == today:
        passed = now - periods.begins(today, zone)
        quarters = passed // timedelta(minutes=15)
        until_before = periods.begins(period.last_before, zone) + quarters * timedelta(minutes=15)
    return Asked(name, period, _scope(office), since, until, periods.begins(period.first_before, zone), until_before,
                 is_running and period.last == today)


def _scope(office: Office) -> Scope:
    kind, _, key = request.query.getunicode("of", "").partition(":")
    if not kind:
        return ALL
    known = {"line": [trunk.key for trunk in office.box.trunks],
             "extension": [extension.number for extension in office.box.extensions]}
    if kind not in stats.KINDS or key not in known.get(kind, []) and key not in stats.keys(office.db, kind):
        raise HTTPError(404)
    return Scope(kind, key)


def _scopes(office: Office, names: Names) -> list[tuple[str, list[tuple[str, str]]]]:
    """What can be chosen: the lines, the extensions, the reasons that had a call."""
    found = []
    for kind, title in SCOPES:
        keys = [(f"{kind}:{key}", _name(names, kind, key)) for key in stats.keys(office.db, kind)]
        if keys:
            found.append((office.words(title), sorted(keys, key=lambda one: one[1])))
    return found


def _name(names: Names, kind: str, key: str) -> str:
    return {"line": names.trunk, "extension": names.extension}.get(kind, lambda key: key)(key)


def _totals(office: Office, asked: Asked) -> tuple[Figures, Figures]:
    return (stats.total(office.db, asked.scope, asked.since, asked.until),
            stats.total(office.db, asked.scope, asked.since_before, asked.until_before))


def _bars(office: Office, asked: Asked, set_: Settings) -> tuple[str, list[tuple[datetime, Bar]], list[int]]:
    """What the bars are, each with its start, and the calls of those of the period before."""
    zone = office.box.zone
    kind, edges = periods.edges(asked.period, zone)
    found = stats.bars(office.db, asked.scope, edges, set_.service_level_s, set_.abandon_under_s)
    _, edges_before = periods.edges(asked.period.before, zone)
    before = stats.bars(office.db, asked.scope, edges_before)
    return kind, list(zip(edges, found, strict=False)), [bar.calls for bar in before]


def _each(office: Office, asked: Asked, kind: str, names: Names,
          columns: tuple[str, ...] = stats.COLUMNS) -> list[tuple[str, Figures]]:
    """The lines, extensions or reasons that had a call, the busiest first; none when only one is asked for."""
    if asked.scope != ALL:
        return []
    found = stats.each(office.db, kind, asked.since, asked.until, columns)
    ranked = sorted(found.items(), key=lambda one: (-one[1].calls - one[1].outgoing, one[0]))
    return [(_name(names, kind, key), its) for key, its in ranked]


def _waits(figures: Figures) -> list[tuple[int, int | None, int]]:
    """How many were answered between two times: from, to, count; the last has no end."""
    found, below, low = [], 0, 0
    for high in stats.WITHIN_S:
        found.append((low, high, figures.answered_within[high] - below))
        below, low = figures.answered_within[high], high
    return [*found, (low, None, figures.answered - below)] if figures.answered else []


def _monday(office: Office, now: datetime) -> date:
    today = now.astimezone(office.box.zone).date()
    return today - timedelta(days=today.weekday())
