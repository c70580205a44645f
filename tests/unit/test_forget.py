"""Forgetting a person: no row, no file, no byte of them, and no backup that brings them back."""
from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.calls import follow
from appliance.config import Box
from appliance.people import before, cards, forget, notes, tombstones, traces
from appliance.people.cards import Wish
from appliance.store import db as store
from appliance.texts import audience, guards, optouts
from tests.unit.spool import MISSED, SpoolFile, entries

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
NUMBER, WORK, OTHER = "+4915123456701", "+493023125222", "+4915123456702"
NAME = "Margaret Quillfeather"
WORDS = [NAME.encode(), b"4915123456701", b"15123456701", b"Quillfeather", b"945121436507F1", b"Frame LK-20418"]


@pytest.fixture
def full(db: sqlite3.Connection, box: Box) -> Iterator[str]:
    """A card with something of hers in every table there is, and another customer."""
    with store.write(db):
        other = cards.save(db, Wish("Halima Yusuf", numbers=[(OTHER, "")]), "DE", "Amy", NOW)
        db.execute("INSERT INTO contact_group (id, name) VALUES (1, 'Club riders')")
        who = cards.save(db, Wish(NAME, other_name="Quillfeather M.", company="Quillfeather Ltd", tags=["e-bike"],
                                  address="14 Quillfeather Lane", numbers=[(NUMBER, "mobile"), (WORK, "work")],
                                  fields=[("Frame", "Frame LK-20418")], groups=[1]), "DE", "Amy", NOW)
        for number, contact in ((NUMBER, who), (WORK, who), (OTHER, other)):
            dealt(db, box, number, contact)
        notes.keep(db, f"{NAME} pays by card.", "Amy", NOW, contact_id=who)
        notes.keep(db, "Halima pays in cash.", "Amy", NOW, contact_id=other)
    yield who


