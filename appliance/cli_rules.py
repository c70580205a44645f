"""`deskbell rule`: which calls are answered by a text, and what that would have meant for the calls there were."""
from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from appliance import config, settings
from appliance.people import numbers
from appliance.store import db as store

if TYPE_CHECKING:
    from appliance.texts.rehearsal import Rehearsal, Rehearsed

DAYS, LONGEST_DAYS = 30, 366


def add_to(nouns: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs of `deskbell rule`."""
    verbs = nouns.add_parser("rule", help="which calls are answered by a text").add_subparsers(
        metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every rule in its order: the first that fits a call decides")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(act=_list)
    play = verbs.add_parser("rehearse", help="what the rules would have done with the calls there were; sends nothing")
    play.add_argument("key", nargs="?", metavar="RULE", help="as if this one were on too, by its key in the list")
    play.add_argument("--days", type=int, default=DAYS, metavar="N",
                      help=f"how far back (default {DAYS}, at most {LONGEST_DAYS})")
    play.add_argument("--json", action="store_true", help="one JSON object a line, the sum last")
    play.set_defaults(act=_rehearse)


def _open() -> tuple[config.Box, sqlite3.Connection]:
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    return box, db


def _list(asked: argparse.Namespace) -> int:
    from appliance.texts import rulebook
    from appliance.texts.conditions import dump
    _, db = _open()
    rules = rulebook.rules(db)
    for place, rule in enumerate(rules, start=1):
        if asked.json:
            print(json.dumps({"key": rule.key, "place": place, "name": rule.name, "is_on": rule.is_on,
                              "conditions": json.loads(dump(rule.conditions)), "text": rule.text,
                              "delay_s": rule.delay_s, "expiry_min": rule.expiry_min}, ensure_ascii=False))
            continue
        print(f"{place}. {rule.name} ({rule.key}), {'on' if rule.is_on else 'off'}")
        print(f"   {dump(rule.conditions)}")
        print(f"   after {rule.delay_s} s, dropped after {rule.expiry_min} min: "
              + (rule.text or "(no text: such calls get none)"))
    if not rules and not asked.json:
        print("No rules. No call is answered by a text.")
    return 0


def _rehearse(asked: argparse.Namespace) -> int:
    from appliance.texts import rehearsal, rulebook
    if not 1 <= asked.days <= LONGEST_DAYS:
        return _refused(f"--days goes from 1 to {LONGEST_DAYS}.")
    box, db = _open()
    rules = rulebook.rules(db)
    if asked.key is not None:
        named = next((rule for rule in rules if asked.key in (rule.key, rule.name)), None)
        if named is None:
            return _refused(f"There is no rule {asked.key!r}. `deskbell rule list` shows their keys.")
        rules = rulebook.instead(rules, named)
    played = rehearsal.rehearse(db, box, rules, settings.read(db), datetime.now(UTC), asked.days)
    if asked.json:
        for line in sorted([*played.texted, *played.refused], key=lambda line: line.at):
            print(json.dumps(vars(line), ensure_ascii=False, default=str))
        print(json.dumps({"calls": played.calls, **vars(played.cost)}, ensure_ascii=False, default=str))
        return 0
    for line in played.texted:
        print(f"{line.at:%Y-%m-%d %H:%M}  {_who(line, box.country)}  {_segments(line.segments)}  {line.text}")
    print(_sum(played, asked.days))
    return 0


def _refused(sentence: str) -> int:
    print(f"deskbell: {sentence}", file=sys.stderr)
    return 2


def _sum(played: Rehearsal, days: int) -> str:
    cost = played.cost
    price = f", {cost.price} in all" if cost.price is not None else ""
    lines = [f"Of {played.calls} calls in {days} days, {len(played.texted)} would have been texted: "
             f"{_segments(cost.segments)}{price}. Nothing was sent."]
    if cost.left_after is not None:
        lines.append(f"{cost.left_after} segments of this month's allowance would be left.")
    return "\n".join([*lines, *(f"{count:6}  {reason}" for reason, count in played.why_not)])


def _who(line: Rehearsed, country: str) -> str:
    return " ".join(part for part in (numbers.shown(line.number or "", country), line.name) if part)


def _segments(number: int) -> str:
    return "1 segment" if number == 1 else f"{number} segments"
