"""`deskbell check`: each finding says what happened, what still works and what to do."""
from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import settings
from appliance.box import codes, health
from appliance.calls import follow
from appliance.config import Box, Extension, Modem
from appliance.store import db as store
from appliance.texts import campaigns
from tests.unit.spool import MISSED, SpoolFile

SURROUNDINGS = ("Nothing vouches for the clock", "MB are free")      # of the machine that runs the tests


def found(box: Box) -> list[str]:
    return [finding for finding in health.findings(box) if not any(words in finding for words in SURROUNDINGS)]


def says(box: Box, *words: str) -> bool:
    return any(all(word in finding for word in words) for finding in found(box))


@pytest.fixture
def modem_box(box: Box, tmp_path: Path) -> Box:
    """The box with a modem that is plugged in."""
    (tmp_path / "ttyUSB0").touch()
    return dataclasses.replace(box, modems=(Modem("SIM", str(tmp_path / "ttyUSB0")),))


def radio(db: sqlite3.Connection, state: str, age: timedelta = timedelta(0), name: str = "SIM") -> None:
    with store.write(db):
        db.execute("INSERT OR REPLACE INTO modem (name, state, updated_at) VALUES (?, ?, ?)",
                   (name, state, store.iso(datetime.now(UTC) - age)))


def test_a_new_box_says_what_is_missing_in_sentences(box: Box) -> None:
    bare = dataclasses.replace(box, trunks=(), extensions=())
    assert says(bare, "Nothing was kept yet", "Start deskbell-calls.")
    assert says(bare, "No line is set up.", "[[trunk]]")
    assert says(bare, "No telephone is set up, so nothing rings.")
    assert says(bare, "ami cannot be read", "deskbell provision")
    for finding in health.findings(bare):
        assert finding[0].isupper() or finding.startswith("/")
        assert finding.endswith(".") and "\n" not in finding and len(finding.split(". ")) >= 2


@pytest.mark.usefixtures("db")
def test_a_working_store_and_ledger_are_no_finding(box: Box, spool: SpoolFile) -> None:
    spool.add(MISSED)
    assert not any(says(box, words) for words in ("The store", "Asterisk's ledger", "The history", "Nothing was kept"))


@pytest.mark.usefixtures("spool")
def test_a_broken_store_is_one_finding_and_hides_no_other(modem_box: Box) -> None:
    modem_box.store.write_bytes(b"garbage, not a store\n" * 999)
    assert len([finding for finding in found(modem_box) if "The store" in finding]) == 1
    assert says(modem_box, "The store cannot be used.", "Restore the last good backup.")
    assert says(modem_box, "ami cannot be read")


def test_a_damaged_store_is_found(box: Box, db: sqlite3.Connection) -> None:
    with store.write(db):
        db.executemany("INSERT INTO contact (id, name, is_blocked, created_at, updated_at) VALUES (?, ?, 0, '', '')",
                       [(f"0190a000-0000-7000-8000-{number:012}", "x" * 900) for number in range(99)])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = bytearray(box.store.read_bytes())
    content[-8192:] = b"\xff" * 8192
    box.store.write_bytes(content)
    assert says(box, "The store", "Restore the last good backup.")


@pytest.mark.parametrize(("country", "free"), [("RU", "202"), ("IN", "202"), ("GB", None)])
def test_a_telephone_with_an_emergency_number_of_the_chosen_country_is_found(
        box: Box, country: str, free: str | None) -> None:
    phones = (Extension("101", "Counter"), Extension("201", "Workshop"))
    said = [finding for finding in found(dataclasses.replace(box, country=country, extensions=phones))
            if codes.of(finding) == "DB-PHONE-2"]
    assert len(said) == (1 if free else 0)
    for finding in said:
        assert f"The telephone 101 has an emergency number of {country}." in finding
        assert "calls from outside ring" in finding and f"such as {free}," in finding


def test_no_two_telephones_are_offered_the_same_number(box: Box) -> None:
    phones = tuple(Extension(number, number) for number in ("101", "102", "201"))
    said = list(health.telephones(dataclasses.replace(box, country="RU", extensions=phones)))
    assert ["such as 202," in said[0], "such as 203," in said[1]] == [True, True]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("content", [b"", b"garbage\n" * 999])
def test_a_ledger_that_cannot_be_read_is_found(box: Box, content: bytes) -> None:
    box.ledger.write_bytes(content)
    assert says(box, "Asterisk's ledger cannot be read", "Calls ring; the history stands still.")


