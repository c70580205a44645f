"""Keys of other programs: shown once, kept as hashes, good until their day or until they are taken back."""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance.config import Box
from appliance.doors import tokens
from appliance.doors.tokens import TokenError
from appliance.store import db as store

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.fixture
def db(box: Box) -> sqlite3.Connection:
    found = store.connect(box.store)
    store.migrate(found)
    return found


def test_a_token_is_found_by_its_hash_and_never_kept(db: sqlite3.Connection) -> None:
    with store.write(db):
        made, token = tokens.add(db, " Till  two ", "staff", "Amy", NOW)
    found = tokens.find(db, tokens.hash_of(token), NOW)
    assert found is not None and (found.id, found.name, found.role) == (made, "Till two", "staff")
    assert tokens.find(db, token, NOW) is None
    assert token not in "".join(str(tuple(row)) for row in db.execute("SELECT * FROM api_token"))
    assert token.startswith("dbk_") and len(token) > 40


def test_a_token_ends_on_its_day(db: sqlite3.Connection) -> None:
    with store.write(db):
        _, token = tokens.add(db, "Till", "staff", "Amy", NOW, NOW + timedelta(days=1))
    assert tokens.find(db, tokens.hash_of(token), NOW + timedelta(hours=23))
    assert tokens.find(db, tokens.hash_of(token), NOW + timedelta(hours=24)) is None


def test_a_token_that_was_taken_back_opens_nothing_until_that_is_undone(db: sqlite3.Connection) -> None:
    with store.write(db):
        made, token = tokens.add(db, "Till", "staff", "Amy", NOW)
    one = tokens.one(db, made)
    assert one is not None
    with store.write(db):
        tokens.revoke(db, one, "Amy", NOW)
    assert tokens.find(db, tokens.hash_of(token), NOW) is None and tokens.listed(db) == []
    with store.write(db):
        tokens.put_back(db, one, "Amy", NOW)
    assert tokens.find(db, tokens.hash_of(token), NOW)
    said = [tuple(row) for row in db.execute("SELECT by_user, what FROM change ORDER BY id")]
    assert said == [("Amy", "access Till")] * 3


def test_use_is_noted_every_few_minutes_at_most(db: sqlite3.Connection) -> None:
    with store.write(db):
        made, token = tokens.add(db, "Till", "staff", "Amy", NOW)
    key, before = tokens.hash_of(token), db.total_changes
    for second in range(0, 299, 10):
        tokens.find(db, key, NOW + timedelta(seconds=second))
    assert db.total_changes == before + 1
    tokens.find(db, key, NOW + timedelta(seconds=301))
    one = tokens.one(db, made)
    assert one is not None and one.seen_at == NOW + timedelta(seconds=301)


@pytest.mark.parametrize(("name", "role", "until", "said"), [
    ("", "staff", None, "A name has"), ("x" * 61, "staff", None, "A name has"), ("a\x00b", "staff", None, "A name has"),
    ("Till", "god", None, "Choose what"), ("Till", "staff", NOW, "That day is over")])
def test_what_does_not_fit_is_refused_in_words(db: sqlite3.Connection, name: str, role: str, until: datetime | None,
                                              said: str) -> None:
    with pytest.raises(TokenError, match=said), store.write(db):
        tokens.add(db, name, role, "Amy", NOW, until)


def test_there_are_not_more_tokens_than_somebody_can_look_through(db: sqlite3.Connection) -> None:
    with pytest.raises(TokenError, match="50 tokens"), store.write(db):
        for n in range(51):
            tokens.add(db, f"Till {n}", "reader", "Amy", NOW)


@pytest.mark.parametrize(("role", "wanted", "is_let"), [
    ("reader", "reader", True), ("reader", "staff", False), ("staff", "reader", True), ("staff", "owner", False),
    ("owner", "owner", True), ("phonebook", "reader", False), ("", "reader", False)])
def test_each_role_may_what_those_before_it_may(role: str, wanted: str, is_let: bool) -> None:
    assert tokens.may(role, wanted) is is_let
