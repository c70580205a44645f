"""The page Programs: keys, phone books, webhooks with their log, the printer and Home Assistant."""
from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from datetime import UTC, datetime, timedelta

import pytest

from appliance import settings
from appliance.doors import tokens, webhooks
from appliance.people import cards
from appliance.people.cards import Wish
from appliance.store import db as store
from tests.desk import Answer, Browser, Office, eventually
from tests.pages.people import somebody

NOW = datetime.now(UTC)


def key_in(page: Answer) -> str:
    found = re.search(r"dbk_[A-Za-z0-9_-]+", page.text)
    assert found
    return found[0]


def undo(browser: Browser, done: Answer) -> None:
    page = browser.get(done.headers["Location"].partition("#")[0])
    key = re.search(r'name="done" value="([^"]+)"', page.text)
    assert key, "there is no way back"
    assert browser.post("/undo", {"done": key[1]}).status == 303


def test_a_key_is_shown_once_opens_the_api_and_is_taken_back_with_undo(office: Office, amy: Browser) -> None:
    made = amy.post("/doors/token", {"name": "Till", "role": "staff", "lasts": "30"})
    token = key_in(made)
    assert token not in amy.get("/doors").text and "Till" in amy.get("/doors").text

    def status() -> int:
        return Browser(amy.port).ask("GET", "/api/v1/calls", headers={"Authorization": f"Bearer {token}"}).status
    assert status() == 200
    one = tokens.listed(office.db)[0]
    assert one.expires_at and timedelta(days=29) < one.expires_at - NOW < timedelta(days=32)
    done = amy.post("/doors/token/revoke", {"id": str(one.id)})
    assert status() == 401
    undo(amy, done)
    assert status() == 200
    assert amy.get("/doors/api").status == 200 and "/contacts/{contact_id}" in amy.get("/doors/api").text


@pytest.mark.parametrize("form", [{"name": "", "role": "staff"}, {"name": "x" * 90, "role": "staff"},
                                  {"name": "Till", "role": "god"}, {"name": "Till"}])
def test_a_key_that_does_not_fit_is_refused_beside_its_form(office: Office, amy: Browser, form: dict[str, str]) -> None:
    page = amy.post("/doors/token", form)
    assert page.status == 400 and 'role="alert"' in page.text and not tokens.listed(office.db)


def test_only_the_owner_opens_the_page(office: Office) -> None:
    ben, ivo = somebody(office, "Ben", "staff"), somebody(office, "Ivo", "installer")
    assert ben.get("/doors").status == ivo.get("/doors").status == 403
    assert ben.post("/doors/token", {"name": "x", "role": "owner"}).status == 403


def book(office: Office, amy: Browser) -> str:
    with store.write(office.db) as db:
        for wish in (Wish("Zoë Müller & Co", numbers=[("0151 23456789", "mobile"), ("030 111222", "work")]),
                     Wish("<王小明>", numbers=[("030 111333", "")]),
                     Wish("Spam Ltd", numbers=[("030 111444", "")], is_blocked=True)):
            cards.save(db, wish, office.box.country, "Amy", NOW)
    return key_in(amy.post("/doors/token", {"name": "Desk phones", "role": "phonebook"}))


def test_a_yealink_reads_its_phone_book(office: Office, amy: Browser) -> None:
    found = Browser(amy.port).ask("GET", f"/phonebook/{book(office, amy)}/yealink.xml")
    assert found.status == 200 and found.headers["Content-Type"].startswith("text/xml")
    root = xml.fromstring(found.body)
    assert root.tag == "YealinkIPPhoneDirectory"
    told = {entry.findtext("Name"): [one.text for one in entry.findall("Telephone")] for entry in root}
    assert told == {"Zoë Müller & Co": ["+4915123456789", "+4930111222"], "<王小明>": ["+4930111333"]}


@pytest.mark.parametrize("name", ["grandstream.xml", "phonebook.xml"])
def test_a_grandstream_reads_its_phone_book(office: Office, amy: Browser, name: str) -> None:
    root = xml.fromstring(Browser(amy.port).ask("GET", f"/phonebook/{book(office, amy)}/{name}").body)
    assert root.tag == "AddressBook"
    phones = {it.findtext("LastName"): [(one.get("type"), one.findtext("phonenumber")) for one in it.findall("Phone")]
              for it in root.findall("Contact")}
    assert phones["Co"] == [("Cell", "+4915123456789"), ("Work", "+4930111222")]
    assert phones["<王小明>"] == [("Work", "+4930111333")]


def test_a_phone_book_opens_by_its_key_alone(office: Office, amy: Browser) -> None:
    key = book(office, amy)
    other = key_in(amy.post("/doors/token", {"name": "Till", "role": "owner"}))
    for wrong in (other, "dbk_" + "A" * 43, key[:-1]):
        assert amy.get(f"/phonebook/{wrong}/yealink.xml").status == 404, wrong
    one = next(it for it in tokens.listed(office.db) if it.role == tokens.PHONEBOOK)
    amy.post("/doors/token/revoke", {"id": str(one.id)})
    assert Browser(amy.port).ask("GET", f"/phonebook/{key}/yealink.xml").status == 404


