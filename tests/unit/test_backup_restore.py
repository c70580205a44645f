"""A restore changes everything or nothing, and does nothing twice."""
from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from appliance.backup import archive, restoring, rows, snapshot
from appliance.config import Box
from appliance.people import forget
from appliance.store import db as store
from tests.unit.backing import Backing

DUMPS = sorted((Path(__file__).resolve().parents[1] / "data").glob("[0-9]*.sql"))


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Iterator[Backing]:
    made = Backing(db, box)
    made.fill()
    yield made
    made.close()


@pytest.fixture
def new_box(tmp_path: Path, box: Box, new_store: Path) -> Iterator[Backing]:
    """Another box, out of its carton."""
    other = replace(box, name="box2", state=tmp_path / "other")
    other.recordings.mkdir(parents=True)
    shutil.copy(new_store, other.store)
    db = store.connect(other.store)
    made = Backing(db, other)
    yield made
    made.close()
    db.close()


def everything(db: sqlite3.Connection) -> snapshot.Tables:
    """What of a store a restore must bring back as it was."""
    own = {"sqlite_sequence", "backup", "backup_restore", "backup_secret", "backup_place", "change", "session", "event"}
    return {name: table for name, table in snapshot.hashes(db).items() if name not in own}


def test_a_new_box_gets_every_row_and_recording_of_the_old_one(office: Backing, new_box: Backing) -> None:
    office.passphrase()
    one = office.back_up(recordings="all")
    done = new_box.restore(upload=office.file(one))
    assert done.state == "restored", done.reason
    assert everything(new_box.db) == everything(office.db)
    for call_id in (1, 2, 3):
        file = f"2026-11/{call_id}.wav"
        assert (new_box.box.recordings / file).read_bytes() == (office.box.recordings / file).read_bytes()
    assert not list((new_box.box.state / "backups/work").iterdir())


def test_the_preview_says_what_would_change_and_what_would_be_lost(office: Backing) -> None:
    one = office.back_up()
    office.later(hours=3)
    office.call()
    office.call()
    with store.write(office.db):
        office.db.execute("INSERT INTO setting VALUES ('ring_s', '45')")
    seen = office.read(backup_id=one.id)
    assert seen.state == "ready" and seen.preview
    assert seen.preview["tables"]["calls"] == [5, 3] and seen.preview["lost"]["calls"] == 2
    assert seen.preview["settings"] == ["ring_s"] and seen.preview["users"] == ["Amy"]
    assert office.count("call") == 5, "looking changes nothing"
    rows.leave(office.db, seen.id, office.now)
    office.serve()
    assert rows.restore(office.db, seen.id).state == "cancelled" and office.count("call") == 5


def test_a_restore_is_undone_by_the_backup_that_was_made_before_it(office: Backing) -> None:
    one = office.back_up()
    office.later(hours=1)
    office.call()
    wanted = everything(office.db)
    done = office.restore(backup_id=one.id)
    assert done.state == "restored" and office.count("call") == 3
    before = rows.backup(office.db, done.before_id or 0)
    assert before.state == "proven" and before.reason == "As it was before a restore."
    office.later(minutes=5)
    assert office.restore(backup_id=before.id).state == "restored"
    assert everything(office.db) == wanted


def test_who_reads_and_writes_meanwhile_needs_no_restart(office: Backing, box: Box) -> None:
    one = office.back_up()
    office.call()
    other = store.connect(box.store)
    other.execute("SELECT count(*) FROM call").fetchone()
    seen = store.data_version(other)
    office.restore(backup_id=one.id)
    assert store.data_version(other) != seen
    assert other.execute("SELECT count(*) FROM call").fetchone()[0] == 3
    assert [row[0] for row in other.execute("SELECT name FROM contact WHERE id IN (SELECT contact_id FROM "
            "contact_search_key WHERE id IN (SELECT rowid FROM contact_search WHERE name MATCH 'garet'))")] \
        == ["Margaret Osei"]
    with store.write(other):
        other.execute("INSERT INTO setting VALUES ('after', '1')")
    assert office.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert not office.db.execute("PRAGMA foreign_key_check").fetchall()
    other.close()


@pytest.mark.deep
def test_every_commit_of_a_busy_office_is_before_the_swap_or_after_it(office: Backing, box: Box) -> None:
    """What commits before is in the state that is kept; what commits after is in the restored store."""
    one = office.back_up()
    stop, wrote = threading.Event(), []

    def ledger() -> None:
        busy = store.connect(box.store)
        number = 0
        while not stop.is_set():
            number += 1
            with store.write(busy):
                busy.execute("INSERT INTO ledger_cursor VALUES ('spool', ?) ON CONFLICT (spool) DO UPDATE SET "
                             "position = excluded.position", (number,))
            wrote.append(number)
        busy.close()

    writing = threading.Thread(target=ledger)
    writing.start()
    try:
        for _ in range(4):
            assert office.restore(backup_id=one.id).state == "restored"
    finally:
        stop.set()
        writing.join()
    assert office.db.execute("SELECT position FROM ledger_cursor").fetchone()[0] == wrote[-1]
    assert office.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_ledgers_cursor_and_the_radio_stay_as_they_are_now(office: Backing) -> None:
    with store.write(office.db):
        office.db.execute("INSERT INTO ledger_cursor VALUES ('spool', 10)")
        office.db.execute("INSERT INTO modem (name, state, updated_at) VALUES ('gsm1', 'searching', ?)",
                          (store.iso(office.now),))
    one = office.back_up()
    with store.write(office.db):
        office.db.execute("UPDATE ledger_cursor SET position = 99")
        office.db.execute("UPDATE modem SET state = 'registered', pin_tried = 'abc'")
    office.restore(backup_id=one.id)
    assert office.db.execute("SELECT position FROM ledger_cursor").fetchone()[0] == 99
    assert tuple(office.db.execute("SELECT state, pin_tried FROM modem").fetchone()) == ("registered", "abc")