def dealt(db: sqlite3.Connection, box: Box, number: str, contact: str) -> None:
    """A call with all that follows it, a conversation, a group text, a promise."""
    at, name = store.iso(NOW), NAME if number != OTHER else "Halima"
    call = db.execute("""
        INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, caller_name, number, presentation,
                          contact_id, started_at, ended_at, outcome, is_clock_set)
        VALUES ('box1', 1, ?, 'line1', 'in', ?, ?, ?, 'allowed', ?, ?, ?, 'missed', 1) RETURNING id""",
        (number, number, name, number, contact, at, at)).fetchone()["id"]
    db.execute("INSERT INTO leg VALUES (?, 'a', 'PJSIP/line1', 'line1', 1, ?, NULL, NULL, NULL)", (call, at))
    db.execute("INSERT INTO event (at, kind, call_id) VALUES (?, 'ended', ?)", (at, call))
    (box.recordings / f"{call}.wav").write_bytes(b"RIFF" + number.encode())
    db.execute("INSERT INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut) "
               "VALUES (?, ?, ?, 1000, 10, 0)", (call, f"{call}.wav", at))
    db.execute("INSERT INTO ledger_event VALUES ('s', ?, 1, ?, '1', 'CHAN_START', 1, 'c', 'c', 's', ?, ?, '', '')",
               (call, number, number, name))
    db.execute("INSERT INTO ledger_event VALUES ('s', ?, 7, 'x', '1', 'CHAN_START', 1, 'c', 'c', ?, '', '', '', '')",
               (call + 100, "0" + number[3:]))
    db.execute("INSERT INTO refusal VALUES (?, 'r', 'c', ?, ?)", (call, f"{name} said no", at))
    notes.keep(db, f"{name} wants it before Sunday.", "Ben", NOW, call_id=call)
    for way, state in (("in", "received"), ("out", "sent")):
        sms = db.execute("""
            INSERT INTO sms (direction, number, text, state, created_at, due_at, sent_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id""",
            (way, number, f"Dear {name}", state, at, at, at, at)).fetchone()["id"]
        db.execute("INSERT INTO segment (sms_id, part, pdu, state) VALUES (?, 1, ?, 'sent')",
                   (sms, traces.words_of([number], None)[1].decode()))
    campaign = db.execute("""
        INSERT INTO campaign (name, text, audience, schedule, state, created_at, updated_at)
        VALUES ('Winter', 'x', ?, '{"kind": "now"}', 'done', ?, ?) RETURNING id""",
        (json.dumps({"rows": [{"number": "0" + number[3:]}, {"number": "0170 9999999"}]}), at, at)).fetchone()["id"]
    occurrence = db.execute("INSERT INTO occurrence (campaign_id, due_key, due_at, state) VALUES (?, 'x', ?, 'done') "
                            "RETURNING id", (campaign, at)).fetchone()["id"]
    db.execute("INSERT INTO recipient (occurrence_id, number, contact_id, state, text) VALUES (?, ?, ?, 'queued', ?)",
               (occurrence, number, contact, f"Dear {name}"))
    db.execute("INSERT INTO long_text (number, concatenation, parts, sent_at, received_at) VALUES (?, 1, 2, ?, ?)",
               (number, at, at))
    db.execute("INSERT INTO opt_out VALUES (?, ?, 'reply', 'STOP')", (number, at))
    db.execute("INSERT INTO settled VALUES (?, ?, 'Amy')", (number, at))
    db.execute("""INSERT INTO callback (number, contact_id, about, due_at, by_user, created_at, updated_at)
                  VALUES (?, ?, ?, ?, 'Amy', ?, ?)""", (number, contact, name, at, at, at))
    db.execute("INSERT INTO call_list (name, created_at, updated_at) VALUES (?, ?, ?)", (f"List {call}", at, at))
    db.execute("INSERT INTO call_list_entry (call_list_id, number, name, contact_id, due_at) "
               "VALUES ((SELECT max(id) FROM call_list), ?, ?, ?, ?)", (number, name, contact, at))
    brought = db.execute("""
        INSERT INTO import (file, format, plan, state, by_user, created_at)
        VALUES ('x.csv', 'csv', '{}', 'done', 'Amy', ?) RETURNING id""", (at,)).fetchone()["id"]
    db.execute("INSERT INTO import_change VALUES (?, ?, ?)", (brought, contact, json.dumps({"company": name})))
    db.execute("INSERT INTO import_remark VALUES (?, 1, 1, 'No.', ?)", (brought, json.dumps(["x", f"0{number[3:]}"])))
    db.execute("INSERT INTO import_remark VALUES (?, 2, 1, 'No.', ?)", (brought, json.dumps([name, "12"])))
    db.execute("INSERT INTO phone_order (kind, extension, target, by_user, at, state) "
               "VALUES ('dial', '101', ?, 'Amy', ?, 'done')", (number, at))


def bytes_of(box: Box) -> bytes:
    """All that lies in the store's folder and among the recordings."""
    return b"".join(file.read_bytes() for folder in (box.store.parent, box.recordings)
                    for file in sorted(folder.rglob("*")) if file.is_file() and "shm" not in file.name)


def rows(db: sqlite3.Connection) -> dict[str, int]:
    return {row["name"]: db.execute(f"SELECT count(*) FROM {row['name']}").fetchone()[0] for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' "
        "AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%\\_search\\_%' ESCAPE '\\'")}


def test_not_a_byte_of_the_person_is_left_in_any_file(full: str, db: sqlite3.Connection, box: Box) -> None:
    store.connect(box.store).close()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert all(word in bytes_of(box) for word in WORDS)
    receipt = forget.receipt(db, forget.forget(db, box, full, [], "Amy", NOW))
    left = bytes_of(box)
    assert [word for word in WORDS if word in left] == []
    assert receipt and receipt.swept_at == NOW


def test_no_three_letters_of_the_name_are_left_in_a_search_index(
        full: str, db: sqlite3.Connection, box: Box) -> None:
    def known(index: str) -> bool:
        return any(b"uil" in row["block"] for row in db.execute(f"SELECT block FROM {index}_data"))
    assert all(known(index) for index in ("contact_search", "note_search", "line_name_search"))
    forget.forget(db, box, full, [], "Amy", NOW)
    assert [known(index) for index in ("contact_search", "note_search", "line_name_search")] == [False] * 3


