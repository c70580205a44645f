"""The SIM's PIN is tried once; the sum in an operator's answer is found."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from appliance.config import Box, Modem
from appliance.store import db as store
from appliance.texts import sims

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CARD, OTHER_CARD = "8949010000000000007", "8949010000000000008"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = store.connect(tmp_path / "office.db")
    store.migrate(db)
    with store.write(db):
        sims.make_rows(db, Box(modems=(Modem("SIM", "auto"),)))
        db.execute("INSERT INTO modem (name, state, updated_at) VALUES ('SIM', 'registered', ?)", (store.iso(NOW),))
    yield db
    db.close()


def test_the_same_pin_is_never_tried_twice_on_the_same_sim(db: sqlite3.Connection) -> None:
    assert not sims.was_tried(db, "SIM", CARD, "1234")
    with store.write(db):
        sims.note_try(db, "SIM", CARD, "1234", NOW)
    assert sims.was_tried(db, "SIM", CARD, "1234")
    assert not sims.was_tried(db, "SIM", CARD, "4321")
    assert not sims.was_tried(db, "SIM", OTHER_CARD, "1234")
    with store.write(db):
        sims.forget_tries(db, "SIM", CARD, NOW)
    assert not sims.was_tried(db, "SIM", CARD, "1234")


def test_a_sim_put_back_after_another_one_is_not_tried_with_the_same_pin_again(db: sqlite3.Connection) -> None:
    with store.write(db):
        sims.note_try(db, "SIM", CARD, "1234", NOW)
        sims.note_try(db, "SIM", OTHER_CARD, "1234", NOW)
        sims.forget_tries(db, "SIM", OTHER_CARD, NOW)        # that one opened
    assert sims.was_tried(db, "SIM", CARD, "1234")
    assert not sims.was_tried(db, "SIM", OTHER_CARD, "1234")


@pytest.mark.parametrize("then", [CARD, ""])
def test_a_pin_tried_on_a_sim_that_did_not_say_its_number_was_tried_on_every_one(
        db: sqlite3.Connection, then: str) -> None:
    with store.write(db):
        sims.note_try(db, "SIM", "", "1234", NOW)
    assert sims.was_tried(db, "SIM", then, "1234")
    assert not sims.was_tried(db, "SIM", then, "4321")
    with store.write(db):
        sims.forget_tries(db, "SIM", CARD, NOW)
    assert not sims.was_tried(db, "SIM", CARD, "1234"), "a person has opened it"


@pytest.mark.parametrize(("written", "pin"), [("1234\n", "1234"), ("12345678", "12345678"), ("123", None),
                                              ("12 34", None), ('1234"\rATD112;', None), ("", None)])
def test_only_what_can_be_a_pin_is_read(tmp_path: Path, written: str, pin: str | None) -> None:
    (tmp_path / "sim-SIM.pin").write_text(written)
    assert sims.pin(Box(secrets=tmp_path), "SIM") == pin
    assert sims.pin(Box(secrets=tmp_path), "SIM2") is None


def test_the_balance_is_asked_once_a_day_and_when_somebody_wants_to_know(db: sqlite3.Connection) -> None:
    assert sims.balance_code(db, "SIM", NOW) is None, "no code was written down"
    with store.write(db):
        db.execute("UPDATE sim SET balance_ussd = '*100#'")
    assert sims.balance_code(db, "SIM", NOW) == "*100#"
    with store.write(db):
        assert sims.keep_balance(db, "SIM", "12,34 EUR", NOW) == "12.34"
    assert sims.balance_code(db, "SIM", NOW + timedelta(hours=23)) is None
    assert sims.balance_code(db, "SIM", NOW + timedelta(hours=24)) == "*100#"
    with store.write(db):
        db.execute("UPDATE modem SET balance_at = NULL")
    assert sims.balance_code(db, "SIM", NOW) == "*100#"


def test_an_answer_without_a_sum_leaves_the_last_balance_and_is_not_asked_again_at_once(
        db: sqlite3.Connection) -> None:
    with store.write(db):
        db.execute("UPDATE sim SET balance_ussd = '*100#'")
        sims.keep_balance(db, "SIM", "5.00", NOW)
        assert sims.keep_balance(db, "SIM", "Please try again later.", NOW + timedelta(days=1)) is None
    assert db.execute("SELECT balance FROM modem").fetchone()[0] == "5.00"
    assert sims.balance_code(db, "SIM", NOW + timedelta(days=1, minutes=1)) is None


@pytest.mark.parametrize(("words", "left"), [
    ("Your balance is 12.34 EUR.", "12.34"), ("Ihr Guthaben: 12,34 EUR. Gültig bis 31.12.2026", "12.34"),
    ("Balance: $1,234.50 until 12/31/2026 23:59", "1234.50"), ("Баланс: 123.45 р. до 01.01.2027", "123.45"),
    ("余额: 88.60元", "88.60"), ("Guthaben 1.234,50 €", "1234.50"), ("Saldo -3.20 EUR", "-3.20"),
    ("You have 5 free texts and £7.10 left", "7.10"), ("Konto 0", "0"), ("no money", None), ("", None),
])
def test_the_sum_is_found_among_dates_and_other_numbers(words: str, left: str | None) -> None:
    assert sims.amount(words) == (Decimal(left) if left else None)
