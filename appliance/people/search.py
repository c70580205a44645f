"""Finding a card among 100,000: by a part of a name or company, by a number however it is written, by what it is.

Few hits are sorted; with many the book is walked by name until the page is full. Either way a page costs the same.
"""
from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from appliance.people import numbers

FEW = 2000                  # up to so many hits are gathered and sorted
SHOWS = {"all": "", "vip": "contact.is_vip = 1", "blocked": "contact.is_blocked = 1",
         "optout": "contact.id IN (SELECT contact_id FROM opt_out CROSS JOIN contact_number USING (number))"}
OPTED_OUT_EACH = """EXISTS (SELECT 1 FROM contact_number CROSS JOIN opt_out USING (number)
                           WHERE contact_number.contact_id = contact.id)"""
DIGITS = re.compile(r"[\d\s()/.+-]*\d[\d\s()/.-]*", re.ASCII)
FEWEST_DIGITS = 2


@dataclass(frozen=True)
class Found:
    """One line of the list."""
    id: str
    name: str
    other_name: str | None
    company: str | None
    is_vip: bool
    is_blocked: bool
    numbers: tuple[tuple[str, str | None], ...]
    tags: tuple[str, ...]
    is_opted_out: bool


@dataclass(frozen=True)
class Page:
    """A page of the list. after: where the next goes on, None at the end; count: None where it is not known."""
    found: list[Found]
    after: str | None
    count: int | None


@dataclass(frozen=True)
class Filter:
    """What the list is narrowed to; empty narrows nothing."""
    text: str = ""
    show: str = "all"
    group: int | None = None
    tag: str = ""


def page(db: sqlite3.Connection, country: str, wanted: Filter, after: str | None = None, limit: int = 50) -> Page:
    """The cards that fit, by name, those after the card with the id `after`."""
    wheres, given = [], []
    if SHOWS[wanted.show]:
        is_many = wanted.show == "optout" and not _is_few(db, "opt_out", "1", 1)
        wheres.append(OPTED_OUT_EACH if is_many else SHOWS[wanted.show])
    for column, table, value in (("contact_group_id", "contact_group_member", wanted.group),
                                 ("tag", "contact_tag", wanted.tag or None)):
        if value is not None:
            if _is_few(db, table, column, value):
                wheres.append(f"contact.id IN (SELECT contact_id FROM {table} WHERE {column} = ?)")
            else:
                wheres.append(f"EXISTS (SELECT 1 FROM {table} WHERE contact_id = contact.id AND {column} = ?)")
            given.append(value)
    count = _count(db) if not wheres and not wanted.text else None
    if wanted.text:
        ids = _matching(db, wanted.text, country)
        if ids is None:
            where, words = _walked(wanted.text)
            wheres.append(where)
            given += words
        else:
            wheres.append(f"contact.id IN ({', '.join('?' * len(ids))})")
            given += ids
            count = len(ids) if len(wheres) == 1 else None
    if after and (edge := db.execute("SELECT name, id FROM contact WHERE id = ?", (after,)).fetchone()):
        wheres.append("(contact.name COLLATE NOCASE, contact.id) > (?, ?)")
        given += [edge["name"], edge["id"]]
    rows = db.execute(f"""
        SELECT contact.id FROM contact
        WHERE {" AND ".join(wheres) or "1"}
        ORDER BY contact.name COLLATE NOCASE, contact.id
        LIMIT ?""", (*given, limit + 1)).fetchall()
    found = [one for row in rows[:limit] if (one := _found(db, row["id"]))]
    return Page(found, rows[limit - 1]["id"] if len(rows) > limit else None, count)


def search(db: sqlite3.Connection, text: str, limit: int = 20, country: str = "") -> list[Found]:
    """The first cards by name that fit a part of a name, a company or a number."""
    return page(db, country, Filter(text.strip()), limit=limit).found if text.strip() else []


def tags(db: sqlite3.Connection, limit: int = 30) -> list[str]:
    """The tags in use, the commonest first."""
    return [row["first"] for row in db.execute("""
        SELECT min(tag) AS first
        FROM contact_tag
        GROUP BY tag
        ORDER BY count(*) DESC, tag
        LIMIT ?""", (limit,))]


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM contact").fetchone()[0])


