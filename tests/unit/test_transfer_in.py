"""Files of customers are brought in once and taken back whole, whoever is killed or stopped when."""
from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from datetime import timedelta

import pytest

from appliance.config import Box
from appliance.people import (
    contacts,
    links,
    transfer_cards,
    transfer_store,
    transfer_work,
)
from appliance.people.transfer import SKIP, TransferError
from appliance.store import db as store
from tests.bench.bench_campaign import Lock
from tests.unit.clerk import NOW, Clerk


@pytest.fixture
def clerk(db: sqlite3.Connection, box: Box) -> Clerk:
    return Clerk(db, box)


# --- bringing in and taking back ---

def test_of_a_number_that_somebody_has_the_card_is_completed_and_not_overwritten(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile;Company\nMargaret;0151 23456701;Osei\n")
    more = "Name;Mobile;Work;Company;Town;Group;Bike\nM. Osei;0151 23456701;030 123456;X;Leeds;VIP;Giant\n"
    number = clerk.bring_in(more)
    card = clerk.card("+4930123456")
    assert (card.name, card.company, card.address) == ("Margaret", "Osei", "Leeds")
    assert card.fields == (("Bike", "Giant"),) and [name for _, name in card.groups] == ["VIP"]
    assert transfer_store.get(clerk.db, number).joined == 1
    again = clerk.bring_in(more)
    assert (transfer_store.get(clerk.db, again).joined, transfer_store.get(clerk.db, again).same) == (0, 1)


def test_whoever_has_a_card_is_left_alone_when_asked(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile\nMargaret;0151 23456701\n")
    number = clerk.bring_in("Name;Mobile;Town\nM;0151 23456701;Leeds\nM2;0151 23456701;Ulm\nNew;0151 23456702;\n",
                            duplicates=SKIP)
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined, it.same) == (1, 0, 2) and clerk.card("+4915123456701").address is None


def test_somebody_who_stands_in_the_file_twice_is_one_card(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile;Work\nBen;0151 23456701;\nBen A.;0151 23456701;030 123456\nC;030 123456;\n")
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined) == (1, 2)
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    clerk.work()
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined, it.same) == (1, 1, 1)
    assert [one.number for one in clerk.card("+4930123456").numbers] == ["+4915123456701", "+4930123456"]


