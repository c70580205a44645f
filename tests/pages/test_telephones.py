"""The page of the telephones: what is typed into one, for whoever sets it up, and a line about who looked."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.desk import Browser, Office, box_at

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    box = replace(box_at(tmp_path), secrets=tmp_path / "secret")
    box.secrets.mkdir()
    (box.secrets / "sip-101").write_text(SECRET)
    office = Office(box)
    yield office
    office.close()


def test_server_port_and_users_are_there_and_no_password(amy: Browser) -> None:
    page = amy.get("/telephones").text
    assert all(word in page for word in ("127.0.0.1", "5060", "Counter", "Workshop", "User 101"))
    assert SECRET not in page


def test_the_passwords_are_shown_on_asking_and_that_is_written_down(amy: Browser, office: Office) -> None:
    page = amy.post("/telephones").text
    assert SECRET in page and "made when the telephone exchange starts next" in page
    rows = [tuple(row) for row in office.db.execute("SELECT by_user, what, after FROM change ORDER BY id DESC LIMIT 1")]
    assert rows == [("Amy", "telephone passwords shown", None)]
    assert SECRET not in str([tuple(row) for row in office.db.execute("SELECT * FROM change")])


def test_a_telephone_that_cannot_be_rung_from_inside_in_the_chosen_country_is_told(
        amy: Browser, office: Office) -> None:
    assert "emergency" not in amy.get("/telephones").text
    assert amy.post("/wizard/shop", {"shop_name": "Lavka", "country": "RU", "time_zone": "Europe/Moscow"}).status == 303
    page = amy.get("/telephones").text
    assert "The telephone 101 has an emergency number of RU." in page and "such as 201," in page


def test_a_box_without_telephones_says_where_they_are_added(tmp_path: Path) -> None:
    office = Office(replace(box_at(tmp_path), extensions=()))
    try:
        assert "no telephone on a desk yet" in office.browser().get("/telephones").text
    finally:
        office.close()
