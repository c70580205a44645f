"""Contacts: who rings."""
from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime

import pytest

from appliance.people import contacts
from appliance.people.contacts import ContactError
from appliance.store import db as store

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)


def add(db: sqlite3.Connection, name: str, *numbers: str, **more: bool) -> str:
    with store.write(db):
        return contacts.add(db, name, numbers, "DE", NOW, **more)


def book(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute("""
        SELECT name, number, is_blocked FROM contact LEFT JOIN contact_number ON contact_id = id
        ORDER BY name, number""")]


def test_a_contact_has_its_numbers_in_one_form(db: sqlite3.Connection) -> None:
    add(db, "  Margaret\n Osei ", "0170 1234567", "030 23125222", "+491701234567")
    assert book(db) == [("Margaret Osei", "+491701234567", 0), ("Margaret Osei", "+493023125222", 0)]


def test_a_contact_may_have_no_number_and_may_be_blocked(db: sqlite3.Connection) -> None:
    add(db, "Nuisance", is_blocked=True)
    assert book(db) == [("Nuisance", None, 1)]


def test_its_key_is_one_that_boxes_may_share_and_grows_with_time(db: sqlite3.Connection) -> None:
    keys = [add(db, f"Customer {number}") for number in range(20)]
    assert {uuid.UUID(key).version for key in keys} == {7}
    assert keys == sorted(keys)


@pytest.mark.parametrize("name", ["", "  ", "\n\t", "\x00\x1b", "\udcff"])
def test_a_contact_needs_a_name(db: sqlite3.Connection, name: str) -> None:
    with pytest.raises(ContactError, match="needs a name"):
        add(db, name, "0170 1234567")
    assert book(db) == []


@pytest.mark.parametrize(("name", "kept"), [
    ("a\x1b[31mb\x00c", "a [31mb c"), ("張 偉", "張 偉"), ("<b>x</b>", "<b>x</b>"), ("Iv\udcffn", "Iv n")])
def test_a_name_is_one_line_fit_to_show(db: sqlite3.Connection, name: str, kept: str) -> None:
    add(db, name)
    assert book(db) == [(kept, None, 0)]


@pytest.mark.parametrize("number", ["7", "110", "abc", "", "1" * 300, "+4917012345671234"])
def test_what_is_no_number_is_refused_and_nothing_is_kept(db: sqlite3.Connection, number: str) -> None:
    with pytest.raises(ContactError, match="is not a telephone number here. Write it as you would dial it"):
        add(db, "Margaret", "0170 1234567", number)
    assert book(db) == []


def test_a_number_has_one_contact(db: sqlite3.Connection) -> None:
    add(db, "Margaret", "0170 1234567")
    with pytest.raises(ContactError, match="'0049 170 1234567' belongs to another contact already"):
        add(db, "Somebody", "030 23125222", "0049 170 1234567")
    assert book(db) == [("Margaret", "+491701234567", 0)]


def test_a_contact_that_goes_takes_its_numbers_along_and_leaves_the_calls(db: sqlite3.Connection) -> None:
    who = add(db, "Margaret", "0170 1234567")
    with store.write(db):
        db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, is_clock_set,
                              contact_id)
            VALUES ('box1', 1, '1.0', 'in', '7', 'allowed', '2026-11-21T20:10:00.000Z', 1, ?)""", (who,))
        db.execute("DELETE FROM contact")
    assert book(db) == [] and not db.execute("SELECT 1 FROM contact_number").fetchall()
    assert db.execute("SELECT contact_id FROM call").fetchone()["contact_id"] is None
