"""A rehearsal of rules: who of the last days' callers would have got which text, at what cost, and why the others none.

The calls are played in the order in which they ended, with the guards' memory made of the rehearsed texts: what was
really texted in those days does not count. Opt-outs, contacts, groups and opening hours are as they are now; a shop
closed for a while, the SIM's allowance and balance, and boxes that answer by themselves are left out, for nobody knows
how they would have stood then. Only reads.
"""
from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from appliance.box.wallclock import EARLIEST
from appliance.config import Box
from appliance.people import numbers
from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.store.db import iso, parse_time
from appliance.texts import alphabet, cost, facts, guards, pace, rules
from appliance.texts.cost import Cost
from appliance.texts.guards import Back, Recent, Refusal
from appliance.texts.rules import CallFacts, Draft, Rule

DAYS = 30
SUMMED = {"pause": "Not texted: they were texted shortly before.", "a_day": "Not texted: they were texted often enough "
          "that day."}


@dataclass(frozen=True)
class Rehearsed:
    """What one call would have led to. text, segments and due_at: empty, 0 and None when code says why none.

    at: when the call began, shop time; rule: the key of the one that fitted, None when none did.
    """

    call_id: int
    at: datetime
    number: str | None
    presentation: str
    name: str
    rule: str | None
    text: str = ""
    segments: int = 0
    due_at: datetime | None = None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Rehearsal:
    """calls: how many were looked at; texted and refused: those a rule or its absence has something to say about."""

    since: datetime
    until: datetime
    calls: int
    texted: tuple[Rehearsed, ...]
    refused: tuple[Rehearsed, ...]
    cost: Cost

    @property
    def why_not(self) -> list[tuple[str, int]]:
        """Each reason with the number of its calls, the most frequent first."""
        words = {line.code: SUMMED.get(line.code, line.reason) for line in self.refused}
        return [(words[code], count) for code, count in Counter(line.code for line in self.refused).most_common()]


@dataclass(frozen=True)
class _Text:
    """A rehearsed text; called_off_at: when it was due and the two sides had spoken meanwhile."""

    at: datetime
    called_off_at: datetime | None = None

    def counts(self, now: datetime) -> bool:
        return self.called_off_at is None or now < self.called_off_at


@dataclass
class _Memory:
    """What the guards would know at a moment of the rehearsal."""

    opted_out: frozenset[str]
    own: frozenset[str]
    talks: dict[str, list[tuple[datetime, datetime, str]]]  # by number: began, answered, direction
    to: dict[str, list[_Text]] = field(default_factory=lambda: defaultdict(list))
    of_the_box: deque[_Text] = field(default_factory=deque)

    def recent(self, number: str | None, since: datetime, now: datetime) -> Recent:
        while self.of_the_box and self.of_the_box[0].at <= now - guards.HOUR:
            self.of_the_box.popleft()
        this_hour = sum(text.counts(now) for text in self.of_the_box)
        if number is None:
            return Recent(texts_this_hour=this_hour)
        before = [text.at for text in self.to.get(number, []) if text.counts(now)]
        return Recent(before[-1] if before else None, sum(at > now - guards.DAY for at in before), this_hour,
                      number in self.opted_out, number in self.own, back=self.back(number, since, now))

    def back(self, number: str, since: datetime, now: datetime) -> Back | None:
        """How they had spoken by `now`, in a call that began at `since` or later."""
        talks = self.talks.get(number, [])
        for began, answered, direction in talks[bisect_left(talks, since, key=lambda talk: talk[0]):]:
            if began > now:
                break
            if answered <= now:
                return Back.CAME_THROUGH if direction == "in" else Back.CALLED_BACK
        return None

    def texted(self, number: str, text: _Text) -> None:
        self.to[number].append(text)
        self.of_the_box.append(text)


def rehearse(db: sqlite3.Connection, box: Box, wanted: Sequence[Rule], settings: Settings, now: datetime,
             days: int = DAYS) -> Rehearsal:
    """What these rules would have done with the calls of the last `days`. Writes nothing."""
    since, settings = max(now - timedelta(days=days), EARLIEST), replace(settings, closed_until="")
    calls = db.execute(f"""
        SELECT {facts.COLUMNS}
        WHERE call.started_at >= ? AND call.started_at <= ? AND call.ended_at IS NOT NULL
          AND call.direction IN ('in', 'out')
        ORDER BY call.ended_at, call.id""", (iso(since), iso(now))).fetchall()
    people = facts.people(db)
    first_calls = {row["number"]: row["id"] for row in db.execute(
        "SELECT number, min(id) AS id FROM call WHERE number IS NOT NULL GROUP BY number")}
    memory = _remembering(db, box, calls)
    kinds: dict[str | None, Kind] = {}
    lines = []
    for row in calls:
        person = people.get(row["person"] or "")
        is_new = person is None and first_calls.get(row["number"]) == row["id"]
        call = facts.from_row(row, box.zone, person, is_new, Kind.MOBILE)
        decision, call = _decided(call, wanted, settings, memory, kinds)
        if decision.rule is not None or call.direction == "in" and call.outcome != "answered":
            lines.append(_line(row["id"], call, decision, person.name if person else ""))
    texted = tuple(line for line in lines if not line.code)
    sim = pace.sim(db, box.modems[0].name if box.modems else "")
    price = cost.estimate((line.text for line in texted), sim, cost.left(db, sim, box.zone, now))
    return Rehearsal(since.astimezone(box.zone), now.astimezone(box.zone), len(calls), texted,
                     tuple(line for line in lines if line.code), price)


def _decided(call: CallFacts, wanted: Sequence[Rule], settings: Settings, memory: _Memory,
             kinds: dict[str | None, Kind]) -> tuple[Draft | Refusal, CallFacts]:
    """The decision at the end of this call, and once more when the text is due. A number's kind is slow to find out:
    it is asked only where a rule fits."""
    at, began = call.ended_at, call.at
    assert at is not None and began is not None, "calls of an unset clock are not rehearsed"
    if rules.fitting(call, wanted, settings, at) is not None:
        if call.number not in kinds:
            kinds[call.number] = numbers.kind(call.number or "")
        call = replace(call, kind=kinds[call.number])
    decision = rules.decide(call, wanted, memory.recent(call.number, began, at), settings, at)
    if isinstance(decision, Draft):
        back = memory.back(decision.number, began, decision.due_at) if call.outcome != "answered" else None
        memory.texted(decision.number, _Text(at, decision.due_at if back else None))
        if back is not None:
            return replace(guards.BACKS[back], rule=decision.rule), call
    return decision, call


def _remembering(db: sqlite3.Connection, box: Box, calls: Sequence[sqlite3.Row]) -> _Memory:
    talks: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for row in calls:
        if row["outcome"] == "answered" and row["number"] and row["answered_at"]:
            talks[row["number"]].append(
                (parse_time(row["started_at"]), parse_time(row["answered_at"]), row["direction"]))
    for its in talks.values():
        its.sort()
    opted_out = frozenset(row["number"] for row in db.execute("SELECT number FROM opt_out"))
    return _Memory(opted_out, frozenset(guards.own_numbers(db, box)), talks)


def _line(call_id: int, call: CallFacts, decision: Draft | Refusal, name: str) -> Rehearsed:
    assert call.at is not None
    line = Rehearsed(call_id, call.at, call.number, call.presentation, name, decision.rule)
    if isinstance(decision, Refusal):
        return replace(line, code=decision.code, reason=decision.reason)
    return replace(line, text=decision.text, segments=alphabet.size(decision.text).segments, due_at=decision.due_at)
