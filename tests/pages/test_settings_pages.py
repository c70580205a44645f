"""The settings: each on its page, kept at once, written down, undone; what does not fit is said beside its field."""

from __future__ import annotations

import html
import json
import re
from dataclasses import fields

import pytest

from appliance import settings
from appliance.config import Box
from appliance.store import db as store
from tests.desk import Browser, Office
from web import settings_fields as table
from web.language import Languages
from web.settings_fields import FIELDS, SECTIONS, Field

PLAIN = {"yes_no": "1", "number": "", "choice": "drop", "time": "06:30", "country": "AT", "zone": "Asia/Shanghai",
         "language": "fr", "phones": "0170 1234567", "phone": "0170 1234567", "list": "Yes, No", "name": "Ford",
         "plain": "£48", "address": "https://a.example/x.json",
         "networks": "192.168.2.0/24", "text": "Fine, {shop}."}
WRONG = {"number": "many", "networks": "the cellar", "address": "http://a.example", "choice": "maybe", "time": "late",
         "country": "Mars", "zone": "Mars/Base", "language": "!!",
         "phones": "0170 1234567, pizza", "phone": "pizza", "list": ", ".join("abcdefghijklm"), "name": "",
         "text": "Hello {nobody}"}


def form_of(office: Office, amy: Browser, section: str) -> dict[str, str]:
    """The fields of a section as its page has them."""
    page, found = amy.get(f"/settings/{section}").text, {}
    for tag in re.findall(r"<input[^>]+>", page):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") in ("checkbox", "radio") and "checked" not in tag or given.get("name") in (None, "token"):
            continue
        found.setdefault(given["name"], html.unescape(given.get("value", "")))
    for name, inside in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', page, re.DOTALL):
        found[name] = html.unescape(inside)
    for name, inside in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]+)"[^>]*selected', inside)
        found[name] = chosen[1] if chosen else ""
    return found


def other(field: Field) -> str:
    """Something that fits and is not what stands."""
    if field.kind == "number":
        low, high = settings.RANGES[field.key]
        return str(low + 1 if getattr(settings.DEFAULTS, field.key) != low + 1 else high)
    if field.kind == "yes_no":
        return "" if getattr(settings.DEFAULTS, field.key) else "1"
    if field.kind == "choice":
        return next(str(key) for key in settings.CHOICES[field.key] if key != getattr(settings.DEFAULTS, field.key))
    return PLAIN[field.kind]


def undo(amy: Browser, answer: object) -> None:
    done = re.search(r"done=([^&#]+)", answer.headers["Location"])  # type: ignore[attr-defined]
    assert done and amy.post("/undo", {"done": done[1]}).status == 303


def test_every_setting_is_on_a_page_or_deliberately_not() -> None:
    on_pages = {field.key for field in FIELDS} | set(table.EDITED) | set(table.NOT_HERE)
    assert {field.name for field in fields(settings.Settings)} == on_pages
    assert len(FIELDS) == len({field.key for field in FIELDS})
    assert all(field.section in SECTIONS for field in FIELDS)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.key)
def test_each_setting_is_saved_written_down_and_undone(office: Office, amy: Browser, field: Field) -> None:
    form = form_of(office, amy, field.section)
    assert field.key in form or field.kind == "yes_no"
    before = vars(settings.read(office.db))
    form.pop(field.key, None)
    if wanted := other(field):
        form[field.key] = wanted
    answer = amy.post(f"/settings/{field.section}", form)
    assert answer.status == 303, answer.text
    now = vars(settings.read(office.db))
    assert [key for key in now if now[key] != before[key]] == [field.key]
    line = office.db.execute("SELECT * FROM change ORDER BY id DESC").fetchone()
    assert (line["by_user"], line["what"]) == ("Amy", f"setting {field.key}")
    undo(amy, answer)
    assert vars(settings.read(office.db)) == before
    assert not office.db.execute("SELECT 1 FROM setting WHERE key = ?", (field.key,)).fetchone(), "as if never set"


