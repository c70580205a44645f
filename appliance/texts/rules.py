"""Whether a call is answered by a text, and with what. Pure: facts in, a draft or a refusal out."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.people.numbers import Kind
from appliance.settings import Settings

MISSED = "missed"  # the one rule for now: a missed call from a mobile gets one text


@dataclass(frozen=True)
class CallFacts:
    """What the rule asks of a call that has ended. number is E.164, None when the line gave none that is one."""

    direction: str
    outcome: str
    number: str | None
    presentation: str
    kind: Kind


@dataclass(frozen=True)
class Recent:
    """What was texted before. last_text_at: the last text of this rule to the number that went or may have gone."""

    last_text_at: datetime | None = None


@dataclass(frozen=True)
class Draft:
    """A text to queue; due_at is when it may go."""

    number: str
    text: str
    rule: str
    due_at: datetime


@dataclass(frozen=True)
class Refusal:
    """Why not: a code for the program, a sentence for the page."""

    code: str
    reason: str


OUTCOMES = {
    "answered": "Not texted: the call was answered.",
    "busy": "Not texted: the caller heard that we are busy.",
    "rejected": "Not texted: the call was rejected here.",
    "abandoned": "Not texted: the caller left the menu.",
    "failed": "Not texted: the call did not come through.",
    "voicemail": "Not texted: the caller could leave a voice mail.",
    "blocked": "Not texted: the number is blocked.",
    "interrupted": "Not texted: the call was cut off by a restart, so nobody knows how it ended.",
}
KINDS = {
    Kind.LANDLINE: Refusal("landline", "Not texted: a landline cannot take texts."),
    Kind.SHORT: Refusal("short", "Not texted: the number is too short or not a subscriber's."),
    Kind.OTHER: Refusal("other", "Not texted: a service number cannot take texts."),
}
PRESENTATIONS = {
    "withheld": Refusal("withheld", "Not texted: the caller withheld the number."),
    "unavailable": Refusal("unavailable", "Not texted: the line gave no number."),
}


def decide(call: CallFacts, recent: Recent, settings: Settings, now: datetime,
           own_numbers: Collection[str] = ()) -> Draft | Refusal:
    """One text to a mobile whose call was missed, unless it was texted within the pause of the settings."""
    if call.direction != "in":
        return Refusal("not_inbound", "Not texted: the call was not from outside.")
    if call.outcome != "missed":
        return Refusal(call.outcome, OUTCOMES.get(call.outcome, "Not texted: the call was not missed."))
    if not settings.missed_text_on:
        return Refusal("off", "Not texted: texting missed callers is switched off.")
    if call.presentation in PRESENTATIONS:
        return PRESENTATIONS[call.presentation]
    if call.number is None:
        return KINDS[Kind.SHORT]
    if call.number in own_numbers:
        return Refusal("own", "Not texted: the call came from a number of our own.")
    if call.kind is not Kind.MOBILE:
        return KINDS[call.kind]
    if recent.last_text_at is not None:
        ago = max(now - recent.last_text_at, timedelta(0))
        if ago < timedelta(minutes=settings.missed_text_pause_min):
            return Refusal("pause", f"texted {_ago(ago)} ago")
    text = settings.missed_text.replace("{shop}", settings.shop_name).strip()
    if not text:
        return Refusal("no_text", "Not texted: the text for missed callers is empty. Write one in the settings.")
    return Draft(call.number, text, MISSED, now + timedelta(seconds=settings.missed_text_delay_s))


def _ago(ago: timedelta) -> str:
    minutes = int(ago.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
