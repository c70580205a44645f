"""What follows from a text that came, in a real store: no more texts, the owner's orders, keywords, a copy."""
from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance import settings
from appliance.calls import owed
from appliance.config import Box, Modem
from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import inbox, keywords, optouts, outbox, owner
from appliance.texts.rules import Draft
from hw.pdu import Delivered

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # 13:00 in Berlin
CALLER, OWNER, MOBILE, OWN = "+491701234567", "+491715550001", "+491715550002", "+4915112345678"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Office:
    """A shop with one SIM; texts come in and the outbox is read."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.now = db, NOW
        self.box = dataclasses.replace(box, modems=(Modem("SIM", "/dev/ttyUSB0", OWN),))

    def came(self, text: str, number: str = CALLER, at: datetime | None = None, sent_at: datetime | None = None) -> int:
        self.now = at or self.now + timedelta(seconds=30)
        with store.write(self.db):
            sms_id = inbox.received(self.db, self.box, Delivered(number, text, sent_at or self.now), "SIM", self.now)
        assert sms_id is not None, "it was taken for one we have"
        return sms_id

    def sent(self, number: str, text: str = "Sorry!", *, is_automatic: bool = True) -> None:
        with store.write(self.db):
            outbox.queue(self.db, Draft(number, text, "missed", self.now), None, self.now, is_automatic=is_automatic)

    def put(self, **changed: object) -> None:
        with store.write(self.db):
            for key, value in changed.items():
                settings.put(self.db, key, value)

    def keyword(self, word: str, answer: str) -> None:
        with store.write(self.db):
            keywords.save(self.db, word, answer)

    def missed(self, number: str, at: datetime, outcome: str = "missed", direction: str = "in") -> None:
        with store.write(self.db):
            self.db.execute("""
                INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, ended_at,
                                  outcome, is_clock_set)
                VALUES ('box1', 1, (SELECT count(*) FROM call), ?, ?, ?, 'allowed', ?, ?, ?, 1)""",
                (direction, number, number, store.iso(at), store.iso(at), outcome))

    def out(self) -> list[tuple[str, str]]:
        """(number, text) of all that was queued."""
        return [(row["number"], row["text"]) for row in self.db.execute(
            "SELECT number, text FROM sms WHERE direction = 'out' ORDER BY id")]

    def row(self, sms_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self.db.execute("SELECT * FROM sms WHERE id = ?", (sms_id,)).fetchone()
        return row

    def closed_until(self) -> str:
        return settings.read(self.db).closed_until


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Office:
    return Office(db, box)


# no more texts

def test_stop_is_confirmed_once_and_kept_with_its_word(office: Office) -> None:
    sms_id = office.came("Stop!")
    office.came("STOP")
    assert office.out() == [(CALLER, "Our shop: you will get no more texts from us. Text START to undo this.")]
    noted = optouts.page(office.db).opt_outs
    assert [(out.number, out.source, out.word) for out in noted] == [(CALLER, "reply", "Stop!")]
    assert office.row(sms_id)["read_at"] is not None, "nobody need look at it"


def test_the_confirmation_of_a_stop_is_sent_although_they_opted_out_and_nothing_else_is(office: Office) -> None:
    office.sent(CALLER, "a text of before")
    office.came("STOP")
    due = outbox.next_due(office.db, "SIM", office.now + MINUTE)
    assert due is not None and office.row(due.sms_id)["rule"] == "opt_out"
    assert office.db.execute("SELECT state FROM sms WHERE text = 'a text of before'").fetchone()[0] == "cancelled"


def test_start_undoes_a_stop_and_says_so(office: Office) -> None:
    office.came("STOP")
    office.came("START")
    assert not optouts.has(office.db, CALLER)
    assert office.out()[-1] == (CALLER, "Our shop: you will get our texts again. Text STOP to end them.")
    office.came("START")
    assert len(office.out()) == 2, "nothing changed, nothing is said"


def test_stop_and_start_for_ever_are_answered_three_times_a_day_and_obeyed_always(office: Office) -> None:
    for _ in range(10):
        office.came("STOP")
        office.came("START")
    office.came("STOP")
    assert len(office.out()) == 3
    assert optouts.has(office.db, CALLER)


def test_a_flood_of_stops_is_obeyed_in_full_and_confirmed_as_far_as_the_breaker_lets_it(office: Office) -> None:
    office.put(breaker_an_hour=5)
    for place in range(8):
        office.came("STOP", f"+49170123450{place}")
    assert (optouts.count(office.db), len(office.out())) == (8, 5)


def test_a_stop_that_comes_days_late_is_obeyed(office: Office) -> None:
    office.came("STOP", sent_at=NOW - timedelta(days=5))
    assert optouts.has(office.db, CALLER)


def test_a_landline_and_a_service_that_write_stop_get_no_confirmation(office: Office) -> None:
    office.came("STOP", "+4930123456")
    office.came("STOP", "Vodafone")
    assert office.out() == []
    assert optouts.has(office.db, "+4930123456")


def test_the_offices_own_stop_word_counts(office: Office) -> None:
    office.put(stop_words="Ende", stop_answer="{shop}: Schluss.", shop_name="Müller")
    office.came("ENDE")
    assert optouts.has(office.db, CALLER) and office.out() == [(CALLER, "Müller: Schluss.")]


def test_an_empty_confirmation_is_not_sent_and_stops_nothing(office: Office) -> None:
    office.put(stop_answer="")
    office.came("STOP")
    assert optouts.has(office.db, CALLER) and office.out() == []


def test_a_person_notes_an_opt_out_by_number_and_takes_it_back(office: Office) -> None:
    with store.write(office.db):
        assert optouts.note(office.db, "0170 1234567", "DE", NOW) == CALLER
        with pytest.raises(optouts.OptOutError, match="is not a telephone number here"):
            optouts.note(office.db, "12", "DE", NOW)
        for place in range(3):
            optouts.add(office.db, f"+49170000000{place}", "import", NOW + place * MINUTE)
        assert optouts.remove(office.db, CALLER) and not optouts.remove(office.db, CALLER)
    first = optouts.page(office.db, limit=2)
    rest = optouts.page(office.db, first.older, limit=2)
    assert [out.number[-1] for out in first.opt_outs + rest.opt_outs] == ["2", "1", "0"] and rest.older is None
    assert optouts.count(office.db) == 3


# keywords

def test_a_keyword_is_answered_and_needs_nobodys_look(office: Office) -> None:
    office.keyword("Hours", "{shop} is open 9 to 6.")
    sms_id = office.came("hours?")
    assert office.out() == [(CALLER, "Our shop is open 9 to 6.")]
    assert office.row(sms_id)["read_at"] is not None
    assert office.db.execute("SELECT is_automatic, sim FROM sms WHERE rule = 'keyword'").fetchone()[:] == (1, "SIM")


def test_a_sentence_with_a_keyword_in_it_is_left_to_a_person(office: Office) -> None:
    office.keyword("HOURS", "9 to 6")
    sms_id = office.came("How many hours will it take?")
    assert office.out() == [] and office.row(sms_id)["read_at"] is None


def test_a_fourth_answer_within_a_day_is_refused_in_words(office: Office) -> None:
    office.keyword("HOURS", "9 to 6")
    for _ in range(3):
        office.came("HOURS", at=office.now + HOUR)
    last = office.came("HOURS", at=office.now + HOUR)
    assert len(office.out()) == 3
    assert office.row(last)["reason"] == "texted 3 times within a day" and office.row(last)["read_at"] is None


def test_two_boxes_that_answer_each_others_keywords_fall_silent(office: Office) -> None:
    office.keyword("HOURS", "hours")
    said = "HOURS"
    for _ in range(50):
        before = len(office.out())
        office.came(said, at=office.now + timedelta(seconds=1))
        if len(office.out()) == before:
            break
        said = office.out()[-1][1]
    assert len(office.out()) <= 2


@pytest.mark.parametrize("number", ["+4930123456", "22422", "Vodafone", OWN])
def test_landlines_services_and_our_own_sim_get_no_answer(office: Office, number: str) -> None:
    office.keyword("HOURS", "9 to 6")
    office.came("HOURS", number)
    assert office.out() == []


def test_who_opted_out_gets_no_keyword_answer(office: Office) -> None:
    office.keyword("HOURS", "9 to 6")
    office.came("STOP")
    last = office.came("HOURS")
    assert len(office.out()) == 1 and "asked not to be texted" in office.row(last)["reason"]


def test_a_keyword_that_lay_in_the_network_for_days_is_not_answered(office: Office) -> None:
    office.keyword("HOURS", "9 to 6")
    office.came("HOURS", sent_at=NOW - timedelta(days=2))
    assert office.out() == []


@pytest.mark.parametrize(("word", "answer", "sentence"), [
    ("", "x", "A keyword is a word"), ("!!", "x", "A keyword is a word"), ("STOP", "x", "ends or resumes texts"),
    ("ende", "x", "ends or resumes texts"), ("HOURS", " \x00 ", "answered with"),
    ("x" * 61, "x", "A keyword is a word"),
])
def test_a_keyword_that_cannot_be_is_refused_in_words(office: Office, word: str, answer: str, sentence: str) -> None:
    with pytest.raises(keywords.KeywordError, match=sentence):
        keywords.save(office.db, word, answer, stop_words="Ende")
    assert keywords.every(office.db) == []


def test_a_keyword_saved_again_has_the_new_answer(office: Office) -> None:
    office.keyword("HOURS", "9 to 6")
    office.keyword("hours!", "9 to 5")
    assert keywords.every(office.db) == [keywords.Keyword("hours", "9 to 5")]
    with store.write(office.db):
        assert keywords.remove(office.db, "Hours") and not keywords.remove(office.db, "Hours")


# the owner

def test_a_stranger_who_texts_an_order_gets_nothing_and_changes_nothing(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    for text in ("STATUS", "MISSED", "CLOSED TILL 15", "OPEN", "help"):
        office.came(text)
    assert office.out() == [] and office.closed_until() == "" and owner.questions(office.db) == []


def test_closed_till_15_closes_until_then_in_shop_time_and_open_opens(office: Office) -> None:
    office.put(owner_numbers=f" 0171 5550001, nonsense,{MOBILE}")
    office.came("Closed till 15", OWNER)
    assert office.closed_until() == "2026-11-21T14:00:00.000Z"
    office.came("OPEN", MOBILE)
    assert office.closed_until() == ""
    assert office.out() == [(OWNER, "Closed till Sat 21 Nov 15:00. Text OPEN to open before."), (MOBILE, "Open.")]


def test_open_outside_the_opening_hours_says_what_the_hours_say(office: Office) -> None:
    office.put(owner_numbers=OWNER, opening_hours="Mon-Fri 09:00-18:00")
    office.came("OPEN", OWNER)
    assert office.out() == [(OWNER, "No longer closed by text. By the opening hours the shop is closed now.")]


def test_an_order_that_comes_a_day_late_closes_nothing(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("CLOSED TILL TOMORROW", OWNER, sent_at=NOW - timedelta(days=1))
    assert office.closed_until() == "" and "too late; nothing was done" in office.out()[0][1]


def test_missed_lists_who_is_still_owed_a_call(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    with store.write(office.db):
        contacts.add(office.db, "Anna Roth", [CALLER], "DE", NOW)
    office.missed(CALLER, NOW - 3 * HOUR)
    office.missed(CALLER, NOW - 2 * HOUR)
    office.missed("+491709999999", NOW - 3 * HOUR)
    office.missed("+491709999999", NOW - HOUR, outcome="answered", direction="out")
    office.missed("+4930123456", NOW - 2 * HOUR, outcome="answered")
    office.missed("+4930123456", NOW - HOUR, outcome="abandoned")
    office.missed("+4930123457", NOW - timedelta(days=8))
    office.came("MISSED", OWNER)
    assert office.out() == [(OWNER, "Still owed a call: 2.\nSat 21 Nov 12:00 030 123456\n"
                                    "Sat 21 Nov 11:00 Anna Roth 0170 1234567 (2 times)")]


def test_missed_says_when_nobody_is_owed_a_call_and_counts_those_it_cannot_list(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("MISSED", OWNER)
    for place in range(10):
        office.missed(f"+49170123450{place}", NOW - HOUR)
    office.came("MISSED", OWNER)
    assert office.out()[0][1] == "Nobody is owed a call."
    assert office.out()[1][1].startswith("Still owed a call: 10.\n") and office.out()[1][1].endswith("\nand 2 more.")


def test_a_call_back_that_nobody_answered_owes_still(office: Office) -> None:
    office.missed(CALLER, NOW - 2 * HOUR)
    office.missed(CALLER, NOW - HOUR, outcome="failed", direction="out")
    assert [caller.number for caller in owed.owed(office.db, NOW - 3 * HOUR)] == [CALLER]


def test_status_waits_for_the_clock_which_knows_what_is_wrong(office: Office) -> None:
    office.put(owner_numbers=OWNER, closed_until="2026-11-21T14:00:00.000Z")
    office.missed(CALLER, NOW - 2 * HOUR)
    office.missed("+491709999999", NOW - HOUR, outcome="answered")
    office.missed("+491709999999", NOW - timedelta(days=1))
    office.sent(CALLER)
    with store.write(office.db):
        office.db.execute("""
            INSERT INTO modem (name, state, signal_dbm, updated_at)
            VALUES ('SIM', 'registered', -73, '')""")
    office.came("STATUS", OWNER)
    assert len(office.out()) == 1, "not by the radio's daemon"
    owner.answer_questions(office.db, office.box, ["The disk is full. Remove old recordings."], office.now)
    assert office.out()[1:] == [(OWNER, (
        "Closed till Sat 21 Nov 15:00. Today 2 calls, 1 missed; 1 still owed. Texts: 1 waiting, 0 unknown, 0 unread. "
        "Modem: SIM registered -73 dBm. 1 to see to: The disk is full. Remove old recordings."))]
    assert owner.questions(office.db) == []


def test_the_clock_answers_status_with_the_findings_of_this_very_box(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("STATUS", OWNER)
    assert inbox.attend(office.db, office.box, office.now) == 1
    assert "to see to:" in office.out()[0][1], "there is no Asterisk here"
    assert inbox.attend(office.db, office.box, office.now) == 0 and len(office.out()) == 1


def test_a_status_that_waited_for_an_hour_is_let_go(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.came("STATUS", OWNER)
    owner.answer_questions(office.db, office.box, [], office.now + HOUR)
    assert office.out() == [] and owner.questions(office.db) == []


def test_wrong_words_of_an_owner_are_helped_three_times_an_hour(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    for _ in range(6):
        office.came("what can you do?", OWNER)
    assert office.out() == [(OWNER, "Text STATUS, MISSED, CLOSED TILL 15, CLOSED TILL TOMORROW or OPEN.")] * 3


def test_an_owner_is_answered_at_most_twenty_times_an_hour(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    for _ in range(25):
        office.came("OPEN", OWNER)
    assert len(office.out()) == 20


def test_an_owners_orders_are_no_news_for_the_desks(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    assert office.row(office.came("OPEN", OWNER))["read_at"] is not None


def test_an_order_that_we_fail_to_follow_is_kept_for_a_person_and_stops_no_radio(
        office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.put(owner_numbers=OWNER, closed_until="2026-11-21T14:00:00.000Z")
    office.box = dataclasses.replace(office.box, time_zone="Lost/Tzdata")
    sms_id = office.came("OPEN", OWNER)
    row = office.row(sms_id)
    assert row["reason"].endswith("Read it and answer it yourself.") and row["read_at"] is None
    assert office.closed_until() != "" and office.out() == []
    assert f"sms {sms_id} is kept" in caplog.text and "OPEN" not in caplog.text and OWNER not in caplog.text
    office.came("STOP")
    assert optouts.has(office.db, CALLER), "the next one is followed as ever"


def test_status_is_answered_though_the_closing_is_nonsense(office: Office) -> None:
    office.put(owner_numbers=OWNER)
    office.db.execute("INSERT OR REPLACE INTO setting VALUES ('closed_until', '\"nonsense\"')")
    office.came("STATUS", OWNER)
    assert inbox.attend(office.db, office.box, office.now) == 1
    assert office.out()[0][1].startswith("Today 0 calls, 0 missed; 0 still owed.")


# a copy to the owner's mobile

def test_a_text_for_a_person_is_copied_to_the_owners_mobile_with_who_wrote_it(office: Office) -> None:
    office.put(forward_texts="0171 5550002")
    with store.write(office.db):
        contacts.add(office.db, "Anna Roth", [CALLER], "DE", NOW)
    sms_id = office.came("Is it ready?")
    office.came("Your balance is low", "Vodafone")
    assert office.out() == [(MOBILE, "Anna Roth 0170 1234567: Is it ready?"), (MOBILE, "Vodafone: Your balance is low")]
    assert office.row(sms_id)["read_at"] is None


def test_the_last_copy_of_a_day_says_so_and_no_more_follow(office: Office) -> None:
    office.put(forward_texts=MOBILE, forward_a_day=2)
    for place in range(4):
        office.came(f"text {place}")
    assert [text for _number, text in office.out()] == [
        "0170 1234567: text 0",
        "0170 1234567: text 1 (No more texts are forwarded for now: the limit of a day is reached.)"]
    office.came("text 5", at=office.now + timedelta(hours=25))
    assert len(office.out()) == 3


def test_what_the_mobile_itself_writes_is_not_sent_back_to_it(office: Office) -> None:
    office.put(forward_texts=MOBILE)
    office.came("ok", MOBILE)
    office.put(forward_texts=OWN)
    office.came("to our own SIM")
    assert office.out() == []


def test_what_our_own_sim_sent_to_itself_is_kept_and_followed_by_nothing(office: Office) -> None:
    office.put(forward_texts=MOBILE)
    office.came("STOP", OWN)
    office.came("a test", OWN)
    assert office.out() == [] and optouts.count(office.db) == 0


def test_a_mobile_that_wants_no_texts_gets_no_copies(office: Office) -> None:
    office.put(forward_texts=MOBILE)
    office.came("STOP", MOBILE)
    office.came("Is it ready?")
    assert [text for number, text in office.out() if number == MOBILE] == [
        "Our shop: you will get no more texts from us. Text START to undo this."]


def test_stop_keywords_and_orders_are_not_copied(office: Office) -> None:
    office.put(forward_texts=MOBILE, owner_numbers=OWNER)
    office.keyword("HOURS", "9 to 6")
    office.came("STOP", "+491709999999")
    office.came("HOURS")
    office.came("OPEN", OWNER)
    assert MOBILE not in [number for number, _text in office.out()]


def test_a_very_long_text_is_copied_in_part(office: Office) -> None:
    office.put(forward_texts=MOBILE)
    office.came("x" * 5000)
    assert office.out()[0][1].endswith("x... (the rest is on the page)") and len(office.out()[0][1]) < 640


def test_what_nobody_could_read_is_kept_and_followed_by_nothing(office: Office) -> None:
    office.put(forward_texts=MOBILE, owner_numbers="unknown", stop_words="Half a text")
    with store.write(office.db):
        half = Delivered("unknown", "Half a text", None)
        assert inbox.received(office.db, office.box, half, "SIM", NOW) is not None
        assert inbox.received(office.db, office.box, half, "SIM", NOW + HOUR) is None, "it lies in the SIM for ever"
    assert office.out() == [] and optouts.count(office.db) == 0
