"""Days that differ from the week, and the box as the office chose it."""
from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance import calendar_file, chosen, config, holidays, hours, settings
from appliance.config import Box, ConfigError
from appliance.hours import HoursError
from appliance.store import db as store

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = "Mon-Fri 09:00-18:00, Sat 22:00-02:00"
DAYS = "2026-12-24 09:00-13:00 Christmas Eve\n--12-25..--12-26 closed Christmas\n2026-12-27 20:00-03:00 Gala"


@pytest.mark.parametrize(("at", "opened"), [
    ("2026-12-23T15:00", True), ("2026-12-24T12:59", True), ("2026-12-24T13:00", False), ("2026-12-25T10:00", False),
    ("2030-12-26T10:00", False), ("2026-12-27T19:59", False), ("2026-12-27T23:00", True), ("2026-12-28T02:59", True),
    ("2026-12-28T03:00", False), ("2026-12-28T09:00", True), ("2026-12-26T23:00", False), ("2026-12-27T01:00", False),
    ("2026-12-19T23:00", True), ("2026-12-20T01:59", True)])
def test_a_special_day_goes_before_the_week(at: str, opened: bool) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=BERLIN)
    assert hours.is_open(WEEK, moment, "", holidays.special(DAYS)) is opened


def test_a_shop_without_hours_is_closed_on_its_holidays_only() -> None:
    noon = datetime(2026, 12, 25, 12, tzinfo=BERLIN)
    assert not hours.is_open("", noon, "", holidays.special(DAYS))
    assert hours.is_open("", noon + timedelta(days=5), "", holidays.special(DAYS))
    assert hours.is_open("", noon.replace(hour=0) + timedelta(days=5), "", holidays.special(DAYS))


def test_of_two_that_hold_a_day_the_one_of_that_very_year_counts() -> None:
    both = "--12-24 closed\n2026-12-24 09:00-13:00 Short"
    found = holidays.on(both, date(2026, 12, 24))
    assert found and found.name == "Short"
    assert holidays.on(both, date(2027, 12, 24)).spans == ()      # type: ignore[union-attr]


def test_the_29th_of_february_comes_in_its_years() -> None:
    assert holidays.on("--02-29 closed Leap", date(2028, 2, 29))
    assert not holidays.on("--02-29 closed Leap", date(2027, 2, 28))


@pytest.mark.parametrize("line", [
    "2026-12-25 closed Christmas", "--05-01 closed", "2026-12-24..2026-12-26 09:00-13:00 14:00-18:00 Sale"])
def test_a_day_is_written_as_it_is_read(line: str) -> None:
    assert holidays.write(list(holidays.parse(line))) == line


@pytest.mark.parametrize("line", [
    "Christmas", "2026-02-30 closed", "2026-12-27..2026-12-25 closed", "2026-1-1 closed", "--12-30..--01-02 closed",
    "2026-01-01..2028-01-01 closed", "2026-12-24 25:00-26:00", "2026-12-24..--12-25 closed"])
def test_a_day_that_makes_no_sense_is_refused_in_words(line: str) -> None:
    with pytest.raises(HoursError):
        holidays.parse(line)


@pytest.mark.parametrize("content", [b"", b"%PDF", b"BEGIN:VCARD\nEND:VCARD", b"\xff\xfe\x00", b"x" * 2_000_000])
def test_what_is_no_calendar_is_refused(content: bytes) -> None:
    with pytest.raises(HoursError):
        calendar_file.read(content, date(2026, 1, 1))


def test_a_calendar_that_moves_its_days_is_taken_by_their_dates() -> None:
    ics = ("BEGIN:VCALENDAR\n" + "".join(
        f"BEGIN:VEVENT\nDTSTART;VALUE=DATE:{start}\n{rule}SUMMARY:{name}\nEND:VEVENT\n" for start, rule, name in (
            ("20270326", "", "Good Friday"), ("20261126", "RRULE:FREQ=YEARLY;BYDAY=4TH\n", "Thanksgiving"),
            ("20010101", "RRULE:FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1\n", "New Year"), ("garbage", "", "x"),
            ("20260101", "", "Over")))) + "END:VCALENDAR"
    found = holidays.write(calendar_file.read(ics.encode(), date(2026, 11, 1)))
    assert found == "--01-01 closed New Year\n2026-11-26 closed Thanksgiving\n2027-03-26 closed Good Friday"


CHOICE = {"country": "CN", "time_zone": "Asia/Shanghai", "language": "zh", "own_numbers": "010 6552 9988",
          "line_names": "line1=Front", "extension_names": "101=Till\n999=Nobody"}


def choose(db: sqlite3.Connection, **values: str) -> None:
    with store.write(db):
        for key, value in values.items():
            settings.put(db, key, value)


def test_the_offices_choice_stands_over_box_toml(box: Box, db: sqlite3.Connection) -> None:
    choose(db, **CHOICE)
    now = chosen.over(box, chosen.read(db))
    assert (now.country, now.time_zone, now.language) == ("CN", "Asia/Shanghai", "zh")
    assert now.own_numbers == ("+861065529988",)
    assert (now.trunks[0].name, now.extensions[0].name, now.extensions[1].name) == ("Front", "Till", "Workshop")
    assert replace(now, country=box.country, time_zone=box.time_zone, language=box.language,
                   own_numbers=box.own_numbers, trunks=box.trunks, extensions=box.extensions) == box


@pytest.mark.parametrize(("key", "value"), [
    ("country", "Mars"), ("time_zone", "Mars/Base"), ("time_zone", "../../etc/passwd"), ("own_numbers", "pizza")])
def test_a_choice_that_cannot_be_used_stops_no_call(box: Box, db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT INTO setting VALUES (?, json_quote(?))", (key, value))
    assert chosen.over(box, chosen.read(db)) == box


def test_every_daemon_loads_the_box_as_it_was_chosen(box: Box, db: sqlite3.Connection, tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text(f'state = "{box.state}"\n')
    assert config.load(file).country == "DE"
    choose(db, country="AT", time_zone="Europe/Vienna")
    assert (config.load(file).country, config.load(file).time_zone) == ("AT", "Europe/Vienna")
    assert config.read(file).country == "DE", "what the installer wrote is still known"


@pytest.mark.parametrize("broken", [b"", b"no database", None])
def test_a_store_that_is_not_there_or_broken_leaves_box_toml(tmp_path: Path, broken: bytes | None) -> None:
    if broken is not None:
        (tmp_path / "office.db").write_bytes(broken)
    assert chosen.look(tmp_path / "office.db") == {}
    assert broken is not None or not (tmp_path / "office.db").exists(), "looking makes no store"
    with pytest.raises(ConfigError):
        config.load(tmp_path / "missing.toml")


def test_a_daemon_is_told_to_begin_anew_when_the_office_chose_anew(box: Box, db: sqlite3.Connection) -> None:
    stop = threading.Event()
    watch = chosen.Watch(box.store, stop, every_s=0.01)
    choose(db, ring_s=20)       # type: ignore[arg-type]
    assert not stop.wait(0.2), "any other setting is read where it is used"
    choose(db, time_zone="Asia/Shanghai")
    assert stop.wait(10) and watch.is_changed
    watch.join(5)


def test_a_daemon_that_is_stopped_does_not_begin_anew(box: Box, db: sqlite3.Connection) -> None:
    stop = threading.Event()
    watch = chosen.Watch(box.store, stop, every_s=0.01)
    stop.set()
    watch.join(5)
    assert not watch.is_alive() and not watch.is_changed
