"""deskbell user: how a locked-out owner gets back in from the root shell."""
from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import cli
from appliance.config import Box
from appliance.people import changes, invitations, totp, users
from appliance.store import db as store

NOW = datetime.now(UTC)
PASSWORD = "four words in a row"


@pytest.fixture
def office(box: Box, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    file = tmp_path / "box.toml"
    file.write_text(f'state = "{box.state}"\n')
    monkeypatch.setenv("DESKBELL_CONFIG", str(file))
    users.add_first(db, "Amy", PASSWORD, NOW)
    return db


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert cli.main(["user", *arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def code_in(text: str) -> str:
    return re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}", text)[0]  # type: ignore[index]


def test_a_locked_out_owner_sets_a_new_password_and_the_lost_telephone_is_not_asked_for(
        office: sqlite3.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    with store.write(office) as db:
        db.execute("UPDATE user SET totp_secret = 'JBSWY3DPEHPK3PXP', is_on = 0")
    code = code_in(said(capsys, "password", "Amy", "--no-second-step"))
    assert not totp.is_on(office, 1)
    assert invitations.accept(office, code, "other words in a row", NOW) is not None
    assert users.verify(office, "Amy", "other words in a row") == 1 and users.verify(office, "Amy", PASSWORD) is None
    assert {line.by for line in changes.page(office)} == {"root"}
    assert code not in str([tuple(row) for row in office.execute("SELECT * FROM change")])


def test_everyone_is_listed_with_what_keeps_them_out(office: sqlite3.Connection,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    code_in(said(capsys, "add", "Ben"))
    assert said(capsys, "list").splitlines() == ["Amy  owner", "Ben  staff  (has set no password)"]
    assert "Ben is installer now" in said(capsys, "role", "Ben", "installer")


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("password", "Eve"), "There is no user 'Eve'"), (("role", "Amy", "staff"), "needs an owner"),
    (("add", "amy"), "has that name already"), (("add", ""), "A name has")])
def test_what_cannot_be_done_is_said_in_a_sentence(office: sqlite3.Connection, capsys: pytest.CaptureFixture[str],
                                                   arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in said(capsys, *arguments, code=2)
    assert [user.role for user in users.listed(office)] == ["owner"]
