"""What a call is: the words of the trade as frozen rows."""
from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime


class Direction(enum.StrEnum):
    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class Presentation(enum.StrEnum):
    """Whether the line showed the number (ITU-T Q.951.3, CLIP and CLIR)."""
    ALLOWED = "allowed"
    WITHHELD = "withheld"
    UNAVAILABLE = "unavailable"


class Outcome(enum.StrEnum):
    """How a call ended. MISSED: nobody answered, or the caller gave up before or while it rang."""
    ANSWERED = "answered"
    MISSED = "missed"
    ABANDONED = "abandoned"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"
    VOICEMAIL = "voicemail"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Leg:
    """One channel of a call. party is the extension or trunk key.

    hangup_cause (ITU-T Q.850) is what this leg itself said; None when it was ended from elsewhere.
    """
    uniqueid: str
    channel: str
    party: str
    is_caller: bool
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    hangup_cause: int | None = None


@dataclass(frozen=True)
class Call:
    """One conversation attempt as the ledger tells it; outcome and ended_at are None while it lives."""
    boot: int
    linkedid: str
    direction: Direction
    trunk: str | None
    caller_id: str
    caller_name: str | None
    presentation: Presentation
    extension: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    hangup_cause: int | None
    was_bell_cut: bool
    legs: tuple[Leg, ...]

    @property
    def ring_ms(self) -> int | None:
        until = self.answered_at or self.ended_at
        return _ms(self.started_at, until) if until else None

    @property
    def talk_ms(self) -> int | None:
        return _ms(self.answered_at, self.ended_at) if self.answered_at and self.ended_at else None


def _ms(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))


WITHHELD_WORDS = {"anonymous", "private", "restricted", "withheld", "blocked", "p"}
UNAVAILABLE_WORDS = {"", "unavailable", "unknown", "outofarea", "o", "s", "asterisk", "<unknown>"}


QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def presentation(caller_id: str, asterisk_word: str = "") -> Presentation:
    """What the line said of the number: Asterisk's CALLERID(num-pres) where there is one, else its words.

    Gateways write "anonymous" or "unavailable" in the number's place.
    """
    word = caller_id.strip().lower()
    if asterisk_word.startswith("prohib") or word in WITHHELD_WORDS:
        return Presentation.WITHHELD
    if asterisk_word == "unavailable" or word in UNAVAILABLE_WORDS:
        return Presentation.UNAVAILABLE
    return Presentation.ALLOWED


def caller_name(given: str, caller_id: str) -> str | None:
    """The name the line gave, fit to show: one line of at most 80 characters, None if it says nothing.

    Asterisk 22 leaves the quoted pairs of SIP in it (RFC 3261 §25.1) and puts U+FFFD for bytes that are not
    UTF-8; a name that lost letters that way is none.
    """
    plain = QUOTED_PAIR.sub(r"\1", given)
    name = " ".join("".join(c if c.isprintable() else " " for c in plain).split())[:80]
    if "\ufffd" in name or name == caller_id or name.lower() in WITHHELD_WORDS | UNAVAILABLE_WORDS:
        return None
    return name or None


def caller_number(given: str) -> str:
    """The number as the line wrote it, fit to keep: printable, at most 80 characters."""
    return "".join(c for c in given if c.isprintable() and c != "\ufffd")[:80]
