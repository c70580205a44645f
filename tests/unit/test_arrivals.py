"""Texts that came are kept once and whole, in whatever order and however often the modem hands them over."""
from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from appliance.config import Box
from appliance.store import db as store
from appliance.texts import inbox, optouts
from hw.pdu import Delivered

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CALLER, OTHER = "+491701234567", "+491709999999"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Sim:
    """What a modem hands over, to a store that is opened anew for each text."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def came(self, text: Delivered, now: datetime = NOW) -> int | None:
        db = store.connect(self.box.store)
        with store.write(db):
            sms_id = inbox.received(db, self.box, text, "SIM", now)
        db.close()
        return sms_id


@pytest.fixture
def sim(box: Box, db: sqlite3.Connection) -> Sim:
    return Sim(box)


def part(place: int, parts: int, text: str, sent_at: datetime | None = NOW, joint: int = 7,
         number: str = CALLER) -> Delivered:
    return Delivered(number, text, sent_at, joint, place, parts)


def texts(db: sqlite3.Connection) -> list[str]:
    return [row["text"] for row in db.execute("SELECT text FROM sms WHERE direction = 'in' ORDER BY id")]


def reasons(db: sqlite3.Connection) -> list[str | None]:
    return [row["reason"] for row in db.execute("SELECT reason FROM sms WHERE direction = 'in' ORDER BY id")]


def shuffled(parts: int, seed: int) -> Iterator[int]:
    """Every place once or twice, in any order."""
    order = [*range(1, parts + 1)] * 2
    random.Random(seed).shuffle(order)
    yield from order[:random.Random(seed).randint(0, parts)]
    yield from order


def test_a_text_is_kept_with_its_sim_and_the_desks_are_told(sim: Sim, db: sqlite3.Connection) -> None:
    sms_id = sim.came(Delivered("0170 1234567", "Hallo", NOW - MINUTE))
    row = db.execute("SELECT * FROM sms WHERE id = ?", (sms_id,)).fetchone()
    assert (row["number"], row["text"], row["sim"], row["state"]) == (CALLER, "Hallo", "SIM", "received")
    assert row["created_at"] == store.iso(NOW - MINUTE) and row["read_at"] is None
    assert [event["kind"] for event in db.execute("SELECT kind FROM event")] == ["text"]


def test_the_same_text_handed_over_twice_is_one(sim: Sim, db: sqlite3.Connection) -> None:
    assert sim.came(Delivered(CALLER, "Hallo", NOW)) is not None
    assert sim.came(Delivered(CALLER, "Hallo", NOW), NOW + DAY) is None
    assert sim.came(Delivered(CALLER, "Hallo", NOW + MINUTE)) is not None, "they wrote it again"
    assert sim.came(Delivered(OTHER, "Hallo", NOW)) is not None
    assert texts(db) == ["Hallo"] * 3


def test_a_text_without_the_networks_time_is_one_when_a_crash_brings_it_again(
        sim: Sim, db: sqlite3.Connection) -> None:
    assert sim.came(Delivered(CALLER, "Hallo", None)) is not None
    assert sim.came(Delivered(CALLER, "Hallo", None), NOW + MINUTE) is None
    assert sim.came(Delivered(CALLER, "Hallo", None), NOW + HOUR) is not None
    assert sim.came(Delivered(OTHER, "Hallo", None), NOW + MINUTE) is not None


@pytest.mark.parametrize("parts", [2, 3, 8])
@pytest.mark.parametrize("seed", range(12))
def test_segments_in_any_order_and_twice_are_one_text(sim: Sim, db: sqlite3.Connection, parts: int, seed: int) -> None:
    kept = [sim.came(part(place, parts, f"<{place}>", NOW + place * timedelta(seconds=1)))
            for place in shuffled(parts, seed)]
    assert texts(db) == ["".join(f"<{place}>" for place in range(1, parts + 1))]
    assert len([sms_id for sms_id in kept if sms_id is not None]) == 1
    assert reasons(db) == [None]


def test_a_segment_that_waits_is_no_text_yet(sim: Sim, db: sqlite3.Connection) -> None:
    assert sim.came(part(1, 2, "Half")) is None
    assert texts(db) == [] and inbox.attend(db, sim.box, NOW + DAY - MINUTE) == 0


def test_after_a_day_what_came_is_shown_and_says_what_is_missing(sim: Sim, db: sqlite3.Connection) -> None:
    sim.came(part(3, 4, "three"))
    sim.came(part(1, 4, "One, "))
    assert inbox.attend(db, sim.box, NOW + DAY) == 1
    assert (texts(db), reasons(db)) == (["One, […]three[…]"], ["Part 2, 4 of 4 did not come."])
    assert inbox.attend(db, sim.box, NOW + 2 * DAY) == 0, "it is shown once"


def test_a_segment_that_comes_after_the_torn_text_was_shown_mends_it(sim: Sim, db: sqlite3.Connection) -> None:
    sim.came(part(1, 2, "Hello "))
    inbox.attend(db, sim.box, NOW + DAY)
    db.execute("UPDATE sms SET read_at = 'x'")
    assert sim.came(part(2, 2, "world"), NOW + DAY + HOUR) is None
    assert sim.came(part(2, 2, "world"), NOW + DAY + HOUR) is None
    assert (texts(db), reasons(db)) == (["Hello world"], [None])
    assert db.execute("SELECT read_at FROM sms").fetchone()[0] is None, "it reads otherwise now"


def test_a_segment_the_sim_still_had_after_the_text_was_whole_makes_no_second_one(
        sim: Sim, db: sqlite3.Connection) -> None:
    for place in (1, 2):
        sim.came(part(place, 2, f"<{place}>"))
    assert sim.came(part(1, 2, "<1>"), NOW + DAY) is None
    assert inbox.attend(db, sim.box, NOW + 3 * DAY) == 0
    assert texts(db) == ["<1><2>"]


def test_two_people_two_lengths_and_two_references_are_not_mixed(sim: Sim, db: sqlite3.Connection) -> None:
    sim.came(part(1, 2, "a1"))
    sim.came(part(2, 2, "b2", number=OTHER))
    sim.came(part(2, 3, "c2"))
    sim.came(part(2, 2, "d2", joint=8))
    assert texts(db) == []
    sim.came(part(2, 2, "a2"))
    assert texts(db) == ["a1a2"]


def test_a_phone_that_uses_one_reference_for_ever_is_read_right(sim: Sim, db: sqlite3.Connection) -> None:
    for round_ in range(3):
        for place in (1, 2):
            sim.came(part(place, 2, f"{round_}.{place} ", NOW + round_ * MINUTE), NOW + round_ * MINUTE)
    assert texts(db) == ["0.1 0.2 ", "1.1 1.2 ", "2.1 2.2 "]


def test_a_torn_text_of_yesterday_is_not_completed_by_one_of_today(sim: Sim, db: sqlite3.Connection) -> None:
    sim.came(part(1, 2, "yesterday"), NOW)
    later = NOW + 20 * HOUR
    sim.came(part(2, 2, "today 2", later), later)
    assert texts(db) == []
    sim.came(part(1, 2, "today 1 ", later), later)
    assert texts(db) == ["today 1 today 2"]


def test_segments_without_the_networks_time_are_joined_too(sim: Sim, db: sqlite3.Connection) -> None:
    for place in (2, 1, 2):
        sim.came(part(place, 2, f"<{place}>", sent_at=None))
    assert texts(db) == ["<1><2>"]


@pytest.mark.parametrize("odd", [part(0, 2, "x"), part(3, 2, "x"), part(1, 1, "x"), part(1, 0, "x")])
def test_a_segment_that_says_nonsense_of_itself_is_a_text_alone(
        sim: Sim, db: sqlite3.Connection, odd: Delivered) -> None:
    assert sim.came(odd) is not None
    assert texts(db) == ["x"]


def test_a_crash_before_the_commit_keeps_nothing_and_the_text_comes_again(sim: Sim, db: sqlite3.Connection) -> None:
    with pytest.raises(ZeroDivisionError), store.write(db):
        inbox.received(db, sim.box, Delivered(CALLER, "STOP", NOW), "SIM", NOW)
        raise ZeroDivisionError
    assert texts(db) == [] and not optouts.has(db, CALLER)
    assert sim.came(Delivered(CALLER, "STOP", NOW)) is not None
    assert optouts.has(db, CALLER)


def test_a_stop_in_segments_counts_once_it_is_whole(sim: Sim, db: sqlite3.Connection) -> None:
    sim.came(part(1, 2, "ST"))
    assert not optouts.has(db, CALLER)
    sim.came(part(2, 2, "OP"))
    assert optouts.has(db, CALLER)


def test_what_was_joined_a_month_ago_is_remembered_no_longer(sim: Sim, db: sqlite3.Connection) -> None:
    for place in (1, 2):
        sim.came(part(place, 2, f"<{place}>"))
    sim.came(part(1, 2, "torn", NOW + 30 * DAY), NOW + 30 * DAY)
    inbox.attend(db, sim.box, NOW + 31 * DAY)
    assert db.execute("SELECT count(*) FROM long_text").fetchone()[0] == 1
    assert texts(db) == ["<1><2>", "torn[…]"]
