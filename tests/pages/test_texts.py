"""Texts and conversations as the office sees and answers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.store import db as store
from appliance.texts import listing, optouts, templates
from tests.desk import Browser, Office
from tests.pages.textshop import GARAGE, HALIMA, MARGARET, came, hidden, outgoing, running, shop, state, unknown

THREAD = "/texts/with?number=%2B4915123456701"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = shop(tmp_path)
    yield office
    office.close()


def test_a_text_that_came_is_unread_until_somebody_opens_the_conversation(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "Can you look at my wheel?")
    page = amy.get("/texts").text
    assert "Margaret Osei" in page and "Can you look at my wheel?" in page and "1 unread" in page
    assert ', 1 unread' in amy.get("/").text
    assert "Can you look at my wheel?" in amy.get(THREAD).text
    assert ", 1 unread" not in amy.get("/").text and "Can you look" not in amy.get("/").text


def test_what_nobody_read_is_shown_although_a_group_text_went_after_it(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "My wheel wobbles")
    running(office)
    page = amy.get("/texts").text
    assert "My wheel wobbles" in page and "hello Margaret" not in page


def test_a_reply_is_queued_to_go_at_once_and_stands_in_the_conversation(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "Are you open?")
    answer = amy.post("/texts/with", {"number": MARGARET, "text": "Yes, until 18:00."})
    assert answer.status == 303 and answer.headers["Location"].startswith("/texts/with?number=%2B49")
    assert outgoing(office) == [(MARGARET, "Yes, until 18:00.", "queued")]
    assert "Yes, until 18:00." in amy.get(THREAD).text and "Waits" in amy.get(THREAD).text


def test_an_empty_reply_is_refused_in_a_sentence_and_sends_nothing(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "Hello?")
    answer = amy.post("/texts/with", {"number": MARGARET, "text": "  \r\n "})
    assert answer.status == 400 and "The text is empty" in answer.text and outgoing(office) == []


def test_a_sender_without_a_number_cannot_be_answered(office: Office, amy: Browser) -> None:
    came(office, "Vodafone", "Your bill is ready.")
    page = amy.get("/texts/with?number=Vodafone").text
    assert "takes no answer" in page and "<textarea" not in page.partition('id="pop"')[0]
    assert amy.post("/texts/with", {"number": "Vodafone", "text": "Hi"}).status == 400 and outgoing(office) == []


def test_there_is_no_conversation_with_a_stranger(amy: Browser) -> None:
    assert amy.get("/texts/with?number=%2B4915199999999").status == 404
    assert amy.get("/texts/with").status == 404


@pytest.mark.parametrize(
    ("number", "text", "said"),
    [
        ("0151 23456789", "Hello", None),
        ("0800 FLOWERS", "Hello", "holds letters"),
        ("", "Hello", "Write the number"),
        ("12", "Hello", "no telephone number here"),
        ("030 12345678", "Hello", "cannot take texts"),
        ("0151 23456789", "", "The text is empty"),
    ],
)
def test_a_new_text_goes_to_a_mobile_and_to_nothing_else(
    office: Office, amy: Browser, number: str, text: str, said: str | None
) -> None:
    answer = amy.post("/texts/new", {"number": number, "text": text})
    if said is None:
        assert answer.status == 303 and outgoing(office) == [("+4915123456789", "Hello", "queued")]
    else:
        assert answer.status == 400 and said in answer.text and outgoing(office) == []


def test_kept_answers_read_as_this_customer_will_read_them(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "Hello?")
    with store.write(office.db) as db:
        templates.save(db, "Hours", "{shop} is open, {first_name}.", templates.known_fields(db), True)
        templates.save(db, "Firm", "For {company}", templates.known_fields(db), True)
    page = amy.get(THREAD).text
    assert 'data-text="Larkspur Cycles is open, Margaret."' in page and "For {company}" not in page


def test_an_opted_out_customer_is_marked_where_somebody_would_reply(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "STOP")
    with store.write(office.db) as db:
        optouts.note(db, MARGARET, "DE", store.parse_time("2026-11-17T10:00:00.000Z"))
    assert "asked for no more texts" in amy.get(THREAD).text


def test_an_unknown_text_waits_for_one_of_two_buttons(office: Office, amy: Browser) -> None:
    sms_id = unknown(office)
    page = amy.get("/texts/list?show=unknown").text
    assert "Send again" in page and "It arrived" in page and "Decide" in amy.get("/texts").text
    assert amy.post("/texts/arrived", {"id": str(sms_id)}).status == 303
    assert state(office, sms_id) == "delivered" and len(outgoing(office)) == 1


def test_send_again_sends_one_more_however_often_it_is_pressed(office: Office, amy: Browser) -> None:
    sms_id = unknown(office)
    first = amy.post("/texts/again", {"id": str(sms_id), "back": "/texts/list?show=unknown"})
    assert first.status == 303 and "Sent again" in amy.get(first.headers["Location"]).text
    second = amy.post("/texts/again", {"id": str(sms_id)})
    assert "somebody was quicker" in amy.get(second.headers["Location"]).text
    assert [line[2] for line in outgoing(office)] == ["unknown", "queued"]
    assert "Decide" not in amy.get("/texts").text


def test_who_asked_for_no_more_texts_since_is_not_sent_it_again(office: Office, amy: Browser) -> None:
    sms_id = unknown(office)
    with store.write(office.db) as db:
        optouts.note(db, MARGARET, "DE", datetime.now(UTC) + timedelta(minutes=5))
    answer = amy.post("/texts/again", {"id": str(sms_id)})
    assert "they asked not to be texted" in amy.get(answer.headers["Location"]).text
    assert [line[2] for line in outgoing(office)] == ["unknown"]


@pytest.mark.parametrize("button", ["again", "arrived", "cancel"])
@pytest.mark.parametrize("given", ["", "x", "-1", "9" * 30, "1 OR 1"])
def test_a_button_with_a_broken_id_does_nothing(office: Office, amy: Browser, button: str, given: str) -> None:
    unknown(office)
    assert amy.post(f"/texts/{button}", {"id": given}).status == 400
    assert [line[2] for line in outgoing(office)] == ["unknown"]


def test_a_waiting_text_can_be_called_off_until_it_is_on_its_way(office: Office, amy: Browser) -> None:
    amy.post("/texts/new", {"number": "0151 23456701", "text": "Ready"})
    page = amy.get("/texts/list").text
    assert "Ready" in page and "Call off" in page
    answer = amy.post("/texts/cancel", {"id": hidden(page, "id")})
    assert "Nothing was sent" in amy.get(answer.headers["Location"]).text
    assert outgoing(office)[0][2] == "cancelled"
    answer = amy.post("/texts/cancel", {"id": hidden(page, "id")})
    assert "Too late" in amy.get(answer.headers["Location"]).text


def test_a_button_never_leads_to_another_site(office: Office, amy: Browser) -> None:
    for back in ("//evil.example", "https://evil.example/texts", "/logout", "/texts\r\nX: y"):
        answer = amy.post("/texts/arrived", {"id": str(unknown(office)), "back": back})
        assert answer.headers["Location"].startswith("/texts/list?show=unknown"), back


def test_the_list_tells_what_waits_and_gives_a_group_text_one_line(office: Office, amy: Browser) -> None:
    campaign_id = running(office)
    page = amy.get("/texts/list").text
    assert f'href="/campaign/{campaign_id}"' in page and "3 texts of this group text wait" in page


def test_a_failed_text_says_why_and_the_call_names_the_rule(office: Office, amy: Browser) -> None:
    call_id = office.missed(HALIMA)
    office.texted(call_id, "failed")
    page = amy.get("/texts/list?show=failed").text
    assert "The network refused it." in page and "Rule “Missed call”" in page and "Send again" in page
    assert "By the rule “Missed call”" in amy.get(f"/call/{call_id}").text


@pytest.mark.parametrize("path", ["/texts/list?show=everything", "/texts?before=x", "/texts/list?show=sent&before=-1"])
def test_a_broken_address_is_no_page(amy: Browser, path: str) -> None:
    assert amy.get(path).status == 404


def test_what_customers_write_is_never_markup(office: Office, amy: Browser) -> None:
    evil = "<script>alert(1)</script> {{7*7}} \" onmouseover=x"
    came(office, MARGARET, evil)
    for path in ("/texts", THREAD, "/texts/list?show=sent"):
        page = amy.get(path).text
        assert "<script>alert" not in page and " 49 " not in page
    assert GARAGE not in amy.get("/texts").text


def test_older_conversations_and_texts_are_a_page_away(office: Office, amy: Browser) -> None:
    for n in range(60):
        came(office, f"+49151234{n:05d}", f"text {n}")
    page = amy.get("/texts").text
    older = re.search(r'href="(/texts\?before=\d+)"', page)
    assert older and "text 59" in page and ">text 3<" not in page and "text 3" in amy.get(older[1]).text


@pytest.mark.parametrize(("show", "index"), [("failed", "sms_failed"), ("unknown", "sms_unknown")])
def test_the_rare_ones_are_found_by_their_index(office: Office, show: str, index: str) -> None:
    asked = f"SELECT * FROM sms WHERE {listing.SHOWS[show]} AND sms.id < 9"
    assert index in office.db.execute("EXPLAIN QUERY PLAN " + asked).fetchone()["detail"]
