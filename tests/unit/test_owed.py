"""Who is owed a call, and what closes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.calls import owed
from appliance.store import db as store

NOW = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)
HALIMA, HER_SHOP, PIET = "+4915123456701", "+4930901820", "+4915123456702"
CARD = "00000000-0000-7000-8000-000000000001"


class Shop:
    """A store and the words of the trade; `at` is minutes before noon."""

    def __init__(self, folder: Path) -> None:
        self.db = store.connect(folder / "store.db")
        store.migrate(self.db)
        self._calls = 0

    def call(self, number: str | None, minutes_ago: int, outcome: str | None, direction: str = "in",
             is_answered: bool = False) -> None:
        self._calls += 1
        at = store.iso(NOW - timedelta(minutes=minutes_ago))
        self.db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, answered_at,
                              ended_at, outcome, is_clock_set)
            VALUES ('box1', 1, ?, ?, ?, ?, 'allowed', ?, ?, ?, ?, 1)""",
            (str(self._calls), direction, number or "", number, at, at if is_answered else None,
             at if outcome else None, outcome))

    def text(self, number: str, minutes_ago: int, *, priority: int = 5, state: str = "sent", automatic: int = 0,
             direction: str = "out") -> None:
        at = store.iso(NOW - timedelta(minutes=minutes_ago))
        self.db.execute("""
            INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at, priority, is_automatic)
            VALUES (?, ?, 'Hello', ?, ?, ?, ?, ?, ?)""", (direction, number, state, at, at, at, priority, automatic))

    def card(self, name: str, *numbers: str, is_blocked: int = 0) -> None:
        self.db.execute("INSERT INTO contact (id, name, is_blocked, created_at, updated_at) VALUES (?, ?, ?, '', '')",
                        (CARD, name, is_blocked))
        self.db.executemany("INSERT INTO contact_number (number, contact_id) VALUES (?, ?)",
                            [(number, CARD) for number in numbers])

    def owed(self) -> list[tuple[str, int]]:
        found = owed.owed(self.db, NOW - owed.OWED_FOR)
        assert owed.count(self.db, NOW - owed.OWED_FOR) == len(found)
        return [(caller.number, caller.times) for caller in found]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_caller_is_one_item_however_often_he_rang(shop: Shop) -> None:
    for minutes in (50, 40, 30):
        shop.call(HALIMA, minutes, "missed")
    shop.call(PIET, 35, "abandoned")
    assert shop.owed() == [(HALIMA, 3), (PIET, 1)]


def test_one_person_with_two_numbers_is_one_item(shop: Shop) -> None:
    shop.card("Halima Yusuf", HALIMA, HER_SHOP)
    shop.call(HALIMA, 50, "missed")
    shop.call(HER_SHOP, 40, "busy")
    assert shop.owed() == [(HER_SHOP, 2)]
    assert owed.owed(shop.db, NOW - owed.OWED_FOR)[0].name == "Halima Yusuf"


@pytest.mark.parametrize("direction", ["in", "out"])
def test_an_answered_call_either_way_closes_it(shop: Shop, direction: str) -> None:
    shop.call(HALIMA, 50, "missed")
    shop.call(HALIMA, 40, "answered", direction, is_answered=True)
    assert shop.owed() == []


def test_the_call_that_closes_it_may_come_from_their_other_number(shop: Shop) -> None:
    shop.card("Halima Yusuf", HALIMA, HER_SHOP)
    shop.call(HALIMA, 50, "missed")
    shop.call(HER_SHOP, 40, "answered", is_answered=True)
    assert shop.owed() == []


def test_a_call_that_is_talking_now_closes_it_and_one_that_rings_does_not(shop: Shop) -> None:
    shop.call(HALIMA, 50, "missed")
    shop.call(HALIMA, 0, None)
    assert shop.owed() == [(HALIMA, 1)]
    shop.call(HALIMA, 0, None, is_answered=True)
    assert shop.owed() == []


