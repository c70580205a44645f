"""Cards: what is kept of a person, how it is found, merged, deleted and brought back; notes, calls and households."""
from __future__ import annotations

import json
import sqlite3
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from appliance.calls import owed
from appliance.people import before, cards, changes, dealings, groups, household, links, merge, notes, search
from appliance.people.cards import ContactError, Wish
from appliance.store import db as store
from tests.bench.bench_campaign import Lock

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
ONE, TWO, THREE = "+4915123456701", "+493023125222", "+4915123456703"


def save(db: sqlite3.Connection, name: str, contact: str | None = None, **given: object) -> str:
    with store.write(db):
        kept = cards.save(db, Wish(name, **given), "DE", "Amy", NOW, contact)   # type: ignore[arg-type]
    links.settle(db)
    return kept


def call(db: sqlite3.Connection, number: str, at: datetime = NOW, outcome: str = "missed", way: str = "in") -> int:
    return int(db.execute("""
        INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, ended_at,
                          outcome, is_clock_set, contact_id)
        VALUES ('b', 1, ?, ?, ?, ?, 'allowed', ?, ?, ?, 1, (SELECT contact_id FROM contact_number WHERE number = ?))
        RETURNING id""", (f"{number}{at}{way}", way, number, number, store.iso(at), store.iso(at), outcome,
                          number)).fetchone()["id"])


def whose(db: sqlite3.Connection) -> list[str | None]:
    return [row["name"] for row in db.execute(
        "SELECT name FROM call LEFT JOIN contact ON contact.id = contact_id ORDER BY call.id")]


def names(db: sqlite3.Connection, text: str = "", **given: object) -> list[str]:
    return [one.name for one in search.page(db, "DE", search.Filter(text, **given)).found]  # type: ignore[arg-type]


@pytest.mark.parametrize(("written", "kept"), [
    ("1984-06-03", "1984-06-03"), ("3.6.1984", "1984-06-03"), ("03/06/1984", "1984-06-03"), ("3.6.", "--06-03"),
    ("29.2.", "--02-29"), ("--06-03", "--06-03"), ("3 . 6 .", "--06-03"), ("", None), ("  ", None)])
def test_a_birthday_is_read_as_people_write_it(written: str, kept: str | None) -> None:
    assert cards.birthday(written) == kept


@pytest.mark.parametrize("written", ["31.2.", "1984-13-01", "soon", "29.2.2023", "3", "0.0.", "1.1.99"])
def test_what_is_no_birthday_is_refused_in_words(written: str) -> None:
    with pytest.raises(ContactError, match="is no birthday. Write it like"):
        cards.birthday(written)


def test_a_card_keeps_everything_clean_and_says_what_changed(db: sqlite3.Connection) -> None:
    who = save(db, " Margaret\x00  Osei ", address="14 Tallow\r\n\n Lane\x1b", tags=["a", "A", " "],
               fields=[("Frame", "LK"), ("", "")], numbers=[("0151 23456701", "mobile"), ("", "")])
    card = cards.card(db, who)
    assert card and (card.name, card.address, card.tags, card.fields, card.first) == (
        "Margaret Osei", "14 Tallow\nLane", ("A",), (("Frame", "LK"),), ONE)
    save(db, "Margaret Osei", who, numbers=[(ONE, "mobile")], is_vip=True)
    line = changes.page(db)[0]
    assert line.what == "contact Margaret Osei" and line.row_id == who and line.after["VIP"] is True
    assert "23456701" not in str([line.before, line.after, changes.page(db)[1].after])


def test_a_card_that_is_saved_as_it_is_changes_nothing_in_the_log(db: sqlite3.Connection) -> None:
    who = save(db, "Margaret", numbers=[(ONE, "")])
    count = len(changes.page(db))
    save(db, "Margaret", who, numbers=[(ONE, "")])
    assert len(changes.page(db)) == count


def test_the_first_number_is_the_first_of_the_form(db: sqlite3.Connection) -> None:
    who = save(db, "Margaret", numbers=[(ONE, "mobile"), (TWO, "work")])
    save(db, "Margaret", who, numbers=[(TWO, "work"), (ONE, "mobile")])
    card = cards.card(db, who)
    assert card and [one.number for one in card.numbers] == [TWO, ONE]