@pytest.mark.usefixtures("db")
def test_a_history_that_lags_is_found(box: Box, spool: SpoolFile) -> None:
    spool.db.execute("BEGIN")
    for _ in range(follow.BATCH + 1):
        spool.raw(kind="HANGUP")
    spool.db.execute("COMMIT")
    assert says(box, f"The history is {follow.BATCH + 1} rows behind", "Restart deskbell-calls.")


def test_a_modem_that_is_not_plugged_in_is_found(modem_box: Box) -> None:
    Path(modem_box.modems[0].port).unlink()
    assert says(modem_box, "The modem SIM is not plugged in", "Calls are logged; texts wait.", "Plug it in.")


@pytest.mark.parametrize(("state", "age_s", "words"), [
    ("registered", 0, None), ("roaming", 0, None), ("registered", 60, None),
    ("registered", 180, "has said nothing for a while"),
    ("no SIM", 0, "The modem SIM: no SIM. Calls are logged; texts wait."),
])
def test_what_the_radio_says_of_itself(
        modem_box: Box, db: sqlite3.Connection, state: str, age_s: int, words: str | None) -> None:
    radio(db, state, timedelta(seconds=age_s))
    assert says(modem_box, words) if words else not says(modem_box, "modem")


def test_a_modem_whose_port_is_searched_for_is_judged_by_what_the_radio_says(box: Box, db: sqlite3.Connection) -> None:
    searched = dataclasses.replace(box, modems=(Modem("SIM", "auto"),))
    radio(db, "registered")
    assert not says(searched, "The modem")
    radio(db, "no modem found anywhere")
    assert says(searched, "The modem SIM: no modem found anywhere", "texts wait")


def test_a_sim_with_no_room_for_texts_is_found_although_texts_go(modem_box: Box, db: sqlite3.Connection) -> None:
    radio(db, "registered")
    with store.write(db):
        db.execute("UPDATE modem SET trouble = 'The SIM card has no room for texts that come.'")
    assert says(modem_box, "The modem SIM: The SIM card has no room", "Texts go.")


def test_a_modem_that_was_taken_out_of_box_toml_is_no_finding(modem_box: Box, db: sqlite3.Connection) -> None:
    radio(db, "registered")
    radio(db, "no SIM", timedelta(days=9), name="the old one")
    assert not says(modem_box, "the old one")


@pytest.mark.parametrize(("conditions", "words"), [
    ('{"groups": ["VIP"]}', "There is no group 'VIP'."),
    ('{"trunks": ["line9"]}', "There is no line 'line9'. Did you mean 'line1'?"),
    ('{"outcome": "missed"}', "There is no condition 'outcome'."),
    ('{"when": "after hours"}', "no opening hours are set"),
])
def test_a_rule_that_does_not_do_what_its_owner_thinks_is_found(
        box: Box, db: sqlite3.Connection, conditions: str, words: str) -> None:
    assert not says(box, "The rule")
    with store.write(db):
        db.execute("UPDATE rule SET conditions = ?", (conditions,))
    assert says(box, "The rule “Missed call”", words, "Other rules")
    with store.write(db):
        db.execute("UPDATE rule SET is_on = 0")
    assert not says(box, "The rule"), "one that is off deceives nobody"


def test_a_rule_after_hours_with_opening_hours_is_no_finding(box: Box, db: sqlite3.Connection) -> None:
    with store.write(db):
        settings.put(db, "opening_hours", "Mon-Fri 09:00-18:00")
        db.execute("""UPDATE rule SET conditions = '{"when": "after hours"}'""")
    assert not says(box, "The rule")


def test_a_sim_and_a_campaign_that_a_person_must_look_at_are_found(box: Box, db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO sim (name, paused_reason) VALUES ('SIM', '5 texts in a row were refused for good.')")
    db.executemany("""
        INSERT INTO campaign (name, text, audience, schedule, state, reason, created_at, updated_at)
        VALUES (?, '', '{}', '{}', 'paused', ?, '', '')""", [("Winter", "5 of 5 texts failed."),
                                                              ("Mine", campaigns.PAUSED)])
    found = " ".join(health.findings(box))
    assert "The SIM SIM: 5 texts in a row were refused for good." in found
    assert 'The group text "Winter" is halted. 5 of 5 texts failed.' in found and "Mine" not in found
