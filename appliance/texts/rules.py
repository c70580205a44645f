"""Whether a call is answered by a text, and with what. Pure: facts in, a draft or a refusal out.

The rules are ordered; the first that is on and fits the call decides, and the guards (guards.py) may still refuse it.
A rule with an empty text is how a shop says that such calls get none.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from appliance import holidays, hours
from appliance.box.wallclock import EARLIEST
from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.texts import guards, templates
from appliance.texts.conditions import Conditions
from appliance.texts.guards import Later, Purpose, Recent, Refusal
from appliance.texts.templates import TemplateError

__all__ = ["CallFacts", "Draft", "Later", "Recent", "Refusal", "Rule", "decide", "fitting", "fits"]


@dataclass(frozen=True)
class CallFacts:
    """What a rule asks of a call that has ended. number is E.164, None when the line gave none that is one.

    at is when it began and ended_at when it was over, both in shop time (None: the clock was never set, now counts).
    groups: the names of the contact's groups, and one of conditions.NEW_CALLER and conditions.KNOWN. fields: what the
    text may name of the contact; {shop} and {number} are there for every call.
    """

    direction: str
    outcome: str
    number: str | None
    presentation: str
    kind: Kind
    talk_s: float = 0.0
    ring_s: float = 0.0
    trunk: str | None = None
    groups: frozenset[str] = frozenset()
    at: datetime | None = None
    ended_at: datetime | None = None
    fields: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Rule:
    """When a call is answered by a text. delay_s after the call it goes, expiry_min after that it is dropped."""

    key: str
    name: str
    text: str
    conditions: Conditions = Conditions()
    is_on: bool = True
    delay_s: int = 15
    expiry_min: int = 15


@dataclass(frozen=True)
class Draft:
    """A text to queue; due_at is when it may go, expires_at when it is too late. priority: lower goes first."""

    number: str
    text: str
    rule: str | None
    due_at: datetime
    expires_at: datetime | None = None
    priority: int = 0


OUTCOMES = {
    "answered": "Not texted: the call was answered.",
    "missed": "Not texted: no rule answers such a missed call.",
    "busy": "Not texted: the caller heard that we are busy.",
    "rejected": "Not texted: the call was rejected here.",
    "abandoned": "Not texted: the caller left the menu.",
    "failed": "Not texted: the call did not come through.",
    "voicemail": "Not texted: the caller could leave a voice mail.",
    "blocked": "Not texted: the number is blocked.",
    "interrupted": "Not texted: the call was cut off by a restart, so nobody knows how it ended.",
}
PRESENTATIONS = {
    "withheld": Refusal("withheld", "Not texted: the caller withheld the number."),
    "unavailable": Refusal("unavailable", "Not texted: the line gave no number."),
}
NOT_INBOUND = Refusal("not_inbound", "Not texted: the call was not from outside.")
OFF = Refusal("off", "Not texted: the rule for such calls is switched off.")
NO_TEXT = Refusal("no_text", "Not texted: the rule for such calls has no text.")
LATE = Refusal("late", "Not texted: the call was over for too long when the box came to it.")


def decide(call: CallFacts, rules: Sequence[Rule], recent: Recent, settings: Settings,
           now: datetime) -> Draft | Refusal:
    """The text of the first rule that fits, unless a guard refuses it. now: in shop time."""
    rule = fitting(call, rules, settings, now)
    if rule is None:
        return _no_rule(call, rules, settings, now)
    answer = _answer(call, rule, recent, settings, now)
    return replace(answer, rule=rule.key)


def fitting(call: CallFacts, rules: Sequence[Rule], settings: Settings, now: datetime) -> Rule | None:
    """The first rule that is on and fits."""
    return next((rule for rule in rules if rule.is_on and fits(rule.conditions, call, settings, now)), None)


def fits(wanted: Conditions, call: CallFacts, settings: Settings, now: datetime) -> bool:
    """Whether the call is such a one. A condition that is not set fits every call."""
    at = call.at or now
    return (
        call.direction == wanted.direction
        and (not wanted.outcomes or call.outcome in wanted.outcomes)
        and (wanted.answered is None or wanted.answered == (call.outcome == "answered"))
        and _is_within(call.talk_s, wanted.talk_longer_s, wanted.talk_shorter_s)
        and _is_within(call.ring_s, wanted.ring_longer_s, wanted.ring_shorter_s)
        and (not wanted.trunks or call.trunk in wanted.trunks)
        and (not wanted.groups or not call.groups.isdisjoint(wanted.groups))
        and (not wanted.days or hours.WEEKDAYS[at.weekday()] in wanted.days)
        and (not wanted.hours_from or hours.is_between(wanted.hours_from, wanted.hours_until, at))
        and (not wanted.when or (wanted.when == "open") == hours.is_open(
            settings.opening_hours, at, settings.closed_until, holidays.special(settings.special_days))))


def _is_within(seconds: float, longer_s: int | None, shorter_s: int | None) -> bool:
    return (longer_s is None or seconds > longer_s) and (shorter_s is None or seconds < shorter_s)


def _no_rule(call: CallFacts, rules: Sequence[Rule], settings: Settings, now: datetime) -> Refusal:
    off = next((rule for rule in rules if fits(rule.conditions, call, settings, now)), None)
    if off is not None:
        return replace(OFF, rule=off.key)
    if call.direction != "in":
        return NOT_INBOUND
    return Refusal(call.outcome, OUTCOMES.get(call.outcome, "Not texted: no rule answers such a call."))


def _answer(call: CallFacts, rule: Rule, recent: Recent, settings: Settings, now: datetime) -> Draft | Refusal:
    if call.presentation in PRESENTATIONS:
        return PRESENTATIONS[call.presentation]
    why = Purpose.CALL if call.outcome == "answered" else Purpose.MISSED
    due_at = (call.ended_at or now) + timedelta(seconds=rule.delay_s)
    if now > due_at + timedelta(minutes=rule.expiry_min):
        return LATE
    due_at = max(due_at, now)
    verdict = guards.check(call.number, call.kind, why, recent, settings, now, due_at)
    if isinstance(verdict, Refusal):
        return verdict
    if isinstance(verdict, Later):
        due_at = verdict.due_at
    assert call.number is not None, "a number that is none was let through"
    try:
        text = templates.render(rule.text, {**call.fields, "shop": settings.shop_name, "number": call.number})
    except TemplateError as unfilled:
        return Refusal("unfilled", f"Not texted: {unfilled}")
    if not text:
        return NO_TEXT
    return Draft(call.number, text, rule.key, due_at, _expiry(due_at, rule, settings))


def _expiry(due_at: datetime, rule: Rule, settings: Settings) -> datetime | None:
    """When the text is too late; at the latest when the quiet hours begin. None by a clock that is about to jump."""
    if due_at < EARLIEST:
        return None
    expires_at = due_at + timedelta(minutes=rule.expiry_min)
    if settings.quiet_from == settings.quiet_until:
        return expires_at
    return min(expires_at, hours.next_time(settings.quiet_from, due_at))
