"""Desks are paired by six digits, known by a token, and seen no more once they are revoked."""
from __future__ import annotations

import ast
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.people import desks, seats, users
from appliance.store import db as store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROGRAM = Path(__file__).resolve().parents[2] / "web" / "desktop" / "deskbell_desk.py"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = store.connect(tmp_path / "office.db")
    store.migrate(db)
    with store.write(db):
        for name, role in (("Amy", "owner"), ("Ben", "staff"), ("Ivo", "installer")):
            users.add(db, name, role, NOW, extension="101")
    yield db
    db.close()


def code(db: sqlite3.Connection, user_id: int = 1, at: datetime = NOW) -> str:
    with store.write(db):
        return desks.new_code(db, user_id, at)


def pair(db: sqlite3.Connection, typed: str, at: datetime = NOW, name: str = "Counter") -> str | None:
    with store.write(db):
        return desks.pair(db, typed, name, at)


def key(token: str | None) -> str:
    assert token
    return desks.key_of(token)


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**6:06}"


def test_six_digits_pair_one_desk_with_a_token_that_the_store_does_not_hold(db: sqlite3.Connection) -> None:
    digits = code(db)
    assert len(digits) == 6 and digits.isdecimal()
    token = pair(db, f" {digits[:3]} {digits[3:]} ")
    found = desks.find(db, key(token))
    assert found and (found.name, found.user, found.seat.extension) == ("Counter", "Amy", "101")
    rows = [row for table in ("desk", "pairing") for row in db.execute(f"SELECT * FROM {table}")]
    everything = "".join(str(tuple(row)) for row in rows)
    assert token not in everything and digits not in everything
    assert pair(db, digits) is None                       # used


@pytest.mark.parametrize(("minutes", "is_good"), [(0, True), (9, True), (10, False), (60, False)])
def test_a_code_is_good_for_ten_minutes(db: sqlite3.Connection, minutes: int, is_good: bool) -> None:
    digits = code(db)
    assert (pair(db, digits, NOW + timedelta(minutes=minutes)) is not None) is is_good


@pytest.mark.parametrize("tries", [4, 5])
def test_five_wrong_tries_end_a_code(db: sqlite3.Connection, tries: int) -> None:
    digits = code(db)
    for _ in range(tries):
        assert pair(db, wrong(digits)) is None
    assert desks.is_waiting(db, 1, NOW) is (tries < 5)
    assert (pair(db, digits) is not None) is (tries < 5)


def test_a_new_code_ends_the_one_of_before_and_not_that_of_another(db: sqlite3.Connection) -> None:
    first, bens = code(db), code(db, 2)
    second = code(db)
    assert pair(db, first) is None or first == second
    assert pair(db, second) and pair(db, bens)


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "１２３４５６", "1" * 5000, "\x00", "' OR 1=1 --"])
def test_what_is_no_code_pairs_nothing(db: sqlite3.Connection, typed: str) -> None:
    code(db)
    assert pair(db, typed) is None
    assert desks.listed(db) == []


def test_an_installer_and_who_is_switched_off_pair_nothing(db: sqlite3.Connection) -> None:
    assert pair(db, code(db, 3)) is None
    digits = code(db, 2)
    with store.write(db):
        db.execute("UPDATE user SET is_on = 0 WHERE id = 2")
    assert pair(db, digits) is None


@pytest.mark.parametrize("change", ["UPDATE desk SET revoked_at = '2026-11-21T12:00:00.000Z'",
                                    "UPDATE user SET is_on = 0", "UPDATE user SET role = 'installer'",
                                    "DELETE FROM user WHERE name = 'Ben'"])
def test_a_token_opens_nothing_once_its_desk_or_its_user_may_not(db: sqlite3.Connection, change: str) -> None:
    its = key(pair(db, code(db, 2)))
    assert desks.find(db, its) and its in desks.living(db, {its})
    with store.write(db):
        db.execute(change)
    assert desks.find(db, its) is None and desks.living(db, {its}) == {}


def test_a_desk_that_was_revoked_comes_again_when_that_is_undone(db: sqlite3.Connection) -> None:
    its = key(pair(db, code(db)))
    for at, is_there in ((NOW, False), (None, True)):
        with store.write(db):
            desks.revoke(db, 1, at)
        assert (desks.find(db, its) is not None) is is_there


@pytest.mark.parametrize(
    ("of_user", "of_desk", "sees"),
    [(None, None, {"line1", "line2"}), (None, ["line1"], {"line1"}), (["line2"], None, {"line2"}),
     (["line2"], ["line1"], set()), (["line1", "line2"], ["line2"], {"line2"})],
)  # fmt: skip
def test_a_desk_never_sees_more_lines_than_its_user(
        db: sqlite3.Connection, of_user: list[str] | None, of_desk: list[str] | None, sees: set[str]) -> None:
    its = key(pair(db, code(db, 2)))
    with store.write(db):
        seats.put(db, 2, seats.Seat("101", None if of_user is None else frozenset(of_user)))
        desks.change(db, 1, "Counter", None, of_desk)
    seat = desks.living(db, {its})[its]
    assert {line for line in ("line1", "line2") if seat.sees(line)} == sees and seat.sees(None)


def test_desks_of_one_name_are_told_apart(db: sqlite3.Connection) -> None:
    for name in ("PC", "PC", "PC", "", "\x00\x1b", "x" * 500):
        assert pair(db, code(db), name=name)
    names = {desk.name for desk in desks.listed(db)}
    assert {"PC", "PC 2", "PC 3", "Desk", "Desk 2"} < names and max(map(len, names)) <= desks.LONGEST_NAME


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b"])
def test_a_name_that_is_none_is_refused_in_words(db: sqlite3.Connection, name: str) -> None:
    pair(db, code(db))
    with pytest.raises(desks.DeskError, match="1 to 60"), store.write(db):
        desks.change(db, 1, name, None, None)


def test_that_a_desk_was_here_is_written_every_two_minutes_at_most(db: sqlite3.Connection) -> None:
    its = key(pair(db, code(db)))
    for seconds, seen in ((0, 0), (60, 0), (130, 130)):
        desks.mark_seen(db, {its, "another"}, NOW + timedelta(seconds=seconds))
        assert desks.listed(db)[0].seen_at == NOW + timedelta(seconds=seen)


def test_the_program_is_one_file_that_python_3_9_reads_and_needs_nothing_but_python() -> None:
    read = ast.parse(PROGRAM.read_text(), feature_version=(3, 9))
    for node in ast.walk(read):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names, name


def test_the_words_of_the_program_are_there_in_four_languages_with_the_same_values() -> None:
    tree = ast.parse(PROGRAM.read_text())
    words = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
                 and getattr(node.targets[0], "id", "") == "WORDS")
    used = {node.args[0].value for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args
            and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) == "words"}
    assert used <= words.keys(), used - words.keys()
    for said, four in words.items():
        assert len(four) == 4 and all(four), said
        values = [sorted(part.split("}")[0] for part in one.split("{")[1:]) for one in four]
        assert values == [values[0]] * 4, said
