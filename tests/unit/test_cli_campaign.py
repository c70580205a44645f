"""`deskbell campaign …`: the campaigns without a browser."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import cli
from appliance.config import Box
from appliance.texts import occurrences
from tests.unit.mailing import Mailing, mobile

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Mailing:
    made = Mailing(db, box)
    made.now = datetime.now(UTC)
    made.people(2)
    made.contact("Lou", "+498912345678", "Riders")
    return made


@pytest.fixture
def deskbell(office: Mailing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str]) -> Said:
    """(exit code, what was said) of `deskbell campaign WORD…`."""
    config = tmp_path / "box.toml"
    config.write_text(f'state = "{office.box.state}"\n[[modem]]\nname = "SIM"\nport = "/dev/null"\n')
    monkeypatch.setenv("DESKBELL_CONFIG", str(config))

    def said(*words: str) -> tuple[int, str]:
        code = cli.main(["campaign", *words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return said


def started(deskbell: Said, office: Mailing, *more: str) -> str:
    words = ("Winter", "Hello {name}", "--group", "riders", *more)
    seen = deskbell("preview", *words)[1].split()[-1]
    said = deskbell("start", *words, "--confirm", seen)[1]
    occurrences.expand_due(office.db, office.box, datetime.now(UTC))
    return said


def test_a_preview_says_who_what_and_why_not_and_sends_nothing(deskbell: Said, office: Mailing) -> None:
    code, said = deskbell("preview", "Winter", "Hello {name}", "--group", "Riders", "--numbers", "0170CALLME")
    assert code == 0 and "2 people, 2 texts" in said and "Rider 0 reads: Hello Rider 0" in said
    assert "not Lou 089 12345678: A landline cannot take texts." in said and "'0170CALLME' holds letters" in said
    assert office.texted() == []


def test_a_campaign_is_started_shown_paused_resumed_and_stopped(deskbell: Said, office: Mailing) -> None:
    assert "Campaign 1 is scheduled: Now." in started(deskbell, office)
    assert len(office.texted()) == 2
    assert "0 of 2 done" in deskbell("show", "1")[1]
    assert deskbell("list")[1].split() == ["1", "running", "0", "of", "2", "Winter"]
    assert [deskbell(verb, "1")[0] for verb in ("pause", "resume", "stop", "resume")] == [0, 0, 0, 2]
    assert "0 go once more." in deskbell("resend", "1")[1]
    assert "2 cancelled" in deskbell("show", "1")[1]


@pytest.mark.parametrize(("words", "answer"), [
    (["show", "9"], "There is no campaign 9."),
    (["show", "9" * 20], "a number is too large"),
    (["preview", "W", "Hi", "--everyone", "--late-limit", "9" * 15], "a year at most"),
    (["preview", "W", "Hi", "--everyone", "--a-day", "9" * 15], "a day's part 1 to 1000000"),
    (["preview", "W", "Hi", "--everyone", "--at", "9999-12-31T23:59"], "is no day and time"),
    (["preview", "W", "Hi", "--everyone", "--at", "0001-01-01T00:00"], "is no day and time"),
    (["preview", "W", "Hi", "--group", "Rders"], "There is no group 'Rders'."),
    (["preview", "W", "Hi {nmae}", "--everyone"], "Did you mean {name}?"),
    (["preview", "W", "Hi", "--everyone", "--at", "2020-01-01T10:00"], "is past"),
    (["preview", "W", "Hi", "--everyone", "--at", "2030-01-01T10:00", "--after", "5"], "Choose one of"),
    (["preview", "W", "Hi", "--everyone", "--weekly", "someday,10:00"], "a day of the week"),
    (["preview", "W", "Hi", "--csv", "/nowhere.csv"], "cannot be read"),
    (["start", "W", "Hi", "--everyone", "--confirm", "x"], "Something changed since you looked"),
])
def test_what_cannot_be_done_is_said_in_one_sentence(deskbell: Said, words: list[str], answer: str) -> None:
    code, said = deskbell(*words)
    assert code == 2 and answer in said and "Traceback" not in said


@pytest.mark.parametrize(("words", "when"), [
    (["--weekly", "Mon,10:00"], "Each Monday at 10:00"), (["--monthly", "31,09:30"], "Each month on the 31. at 09:30"),
    (["--birthdays", "10:00"], "On each one's birthday"), (["--after", "5"], "5 min after"),
    (["--at", "2036-11-28T10:00"], "Friday 28 November 2036 at 10:00"), ([], "Now")])
def test_each_way_to_say_when(deskbell: Said, words: list[str], when: str) -> None:
    assert when in deskbell("preview", "W", "Hi", "--everyone", *words)[1]


def test_a_csv_goes_in_and_the_export_comes_out(deskbell: Said, office: Mailing, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("number;name\n0170 1000007;Jörg\n".encode("cp1252"))
    words = ("W", "Hi {name}", "--csv", str(tmp_path / "list.csv"))
    seen = deskbell("preview", *words)[1]
    assert "Jörg reads: Hi Jörg" in seen
    assert deskbell("start", *words, "--confirm", seen.split()[-1])[0] == 0
    occurrences.expand_due(office.db, office.box, datetime.now(UTC))
    assert office.texted() == [mobile(7)]
    assert f"'{mobile(7)}" in deskbell("export", "1")[1]
