"""The recordings as a list: searched, narrowed by what stands in the address, one player at a time."""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from urllib.parse import urlencode

import bottle
from bottle import HTTPError, request

from appliance import settings
from appliance.calls import library, room
from appliance.calls.history import Key
from appliance.calls.library import Entry, Filter
from appliance.store import db as store
from web import forms, player
from web.call import MARKS
from web.journey import Row, Teller
from web.language import N_
from web.office import Office

PAGE = 50
KEY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z),(\d{1,18})", re.ASCII)
LONGEST = 100
DAYS = {"today": N_("Today"), "yesterday": N_("Yesterday"), "week": N_("This week"), "month": N_("Last month")}


@dataclass(frozen=True)
class Line:
    """One row of the list."""
    entry: Entry
    row: Row


@dataclass(frozen=True)
class Asked:
    """What the address asks for; `open` is the call whose player is open."""
    q: str = ""
    mark: str = ""
    star: str = ""
    line: str = ""
    ext: str = ""
    since: str = ""
    until: str = ""
    day: str = ""
    before: str = ""
    open: str = ""

    @property
    def is_narrowed(self) -> bool:
        return any((self.q, self.mark, self.star, self.line, self.ext, self.since, self.until, self.day))

    def address(self, **changed: str) -> str:
        """This list with something changed; what is not said begins at its newest page, nothing open."""
        wanted = replace(self, **{"before": "", "open": "", **changed})
        given = {key: value for key, value in vars(wanted).items() if value}
        return "/recordings" + (f"?{urlencode(given)}" if given else "")


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/recordings", callback=lambda: _list(office))


def _list(office: Office) -> str:
    asked, words, now = _asked(), office.words, office.clock()
    match = KEY.fullmatch(asked.before)
    if asked.before and not match:
        raise HTTPError(404)
    page = library.page(office.db, narrowed(asked, office, now), Key(match[1], int(match[2])) if match else None, PAGE)
    teller = Teller(office.box, words)
    lines = [Line(entry, teller.row(entry.call)) for entry in page.entries]
    days = [(found[0].entry.started_at, found) for _, found in (
        (day, list(lines_)) for day, lines_ in groupby(lines, lambda line: words.local(line.entry.started_at).date()))]
    opened = next((line for line in lines if str(line.entry.call.id) == asked.open), None)
    tape = library.tape(office.db, opened.entry.call.id) if opened else None
    older = f"{page.older.started_at},{page.older.id}" if page.older else ""
    return office.render("recordings.html", asked=asked, days=days, older=older, marks=MARKS, date_chips=DAYS,
                         opened=opened.entry.call.id if opened else None,
                         player=player.of(tape, opened.row, teller) if tape and opened else None,
                         has_room=_has_room(office), kept=settings.read(office.db))


def _has_room(office: Office) -> bool:
    try:
        return room.disk(office.box.recordings).has_room
    except OSError:
        return True


def _asked() -> Asked:
    """What the address says, each word known or gone."""
    def given(name: str) -> str:
        text: str = request.query.getunicode(name, "")[:LONGEST].strip()
        return "".join(letter for letter in text if letter.isprintable())
    asked = Asked(**{name: given(name) for name in Asked.__dataclass_fields__})
    return replace(asked, mark=asked.mark if asked.mark in MARKS else "", star="1" if asked.star == "1" else "",
                   day=asked.day if asked.day in DAYS else "",
                   open=asked.open if forms.ID.fullmatch(asked.open) else "",
                   since=asked.since if _date(asked.since) else "", until=asked.until if _date(asked.until) else "")


def narrowed(asked: Asked, office: Office, now: datetime) -> Filter:
    """The filter of the store: the days of the shop as moments."""
    first, last = _date(asked.since), _date(asked.until)
    today = office.words.local(now).date()
    if asked.day:
        first, last = _days(asked.day, today)
    return Filter(asked.q, asked.mark, bool(asked.star), asked.line, asked.ext,
                  _moment(first, office) if first else "", _moment(last + timedelta(days=1), office) if last else "")


def _days(chip: str, today: date) -> tuple[date, date]:
    """The first and the last day that a chip means."""
    if chip == "yesterday":
        return today - timedelta(days=1), today - timedelta(days=1)
    if chip == "week":
        return today - timedelta(days=today.weekday()), today
    if chip == "month":
        last = today.replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
    return today, today


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        return None
    return found if found and 1970 <= found.year <= 9000 else None


def _moment(day: date, office: Office) -> str:
    return store.iso(datetime.combine(day, time(), office.box.zone).astimezone(UTC))