def test_the_other_customer_keeps_everything(full: str, db: sqlite3.Connection, box: Box) -> None:
    forget.forget(db, box, full, [], "Amy", NOW)
    kept = rows(db)
    once = ("contact", "call", "recording", "refusal", "opt_out", "settled", "callback", "call_list_entry",
            "phone_order", "recipient", "conversation", "long_text")
    assert {table: kept[table] for table in once} == dict.fromkeys(once, 1)
    assert kept["import_change"] == 1 and kept["import_remark"] == 2
    assert kept["sms"] == 2 and kept["note"] == 2 and kept["ledger_event"] == 2
    assert b"4915123456702" in bytes_of(box) and len(list(box.recordings.rglob("*.wav"))) == 1
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok" and not db.execute(
        "PRAGMA foreign_key_check").fetchall()


def test_a_list_that_was_pasted_keeps_the_others(full: str, db: sqlite3.Connection, box: Box) -> None:
    forget.forget(db, box, full, [], "Amy", NOW)
    lists = [json.loads(row["audience"])["rows"] for row in db.execute("SELECT audience FROM campaign ORDER BY id")]
    assert lists == [[{"number": "0170 9999999"}]] * 2 + [[{"number": "015123456702"}, {"number": "0170 9999999"}]]


def test_the_receipt_counts_and_names_nobody(full: str, db: sqlite3.Connection, box: Box) -> None:
    seen = forget.preview(db, "DE", full, [NUMBER, WORK])
    receipt = forget.receipt(db, forget.forget(db, box, full, [], "Amy", NOW))
    assert receipt and receipt.counts | {"changes": 0} == seen | {"changes": 0}
    assert receipt.counts["calls"] == 2 and receipt.counts["texts"] == 4 and receipt.counts["notes"] == 3
    assert "Quill" not in str(receipt) and "4915" not in str(receipt)


def test_who_has_no_card_is_forgotten_by_the_number(full: str, db: sqlite3.Connection, box: Box) -> None:
    with store.write(db):
        db.execute("DELETE FROM contact WHERE name LIKE 'Margaret%'")
    forget.forget(db, box, None, [NUMBER], "Amy", NOW)
    assert b"4915123456701" not in bytes_of(box)
    assert forget.is_forgotten(db, NUMBER) and not forget.is_forgotten(db, WORK)


def test_nobody_is_forgotten_while_on_the_telephone(full: str, db: sqlite3.Connection, box: Box) -> None:
    with store.write(db):
        db.execute("UPDATE call SET ended_at = NULL, outcome = NULL WHERE number = ?", (WORK,))
    was = rows(db)
    with pytest.raises(forget.ForgetError, match="on the telephone now. Nothing was removed"):
        forget.forget(db, box, full, [], "Amy", NOW)
    assert rows(db) == was


def test_nobody_is_forgotten_while_a_text_is_on_its_way(full: str, db: sqlite3.Connection, box: Box) -> None:
    with store.write(db):
        db.execute("UPDATE sms SET state = 'sending' WHERE number = ? AND direction = 'out'", (NUMBER,))
    with pytest.raises(forget.ForgetError, match="being sent just now"):
        forget.forget(db, box, full, [], "Amy", NOW)


def test_an_opt_out_outlives_its_number_as_a_hash(full: str, db: sqlite3.Connection, box: Box) -> None:
    forget.forget(db, box, full, [], "Amy", NOW)
    assert tombstones.wants_no_texts(db, NUMBER) and not tombstones.wants_no_texts(db, "+4917099")
    with store.write(db):
        assert tombstones.welcome(db, NUMBER) and not tombstones.welcome(db, NUMBER)
    assert not tombstones.wants_no_texts(db, NUMBER) and tombstones.is_forgotten(db, NUMBER)


