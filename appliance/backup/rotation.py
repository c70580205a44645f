"""Which backups a place keeps: the last few, then the newest of each week and of each month; pure."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Kept:
    id: int
    taken_at: datetime
    kind: str               # those of one kind are thinned among themselves: with recordings, without, before a restore


def to_remove(backups: list[Kept], daily: int, weekly: int, monthly: int, zone: ZoneInfo) -> list[int]:
    """Ids of those that go, of proven ones. The newest stays, whatever the numbers say."""
    newest_first = sorted(backups, key=lambda one: (one.taken_at, one.id), reverse=True)
    stay = {one.id for one in newest_first[:1]}
    spans: tuple[tuple[int, Callable[[date], object]], ...] = (
        (weekly, lambda day: day.isocalendar()[:2]), (monthly, lambda day: (day.year, day.month)))
    for kind in {one.kind for one in backups}:
        of_kind = [one for one in newest_first if one.kind == kind]
        stay |= {one.id for one in of_kind[:daily]}
        for count, span in spans:
            seen: set[object] = set()
            for one in of_kind:
                if (key := span(one.taken_at.astimezone(zone).date())) not in seen and len(seen) < count:
                    seen.add(key)
                    stay.add(one.id)
    return [one.id for one in newest_first if one.id not in stay]
