"""A factory reset: who asks for it, what goes and what stays."""
from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import config
from appliance.box import network_files, reset, reset_asked
from appliance.people import contacts, users
from appliance.store import db as store
from appliance.update.errands import RefusedError
from tests.unit.firstcard import NOW, WHOLE, Card


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """A box that was set up by a whole file and has a customer; its data lie as on their partition."""
    made = Card(tmp_path)
    made.writes(WHOLE)
    made.starts()
    box = config.read(made.places.box)
    db = store.connect(box.store)
    contacts.add(db, "Carla Weiss", ["+493023125222"], "DE", NOW)
    users.first_run_code(box)
    db.close()
    made.places.data.mkdir()
    shutil.copytree(made.places.etc, made.places.data / "etc")
    shutil.copytree(box.state, made.places.data / "lib")
    return made


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_nobody_asked_and_nothing_is_done(card: Card) -> None:
    assert reset_asked.pending(card.places) is None


def test_keeping_the_data_takes_passwords_and_network_and_leaves_customers_and_lines(card: Card) -> None:
    data = card.places.data
    reset.carry_out(card.places, reset_asked.KEEP)
    db = store.connect(data / "lib/office.db")
    assert users.is_first_run(db), "the first-run code lets the owner in again"
    assert db.execute("SELECT name FROM contact").fetchone()[0] == "Carla Weiss"
    assert not (data / "lib/sticker.txt").exists(), "the code of before opens nothing"
    assert not {"etc/network.json", "etc/secret/wifi", "etc/reset-wanted"} & names(data)
    box = config.read(data / "etc/box.toml")
    assert box.trunks and box.extensions, "the telephones ring as they did"
    assert {"etc/identity.json", "etc/secret/sim-SIM.pin"} <= names(data)


def test_deleting_everything_leaves_nothing(card: Card) -> None:
    reset.carry_out(card.places, reset_asked.EVERYTHING)
    assert names(card.places.data) == set()


def test_a_file_on_the_card_asks_once(card: Card) -> None:
    asked = card.places.fat / "factory-reset"
    asked.write_text("")
    assert reset_asked.pending(card.places) == reset_asked.KEEP
    reset.carry_out(card.places, reset_asked.KEEP)
    assert not asked.exists() and reset_asked.pending(card.places) is None


def test_a_file_on_a_card_that_takes_no_writing_asks_once_too(card: Card) -> None:
    asked = card.places.fat / "factory-reset.txt"
    asked.write_text("everything\r\n")
    assert reset_asked.pending(card.places) == reset_asked.EVERYTHING
    mark = asked.stat()
    reset.carry_out(card.places, reset_asked.EVERYTHING)
    assert not asked.exists()
    asked.write_text("everything\r\n")               # it could not be taken away: the same file is there again
    os.utime(asked, ns=(mark.st_atime_ns, mark.st_mtime_ns))
    assert reset_asked.pending(card.places) is None
    os.utime(asked)                                  # somebody writes it once more
    assert reset_asked.pending(card.places) == reset_asked.EVERYTHING


def test_a_button_that_is_held_keeps_the_data(card: Card) -> None:
    assert reset_asked.pending(card.places, is_held=True) == reset_asked.KEEP


def test_without_buttons_none_is_held_and_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "event0").write_bytes(b"")
    assert not reset_asked.is_button_held(tmp_path, held_s=60)


def test_the_page_asks_by_an_errand(card: Card) -> None:
    db = sqlite3.connect(":memory:")
    said = reset.errand(db, {"keep": "data"}, lambda _percent, _said: None, card.places.data / "etc")
    assert "Calls, texts and customers stay" in said
    assert reset_asked.pending(card.places) == reset_asked.KEEP
    with pytest.raises(RefusedError):
        reset.errand(db, {"keep": "some"}, lambda _percent, _said: None, card.places.data / "etc")


def test_a_note_that_is_spoilt_deletes_no_data(card: Card) -> None:
    (card.places.data / "etc/reset-wanted").write_bytes(b"\0\0\0")
    assert reset_asked.pending(card.places) == reset_asked.KEEP


def test_a_box_toml_that_stopped_the_daemons_is_put_aside(card: Card) -> None:
    (card.places.data / "etc/box.toml").write_text("countri = 'DE'")
    reset.carry_out(card.places, reset_asked.KEEP)
    assert "etc/box.unused" in names(card.places.data) and "etc/box.toml" not in names(card.places.data)


def test_after_everything_went_the_file_on_the_card_sets_the_box_up_again(card: Card) -> None:
    name = card.box()["name"]
    reset.carry_out(card.places, reset_asked.EVERYTHING)
    shutil.rmtree(card.places.etc)
    shutil.rmtree(card.root / "var/lib/deskbell")
    card.starts()
    assert network_files.load(card.places).address == "192.168.7.20/24"
    assert card.box()["name"].startswith("deskbell-") and name.startswith("deskbell-")
    assert card.asks("SELECT count(*) FROM user") == [(0,)], "the password was wiped: the code lets the owner in"


def test_what_runs_in_every_start_before_the_data_imports_little(tmp_path: Path) -> None:
    """On a small board importing the house takes seconds, and the telephones wait for it."""
    told = subprocess.run([sys.executable, "-c", "import sys; from appliance.box import early; print(*sys.modules)"],
                          capture_output=True, text=True, check=True).stdout.split()
    assert not {"phonenumbers", "argon2", "bottle", "appliance.config", "logging.config", "sqlite3"} & set(told)
    assert len([name for name in told if name.startswith("appliance.")]) <= 8
