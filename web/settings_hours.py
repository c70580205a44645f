"""The week and its special days: two spans a day in fields a thumb can hit, days by date or out of a calendar file."""
from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import bottle
from bottle import HTTPResponse, request

from appliance import calendar_file, holidays, hours, settings
from appliance.holidays import Day
from appliance.hours import HoursError
from web import forms
from web.language import DAYS, MONTHS
from web.office import Office
from web.settings_keep import keep

PAGE = "/settings/hours"
NEW = ("first", "last", "start", "end", "name", "yearly", "kind")       # the fields of a day to be added
SPANS = 2          # fields a day; a third span that somebody wrote on the command line is shown too


def routes(app: bottle.Bottle, office: Office, page: Callable[..., str]) -> None:
    app.post(PAGE + "/day", callback=lambda: _add(office, page), role="owner")
    app.post(PAGE + "/day/remove", callback=lambda: _remove(office), role="owner")
    app.post(PAGE + "/calendar", callback=lambda: _import(office, page), role="owner")
    app.post(PAGE + "/open", callback=lambda: _open(office), role="owner")


def view(office: Office, set_: settings.Settings) -> dict[str, Any]:
    """What the page shows beside the fields."""
    now = office.clock()
    local = office.words.local(now)
    week = hours.parse(set_.opening_hours)
    closed = hours.until(set_.closed_until)
    days = sorted(holidays.parse(set_.special_days), key=lambda day: (_next(day, local.date()) or date.max, day.line))
    return {
        "week": [(name, [tuple(map(_clock, span)) for span in spans] + [("", "")] * (SPANS - len(spans)))
                 for name, spans in zip(DAYS, week, strict=True)],
        "has_hours": any(week),
        "special": [(day, _when(office, day), _next(day, local.date()) is None) for day in days],
        "is_open": hours.is_open(set_.opening_hours, local, set_.closed_until, holidays.special(set_.special_days)),
        "closed_until": closed if closed and closed > now else None,
        "today": holidays.on(set_.special_days, local.date()), "new": forms.Given(), "problem": "", "clock": _clock}


def week(office: Office, given: dict[str, str], problems: dict[str, str]) -> dict[str, object]:
    """The opening hours of the form; a field that does not fit is named in `problems`."""
    rows: list[list[str]] = []
    for day in range(7):
        spans = []
        for place in range(9):
            start, end = (forms.field(f"{what}_{day}_{place}", 5) for what in ("from", "to"))
            given[f"from_{day}_{place}"], given[f"to_{day}_{place}"] = start, end
            if not start and not end:
                continue
            try:
                if not start or not end:
                    raise HoursError("A time has no other end. Give both, or neither for a day that is closed.")
                if hours.minutes(start) == hours.minutes(end):
                    raise HoursError("It ends when it begins. For the whole day write 00:00 to 24:00.")
                spans.append(f"{start}-{end}")
            except HoursError as wrong:
                problems[f"day_{day}"] = office.words(str(wrong))
        rows.append(spans)
    given["open"] = forms.field("open")
    if given["open"] == "always":
        return {"opening_hours": ""}
    if not any(rows) and not problems:
        problems["week"] = office.words("No day has hours, so nobody would ever be there. Give one its hours, or "
                                        "choose “at any hour”.")
    return {"opening_hours": written(rows)}


def written(rows: list[list[str]]) -> str:
    """The line that hours.parse reads: neighbours with the same hours together, "Mon-Fri 09:00-18:00, Sat …"."""
    found, day = [], 0
    short = [name.title() for name in hours.WEEKDAYS]
    while day < 7:
        last = day
        while last + 1 < 7 and rows[last + 1] == rows[day]:
            last += 1
        if rows[day]:
            found.append(f"{short[day]}{'-' + short[last] if last > day else ''} {' '.join(rows[day])}")
        day = last + 1
    return ", ".join(found)


def _add(office: Office, page: Callable[..., str]) -> str | HTTPResponse:
    new = forms.Given((key, forms.field(key, 60)) for key in NEW)
    try:
        day = _typed(new)
        days = [*holidays.parse(settings.read(office.db).special_days), day]
        text = holidays.write(days)
        holidays.parse(text)
    except HoursError as wrong:
        return page(problems={"new": office.words(str(wrong))}, new=new)
    return keep(office, {"special_days": text}, PAGE + "#special",
                office.words("%(day)s is noted.", day=_when(office, day)))


def _typed(new: dict[str, str]) -> Day:
    try:
        first = date.fromisoformat(new["first"])
        last = date.fromisoformat(new["last"] or new["first"])
    except ValueError:
        raise HoursError("A day is missing or not in the calendar. Write it like 2026-12-25.") from None
    spans = [] if new["kind"] != "open" else holidays.spans(f"{new['start']}-{new['end']}")
    when = f"{first}..{last}" if new["yearly"] != "1" else f"--{first:%m-%d}..--{last:%m-%d}"
    clock = " ".join(f"{_clock(start)}-{_clock(end)}" for start, end in spans)
    return holidays.parse(f"{when} {clock or 'closed'} {new['name']}")[0]


def _remove(office: Office) -> HTTPResponse:
    line, days = forms.field("line", 200), holidays.parse(settings.read(office.db).special_days)
    gone = next((day for day in days if day.line == line), None)
    if gone is None:
        return office.done(PAGE + "#special", office.words("It was removed already."))
    return keep(office, {"special_days": holidays.write([day for day in days if day.line != line])}, PAGE + "#special",
                office.words("%(day)s is a day like any other again.", day=_when(office, gone)))


def _import(office: Office, page: Callable[..., str]) -> str | HTTPResponse:
    upload = request.files.get("file")
    try:
        content = upload.file.read(calendar_file.MOST_BYTES + 1) if upload else b""
        found = calendar_file.read(content, office.words.local(office.clock()).date())
        text = holidays.write([*holidays.parse(settings.read(office.db).special_days), *found])
        holidays.parse(text)
    except HoursError as wrong:
        return page(problems={"calendar": office.words(str(wrong))})
    if not found:
        return office.done(PAGE + "#special", office.words("That calendar has no whole days from today on."))
    return keep(office, {"special_days": text}, PAGE + "#special", office.words.plural(
        "%(n)s day of the calendar is noted: closed.", "%(n)s days of the calendar are noted: closed.", len(found)))


def _open(office: Office) -> HTTPResponse:
    return keep(office, {"closed_until": ""}, PAGE, office.words("No longer closed for now. The hours decide again."))


def _next(day: Day, today: date) -> date | None:
    """When the day is next, None when it is over."""
    if not day.is_yearly:
        return max(day.first, today) if day.last >= today else None
    for year in range(today.year, today.year + 9):       # a 29 February may be eight years away
        try:
            if day.last.replace(year=year) >= today:
                return day.first.replace(year=year)
        except ValueError:
            continue
    return None


def _when(office: Office, day: Day) -> str:
    words = office.words
    noon = [datetime(at.year, at.month, at.day, 12, tzinfo=words.zone) for at in (day.first, day.last)]
    if day.is_yearly:
        first, last = (words("%(day)s %(month)s", day=at.day, month=words(MONTHS[at.month - 1])) for at in noon)
    else:
        first, last = (words.day_short(at, office.clock()) for at in noon)
    return first if day.first == day.last else words("%(first)s to %(last)s", first=first, last=last)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