def test_older_calls_get_the_name_of_a_new_card_and_lose_it_with_the_number(db: sqlite3.Connection) -> None:
    call(db, ONE), call(db, TWO), call(db, ONE, NOW - timedelta(days=900))
    who = save(db, "Margaret", numbers=[(ONE, "")])
    assert whose(db) == ["Margaret", None, "Margaret"]
    save(db, "Margaret", who, numbers=[(TWO, "")])
    assert whose(db) == [None, "Margaret", None]


def test_a_number_with_many_calls_is_settled_in_steps(db: sqlite3.Connection) -> None:
    with store.write(db):
        for n in range(3 * links.BATCH + 7):
            call(db, ONE, NOW - timedelta(minutes=n))
        cards.save(db, Wish("Margaret", numbers=[(ONE, "")]), "DE", "Amy", NOW)
    assert not links.settle(db, 0.0) and links.settle(db) and set(whose(db)) == {"Margaret"}


def test_a_part_of_any_name_and_any_spelling_of_a_number_finds_the_card(db: sqlite3.Connection) -> None:
    save(db, "Margaret Osei", other_name="Мария Осей", company="Tallow & Co", numbers=[(ONE, "")])
    save(db, "张伟", numbers=[(TWO, "")])
    for text in ("gare", "OSEI", "осей", "Ос", "tallow & c", "6701", "0151 2345", "015123456701", "0049151234",
                 "+49 (151) 23456701", "ma"):
        assert "Margaret Osei" in names(db, text), text
    assert names(db, "伟") == ["张伟"] and names(db, "030") == ["张伟"] and names(db, "%") == names(db, "_") == []
    assert names(db, '"') == names(db, '" OR name:') == [] and names(db, "999") == []


