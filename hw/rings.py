"""Calls to the SIM: RING and +CLIP come again and again while it rings, the office hears of each call once."""
from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

CLIP_WAIT_S = 1.5  # RING comes first, the number a moment later
QUIET_S = 9.0  # the network rings every 5 or 6 s: longer silence is the end, with or without NO CARRIER
NAMES = ("RING", "+CRING", "+CLIP", "NO CARRIER")
CLIP = re.compile(r'"([^"]*)", *(\d+)(.*)')


class Shown(Enum):
    """Whether the caller's number came: the CLI validity of +CLIP (3GPP TS 27.007 §7.6)."""

    ALLOWED = "allowed"
    WITHHELD = "withheld"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Ringing:
    """Somebody calls, said once a call. `at` is monotonic seconds; number is '' unless it is shown."""

    number: str
    shown: Shown
    at: float


@dataclass(frozen=True)
class RingingOver:
    """The caller gave up, or was answered elsewhere: nobody can answer here. `at` is monotonic seconds."""

    at: float


class RingWatch:
    """Turns what the modem says while it rings into calls. One call at a time: a second one waits at the network."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last = 0.0
        self._is_told = False
        self._clip: tuple[str, Shown] | None = None

    def hear(self, name: str, rest: str, at: float) -> list[Ringing | RingingOver]:
        """The calls that began or ended by this line of NAMES."""
        news = self.tick(at)  # a silence before it was an end
        if name == "NO CARRIER":
            return news + self._end(at)
        if self._began is None:
            self._began = at
        self._last = at
        if name == "+CLIP" and self._clip is None:
            self._clip = caller(rest)
        return news + self.tick(at)

    def tick(self, now: float) -> list[Ringing | RingingOver]:
        """The same by time alone: a call without a number is told at last, one that fell silent is over."""
        if self._began is None:
            return []
        news: list[Ringing | RingingOver] = []
        if not self._is_told and (self._clip is not None or now - self._began >= CLIP_WAIT_S):
            self._is_told = True
            news.append(Ringing(*(self._clip or ("", Shown.UNAVAILABLE)), self._began))
        if now - self._last > QUIET_S:
            news += self._end(self._last)
        return news

    def _end(self, at: float) -> list[Ringing | RingingOver]:
        if self._began is None:
            return []
        told: list[Ringing | RingingOver] = []
        if not self._is_told:
            told.append(Ringing(*(self._clip or ("", Shown.UNAVAILABLE)), self._began))
        self._began, self._is_told, self._clip = None, False, None
        return [*told, RingingOver(at)]


def caller(clip: str) -> tuple[str, Shown]:
    """Number and validity of what follows "+CLIP:"; modems leave out what they do not know."""
    found = CLIP.match(clip)
    if found is None:
        return "", Shown.UNAVAILABLE
    fields = [field.strip().strip('"') for field in found[3].split(",")]
    validity = fields[4] if len(fields) > 4 else ""
    if validity == "1":
        return "", Shown.WITHHELD
    number = found[1].strip()
    if not number or validity in ("2", "4"):
        return "", Shown.UNAVAILABLE
    return ("+" + number if found[2] == "145" and not number.startswith("+") else number), Shown.ALLOWED
