"""Group texts: composed, seen, confirmed by what was seen, and steered."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.people import groups
from appliance.store import db as store
from appliance.texts import optouts
from tests.desk import Browser, Office
from tests.pages.textshop import HALIMA, MARGARET, hidden, outgoing, running, shop

NEW = "/campaigns/new"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = shop(tmp_path)
    yield office
    office.close()


def filled(office: Office, **given: str) -> dict[str, str]:
    riders = groups.named(office.db, "Club riders")
    return {"group": str(riders), "text": "{shop}: hello {first_name|there}", "kind": "now", "do": "check", **given}


def campaigns_of(office: Office) -> int:
    return int(office.db.execute("SELECT count(*) FROM campaign").fetchone()[0])


def test_a_check_shows_who_what_and_how_much_and_stores_nothing(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        optouts.note(db, HALIMA, "DE", store.parse_time("2026-11-17T10:00:00.000Z"))
    page = html.unescape(amy.post(NEW, filled(office)).text)
    assert '<p class="sum">2 people</p>' in page and "<b>0.08</b>" in page
    assert "2 get nothing." in page and "Asked for no more texts." in page and "A landline cannot take texts." in page
    assert "As Margaret Osei sees it" in page and "Larkspur Cycles: hello Margaret" in page
    assert campaigns_of(office) == 0 and outgoing(office) == []


def test_confirming_what_was_seen_plans_it_once(office: Office, amy: Browser) -> None:
    seen = hidden(amy.post(NEW, filled(office)).text, "hash")
    answer = amy.post(NEW, filled(office, do="confirm", hash=seen))
    assert answer.status == 303 and re.match(r"/campaign/\d+\?done=", answer.headers["Location"])
    page = amy.get(answer.headers["Location"]).text
    assert "Confirmed. It goes as you saw it." in page and "Larkspur" in page and campaigns_of(office) == 1


def test_what_nobody_saw_is_not_sent_but_shown(office: Office, amy: Browser) -> None:
    seen = hidden(amy.post(NEW, filled(office)).text, "hash")
    for changed in (filled(office, do="confirm", hash=seen, text="Other words"), filled(office, do="confirm"),
                    filled(office, do="confirm", hash="0" * 64)):
        answer = amy.post(NEW, changed)
        assert answer.status == 409 and "Something changed since you looked" in answer.text
        assert 'class="sum"' in answer.text and campaigns_of(office) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": ""}, "The text is empty"),
        ({"text": "Hello {nmae}"}, "Did you mean {name}?"),
        ({"text": "Hello {}"}, "without a field"),
        ({"group": ""}, "Choose a group"),
        ({"group": "999"}, "deleted meanwhile"),
        ({"group": "x"}, "deleted meanwhile"),
        ({"kind": "at", "day": "2020-01-01", "hour": "10:00"}, "is past"),
        ({"kind": "at", "day": "tomorrow", "hour": "10:00"}, "no day and time"),
        ({"kind": "at"}, "no day and time"),
        ({"kind": "after", "delay_min": "soon"}, "no whole number"),
        ({"kind": "after"}, "minutes"),
        ({"kind": "weekly", "weekday": "9", "weekly_hour": "10:00"}, "day of the week"),
        ({"kind": "weekly", "weekday": "0", "weekly_hour": "25:00"}, "no time of the day"),
        ({"kind": "monthly", "month_day": "32", "monthly_hour": "10:00"}, "1 to 31"),
        ({"kind": "never"}, "no schedule"),
        ({"a_day": "ten"}, "no whole number"),
        ({"a_day": "0"}, "part 1 to 1000000"),
        ({"rang_within_days": "99999"}, "1 to 3660"),
        ({"sim": "other"}, "no SIM"),
    ],
)
def test_what_cannot_be_sent_is_said_in_a_sentence(
    office: Office, amy: Browser, given: dict[str, str], said: str
) -> None:
    answer = amy.post(NEW, filled(office, **given))
    assert answer.status == 400 and said in html.unescape(answer.text)
    assert 'role="alert"' in answer.text and campaigns_of(office) == 0


def test_a_pasted_list_says_which_lines_are_no_numbers(office: Office, amy: Browser) -> None:
    page = html.unescape(amy.post(NEW, filled(office, group="", list="0151 23456701\n0800 FLOWERS; 12\r\n")).text)
    assert "1 person" in page and "2 get nothing" in page and "holds letters" in page


def test_an_empty_group_texts_nobody(office: Office, amy: Browser) -> None:
    empty = str(groups.named(office.db, "Nobody yet"))
    page = amy.post(NEW, filled(office, group=empty)).text
    assert "0 people" in page and 'value="confirm"' not in page
    answer = amy.post(NEW, filled(office, group=empty, do="confirm", hash=hidden(page, "hash")))
    assert answer.status == 409 and "Nobody would get this text" in answer.text and campaigns_of(office) == 0


def multipart(amy: Browser, path: str, form: dict[str, str], name: str, content: bytes) -> str:
    form = {**form, "token": amy.token()}
    body = b"".join(f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
                    for key, value in form.items())
    body += f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content
    headers = {"Accept": "text/html", "Origin": f"http://127.0.0.1:{amy.port}", "Sec-Fetch-Site": "same-origin",
               "Content-Type": "multipart/form-data; boundary=x"}
    return html.unescape(amy.ask("POST", path, body + b"\r\n--x--\r\n", headers).text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_list_brings_its_own_fields_in_any_encoding(office: Office, amy: Browser, encoding: str) -> None:
    content = "number;bike\n0151 23456701;Röd 3\n".encode(encoding)
    page = multipart(amy, NEW, filled(office, group="", text="Your {bike} is ready"), "list.csv", content)
    assert "1 person" in page and "Your Röd 3 is ready" in page and "1 row of your list is in" in page
    again = amy.post(NEW, filled(office, group="", text="Your {bike} is ready", rows=hidden_rows(page)))
    assert "Your Röd 3 is ready" in html.unescape(again.text)


def hidden_rows(page: str) -> str:
    found = re.search(r'name="rows" value="(\[.*?\])"', page)
    assert found
    return found[1]


def test_a_list_that_is_no_list_is_refused(office: Office, amy: Browser) -> None:
    page = multipart(amy, NEW, filled(office, group=""), "x.csv", b"hello\nworld\n")
    assert "Nobody was texted" in page and campaigns_of(office) == 0
    assert amy.post(NEW, filled(office, group="", rows="[1, {")).status == 400


def test_plain_spelling_is_offered_and_taken_without_a_script(office: Office, amy: Browser) -> None:
    text = "It’s winter: " + "x" * 90
    page = amy.post(NEW, filled(office, text=text)).text
    assert "Spell it plainly" in page and "<b data-of=\"texts\">2 texts" in page
    page = amy.post(NEW, filled(office, text=text, do="plain")).text
    assert "It&#39;s winter" in page and "<b data-of=\"texts\">1 text<" in page


def test_pause_resume_and_stop_do_what_they_say(office: Office, amy: Browser) -> None:
    campaign_id = running(office)
    page = amy.get(f"/campaign/{campaign_id}").text
    assert "0 of 3 people dealt with" in page and "Pause" in page and "Stop the rest" in page
    said = amy.get(amy.post(f"/campaign/{campaign_id}/pause").headers["Location"]).text
    assert "Paused." in said and "Resume" in said and 'formaction="/pause' not in said
    assert "It goes on." in amy.get(amy.post(f"/campaign/{campaign_id}/resume").headers["Location"]).text
    assert "Nothing more of it is sent." in amy.get(amy.post(f"/campaign/{campaign_id}/stop").headers["Location"]).text
    assert {line[2] for line in outgoing(office)} == {"cancelled"}
    again = amy.get(amy.post(f"/campaign/{campaign_id}/resume").headers["Location"]).text
    assert "Nothing was changed" in again


def test_what_needs_a_look_stands_in_words_with_what_to_do(office: Office, amy: Browser) -> None:
    campaign_id = running(office)
    with store.write(office.db) as db:
        db.execute("UPDATE sms SET state = 'unknown', reason = 'The SIM never answered.' WHERE number = ?", (MARGARET,))
        db.execute("UPDATE sms SET state = 'failed', reason = 'No such number.' WHERE number = ?", (HALIMA,))
    page = amy.get(f"/campaign/{campaign_id}").text
    assert "2 to look at" in page and "The SIM never answered." in page and "It arrived" in page
    assert "No such number." in page and "Send the refused again" in page
    assert "1 goes once more." in amy.get(amy.post(f"/campaign/{campaign_id}/resend").headers["Location"]).text
    assert "Left out" in amy.get(f"/campaign/{campaign_id}?show=everyone").text


def test_the_export_opens_in_a_spreadsheet_without_running_anything(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        db.execute("UPDATE contact SET name = '=HYPERLINK(\"http://x\")' WHERE name = 'Margaret Osei'")
    campaign_id = running(office, "=1+1 {name}")
    answer = amy.get(f"/campaign/{campaign_id}/export")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))
    assert len(rows) == 5 and all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_the_list_shows_each_group_text_and_an_empty_one_says_what_to_do(office: Office, amy: Browser) -> None:
    assert "No group texts yet" in amy.get("/campaigns").text
    campaign_id = running(office)
    page = amy.get("/campaigns").text
    assert f'href="/campaign/{campaign_id}"' in page and "Winter service" in page and "0 of 3 dealt with" in page


@pytest.mark.parametrize("path", ["/campaign/99", "/campaign/0", "/campaign/99999999999999999999", "/campaign/1/export",
                                  "/campaign/x"])
def test_a_group_text_that_is_not_there_is_no_page(amy: Browser, path: str) -> None:
    assert amy.get(path).status == 404
