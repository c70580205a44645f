"""When a campaign is due: shop time in three zones, nights when the clock changes, boxes that were off."""
from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from appliance.box.wallclock import EARLIEST
from appliance.config import Box
from appliance.texts import occurrences, schedule
from appliance.texts.schedule import ScheduleError
from tests.unit.mailing import Mailing, mobile

ZONES = ["Europe/Berlin", "Europe/Moscow", "Australia/Lord_Howe"]
CREATED = datetime(2027, 1, 1, tzinfo=UTC)
NIGHTLY = {"kind": "birthday", "time": "02:15"}     # every day, at a time that changing nights leave out or double
# The four nights of 2027 on which a clock changes: Berlin by an hour, Lord Howe by half of one.
CHANGES = {"Europe/Berlin": [date(2027, 3, 28), date(2027, 10, 31)],
           "Australia/Lord_Howe": [date(2027, 4, 4), date(2027, 10, 3)], "Europe/Moscow": []}


def at(local: str, zone: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))


def dues(plan: Mapping[str, Any], zone: str, days: int = 366) -> list[schedule.Due]:
    return schedule.dues(plan, CREATED, CREATED, CREATED + timedelta(days=days), ZoneInfo(zone))


@pytest.mark.parametrize("zone", ZONES)
def test_each_monday_at_ten_is_ten_on_the_shops_wall_all_year(zone: str) -> None:
    found = dues({"kind": "weekly", "weekday": 0, "time": "10:00"}, zone)
    walls = [due.at.astimezone(ZoneInfo(zone)) for due in found]
    assert len(found) == 52
    assert {(wall.weekday(), wall.hour, wall.minute) for wall in walls} == {(0, 10, 0)}


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_that_a_night_leaves_out_or_doubles_is_due_once(zone: str) -> None:
    found = dues(NIGHTLY, zone)
    walls = {due.at.astimezone(ZoneInfo(zone)).date(): due for due in found}
    assert len(found) == len({due.key for due in found}) == len(walls) == 366
    for night in CHANGES[zone]:
        assert walls[night].key == f"{night}T02:15"
    assert all(earlier.at < later.at for earlier, later in zip(found, found[1:], strict=False))


@pytest.mark.parametrize(("local", "zone", "utc"), [
    ("2027-03-28T02:15", "Europe/Berlin", "2027-03-28T01:15"),          # left out: 03:15 by the new clock
    ("2027-10-31T02:15", "Europe/Berlin", "2027-10-31T00:15"),          # comes twice: the first one
    ("2027-10-03T02:15", "Australia/Lord_Howe", "2027-10-02T15:45"),    # half an hour is left out: 02:45
    ("2027-04-04T01:45", "Australia/Lord_Howe", "2027-04-03T14:45"),    # half an hour comes twice: the first one
    ("2027-03-28T02:15", "Europe/Moscow", "2027-03-27T23:15"),
])
def test_at_a_time_of_a_changing_night(local: str, zone: str, utc: str) -> None:
    due = schedule.following({"kind": "at", "at": local}, CREATED, CREATED, ZoneInfo(zone))
    assert due is not None and due.at == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_span_ends_with_what_is_due_at_its_end_and_begins_after_its_start() -> None:
    plan, zone = {"kind": "weekly", "weekday": 0, "time": "10:00"}, ZoneInfo("Europe/Berlin")
    first, second = dues(plan, "Europe/Berlin")[:2]
    assert schedule.dues(plan, CREATED, first.at, second.at, zone) == [second]


def test_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    found = dues({"kind": "monthly", "day": 31, "time": "10:00"}, "Europe/Berlin")
    assert [due.key[5:10] for due in found] == ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31",
                                                "09-30", "10-31", "11-30", "12-31"]


