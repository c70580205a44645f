"""To call on the pages: promised, put off, done and undone; a list designed, worked through and taken home as CSV."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from appliance import settings
from appliance.calls import calllist, tocall
from appliance.people import contacts
from appliance.store import db as store
from tests.desk import Browser, Office

MARGARET, OTTO = "+4915123456701", "+493012345678"
LATER = {"day": "2099-01-02", "hour": "15:00"}


@pytest.fixture(autouse=True)
def _at_any_hour(office: Office) -> None:
    with store.write(office.db) as db:
        settings.put(db, "quiet_from", "08:00")
        contacts.add(db, "Margaret <b>Osei</b>", [MARGARET], "DE", datetime.now(UTC))


def undo(amy: Browser, location: str) -> None:
    done = re.search(r"done=([^&#]+)", location)
    assert done and amy.post("/undo", {"done": done[1]}).status == 303


def design(amy: Browser, **more: str) -> int:
    answer = amy.post("/tocall/list", {
        "name": "Autumn", "script": "Hello {first_name}, your bike is due.", "list": f"{MARGARET}\n030 12345678",
        "max_tries": "2", "pause_min": "60", "held_min": "20", "label_q1": "Which day?", "kind_q1": "choice",
        "choices_q1": "Mon, Tue", "q": "q1", **more})
    assert answer.status == 303, answer.text
    found = re.search(r"/tocall/list/(\d+)", answer.headers["Location"])
    assert found
    return int(found[1])


def test_a_promise_is_noted_put_off_done_and_undone(office: Office, amy: Browser) -> None:
    call = office.missed(MARGARET)
    page = amy.get(f"/tocall/new?call={call}").text
    assert "Margaret &lt;b&gt;Osei" in page
    answer = amy.post("/tocall/new", {"number": "0151 23456701", "about": "the <i>pads", "call_id": str(call)} | LATER)
    made = tocall.coming(office.db, datetime.now(UTC))[0]
    assert (made.number, made.by_user, made.call_id) == (MARGARET, "Amy", call)
    page = amy.get("/tocall").text
    assert "the &lt;i&gt;pads" in page and f"tel:{MARGARET}" in page and "15:00" in page
    later = amy.post(f"/tocall/callback/{made.id}/later", {"minutes": "1440"})
    assert tocall.one(office.db, made.id).due_at == made.due_at + timedelta(days=1)
    undo(amy, later.headers["Location"])
    assert tocall.one(office.db, made.id).due_at == made.due_at
    done = amy.post(f"/tocall/callback/{made.id}/done", {"back": "//evil.example"})
    assert done.headers["Location"].startswith("/tocall?done=")
    assert tocall.one(office.db, made.id).state == "done"
    undo(amy, done.headers["Location"])
    assert tocall.one(office.db, made.id).state == "open"
    undo(amy, answer.headers["Location"])
    assert tocall.one(office.db, made.id) is None


@pytest.mark.parametrize("wrong", [{"number": "pizza"}, {"day": "2001-01-01"}, {"hour": "tea"}])
def test_a_promise_that_makes_no_sense_stays_in_its_fields(amy: Browser, wrong: dict[str, str]) -> None:
    answer = amy.post("/tocall/new", {"number": MARGARET, "about": "kept text"} | LATER | wrong)
    assert answer.status == 400 and "kept text" in answer.text and 'role="alert"' in answer.text


def test_every_desk_is_told_when_a_promise_is_due(office: Office, amy: Browser) -> None:
    now = datetime.now(UTC)
    with store.write(office.db) as db:
        made = tocall.add(db, MARGARET, "the pads", now + timedelta(seconds=1), "Amy", "DE", now)
    desk = amy.listen()
    desk.next("now")
    tocall.attend(office.db, now + timedelta(minutes=1))
    told = desk.next("reminder")
    assert (told["callback_id"], told["number"], told["about"]) == (made, MARGARET, "the pads")
    with store.write(office.db) as db:
        tocall.end(db, made, "done", now)
    again = amy.listen(after=0).next("reminder")
    assert "number" not in again, "a desk that comes later is not told of what is settled"


def test_a_list_is_designed_worked_through_and_taken_home(office: Office, amy: Browser) -> None:
    list_id = design(amy)
    assert calllist.progress(office.db, list_id, datetime.now(UTC)).people == 2
    at_work = amy.post(f"/tocall/list/{list_id}/next").headers["Location"]
    page = html.unescape(amy.get(at_work).text)
    assert "Hello Margaret, your bike is due." in page and f"tel:{MARGARET}" in page
    assert amy.post(at_work, {"a_q1": "Sun", "outcome": "reached"}).status == 400
    assert amy.post(at_work, {"a_q1": "Tue"}).status == 400, "what came of it is wanted"
    answer = amy.post(at_work, {"a_q1": "Tue", "outcome": "reached", "note": "=cmd|calc"})
    assert answer.status == 303
    csv = amy.get(f"/tocall/list/{list_id}/answers.csv")
    assert csv.status == 200 and "Tue" in csv.text and not re.search(r"(^|[,;])=cmd", csv.text)
    undo(amy, answer.headers["Location"])
    assert amy.post(f"/tocall/list/{list_id}/next").headers["Location"] == at_work
    amy.post(f"{at_work}/back")
    assert calllist.entry(office.db, int(at_work.rsplit("/", 1)[1])).state == "waiting"


def test_they_want_nothing_more_and_that_can_be_undone(office: Office, amy: Browser) -> None:
    list_id = design(amy)
    at_work = amy.post(f"/tocall/list/{list_id}/next").headers["Location"]
    answer = amy.post(at_work, {"outcome": "refused", "no_texts": "1"})
    assert office.db.execute("SELECT number FROM opt_out").fetchone()["number"] == MARGARET
    undo(amy, answer.headers["Location"])
    assert not office.db.execute("SELECT 1 FROM opt_out").fetchone()


def test_they_asked_for_another_day(office: Office, amy: Browser) -> None:
    list_id = design(amy)
    at_work = amy.post(f"/tocall/list/{list_id}/next").headers["Location"]
    amy.post(at_work, {"outcome": "no_answer", "again_day": "2099-01-02", "again_hour": "10:00"})
    one = calllist.entry(office.db, int(at_work.rsplit("/", 1)[1]))
    assert one.state == "waiting" and one.due_at.year == 2099


@pytest.mark.parametrize(("wrong", "sentence"), [
    ({"name": ""}, "needs a name"), ({"list": "pizza"}, "Nobody of those can be rung"),
    ({"list": ""}, "Choose a group"),
    ({"choices_q1": "Mon"}, "needs 2 to 12 answers"), ({"script": "Hi {nmae}"}, "no field {nmae}"),
    ({"max_tries": "0"}, "1 to 20 times")])
def test_a_list_that_makes_no_sense_stays_in_its_fields(
    office: Office, amy: Browser, wrong: dict[str, str], sentence: str
) -> None:
    form = {"name": "Autumn", "script": "", "list": MARGARET, "max_tries": "2", "pause_min": "60", "held_min": "20",
            "label_q1": "Which day?", "kind_q1": "choice", "choices_q1": "Mon, Tue", "q": "q1"}
    answer = amy.post("/tocall/list", form | wrong)
    assert answer.status == 400 and sentence in html.unescape(answer.text) and "Which day?" in answer.text
    assert not calllist.listed(office.db)


def test_another_ones_number_and_a_made_up_one_are_not_opened(office: Office, amy: Browser) -> None:
    list_id = design(amy)
    with store.write(office.db) as db:
        theirs = calllist.hand_out(db, list_id, "Ben", settings.read(db), datetime.now(UTC))
    assert amy.get(f"/tocall/entry/{theirs.id}").status == 303
    assert amy.post(f"/tocall/entry/{theirs.id}", {"outcome": "reached"}).status == 303
    assert calllist.entry(office.db, theirs.id).taken_by == "Ben"
    assert amy.get("/tocall/entry/99999999").status == 404
    assert amy.get(f"/tocall/list/{2**70}").status == 404
    assert amy.post("/tocall/callback/77/done").status == 404


def test_a_list_is_paused_and_goes_on(office: Office, amy: Browser) -> None:
    list_id = design(amy)
    paused = amy.post(f"/tocall/list/{list_id}/paused")
    amy.post(f"/tocall/list/{list_id}/next")
    assert calllist.progress(office.db, list_id, datetime.now(UTC)).taken == 0
    undo(amy, paused.headers["Location"])
    assert calllist.get(office.db, list_id).state == "open"
