"""Texts in words: the state with its tone, why, whom, when."""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from appliance.config import Box
from appliance.people import numbers
from web import agents
from web.language import N_, Words

# State of a text: its word, its tone (good, bad, soon or none) and its icon.
STATES = {
    "queued": (N_("Waits"), "", "clock"),
    "held": (N_("Held back"), "", "clock"),
    "sending": (N_("Is being sent"), "", "right"),
    "unknown": (N_("Unknown"), "soon", "help"),
    "sent": (N_("Sent, no word yet"), "", "right"),
    "delivered": (N_("Delivered"), "good", "check"),
    "failed": (N_("Not sent"), "bad", "warn"),
    "expired": (N_("Too late"), "bad", "warn"),
    "cancelled": (N_("Called off"), "", "x"),
    "received": (N_("Came in"), "", "talk"),
}
UNKNOWN = N_("The SIM never answered. It may have been sent, so we do not send it again by ourselves.")


@dataclass(frozen=True)
class State:
    word: str
    tone: str
    icon: str


class Writer:
    """Speaks of texts in one language, with numbers as people here write them."""

    def __init__(self, box: Box, words: Words, now: datetime) -> None:
        self.box, self.words, self.now = box, words, now

    def state(self, state: str) -> State:
        word, tone, icon = STATES.get(state, ("", "", "text"))
        return State(self.words(word), tone, icon)

    def number(self, number: str) -> str:
        """As people of the box's country write it; a sender without digits as it is."""
        if not number.startswith("+"):
            return number
        return numbers.shown(number, self.box.country).replace(" ", "\N{NO-BREAK SPACE}")

    def who(self, name: str | None, number: str) -> str:
        return name or self.number(number)

    def browser(self, agent: str) -> str:
        return agents.named(agent, self.words)

    def when(self, at: datetime) -> str:
        """10:42 today, Yesterday 10:42, Fri 13 Nov, 10:42 before."""
        words, time = self.words, self.words.time(at)
        if words.local(at).date() == words.local(self.now).date():
            return time
        near = words.near(at, self.now)
        return words("%(day)s, %(time)s", day=near or words.day_short(at, self.now), time=time)

    def why(self, state: str, reason: str | None) -> str:
        """What a person should know of this state; empty when the word says it all."""
        if state == "unknown":
            return self.words(reason or UNKNOWN)
        return self.words(reason) if reason else ""

    def bare(self, reason: str) -> str:
        """A refusal where it is plain that nothing was texted: without its first words."""
        said = self.words(reason)
        rest = re.split(": |：", said, maxsplit=1)[-1] or said
        return rest[:1].upper() + rest[1:]
