"""Calls to a SIM in the history, as the radio tells them."""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance.calls import follow
from appliance.config import Box
from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import lines
from hw.rings import Ringing, Shown

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)      # a Monday morning
CALLER = "+491701234567"


def call_of(db: sqlite3.Connection, box: Box, number: str = CALLER, shown: Shown = Shown.ALLOWED,
            at: datetime = NOW) -> int:
    with store.write(db):
        return lines.rang(db, box, "SIM", Ringing(number, shown, 0.0), at, at)


def end_of(db: sqlite3.Connection, box: Box, call_id: int, at: datetime = NOW + timedelta(seconds=12)) -> None:
    with store.write(db):
        lines.ended(db, box, call_id, at, at)


def kinds(db: sqlite3.Connection) -> list[str]:
    return [row["kind"] for row in db.execute("SELECT kind FROM event ORDER BY id")]


def test_a_call_has_its_contact_its_leg_and_its_events(db: sqlite3.Connection, box: Box) -> None:
    with store.write(db):
        contact = contacts.add(db, "Margaret Osei", [CALLER], "DE", NOW)
    call_id = call_of(db, box, "01701234567")
    end_of(db, box, call_id)
    call = db.execute("SELECT * FROM call").fetchone()
    assert (call["number"], call["contact_id"], call["trunk"], call["outcome"], call["ring_ms"]) == (
        CALLER, contact, "SIM", "missed", 12_000)
    leg = db.execute("SELECT * FROM leg").fetchone()
    assert (leg["channel"], leg["is_caller"], leg["ended_at"]) == ("GSM/SIM", 1, call["ended_at"])
    assert kinds(db)[:2] == ["ringing", "ended"]


def test_a_missed_call_to_the_sim_earns_its_text_in_the_same_transaction(db: sqlite3.Connection, box: Box) -> None:
    call_id = call_of(db, box)
    end_of(db, box, call_id)
    assert [tuple(row) for row in db.execute("SELECT number, call_id, state FROM sms")] == [
        (CALLER, call_id, "queued")]


@pytest.mark.parametrize("shown", [Shown.WITHHELD, Shown.UNAVAILABLE])
def test_a_caller_without_a_number_is_kept_and_not_texted(
        db: sqlite3.Connection, box: Box, shown: Shown) -> None:
    end_of(db, box, call_of(db, box, "", shown))
    call = db.execute("SELECT * FROM call").fetchone()
    assert (call["number"], call["presentation"]) == (None, shown.value)
    assert db.execute("SELECT count(*) FROM sms").fetchone()[0] == 0


def test_two_calls_in_the_same_millisecond_of_a_box_without_a_clock_are_two(db: sqlite3.Connection, box: Box) -> None:
    end_of(db, box, call_of(db, box))
    end_of(db, box, call_of(db, box))
    assert db.execute("SELECT count(*) FROM call").fetchone()[0] == 2


def test_a_clock_set_back_while_it_rang_makes_no_negative_time(db: sqlite3.Connection, box: Box) -> None:
    end_of(db, box, call_of(db, box), NOW - timedelta(days=1))
    assert db.execute("SELECT ring_ms FROM call").fetchone()[0] == 0


def test_asterisk_does_not_cut_a_call_of_the_sim_which_it_knows_nothing_of(db: sqlite3.Connection, box: Box) -> None:
    call_of(db, box)
    assert follow.open_calls(db, box) == set()


def test_calls_that_rang_when_the_modem_was_lost_are_interrupted(db: sqlite3.Connection, box: Box) -> None:
    call_of(db, box)
    with store.write(db):
        assert lines.cut(db, box, "SIM2", NOW) == 0
        assert lines.cut(db, box, "SIM", NOW) == 1
    assert db.execute("SELECT outcome FROM call").fetchone()[0] == "interrupted"
    assert db.execute("SELECT count(*) FROM sms").fetchone()[0] == 0