def test_a_call_of_ours_that_nobody_took_closes_nothing(shop: Shop) -> None:
    shop.call(HALIMA, 50, "missed")
    shop.call(HALIMA, 40, "missed", "out")
    assert shop.owed() == [(HALIMA, 1)]


def test_only_tries_after_the_last_talk_count(shop: Shop) -> None:
    shop.call(HALIMA, 50, "missed")
    shop.call(HALIMA, 40, "answered", is_answered=True)
    shop.call(HALIMA, 30, "missed")
    assert shop.owed() == [(HALIMA, 1)]


def test_a_text_by_one_of_us_closes_it(shop: Shop) -> None:
    shop.call(HALIMA, 50, "missed")
    shop.text(HALIMA, 45)
    assert shop.owed() == []


@pytest.mark.parametrize(
    "text",
    [
        {"automatic": 1, "priority": 0},
        {"state": "failed"},
        {"state": "cancelled"},
        {"priority": 9},
        {"direction": "in", "state": "received"},
    ],
    ids=["by a rule", "not sent", "called off", "a group text", "theirs"],
)
def test_no_other_text_closes_it(shop: Shop, text: dict[str, object]) -> None:
    shop.call(HALIMA, 50, "missed")
    shop.text(HALIMA, 45, **text)  # type: ignore[arg-type]
    assert shop.owed() == [(HALIMA, 1)]


def test_a_hand_closes_it_until_they_ring_again(shop: Shop) -> None:
    shop.card("Halima Yusuf", HALIMA, HER_SHOP)
    shop.call(HALIMA, 50, "missed")
    shop.call(HER_SHOP, 45, "missed")
    with store.write(shop.db) as db:
        owed.settle(db, HER_SHOP, "Amy", NOW - timedelta(minutes=20))
    assert shop.owed() == []
    shop.call(HALIMA, 10, "missed")
    assert shop.owed() == [(HALIMA, 1)]


def test_what_a_hand_closed_is_undone_to_what_stood_there_before(shop: Shop) -> None:
    shop.call(HALIMA, 50, "missed")
    with store.write(shop.db) as db:
        first = owed.settle(db, HALIMA, "Ben", NOW - timedelta(minutes=45))
    shop.call(HALIMA, 40, "missed")
    with store.write(shop.db) as db:
        second = owed.settle(db, HALIMA, "Amy", NOW)
    assert shop.owed() == []
    with store.write(shop.db) as db:
        owed.take_back(db, second, NOW)
    assert shop.owed() == [(HALIMA, 1)]
    assert shop.db.execute("SELECT by_user FROM settled").fetchone()[0] == "Ben"
    with store.write(shop.db) as db:
        owed.take_back(db, first, NOW)
    assert shop.owed() == [(HALIMA, 2)] and not shop.db.execute("SELECT 1 FROM settled").fetchone()


def test_the_desks_are_told_when_a_hand_closes_one(shop: Shop) -> None:
    shop.call(HALIMA, 50, "missed")
    with store.write(shop.db) as db:
        owed.settle(db, HALIMA, "Amy", NOW)
    assert shop.db.execute("SELECT kind FROM event").fetchone()[0] == "text"


def test_who_is_blocked_hid_the_number_or_rang_long_ago_is_owed_nothing(shop: Shop) -> None:
    shop.card("Sold us ads twice", PIET, is_blocked=1)
    shop.call(PIET, 50, "missed")
    shop.call(None, 40, "missed")
    shop.call(HALIMA, 8 * 24 * 60, "missed")
    assert shop.owed() == []


def test_the_question_walks_indexes_only(shop: Shop) -> None:
    plan = shop.db.execute(f"EXPLAIN QUERY PLAN {owed.OPEN} SELECT count(DISTINCT person) FROM open",
                           {"since": store.iso(NOW), "personal": 5}).fetchall()
    scans = [row["detail"] for row in plan if row["detail"].startswith("SCAN")]
    assert not any(scan.split()[1] in ("call", "sms", "contact", "contact_number", "settled") for scan in scans), scans