def test_who_wanted_no_texts_gets_none_by_a_rule_or_a_pasted_list_after_being_forgotten(
        full: str, db: sqlite3.Connection, box: Box) -> None:
    forget.forget(db, box, full, [], "Amy", NOW)
    assert optouts.has(db, NUMBER) and guards.recent(db, NUMBER, NOW).is_opted_out
    chosen, out = audience.select(db, {"rows": [{"number": NUMBER}, {"number": "+4915123456709"}]}, "DE", NOW)
    assert [one.number for one in chosen] == ["+4915123456709"] and [one.number for one in out] == [NUMBER]
    with store.write(db):
        assert optouts.remove(db, NUMBER)                    # they texted START, or a person noted it
    assert not optouts.has(db, NUMBER) and not guards.recent(db, NUMBER, NOW).is_opted_out


def test_a_backup_from_before_brings_nobody_back(full: str, db: sqlite3.Connection, box: Box, tmp_path: Path) -> None:
    restored, its_box = copy_of(db, box, tmp_path)
    forget.forget(db, box, full, [], "Amy", NOW)
    assert forget.again(db, restored, its_box, NOW) == 3, "the card and its two numbers"
    assert [word for word in WORDS if word in bytes_of(its_box)] == [] and b"Halima" in bytes_of(its_box)
    assert forget.receipts(restored) and forget.again(db, restored, its_box, NOW) == 0
    restored.close()


def test_a_backup_brings_nobody_back_by_a_number_of_before_or_without_one(
        full: str, db: sqlite3.Connection, box: Box, tmp_path: Path) -> None:
    with store.write(db):
        bare = cards.save(db, Wish("Quillfeather Without"), "DE", "Amy", NOW)
    restored, its_box = copy_of(db, box, tmp_path)
    with store.write(db):
        db.execute("DELETE FROM contact_number WHERE number = ?", (WORK,))
        db.execute("UPDATE contact_number SET number = '+4915123456709' WHERE number = ?", (NUMBER,))
    forget.forget(db, box, full, [], "Amy", NOW)
    forget.forget(db, box, bare, [], "Amy", NOW)
    forget.again(db, restored, its_box, NOW)
    assert [word for word in WORDS if word in bytes_of(its_box)] == [] and b"Halima" in bytes_of(its_box)
    assert [row[0] for row in restored.execute("SELECT name FROM contact")] == ["Halima Yusuf"]
    restored.close()


def test_who_came_again_after_being_forgotten_stays_in_a_backup_of_then(
        full: str, db: sqlite3.Connection, box: Box, tmp_path: Path) -> None:
    forget.forget(db, box, full, [], "Amy", NOW)
    with store.write(db):
        cards.save(db, Wish("Margaret", numbers=[(NUMBER, "")]), "DE", "Amy", NOW + timedelta(days=9))
    restored, its_box = copy_of(db, box, tmp_path)
    assert forget.again(db, restored, its_box, NOW) == 0 and cards.find(restored, NUMBER)
    restored.close()


def copy_of(db: sqlite3.Connection, box: Box, tmp_path: Path) -> tuple[sqlite3.Connection, Box]:
    """What a restore of a backup taken now would make."""
    its = replace(box, state=tmp_path / "restored")
    its.recordings.mkdir(parents=True)
    db.execute("VACUUM INTO ?", (str(its.store),))
    for file in box.recordings.glob("*.wav"):
        shutil.copy(file, its.recordings / file.name)
    return store.connect(its.store), its


def test_asterisks_spool_read_again_after_a_restore_brings_nobody_back(
        db: sqlite3.Connection, box: Box, spool: SpoolFile) -> None:
    caller, now = "+491701234567", datetime(2026, 11, 21, 21, tzinfo=UTC)
    with store.write(db):
        tombstones.mark(db, [caller], now)
    follow.apply(db, box, spool.id, entries(MISSED), 9, now)
    assert not db.execute("SELECT 1 FROM call").fetchone() and not db.execute("SELECT 1 FROM ledger_event").fetchone()
    later = [replace(row, at_us=row.at_us + 7_200_000_000, linkedid="9.0", position=row.position + 20,
                     uniqueid=row.uniqueid.replace("1.", "9.")) for row in entries(MISSED)]
    follow.apply(db, box, spool.id, later, 29, now + timedelta(hours=3))
    assert db.execute("SELECT number FROM call").fetchone()["number"] == caller


