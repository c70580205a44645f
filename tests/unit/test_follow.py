"""The follower of Asterisk's ledger: nothing missing, nothing twice, whatever the spool holds."""
from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance.box import clock
from appliance.calls import daemon, follow
from appliance.calls.bell import Ring, write_ring
from appliance.calls.records import Presentation
from appliance.config import Box
from appliance.store import db as store
from appliance.texts import rulebook
from tests.unit.spool import FIRST_US, MISSED, SpoolFile, entries

NOW = datetime(2026, 11, 21, 20, 10, 33, tzinfo=UTC)
CALLER = "+491701234567"
RINGING = "\n".join(MISSED.splitlines()[:5])
ANSWERED = RINGING + """
    ANSWER       | 1.1 | 3
    BRIDGE_ENTER | 1.1 |
    BRIDGE_ENTER | 1.0 |
"""


def rows(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Everything the ledger may have caused."""
    return {table: [tuple(row) for row in db.execute(f"SELECT * FROM {table}")]
            for table in ("call", "leg", "event", "sms", "segment", "refusal", "ledger_event", "ledger_cursor")}


def told(db: sqlite3.Connection) -> list[str]:
    return [row["kind"] for row in db.execute("SELECT kind FROM event ORDER BY id")]


def outcomes(db: sqlite3.Connection) -> list[str | None]:
    return [row["outcome"] for row in db.execute("SELECT outcome FROM call ORDER BY id")]


def take(db: sqlite3.Connection, box: Box, now: datetime = NOW) -> list[int]:
    """Follows the spool once from where we are, as the daemon does."""
    spool = follow.Spool(box.ledger)
    found, position = spool.after(follow.cursor(db, spool.id))
    ended = follow.apply(db, box, spool.id, found, position, now)
    spool.db.close()
    return ended


def test_the_calls_by_which_the_box_knows_that_it_is_well_fill_no_journal(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, caplog: pytest.LogCaptureFixture) -> None:
    """The health gate rings every few seconds, and the journal of a box is a small ring."""
    spool.add("CHAN_START | 9.0 | 0 | Local/s@healthy-00000001;1\nANSWER | 9.0 | 1\nLINKEDID_END | 9.0 | 2",
              linkedid="9.0")
    with caplog.at_level(logging.INFO):
        assert take(db, box) == []
    assert caplog.messages == [] and outcomes(db) == []


def test_a_missed_call_is_in_the_history_with_its_text_and_the_cursor_has_moved(
        box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(MISSED)
    assert take(db, box) == [1]
    call = db.execute("SELECT * FROM call").fetchone()
    assert (call["box"], call["boot"], call["linkedid"], call["number"], call["outcome"], call["ring_ms"]) == (
        "box1", 1, "1.0", CALLER, "missed", 9000)
    assert [tuple(row) for row in db.execute("SELECT number, state, call_id FROM sms")] == [(CALLER, "queued", 1)]
    assert follow.cursor(db, spool.id) == 9
    assert told(db).count("ended") == 1


def test_the_same_rows_twice_change_nothing(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(MISSED)
    take(db, box)
    before = rows(db)
    assert follow.apply(db, box, spool.id, entries(MISSED), 9, NOW) == []
    assert take(db, box) == []
    assert rows(db) == before


def test_a_call_that_comes_row_by_row_is_one_call_told_once(
        box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    ended = []
    for row in entries(MISSED):
        spool.add([row])
        ended += take(db, box, row.at)
    assert ended == [1]
    assert outcomes(db) == ["missed"]
    assert [kind for kind in told(db) if kind != "text"] == ["ringing", "ended"]
    assert db.execute("SELECT count(*) FROM sms").fetchone()[0] == 1


@pytest.mark.parametrize("table", ["ledger_event", "call", "leg", "event", "sms", "segment", "ledger_cursor"])
@pytest.mark.parametrize("how", ["ABORT", "ROLLBACK"])
def test_a_store_that_fails_in_a_batch_keeps_nothing_of_it_and_the_next_try_all(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, table: str, how: str) -> None:
    """A full disk, say; SQLite takes back the statement, or the whole transaction by itself."""
    spool.add(MISSED)
    db.execute(f"CREATE TEMP TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE({how}, 'disk is full'); END")
    before = rows(db)
    with pytest.raises(sqlite3.Error, match="disk is full"):
        take(db, box)
    assert rows(db) == before
    db.execute("DROP TRIGGER full")
    assert take(db, box) == [1]
    assert outcomes(db) == ["missed"]
    assert db.execute("SELECT count(*) FROM sms").fetchone()[0] == 1


def test_a_long_ledger_is_read_in_batches_to_its_end(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.db.execute("BEGIN")
    for number in range(70):
        spool.add(MISSED.replace("| 1.", f"| {number}."), linkedid=f"{number}.0", first=1)
    spool.db.execute("COMMIT")
    reader = follow.Spool(box.ledger)
    follower = daemon.Follower(db, box, daemon.Keeper(box))
    assert len(follower.catch_up(reader)) == 70
    assert follow.cursor(db, spool.id) == 630 > follow.BATCH
    assert outcomes(db) == ["missed"] * 70
    codes = [row["code"] for row in db.execute("SELECT code FROM refusal")]
    texts = db.execute("SELECT count(*) FROM sms").fetchone()[0]
    assert len(codes) + texts == 70, "each was decided"
    assert texts <= 1 and set(codes) <= {"late", "pause"}, "by the clock of today"


def test_a_new_spool_starts_at_its_first_row(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(MISSED)
    take(db, box)
    spool.close()
    for file in box.spool.glob("cel.db*"):
        file.unlink()
    later = SpoolFile(box.ledger, "5b01")
    later.add(MISSED, boot=2)
    assert take(db, box) == [2]
    assert [tuple(row) for row in db.execute("SELECT boot, linkedid FROM call")] == [(1, "1.0"), (2, "1.0")]
    later.close()


SENSE: dict[str, object] = {"kind": "HANGUP", "at": "1795291823.1", "uniqueid": "1.0", "linkedid": "1.0", "boot": "1"}
NONSENSE: dict[str, dict[str, object]] = {
    "nothing in it": dict.fromkeys(SENSE),
    "no linkedid": SENSE | {"linkedid": ""},
    "no channel's id": SENSE | {"uniqueid": None},
    "no kind": SENSE | {"kind": None},
    "no boot": SENSE | {"boot": None},
    "a word for the boot": SENSE | {"boot": "x"},
    "a boot beyond all": SENSE | {"boot": "9" * 30},
    "a word for the time": SENSE | {"at": "soon"},
    "no time": SENSE | {"at": None},
    "a time beyond all": SENSE | {"at": 1e300},
    "a time before 1970": SENSE | {"at": "-5"},
    "a year of five digits": SENSE | {"at": "999999999999"},
}


@pytest.mark.parametrize("row", NONSENSE.values(), ids=NONSENSE)
def test_a_row_that_makes_no_sense_is_passed_over_and_said_and_loses_no_other(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, row: dict[str, object],
        caplog: pytest.LogCaptureFixture) -> None:
    good = entries(MISSED)
    spool.add(good[:4])
    spool.raw(**row)
    spool.add(good[4:])
    assert take(db, box) == [1]
    assert outcomes(db) == ["missed"]
    assert follow.cursor(db, spool.id) == 10
    assert "Row 5 of Asterisk's ledger makes no sense and was passed over." in caplog.messages


@pytest.mark.parametrize("name", [b"\xc8\xe2\xe0\xed", "Iv\ud83dn".encode("utf-8", "surrogatepass")],
                         ids=["CP1251", "half a character"])
@pytest.mark.parametrize("form", ["a blob", "text"])
def test_a_name_that_is_not_utf_8_makes_a_call_without_a_name(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, name: bytes, form: str) -> None:
    spool.add(MISSED)
    spool.db.execute(f"UPDATE cel SET caller_name = {'CAST(? AS TEXT)' if form == 'text' else '?'} "
                     "WHERE uniqueid = '1.0'", (name,))
    take(db, box)
    assert tuple(db.execute("SELECT caller_name, number FROM call").fetchone()) == (None, CALLER)


def test_rows_of_a_call_without_its_first_are_said_and_hold_up_no_other(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, caplog: pytest.LogCaptureFixture) -> None:
    spool.add(entries(MISSED.replace("| 1.", "| 0."), linkedid="0.0")[1:])
    spool.add(MISSED)
    take(db, box)
    assert outcomes(db) == ["missed"]
    assert any("0.0 has no CHAN_START" in line for line in caplog.messages)


def test_two_boxes_of_epoch_ids_are_two_calls(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    """A box without a clock starts at 1970 again: the boot number tells the calls apart."""
    spool.add(MISSED, boot=1)
    spool.add(MISSED, boot=2)
    take(db, box)
    assert outcomes(db) == ["missed", "missed"]


@pytest.mark.parametrize(("age_s", "pops"), [(0, ["ringing"]), (59, ["ringing"]), (61, []), (86400, [])])
def test_only_a_fresh_ring_pops_up(box: Box, db: sqlite3.Connection, spool: SpoolFile, age_s: int,
                                   pops: list[str]) -> None:
    spool.add(RINGING)
    take(db, box, entries(RINGING)[0].at + timedelta(seconds=age_s))
    assert told(db) == pops


@pytest.mark.parametrize(("dialled", "pops"), [
    ("CHAN_START | 1.1 | | PJSIP/102-00000001 | 102", []),
    ("CHAN_START | 1.1 | | PJSIP/line1-00000001 | 030111222", ["ringing"])])
def test_a_call_from_inside_pops_up_once_it_has_a_line(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, dialled: str, pops: list[str]) -> None:
    """Between the row of Dial and that of the dialled channel nobody knows yet whether it leaves the house."""
    rows = entries(f"""
        CHAN_START | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | {dialled.rsplit(" ", 1)[1]}
        APP_START  | 1.0 |
        {dialled}
        """)
    for row in rows:
        assert not told(db)
        spool.add([row])
        take(db, box, row.at)
    assert told(db) == pops


def test_an_answered_call_is_told_when_it_is_answered(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(ANSWERED)
    take(db, box)
    assert "answered" in told(db) and "ended" not in told(db)
    assert outcomes(db) == [None]


def ring(linkedid: str = "1.0") -> Ring:
    return Ring(1, linkedid, "PJSIP/line1-00000000", CALLER, "Foo", CALLER, Presentation.ALLOWED)


def test_the_bell_and_the_ledger_write_one_call(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    write_ring(db, box, ring(), None, NOW)
    spool.add(MISSED)
    take(db, box)
    assert [tuple(row) for row in db.execute("SELECT outcome, bell FROM call")] == [("missed", "rang")]
    assert db.execute("SELECT count(*) FROM leg").fetchone()[0] == 2
    assert [kind for kind in told(db) if kind != "text"] == ["ringing", "ended"]


def test_a_bell_that_comes_late_pops_nothing_up_for_a_call_that_is_over(
        box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(MISSED)
    take(db, box, NOW + timedelta(hours=1))
    before = told(db)
    write_ring(db, box, ring(), None, NOW + timedelta(hours=1))
    assert told(db) == before
    assert outcomes(db) == ["missed"]


def test_a_bell_and_a_ledger_that_both_ring_pop_up_once(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(RINGING)
    take(db, box, entries(RINGING)[0].at)
    write_ring(db, box, ring(), None, NOW)
    take(db, box)
    assert told(db) == ["ringing"]


def test_a_bell_that_was_cut_is_on_the_call(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(MISSED.replace("CALLER ", "BELL_CUT | 1.0 | 0.8\n    CALLER "))
    take(db, box)
    assert db.execute("SELECT bell FROM call").fetchone()["bell"] == "cut"


def test_calls_that_asterisk_lost_end_as_interrupted_and_the_others_go_on(
        box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(ANSWERED)
    spool.add(ANSWERED.replace("| 1.", "| 2."), linkedid="2.0")
    take(db, box)
    assert follow.open_calls(db, box) == {(1, "1.0"), (1, "2.0")}
    assert follow.finish_cut_calls(db, box, {(1, "1.0")}, NOW) == [1]
    call = db.execute("SELECT * FROM call WHERE id = 1").fetchone()
    assert (call["outcome"], call["extension"], call["talk_ms"]) == ("interrupted", "101", 0)
    assert outcomes(db) == ["interrupted", None]
    assert follow.open_calls(db, box) == {(1, "2.0")}
    assert follow.finish_cut_calls(db, box, {(1, "1.0")}, NOW) == []


def test_an_interrupted_call_is_not_texted_and_says_why(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(RINGING)
    take(db, box)
    follow.finish_cut_calls(db, box, {(1, "1.0")}, NOW)
    assert db.execute("SELECT code FROM refusal").fetchone()["code"] == "interrupted"
    assert not db.execute("SELECT 1 FROM sms").fetchall()


@pytest.mark.parametrize("ledger", ["no rows", "no first row"])
def test_a_call_that_only_the_bell_knew_ends_as_interrupted(
        box: Box, db: sqlite3.Connection, spool: SpoolFile, ledger: str) -> None:
    """Asterisk died, or lost the row, before it was on the disk: the page must not ring for ever."""
    write_ring(db, box, ring(), None, NOW)
    if ledger == "no first row":
        spool.add(entries(RINGING)[1:])
        take(db, box)
    assert follow.finish_cut_calls(db, box, {(1, "1.0")}, NOW) == [1]
    assert outcomes(db) == ["interrupted"]
    assert told(db)[-1] == "ended"


def test_rows_of_calls_long_over_are_let_go_and_those_of_open_ones_stay(
        box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    spool.add(MISSED)
    spool.add(RINGING.replace("| 1.", "| 2."), linkedid="2.0")
    take(db, box)
    assert clock.forget_ledger_rows(db, NOW + timedelta(days=6)) == 0
    assert clock.forget_ledger_rows(db, NOW + timedelta(days=8)) == 9
    assert {row["linkedid"] for row in db.execute("SELECT linkedid FROM ledger_event")} == {"2.0"}
    assert outcomes(db) == ["missed", None]


def test_switched_off_texts_are_refused_with_the_reason(box: Box, db: sqlite3.Connection, spool: SpoolFile) -> None:
    with store.write(db):
        rulebook.switch(db, "missed", False, NOW)
    spool.add(MISSED)
    take(db, box)
    assert db.execute("SELECT code FROM refusal").fetchone()["code"] == "off"


def test_the_spool_is_only_read(box: Box, spool: SpoolFile) -> None:
    reader = follow.Spool(box.ledger)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.db.execute("DELETE FROM cel")
    reader.db.close()


def test_the_time_of_a_row_is_exact_to_the_microsecond(box: Box, spool: SpoolFile) -> None:
    spool.raw(kind="CHAN_START", at="1795291823.620123", uniqueid="1.0", linkedid="1.0", boot="1")
    reader = follow.Spool(box.ledger)
    assert reader.after(0)[0][0].at_us == FIRST_US + 620_123
    reader.db.close()


def test_a_follower_logs_no_whole_number(box: Box, db: sqlite3.Connection, spool: SpoolFile,
                                         caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    write_ring(db, box, ring(), None, NOW)
    spool.add(MISSED)
    take(db, box)
    assert caplog.messages
    assert not [line for line in caplog.messages if CALLER in line]
