"""What the clock does each second, with the box's own time."""
from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from appliance.box import wallclock
from appliance.box.clock import Clock
from appliance.config import Box
from appliance.store import db as store
from tests.unit.mailing import Mailing, mobile


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Iterator[Mailing]:
    made = Mailing(db, box)
    made.now = datetime.now(UTC)
    made.people(3)
    yield made


def test_each_second_what_is_due_is_queued_once(office: Mailing) -> None:
    office.start()
    clock = Clock(office.box, clock_wait_s=0)
    for _ in range(3):
        clock.each_second()
    assert sorted(office.texted()) == [mobile(place) for place in range(3)]
    assert not clock.is_stuck()


def test_while_nobody_vouches_for_the_time_group_texts_wait_ten_minutes(office: Mailing) -> None:
    one = office.start()
    Clock(office.box).each_second()
    is_vouched_for = wallclock.is_set(datetime.now(UTC))     # depends on the machine this runs on
    assert office.texted() == ([] if not is_vouched_for else [mobile(place) for place in range(3)])
    assert is_vouched_for or "does not know the date" in str(office.state(one)[1])


def test_a_store_that_is_busy_is_said_once_and_tried_again(office: Mailing, caplog: pytest.LogCaptureFixture) -> None:
    office.start()
    clock = Clock(office.box, clock_wait_s=0)
    office.db.execute("ALTER TABLE campaign RENAME TO elsewhere")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.each_second()
    assert len([record for record in caplog.records if "Group texts wait" in record.message]) == 1
    office.db.execute("ALTER TABLE elsewhere RENAME TO campaign")
    clock.each_second()
    assert len(office.texted()) == 3


def test_two_clocks_at_once_queue_each_text_once(office: Mailing) -> None:
    office.start()
    Clock(office.box, clock_wait_s=0).each_second()
    Clock(office.box, clock_wait_s=0).each_second()
    assert len(office.texted()) == 3
    with store.write(office.db), pytest.raises(sqlite3.IntegrityError):
        office.db.execute("""INSERT INTO occurrence (campaign_id, due_key, due_at, state)
                             SELECT campaign_id, due_key, due_at, 'waiting' FROM occurrence""")
