"""Who a campaign goes to. The audience is JSON, every part may be left out:

  {"everyone": true, "groups": [1, 2], "rang_within_days": 30, "not_texted_within_days": 14, "company": "Velo Ltd",
   "rows": [{"number": "0170 1234567", "name": "Anna"}]}

everyone and groups choose contacts; the next three narrow them; rows are numbers from a pasted list or a CSV with their
own fields, and are never narrowed. Each person is there once, under one mobile number.
"""
from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from appliance.people import numbers, tombstones
from appliance.people.numbers import Kind
from appliance.store.db import iso
from appliance.texts import lists
from appliance.texts.schedule import is_birthday

CHOOSING = ("everyone", "groups", "rows")
NARROWING = ("rang_within_days", "not_texted_within_days", "company")
OPTED_OUT = "Asked for no more texts."
BLOCKED = "Is blocked in the book."
OWN = "Is a number of ours."
NO_NUMBER = "Has no telephone number in the book."
NO_BIRTHDAY = "Has no birthday in the book."
TWICE = "Is there twice: one text is enough."
KINDS = {Kind.LANDLINE: "A landline cannot take texts.", Kind.SHORT: "The number is too short or not a subscriber's.",
         Kind.OTHER: "A service number cannot take texts."}


class AudienceError(Exception):
    """Nobody can be chosen like this; the sentence says what is wanted."""


@dataclass(frozen=True)
class Recipient:
    """One to be texted. fields: what a template may name, lower case; contact_id None: not of the book."""

    number: str
    contact_id: str | None
    name: str
    fields: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Exclusion:
    """One that was chosen and gets nothing. number: E.164, else as it was written; name may be empty."""

    number: str
    reason: str
    name: str = ""


def checked(db: sqlite3.Connection, audience: Mapping[str, Any]) -> dict[str, Any]:
    """The audience as it is kept. Raises AudienceError for an unknown word, a group that is gone, or nobody chosen."""
    if unknown := set(audience) - {*CHOOSING, *NARROWING}:
        raise AudienceError(f"Nobody can be chosen by {sorted(unknown)[0]!r}. There are "
                            f"{', '.join([*CHOOSING, *NARROWING])}.")
    kept = {key: value for key, value in audience.items() if value not in (None, "", [], False)}
    if not set(CHOOSING) & set(kept):
        raise AudienceError("Choose a group, everyone, or paste a list.")
    known = {row["id"] for row in db.execute("SELECT id FROM contact_group")}
    if set(kept.get("groups", [])) - known:
        raise AudienceError("A group you chose was deleted meanwhile. Choose again.")
    for key in ("rang_within_days", "not_texted_within_days"):
        if key in kept and not (type(kept[key]) is int and 1 <= kept[key] <= 3660):
            raise AudienceError(f"{key} is a number of days, 1 to 3660.")
    return kept


def select(db: sqlite3.Connection, audience: Mapping[str, Any], country: str, now: datetime, shop: str = "",
           own: frozenset[str] | set[str] = frozenset(), birthday: date | None = None,
           only_with_birthday: bool = False) -> tuple[list[Recipient], list[Exclusion]]:
    """Who gets the text and who was chosen but does not, with the reason.

    own: our numbers. birthday: only those whose day it is. only_with_birthday: only those who have one in the book.
    """
    opted_out = {row["number"] for row in db.execute("SELECT number FROM opt_out")}
    has_said_so_before = tombstones.unwilling(db)     # and was forgotten since: the list was pasted
    blocked = {row["number"] for row in db.execute("""
        SELECT contact_number.number
        FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact.is_blocked""")}
    chosen: dict[str, Recipient] = {}
    excluded: list[Exclusion] = []

    def judge(recipient: Recipient) -> None:
        number = recipient.number
        reason = (TWICE if number in chosen else OWN if number in own
                  else OPTED_OUT if number in opted_out or has_said_so_before(number)
                  else BLOCKED if number in blocked else KINDS.get(numbers.kind(number)))
        if reason:
            excluded.append(Exclusion(number, reason, recipient.name))
        else:
            chosen[number] = recipient

    for contact, its_numbers in _contacts(db, audience, now):
        if birthday and not (contact["birthday"] and is_birthday(contact["birthday"], birthday)):
            continue
        if contact["is_blocked"] or not its_numbers or only_with_birthday and not contact["birthday"]:
            reason = BLOCKED if contact["is_blocked"] else NO_NUMBER if not its_numbers else NO_BIRTHDAY
            excluded.append(Exclusion(next(iter(its_numbers), ""), reason, contact["name"]))
            continue
        judge(Recipient(_mobile(its_numbers), contact["id"], contact["name"]))
    fields = _fields(db)
    chosen = {number: Recipient(number, one.contact_id, one.name, _with(one, fields, shop))
              for number, one in chosen.items()}
    for row in audience.get("rows", ()):
        raw = row.get("number", "")
        number = lists.e164(raw, country)
        if number is None or birthday or only_with_birthday:
            reason = NO_BIRTHDAY if number else lists.why_no_number(raw)
            excluded.append(Exclusion(number or raw, reason, row.get("name", "")))
        else:
            judge(_of_the_list(db, number, row, fields, shop))
    return list(chosen.values()), excluded


