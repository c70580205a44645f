"""The filters of the history as they stand in its address: read with care, said again for every chip, remembered."""
from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from bottle import HTTPError, request

from appliance.calls.narrow import DIRECTIONS, LONGEST_TEXT, MARKS, OUTCOMES, SHOWS, Wish
from web.language import N_

DAYS = {"today": N_("Today"), "yesterday": N_("Yesterday"), "week": N_("This week"), "month": N_("Last month")}
MOST_SESSIONS = 500
KEY = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)
ID = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Filters:
    """What stands in the address; everything empty: all calls. first and last are days of the shop, both meant."""
    text: str = ""
    day: str = ""                  # one of DAYS, else first and last
    first: date | None = None
    last: date | None = None
    shows: tuple[str, ...] = ()
    direction: str = ""
    outcome: str = ""
    line: str = ""
    desk: str = ""
    group: int | None = None
    mark: str = ""
    recorded: bool = False
    texted: bool = False

    @property
    def query(self) -> str:
        """The address after the question mark, always written alike; "" when nothing is filtered."""
        pairs = [("q", self.text), ("day", self.day), ("from", self.first.isoformat() if self.first else ""),
                 ("to", self.last.isoformat() if self.last else ""), *(("show", show) for show in self.shows),
                 ("direction", self.direction), ("outcome", self.outcome), ("line", self.line), ("desk", self.desk),
                 ("group", str(self.group) if self.group is not None else ""), ("mark", self.mark),
                 ("recorded", "1" if self.recorded else ""), ("texted", "1" if self.texted else "")]
        return urlencode([(name, value) for name, value in pairs if value])

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a form beside the chips carries on: all that is not among its own fields."""
        return [*((name, value) for name, value in (("day", self.day), ("recorded", "1" if self.recorded else ""),
                                                    ("texted", "1" if self.texted else "")) if value),
                *(("show", show) for show in self.shows)]

    @property
    def is_narrow(self) -> bool:
        """Whether one of the folded filters is in use."""
        return bool(self.first or self.last or self.direction or self.outcome or self.line or self.desk or self.mark
                    or self.group is not None)

    def at(self, **other: object) -> str:
        """The address of the same list with something else in it."""
        query = replace(self, **other).query      # type: ignore[arg-type]
        return f"/history?{query}" if query else "/history?all=1"

    def on_day(self, day: str) -> str:
        return self.at(day="" if day == self.day else day, first=None, last=None)

    def with_show(self, show: str) -> str:
        shows = tuple(key for key in SHOWS if (key in self.shows) != (key == show))
        return self.at(shows=shows)

    def wish(self, local: datetime) -> Wish:
        """What is asked of the store, on a day of the shop: `local` is now on its clock."""
        first, last = self.span(local.date())
        return Wish(_midnight(first, local) if first else None,
                    _midnight(last + timedelta(days=1), local) if last else None, self.shows, self.direction,
                    self.outcome, self.line, self.desk, self.group, self.mark, self.recorded, self.texted, self.text)

    def span(self, today: date) -> tuple[date | None, date | None]:
        """First and last day."""
        if self.day == "today":
            return today, today
        if self.day == "yesterday":
            return today - timedelta(days=1), today - timedelta(days=1)
        if self.day == "week":
            return today - timedelta(days=today.weekday()), today
        if self.day == "month":
            end = today.replace(day=1) - timedelta(days=1)
            return end.replace(day=1), end
        return self.first, self.last


def asked() -> Filters:
    """The filters of this request's address; 404 for what no page of ours links to. Turned days are turned back."""
    given = request.query
    shows = given.getall("show")
    day, direction, outcome, mark = (given.get(name, "") for name in ("day", "direction", "outcome", "mark"))
    for value, known in ((day, DAYS), (direction, DIRECTIONS), (outcome, OUTCOMES), (mark, MARKS)):
        if value and value not in known:
            raise HTTPError(404)
    if any(show not in SHOWS for show in shows):
        raise HTTPError(404)
    line, desk = (given.get(name, "") for name in ("line", "desk"))
    if any(key and not KEY.fullmatch(key) for key in (line, desk)):
        raise HTTPError(404)
    group = given.get("group", "")
    if group and not ID.fullmatch(group):
        raise HTTPError(404)
    first, last = (_date(given.get(name, "")) for name in ("from", "to"))
    if first and last and last < first:
        first, last = last, first
    if first or last:
        day = ""
    text = "".join(letter for letter in given.getunicode("q", "") if letter.isprintable()).strip()[:LONGEST_TEXT]
    return Filters(text, day, first, last, tuple(show for show in SHOWS if show in shows), direction, outcome, line,
                   desk, int(group) if group else None, mark, given.get("recorded") == "1", given.get("texted") == "1")


def _date(text: str) -> date | None:
    """A day as a browser's field writes it, None for an empty one; 404 for none, or one no calendar of ours reaches."""
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise HTTPError(404) from None
    if not 1970 <= found.year <= 2200:
        raise HTTPError(404)
    return found


def _midnight(day: date, local: datetime) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=local.tzinfo)


class Remembered:
    """The filters that each session used last. In memory: what people looked for is nobody else's."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._lock = threading.Lock()

    def keep(self, session: str, query: str) -> None:
        with self._lock:
            self._of.pop(session, None)
            if query:
                self._of[session] = query
            while len(self._of) > MOST_SESSIONS:
                del self._of[next(iter(self._of))]

    def last(self, session: str) -> str:
        with self._lock:
            return self._of.get(session, "")
