"""A backup is what the live store was, proved row by row, or it is not called good."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from appliance.backup import archive, rows, snapshot
from appliance.config import Box
from appliance.store import db as store
from tests.unit.backing import Backing


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Iterator[Backing]:
    made = Backing(db, box)
    made.fill()
    yield made
    made.close()


def test_a_backup_is_made_put_away_and_proved(office: Backing) -> None:
    one = office.back_up()
    assert (one.state, one.reason, one.place) == ("proven", None, "This box")
    assert one.counts["calls"] == 3 and one.counts["customers"] == 1 and one.counts["recordings"] == 0
    assert office.file(one).stat().st_size == one.size_bytes
    assert not list((office.box.state / "backups/work").iterdir()), "no copy of the office's calls is left about"


def test_with_a_passphrase_it_is_an_age_file_and_a_wrong_one_says_so(office: Backing) -> None:
    office.passphrase()
    one = office.back_up()
    assert one.is_encrypted and one.state == "proven"
    content = office.file(one).read_bytes()
    assert content.startswith(b"age-encryption.org/v1\n") and b"Margaret" not in content
    seen = office.read(backup_id=one.id, passphrase="four other words here")
    assert seen.state == "failed" and seen.reason == "The passphrase does not open it. Nothing was changed."


@pytest.mark.parametrize(("which", "count"), [("all", 3), ("starred", 1), ("none", 0)])
def test_recordings_go_along_by_choice(office: Backing, which: str, count: int) -> None:
    assert office.back_up(recordings=which).counts["recordings"] == count


def test_a_copy_with_one_row_removed_or_changed_fails(office: Backing, tmp_path: Path) -> None:
    _, tables = snapshot.copy(office.box.store, tmp_path / "copy.db", tmp_path / "store.db", lambda *_: None)
    good = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    assert snapshot.difference(tables, snapshot.hashes(good)) == ""
    for change, told in (
            ("DELETE FROM recording WHERE call_id = 2", "recording has 2 rows; the live one had 3"),
            ("UPDATE call SET caller_name = 'x' WHERE id = 3", "A row of the table call"),
            ("UPDATE setting SET value = value || ' '", ""),
            ("UPDATE contact SET is_vip = 1", "A row of the table contact"),
            ("INSERT INTO setting VALUES ('ring_s', '20')", "setting has"),
            ("CREATE TRIGGER bad AFTER INSERT ON call BEGIN DELETE FROM sms; END", "sqlite_schema has"),
            ("DROP TABLE keyword", "The table keyword is missing")):
        good.execute("BEGIN")
        good.execute(change)
        assert told in snapshot.difference(tables, snapshot.hashes(good)), change
        assert bool(told) == bool(snapshot.difference(tables, snapshot.hashes(good)))
        good.execute("ROLLBACK")
    good.close()


def test_two_rows_that_swap_a_value_are_seen(tmp_path: Path) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, '3'), (4, 3.0)")
    before = snapshot.hashes(db)
    for change in ("UPDATE t SET b = CASE a WHEN 1 THEN 'y' WHEN 2 THEN 'x' ELSE b END",
                   "UPDATE t SET b = 3 WHERE a = 3",
                   "UPDATE t SET b = 3 WHERE a = 4", "UPDATE t SET a = 1, b = 'x' WHERE a = 2"):
        db.execute("BEGIN")
        db.execute(change)
        assert snapshot.difference(before, snapshot.hashes(db)), change
        db.execute("ROLLBACK")


def test_a_backup_whose_store_lost_a_row_on_the_way_is_not_called_good(office: Backing, tmp_path: Path) -> None:
    """The manifest is of the live store; the copy beside it is another one, however well sealed."""
    one = office.back_up()
    with office.file(one).open("rb") as file:
        live = archive.Reader(file, "").manifest
    _, _ = snapshot.copy(office.box.store, tmp_path / "copy.db", tmp_path / "store.db", lambda *_: None)
    with sqlite3.connect(tmp_path / "store.db") as lossy:
        lossy.execute("DELETE FROM recording WHERE call_id = 2")
    content = (tmp_path / "store.db").read_bytes()
    forged = replace(live, tables=snapshot.hashes(office.db), files=(
        archive.File("store.db", len(content), sha256(content).hexdigest()),))
    with office.file(one).open("wb") as file:
        archive.write(file, forged, lambda _: (tmp_path / "store.db").open("rb"), "", lambda _: None)
    with store.write(office.db):
        office.db.execute("UPDATE backup SET manifest_sha256 = ?, file_sha256 = ?", (
            sha256(forged.as_bytes()).hexdigest(), sha256(office.file(one).read_bytes()).hexdigest()))
    rows.prove_again(office.db, one.id)
    office.serve()
    told = rows.backup(office.db, one.id)
    assert told.state == "failed" and told.reason and told.reason.startswith("The table ")


def test_a_backup_with_another_list_than_the_live_stores_is_not_called_good(office: Backing) -> None:
    one = office.back_up()
    office.call()
    other = office.back_up()
    office.file(one).write_bytes(office.file(other).read_bytes())
    rows.prove_again(office.db, one.id)
    office.serve()
    assert rows.backup(office.db, one.id).reason == "Its list is not the one that was taken from the live store."


@pytest.mark.parametrize("has_passphrase", [False, True], ids=["plain", "sealed"])
def test_a_flipped_byte_anywhere_is_found_when_it_is_proved_again(office: Backing, has_passphrase: bool) -> None:
    if has_passphrase:
        office.passphrase()
    one = office.back_up(recordings="all")
    whole = office.file(one).read_bytes()
    places = [0, 30, 100, 200, *range(300, len(whole), len(whole) // 12), len(whole) - 30, len(whole) - 1]
    for place in places:
        office.file(one).write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1:])
        rows.prove_again(office.db, one.id)
        office.serve()
        assert rows.backup(office.db, one.id).state == "failed", place
    office.file(one).write_bytes(whole)
    rows.prove_again(office.db, one.id)
    office.serve()
    assert rows.backup(office.db, one.id).state == "proven"


def test_calls_that_come_while_it_is_made_are_in_the_next_one(office: Backing) -> None:
    other = store.connect(office.box.store)
    count = 0

    def a_call_comes() -> None:
        nonlocal count
        if count < 5:
            count += 1
            with store.write(other):
                other.execute("INSERT INTO setting VALUES (?, '1')", (f"during{count}",))

    office.alive = a_call_comes
    one = office.back_up()
    other.close()
    assert one.state == "proven" and count == 5


def test_what_was_deleted_is_not_in_it(office: Backing, tmp_path: Path) -> None:
    with store.write(office.db):
        office.db.executemany("INSERT INTO setting VALUES (?, '\"Forgotten Fiona\"')", [(f"k{n}",) for n in range(500)])
    with store.write(office.db):
        office.db.execute("DELETE FROM setting WHERE key LIKE 'k%'")
    snapshot.copy(office.box.store, tmp_path / "copy.db", tmp_path / "store.db", lambda *_: None)
    assert b"Forgotten Fiona" not in (tmp_path / "store.db").read_bytes()
    assert not (tmp_path / "copy.db").exists()


def test_cancelled_it_stops_and_leaves_nothing(office: Backing) -> None:
    with store.write(office.db):
        backup_id = rows.ask(office.db, office.here.id, "Amy", office.now)
    assert backup_id
    rows.cancel(office.db, backup_id)
    office.serve()
    one = rows.backup(office.db, backup_id)
    assert one.state == "cancelled" and not list((office.box.state / "backups").glob("deskbell-*"))


def test_one_that_was_cut_off_says_so_and_a_nights_is_begun_again(office: Backing) -> None:
    with store.write(office.db):
        by_hand = rows.ask(office.db, office.here.id, "Amy", office.now)
        nightly = rows.ask(office.db, office.here.id, "the box", office.now, night="2026-11-21")
        office.db.execute("UPDATE backup SET state = 'copying'")
    office.close()
    office.worker = office.another_worker()
    assert by_hand and rows.backup(office.db, by_hand).state == "failed"
    office.serve()
    assert nightly and rows.backup(office.db, nightly).state == "proven"


def test_without_a_passphrase_nothing_leaves_the_box(office: Backing) -> None:
    with store.write(office.db):
        stick = rows.add_place(office.db, "Amy", office.now, "usb", "Stick", "KINGFISHER")
    one = office.back_up(stick)
    assert one.state == "failed" and str(one.reason).startswith("Without a passphrase nothing leaves this box")


def test_the_manifest_says_what_is_in_it(office: Backing) -> None:
    one = office.back_up(recordings="all")
    with office.file(one).open("rb") as file:
        made = archive.Reader(file, "").manifest
    assert (made.box, made.recordings, made.schema) == ("box1", "all", sorted(
        step.stem for step in store.SCHEMA.glob("[0-9]*.sql"))[-1])
    assert made.tables["call"].rows == 3 and made.taken_at == store.iso(office.now)
    assert [file.name for file in made.files if file.name != "box.toml"] == [
        "store.db", "recordings/2026-11/1.wav", "recordings/2026-11/2.wav", "recordings/2026-11/3.wav"]


def test_anybody_opens_one_with_tar(office: Backing, tmp_path: Path) -> None:
    import tarfile
    from compression.zstd import ZstdFile
    one = office.back_up(recordings="starred")
    with ZstdFile(office.file(one)) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        names = [member.name for member in tar if member.isreg()]
    assert names[0] == "manifest.json" and names[-1] == "recordings/2026-11/1.wav"


def test_places_and_secrets_stay_out_of_what_a_thief_can_read(office: Backing) -> None:
    office.passphrase("a passphrase like no other")
    with store.write(office.db):
        rows.add_place(office.db, "Amy", office.now, "sftp", "NAS", "127.0.0.1:9/backups", "amy", "sekret-password")
    everything = "\n".join(office.db.iterdump())
    assert "a passphrase like no other" not in everything and "sekret-password" not in everything
    key = office.box.state / "backups/key"
    assert key.stat().st_mode & 0o777 == 0o600