def fields_of(audience: Mapping[str, Any]) -> set[str]:
    """The fields that the rows of a list bring with them."""
    return {key for row in audience.get("rows", ()) for key in row}


def _contacts(db: sqlite3.Connection, audience: Mapping[str, Any],
              now: datetime) -> Iterator[tuple[sqlite3.Row, list[str]]]:
    wheres, asked = [], []
    if not audience.get("everyone"):
        groups = audience.get("groups", [])
        if not groups:
            return
        wheres.append(f"""id IN (SELECT contact_id FROM contact_group_member
                                 WHERE contact_group_id IN ({', '.join('?' * len(groups))}))""")
        asked += groups
    if company := audience.get("company"):
        wheres.append("company = ? COLLATE NOCASE")
        asked.append(company)
    for key, exists, table in (("rang_within_days", "EXISTS", "call"), ("not_texted_within_days", "NOT EXISTS", "sms")):
        if days := audience.get(key):
            at, way = ("started_at", "in") if table == "call" else ("created_at", "out")
            wheres.append(f"""{exists} (SELECT 1 FROM contact_number JOIN {table} USING (number)
                              WHERE contact_number.contact_id = contact.id AND {table}.direction = '{way}'
                              AND {table}.{at} > ?)""")
            asked.append(iso(now - timedelta(days=days)))
    theirs = defaultdict(list)
    for row in db.execute("SELECT contact_id, number FROM contact_number ORDER BY rowid"):
        theirs[row["contact_id"]].append(row["number"])
    for contact in db.execute(f"""
            SELECT id, name, company, birthday, is_blocked
            FROM contact
            {'WHERE ' + ' AND '.join(wheres) if wheres else ''}
            ORDER BY id""", asked):
        yield contact, theirs[contact["id"]]


def _mobile(its_numbers: list[str]) -> str:
    if len(its_numbers) == 1:
        return its_numbers[0]
    return next((number for number in its_numbers if numbers.kind(number) is Kind.MOBILE), its_numbers[0])


def _fields(db: sqlite3.Connection) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in db.execute("SELECT contact_id, name, value FROM contact_field"):
        found[row["contact_id"]][row["name"].lower()] = row["value"]
    for row in db.execute("SELECT id, company FROM contact WHERE company IS NOT NULL"):
        found[row["id"]]["company"] = row["company"]
    return found


def _with(one: Recipient, fields: Mapping[str, dict[str, str]], shop: str) -> dict[str, str]:
    return {**(fields.get(one.contact_id, {}) if one.contact_id else {}), **_built_in(one.name, one.number, shop)}


def _built_in(name: str, number: str, shop: str) -> dict[str, str]:
    return {"name": name, "first_name": name.split()[0] if name.split() else "", "number": number, "shop": shop}


def _of_the_list(db: sqlite3.Connection, number: str, row: Mapping[str, str], fields: Mapping[str, dict[str, str]],
                 shop: str) -> Recipient:
    """The row's own fields come first; what it lacks comes from the book when the number is in it."""
    contact = db.execute("""
        SELECT contact.id, contact.name
        FROM contact JOIN contact_number ON contact_number.contact_id = contact.id
        WHERE contact_number.number = ?""", (number,)).fetchone()
    name = row.get("name") or (contact["name"] if contact else "")
    one = Recipient(number, contact["id"] if contact else None, name)
    return Recipient(number, one.contact_id, name, {
        **_with(one, fields, shop), **{key.lower(): value for key, value in row.items() if key != "number"}})
