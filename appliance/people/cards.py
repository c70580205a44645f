"""A card: one person or firm with all that the office knows. Writers run inside the caller's write()."""
from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from appliance.people import changes, numbers
from appliance.store import db as store

LONGEST = {"name": 120, "other_name": 120, "company": 120, "address": 400, "blocked_reason": 200, "label": 40,
           "tag": 40, "field": 60, "value": 400}
MOST_NUMBERS, MOST_TAGS, MOST_FIELDS = 20, 30, 40
WITHOUT_YEAR = re.compile(r"(\d{1,2})[./-](\d{1,2})\.?|--(\d\d)-?(\d\d)", re.ASCII)
WITH_YEAR = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", re.ASCII)


class ContactError(Exception):
    """A contact was refused; the text says why. owner: the card that has the number already."""

    def __init__(self, sentence: str, owner: str | None = None) -> None:
        super().__init__(sentence)
        self.owner = owner


@dataclass(frozen=True)
class Number:
    """One number of a card. label: as the owner calls it."""
    number: str
    label: str | None
    is_opted_out: bool


@dataclass(frozen=True)
class Card:
    """One card; birthday is YYYY-MM-DD, or --MM-DD when the year is not known. The first number is the one to ring."""
    id: str
    name: str
    other_name: str | None
    company: str | None
    address: str | None
    birthday: str | None
    is_vip: bool
    is_blocked: bool
    blocked_reason: str | None
    created_at: datetime
    updated_at: datetime
    numbers: tuple[Number, ...]
    fields: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    groups: tuple[tuple[int, str], ...]

    @property
    def first(self) -> str | None:
        return self.numbers[0].number if self.numbers else None


@dataclass(frozen=True)
class Wish:
    """A card as somebody wants it: numbers as written with their labels, a birthday as written, groups by id."""
    name: str
    other_name: str = ""
    company: str = ""
    address: str = ""
    birthday: str = ""
    is_vip: bool = False
    is_blocked: bool = False
    blocked_reason: str = ""
    numbers: Sequence[tuple[str, str]] = ()
    fields: Sequence[tuple[str, str]] = ()
    tags: Sequence[str] = ()
    groups: Sequence[int] = field(default=())


def card(db: sqlite3.Connection, contact_id: str) -> Card | None:
    """The card with this id, None when there is none."""
    row = db.execute("SELECT * FROM contact WHERE id = ?", (contact_id,)).fetchone()
    if row is None:
        return None
    its = (contact_id,)
    return Card(
        row["id"], row["name"], row["other_name"], row["company"], row["address"], row["birthday"],
        bool(row["is_vip"]), bool(row["is_blocked"]), row["blocked_reason"],
        store.parse_time(row["created_at"]), store.parse_time(row["updated_at"]),
        tuple(Number(one["number"], one["label"], bool(one["out"])) for one in db.execute("""
            SELECT number, label, EXISTS (SELECT 1 FROM opt_out WHERE opt_out.number = contact_number.number) AS out
            FROM contact_number WHERE contact_id = ? ORDER BY position, rowid""", its)),
        tuple((one["name"], one["value"]) for one in db.execute(
            "SELECT name, value FROM contact_field WHERE contact_id = ? ORDER BY rowid", its)),
        tuple(one["tag"] for one in db.execute(
            "SELECT tag FROM contact_tag WHERE contact_id = ? ORDER BY tag", its)),
        tuple((one["id"], one["name"]) for one in db.execute("""
            SELECT id, name FROM contact_group JOIN contact_group_member ON contact_group_id = id
            WHERE contact_id = ? ORDER BY name COLLATE NOCASE""", its)))


def find(db: sqlite3.Connection, number: str) -> str | None:
    """The id of the card that has this number (E.164), None when nobody has."""
    row = db.execute("SELECT contact_id FROM contact_number WHERE number = ?", (number,)).fetchone()
    return str(row["contact_id"]) if row else None


def save(db: sqlite3.Connection, wish: Wish, country: str, by: str, now: datetime,
         contact_id: str | None = None) -> str:
    """The id of the new or changed card; what the wish leaves out is taken off it. Raises ContactError."""
    kept, theirs = _checked(wish, country)
    tags, fields = _tags(wish.tags), _fields(wish.fields)
    before = card(db, contact_id) if contact_id else None
    if contact_id and before is None:
        raise ContactError("This card was deleted meanwhile.")
    at, contact_id = store.iso(now), contact_id or str(uuid.uuid7())
    for number, raw in theirs.items():
        owner = find(db, number)
        if owner not in (None, contact_id):
            raise ContactError(f"{raw[0]!r} belongs to another contact already.", owner)
    if before is None:
        kept |= {"id": contact_id, "created_at": at, "updated_at": at}
        db.execute(f"INSERT INTO contact ({', '.join(kept)}) VALUES ({', '.join('?' * len(kept))})",
                   tuple(kept.values()))
    else:
        kept["updated_at"] = at
        db.execute(f"UPDATE contact SET {', '.join(f'{name} = ?' for name in kept)} WHERE id = ?",
                   (*kept.values(), contact_id))
    _put_numbers(db, contact_id, theirs)
    _put(db, contact_id, tags, fields, wish.groups)
    after = card(db, contact_id)
    changes.record(db, by, f"contact {kept['name']}", _told(before), _told(after), now, contact_id)
    return contact_id


