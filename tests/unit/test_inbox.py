"""What follows from a text that came, in a real store: no more texts, keywords, a copy."""
from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import inbox, keywords, optouts, outbox
from hw.pdu import Delivered
from tests.unit.replying import CALLER, HOUR, MINUTE, MOBILE, NOW, OWN, OWNER, Office, office

__all__ = ["office"]


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


def test_a_sender_of_letters_is_nobodys_number_although_the_keys_of_telephones_bear_letters(office: Office) -> None:
    office.put(owner_numbers="+491702345678")
    office.came("STOP", "0170ADGJMPT")
    office.came("MISSED", "0170ADGJMPT")
    assert office.out() == []
    assert [row["number"] for row in office.db.execute("SELECT number FROM opt_out")] == ["0170ADGJMPT"]


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
