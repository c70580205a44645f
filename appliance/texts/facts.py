"""What the rules ask of a call, read from its row: how long, which line, whose number, whether the caller is new."""
from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from appliance.box.wallclock import EARLIEST
from appliance.config import Box
from appliance.people import numbers
from appliance.people.numbers import Kind
from appliance.store.db import parse_time
from appliance.texts.conditions import KNOWN, NEW_CALLER
from appliance.texts.rules import CallFacts

COLUMNS = """call.id, call.direction, call.outcome, call.number, call.presentation, call.trunk, call.talk_ms,
  call.ring_ms, call.started_at, call.answered_at, call.ended_at,
  coalesce(call.contact_id, contact_number.contact_id) AS person
  FROM call LEFT JOIN contact_number ON contact_number.number = call.number"""


@dataclass(frozen=True)
class Person:
    """A contact as rules and their texts see it; fields are what a text may name, besides {shop}."""

    name: str
    groups: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)


def of_call(db: sqlite3.Connection, box: Box, call_id: int) -> CallFacts | None:
    """None when there is no such call or it is not over yet. Its times are in shop time."""
    call = db.execute(f"SELECT {COLUMNS} WHERE call.id = ? AND call.ended_at IS NOT NULL", (call_id,)).fetchone()
    if call is None:
        return None
    number = call["number"]
    person = people(db, call["person"]).get(call["person"]) if call["person"] else None
    is_new = person is None and number is not None and not db.execute(
        "SELECT 1 FROM call WHERE number = ? AND id < ?", (number, call_id)).fetchone()
    return from_row(call, box.zone, person, is_new, numbers.kind(number or ""))


def from_row(call: sqlite3.Row, zone: ZoneInfo, person: Person | None, is_new: bool, kind: Kind) -> CallFacts:
    """The facts of a row with COLUMNS."""
    began, ended = parse_time(call["started_at"]), parse_time(call["ended_at"])
    groups = person.groups | {KNOWN} if person else frozenset({NEW_CALLER}) if is_new else frozenset()
    return CallFacts(
        call["direction"], call["outcome"], call["number"], call["presentation"], kind,
        (call["talk_ms"] or 0) / 1000, (call["ring_ms"] or 0) / 1000, call["trunk"], groups,
        began.astimezone(zone) if began >= EARLIEST else None, ended.astimezone(zone) if ended >= EARLIEST else None,
        person.fields if person else {})


def people(db: sqlite3.Connection, contact_id: str | None = None) -> dict[str, Person]:
    """One contact or, without an id, all of them, by id."""
    only, given = ("", ()) if contact_id is None else ("WHERE contact_id = ?", (contact_id,))
    groups: dict[str, set[str]] = defaultdict(set)
    for row in db.execute(f"""
            SELECT contact_id, name
            FROM contact_group_member JOIN contact_group ON contact_group.id = contact_group_id {only}""", given):
        groups[row["contact_id"]].add(row["name"])
    fields: dict[str, dict[str, str]] = defaultdict(dict)
    for row in db.execute(f"SELECT contact_id, name, value FROM contact_field {only}", given):
        fields[row["contact_id"]][row["name"].lower()] = row["value"]
    return {row["id"]: Person(row["name"], frozenset(groups[row["id"]]),
                              fields[row["id"]] | _built_in(row["name"], row["company"] or ""))
            for row in db.execute(f"SELECT id, name, company FROM contact {only.replace('contact_id', 'id')}", given)}


def _built_in(name: str, company: str) -> dict[str, str]:
    return {"name": name, "first_name": name.partition(" ")[0], "company": company}