def test_a_webhook_is_added_with_its_secret_switched_and_removed_with_undo(office: Office, amy: Browser) -> None:
    page = amy.post("/doors/webhook", {"name": "Shop", "url": "https://shop.example/hook", "kind": "call.ended"})
    row = office.db.execute("SELECT * FROM webhook").fetchone()
    assert row["secret"] in page.text and row["secret"] not in amy.get("/doors").text
    assert row["secret"] not in "".join(str(tuple(it)) for it in office.db.execute("SELECT * FROM change"))
    address = f"/doors/webhook/{row['id']}"
    done = amy.post(address + "/switch")
    assert not webhooks.listed(office.db)[0].is_on
    undo(amy, done)
    assert webhooks.listed(office.db)[0].is_on
    done = amy.post(address + "/remove")
    assert webhooks.listed(office.db) == [] and amy.get(address).status == 404
    undo(amy, done)
    assert office.db.execute("SELECT secret FROM webhook").fetchone()["secret"] == row["secret"]


@pytest.mark.parametrize(("form", "said"), [
    ({"name": "Shop", "url": "ftp://x", "kind": "call.ended"}, "https://"),
    ({"name": "Shop", "url": "https://a:b@x", "kind": "call.ended"}, "password"),
    ({"name": "Shop", "url": "https://x"}, "Choose what"),
    ({"name": "", "url": "https://x", "kind": "call.ended"}, "name")])
def test_a_webhook_that_does_not_fit_is_refused_beside_its_form(office: Office, amy: Browser, form: dict[str, str],
                                                               said: str) -> None:
    page = amy.post("/doors/webhook", form)
    assert page.status == 400 and said in page.text and not webhooks.listed(office.db)


def test_the_log_says_why_and_when_next_and_tells_again(office: Office, amy: Browser) -> None:
    amy.post("/doors/webhook", {"name": "Shop", "url": "http://127.0.0.1:9/hook", "kind": "call.ringing"})
    target = webhooks.listed(office.db)[0].id
    amy.post(f"/doors/webhook/{target}/test")
    eventually(lambda: office.db.execute("SELECT attempts FROM delivery").fetchone()[0])
    page = amy.get(f"/doors/webhook/{target}").text
    assert "this box itself" in page and "Waiting" in page and "A letter to try it" in page
    with store.write(office.db) as db:
        db.execute("UPDATE delivery SET state = 'given_up'")
    letter = office.db.execute("SELECT id FROM delivery").fetchone()[0]
    assert amy.post(f"/doors/webhook/{target}/replay", {"id": str(letter)}).status == 303
    assert office.db.execute("SELECT count(*) FROM delivery").fetchone()[0] == 2
    assert amy.post(f"/doors/webhook/{target}/replay", {"id": "999"}).status == 404
    assert amy.post("/doors/webhook/99/test").status == 404


def test_the_printer_is_named_tried_and_refused_in_words(office: Office, amy: Browser) -> None:
    call_id = office.missed()
    assert "Print slip" not in amy.get(f"/call/{call_id}").text
    assert "No receipt printer" in amy.get(amy.post(f"/call/{call_id}/slip").headers["Location"]).text
    assert amy.post("/doors/printer", {"slip_printer": "file:///etc/passwd", "slip_when": "never"}).status == 400
    done = amy.post("/doors/printer", {"slip_printer": "127.0.0.1:9", "slip_when": "missed"})
    now = settings.read(office.db)
    assert (now.slip_printer, now.slip_when) == ("tcp://127.0.0.1:9", "missed")
    assert "Print slip" in amy.get(f"/call/{call_id}").text
    assert amy.post(f"/call/{call_id}/slip").status == 303
    eventually(lambda: office.db.execute("SELECT 1 FROM slip WHERE call_id = ?", (call_id,)).fetchone())
    undo(amy, done)
    assert settings.read(office.db).slip_printer == ""


def test_home_assistant_is_set_and_its_password_is_nowhere_to_be_read(office: Office, amy: Browser) -> None:
    form = {"mqtt_host": "homeassistant.local", "mqtt_port": "1883", "mqtt_user": "deskbell",
            "mqtt_password": "s3cret!"}
    amy.post("/doors/mqtt", form)
    assert settings.read(office.db).mqtt_password == "s3cret!"
    amy.post("/doors/mqtt", {**form, "mqtt_password": "", "mqtt_names": "1"})
    now = settings.read(office.db)
    assert (now.mqtt_password, now.mqtt_names) == ("s3cret!", True)
    shown = amy.get("/doors").text + amy.get("/changes").text + amy.get("/settings").text
    assert "s3cret!" not in shown and b"s3cret!" not in amy.post("/about/diagnostics").body
    for wrong in ({"mqtt_host": "a b"}, {"mqtt_host": "a", "mqtt_port": "0"}, {"mqtt_host": "a", "mqtt_port": "x"}):
        assert amy.post("/doors/mqtt", wrong).status == 400