def test_a_box_that_does_not_know_the_time_drops_no_call_of_who_was_forgotten(
        db: sqlite3.Connection, box: Box, spool: SpoolFile) -> None:
    with store.write(db):
        tombstones.mark(db, ["+491701234567"], datetime(2027, 1, 1, tzinfo=UTC))
    follow.apply(db, box, spool.id, entries(MISSED), 9, NOW)
    assert db.execute("SELECT 1 FROM call").fetchone()


def test_a_card_that_was_deleted_before_leaves_no_image(full: str, db: sqlite3.Connection, box: Box) -> None:
    before_id = before.delete(db, full, "Amy", NOW)
    with store.write(db):
        before.undo_delete(db, before_id, "Amy", NOW)
    forget.forget(db, box, full, [], "Amy", NOW)
    assert [word for word in WORDS if word in bytes_of(box)] == []


def test_a_call_written_meanwhile_never_waits_long(full: str, db: sqlite3.Connection, box: Box) -> None:
    at = store.iso(NOW)
    with store.write(db):
        db.executemany("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, contact_id, started_at,
                              ended_at, outcome, is_clock_set)
            VALUES ('box1', 2, ?, 'in', ?, ?, 'allowed', ?, ?, ?, 'missed', 1)""",
            [(str(n), NUMBER, NUMBER, full, at, at) for n in range(600)])
    waits: list[float] = []
    done = threading.Event()

    def ring() -> None:
        line, n = store.connect(box.store), 0
        while not done.is_set():
            since = datetime.now(UTC)
            with store.write(line):
                waits.append((datetime.now(UTC) - since).total_seconds())
                line.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (at,))
            done.wait(0.005)
            n += 1
        line.close()

    ringing = threading.Thread(target=ring)
    ringing.start()
    forget.forget(db, box, full, [], "Amy", NOW)
    done.set()
    ringing.join()
    assert db.execute("SELECT count(*) FROM call").fetchone()[0] == 1
    assert len(waits) > 5 and sorted(waits)[len(waits) // 2] < 0.05


def test_what_a_divided_page_may_keep_is_written_over_at_night(full: str, db: sqlite3.Connection, box: Box) -> None:
    forget.forget(db, box, full, [], "Amy", NOW)
    with store.write(db):
        db.execute("UPDATE forget_receipt SET swept_at = NULL")
    assert not traces.sweep(db, NOW, hour=12)
    live = db.execute("""
        INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, is_clock_set)
        VALUES ('b', 1, 'l', 'in', '1', 'allowed', ?, 1) RETURNING id""", (store.iso(NOW),)).fetchone()["id"]
    assert not traces.sweep(db, NOW, hour=3)
    db.execute("DELETE FROM call WHERE id = ?", (live,))
    assert traces.sweep(db, NOW, hour=3) and not traces.sweep(db, NOW, hour=3)
    assert forget.receipts(db)[0].swept_at == NOW


# Columns that hold no number of a person, or that go with the row they belong to.
NOT_A_PERSON = {("modem", "number"), ("contact_number", "number"), ("directory_copy", "number"), ("call", "number"),
                ("call", "caller_id"), ("ledger_event", "caller_id")}


def test_every_table_that_holds_a_number_is_known_to_forget(db: sqlite3.Connection) -> None:
    holding = {(table["name"], column["name"]) for table in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%search%'").fetchall()
        for column in db.execute(f"PRAGMA table_info({table['name']})")
        if column["name"] in ("number", "caller_id", "target", "caller", "from_number", "to_number")}
    known = {(table, column) for table, (column, _) in forget.NUMBERED.items()}
    assert holding - known - NOT_A_PERSON == set()


def test_a_table_that_refers_to_a_card_by_another_way_is_known(db: sqlite3.Connection) -> None:
    """What has a contact_id and does not go with the card is asked for it."""
    asked = set(forget.BY_CARD) | {"call"}
    for table in [row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]:
        for key in db.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            if key["table"] == "contact" and key["on_delete"] != "CASCADE":
                assert table in asked, table
