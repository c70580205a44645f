"""Help, About and the diagnostics: all there, found, and nothing in the file that is a customer's or a secret."""

from __future__ import annotations

import html
import io
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import settings
from appliance.box import diagnostics, licences
from appliance.calls import today
from appliance.config import Extension, Modem, Trunk
from appliance.people import contacts
from appliance.store import db as store
from tests.desk import Browser, Office
from web import about
from web.helptopics import PAGES, TOPICS, topic_of

NUMBER, OTHER, OWN, SIM = "+4915123456701", "+4915199988877", "+493055566677", "+4915177766655"
SECRETS = ("Margaretha Quillfeather", "Sewing Circle Zeta", "zebra crossing pads", "my sweet passphrase",
           "Bert Smallweed", "Front Parlour", "Larkspur Cycles", "four words in a row", "8675", "10.77.88.99", "Amy")


@pytest.mark.parametrize("topic", TOPICS)
def test_each_page_of_the_help_is_there(amy: Browser, topic: str) -> None:
    page = amy.get(f"/help/{topic}")
    assert page.status == 200 and page.text.count("<p>") > 1


def test_every_page_with_help_has_a_topic_that_is_there(amy: Browser) -> None:
    assert {topic for _, topic in PAGES} <= set(TOPICS)
    assert topic_of("/settings/hours") == "hours" and topic_of("/") == "today" and topic_of("/help") == ""
    assert 'href="/help/hours"' in amy.get("/settings/hours").text


def test_help_is_found_by_its_words(amy: Browser) -> None:
    page = html.unescape(amy.get("/help?q=passphrase").text)
    assert "Backups" in page and "about “passphrase”" in page
    assert "Nothing about" in html.unescape(amy.get("/help?q=xylophone").text)
    assert "<script>x" not in amy.get("/help?q=%3Cscript%3Ex").text
    assert amy.get("/help/no-such-page").status == 404


def test_the_help_names_no_page_that_is_not_there(amy: Browser) -> None:
    for topic in TOPICS:
        for address in re.findall(r'href="(/help[^"?]*)"', amy.get(f"/help/{topic}").text):
            assert amy.get(address).status == 200, f"{topic} leads to {address}"


def test_about_says_what_this_box_is(amy: Browser) -> None:
    page = amy.get("/about").text
    assert licences.version() in page and "0008" in page or "00" in page
    assert "Rules say who is texted" in page, "what changed comes from the changelog"


