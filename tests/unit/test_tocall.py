"""Promised call-backs and lists to call: reminded once, kept by a call, one number to one person."""
from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.calls import callform, calllist, tocall
from appliance.calls.callform import FormError, Question
from appliance.calls.calllist import CallListError
from appliance.calls.tocall import CallbackError
from appliance.config import Box
from appliance.people import contacts
from appliance.settings import DEFAULTS
from appliance.store import db as store
from appliance.texts import optouts
from appliance.texts.audience import Recipient

NOW = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
MARGARET, HALIMA, GARAGE = "+4915123456701", "+4915123456702", "+493012345678"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def promise(db: sqlite3.Connection, number: str = MARGARET, at: datetime = NOW + HOUR) -> int:
    with store.write(db):
        return tocall.add(db, number, "the brake pads", at, "Amy", "DE", NOW)


def rang(db: sqlite3.Connection, number: str, at: datetime, direction: str = "out", answered: bool = True) -> int:
    return int(db.execute("""
        INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, answered_at,
                          ended_at, outcome, is_clock_set)
        VALUES ('box1', 1, ?, ?, ?, ?, 'allowed', ?, ?, ?, ?, 1) RETURNING id""",
        (store.iso(at) + number + direction, direction, number, number, store.iso(at),
         store.iso(at) if answered else None, store.iso(at + MINUTE),
         "answered" if answered else "missed")).fetchone()[0])


