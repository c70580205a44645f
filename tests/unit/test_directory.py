"""Names and blocks in Asterisk's own database, so that phones show them while we are dead."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from appliance.calls import directory
from appliance.calls.ami import Ami, AmiError
from appliance.config import Box
from appliance.people import contacts
from appliance.store import db as store
from tests.unit.manager import Asterisk, Request

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
MARGARET = {f"name/{spelling}": "Margaret" for spelling in
            ("+491701234567", "491701234567", "00491701234567", "01701234567")}
OK = "Response: Success\r\nActionID: {id}\r\n\r\n"


class AstDb:
    """Asterisk's own database behind its manager interface."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.is_refusing = False
        self.there = Asterisk(self._answer)
        self.ami = Ami("deskbell", "secret", self.there.address)

    def _answer(self, request: Request) -> str:
        if request["Action"] == "Login":
            return ""
        key = f"{request['Family']}/{request['Key']}"
        if self.is_refusing or request["Action"] != "DBPut" and key not in self.kept:
            return "Response: Error\r\nActionID: {id}\r\nMessage: Database entry not found\r\n\r\n"
        if request["Action"] == "DBPut":
            self.kept[key] = request["Val"]
        elif request["Action"] == "DBDel":
            del self.kept[key]
        else:
            return (OK + "Event: DBGetResponse\r\nActionID: {id}\r\nVal: " + self.kept[key] + "\r\n\r\n"
                    "Event: DBGetComplete\r\nActionID: {id}\r\n\r\n")
        return OK

    def names(self) -> dict[str, str]:
        return {key: value for key, value in self.kept.items() if key != "deskbell/mirror"}


@pytest.fixture
def astdb() -> Iterator[AstDb]:
    made = AstDb()
    yield made
    made.ami.close()
    made.there.close()


@pytest.fixture
def margaret(db: sqlite3.Connection) -> str:
    with store.write(db):
        return contacts.add(db, "Margaret", ["+491701234567"], "DE", NOW)


def copy(db: sqlite3.Connection, box: Box, astdb: AstDb) -> int:
    """How many numbers were told until Asterisk knew them all."""
    directory.check_mirror(db, astdb.ami)
    told = 0
    while changed := directory.copy_changes(db, box, astdb.ami):
        told += changed
    return told


@pytest.mark.usefixtures("margaret")
def test_a_contact_is_known_by_every_spelling_a_line_may_use(db: sqlite3.Connection, box: Box, astdb: AstDb) -> None:
    assert copy(db, box, astdb) == 1
    assert astdb.names() == MARGARET


@pytest.mark.usefixtures("margaret")
def test_what_asterisk_knows_is_not_told_again(db: sqlite3.Connection, box: Box, astdb: AstDb) -> None:
    copy(db, box, astdb)
    before = len(astdb.there.heard)
    assert copy(db, box, astdb) == 0
    assert [request["Action"] for request in astdb.there.heard[before:]] == ["DBGet"]


def test_a_new_name_a_block_and_a_removal_arrive(
        db: sqlite3.Connection, box: Box, astdb: AstDb, margaret: str) -> None:
    copy(db, box, astdb)
    with store.write(db):
        db.execute("UPDATE contact SET name = 'M. Osei', is_blocked = 1 WHERE id = ?", (margaret,))
    assert copy(db, box, astdb) == 1
    assert astdb.names()["name/01701234567"] == "M. Osei"
    assert astdb.names()["blocked/01701234567"] == "1"
    with store.write(db):
        db.execute("DELETE FROM contact WHERE id = ?", (margaret,))
    assert copy(db, box, astdb) == 1
    assert astdb.names() == {}


@pytest.mark.usefixtures("margaret")
def test_an_asterisk_with_an_empty_database_is_told_everything_again(
        db: sqlite3.Connection, box: Box, astdb: AstDb) -> None:
    copy(db, box, astdb)
    astdb.kept.clear()
    assert copy(db, box, astdb) == 1
    assert astdb.names() == MARGARET


@pytest.mark.usefixtures("margaret")
def test_a_refusal_half_way_is_made_good_at_the_next_run(db: sqlite3.Connection, box: Box, astdb: AstDb) -> None:
    directory.check_mirror(db, astdb.ami)
    astdb.is_refusing = True
    with pytest.raises(AmiError):
        directory.copy_changes(db, box, astdb.ami)
    astdb.is_refusing = False
    assert copy(db, box, astdb) == 1
    assert astdb.names() == MARGARET


def test_a_long_address_book_goes_in_pieces(db: sqlite3.Connection, box: Box, astdb: AstDb) -> None:
    with store.write(db):
        for number in range(130):
            contacts.add(db, f"Customer {number}", [f"+491701234{number:03}"], "DE", NOW)
    directory.check_mirror(db, astdb.ami)
    assert directory.copy_changes(db, box, astdb.ami) == directory.BATCH
    assert copy(db, box, astdb) == 30
    assert len(astdb.names()) == 130 * 4
