"""Conversations by number, and what a person does with a text whose fate nobody knows."""
from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance.config import Box, Modem
from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import conversations, inbox, optouts, outbox, reports
from appliance.texts.rules import Draft
from hw.pdu import Delivered, DeliveryReport, PduError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANNA, BEN, CARL = "+491701234567", "+491709999999", "+491715550001"


class Office:
    """A shop with two SIMs and people who write to it."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.now = db, NOW
        self.box = dataclasses.replace(box, modems=(Modem("A", "/dev/ttyUSB0"), Modem("B", "/dev/ttyUSB1")))

    def came(self, number: str, text: str, sim: str = "A") -> int:
        self.now += timedelta(seconds=1)
        with store.write(self.db):
            sms_id = inbox.received(self.db, self.box, Delivered(number, text, self.now), sim, self.now)
        assert sms_id is not None
        return sms_id

    def answered(self, number: str, text: str) -> int:
        self.now += timedelta(seconds=1)
        with store.write(self.db):
            return conversations.reply(self.db, self.box, number, text, self.now)

    def automatic(self, number: str, text: str) -> int:
        with store.write(self.db):
            return outbox.queue(self.db, Draft(number, text, "missed", self.now), None, self.now, is_automatic=True)

    def unknown(self, text: str = "Where are you?") -> int:
        """A text of one segment whose answer never came."""
        sms_id = self.answered(ANNA, text)
        due = outbox.next_due(self.db, "A", self.now)
        assert due is not None
        with store.write(self.db):
            outbox.mark_sending(self.db, due, "A", self.now)
            outbox.unknown(self.db, due, "the modem fell silent.", None, self.now)
        return sms_id

    def row(self, sms_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self.db.execute("SELECT * FROM sms WHERE id = ?", (sms_id,)).fetchone()
        return row

    def listed(self) -> list[tuple[str, str, int]]:
        """(number, last text, unread) as the page lists them."""
        return [(one.number, one.last.text, one.unread) for one in conversations.page(self.db).conversations]


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Office:
    return Office(db, box)


def test_conversations_are_listed_by_their_last_text_with_the_unread_ones_counted(office: Office) -> None:
    office.came(ANNA, "one")
    office.came(BEN, "hello")
    office.came(ANNA, "two")
    office.answered(BEN, "hi")
    assert office.listed() == [(BEN, "hi", 1), (ANNA, "two", 2)]
    assert conversations.unread(office.db) == 3


def test_automatic_texts_alone_make_no_conversation_but_stand_in_one(office: Office) -> None:
    office.automatic(ANNA, "Sorry!")
    assert office.listed() == []
    office.came(ANNA, "No matter")
    office.automatic(ANNA, "Again sorry")
    assert office.listed() == [(ANNA, "Again sorry", 1)]
    assert [text.text for text in conversations.thread(office.db, ANNA).texts] == ["Sorry!", "No matter", "Again sorry"]


def test_whom_a_person_writes_to_first_is_a_conversation_too(office: Office) -> None:
    office.answered(CARL, "Your shoes are ready")
    assert office.listed() == [(CARL, "Your shoes are ready", 0)]
    last = conversations.page(office.db).conversations[0].last
    assert (last.rule, last.is_automatic, last.direction, last.state) == (None, False, "out", "queued")


def test_a_conversation_knows_the_name_the_opt_out_and_whether_it_can_be_answered(office: Office) -> None:
    with store.write(office.db):
        contacts.add(office.db, "Anna Roth", [ANNA], "DE", NOW)
        optouts.add(office.db, ANNA, "person", NOW)
    office.came(ANNA, "hello")
    office.came("Vodafone", "Your balance is low")
    anna, service = conversations.one(office.db, ANNA), conversations.one(office.db, "Vodafone")
    assert anna is not None and (anna.name, anna.is_opted_out, anna.can_answer) == ("Anna Roth", True, True)
    assert service is not None and (service.name, service.is_opted_out, service.can_answer) == (None, False, False)
    assert conversations.one(office.db, BEN) is None


def test_pages_of_conversations_and_of_one_go_on_where_they_ended(office: Office) -> None:
    for place in range(7):
        office.came(f"+49170000000{place}", "hello")
    seen, before = [], None
    while True:
        page = conversations.page(office.db, before, limit=3)
        seen += [one.number[-1] for one in page.conversations]
        before = page.older
        if before is None:
            break
    assert seen == list("6543210")
    for place in range(7):
        office.came(ANNA, str(place))
    latest = conversations.thread(office.db, ANNA, limit=5)
    first = conversations.thread(office.db, ANNA, latest.older, limit=5)
    assert [text.text for text in first.texts + latest.texts] == list("0123456") and first.older is None


def test_what_came_after_the_page_was_made_stays_unread(office: Office) -> None:
    seen = office.came(ANNA, "one")
    office.came(ANNA, "two")
    with store.write(office.db):
        assert conversations.mark_read(office.db, ANNA, seen, office.now) == 1
        assert conversations.mark_read(office.db, ANNA, seen, office.now) == 0
    assert office.listed() == [(ANNA, "two", 1)]
    assert [text.is_unread for text in conversations.thread(office.db, ANNA).texts] == [False, True]


def test_only_unread_conversations_are_listed_when_asked(office: Office) -> None:
    seen = office.came(ANNA, "one")
    office.came(BEN, "two")
    with store.write(office.db):
        conversations.mark_read(office.db, ANNA, seen, office.now)
    assert [one.number for one in conversations.page(office.db, unread_only=True).conversations] == [BEN]


def test_an_answer_goes_by_the_sim_they_wrote_to_while_the_box_has_it(office: Office) -> None:
    office.came(ANNA, "to B", sim="B")
    office.came(BEN, "to one that is gone", sim="C")
    assert office.row(office.answered(ANNA, "hi"))["sim"] == "B"
    assert office.row(office.answered(BEN, "hi"))["sim"] is None
    assert office.row(office.answered(CARL, "hi"))["sim"] is None


@pytest.mark.parametrize(("number", "sentence"), [
    ("Vodafone", "'Vodafone' takes no answer: it is no telephone number."),
    ("+4930123456", "030 123456 is no mobile: it cannot take texts."),
])
def test_who_cannot_take_texts_gets_no_answer(office: Office, number: str, sentence: str) -> None:
    with pytest.raises(conversations.ConversationError) as refused:
        office.answered(number, "hi")
    assert str(refused.value) == sentence


def test_an_empty_answer_is_refused_and_nothing_is_kept(office: Office) -> None:
    with pytest.raises(PduError):
        office.answered(ANNA, " \x00"[1:])
    assert office.listed() == []


def test_canned_answers_are_the_templates_marked_so(office: Office) -> None:
    office.db.execute("INSERT INTO template (name, text, is_canned) VALUES ('Ready', 'It is ready.', 1), ('X', 'x', 0)")
    assert conversations.canned(office.db) == [("Ready", "It is ready.")]


def steps(office: Office) -> int:
    """What SQLite does, in its own instructions, for the pages of a busy desk."""
    counted: list[None] = []
    office.db.set_progress_handler(lambda: counted.append(None), 1)
    assert len(conversations.page(office.db).conversations) == 50
    assert len(conversations.thread(office.db, ANNA).texts) == 50
    assert conversations.unread(office.db) == 1
    office.db.set_progress_handler(None, 1)
    return len(counted)


def fill(office: Office, texts: int) -> None:
    """Half of them Anna's, half a few thousand people's, all read."""
    at = store.iso(NOW)
    with store.write(office.db):
        office.db.executemany("""
            INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at, read_at)
            VALUES ('in', ?, 'x', 'received', ?, ?, ?, ?)""",
            ((f"+4917{place % 2999 + 10_000_000}" if place % 2 else ANNA, at, at, at, at) for place in range(texts)))


def test_thirty_times_the_texts_cost_a_page_the_same(office: Office) -> None:
    fill(office, 300)
    office.came(BEN, "hello")
    few = steps(office)
    fill(office, 9000)
    office.came(BEN, "hello again")
    office.db.execute("UPDATE sms SET read_at = '' WHERE id < (SELECT max(id) FROM sms)")
    assert steps(office) < 1.1 * few


# unknown: a person decides

def test_an_unknown_text_sent_again_is_a_new_one_and_the_old_one_says_so(office: Office) -> None:
    old = office.unknown()
    with store.write(office.db):
        new = outbox.send_again(office.db, old, office.now)
        assert new is not None and outbox.send_again(office.db, old, office.now) is None, "two clicks are one"
    assert (office.row(old)["state"], office.row(old)["sent_again_as"]) == ("unknown", new)
    assert office.row(old)["reason"].endswith(f"It may have been sent. Sent again by a person as text {new}.")
    assert (office.row(new)["state"], office.row(new)["text"]) == ("queued", "Where are you?")
    due = outbox.next_due(office.db, "A", office.now)
    assert due is not None and due.sms_id == new


def test_a_text_that_arrived_by_a_persons_word_is_delivered(office: Office) -> None:
    sms_id = office.unknown()
    with store.write(office.db):
        assert outbox.mark_settled(office.db, sms_id, office.now)
        assert not outbox.mark_settled(office.db, sms_id, office.now)
        assert outbox.send_again(office.db, sms_id, office.now) is None, "there is nothing to repeat"
    row = office.row(sms_id)
    assert (row["state"], row["reason"]) == ("delivered", "A person said that it arrived.")


def test_a_repeat_that_still_waits_is_called_off_when_the_first_one_arrived_after_all(office: Office) -> None:
    old = office.unknown()
    with store.write(office.db):
        new = outbox.send_again(office.db, old, office.now)
        assert new is not None
        reports.report(office.db, DeliveryReport(3, ANNA, 0, office.now, office.now), office.now, "A")
    assert office.row(old)["state"] == "delivered"
    assert (office.row(new)["state"], office.row(new)["reason"]) == (
        "cancelled", "Not sent: the first one arrived after all.")


def test_an_answer_whose_button_was_pressed_twice_goes_once(office: Office) -> None:
    first = office.answered(ANNA, "Come at ten")
    assert office.answered(ANNA, "Come at ten") == first
    assert office.answered(ANNA, "Come at ten!") != first
    assert office.answered(BEN, "Come at ten") != first


def test_a_text_on_its_way_cannot_be_sent_again(office: Office) -> None:
    sms_id = office.answered(ANNA, "hi")
    with store.write(office.db):
        assert outbox.send_again(office.db, sms_id, office.now) is None
        assert outbox.send_again(office.db, 999, office.now) is None
        assert not outbox.mark_settled(office.db, sms_id, office.now)
    assert office.row(sms_id)["state"] == "queued"
