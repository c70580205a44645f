"""The customers as a file that this box, Excel or a telephone reads back: a row or a vCard each, made as it is sent."""
from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from appliance.people import search, transfer_columns
from appliance.people.cards import Card, Number
from appliance.people.search import Filter
from appliance.store import db as store

CHUNK = 500
LEAST_NUMBERS = 3           # columns of numbers, so that a sheet can be filled in by hand
YES = "yes"
# The columns before and after the numbers, in the words of the reading side.
FIRST, LAST = ("name", "other_name", "company"), ("address", "birthday", "vip", "blocked", "blocked_reason", "groups",
                                                  "tags")


def chosen(db: sqlite3.Connection, country: str, wanted: Filter) -> Iterator[Card]:
    """The cards that fit, by name; read a few hundred at a time, so that no writer waits."""
    if wanted == Filter():
        after = ("", "")
        while rows := db.execute("""
                SELECT id, name FROM contact WHERE (name COLLATE NOCASE, id) > (?, ?)
                ORDER BY name COLLATE NOCASE, id LIMIT ?""", (*after, CHUNK)).fetchall():
            yield from whole(db, [row["id"] for row in rows])
            after = (rows[-1]["name"], rows[-1]["id"])
        return
    last: str | None = None
    while True:
        page = search.page(db, country, wanted, last, CHUNK)
        yield from whole(db, [one.id for one in page.found])
        if (last := page.after) is None:
            return


def whole(db: sqlite3.Connection, ids: Sequence[str]) -> list[Card]:
    """These cards with all that is on them, in this order; a card that is gone is left out."""
    marks = ", ".join("?" * len(ids))

    def by_card(sql: str) -> dict[str, list[sqlite3.Row]]:
        found = defaultdict(list)
        for row in db.execute(sql.replace("(…)", f"({marks})"), ids):
            found[row["contact_id"]].append(row)
        return found
    rows = {row["id"]: row for row in db.execute(f"SELECT * FROM contact WHERE id IN ({marks})", ids)}
    numbers = by_card("""
        SELECT contact_id, number, label,
               EXISTS (SELECT 1 FROM opt_out WHERE opt_out.number = contact_number.number) AS out
        FROM contact_number WHERE contact_id IN (…) ORDER BY position, rowid""")
    fields = by_card("SELECT contact_id, name, value FROM contact_field WHERE contact_id IN (…) ORDER BY rowid")
    tags = by_card("SELECT contact_id, tag FROM contact_tag WHERE contact_id IN (…) ORDER BY tag")
    groups = by_card("""
        SELECT contact_id, id, name FROM contact_group_member JOIN contact_group ON id = contact_group_id
        WHERE contact_id IN (…) ORDER BY name COLLATE NOCASE""")
    return [_card(rows[one], numbers[one], fields[one], tags[one], groups[one]) for one in ids if one in rows]


def _card(row: sqlite3.Row, numbers: list[sqlite3.Row], fields: list[sqlite3.Row], tags: list[sqlite3.Row],
          groups: list[sqlite3.Row]) -> Card:
    return Card(row["id"], row["name"], row["other_name"], row["company"], row["address"], row["birthday"],
                bool(row["is_vip"]), bool(row["is_blocked"]), row["blocked_reason"],
                store.parse_time(row["created_at"]), store.parse_time(row["updated_at"]),
                tuple(Number(one["number"], one["label"], bool(one["out"])) for one in numbers),
                tuple((one["name"], one["value"]) for one in fields), tuple(one["tag"] for one in tags),
                tuple((one["id"], one["name"]) for one in groups))


def fields_in_use(db: sqlite3.Connection) -> list[str]:
    """The names of the owner's own fields, the commonest first."""
    return [row["name"] for row in db.execute("""
        SELECT name FROM contact_field GROUP BY name ORDER BY count(*) DESC, name LIMIT 200""")]


def head(db: sqlite3.Connection, words: dict[str, str]) -> list[str]:
    """The headings, in the words given for each target; own fields by their name, marked where it means something."""
    most = db.execute("SELECT max(n) FROM (SELECT count(*) AS n FROM contact_number GROUP BY contact_id)").fetchone()[0]
    numbers = [f"{words[target]} {place}" for place in range(1, max(most or 0, LEAST_NUMBERS) + 1)
               for target in ("number", "label")]
    more = {transfer_columns.head_key(word) for word in words.values()}
    return [*(words[one] for one in FIRST), *numbers, *(words[one] for one in LAST),
            *(f"Field: {name}" if transfer_columns.known(name) or transfer_columns.is_numbered(name, more) else name
              for name in fields_in_use(db))]


def rows(db: sqlite3.Connection, cards: Iterator[Card], width: int) -> Iterator[list[str]]:
    """A row a card, as wide as the head."""
    names = fields_in_use(db)
    pairs = (width - len(FIRST) - len(LAST) - len(names)) // 2
    for card in cards:
        told: dict[str, Any] = dict(card.fields)
        numbers = [cell for one in card.numbers[:pairs] for cell in (one.number, one.label or "")]
        yield [card.name, card.other_name or "", card.company or "", *numbers, *[""] * (2 * pairs - len(numbers)),
               card.address or "", card.birthday or "", YES if card.is_vip else "", YES if card.is_blocked else "",
               card.blocked_reason or "", transfer_columns.joined([name for _, name in card.groups]),
               transfer_columns.joined(card.tags), *(told.get(name, "") for name in names)]
