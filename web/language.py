"""What language a page speaks, and how it writes dates, times and spans in the shop's time zone.

A catalogue is web/locale/<language>/LC_MESSAGES/deskbell.po, read as it is: a new language needs no code.
"""
from __future__ import annotations

import gettext
import io
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from web.sayings import Sayings

LOCALE = Path(__file__).parent / "locale"
SOURCE = "en"
NAMES = {"en": "English", "zh": "简体中文", "ru": "Русский", "fr": "Français"}


def N_(message: str) -> str:
    """Marks a message for the catalogues; it is translated where it is shown."""
    return message


def plural(one: str, many: str) -> tuple[str, str]:
    """Marks a message and its plural; Words.plural chooses between them where they are shown."""
    return one, many


MONTHS = (N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"), N_("August"),
          N_("September"), N_("October"), N_("November"), N_("December"))
MONTHS_SHORT = (N_("Jan"), N_("Feb"), N_("Mar"), N_("Apr"), N_("May"), N_("Jun"), N_("Jul"), N_("Aug"), N_("Sep"),
                N_("Oct"), N_("Nov"), N_("Dec"))
DAYS = (N_("Monday"), N_("Tuesday"), N_("Wednesday"), N_("Thursday"), N_("Friday"), N_("Saturday"), N_("Sunday"))
DAYS_SHORT = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


SEPARATORS = {"fr": ("\N{NARROW NO-BREAK SPACE}", ","), "ru": ("\N{NO-BREAK SPACE}", ",")}


class Words:
    """One language: its messages and the way it writes times. `zone` is the shop's."""

    def __init__(self, language: str, file: Path | None, zone: ZoneInfo) -> None:
        self.language = language
        self.zone = zone
        self._file = file

    @cached_property
    def catalogue(self) -> gettext.NullTranslations:
        """Read when the first page is wanted in it: a box speaks one or two of its languages."""
        return _read(self._file, self._file.stat().st_mtime_ns) if self._file else gettext.NullTranslations()

    def __call__(self, message: str, **given: object) -> str:
        """The message in this language, with %(name)s filled in; a sentence with values in it as `said` has it."""
        text = self.catalogue.gettext(message) if message else ""
        if text == message and not given:
            return self.said(message)
        return text % given if given else text

    def said(self, sentence: str) -> str:
        """A whole sentence that came from below the pages, its values already in it, in this language."""
        return self.sayings.said(sentence)

    @cached_property
    def sayings(self) -> Sayings:
        return Sayings(self.catalogue, self._named_day)

    def _named_day(self, day: date) -> str:
        return self("%(weekday)s, %(day)s %(month)s %(year)s", weekday=self(DAYS[day.weekday()]), day=day.day,
                    month=self(MONTHS[day.month - 1]), year=day.year)

    def number(self, n: int | float | Decimal, decimals: int = 0) -> str:
        """12,345.6 as this language writes it: separators of thousands that do not break, its own decimal sign."""
        thousands, point = SEPARATORS.get(self.language, (",", "."))
        return f"{n:,.{decimals}f}".replace(",", "\0").replace(".", point).replace("\0", thousands)

    def plural(self, one: str, many: str, n: int, **given: object) -> str:
        """The form of the message that this language uses for n of them."""
        return self.catalogue.ngettext(one, many, n) % {"n": n, **given}

    def both(self, names: list[str]) -> str:
        """Names in a row: "Counter", "Counter and Workshop", "Counter, Workshop and Office"."""
        if len(names) < 2:
            return "".join(names)
        return self("%(first)s and %(last)s", first=self(", ").join(names[:-1]), last=names[-1])

    def local(self, at: datetime) -> datetime:
        """The same moment on the shop's clock."""
        return at.astimezone(self.zone)

    def time(self, at: datetime) -> str:
        return self.local(at).strftime("%H:%M")

    def time_s(self, at: datetime) -> str:
        return self.local(at).strftime("%H:%M:%S")

    def day(self, at: datetime | date) -> str:
        """Tuesday, 17 November."""
        day = self.local(at) if isinstance(at, datetime) else at
        return self("%(weekday)s, %(day)s %(month)s", weekday=self(DAYS[day.weekday()]), day=day.day,
                    month=self(MONTHS[day.month - 1]))

    def day_short(self, at: datetime, now: datetime) -> str:
        """Fri 13 Nov; with the year if it is another."""
        day, today = self.local(at), self.local(now)
        given = {"weekday": self(DAYS_SHORT[day.weekday()]), "day": day.day, "month": self(MONTHS_SHORT[day.month - 1])}
        if day.year == today.year:
            return self("%(weekday)s %(day)s %(month)s", **given)
        return self("%(day)s %(month)s %(year)s", year=day.year, **given)

    def near(self, at: datetime, now: datetime) -> str:
        """Today, Yesterday or nothing."""
        days = (self.local(now).date() - self.local(at).date()).days
        return {0: self("Today"), 1: self("Yesterday")}.get(days, "")

    def span(self, ms: int) -> str:
        """A time that has passed: 24 s, 3 min 12 s, 1 h 4 min. Spaces do not break."""
        minutes, seconds = divmod(round(ms / 1000), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return self("%(h)s\N{NO-BREAK SPACE}h %(min)s\N{NO-BREAK SPACE}min", h=hours, min=minutes)
        if minutes:
            return self("%(min)s\N{NO-BREAK SPACE}min %(s)s\N{NO-BREAK SPACE}s", min=minutes, s=seconds)
        return self("%(s)s\N{NO-BREAK SPACE}s", s=seconds)


class Languages:
    """Every language there is a catalogue for, and English."""

    def __init__(self, zone: ZoneInfo, fallback: str = SOURCE, locale: Path = LOCALE) -> None:
        self.zone = zone
        self.fallback = fallback
        self._locale = locale

    @cached_property
    def all(self) -> dict[str, Words]:
        found: dict[str, Path | None] = {SOURCE: None}
        for file in sorted(self._locale.glob("*/LC_MESSAGES/deskbell.po")):
            found[file.parent.parent.name] = file
        return {language: Words(language, file, self.zone) for language, file in found.items()}

    def choose(self, wanted: str | None, accepted: str) -> Words:
        """The words for a browser: the user's own choice, then Accept-Language (RFC 9110, 12.5.4), then the box's."""
        for tag in [wanted or "", *_preferred(accepted), self.fallback, SOURCE]:
            for language in (tag, tag.split("-")[0]):
                if language in self.all:
                    return self.all[language]
        raise AssertionError("English is always there")


def _preferred(accepted: str) -> list[str]:
    weighted = []
    for part in accepted.split(",")[:20]:
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        if quality > 0:
            weighted.append((-quality, tag.strip()))
    return [tag for _, tag in sorted(weighted, key=lambda pair: pair[0])]


@lru_cache(maxsize=8)
def _read(file: Path, changed_ns: int) -> gettext.NullTranslations:
    import polib  # only a box that speaks another language needs it

    return gettext.GNUTranslations(io.BytesIO(polib.pofile(str(file)).to_binary()))
