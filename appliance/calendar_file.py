"""Holidays out of a calendar file (.ics, RFC 5545): whole-day events, also of every year. Nothing is fetched."""
from __future__ import annotations

import re
from datetime import date, timedelta

from appliance.holidays import LONGEST_NAME, MOST_DAYS, Day
from appliance.hours import HoursError

MOST_BYTES = 1024 * 1024
MOVING = re.compile("BYDAY|BYSETPOS|BYWEEKNO|BYYEARDAY|INTERVAL|COUNT|UNTIL")     # not the same date each year
NOT_ONE = "This is no calendar file (.ics). Nothing was changed. Save the holidays as .ics and choose that file."


def read(content: bytes, since: date) -> list[Day]:
    """The whole days of the file that are not over by `since`, each closed. Raises HoursError."""
    if len(content) > MOST_BYTES:
        raise HoursError("That calendar is too large. Nothing was changed. Choose one of holidays alone.")
    text = re.sub(r"\r?\n[ \t]", "", content.decode("utf-8-sig", "replace"))      # §3.1: folded lines
    if "BEGIN:VCALENDAR" not in text.upper():
        raise HoursError(NOT_ONE)
    found = []
    for event in re.findall(r"^BEGIN:VEVENT\s*$(.*?)^END:VEVENT\s*$", text, re.DOTALL | re.MULTILINE | re.IGNORECASE):
        day = _day(event)
        if day and (day.is_yearly or day.last >= since):
            found.append(day)
        if len(found) > MOST_DAYS:
            raise HoursError(f"There are more than {MOST_DAYS} days in that calendar. Nothing was changed.")
    return found


def _day(event: str) -> Day | None:
    """None for an event that is not of whole days: an appointment closes no shop."""
    first, after = _value(event, "DTSTART"), _value(event, "DTEND")
    if not re.fullmatch(r"\d{8}", first, re.ASCII):
        return None
    try:
        begin = date.fromisoformat(first)
        last = date.fromisoformat(after) - timedelta(days=1) if re.fullmatch(r"\d{8}", after, re.ASCII) else begin
    except (ValueError, OverflowError):
        return None
    name = re.sub(r"\\([,;\\])", r"\1", re.sub(r"\\[nN]", " ", _value(event, "SUMMARY")))
    name = "".join(letter for letter in name if letter.isprintable()).strip()[:LONGEST_NAME]
    last = min(max(begin, last), begin + timedelta(days=366))
    rule = _value(event, "RRULE").upper()
    if "FREQ=YEARLY" in rule and not MOVING.search(rule) and begin.year == last.year:
        return Day(begin.replace(year=2000), last.replace(year=2000), True, (), name)
    return Day(begin, last, False, (), name)


def _value(event: str, name: str) -> str:
    found = re.search(rf"^{name}(?:;[^:\n]*)?:(.*)$", event, re.MULTILINE | re.IGNORECASE)
    return found[1].strip() if found else ""
