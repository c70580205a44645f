"""When backups are made, which are kept, what is said of them, and the command line."""
from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from appliance.backup import health, rows
from appliance.backup.rotation import Kept, to_remove
from appliance.backup.worker import due_night
from appliance.config import Box
from appliance.store import db as store
from tests.unit.backing import NOW, Backing


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Iterator[Backing]:
    made = Backing(db, box)
    made.fill()
    yield made
    made.close()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("now", "night"), [
    ("2026-11-21T01:14:59", None), ("2026-11-21T01:15:00", date(2026, 11, 21)),
    ("2026-11-21T22:59:00", date(2026, 11, 21)), ("2026-11-21T23:01:00", None),
    ("2026-03-29T01:14:00", None), ("2026-03-29T01:15:00", date(2026, 3, 29)),     # 02:15 does not exist that night
    ("2026-10-25T00:14:00", None), ("2026-10-25T00:15:00", date(2026, 10, 25)),    # and is there twice this one
    ("2026-10-25T01:15:00", date(2026, 10, 25)),
])
def test_a_night_is_due_once_the_shops_clock_has_shown_its_hour(box: Box, now: str, night: date | None) -> None:
    assert due_night("02:15", at(now), box) == night


@pytest.mark.parametrize(("zone", "first", "days"), [
    ("Europe/Berlin", "2026-10-23T00:00:00", 5), ("Europe/Berlin", "2026-03-27T00:00:00", 5),
    ("Australia/Lord_Howe", "2026-04-03T00:00:00", 5), ("Europe/Moscow", "2026-10-23T00:00:00", 5)])
def test_each_night_has_one_row_however_often_the_clock_looks(db: sqlite3.Connection, box: Box, zone: str, first: str,
                                                             days: int) -> None:
    made = Backing(db, replace(box, time_zone=zone))
    from appliance.backup.worker import ask_nightly
    now = at(first)
    for _ in range(days * 24 * 6):
        ask_nightly(db, made.box, now)
        now += timedelta(minutes=10)
    nights = [row["night"] for row in db.execute("SELECT night FROM backup ORDER BY night")]
    assert len(nights) == len(set(nights)) and days <= len(nights) <= days + 1
    made.close()


def test_a_box_that_was_off_makes_it_when_it_is_back_and_only_the_last(office: Backing) -> None:
    office.serve(at_night=True)
    office.later(days=5)
    office.serve(at_night=True)
    office.serve(at_night=True)
    nights = office.db.execute("SELECT night, state FROM backup ORDER BY id").fetchall()
    assert [tuple(row) for row in nights] == [("2026-11-21", "proven"), ("2026-11-26", "proven")]


def test_while_nobody_vouches_for_the_time_no_night_begins(office: Backing) -> None:
    office.serve(at_night=False)
    assert office.count("backup") == 0


def kept(*days_ago: float, kind: str = "none") -> list[Kept]:
    return [Kept(number, NOW - timedelta(days=ago), kind) for number, ago in enumerate(days_ago, 1)]


def test_seven_days_four_weeks_and_twelve_months_are_kept(box: Box) -> None:
    year = kept(*range(400))
    gone = set(to_remove(year, 7, 4, 12, box.zone))
    stay = [one for one in year if one.id not in gone]
    assert [round((NOW - one.taken_at).days) for one in stay[:7]] == list(range(7))
    assert 19 <= len(stay) <= 7 + 4 + 12, "some are both the last of a week and of a month"
    assert len({(one.taken_at.year, one.taken_at.month) for one in stay}) == 12


def test_the_last_proven_one_is_never_removed(box: Box) -> None:
    assert to_remove(kept(90), 1, 0, 0, box.zone) == []
    assert to_remove(kept(0, 1, 2), 1, 0, 0, box.zone) == [2, 3]


def test_one_without_recordings_does_not_push_out_one_with_them(box: Box) -> None:
    mixed = [*kept(0, 1), *[replace(one, id=one.id + 10) for one in kept(0.5, kind="all")]]
    assert to_remove(mixed, 1, 0, 0, box.zone) == [2]