def clean(text: str, longest: int) -> str:
    """One line fit to show: no control characters, single spaces."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:longest].rstrip()


def clean_lines(text: str, longest: int) -> str:
    """Lines fit to show, empty ones left out."""
    return "\n".join(line for line in (clean(line, longest) for line in text.splitlines()) if line)[:longest]


def birthday(text: str) -> str | None:
    """YYYY-MM-DD or --MM-DD (RFC 6350 §4.3.1) of a day as people write it, None for nothing. Raises ContactError."""
    text = text.strip()
    if not text:
        return None
    day = re.sub(r"\s", "", text)
    try:
        if short := WITHOUT_YEAR.fullmatch(day):
            month, of = (short[3], short[4]) if short[3] else (short[2], short[1])
            return f"--{date(2000, int(month), int(of)):%m-%d}"
        if long := WITH_YEAR.fullmatch(day):
            return date(int(long[3]), int(long[2]), int(long[1])).isoformat()
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise ContactError(f"{text!r} is no birthday. Write it like 1984-06-03, or 3.6. without the year.") from None


def _checked(wish: Wish, country: str) -> tuple[dict[str, object], dict[str, tuple[str, str]]]:
    """The columns of the contact and its numbers (E.164 → as written, label)."""
    name = clean(wish.name, LONGEST["name"])
    if not name:
        raise ContactError("A contact needs a name.")
    theirs: dict[str, tuple[str, str]] = {}
    for raw, label in wish.numbers:
        if not raw.strip() and not label.strip():
            continue
        number = numbers.e164(raw.strip(), country)
        if number is None:
            raise ContactError(f"{raw!r} is not a telephone number here. Write it as you would dial it, or with +.")
        theirs.setdefault(number, (raw, clean(label, LONGEST["label"])))
    if len(theirs) > MOST_NUMBERS:
        raise ContactError(f"A contact has at most {MOST_NUMBERS} numbers.")
    reason = clean(wish.blocked_reason, LONGEST["blocked_reason"]) if wish.is_blocked else ""
    return {"name": name, "other_name": clean(wish.other_name, LONGEST["other_name"]) or None,
            "company": clean(wish.company, LONGEST["company"]) or None,
            "address": clean_lines(wish.address, LONGEST["address"]) or None, "birthday": birthday(wish.birthday),
            "is_vip": int(wish.is_vip), "is_blocked": int(wish.is_blocked), "blocked_reason": reason or None}, theirs


def _tags(given: Sequence[str]) -> list[str]:
    found = {tag.casefold(): tag for tag in (clean(raw, LONGEST["tag"]) for raw in given) if tag}
    if len(found) > MOST_TAGS:
        raise ContactError(f"A contact has at most {MOST_TAGS} tags.")
    return list(found.values())


def _fields(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in given:
        name, value = clean(raw_name, LONGEST["field"]), clean(raw_value, LONGEST["value"])
        if value and not name:
            raise ContactError(f"{value!r} needs the name of its field beside it.")
        if name and name in found:
            raise ContactError(f"The field {name!r} is there twice.")
        if name and value:
            found[name] = value
    if len(found) > MOST_FIELDS:
        raise ContactError(f"A contact has at most {MOST_FIELDS} fields of its own.")
    return found


def _put_numbers(db: sqlite3.Connection, contact_id: str, theirs: dict[str, tuple[str, str]]) -> None:
    """Only what differs is written: a number that stays must not be settled anew."""
    had = {row["number"]: row for row in db.execute("SELECT * FROM contact_number WHERE contact_id = ?", (contact_id,))}
    for gone in had.keys() - theirs.keys():
        db.execute("DELETE FROM contact_number WHERE number = ?", (gone,))
    for position, (number, (_, label)) in enumerate(theirs.items()):
        if number not in had:
            db.execute("INSERT INTO contact_number (number, contact_id, label, position) VALUES (?, ?, ?, ?)",
                       (number, contact_id, label or None, position))
        elif (had[number]["label"] or "", had[number]["position"]) != (label, position):
            db.execute("UPDATE contact_number SET label = ?, position = ? WHERE number = ?",
                       (label or None, position, number))


def _put(db: sqlite3.Connection, contact_id: str, tags: Sequence[str], fields: dict[str, str],
         groups: Sequence[int]) -> None:
    db.execute("DELETE FROM contact_tag WHERE contact_id = ?", (contact_id,))
    db.executemany("INSERT INTO contact_tag (contact_id, tag) VALUES (?, ?)", [(contact_id, tag) for tag in tags])
    db.execute("DELETE FROM contact_field WHERE contact_id = ?", (contact_id,))
    db.executemany("INSERT INTO contact_field (contact_id, name, value) VALUES (?, ?, ?)",
                   [(contact_id, name, value) for name, value in fields.items()])
    db.execute("DELETE FROM contact_group_member WHERE contact_id = ?", (contact_id,))
    db.executemany("""
        INSERT OR IGNORE INTO contact_group_member (contact_group_id, contact_id)
        SELECT id, ? FROM contact_group WHERE id = ?""", [(contact_id, group) for group in groups])


def _told(card: Card | None) -> dict[str, object] | None:
    """A card as the log of changes tells it."""
    if card is None:
        return None
    told: dict[str, object] = {
        "name": card.name, "other name": card.other_name, "company": card.company, "address": card.address,
        "birthday": card.birthday, "VIP": card.is_vip, "blocked": card.is_blocked, "reason": card.blocked_reason,
        "numbers": [one.number for one in card.numbers], "tags": list(card.tags),
        "groups": [name for _, name in card.groups], **dict(card.fields)}
    return {name: value for name, value in told.items() if value not in (None, [], False)}