def test_what_is_new_is_told_in_the_language_of_who_reads_it(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        db.execute("UPDATE user SET language = 'fr'")
    page = amy.get("/about").text
    assert "Des règles disent à qui écrire" in page and "Rules say who is texted" not in page


def test_the_changelog_is_read_with_its_bold_words_and_without_its_marks() -> None:
    one, two = about.shown("# C\n\n## [0.4.0]\nLead in\ntwo lines.\n\n- **Bold** then `code`\n  and more.\n- plain"
                               "\n## 0.3.0\nOld.\n")
    assert (one.name, one.lead) == ("0.4.0", "Lead in two lines.")
    assert one.points == ["**Bold** then `code` and more.", "plain"]
    assert about.pieces(one.points[0]) == [("Bold", True), (" then code and more.", False)]
    assert two.name == "0.3.0"


def test_every_program_on_the_box_is_listed_with_what_it_says_of_its_licence(amy: Browser) -> None:
    page = amy.get("/about/licences").text
    for name in ("asterisk", "bottle", "libsqlite3-0"):
        assert f">{name}</a>" in page
    assert "GNU GENERAL PUBLIC LICENSE" in amy.get("/about/licence/deskbell").text
    assert amy.get("/about/licence/GPL-3").status == 200
    assert amy.get("/about/licence/..%2f..%2fetc%2fpasswd").status == 404
    assert amy.get("/about/licence/.").status == 404


@pytest.fixture
def planted(office: Office) -> Office:
    """An office whose store and box.toml hold names, numbers, texts and secrets in every place there is."""
    now, at = datetime.now(UTC), store.iso(datetime.now(UTC))
    with store.write(office.db) as db:
        contacts.add(db, SECRETS[0], [NUMBER], "DE", now)
        db.execute("INSERT INTO contact_group (name) VALUES (?)", (SECRETS[1],))
        settings.put(db, "shop_name", "Larkspur Cycles")
        settings.put(db, "owner_numbers", OTHER)
        settings.put(db, "own_numbers", OWN)
        settings.put(db, "stop_answer", f"{SECRETS[2]} {OTHER}")
        settings.put(db, "extension_names", "101=Bert Smallweed")
        settings.put(db, "line_names", "line1=Front Parlour")
        db.execute("""
            INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at)
            VALUES ('in', ?, ?, 'received', ?, ?, ?)""", (NUMBER, SECRETS[2], at, at, at))
        db.execute("INSERT INTO note (number, text, by_user, created_at, updated_at) VALUES (?, ?, 'Amy', ?, ?)",
                   (NUMBER, SECRETS[2], at, at))
        db.execute("INSERT INTO modem (name, state, operator, signal_dbm, trouble, updated_at, number) "
                   "VALUES ('sim1', 'registered', 'EE', -70, ?, ?, ?)", (f"{SECRETS[0]} rang {NUMBER}", at, SIM))
        today.keep_look(db, [f"{OTHER!r} in the setting owner_numbers is no number; {SECRETS[0]}, {SECRETS[1]}."], now)
    office.call(NUMBER, name=SECRETS[0])
    return office


def unpacked(body: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist()}


def test_the_diagnostics_hold_no_number_no_name_no_text_and_no_secret(planted: Office, amy: Browser) -> None:
    answer = amy.post("/about/diagnostics")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/zip"
    files = unpacked(answer.body)
    assert {Path(name).stem for name in files} == {"README", "health", "versions", "settings", "rows", "modems", "box",
                                                   "disk", "journal"}
    whole = "\n".join(files.values())
    for number in (NUMBER, OTHER, OWN, SIM):
        assert number not in whole and number[1:] not in whole and number[3:] not in whole
    for secret in SECRETS[:-1]:
        assert secret.casefold() not in whole.casefold(), secret
    hashes = [row[0] for row in planted.db.execute(
        "SELECT password_hash FROM user UNION SELECT token_hash FROM session")]
    assert hashes and not any(secret in whole for secret in hashes)
    assert "owner_numbers = set" in whole and "ring_s = 30" in whole and "call 1" in whole and "sqlite 3." in whole
    line = planted.db.execute("SELECT * FROM change WHERE what = 'diagnostics'").fetchone()
    assert line["by_user"] == "Amy"


def test_the_diagnostics_tell_nothing_of_a_box_toml_but_how_many(planted: Office) -> None:
    box = replace(
        planted.box, trunks=(Trunk("line1", "Front Parlour", "10.77.88.99:5060"),),
        extensions=(Extension("101", "Bert Smallweed"),), own_numbers=(OWN,),
        modems=(Modem("Margaretha Quillfeather", "/dev/serial/by-id/usb-8675", SIM),))
    whole = "\n".join(unpacked(diagnostics.archive(planted.db, box, [], datetime.now(UTC))).values())
    for secret in (*SECRETS[:-1], OWN, OWN[3:], SIM, SIM[3:]):
        assert secret.casefold() not in whole.casefold(), secret
    assert "modem 1: own" in whole and "trunk 1" in whole


def test_a_setting_of_a_later_day_is_hidden_until_somebody_lets_it_out() -> None:
    assert set(vars(settings.DEFAULTS)) >= diagnostics.OPEN_SETTINGS
    personal = {"shop_name", "own_numbers", "owner_numbers", "forward_texts", "line_names", "extension_names",
                "stop_answer", "start_answer", "stop_words", "dispositions", "special_days", "average_sale"}
    assert not diagnostics.OPEN_SETTINGS & personal
