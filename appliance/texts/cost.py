"""What many texts cost before one is sent: segments, money, minutes at a SIM's pace, what is left of its allowance."""
from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil
from zoneinfo import ZoneInfo

from appliance.store.db import iso
from appliance.texts import alphabet, guards
from appliance.texts.pace import CAMPAIGN_SHARE, Sim


@dataclass(frozen=True)
class Cost:
    """texts, and the segments the network will carry; most: segments of the longest. minutes: at the SIM's pace.

    price: None when nobody wrote one. left: of the allowance before it, left_after: after it, below 0 when it would
    overrun; None when unlimited. a_day: how many texts a day would stay within the allowance or the daily limit.
    """

    texts: int
    segments: int
    most: int
    price: Decimal | None
    minutes: int
    left: int | None
    left_after: int | None
    a_day: int | None

    @property
    def is_overrun(self) -> bool:
        return self.left_after is not None and self.left_after < 0


def estimate(texts: Iterable[str], sim: Sim, left: int | None = None, days: int = 1) -> Cost:
    """What these texts cost from this SIM; left and days are what `left()` and `days_left()` say of its allowance."""
    counts = Counter(texts)
    sizes = {text: alphabet.size(text).segments for text in counts}
    number, segments = counts.total(), sum(sizes[text] * times for text, times in counts.items())
    price = sim.price_of_one
    return Cost(number, segments, max(sizes.values(), default=0), price * segments if price is not None else None,
                minutes(number, segments, sim), left, left - segments if left is not None else None,
                _a_day(number, segments, sim, left, days))


def minutes(texts: int, segments: int, sim: Sim) -> int:
    """How long it takes within the hours: the pace counts segments, the limits of the hour and the day count texts."""
    share = CAMPAIGN_SHARE[0] / CAMPAIGN_SHARE[1]
    seconds = [segments * sim.pace_s]
    for limit, span_s in ((sim.hourly, 3600), (sim.daily, 86400)):
        room = max(int(limit * share), 1)
        if limit and texts > room:
            full, rest = divmod(texts - 1, room)
            seconds.append(full * span_s + (rest + 1) * segments / texts * sim.pace_s)
    return ceil(max(seconds) / 60)


def left(db: sqlite3.Connection, sim: Sim, zone: ZoneInfo, now: datetime) -> int | None:
    """The segments left of this month's allowance, never below 0; None when it is unlimited.

    The month begins on allowance_day in shop time. Every part that was or may have been sent counts.
    """
    if sim.allowance is None:
        return None
    used = db.execute("""
        SELECT count(*)
        FROM segment
        WHERE sim = ? AND sending_at >= ? AND state IN ('sending', 'unknown', 'sent', 'delivered')""",
        (sim.name, iso(guards.month_start(sim.allowance_day, now.astimezone(zone))))).fetchone()[0]
    return max(sim.allowance - int(used), 0)


def days_left(sim: Sim, zone: ZoneInfo, now: datetime) -> int:
    """The days of this allowance month from today on, today included."""
    today = now.astimezone(zone)
    began = guards.month_start(sim.allowance_day, today).date()
    ends = began.replace(year=began.year + (began.month == 12), month=began.month % 12 + 1)
    return (ends - today.date()).days


def _a_day(texts: int, segments: int, sim: Sim, left: int | None, days: int) -> int | None:
    """Texts a day that keep to the day's limit, and to the allowance until its next month begins. None: all at once."""
    rooms = [max(sim.daily * CAMPAIGN_SHARE[0] // CAMPAIGN_SHARE[1], 1)] if sim.daily else []
    if left is not None and left < segments:
        rooms.append(left * texts // segments // days)
    return min(rooms) if rooms and 0 < min(rooms) < texts else None