def _is_few(db: sqlite3.Connection, table: str, column: str, value: object) -> bool:
    """Whether so few are in it that gathering and sorting them is quicker than walking the book."""
    return int(db.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {column} = ? LIMIT ?)",
                          (value, FEW + 1)).fetchone()[0]) <= FEW


def _matching(db: sqlite3.Connection, text: str, country: str) -> list[str] | None:
    """The ids of the cards that fit; None when they are many, or when the text is too short for the index."""
    ids: dict[str, None] = {}
    if DIGITS.fullmatch(text.strip()):
        found = _by_number(db, text, country)
        if len(found) > FEW:
            return None
        ids.update(dict.fromkeys(found))
    if len(text) < 3:
        return list(ids) if ids or sum(letter.isdigit() for letter in text) >= FEWEST_DIGITS else None
    rows = db.execute("SELECT rowid FROM contact_search WHERE contact_search MATCH ? LIMIT ?",
                      ('"' + text.replace('"', '""') + '"', FEW + 1)).fetchall()
    if len(rows) + len(ids) > FEW:
        return None
    ids.update((db.execute("SELECT contact_id FROM contact_search_key WHERE id = ?", (row["rowid"],)).fetchone()[0],
                None) for row in rows)
    return list(ids)


def _by_number(db: sqlite3.Connection, text: str, country: str) -> list[str]:
    """Cards with a number that is it, or that holds these digits: the last four, a beginning, a part."""
    if (whole := numbers.e164(text.strip(), country)) and (exact := db.execute(
            "SELECT contact_id FROM contact_number WHERE number = ?", (whole,)).fetchone()):
        return [exact["contact_id"]]
    digits = "".join(letter for letter in text if letter.isdigit())
    bare = digits.lstrip("0") or digits           # a trunk 0 or an international 00 is not in E.164
    if len(bare) < FEWEST_DIGITS:
        return []
    return list(dict.fromkeys(row["contact_id"] for row in db.execute(
        "SELECT contact_id FROM contact_number WHERE instr(number, ?) LIMIT ?", (bare, FEW + 1))))


def _walked(text: str) -> tuple[str, list[str]]:
    """The text as a condition of the walk by name. SQLite folds the case of ASCII alone: the others are spelt out."""
    spelt = dict.fromkeys([text] if text.isascii() else
                          [text, text.lower(), text.upper(), text.title(), text.capitalize()])
    likes = ["%" + re.sub(r"([\\%_])", r"\\\1", spelling) + "%" for spelling in spelt]
    columns = ("contact.name", "contact.other_name", "contact.company")
    parts = [rf"{column} LIKE ? ESCAPE '\'" for column in columns for _ in likes]
    words = likes * len(columns)
    digits = "".join(letter for letter in text if letter.isdigit())
    if DIGITS.fullmatch(text.strip()) and digits:
        parts.append("EXISTS (SELECT 1 FROM contact_number WHERE contact_id = contact.id AND number LIKE ?)")
        words = [*words, f"%{digits.lstrip('0') or digits}%"]
    return "(" + " OR ".join(parts) + ")", words


def _found(db: sqlite3.Connection, contact_id: str) -> Found | None:
    row = db.execute("SELECT * FROM contact WHERE id = ?", (contact_id,)).fetchone()
    if row is None:
        return None
    theirs = db.execute("""
        SELECT number, label, EXISTS (SELECT 1 FROM opt_out WHERE opt_out.number = contact_number.number) AS out
        FROM contact_number WHERE contact_id = ? ORDER BY position, rowid""", (contact_id,)).fetchall()
    labels = db.execute("SELECT tag FROM contact_tag WHERE contact_id = ? ORDER BY tag", (contact_id,))
    return Found(row["id"], row["name"], row["other_name"], row["company"], bool(row["is_vip"]),
                 bool(row["is_blocked"]), tuple((one["number"], one["label"]) for one in theirs),
                 tuple(one["tag"] for one in labels), any(one["out"] for one in theirs))
