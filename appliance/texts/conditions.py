"""Which calls a rule is about: the JSON of rule.conditions as a frozen row, checked with "did you mean"."""
from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any

from appliance import hours
from appliance.calls.records import Outcome

NEW_CALLER, KNOWN = "new caller", "known"  # groups that are always there
DIRECTIONS = ("in", "out")
WHEN = ("open", "after hours")
LONGEST_S = 24 * 3600


class RuleError(Exception):
    """A rule was refused; the text says what is wanted."""


@dataclass(frozen=True)
class Conditions:
    """All that are set must hold. In JSON by the same names; lists for tuples, a left-out one is not set.

    outcomes: records.Outcome. answered: true, false. talk_ and ring_ in seconds, "longer" and "shorter" exclude the
    value itself. trunks: keys of box.toml. groups: one of them is enough; "new caller" has no contact and never called
    before, "known" has a contact. days: "mon" … "sun". hours_from and hours_until: shop time, past midnight when until
    is before from. when: "open" or "after hours", by the settings' opening hours.
    """

    direction: str = "in"
    outcomes: tuple[str, ...] = ()
    answered: bool | None = None
    talk_longer_s: int | None = None
    talk_shorter_s: int | None = None
    ring_longer_s: int | None = None
    ring_shorter_s: int | None = None
    trunks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    hours_from: str = ""
    hours_until: str = ""
    when: str = ""


NAMES = [field.name for field in fields(Conditions)]
WORDS = {"outcomes": [outcome.value for outcome in Outcome], "days": list(hours.WEEKDAYS)}


def parse(text: str, trunks: Collection[str] | None = None, groups: Collection[str] | None = None) -> Conditions:
    """The conditions written in JSON. trunks and groups: those there are, None when any name will do.

    Raises RuleError with a sentence.
    """
    try:
        table = json.loads(text)
    except ValueError as broken:
        raise RuleError(f"The conditions are not JSON ({broken}).") from broken
    if not isinstance(table, dict):
        raise RuleError('The conditions are an object such as {"direction": "in", "outcomes": ["missed"]}.')
    given: dict[str, Any] = {}
    for name, value in table.items():
        if name not in NAMES:
            raise RuleError(f"There is no condition {name!r}.{_near(name, NAMES)}")
        given[name] = _value(name, value)
    found = Conditions(**given)
    if trunks is not None:
        _known("line", found.trunks, trunks)
    if groups is not None:
        _known("group", found.groups, [*groups, NEW_CALLER, KNOWN])
    _agree(found)
    return found


def dump(conditions: Conditions) -> str:
    """The JSON that parse() reads; what is not set is left out."""
    unset = Conditions()
    return json.dumps({name: value for name in NAMES
                       if (value := getattr(conditions, name)) != getattr(unset, name) or name == "direction"},
                      ensure_ascii=False)


def _value(name: str, value: Any) -> Any:
    if name in ("outcomes", "trunks", "groups", "days"):
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise RuleError(f"{name} is a list of words, not {value!r}.")
        if name in WORDS:
            _known({"outcomes": "outcome", "days": "day"}[name], value, WORDS[name])
        return tuple(value)
    if name == "answered":
        if value is not None and not isinstance(value, bool):
            raise RuleError(f"answered is true or false, not {value!r}.")
    elif name.endswith("_s"):
        if value is not None and (type(value) is not int or not 0 <= value <= LONGEST_S):
            raise RuleError(f"{name} is a whole number of seconds from 0 to {LONGEST_S}, not {value!r}.")
    elif not isinstance(value, str):
        raise RuleError(f"{name} is a word, not {value!r}.")
    elif name == "direction":
        _known("direction", [value], DIRECTIONS)
    elif name == "when" and value:
        _known("choice", [value], WHEN)
    return value


def _agree(found: Conditions) -> None:
    """Refuses what no call can ever be."""
    for what in ("talk", "ring"):
        longer, shorter = getattr(found, f"{what}_longer_s"), getattr(found, f"{what}_shorter_s")
        if longer is not None and shorter is not None and shorter <= longer:
            raise RuleError(f"No call can {what} longer than {longer} s and shorter than {shorter} s.")
    if found.answered is not None and found.outcomes and found.answered not in {
            outcome == "answered" for outcome in found.outcomes}:
        raise RuleError("No call can have that outcome and that answer. Leave one of the two away.")
    if bool(found.hours_from) != bool(found.hours_until):
        raise RuleError("hours_from and hours_until belong together.")
    try:
        for clock in (found.hours_from, found.hours_until):
            if clock:
                hours.minutes(clock)
    except hours.HoursError as wrong:
        raise RuleError(str(wrong)) from wrong
    if found.hours_from and found.hours_from == found.hours_until:
        raise RuleError(f"From {found.hours_from} until {found.hours_until} is no time at all.")


def _known(what: str, words: Iterable[str], known: Collection[str]) -> None:
    for word in words:
        if word not in known:
            raise RuleError(f"There is no {what} {word!r}.{_near(word, known)}")


def _near(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""
