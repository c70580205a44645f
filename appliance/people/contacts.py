"""Contacts: who rings. The card itself is in cards.py, finding one in search.py, two made one in merge.py.

Keys are UUIDv7, so boxes may share them.
"""
from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from datetime import datetime

from appliance.people import cards, numbers
from appliance.people.cards import Card, ContactError, Wish, card, find, save
from appliance.people.search import Found, search
from appliance.store import db as store

__all__ = ["Card", "ContactError", "Found", "Wish", "add", "card", "find", "save", "search"]


def add(db: sqlite3.Connection, name: str, raw_numbers: Sequence[str], country: str, now: datetime,
        is_blocked: bool = False) -> str:
    """The id of a new contact, quickly and without a line in the log of changes. Call it inside store.write().

    Raises ContactError for an empty name, a number that is none in `country`, or one that has a contact.
    """
    name = cards.clean(name, cards.LONGEST["name"])
    if not name:
        raise ContactError("A contact needs a name.")
    wanted = {}
    for raw in raw_numbers:
        number = numbers.e164(raw, country)
        if number is None:
            raise ContactError(f"{raw!r} is not a telephone number here. Write it as you would dial it, or with +.")
        wanted[number] = raw
    contact_id, at = str(uuid.uuid7()), store.iso(now)
    db.execute("INSERT INTO contact (id, name, is_blocked, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
               (contact_id, name, is_blocked, at, at))
    for position, (number, raw) in enumerate(wanted.items()):
        try:
            db.execute("INSERT INTO contact_number (number, contact_id, position) VALUES (?, ?, ?)",
                       (number, contact_id, position))
        except sqlite3.IntegrityError as taken:
            raise ContactError(f"{raw!r} belongs to another contact already.", find(db, number)) from taken
    return contact_id
