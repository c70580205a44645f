"""What was done since a backup was made, and a restore must not undo: doors closed, letters told, people forgotten."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from appliance.backup import rows
from appliance.config import Box
from appliance.people import forget
from appliance.store import db as store
from tests.unit.backing import Backing


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Iterator[Backing]:
    made = Backing(db, box)
    made.fill()
    yield made
    made.close()


def test_a_door_that_was_closed_since_stays_closed(office: Backing) -> None:
    db, at = office.db, store.iso(office.now)
    with store.write(db):
        db.execute("INSERT INTO user (name, password_hash, created_at) VALUES ('Ben', 'x', ?)", (at,))
        for table, more, value in (("desk", "user_id", 1), ("api_token", "role", "staff")):
            db.executemany(f"INSERT INTO {table} (name, token_hash, {more}, created_at) VALUES (?, ?, ?, ?)",
                           [(name, name, value, at) for name in ("lost", "kept")])
        db.executemany("INSERT INTO recovery_code VALUES (?, 1)", [("used",), ("left",)])
        db.execute("INSERT INTO invitation VALUES ('used', 2, ?)", (at,))
    one = office.back_up()
    with store.write(db):
        for table in ("desk", "api_token"):
            db.execute(f"UPDATE {table} SET revoked_at = ? WHERE name = 'lost'", (at,))
        db.execute("DELETE FROM recovery_code WHERE code_hash = 'used'")
        db.execute("DELETE FROM invitation")
        db.execute("UPDATE user SET is_on = 0 WHERE name = 'Ben'")
    seen = office.read(backup_id=one.id)
    assert seen.preview and seen.preview["users"] == ["Amy"]
    rows.agree(db, seen.id, "Amy", office.now)
    office.serve()
    for table in ("desk", "api_token"):
        assert [row[0] for row in db.execute(f"SELECT name FROM {table} WHERE revoked_at IS NULL")] == ["kept"]
    assert [row[0] for row in db.execute("SELECT code_hash FROM recovery_code")] == ["left"]
    assert office.count("invitation") == 0
    assert [tuple(row) for row in db.execute("SELECT name, is_on FROM user ORDER BY id")] == [("Amy", 1), ("Ben", 0)]


def test_somebody_can_log_in_after_a_restore_even_where_all_of_then_were_switched_off(office: Backing) -> None:
    one = office.back_up()
    with store.write(office.db):
        office.db.execute("UPDATE user SET is_on = 0 WHERE name = 'Amy'")
        office.db.execute("INSERT INTO user (name, password_hash, created_at) VALUES ('Ben', 'x', ?)",
                          (store.iso(office.now),))
    seen = office.read(backup_id=one.id)
    assert seen.preview and seen.preview["users"] == ["Amy"]
    rows.agree(office.db, seen.id, "Ben", office.now)
    office.serve()
    assert [tuple(row) for row in office.db.execute("SELECT name, is_on FROM user")] == [("Amy", 1)]


def test_letters_and_slips_that_waited_then_are_not_told_once_more(office: Backing) -> None:
    with store.write(office.db):
        office.db.execute("INSERT INTO webhook (name, url, secret, kinds, created_at) VALUES "
                          "('Cash desk', 'https://example.net/', 's', '[\"call.ended\"]', '2026')")
        at = store.iso(office.now)
        office.db.execute("INSERT INTO delivery (webhook_id, kind, call_id, at, state) VALUES "
                          "(1, 'call.ended', 1, ?, 'waiting')", (at,))
        office.db.execute("INSERT INTO slip (call_id, at, state) VALUES (1, ?, 'waiting')", (at,))
    one = office.back_up()
    with store.write(office.db):
        office.db.execute("UPDATE delivery SET state = 'delivered'")
        office.db.execute("UPDATE slip SET state = 'printed'")
    office.restore(backup_id=one.id)
    for table in ("delivery", "slip"):
        assert office.db.execute(f"SELECT state FROM {table}").fetchone()[0] == "given_up"


def test_who_is_forgotten_while_recordings_come_back_stays_forgotten(office: Backing) -> None:
    one = office.back_up(recordings="all")
    contact_id = office.db.execute("SELECT id FROM contact").fetchone()["id"]
    seen = office.read(backup_id=one.id)
    came = office.box.recordings / "2026-11/1.wav"
    came.unlink()

    def meanwhile() -> None:
        if came.exists() and office.count("contact"):
            forget.forget(office.db, office.box, contact_id, [], "Amy", office.now)
    office.alive = meanwhile
    rows.agree(office.db, seen.id, "Amy", office.now)
    office.serve()
    assert rows.restore(office.db, seen.id).state == "restored"
    assert office.count("contact") == 0 and office.count("call") == 0