def test_older_ones_are_taken_away_from_the_place(office: Backing) -> None:
    with store.write(office.db):
        rows.set_place(office.db, 1, "Amy", office.now, daily=2, weekly=0, monthly=0)
    for _ in range(4):
        office.back_up()
        office.later(days=1)
    assert len(list((office.box.state / "backups").glob("deskbell-*"))) == 2
    assert [one.state for one in rows.backups(office.db)] == ["proven", "proven"]


def told(office: Backing) -> list[str]:
    return list(health.findings(office.db, office.box, office.now))


def test_no_proven_backup_for_two_days_is_said(office: Backing) -> None:
    assert told(office) == []
    office.later(days=3)
    assert told(office) == ["There is no proven backup yet. Calls go on. Open Backups and press Back up now."]
    office.back_up()
    assert told(office) == []
    office.later(days=3)
    assert told(office)[0].startswith("The last proven backup is 3 days old.")


def test_a_place_that_is_gone_is_said_until_it_is_back(office: Backing) -> None:
    office.back_up()
    with store.write(office.db):
        stick = rows.add_place(office.db, "Amy", office.now, "usb", "Stick", "KINGFISHER")
    office.serve()
    assert told(office) == ["Backups do not reach Stick. Stick is not plugged in. Plug it in and press Try."]
    with store.write(office.db):
        rows.set_place(office.db, stick, "Amy", office.now, is_nightly=0)
    assert told(office) == []


def deskbell(box: Box, tmp_path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "box.toml").write_text(f"state = \"{box.state}\"\nspool = \"{box.spool}\"\nrun = \"{box.run}\"\n"
                                       f"secrets = \"{box.secrets}\"\nasterisk = \"{box.asterisk}\"\n")
    return subprocess.run([sys.executable, "-m", "appliance.cli", *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "DESKBELL_CONFIG": str(tmp_path / "box.toml"), **environment})


@pytest.mark.deep
def test_the_command_line_makes_lists_proves_and_restores(office: Backing, tmp_path: Path) -> None:
    office.close()
    passed = {"DESKBELL_PASSPHRASE": "larkspur kettle orange bridge"}
    assert "is kept" in deskbell(office.box, tmp_path, "backup", "passphrase", **passed).stdout
    made = deskbell(office.box, tmp_path, "backup", "now", "--recordings", "all")
    assert made.returncode == 0 and "proven" in made.stdout, made.stderr
    assert ".tar.zst.age" in deskbell(office.box, tmp_path, "backup", "list").stdout
    assert deskbell(office.box, tmp_path, "backup", "prove", "1").returncode == 0
    office.call()
    seen = deskbell(office.box, tmp_path, "backup", "restore", "1", **passed)
    assert "calls: 4 now, 3 in the backup" in seen.stdout and "Nothing was changed." in seen.stdout, seen.stderr
    assert office.count("call") == 4
    wrong = deskbell(office.box, tmp_path, "backup", "restore", "1", "--yes", DESKBELL_PASSPHRASE="another one is it")
    assert wrong.returncode == 1 and "The passphrase does not open it." in wrong.stderr
    done = deskbell(office.box, tmp_path, "backup", "restore", "1", "--yes", **passed)
    assert done.returncode == 0 and "Restored." in done.stdout, done.stderr
    assert office.count("call") == 3
    file = str(office.file(rows.backups(office.db)[-1]))
    assert deskbell(office.box, tmp_path, "backup", "restore", file, **passed).returncode == 0
    office.worker = office.another_worker()


@pytest.mark.parametrize(("words", "said"), [
    (("restore", "99"), "There is no such backup."), (("prove", "99"), "This one cannot be proved"),
    (("now", "--place", "Moon"), "There is no place called Moon."), (("restore", "/no/such/file"), "cannot be read")])
def test_what_the_command_line_cannot_do_is_a_sentence(office: Backing, tmp_path: Path, words: tuple[str, ...],
                                                       said: str) -> None:
    told = deskbell(office.box, tmp_path, "backup", *words)
    assert told.returncode == 2 and said in told.stderr and "Traceback" not in told.stderr
