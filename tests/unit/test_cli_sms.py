"""`deskbell sms`: a text by hand, and what became of the last ones."""
from __future__ import annotations

import json
import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import cli
from appliance.config import Box
from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import outbox

MOBILE = "0170 1234567"


@pytest.fixture
def office(box: Box, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """The store of the box that the command line finds."""
    file = tmp_path / "box.toml"
    file.write_text(f'state = "{box.state}"\n')
    monkeypatch.setenv("DESKBELL_CONFIG", str(file))
    return db


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def radio(db: sqlite3.Connection, is_taken: bool) -> None:
    """Plays the modem's part on a connection of its own: takes the first text that waits, or refuses it."""
    own = store.connect(db.execute("PRAGMA database_list").fetchone()["file"])
    until = time.monotonic() + 10
    while (due := outbox.next_due(own, "SIM", datetime.now(UTC))) is None:
        assert time.monotonic() < until, "no text came to the outbox"
        store.wait_for_change(own, store.data_version(own), 0.05)
    with store.write(own):
        assert outbox.mark_sending(own, due, "SIM", datetime.now(UTC))
        if is_taken:
            outbox.accepted(own, due, 7, datetime.now(UTC))
        else:
            outbox.refused(own, due, "no such number (CMS 1).", 1, False, datetime.now(UTC))
    own.close()


def test_a_text_by_hand_waits_for_the_radio(office: sqlite3.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sms", "send", MOBILE, "Your", "shoes", "are ready.") == (
        0, "Text 1 to 0170 1234567 (1 segment): queued.\n", "")
    row = office.execute("SELECT number, text, rule, priority FROM sms").fetchone()
    assert tuple(row) == ("+491701234567", "Your shoes are ready.", None, 5)


@pytest.mark.parametrize(("is_taken", "code", "said"), [
    (True, 0, "Text 1 to 0170 1234567 (1 segment): sent.\n"),
    (False, 1, "Text 1 to 0170 1234567 (1 segment): failed. No such number (CMS 1).\n"),
])
def test_it_waits_for_the_networks_word_when_asked_to(
        office: sqlite3.Connection, capsys: pytest.CaptureFixture[str], is_taken: bool, code: int, said: str) -> None:
    modem = threading.Thread(target=radio, args=(office, is_taken))
    modem.start()
    assert run(capsys, "sms", "send", MOBILE, "hi", "--wait", "10") == (code, said, "")
    modem.join(10)


def test_without_a_modem_it_says_that_the_text_waits_and_ends_with_1(
        office: sqlite3.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "sms", "send", MOBILE, "hi", "--wait", "0.05")
    assert (code, out) == (1, "Text 1 to 0170 1234567 (1 segment): queued.\n")


@pytest.mark.parametrize(("number", "text", "sentence"), [
    ("030 123456", "hi", "deskbell: 030 123456 is no mobile: it cannot take texts."),
    ("anna", "hi", "deskbell: 'anna' takes no answer: it is no telephone number."),
    (MOBILE, "", "deskbell: There is nothing to send: the text is empty."),
])
def test_what_cannot_be_sent_is_refused_in_words_and_not_kept(
        office: sqlite3.Connection, capsys: pytest.CaptureFixture[str], number: str, text: str, sentence: str) -> None:
    code, out, err = run(capsys, "sms", "send", number, text)
    assert (code, out, err.strip()) == (2, "", sentence)
    assert office.execute("SELECT count(*) FROM sms").fetchone()[0] == 0


def test_the_list_shows_the_latest_first_with_names_and_reasons(
        office: sqlite3.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sms", "list") == (0, "No texts yet.\n", "")
    with store.write(office):
        contacts.add(office, "Anna Roth", [MOBILE], "DE", datetime.now(UTC))
    run(capsys, "sms", "send", MOBILE, "x" * 100)
    run(capsys, "sms", "send", "0170 9999999", "two\nlines")
    office.execute("UPDATE sms SET state = 'failed', reason = 'No such number (CMS 1).' WHERE id = 2")
    _, out, _ = run(capsys, "sms", "list")
    first, reason, second = out.splitlines()
    assert "out failed" in first and first.endswith("0170 9999999         two lines")
    assert reason.strip() == "No such number (CMS 1)."
    assert "Anna Roth" in second and second.endswith("x" * 59 + "…")
    assert len(run(capsys, "sms", "list", "--show", "failed")[1].splitlines()) == 2
    assert run(capsys, "sms", "list", "--show", "unknown")[1] == "No such texts.\n"
    rows = [json.loads(line) for line in run(capsys, "sms", "list", "--json", "--limit", "1")[1].splitlines()]
    assert [(row["id"], row["text"], row["state"]) for row in rows] == [(2, "two\nlines", "failed")]
