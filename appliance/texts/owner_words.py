"""What an owner texts to the box, read: STATUS, MISSED, CLOSED TILL 15, OPEN. Pure; `now` is in shop time."""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from appliance.texts import words

HELP = "Text STATUS, MISSED, CLOSED TILL 15, CLOSED TILL TOMORROW or OPEN."
TILL = re.compile(r"closed (?:till|til|until|to) (?P<when>.+)")
CLOCK = re.compile(r"(?P<hour>\d{1,2})(?: ?(?P<minute>\d\d))? ?(?P<half>am|pm)?(?: o clock)?")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class OrderError(Exception):
    """It is no order of ours; the text is the answer that helps."""


class Verb(StrEnum):
    """What the owner wants."""

    STATUS = "status"
    MISSED = "missed"
    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True)
class Order:
    """until: when the shop opens again, in shop time; only with CLOSED."""

    verb: Verb
    until: datetime | None = None


def read(text: str, now: datetime) -> Order:
    """The order in a text. Raises OrderError, with a help as short as a text, for anything else."""
    said = words.plain(text)
    if said in (Verb.STATUS, Verb.MISSED, Verb.OPEN):
        return Order(Verb(said))
    till = TILL.fullmatch(said)
    if till:
        return Order(Verb.CLOSED, _until(till["when"], now))
    if said.split(" ")[0] == Verb.CLOSED:
        raise OrderError("Till when? Text CLOSED TILL 15, CLOSED TILL 15:30, CLOSED TILL MONDAY or CLOSED TILL "
                         "TOMORROW. Nothing was changed.")
    raise OrderError(HELP)


def _until(when: str, now: datetime) -> datetime:
    if when == "tomorrow":
        return _midnight(now, 1)
    for day, name in enumerate(WEEKDAYS):
        if when in (name, name[:3]):
            return _midnight(now, (day - now.weekday() - 1) % 7 + 1)
    clock = CLOCK.fullmatch(when)
    hour, minute = (int(clock["hour"]), int(clock["minute"] or 0)) if clock else (99, 0)
    if clock and clock["half"]:
        hour = hour % 12 + 12 * (clock["half"] == "pm") if 1 <= hour <= 12 else 99
    if hour == 24 and minute == 0:
        return _midnight(now, 1)
    if hour > 23 or minute > 59:
        raise OrderError("That is no time of day. Text CLOSED TILL 15, CLOSED TILL 15:30 or CLOSED TILL TOMORROW. "
                         "Nothing was changed.")
    at = datetime.combine(now.date(), time(hour, minute), now.tzinfo)
    if at.timestamp() <= now.timestamp():
        raise OrderError(f"{at:%H:%M} is past today. Text a later hour, or CLOSED TILL TOMORROW. Nothing was changed.")
    return at


def _midnight(now: datetime, days: int) -> datetime:
    return datetime.combine(now.date() + timedelta(days=days), time(), now.tzinfo)