@pytest.mark.parametrize("field", [field for field in FIELDS if field.kind in WRONG], ids=lambda field: field.key)
def test_what_does_not_fit_is_kept_in_its_field_with_a_sentence_and_saves_nothing(
    office: Office, amy: Browser, field: Field
) -> None:
    form = form_of(office, amy, field.section)
    form[field.key] = WRONG[field.kind]
    answer = amy.post(f"/settings/{field.section}", form)
    assert answer.status == 400
    assert f'id="wrong-{field.key}"' in answer.text
    if field.kind not in ("choice", "country", "zone", "language"):
        assert html.escape(WRONG[field.kind]).replace("&#x27;", "&#39;") in answer.text
    assert settings.read(office.db) == settings.DEFAULTS
    assert not office.db.execute("SELECT 1 FROM change WHERE what LIKE 'setting%'").fetchone()


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_a_refusal_names_no_key_of_the_store(kind: str) -> None:
    field = next((field for field in FIELDS if field.kind == kind), None)
    if field is None:
        return
    with pytest.raises(table.Wrong) as refused:
        table.value_of(field, WRONG[kind], Box(), Languages(Box().zone).all["en"])
    assert field.key not in str(refused.value) and str(refused.value)[0].isupper() | (str(refused.value)[0] in "“'")


def test_another_time_zone_holds_on_the_very_next_page(office: Office, amy: Browser) -> None:
    form = form_of(office, amy, "shop") | {"time_zone": "Asia/Shanghai", "country": "CN"}
    amy.post("/settings/shop", form)
    assert 'data-zone="Asia/Shanghai"' in amy.get("/history").text
    assert office.server is not None
    form = form_of(office, amy, "shop")
    assert (form["time_zone"], form["country"]) == ("Asia/Shanghai", "CN")
    amy.post("/settings/shop", form | {"time_zone": "Europe/Berlin", "country": "DE"})
    assert settings.read(office.db).time_zone == "", "what box.toml says needs no setting"


def test_a_new_name_of_a_line_is_on_the_pop_of_the_next_call(office: Office, amy: Browser) -> None:
    form = form_of(office, amy, "lines") | {"line_line1": "Front line", "phone_101": "Till\u00a01"}
    assert amy.post("/settings/lines", form).status == 303
    amy.get("/settings/lines")
    with_stream = amy.listen()
    with_stream.next("now")
    office.call()
    assert with_stream.next("ringing")["trunk"] == "Front line"


def test_the_week_is_written_in_the_line_that_rules_read(office: Office, amy: Browser) -> None:
    form = {"open": "hours"}
    for day in range(5):
        form |= {f"from_{day}_0": "09:00", f"to_{day}_0": "13:00", f"from_{day}_1": "14:00", f"to_{day}_1": "18:00"}
    form |= {"from_5_0": "22:00", "to_5_0": "02:00"}
    assert amy.post("/settings/hours", form).status == 303
    assert settings.read(office.db).opening_hours == "Mon-Fri 09:00-13:00 14:00-18:00, Sat 22:00-02:00"
    page = amy.get("/settings/hours").text
    assert page.count('value="14:00"') == 5 and 'value="hours" checked' in page
    answer = amy.post("/settings/hours", form | {"open": "always"})
    assert settings.read(office.db).opening_hours == ""
    undo(amy, answer)
    assert settings.read(office.db).opening_hours.startswith("Mon-Fri")


@pytest.mark.parametrize(("form", "where"), [
    ({"open": "hours"}, "No day has hours"), ({"open": "hours", "from_0_0": "09:00"}, "no other end"),
    ({"open": "hours", "from_0_0": "09:00", "to_0_0": "09:00"}, "ends when it begins"),
    ({"open": "hours", "from_2_0": "9 am", "to_2_0": "18:00"}, "no time of day")])
def test_a_week_that_makes_no_sense_stays_in_its_fields(
    office: Office, amy: Browser, form: dict[str, str], where: str
) -> None:
    answer = amy.post("/settings/hours", form)
    assert answer.status == 400 and where in html.unescape(answer.text)
    assert settings.read(office.db).opening_hours == ""