def test_many_hits_are_walked_and_few_are_sorted_with_the_same_answer(
        db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write(db):
        group = groups.add(db, "Half")
        for n in range(60):
            cards.save(db, Wish(f"Customer {n:02}", tags=["t"], groups=[group] if n % 2 else [],
                                numbers=[(f"+49151234{n:05}", "")]), "DE", "Amy", NOW)
        db.execute("INSERT INTO opt_out SELECT number, '', 'reply', NULL FROM contact_number WHERE rowid % 3 = 0")
    asked: list[dict[str, object]] = [{"text": "customer"}, {"text": "cu"}, {"text": "4915123"}, {"group": group},
                                      {"tag": "T"}, {"show": "optout"}, {"text": "omer 1", "group": group}]
    few = [names(db, **ask) for ask in asked]           # type: ignore[arg-type]
    monkeypatch.setattr(search, "FEW", 5)
    assert [names(db, **ask) for ask in asked] == few and all(few)   # type: ignore[arg-type]


def test_merging_keeps_both_of_what_differs_and_undoing_gives_both_back(db: sqlite3.Connection) -> None:
    with store.write(db):
        group, other_group = groups.add(db, "A"), groups.add(db, "B")
    kept = save(db, "Margaret Osei", company="Joinery", birthday="3.6.", numbers=[(ONE, "mobile")], tags=["one"],
                fields=[("Frame", "1")], groups=[group])
    gone = save(db, "M. Osei", company="Osei Ltd", address="14 Tallow Lane", is_vip=True, numbers=[(TWO, "work")],
                tags=["ONE", "two"], fields=[("Frame", "2"), ("Bike", "red")], groups=[group, other_group])
    with store.write(db):
        notes.keep(db, "of the first", "Amy", NOW, contact_id=kept)
        notes.keep(db, "of the second", "Ben", NOW, contact_id=gone)
    call(db, ONE), call(db, TWO)
    was = [before.image(db, kept), before.image(db, gone)]
    before_id = merge.merge(db, kept, gone, "Amy", NOW)
    links.settle(db)
    card = cards.card(db, kept)
    assert card and (card.name, card.other_name, card.company, card.address, card.is_vip) == (
        "Margaret Osei", "M. Osei", "Joinery", "14 Tallow Lane", True)
    assert dict(card.fields) == {"Frame": "1", "Company 2": "Osei Ltd", "Frame 2": "2", "Bike": "red"}
    assert [one.number for one in card.numbers] == [ONE, TWO] and card.tags == ("one", "two")
    assert [name for _, name in card.groups] == ["A", "B"] and len(notes.of_card(db, kept)) == 2
    assert cards.card(db, gone) is None and whose(db) == ["Margaret Osei"] * 2
    with store.write(db):
        merge.undo(db, before_id, "Amy", NOW)
    links.settle(db)
    now = [before.image(db, kept), before.image(db, gone)]
    for image in (*was, *now):
        image["contact"].pop("updated_at")
    assert now == was and whose(db) == ["Margaret Osei", "M. Osei"]
    with pytest.raises(ContactError, match="can no longer be undone"), store.write(db):
        merge.undo(db, before_id, "Amy", NOW)


def test_what_was_written_after_a_merge_stays_when_it_is_undone(db: sqlite3.Connection) -> None:
    kept, gone = save(db, "A", numbers=[(ONE, "")]), save(db, "B", company="B Ltd", numbers=[(TWO, "")])
    before_id = merge.merge(db, kept, gone, "Amy", NOW)
    save(db, "A", kept, other_name="Changed", company="New Ltd", tags=["new"],
         numbers=[(ONE, ""), (TWO, ""), (THREE, "")])
    with store.write(db):
        notes.keep(db, "since then", "Amy", NOW, contact_id=kept)
        merge.undo(db, before_id, "Amy", NOW)
    card, back = cards.card(db, kept), cards.card(db, gone)
    assert card and (card.company, card.other_name, card.tags) == ("New Ltd", "Changed", ("new",))
    assert [one.number for one in card.numbers] == [ONE, THREE] and notes.of_card(db, kept)[0].text == "since then"
    assert back and (back.company, back.first) == ("B Ltd", TWO)


def test_a_card_is_not_merged_with_itself_or_with_nobody(db: sqlite3.Connection) -> None:
    who = save(db, "A")
    with pytest.raises(ContactError, match="the same card"):
        merge.merge(db, who, who, "Amy", NOW)
    with pytest.raises(ContactError, match="deleted meanwhile"):
        merge.merge(db, who, "x" * 36, "Amy", NOW)


def test_a_deleted_card_comes_back_without_the_number_somebody_else_has_by_now(db: sqlite3.Connection) -> None:
    who = save(db, "Margaret", numbers=[(ONE, "a"), (TWO, "b")], tags=["x"])
    before_id = before.delete(db, who, "Amy", NOW)
    save(db, "Heir", numbers=[(ONE, "")])
    with store.write(db):
        before.undo_delete(db, before_id, "Amy", NOW)
    card = cards.card(db, who)
    assert card and [one.number for one in card.numbers] == [TWO] and card.tags == ("x",)


def test_cards_deleted_long_ago_are_let_go(db: sqlite3.Connection) -> None:
    before.delete(db, save(db, "Old"), "Amy", NOW)
    before.delete(db, save(db, "New"), "Amy", NOW + before.KEPT + timedelta(days=1))
    assert [one.name for one in before.deleted(db)] == ["New"]


def test_the_last_note_is_that_of_the_call_the_card_or_the_number(db: sqlite3.Connection) -> None:
    who = save(db, "Margaret", numbers=[(ONE, ""), (TWO, "")])
    with store.write(db):
        notes.keep(db, "on the card", "Amy", NOW, contact_id=who)
        notes.keep(db, "on the call", "Amy", NOW + timedelta(minutes=1), call_id=call(db, ONE))
        notes.keep(db, "on a number", "Amy", NOW, number=THREE)
    last = [notes.last(db, number) for number in (ONE, TWO, THREE, "+491")]
    assert [note.text if note else None for note in last] == ["on the call", "on the call", "on a number", None]


def test_a_call_has_one_note_and_an_empty_one_takes_it_away(db: sqlite3.Connection) -> None:
    rang = call(db, ONE)
    with store.write(db):
        first = notes.keep(db, "one", "Amy", NOW, call_id=rang)
        assert notes.keep(db, "two", "Ben", NOW, call_id=rang) == first
        note = notes.of_call(db, rang)
        assert note and (note.text, note.by, note.number) == ("two", "Ben", ONE)
        assert notes.keep(db, "  ", "Ben", NOW, call_id=rang) is None and notes.of_call(db, rang) is None
        with pytest.raises(ContactError, match="This call was deleted"):
            notes.keep(db, "x", "Amy", NOW, call_id=999)


def test_the_debt_of_a_card_is_what_today_says_of_it(db: sqlite3.Connection) -> None:
    who = save(db, "Margaret", numbers=[(ONE, ""), (TWO, "")])

    def both() -> tuple[object, object]:
        one = next((one for one in owed.owed(db, NOW - owed.OWED_FOR) if one.contact_id == who), None)
        debt = dealings.owed(db, who, NOW)
        return (one and (one.number, one.at, one.times)), (debt and (debt.number, debt.at, debt.times))
    seen = []
    for act in (lambda: call(db, ONE, NOW - timedelta(days=9)), lambda: call(db, ONE, NOW - timedelta(hours=5)),
                lambda: call(db, TWO, NOW - timedelta(hours=4), "busy"),
                lambda: call(db, TWO, NOW - timedelta(hours=3), "answered", "out"),
                lambda: call(db, ONE, NOW - timedelta(hours=2)), lambda: _settled(db)):
        act()
        ours, theirs = both()
        assert ours == theirs
        seen.append(bool(ours))
    assert seen == [False, True, True, False, True, False]


def _settled(db: sqlite3.Connection) -> None:
    with store.write(db):
        owed.settle(db, ONE, "Amy", NOW)


def test_a_household_is_seen_by_address_note_or_turns(db: sqlite3.Connection) -> None:
    who = save(db, "Margaret", address="14 Tallow Lane", numbers=[(ONE, "")])
    same = save(db, "Kofi", address="14 TALLOW lane", numbers=[(TWO, "")])
    noted = save(db, "Ama")
    with store.write(db):
        for one in (who, noted):
            notes.keep(db, "Rings for the red cargo bike", "Amy", NOW, contact_id=one)
    for day in range(3):
        call(db, ONE, NOW - timedelta(days=day))
        call(db, THREE, NOW - timedelta(days=day, minutes=-4))
        call(db, "+4915999999999", NOW - timedelta(days=day, minutes=2))
    for n in range(9):
        call(db, "+4915999999999", NOW - timedelta(days=60 + n))
    assert [(one.other, one.why) for one in household.suggestions(db, who)] == [
        (same, "address"), (noted, "note"), (THREE, "turns")]
    with store.write(db):
        household.refuse(db, who, same)
        household.refuse(db, who, THREE)
    assert [one.other for one in household.suggestions(db, who)] == [noted]
    assert household.suggestions(db, same) == []


def test_a_group_that_comes_back_has_its_people_but_those_who_are_gone(db: sqlite3.Connection) -> None:
    stays, goes = save(db, "A"), save(db, "B")
    with store.write(db):
        group = groups.add(db, "Riders")
        groups.put(db, group, [stays, goes])
    members = groups.members(db, group)
    groups.empty(db, group)
    with store.write(db):
        groups.delete(db, group)
        db.execute("DELETE FROM contact WHERE id = ?", (goes,))
    groups.put_back(db, group, "Riders", members)
    assert groups.members(db, group) == [stays]


def test_a_large_group_goes_and_comes_back_in_short_steps(db: sqlite3.Connection) -> None:
    everybody = [str(uuid.uuid7()) for _ in range(6000)]
    with store.write(db):
        group = groups.add(db, "Riders")
        db.execute("""
            INSERT INTO contact (id, name, created_at, updated_at)
            SELECT value, 'Rider', '', '' FROM json_each(?)""", (json.dumps(everybody),))
        groups.put(db, group, everybody)
    lock = Lock(db, time.thread_time)
    groups.empty(db, group)
    with store.write(db):
        groups.delete(db, group)
    assert len(lock.held_ms) > 12 and max(lock.held_ms) < 20
    lock.held_ms.clear()
    groups.put_back(db, group, "Riders", everybody)
    assert len(lock.held_ms) > 12 and max(lock.held_ms) < 20
    assert groups.members(db, group) == everybody
