"""A factory reset: who asks for it, what goes and what stays."""
from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from appliance import config
from appliance.box import boot_health, boot_notes, early, network_files, reset, reset_asked
from appliance.people import contacts, users
from appliance.store import db as store
from appliance.update.errands import FailedError, RefusedError
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


def test_a_store_that_cannot_be_opened_keeps_the_wish_and_says_that_the_old_passwords_hold(card: Card) -> None:
    lib = card.places.data / "lib"
    whole = (lib / "office.db").read_bytes()
    for left in ("office.db-wal", "office.db-shm"):
        (lib / left).unlink(missing_ok=True)
    (lib / "office.db").write_bytes(b"garbage, not a store\n" * 999)
    reset.ask(card.places.data / "etc", reset_asked.KEEP)
    early.reset(card.places)
    said, = boot_notes.sentences(card.places, "reset")
    assert "could not take the passwords back" in said and "still can. Calls ring." in said
    assert said in list(boot_health.findings(card.places)), "page, report and screen say it"
    assert reset_asked.pending(card.places) == reset_asked.KEEP
    (lib / "office.db").write_bytes(whole)                       # somebody restored it: nobody comes in all the same
    early.reset(card.places)
    assert users.is_first_run(store.connect(lib / "office.db"))
    assert boot_notes.sentences(card.places, "reset") == [] and reset_asked.pending(card.places) is None


def test_a_reset_that_could_not_keep_the_data_gives_way_to_one_that_deletes_everything(card: Card) -> None:
    (card.places.data / "lib/office.db").unlink()
    (card.places.data / "lib/office.db").mkdir()
    (card.places.fat / "factory-reset").write_text("")
    reset.carry_out(card.places, reset_asked.KEEP)
    assert reset_asked.pending(card.places) == reset_asked.KEEP
    (card.places.fat / "factory-reset").write_text("everything")
    assert reset_asked.pending(card.places) == reset_asked.EVERYTHING


def test_no_copy_of_the_store_brings_the_old_passwords_back(card: Card) -> None:
    """An update keeps copies, and going back to the version before takes the people of one."""
    snapshots = card.places.data / "lib/snapshots"
    snapshots.mkdir()
    for name in ("0012_before.db", "newer-0099_after.db", "back.tmp.db", "0013_next.db.tmp"):
        shutil.copy(card.places.data / "lib/office.db", snapshots / name)
    (snapshots / "0011_spoilt.db").write_bytes((snapshots / "0012_before.db").read_bytes()[:5000] + b"scrypt" * 9)
    (snapshots / "0010_link.db").symlink_to(card.places.data / "etc/box.toml")
    before = (card.places.data / "etc/identity.json").read_bytes()
    with closing(sqlite3.connect(snapshots / "0012_before.db")) as db:
        hashes = [row[0].encode() for row in db.execute("SELECT password_hash FROM user")]
    assert hashes and all(len(one) > 20 for one in hashes)
    reset.carry_out(card.places, reset_asked.KEEP)
    assert sorted(file.name for file in snapshots.iterdir()) == ["0012_before.db", "newer-0099_after.db"]
    for file in list(snapshots.iterdir()):
        assert not any(one in file.read_bytes() for one in hashes)
        db = store.connect(file)
        assert users.is_first_run(db) and db.execute("SELECT count(*) FROM contact").fetchone()[0] == 1
    assert (card.places.data / "etc/identity.json").read_bytes() == before


def test_where_the_card_takes_no_writing_the_reset_is_said_not_to_be_done(card: Card) -> None:
    (card.places.data / "etc/reset-wanted.tmp").mkdir()          # as a full disk refuses: before anything is deleted
    (card.places.data / "etc/reset-wanted.tmp/x").touch()
    (card.places.fat / "factory-reset").write_text("")
    early.reset(card.places)
    said, = boot_notes.sentences(card.places, "reset")
    assert "was not done" in said and (card.places.data / "timesync").is_dir()


@pytest.mark.parametrize("place", ["etc/reset-wanted", "reset-seen"])
def test_notes_that_are_no_letters_stop_no_start(card: Card, place: str) -> None:
    (card.places.data / place).write_bytes(b"\xff\xfe\0")
    (card.places.fat / "factory-reset").write_text("")
    early.reset(card.places)
    assert reset_asked.pending(card.places) is None and (card.places.data / "timesync").is_dir()


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
    etc, ordered = card.places.data / "etc", list[str]()
    said = reset.errand(db, {"keep": "data"}, lambda _percent, _said: None, etc, lambda: ordered.append("restart"))
    assert "Calls, texts and customers stay" in said and ordered == ["restart"]
    assert reset_asked.pending(card.places) == reset_asked.KEEP
    with pytest.raises(RefusedError):
        reset.errand(db, {"keep": "some"}, lambda _percent, _said: None, etc, lambda: ordered.append("again"))
    assert ordered == ["restart"]


def test_a_reset_whose_restart_is_refused_says_that_it_is_done_at_the_next_start(card: Card) -> None:
    def refuses() -> None:
        raise FailedError("The system refused: no.")

    with pytest.raises(FailedError, match="refused: no. The reset is done when the box is started next."):
        reset.errand(sqlite3.connect(":memory:"), {"keep": "data"}, lambda _percent, _said: None,
                     card.places.data / "etc", refuses)
    assert reset_asked.pending(card.places) == reset_asked.KEEP


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