def test_special_days_are_added_removed_and_undone(office: Office, amy: Browser) -> None:
    day = {"first": "2026-12-25", "last": "2026-12-26", "name": "Christmas <b>", "kind": "closed", "yearly": "1"}
    answer = amy.post("/settings/hours/day", day)
    assert settings.read(office.db).special_days == "--12-25..--12-26 closed Christmas <b>"
    page = amy.get("/settings/hours").text
    assert "Christmas &lt;b&gt;" in page and "every year" in page
    undo(amy, answer)
    assert settings.read(office.db).special_days == ""
    amy.post("/settings/hours/day", {"first": "2030-01-02", "kind": "open", "start": "10:00", "end": "12:00"})
    assert settings.read(office.db).special_days == "2030-01-02 10:00-12:00"
    gone = amy.post("/settings/hours/day/remove", {"line": "2030-01-02 10:00-12:00"})
    assert settings.read(office.db).special_days == ""
    undo(amy, gone)
    assert settings.read(office.db).special_days == "2030-01-02 10:00-12:00"
    assert amy.post("/settings/hours/day", {"first": "yesterday"}).status == 400
    assert amy.post("/settings/hours/day", {"first": "2026-12-27", "last": "2026-12-25"}).status == 400


def test_a_calendar_file_brings_its_whole_days(office: Office, amy: Browser) -> None:
    ics = ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20991225\r\nDTEND;VALUE=DATE:20991227\r\n"
           "SUMMARY:Christ\r\n mas\\, again\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART:20991224T100000Z\r\n"
           "SUMMARY:Dentist\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:19991225\r\nEND:VEVENT\r\n"
           "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20000501\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Labour Day\r\nEND:VEVENT\r\n"
           "END:VCALENDAR\r\n")
    answer = upload(amy, ics.encode())
    assert answer.status == 303
    assert settings.read(office.db).special_days == (
        "--05-01 closed Labour Day\n2099-12-25..2099-12-26 closed Christmas, again")
    assert upload(amy, b"%PDF-1.7").status == 400
    assert upload(amy, b"").status == 400


def test_closed_by_text_is_said_and_ended_with_a_button(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        settings.put(db, "closed_until", "2099-11-21T15:00:00.000Z")
    assert "by a text of an owner" in amy.get("/settings/hours").text
    answer = amy.post("/settings/hours/open")
    assert settings.read(office.db).closed_until == ""
    undo(amy, answer)
    assert settings.read(office.db).closed_until == "2099-11-21T15:00:00.000Z"


def test_the_log_of_changes_shortens_a_number(office: Office, amy: Browser) -> None:
    amy.post("/settings/lines", form_of(office, amy, "lines") | {"own_numbers": "0170 1234567"})
    line = office.db.execute("SELECT after FROM change WHERE what = 'setting own_numbers'").fetchone()
    assert "1234567" not in json.loads(line["after"])


def upload(amy: Browser, content: bytes) -> object:
    edge = b"----deskbell"
    body = b"".join(
        b"--" + edge + b"\r\nContent-Disposition: form-data; name=" + name + b"\r\n\r\n" + value + b"\r\n"
        for name, value in ((b'"token"', amy.token().encode()), (b'"file"; filename="a.ics"', content))
    ) + b"--" + edge + b"--\r\n"
    return amy.ask("POST", "/settings/hours/calendar", body, {
        "Accept": "text/html", "Origin": f"http://{amy.host}:{amy.port}", "Sec-Fetch-Site": "same-origin",
        "Content-Type": "multipart/form-data; boundary=" + edge.decode()})


def test_a_telephone_is_switched_to_silent_and_one_always_rings(office: Office, amy: Browser) -> None:
    form = form_of(office, amy, "lines")
    assert form["rings_101"] == form["rings_102"] == "1"
    del form["rings_102"]
    assert amy.post("/settings/lines", form).status == 303
    assert settings.read(office.db).silent_phones == "102"
    assert "rings_102" not in (again := form_of(office, amy, "lines"))
    del again["rings_101"]
    refused = amy.post("/settings/lines", again)
    assert refused.status == 400 and "At least one telephone has to ring." in refused.text
    assert settings.read(office.db).silent_phones == "102"