def test_undo_leaves_everything_as_it_was(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile;Group\nMargaret;0151 23456701;VIP\nBen;0151 23456702;\n")
    before = clerk.everything()
    number = clerk.bring_in("Name;Mobile;Work;Company;Town;Group;Tag;Bike;VIP;Note\n"
                            "M;0151 23456701;030 123456;X;Leeds;VIP, New;gold;Giant;yes;likes tea\n"
                            "M;0151 23456701;030 123457;Y;;Other;;;;\nNeu;0151 23456703;;;;New;t;b;;hello\n",
                            now=NOW + timedelta(hours=1))
    assert clerk.everything() != before
    it = clerk.undo(number)
    assert (it.state, it.kept) == ("undone", 0) and clerk.everything() == before
    assert clerk.db.execute("SELECT count(*) FROM import_change WHERE import_id = ?", (number,)).fetchone()[0] == 0


def test_undo_keeps_what_a_person_changed_since(clerk: Clerk) -> None:
    number = clerk.bring_in("Name;Mobile;Work\nA;0151 23456701;\n"
                            "B;0151 23456702;\nC;0151 23456703;\nD;0151 23456704;\n")
    later = NOW + timedelta(days=5)
    with store.write(clerk.db):
        contacts.save(clerk.db, contacts.Wish("A changed", numbers=[("0151 23456701", "")]), "DE", "ben", later,
                      clerk.card("+4915123456701").id)
        clerk.db.execute("""
            INSERT INTO note (contact_id, text, by_user, created_at, updated_at)
            VALUES (?, 'x', 'b', ?, ?)""", (clerk.card("+4915123456702").id, store.iso(later), store.iso(later)))
    it = clerk.undo(number)
    assert it.kept == 2
    assert [row[0] for row in clerk.db.execute("SELECT name FROM contact ORDER BY name")] == ["A changed", "B"]


def test_undo_of_what_was_added_to_a_card_leaves_what_a_person_wrote_over_it(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile\nMargaret;0151 23456701\n")
    number = clerk.bring_in("Name;Mobile;Company;Town\nM;0151 23456701;Osei;Leeds\n", now=NOW + timedelta(hours=1))
    with store.write(clerk.db):
        contacts.save(clerk.db, contacts.Wish("Margaret", company="Osei & Sons", address="Leeds",
                                              numbers=[("0151 23456701", "")]), "DE", "ben", NOW + timedelta(days=1),
                      clerk.card("+4915123456701").id)
    clerk.undo(number)
    card = clerk.card("+4915123456701")
    assert (card.company, card.address, card.updated_at) == ("Osei & Sons", None, NOW + timedelta(days=1))


def people(count: int) -> str:
    return "Name;Mobile;Group\n" + "".join(f"Rider{n};0151{20000000 + n};{'VIP' if n % 3 else 'Team'}\n"
                                          for n in range(count))


def attend_and_die(box: Box, killed_after: int) -> None:
    """The clock works and is killed in the midst of a transaction after so many."""
    fresh, begun = store.connect(box.store), []

    def count(statement: str) -> None:
        begun.extend([1] * (statement == "BEGIN IMMEDIATE"))
        if len(begun) > killed_after:
            fresh.interrupt()
    fresh.set_trace_callback(count)
    with contextlib.suppress(sqlite3.OperationalError):
        transfer_work.attend(fresh, box, NOW)
    fresh.set_trace_callback(None)
    fresh.close()


@pytest.mark.parametrize("killed_after", [1, 3, 7])
def test_killed_in_the_middle_it_goes_on_exactly_there(clerk: Clerk, box: Box, killed_after: int) -> None:
    number = clerk.check(people(1500))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    while transfer_store.get(clerk.db, number).state == "importing":
        attend_and_die(box, killed_after)
    it = transfer_store.get(clerk.db, number)
    assert (it.state, it.added, it.joined) == ("done", 1500, 0)
    assert clerk.db.execute("SELECT count(*) FROM contact").fetchone()[0] == 1500
    assert clerk.db.execute("SELECT count(*) FROM import_change").fetchone()[0] == 1500
    assert clerk.undo(number).kept == 0 and clerk.everything() == [[]] * 7


def test_the_write_lock_is_held_shortly(clerk: Clerk) -> None:
    """By the processor's clock: what a loaded machine adds is not ours."""
    number = clerk.check(people(4000))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    for what in (clerk.work, lambda: clerk.undo(number), lambda: links.settle(clerk.db)):
        lock = Lock(clerk.db, time.thread_time)
        what()
        clerk.db.set_trace_callback(None)
        held = sorted(lock.held_ms)
        assert len(held) > 10 and held[len(held) * 9 // 10] < 12 and held[-1] < 40, held[-9:]
    assert clerk.everything() == [[]] * 7 and not clerk.db.execute("SELECT 1 FROM relink").fetchone()
    assert clerk.db.execute("SELECT v FROM contact_search_config WHERE k = 'deletemerge'").fetchone()[0] == 0


def test_rows_without_a_number_come_in_together_too(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile\nBen;\n")
    lock = Lock(clerk.db)
    number = clerk.bring_in("Name;Company\n" + "".join(f"Rider{n};Velo\nRIDER{n};\n" for n in range(300)) + "bEN;\n")
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined, it.same) == (300, 0, 301) and len(lock.held_ms) < 40


def test_another_number_taken_meanwhile_is_joined_and_not_doubled(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile\nBen;0151 23456701\n")
    with store.write(clerk.db):
        contacts.add(clerk.db, "Somebody typed it", ["0151 23456701"], "DE", NOW)
        transfer_store.bring_in(clerk.db, number, NOW)
    clerk.work()
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.same) == (0, 1) and clerk.card("+4915123456701").name == "Somebody typed it"


def test_people_without_a_number_come_in_once(clerk: Clerk) -> None:
    for _ in range(2):
        clerk.bring_in("Name;Mobile;Company\nBen;;Velo\nBen;;Velo\nAnna;;\n")
    assert [row[0] for row in clerk.db.execute("SELECT name FROM contact ORDER BY name")] == ["Anna", "Ben"]


def test_a_file_that_cannot_be_read_to_its_end_brings_in_nothing(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile\n" + "Ben;0151 23456701\n" * 100 + "a;" * 600 + "\n")
    it = transfer_store.get(clerk.db, number)
    assert it.state == "failed" and "601 cells" in (it.reason or "") and clerk.everything() == [[]] * 7


def test_a_file_that_vanished_says_so(clerk: Clerk, box: Box) -> None:
    number = clerk.check(people(3))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    for file in transfer_store.folder(box).iterdir():
        file.unlink()
    clerk.work()
    it = transfer_store.get(clerk.db, number)
    assert it.state == "undone" and "Send it again" in (it.reason or "")


def test_a_file_nobody_went_on_with_is_put_away_after_a_day(clerk: Clerk, box: Box) -> None:
    number = clerk.check(people(3))
    assert transfer_store.sweep(clerk.db, box, NOW + timedelta(hours=23)) == 0
    assert transfer_store.sweep(clerk.db, box, NOW + timedelta(hours=25)) == 1
    assert list(transfer_store.folder(box).iterdir()) == []
    with pytest.raises(TransferError):
        transfer_store.get(clerk.db, number)


def test_what_was_left_out_is_kept_with_its_reason(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile\nBen;12\n;0151 23456701\nAnna;0151 23456702\n")
    assert [(remark.line, remark.is_left_out, remark.cells) for remark in
            transfer_store.every_remark(clerk.db, number)] == [
        (2, True, ("Ben", "12")), (3, True, ("", "0151 23456701"))]


def test_a_log_of_changes_has_one_line_for_an_import_and_one_for_its_undo(clerk: Clerk) -> None:
    clerk.undo(clerk.bring_in(people(30)))
    told = [(row["what"], json.loads(row["after"])) for row in clerk.db.execute("SELECT * FROM change ORDER BY id")]
    assert told == [("contacts import", {"file": "people.csv", "added": 30, "joined": 0, "left out": 0}),
                    ("contacts import undone", {"stay": 0})]


def test_groups_are_the_ones_there_are_in_any_case(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile;Group\nA;0151 23456701;VIP\n")
    clerk.bring_in("Name;Mobile;Group\nB;0151 23456702;vip\n")
    assert [row[0] for row in clerk.db.execute("SELECT name FROM contact_group")] == ["VIP"]


def test_a_stop_pressed_between_two_batches_writes_no_more(clerk: Clerk, box: Box) -> None:
    number = clerk.check(people(200))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    it = transfer_store.get(clerk.db, number)
    with store.write(clerk.db):
        transfer_store.undo(clerk.db, number)
    with pytest.raises(transfer_work._Stopped):
        transfer_work._bring_in(clerk.db, box, it, NOW, 5)
    assert clerk.db.execute("SELECT count(*) FROM contact").fetchone()[0] == 0
    assert transfer_cards.Counts().added == 0
