"""`deskbell contact`: found, shown, forgotten from the command line."""
from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from appliance.config import Box
from appliance.people import cards, changes, tombstones
from appliance.people.cards import Wish
from appliance.store import db as store
from tests.unit.test_cli import add_call, office, run

__all__ = ["office"]


@pytest.fixture
def margaret(office: sqlite3.Connection) -> str:
    with store.write(office):
        return cards.save(office, Wish("Margaret Osei", company="Joinery", address="14 Lane\nTown", is_blocked=True,
                                       blocked_reason="sells", tags=["e-bike"], fields=[("Frame", "LK")],
                                       numbers=[("0170 1234567", "mobile")]), "DE", "Amy", datetime.now(UTC))


@pytest.mark.parametrize("asked", ["marg", "4567", "0170 1234567", "joinery"])
def test_a_search_lists_who_fits(capsys: pytest.CaptureFixture[str], margaret: str, asked: str) -> None:
    assert run(capsys, "contact", "list", asked) == (0, "Margaret Osei  0170 1234567  (blocked)\n", "")


def test_a_search_without_hits_says_so(capsys: pytest.CaptureFixture[str], margaret: str) -> None:
    assert run(capsys, "contact", "list", "nobody") == (0, "Nobody fits 'nobody'.\n", "")


def test_a_card_is_shown_by_its_number(capsys: pytest.CaptureFixture[str], margaret: str) -> None:
    code, out, _ = run(capsys, "contact", "show", "+49 170 1234567")
    assert code == 0 and out.splitlines()[:2] == ["Margaret Osei", "  0170 1234567  mobile"]
    for line in ("  company: Joinery", "  address: 14 Lane, Town", "  blocked: sells", "  Frame: LK"):
        assert line in out.splitlines()
    told = json.loads(run(capsys, "contact", "show", margaret, "--json")[1])
    assert told["name"] == "Margaret Osei" and told["numbers"][0]["number"] == "+491701234567"
    code, _, err = run(capsys, "contact", "show", "0151 23456789")
    assert code == 2 and "Nobody has" in err


def test_nobody_is_forgotten_without_yes(capsys: pytest.CaptureFixture[str], office: sqlite3.Connection,
                                         margaret: str) -> None:
    add_call(office)
    code, out, _ = run(capsys, "contact", "forget", "01701234567")
    assert code == 0 and "1 cards, 1 calls. Nothing was removed." in out and cards.card(office, margaret)
    code, out, _ = run(capsys, "contact", "forget", "01701234567", "--yes")
    assert code == 0 and "Forgotten for good" in out and "Receipt 1." in out
    assert cards.card(office, margaret) is None and tombstones.is_forgotten(office, "+491701234567")
    assert not office.execute("SELECT 1 FROM call").fetchone()
    assert run(capsys, "contact", "forget", "01701234567", "--yes")[0] == 2


def test_nobody_is_forgotten_in_a_call(capsys: pytest.CaptureFixture[str], office: sqlite3.Connection, box: Box,
                                       margaret: str) -> None:
    add_call(office, ended_at=None, outcome=None)
    code, _, err = run(capsys, "contact", "forget", margaret, "--yes")
    assert code == 2 and "on the telephone now" in err


def test_who_was_added_at_the_command_line_is_in_the_log(capsys: pytest.CaptureFixture[str],
                                                         office: sqlite3.Connection) -> None:
    run(capsys, "contact", "add", "Ada", "0170 1234567")
    assert changes.page(office)[0].what == "contact Ada" and "(command line)" in changes.page(office)[0].by
