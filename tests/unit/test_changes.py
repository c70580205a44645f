"""The log of who changed what: what it keeps and what it must never hold."""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.people import changes
from appliance.store import db as store

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    db = store.connect(tmp_path / "office.db")
    store.migrate(db)
    return db


def recorded(db: sqlite3.Connection, *given: object, by: str = "Amy") -> list[changes.Change]:
    with store.write(db):
        changes.record(db, by, *given, NOW)  # type: ignore[arg-type]
    return changes.page(db)


def test_only_what_differs_is_kept(db: sqlite3.Connection) -> None:
    line = recorded(db, "setting", {"ring_s": 30, "shop_name": "Blume"}, {"ring_s": 20, "shop_name": "Blume"})[0]
    assert (line.by, line.what, line.before, line.after) == ("Amy", "setting", {"ring_s": 30}, {"ring_s": 20})
    assert line.at == NOW


def test_a_change_that_changes_nothing_is_no_line(db: sqlite3.Connection) -> None:
    assert recorded(db, "setting ring_s", 30, 30) == []
    assert recorded(db, "setting", {"ring_s": 30}, {"ring_s": 30}) == []


@pytest.mark.parametrize("number", ["+4915123456789", "0151 2345 6789", "+49 (151) 2345-6789", "4915123456789"])
def test_no_whole_number_is_kept(db: sqlite3.Connection, number: str) -> None:
    recorded(db, f"contact {number}", {"numbers": [number]}, {"numbers": [], "note": f"rang from {number} twice"})
    row = db.execute("SELECT * FROM change").fetchone()
    digits = "".join(letter for letter in number if letter.isdigit())
    kept = "".join(letter for letter in f"{row['what']} {row['before']} {row['after']}" if letter.isdigit())
    assert digits not in kept and digits[-9:] not in kept


def test_dates_and_small_figures_stay_as_they_are() -> None:
    for text in ("2026-11-21T08:00:00.000Z", "1980-02-29", "--02-29", "30 days", "09:00-18:00", "100000"):
        assert changes.shortened(text) == text


@pytest.mark.parametrize("field", ["password", "new_password", "passphrase", "totp_secret", "token", "sim_pin",
                                   "password_hash", "recovery_codes"])
def test_a_secret_is_never_written(db: sqlite3.Connection, field: str) -> None:
    recorded(db, "user Ben", {field: "old words in a row"}, {field: "new words in a row"})
    recorded(db, f"setting {field}", "old words in a row", "new words in a row")
    row = " ".join(str(value) for line in db.execute("SELECT * FROM change") for value in line)
    assert "words" not in row and row.count(changes.HIDDEN) == 4


def test_what_nobody_did_was_the_box(db: sqlite3.Connection) -> None:
    assert recorded(db, "retention", None, {"deleted": 3}, by="")[0].by == changes.THE_BOX


def test_the_log_is_read_by_key_by_person_and_by_kind(db: sqlite3.Connection) -> None:
    for n in range(120):
        with store.write(db):
            changes.record(db, "Amy" if n % 2 else "Ben", "rule missed" if n % 3 else "rules", None, {"n": n}, NOW)
    first = changes.page(db)
    second = changes.page(db, first[-1].id)
    assert len(first) == 50 and first[-1].id > second[0].id
    assert len(list(changes.every(db))) == 120
    assert {line.by for line in changes.every(db, by="Ben")} == {"Ben"}
    assert {line.what for line in changes.every(db, what="rule")} == {"rule missed"}
    assert changes.people(db) == ["Amy", "Ben"] and changes.kinds(db) == ["rule", "rules"]