@pytest.mark.parametrize(("birthday", "day", "is_it"), [
    ("1990-11-23", date(2026, 11, 23), True), ("--11-23", date(2026, 11, 23), True),
    ("1990-11-23", date(2026, 11, 24), False), ("1992-02-29", date(2027, 2, 28), True),
    ("1992-02-29", date(2028, 2, 28), False), ("1992-02-29", date(2028, 2, 29), True),
    ("--02-29", date(2027, 3, 1), False), ("--02-29", date(2100, 2, 28), True),
])
def test_whose_birthday_it_is(birthday: str, day: date, is_it: bool) -> None:
    assert schedule.is_birthday(birthday, day) is is_it


def test_29_february_is_said_where_the_schedule_is_read() -> None:
    assert "29 February get it on the 28th" in schedule.words({"kind": "birthday", "time": "10:00"})


@pytest.mark.parametrize(("plan", "words"), [
    ({"kind": "at", "at": "2026-12-31T23:59"}, "is past"), ({"kind": "at", "at": "tomorrow"}, "2026-11-28T10:00"),
    ({"kind": "at", "at": "2027-06-01T10:00+02:00"}, "without a zone"), ({"kind": "at"}, "no day and time"),
    ({"kind": "weekly", "weekday": "mon", "time": "10:00"}, "0 is Monday"),
    ({"kind": "weekly", "weekday": 0, "time": "25:00"}, "Write it as 10:00"),
    ({"kind": "monthly", "day": 0, "time": "10:00"}, "1 to 31"), ({"kind": "after", "delay_min": 0}, "minutes"),
    ({"kind": "weekly", "weekday": 0, "time": "10:00", "until": "2026-01-01"}, "comes before the first time"),
    ({}, "no schedule None"),
], ids=str)
def test_a_time_that_is_none_is_refused_in_a_sentence(plan: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        schedule.checked(plan, ZoneInfo("Europe/Berlin"), CREATED)


@pytest.mark.parametrize("plan", [
    {"kind": "now"}, {"kind": "after", "delay_min": 5}, {"kind": "at", "at": "2027-05-01T10:00"},
    {"kind": "weekly", "weekday": 6, "time": "10:00", "until": "2027-12-01"},
    {"kind": "monthly", "day": 31, "time": "09:00"},
    {"kind": "birthday", "time": "10:00"}], ids=str)
def test_a_good_one_is_kept_as_it_is_and_said_in_words(plan: Mapping[str, Any]) -> None:
    assert schedule.checked(plan, ZoneInfo("Europe/Berlin"), CREATED) == plan
    assert schedule.words(plan)


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Mailing:
    made = Mailing(db, box)
    made.sim(pace_s=0, hourly=0, daily=0)
    made.set("broadcast_until", "09:00")     # the same as broadcast_from: at any hour
    made.people(1)
    return made


def in_zone(office: Mailing, zone: str) -> Mailing:
    office.box = replace(office.box, time_zone=zone)
    return office


def test_what_was_due_while_the_box_was_off_goes_late_within_the_limit(office: Mailing) -> None:
    office.start(schedule={"kind": "weekly", "weekday": 0, "time": "11:00"}, late_limit_min=120)
    office.pass_(hours=2, minutes=59)
    assert office.sends(3) == [mobile(0)]
    assert office.occurrences() == [("2026-11-23T11:00", "done"), ("2026-11-30T11:00", "waiting")]


def test_too_late_it_is_marked_missed_and_the_next_week_goes(office: Mailing) -> None:
    one = office.start(schedule={"kind": "weekly", "weekday": 0, "time": "11:00"}, late_limit_min=120)
    office.pass_(hours=3, minutes=1)
    assert office.sends(3) == []
    assert office.state(one) == ("scheduled", "The box was off then, or did not know the time. "
                                              "It would have gone more than 120 min late.")
    office.pass_(days=7, hours=-2)
    assert office.sends(3) == [mobile(0)]
    assert [state for _, state in office.occurrences()] == ["missed", "done", "waiting"]


def test_off_for_a_month_each_missed_week_is_there_and_nobody_gets_five_texts(office: Mailing) -> None:
    office.start(schedule={"kind": "weekly", "weekday": 0, "time": "11:00"})
    office.pass_(days=30)
    assert office.sends(3) == []
    assert [state for _, state in office.occurrences()] == ["missed"] * 5 + ["waiting"]


def test_a_single_time_that_was_missed_is_over(office: Mailing) -> None:
    one = office.start(schedule={"kind": "at", "at": "2026-11-23T12:00"})
    office.pass_(days=2)
    office.tick()
    assert (office.state(one)[0], office.occurrences()) == ("done", [("2026-11-23T12:00", "missed")])


def test_paused_over_its_time_it_is_missed_and_not_sent_on_resuming(office: Mailing) -> None:
    one = office.start(schedule={"kind": "at", "at": "2026-11-23T12:00"})
    occurrences.campaigns.pause(office.db, one, office.now)
    office.pass_(days=2)
    office.tick()
    occurrences.campaigns.resume(office.db, one, office.now)
    assert office.sends(3) == []
    assert (office.state(one)[0], office.occurrences()) == ("done", [("2026-11-23T12:00", "missed")])


def test_a_clock_that_starts_in_1970_and_jumps_sends_nothing_early_and_nothing_twice(office: Mailing) -> None:
    one = office.start(schedule={"kind": "weekly", "weekday": 0, "time": "11:00"})
    right = office.now
    for wrong in (datetime(1970, 1, 1, tzinfo=UTC), EARLIEST - timedelta(seconds=10)):
        office.now = wrong
        assert office.sends(3) == []
        assert "does not know the date" in str(office.state(one)[1])
    office.now = right + timedelta(hours=1)
    assert office.sends(3) == [mobile(0)]
    office.now = datetime(1970, 1, 1, tzinfo=UTC)
    assert office.sends(3) == []
    for hours in (1, 2, 0.5, 3):
        office.now = right + timedelta(hours=hours)
        assert office.sends(3) == []
    assert office.texted() == [mobile(0)]


def test_a_clock_that_nobody_vouches_for_sends_nothing(office: Mailing) -> None:
    one = office.start()
    assert office.tick(is_clock_set=False) == 0
    assert "does not know the date" in str(office.state(one)[1])
    assert office.sends(3) == [mobile(0)]
    assert office.state(one) == ("done", None)


def test_a_clock_that_ran_ahead_and_was_put_right_misses_nothing(office: Mailing) -> None:
    office.start(schedule={"kind": "weekly", "weekday": 0, "time": "11:00"})
    right = office.now
    office.now = right + timedelta(days=100)
    office.tick()
    office.now = right + timedelta(hours=1, minutes=1)
    assert office.sends(3) == [mobile(0)]


def test_nothing_can_be_planned_in_1970(office: Mailing) -> None:
    office.now = datetime(1970, 1, 1, 12, tzinfo=UTC)
    with pytest.raises(occurrences.campaigns.CampaignError, match="does not know the date"):
        office.start()


def test_on_ones_birthday_only_they_get_it(office: Mailing) -> None:
    office.contact("Born Today", mobile(5), "Riders", birthday="1990-11-24")
    office.contact("Born Then", mobile(6), "Riders", birthday="--11-26")
    office.start("Happy birthday, {first_name}!", schedule={"kind": "birthday", "time": "10:00"})
    office.pass_(days=1, minutes=1)
    assert office.sends(3) == [mobile(5)]
    office.pass_(days=1)
    assert office.sends(3) == []
    office.pass_(days=1)
    assert office.sends(3) == [mobile(6)]
    assert office.db.execute("SELECT text FROM sms").fetchone()[0] == "Happy birthday, Born!"


def test_the_zone_of_the_shop_may_change_and_what_waits_moves_with_it(office: Mailing) -> None:
    office.start(schedule={"kind": "at", "at": "2026-11-23T15:00"})
    in_zone(office, "Europe/Moscow")
    office.pass_(hours=3)                                       # 12:00 UTC is 15:00 in Moscow
    assert office.sends(3) == [mobile(0)]