def test_a_text_that_waited_in_the_backup_is_not_sent_again(office: Backing) -> None:
    queued = office.text("queued")
    one = office.back_up()
    with store.write(office.db):
        office.db.execute("UPDATE sms SET state = 'sent' WHERE id = ?", (queued,))
    office.restore(backup_id=one.id)
    row = office.db.execute("SELECT state, reason FROM sms WHERE id = ?", (queued,)).fetchone()
    assert row["state"] == "cancelled" and "may have gone since" in row["reason"]


def test_a_group_text_of_the_backup_is_halted_until_a_person_looks(office: Backing) -> None:
    with store.write(office.db):
        office.db.execute("""INSERT INTO campaign (name, text, audience, schedule, state, created_at, updated_at)
                             VALUES ('Bikes', 'x', '{}', '{"kind": "now"}', 'scheduled', ?, ?)""",
                          (store.iso(office.now),) * 2)
    one = office.back_up()
    office.restore(backup_id=one.id)
    row = office.db.execute("SELECT state, reason FROM campaign").fetchone()
    assert row["state"] == "paused" and "restored from a backup" in row["reason"]


def test_while_a_text_is_on_the_air_the_restore_waits(office: Backing) -> None:
    one, sending = office.back_up(), office.text("sending")
    seen = office.read(backup_id=one.id)
    rows.agree(office.db, seen.id, "Amy", office.now)
    looks = 0

    def the_radio_ends() -> None:
        nonlocal looks
        looks += 1
        if looks > 40:
            radio = store.connect(office.box.store)
            with store.write(radio):
                radio.execute("UPDATE sms SET state = 'sent' WHERE id = ?", (sending,))
            radio.close()

    office.alive = the_radio_ends
    office.serve()
    assert rows.restore(office.db, seen.id).state == "restored"


def test_who_asked_for_no_texts_since_gets_none(office: Backing) -> None:
    one = office.back_up()
    with store.write(office.db):
        office.db.execute("INSERT INTO opt_out VALUES ('+491709999999', ?, 'reply', 'STOP')", (store.iso(office.now),))
    office.restore(backup_id=one.id)
    assert office.db.execute("SELECT word FROM opt_out WHERE number = '+491709999999'").fetchone()["word"] == "STOP"


def test_who_was_forgotten_since_stays_forgotten(office: Backing) -> None:
    one = office.back_up(recordings="all")
    contact_id = office.db.execute("SELECT id FROM contact").fetchone()["id"]
    forget.forget(office.db, office.box, contact_id, [], "Amy", office.now)
    assert office.count("call") == 0
    seen = office.read(backup_id=one.id)
    assert seen.preview and seen.preview["tables"]["calls"] == [0, 3]
    rows.agree(office.db, seen.id, "Amy", office.now)
    office.serve()
    assert rows.restore(office.db, seen.id).state == "restored"
    assert office.count("call") == 0 and office.count("contact") == 0
    assert not list(office.box.recordings.glob("*/*.wav"))
    assert office.count("user") == 1


