"""What a desk does from the pop, at the routes: notes, outcomes, dialling, the mute, the lines it sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import config
from appliance.calls import known, owed
from appliance.people import seats, users
from appliance.store import db as store
from tests.desk import Browser, Office, box_at, hashed

JSON = {"Accept": "application/json"}
MARGARET = "+4915123456789"


@pytest.fixture
def two_lines(tmp_path: Path) -> Iterator[Office]:
    office = Office(box_at(tmp_path, trunks=(config.Trunk("line1", "Line 1", "127.0.0.1:5070"),
                                             config.Trunk("line2", "Mobile", "127.0.0.1:5071"))))
    yield office
    office.close()


def ask(who: Browser, path: str, **form: object) -> dict:
    answer = who.post(path, {name: str(value) for name, value in form.items()}, **JSON)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)


def phone_of(office: Office, extension: str | None) -> None:
    with store.write(office.db) as db:
        db.execute("UPDATE user SET extension = ?", (extension,))


def staff(office: Office, name: str) -> Browser:
    with store.write(office.db) as db:
        users.set_password(db, users.add(db, name, "staff", datetime.now(UTC)), hashed())
    browser = Browser(office.server.port)
    browser.log_in(name)
    return browser


def notes(office: Office) -> list[str]:
    return [row[0] for row in office.db.execute("SELECT text FROM note")]


@pytest.mark.parametrize(("there", "was", "typed", "kept"), [
    ("", "", "Chain", ["Chain"]),
    ("Chain", "Chain", "Chain and tyre", ["Chain and tyre"]),
    ("Chain", "", "Deposit", ["Chain\nDeposit"]),          # another desk wrote meanwhile: both stay
    ("Chain\nDeposit", "", "Deposit", ["Chain\nDeposit"]),  # sent twice: once is enough
    ("Chain", "Chain", "", []),
    ("Chain", "", "", ["Chain"]),
])
def test_a_note_from_the_pop_takes_nothing_from_what_another_desk_wrote(
    office: Office, amy: Browser, there: str, was: str, typed: str, kept: list[str]
) -> None:
    call_id = office.call()
    if there:
        ask(amy, "/pop/note", call_id=call_id, note=there, was="")
    ask(amy, "/pop/note", call_id=call_id, note=typed, was=was)
    assert notes(office) == kept


def test_the_desks_are_told_of_a_note_once_and_of_no_change_never(office: Office, amy: Browser) -> None:
    call_id = office.call()
    for _ in range(3):
        ask(amy, "/pop/note", call_id=call_id, note="Chain", was="Chain")
    told = office.db.execute("SELECT count(*) FROM event WHERE kind = 'note' AND call_id = ?", (call_id,)).fetchone()
    assert told[0] == 1


def test_a_note_on_a_call_that_is_gone_is_refused_in_words(amy: Browser) -> None:
    assert ask(amy, "/pop/note", call_id=99, note="Chain", was="")["refused"] == "This call was deleted meanwhile."


def test_an_outcome_that_is_not_on_the_list_is_not_taken(office: Office, amy: Browser) -> None:
    call_id = office.call()
    assert amy.post("/pop/outcome", {"call_id": str(call_id), "outcome": "<b>"}, **JSON).status == 400
    assert ask(amy, "/pop/outcome", call_id=call_id, outcome="Price") == {"disposition": "Price"}
    assert office.db.execute("SELECT what, after FROM change ORDER BY id DESC").fetchone()[:] == (
        f"call {call_id}", '{"disposition": "Price"}')


def test_a_landline_takes_no_text_and_the_pop_says_why(office: Office, amy: Browser) -> None:
    refused = ask(amy, "/pop/text", number="+493012345678", text="Hello")["refused"]
    assert "is no mobile: it cannot take texts." in refused
    assert ask(amy, "/pop/text", number=MARGARET, text="")["refused"].startswith("The text is empty.")
    assert office.db.execute("SELECT count(*) FROM sms").fetchone()[0] == 0


def test_without_a_script_a_number_is_dialled_and_the_page_says_so(office: Office, amy: Browser) -> None:
    call_id = office.missed(MARGARET)
    assert f'href="tel:{MARGARET}"' in amy.get(f"/call/{call_id}").text
    phone_of(office, "101")
    page = amy.get(f"/call/{call_id}").text
    assert f'form="dial" name="number" value="{MARGARET}"' in page
    assert '<form id="dial" method="post" action="/dial"' in page
    answer = amy.post("/dial", {"number": MARGARET, "back": f"/call/{call_id}"})
    assert answer.status == 303 and answer.headers["Location"].startswith(f"/call/{call_id}?done=")
    assert "Your telephone rings. Lift it, and the box dials 01512 3456789." in amy.get(answer.headers["Location"]).text
    assert office.db.execute("SELECT kind, extension, target, by_user FROM phone_order").fetchone()[:] == (
        "dial", "101", MARGARET, "Amy")


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_after_dialling_nobody_is_sent_elsewhere(office: Office, amy: Browser, back: str) -> None:
    phone_of(office, "101")
    assert amy.post("/dial", {"number": MARGARET, "back": back}).headers["Location"].startswith("/tocall?")


def test_who_has_no_desk_phone_is_told_where_to_get_one(office: Office, amy: Browser) -> None:
    said = ask(amy, "/dial", number=MARGARET)["refused"]
    assert said == "No desk phone is yours, so none can ring first. The owner sets it under Users."
    assert office.db.execute("SELECT count(*) FROM phone_order").fetchone()[0] == 0


def test_nobody_hears_what_became_of_another_users_order(office: Office, amy: Browser) -> None:
    phone_of(office, "101")
    order = ask(amy, "/dial", number=MARGARET)["order"]
    assert json.loads(amy.get(f"/pop/order/{order}", **JSON).text)["state"] == "asked"
    assert staff(office, "Ben").get(f"/pop/order/{order}", **JSON).status == 404
    assert amy.get("/pop/order/999999999999999999", **JSON).status == 404


def test_the_mute_is_the_users_own_and_works_without_a_script(office: Office, amy: Browser) -> None:
    ben = staff(office, "Ben")
    assert amy.post("/pop/mute", {"muted": "1", "back": "/history"}).headers["Location"].startswith("/history?done=")
    assert 'data-muted="1"' in amy.get("/").text
    assert 'data-muted=""' in ben.get("/").text


def test_a_user_sees_the_lines_the_owner_gave_on_the_stream_at_once(two_lines: Office) -> None:
    amy = two_lines.browser()
    ben = staff(two_lines, "Ben")
    ben_id = two_lines.db.execute("SELECT id FROM user WHERE name = 'Ben'").fetchone()[0]
    stream = ben.listen()
    stream.next("now")
    form = {"name": "Ben", "role": "staff", "language": "", "extension": "", "has_lines": "1", "lines": "line2"}
    assert amy.post(f"/users/{ben_id}", form).status == 303
    assert seats.of_user(two_lines.db, ben_id).lines == frozenset({"line2"})
    two_lines.call(name="On line 1")
    with store.write(two_lines.db) as db:
        other = db.execute("SELECT id FROM call").fetchone()[0]
    mine = two_lines.call("+4917655555551", name="On line 1 too")
    with store.write(two_lines.db) as db:
        db.execute("UPDATE call SET trunk = 'line2' WHERE id = ?", (mine,))
        two_lines.event("answered", mine)
    told = [stream.next()]
    while told[-1]["kind"] != "answered":
        told.append(stream.next())
    assert {event["call_id"] for event in told if event["kind"] != "now"} == {mine}
    assert [call["call_id"] for call in ben.listen().next("now")["calls"]] == [mine]
    assert [call["call_id"] for call in amy.listen().next("now")["calls"]] == [other, mine]


def test_all_lines_ticked_means_also_those_that_come_later(two_lines: Office) -> None:
    amy = two_lines.browser()
    form = {"name": "Amy", "role": "owner", "language": "", "extension": "101", "has_lines": "1", "muted": "1"}
    user_id = two_lines.db.execute("SELECT id FROM user").fetchone()[0]
    amy.post(f"/users/{user_id}", form | {"lines": "line1"})
    assert 'value="line1" checked' in amy.get(f"/users/{user_id}").text
    assert 'value="line2" checked' not in amy.get(f"/users/{user_id}").text
    with store.write(two_lines.db) as db:
        seats.put(db, user_id, seats.Seat())
    assert seats.of_user(two_lines.db, user_id) == seats.Seat("101", None, False)


def test_what_the_pop_owes_a_caller_is_what_the_page_today_owes_them(office: Office) -> None:
    now = datetime.now(UTC)
    office.missed(MARGARET, contact="Margaret Osei")
    office.missed(MARGARET, contact="Margaret Osei")
    card = office.db.execute("SELECT id FROM contact").fetchone()[0]
    with store.write(office.db) as db:
        db.execute("INSERT INTO contact_number (number, contact_id) VALUES (?, ?), ('+4917655555551', ?)",
                   (MARGARET, card, card))
    for number in (MARGARET, "+4917655555551"):
        its = known.of(office.db, number, card, 0, now)
        debt = owed.owed(office.db, now - owed.OWED_FOR)[0]
        assert (its.owed, its.owed_at) == (debt.times, debt.at) and debt.times == 2
    spoken = office.call("+4917655555551", direction="out")
    office.answered(spoken)
    assert known.of(office.db, MARGARET, card, 0, now).owed == 0 == owed.count(office.db, now - owed.OWED_FOR)


def test_a_blocked_caller_is_said_to_be_blocked_and_is_owed_nothing(office: Office, amy: Browser) -> None:
    office.missed(MARGARET, contact="Cold Call Ltd")
    with store.write(office.db) as db:
        db.execute("UPDATE contact SET is_blocked = 1, blocked_reason = 'sells power'")
    stream = amy.listen()
    stream.next("now")
    office.call(MARGARET, contact="Cold Call Ltd")
    event = stream.next("ringing")
    assert event["card"]["is_blocked"] and event["card"]["blocked_reason"] == "sells power" and event["owed"] is None


def test_the_last_note_is_not_the_one_being_written(office: Office, amy: Browser) -> None:
    first = office.missed(MARGARET)
    ask(amy, "/pop/note", call_id=first, note="Wants a bell", was="")
    stream = amy.listen()
    stream.next("now")
    call_id = office.call(MARGARET)
    assert stream.next("ringing")["before"]["text"] == "Wants a bell"
    ask(amy, "/pop/note", call_id=call_id, note="And a lamp", was="")
    event = stream.next("note")
    assert event["before"]["text"] == "Wants a bell" and event["note"] == {"text": "And a lamp", "by": "Amy"}