def reminders(db: sqlite3.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT callback_id FROM event WHERE kind = 'reminder' ORDER BY id")]


def fill(db: sqlite3.Connection, *numbers: str, form: tuple[Question, ...] = (), tries: int = 3) -> int:
    with store.write(db):
        list_id = calllist.save(db, "Autumn check", "Hello {name}", form, (tries, 120, 20), NOW)
        calllist.fill(db, list_id, [Recipient(number, None, "") for number in numbers], NOW)
    return list_id


def take(db: sqlite3.Connection, list_id: int, user: str, at: datetime = NOW) -> calllist.Entry:
    with store.write(db):
        return calllist.hand_out(db, list_id, user, DEFAULTS, at)


def test_a_promise_reminds_once_when_it_is_due(db: sqlite3.Connection) -> None:
    made = promise(db)
    assert tocall.attend(db, NOW) == 0 and tocall.due(db, NOW) == []
    assert tocall.attend(db, NOW + HOUR) == 1
    assert tocall.attend(db, NOW + 2 * HOUR) == 0
    assert reminders(db) == [made]
    assert [one.id for one in tocall.due(db, NOW + HOUR)] == [made] and tocall.open_count(db, NOW + HOUR) == 1


def test_a_reminder_that_the_journal_has_long_let_go_of_does_not_come_again(db: sqlite3.Connection) -> None:
    promise(db)
    tocall.attend(db, NOW + HOUR)
    db.execute("DELETE FROM event")
    assert tocall.attend(db, NOW + 9 * 24 * HOUR) == 0


def test_put_off_it_reminds_again_at_the_new_time(db: sqlite3.Connection) -> None:
    made = promise(db)
    tocall.attend(db, NOW + HOUR)
    with store.write(db):
        assert tocall.put_off(db, made, NOW + 3 * HOUR, NOW + HOUR)
    assert tocall.attend(db, NOW + 2 * HOUR) == 0
    assert tocall.attend(db, NOW + 3 * HOUR) == 1
    assert reminders(db) == [made]


def test_two_clocks_that_remind_at_once_remind_once(box: Box, db: sqlite3.Connection) -> None:
    promise(db)
    told: list[int] = []
    ready = threading.Barrier(4)

    def remind() -> None:
        mine = store.connect(box.store)
        ready.wait()
        told.append(tocall.attend(mine, NOW + HOUR))
        mine.close()
    threads = [threading.Thread(target=remind) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [0, 0, 0, 1] and len(reminders(db)) == 1


def test_a_call_that_came_through_keeps_the_promise(db: sqlite3.Connection) -> None:
    made = promise(db)
    rang(db, MARGARET, NOW + MINUTE, answered=False)
    rang(db, HALIMA, NOW + MINUTE)
    rang(db, MARGARET, NOW + MINUTE, direction="in")
    tocall.attend(db, NOW + 2 * MINUTE)
    assert tocall.one(db, made).state == "open", "unanswered, to another, or she rang us: the promise stands"
    call = rang(db, MARGARET, NOW + 3 * MINUTE)
    tocall.attend(db, NOW + 5 * MINUTE)
    kept = tocall.one(db, made)
    assert (kept.state, kept.kept_by) == ("done", call)
    assert tocall.attend(db, NOW + 2 * HOUR) == 0, "nobody is reminded of a promise that was kept"


@pytest.mark.parametrize(("number", "at", "sentence"), [
    ("pizza", NOW + HOUR, "'pizza' is not a telephone number here. Write it as you would dial it, or with +."),
    (MARGARET, NOW - MINUTE, "That time is over. Choose one that is still to come.")])
def test_what_cannot_be_promised_is_said(db: sqlite3.Connection, number: str, at: datetime, sentence: str) -> None:
    with pytest.raises(CallbackError, match=sentence.replace("+", r"\+").replace(".", r"\.")):
        promise(db, number, at)


def test_two_who_press_at_once_never_get_the_same_number(box: Box, db: sqlite3.Connection) -> None:
    list_id = fill(db, *[f"+4915123456{n:03}" for n in range(40)])
    taken: list[str] = []
    ready = threading.Barrier(8)

    def work(user: str) -> None:
        mine = store.connect(box.store)
        ready.wait()
        for _ in range(5):
            one = take(mine, list_id, user)
            taken.append(one.number)
            with store.write(mine):
                calllist.finish(mine, one.id, user, "reached", {}, "", NOW)
        mine.close()
    threads = [threading.Thread(target=work, args=(f"user {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 40 and len(set(taken)) == 40


def test_who_holds_a_number_gets_that_again(db: sqlite3.Connection) -> None:
    list_id = fill(db, MARGARET, HALIMA)
    assert take(db, list_id, "Amy").number == take(db, list_id, "Amy").number == MARGARET
    assert take(db, list_id, "Ben").number == HALIMA


def test_a_number_left_lying_goes_to_the_next_one_and_the_first_cannot_finish_it(db: sqlite3.Connection) -> None:
    list_id = fill(db, MARGARET)
    lost = take(db, list_id, "Amy")
    with pytest.raises(CallListError):
        take(db, list_id, "Ben", NOW + 19 * MINUTE)
    assert take(db, list_id, "Ben", NOW + 20 * MINUTE).number == MARGARET
    with pytest.raises(CallListError, match="went back to the list"), store.write(db):
        calllist.finish(db, lost.id, "Amy", "reached", {}, "", NOW + 21 * MINUTE)


def test_nobody_answers_so_it_comes_again_until_the_tries_are_used_up(db: sqlite3.Connection) -> None:
    list_id, at = fill(db, MARGARET, tries=2), NOW
    one = take(db, list_id, "Amy", at)
    with store.write(db):
        assert calllist.finish(db, one.id, "Amy", "no_answer", {}, "", at).state == "waiting"
    with pytest.raises(CallListError, match="The next one is due at 13:00"):
        take(db, list_id, "Amy", at + HOUR)
    at += 2 * HOUR
    one = take(db, list_id, "Amy", at)
    with store.write(db):
        assert calllist.finish(db, one.id, "Amy", "no_answer", {}, "", at).state == "done"
    assert calllist.progress(db, list_id, at).outcomes["no_answer"] == 1


def test_who_asked_for_no_texts_or_was_blocked_since_is_not_handed_out(db: sqlite3.Connection) -> None:
    list_id = fill(db, MARGARET, HALIMA, GARAGE)
    with store.write(db):
        optouts.add(db, MARGARET, "reply", NOW)
        contacts.add(db, "Halima", [HALIMA], "DE", NOW, is_blocked=True)
    assert take(db, list_id, "Amy").number == GARAGE
    assert calllist.progress(db, list_id, NOW).excluded == 2


def test_in_the_quiet_hours_nobody_is_handed_out(db: sqlite3.Connection) -> None:
    list_id = fill(db, MARGARET)
    with pytest.raises(CallListError, match=r"quiet hours. Ring from 08:00 on"):
        take(db, list_id, "Amy", NOW.replace(hour=22))
    with store.write(db):
        quiet_off = replace(DEFAULTS, quiet_from="08:00")
        assert calllist.hand_out(db, list_id, "Amy", quiet_off, NOW.replace(hour=22)).number == MARGARET


def test_a_paused_list_hands_nothing_out(db: sqlite3.Connection) -> None:
    list_id = fill(db, MARGARET)
    with store.write(db):
        calllist.turn(db, list_id, "paused", NOW)
    with pytest.raises(CallListError, match="paused"):
        take(db, list_id, "Amy")


def test_an_outcome_taken_back_leaves_the_number_in_the_same_hands(db: sqlite3.Connection) -> None:
    list_id = fill(db, MARGARET, HALIMA)
    was = take(db, list_id, "Amy")
    with store.write(db):
        calllist.finish(db, was.id, "Amy", "refused", {"q1": "no"}, "cross", NOW)
        calllist.put_back(db, was, NOW)
    assert take(db, list_id, "Amy").number == MARGARET
    assert calllist.entry(db, was.id).answers == {}
    with store.write(db):
        calllist.finish(db, was.id, "Amy", "refused", {}, "", NOW)
    take(db, list_id, "Amy")
    with store.write(db):
        calllist.put_back(db, was, NOW)
    assert calllist.entry(db, was.id).state == "waiting", "she is at another one by now"


def test_a_list_takes_landlines_and_leaves_out_who_must_not_be_rung(db: sqlite3.Connection) -> None:
    with store.write(db):
        contacts.add(db, "Whitmoor Garage", [GARAGE], "DE", NOW)
        contacts.add(db, "Margaret Osei", [MARGARET], "DE", NOW)
        optouts.add(db, MARGARET, "reply", NOW)
    people, left = calllist.choose(db, {"everyone": True, "rows": [{"number": "030 7654321", "name": "Otto",
                                                                   "bike": "red"}]}, "DE", NOW, "Shop", set())
    assert {one.number for one in people} == {GARAGE, "+49307654321"}
    assert next(one for one in people if one.name == "Otto").fields["bike"] == "red"
    assert [one.number for one in left] == [MARGARET]


FORM = (Question("q1", "text", "What broke?"), Question("q2", "choice", "When?", ("Mon", "Tue")),
        Question("q3", "yes_no", "Insured?"), Question("q4", "number", "How many?"), Question("q5", "date", "Since?"))


@pytest.mark.parametrize(("key", "given", "is_fine"), [
    ("q1", "all", True), ("q2", "Mon", True), ("q2", "Sun", False), ("q3", "yes", True), ("q3", "maybe", False),
    ("q4", "12,5", True), ("q4", "a dozen", False), ("q5", "2026-02-28", True), ("q5", "2026-02-30", False),
    ("q4", "", True)])
def test_an_answer_fits_its_question(key: str, given: str, is_fine: bool) -> None:
    if is_fine:
        assert callform.answers(FORM, {key: given}) == ({key: given} if given else {})
    else:
        with pytest.raises(FormError) as refused:
            callform.answers(FORM, {key: given})
        assert refused.value.key == key


def test_a_form_keeps_its_questions_and_refuses_a_choice_without_answers() -> None:
    assert callform.read(callform.written(callform.checked((*FORM, Question("q6", "text", ""))))) == FORM
    with pytest.raises(FormError, match="needs 2 to 12 answers"):
        callform.checked((Question("q1", "choice", "Which?", ("one",)),))


def test_a_list_survives_the_upgrade_of_the_journal(tmp_path: Path) -> None:
    """The event table is made anew in 0008: ids go on past those that were let go of, and calls are told of once."""
    from appliance.store import migrations

    old = tmp_path / "schema"
    old.mkdir()
    for file in sorted(store.SCHEMA.glob("[0-9]*.sql")):
        if file.name < "0008":
            (old / file.name).write_bytes(file.read_bytes())
    db = store.connect(tmp_path / "office.db")
    with store.write(db):
        migrations.apply(db, old)
    call = rang(db, MARGARET, NOW)
    for kind in ("ringing", "ended"):
        db.execute("INSERT INTO event (at, kind, call_id) VALUES (?, ?, ?)", (store.iso(NOW), kind, call))
    for _ in range(5):
        db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (store.iso(NOW),))
    db.execute("DELETE FROM event WHERE id > 2")
    store.migrate(db)
    assert [row["kind"] for row in db.execute("SELECT kind FROM event ORDER BY id")] == ["ringing", "ended"]
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO event (at, kind, call_id) VALUES (?, 'ended', ?)", (store.iso(NOW), call))
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO event (at, kind) VALUES (?, 'reminder')", (store.iso(NOW),))
    made = db.execute("INSERT INTO event (at, kind) VALUES (?, 'text') RETURNING id", (store.iso(NOW),)).fetchone()[0]
    assert made == 8, "an id that a browser has seen is never used again"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