def test_a_call_that_is_talking_now_stays(office: Backing) -> None:
    one = office.back_up()
    with store.write(office.db):
        live = office.db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, is_clock_set)
            VALUES ('box1', 1, 'talking', 'in', '', 'withheld', ?, 1) RETURNING id""",
            (store.iso(office.now),)).fetchone()["id"]
        office.db.execute("INSERT INTO leg (call_id, uniqueid, channel, is_caller, started_at) "
                          "VALUES (?, 'u', 'c', 1, ?)", (live, store.iso(office.now)))
    office.restore(backup_id=one.id)
    row = office.db.execute("SELECT id, ended_at FROM call WHERE linkedid = 'talking'").fetchone()
    assert (row["id"], row["ended_at"]) == (live, None) and office.count("leg") == 1


def log_in(office: Backing, token: str) -> None:
    office.db.execute("INSERT INTO session (token_hash, user_id, csrf, created_at, seen_at) VALUES (?, 1, '', ?, ?)",
                      (token, store.iso(office.now), store.iso(office.now)))


def test_ids_are_never_given_twice_and_old_cookies_stay_dead(office: Backing) -> None:
    with store.write(office.db):
        log_in(office, "old")
    one = office.back_up()
    last = office.call()
    with store.write(office.db):
        office.db.execute("DELETE FROM session")
        log_in(office, "now")
    office.restore(backup_id=one.id)
    assert [row["token_hash"] for row in office.db.execute("SELECT token_hash FROM session")] == ["now"]
    assert office.call() > last


@pytest.mark.parametrize("dump", DUMPS, ids=[dump.stem for dump in DUMPS])
def test_a_backup_of_each_released_version_is_restored_and_migrated(
        office: Backing, dump: Path, tmp_path: Path) -> None:
    file = backup_of(dump, tmp_path)
    done = office.restore(upload=file, passphrase="")
    assert done.state == "restored", done.reason
    call = office.db.execute("SELECT number, outcome FROM call WHERE id = 2").fetchone()
    assert tuple(call) == ("+491701234567", "missed")
    assert snapshot.applied(office.db) == sorted(step.stem for step in store.SCHEMA.glob("[0-9]*.sql"))[-1]
    assert office.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert not office.db.execute("PRAGMA foreign_key_check").fetchall()


def backup_of(dump: Path, folder: Path) -> Path:
    """As the Deskbell of that release would have written it."""
    raw = sqlite3.connect(folder / "then.db")
    raw.executescript(dump.read_text())
    tables = snapshot.hashes(raw)
    raw.close()
    content = (folder / "then.db").read_bytes()
    made = archive.Manifest("0.1.0", dump.stem, "box1", "2026-11-21T01:15:00.000Z", "none", tables,
                            (archive.File("store.db", len(content), sha256(content).hexdigest()),))
    with (folder / "then.tar.zst").open("wb") as sink:
        archive.write(sink, made, lambda _: (folder / "then.db").open("rb"), "", lambda _: None)
    return folder / "then.tar.zst"


def test_a_backup_of_a_newer_version_is_refused(office: Backing, tmp_path: Path) -> None:
    made = backup_of(DUMPS[-1], tmp_path)
    with made.open("rb") as file:
        newer = replace(archive.Reader(file, "").manifest, schema="9999_next")
    with made.open("wb") as sink:
        archive.write(sink, newer, lambda _: (tmp_path / "then.db").open("rb"), "", lambda _: None)
    seen = office.read(upload=made, passphrase="")
    assert seen.state == "failed" and "made by a newer Deskbell" in str(seen.reason) and office.count("call") == 3


@pytest.mark.parametrize("evil", [
    "CREATE TRIGGER bad AFTER INSERT ON call BEGIN DELETE FROM contact; END",
    "CREATE VIEW evil AS SELECT 1", "CREATE TABLE evil (x)", "DROP TABLE keyword",
    "DROP TRIGGER conversation_goes_on"])
def test_a_store_that_no_deskbell_made_is_refused(office: Backing, tmp_path: Path, evil: str) -> None:
    made = backup_of(DUMPS[-1], tmp_path)
    raw = sqlite3.connect(tmp_path / "then.db")
    raw.execute(evil)
    raw.commit()
    tables = snapshot.hashes(raw)
    raw.close()
    content = (tmp_path / "then.db").read_bytes()
    with made.open("rb") as file:
        manifest = replace(archive.Reader(file, "").manifest, tables=tables, files=(
            archive.File("store.db", len(content), sha256(content).hexdigest()),))
    with made.open("wb") as sink:
        archive.write(sink, manifest, lambda _: (tmp_path / "then.db").open("rb"), "", lambda _: None)
    seen = office.read(upload=made, passphrase="")
    assert seen.state == "failed" and "which is not as Deskbell makes it. Nothing was changed." in str(seen.reason)


def test_cut_off_in_the_middle_of_the_swap_the_old_store_is_whole(office: Backing, box: Box) -> None:
    one = office.back_up()
    office.call()
    wanted = everything(office.db)
    seen = office.read(backup_id=one.id)
    ready = restoring.aside(box, seen.id) / "store.db"
    raw = sqlite3.connect(ready)
    raw.execute("DELETE FROM contact")          # nothing may come of this: the leg below belongs to no call
    raw.execute("INSERT INTO leg (call_id, uniqueid, channel, is_caller, started_at) VALUES (99999, 'u', 'c', 1, 'x')")
    raw.commit()
    raw.close()
    rows.agree(office.db, seen.id, "Amy", office.now)
    office.serve()
    done = rows.restore(office.db, seen.id)
    assert done.state == "failed" and "Nothing was changed." in str(done.reason)
    assert everything(office.db) == wanted


def test_a_recording_of_another_call_with_the_same_number_is_not_overwritten(
        office: Backing, new_box: Backing) -> None:
    one = office.back_up(recordings="all")
    (new_box.box.recordings / "2026-11").mkdir()
    (new_box.box.recordings / "2026-11/2.wav").write_bytes(b"RIFF of somebody else")
    new_box.restore(upload=office.file(one), passphrase="")
    assert (new_box.box.recordings / "2026-11/2.wav").read_bytes() == b"RIFF of somebody else"
    (kept,) = new_box.db.execute("SELECT file FROM recording WHERE call_id = 2").fetchone()
    assert (new_box.box.recordings / kept).read_bytes() == (office.box.recordings / "2026-11/2.wav").read_bytes()
