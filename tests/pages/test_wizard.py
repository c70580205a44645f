"""The first steps: one question a page, each can wait, a closed browser goes on, and nobody is led there twice."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import config, settings
from appliance.backup import rows
from appliance.box import box_file
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import control, rulebook
from hw.gsm import State
from tests.desk import Browser, Office, box_at
from tests.pages.people import somebody, token_of
from web import wizard_guess, wizard_steps


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Office]:
    """A box nobody has opened yet, with a modem in box.toml."""
    office = Office(box_at(tmp_path, modems=(config.Modem("SIM", "auto"),)))
    yield office
    office.close()


@pytest.fixture
def owner(new: Office) -> Browser:
    browser = new.browser(logged_in=False)
    assert browser.set_up(new.box).headers["Location"] == "/wizard"
    return browser


def goes_to(answer: object) -> str:
    assert answer.status == 303, answer.text  # type: ignore[attr-defined]
    return str(answer.headers["Location"])  # type: ignore[attr-defined]


def plain(page: str) -> str:
    """What stands on a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def steps_of(office: Office) -> dict[str, str]:
    now = wizard_steps.read(office.db)
    assert now is not None
    return now.steps


# the way through


def test_after_the_first_password_the_owner_is_led_to_the_first_steps(new: Office, owner: Browser) -> None:
    assert goes_to(owner.get("/wizard")) == "/wizard/language"
    assert "Step 1 of 7" in plain(owner.get("/wizard/language").text)
    assert owner.get("/").status == 200, "nobody is held there"


def test_every_step_can_wait_and_the_end_says_what_is_open(new: Office, owner: Browser) -> None:
    at = goes_to(owner.get("/wizard"))
    for key in ("language", "shop", "hours", "line", "sim", "backup"):
        assert at == f"/wizard/{key}"
        assert "Do this later" in owner.get(at).text or key == "language"
        at = goes_to(owner.post("/wizard/later", {"step": key}))
    page = plain(owner.get(at).text)
    assert at == "/wizard/end" and "Your box works" in page
    for lack in (step.lacks for step in wizard_steps.STEPS if step.lacks):
        assert lack in page
    assert "Your box is ready" not in page


def test_a_closed_browser_goes_on_where_it_was(new: Office, owner: Browser) -> None:
    owner.post("/wizard/language", {"language": "en"})
    owner.post("/wizard/later", {"step": "shop"})
    again = new.browser(logged_in=False)
    assert goes_to(again.log_in()) == "/wizard"
    assert goes_to(again.get("/wizard")) == "/wizard/hours"


def test_once_finished_nobody_is_led_there_again(new: Office, owner: Browser) -> None:
    assert goes_to(owner.post("/wizard/end")) == "/"
    again = new.browser(logged_in=False)
    assert goes_to(again.log_in()) == "/"
    assert again.get("/wizard/line").status == 200, "from the settings it is still there"
    assert 'href="/wizard"' in again.get("/settings/shop").text


def test_an_office_that_was_set_up_before_there_were_first_steps_is_not_led_there(office: Office) -> None:
    amy = office.browser()
    assert wizard_steps.read(office.db) is None
    again = office.browser(logged_in=False)
    assert goes_to(again.log_in()) == "/"
    assert amy.get("/wizard/line").status == 200


@pytest.mark.parametrize("text", ["[]", "{", '{"at": 7}', '{"at":"moon","steps":{"shop":5},"is_over":0,"ring_after":1,'
                                                         '"sms":0,"backup":0}', '{"steps": "x"}', "null"])
def test_a_progress_that_nobody_understands_begins_anew(text: str) -> None:
    now = wizard_steps.parse(text)
    assert now.at == "language" and now.steps == {}


def test_the_installer_sees_the_line_and_the_sim_and_nothing_of_the_shop(new: Office, owner: Browser) -> None:
    somebody(new, "Ivan", "installer")
    ivan = new.browser(logged_in=False)
    assert goes_to(ivan.log_in("Ivan")) == "/wizard"
    page = plain(ivan.get("/wizard/language").text)
    assert "Step 1 of 4" in page and "Opening hours" not in page
    assert [ivan.get(f"/wizard/{key}").status for key in ("shop", "hours", "backup")] == [403] * 3
    assert goes_to(ivan.post("/wizard/language", {"language": "en"}, token_of(ivan))) == "/wizard/line"
    new.call("+4915123456789")
    heard = plain(ivan.get("/wizard/line").text)
    assert "It rang on Line 1" in heard
    assert numbers.short("+4915123456789") in heard and "15123" not in heard, "an installer reads no numbers"


# language, shop, hours


def test_the_language_is_the_readers_the_boxs_and_that_of_its_first_texts(new: Office, owner: Browser) -> None:
    assert goes_to(owner.post("/wizard/language", {"language": "fr"})) == "/wizard/shop"
    assert 'lang="fr"' in owner.get("/wizard/shop").text
    assert settings.read(new.db).language == "fr"
    first = rulebook.rules(new.db)[0].text
    assert first != "{shop}: sorry we missed your call. We will ring you back soon."
    owner.post("/wizard/language", {"language": "ru"})
    assert rulebook.rules(new.db)[0].text not in (first, ""), "a second thought counts too"
    assert owner.post("/wizard/language", {"language": "xx"}).status == 400


def test_the_place_is_guessed_from_the_browser_and_kept_as_it_was_put_right(new: Office, owner: Browser) -> None:
    page = owner.get("/wizard/shop", accept_language="de-AT,de;q=0.9").text
    assert re.search(r'value="AT"[^>]* selected', page) and re.search(r'value="Europe/Vienna"[^>]* selected', page)
    assert "We guessed" in page
    given = {"shop_name": "Blumen Huber", "country": "AT", "time_zone": "Europe/Vienna"}
    assert goes_to(owner.post("/wizard/shop", given)) == "/wizard/hours"
    kept = settings.read(new.db)
    assert (kept.shop_name, kept.country, kept.time_zone) == ("Blumen Huber", "AT", "Europe/Vienna")
    assert "We guessed" not in owner.get("/wizard/shop", accept_language="ru-RU").text
    log = [row["what"] for row in new.db.execute("SELECT what FROM change ORDER BY id")]
    assert "setting shop_name" in log, "it stands in the log of changes as if the settings had been used"


def test_the_step_of_the_line_says_that_a_telephone_has_an_emergency_number_of_the_country(
        new: Office, owner: Browser) -> None:
    assert "emergency number" not in owner.get("/wizard/line").text
    owner.post("/wizard/shop", {"shop_name": "Lavka", "country": "RU", "time_zone": "Europe/Moscow"})
    assert "The telephone 101 has an emergency number of RU." in owner.get("/wizard/line").text


def test_the_number_of_the_sim_says_the_country_before_the_browser_does() -> None:
    assert wizard_guess.country("+79161234567", "de-DE") == "RU"
    assert wizard_guess.country(None, "zh-CN,en;q=0.5") == "CN"
    assert wizard_guess.country("", "ru") == "RU"
    assert wizard_guess.country(None, "en,de-CH") == "CH"
    assert wizard_guess.country(None, "tlh") == ""
    assert wizard_guess.zones()["DE"][0] == "Europe/Berlin" and wizard_guess.zones()["CN"][0] == "Asia/Shanghai"


def test_the_zone_offered_is_the_one_where_most_people_of_the_country_live() -> None:
    for country, zone in {"RU": "Europe/Moscow", "CA": "America/Toronto", "AU": "Australia/Sydney",
                          "BR": "America/Sao_Paulo", "UA": "Europe/Kyiv", "US": "America/New_York"}.items():
        assert wizard_guess.zones()[country][0] == zone
        assert box_file.zone_of(country) == zone


def test_a_shop_without_a_name_is_said_beside_its_field(new: Office, owner: Browser) -> None:
    page = owner.post("/wizard/shop", {"shop_name": "", "country": "Mars", "time_zone": "Mars/Base"})
    assert page.status == 400 and "It needs a name." in page.text and page.text.count('role="alert"') == 3
    assert "shop" not in steps_of(new)


def test_the_week_is_offered_as_usual_and_kept_only_when_it_is_agreed_to(new: Office, owner: Browser) -> None:
    page = owner.get("/wizard/hours").text
    assert 'name="from_0_0" value="09:00"' in page and "These are usual hours" in page
    assert settings.read(new.db).opening_hours == ""
    given = {"open": "hours", "from_0_0": "08:00", "to_0_0": "12:00", "from_1_0": "08:00"}
    assert owner.post("/wizard/hours", given).status == 400
    assert goes_to(owner.post("/wizard/hours", given | {"to_1_0": "12:00"})) == "/wizard/line"
    assert settings.read(new.db).opening_hours == "Mon-Tue 08:00-12:00"


# the line


def test_a_call_while_the_line_is_tested_is_shown_with_its_line_and_number(new: Office, owner: Browser) -> None:
    new.missed("+4915199999999")
    owner.post("/wizard/later", {"step": "hours"})
    assert "Nothing has rung yet" in plain(owner.get("/wizard/line").text), "what rang before is not the test"
    call = new.call("+4915123456789")
    page = plain(owner.get("/wizard/line").text)
    assert "It rang on Line 1" in page and "01512 3456789" in page.replace("\u00a0", " ")
    assert "Hang up your mobile" in page
    new.ended(call, "missed")
    assert "The end of the call was heard" in plain(owner.get("/wizard/line").text)
    assert goes_to(owner.post("/wizard/line")) == "/wizard/sim" and steps_of(new)["line"] == "done"


@pytest.mark.parametrize(("presentation", "said"), [("withheld", "The caller hides the number"),
                                                    ("unavailable", "switch on caller ID (CLIP)")])
def test_a_call_without_a_number_says_what_to_do(new: Office, owner: Browser, presentation: str, said: str) -> None:
    owner.post("/wizard/line/ring")
    new.missed(None, presentation=presentation)
    assert said in plain(owner.get("/wizard/line").text)


def test_going_on_without_a_call_leaves_the_line_open(new: Office, owner: Browser) -> None:
    owner.post("/wizard/line/ring")
    owner.post("/wizard/line")
    assert steps_of(new)["line"] == "later"


# the SIM


def radio(office: Office, state: str, **more: object) -> None:
    """What the radio's daemon says of the SIM."""
    row = {"name": "SIM", "state": state, "operator": "Demo Mobile", "signal_dbm": -73, "number": "+4915112345678",
           "port": "/dev/serial/by-id/usb-Huawei-if00", "updated_at": store.iso(datetime.now(UTC)), **more}
    with store.write(office.db) as db:
        db.execute(f"INSERT OR REPLACE INTO modem ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                   tuple(row.values()))


def test_the_sim_is_shown_with_its_port_network_and_number(new: Office, owner: Browser) -> None:
    assert "Looking for the modem" in owner.get("/wizard/sim").text
    radio(new, "registered")
    page = plain(owner.get("/wizard/sim").text).replace("\u00a0", " ")
    for said in ("usb-Huawei-if00", "In the network of Demo Mobile", "good (-73 dBm)", "01511 2345678"):
        assert said in page
    radio(new, "no SIM card")
    assert "It does not send yet" in plain(owner.get("/wizard/sim").text)


def test_a_text_to_oneself_is_followed_until_it_is_delivered(new: Office, owner: Browser) -> None:
    radio(new, "registered")
    assert "takes no" in (page := owner.post("/wizard/sim/text", {"number": "030 123456"})).text or page.status == 400
    assert goes_to(owner.post("/wizard/sim/text", {"number": "0151 23456789"})) == "/wizard/sim#text"
    sms = new.db.execute("SELECT id, number, text FROM sms").fetchone()
    assert sms["number"] == "+4915123456789" and "this is a test of your Deskbell" in sms["text"]
    assert "Waits" in plain(owner.get("/wizard/sim").text)
    owner.post("/wizard/sim")
    assert steps_of(new)["sim"] == "later", "a text that waits proves nothing"
    with store.write(new.db) as db:
        db.execute("UPDATE sms SET state = 'delivered' WHERE id = ?", (sms["id"],))
    assert "Texts work." in plain(owner.get("/wizard/sim").text)
    owner.post("/wizard/sim")
    assert steps_of(new)["sim"] == "done"


class Door:
    """The socket of the radio's daemon, where a person's questions go."""

    def __init__(self, office: Office, answers: dict[str, list[str]]) -> None:
        office.box.run.mkdir(exist_ok=True)
        self.asked: list[tuple[str, str]] = []
        self._answers = answers
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(control.path(office.box)))
        self._door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            with line:
                asked = json.loads(line.makefile().readline())
                self.asked.append((asked["verb"], asked["words"]))
                line.sendall(json.dumps({"lines": self._answers[asked["verb"]]}).encode() + b"\n")


def test_a_pin_is_asked_for_and_a_wrong_one_says_how_many_tries_are_left(new: Office, owner: Browser) -> None:
    radio(new, f"{State.PIN.value}: write it into the file sim-SIM.pin beside the other secrets")
    door = Door(new, {"tries": ["3"], "pin": ["wrong", "2"]})
    page = owner.get("/wizard/sim").text
    assert "3 tries are left." in plain(page) and 'name="pin" type="password"' in page
    page = owner.post("/wizard/sim/pin", {"name": "SIM", "pin": "1111"})
    assert page.status == 400 and "That PIN did not open the card. 2 tries are left." in plain(page.text)
    assert ("pin", "1111") in door.asked and "1111" not in page.text
    assert "1111" not in str([tuple(row) for row in new.db.execute("SELECT * FROM change")])
    assert owner.post("/wizard/sim/pin", {"name": "other", "pin": "1111"}).status == 400


def test_at_the_last_try_no_pin_is_asked_for(new: Office, owner: Browser) -> None:
    radio(new, State.PIN.value)
    Door(new, {"tries": ["1"]})
    page = owner.get("/wizard/sim").text
    assert "Only one try is left" in page and 'name="pin"' not in page


def test_without_the_radios_daemon_the_pin_is_not_lost_in_silence(new: Office, owner: Browser) -> None:
    radio(new, State.PIN.value)
    page = owner.post("/wizard/sim/pin", {"name": "SIM", "pin": "1234"})
    assert page.status == 503 and "The radio's daemon does not run" in page.text.replace("&#39;", "'")


# the backup


def test_the_first_backup_is_asked_for_and_followed(new: Office, owner: Browser) -> None:
    assert goes_to(owner.post("/wizard/backup/make", {"where": "box"})) == "/wizard/backup#made"
    asked = rows.backups(new.db)
    assert [it.state for it in asked] == ["asked"]
    assert "This box: Waits" in plain(owner.get("/wizard/backup").text)
    with store.write(new.db) as db:
        db.execute("UPDATE backup SET state = 'proven', taken_at = asked_at, size_bytes = 2000000")
    assert "This box: Proven" in plain(owner.get("/wizard/backup").text)
    assert goes_to(owner.post("/wizard/backup")) == "/wizard/end" and steps_of(new)["backup"] == "done"


def test_a_place_elsewhere_wants_a_passphrase_and_nothing_half_is_kept(new: Office, owner: Browser) -> None:
    given = {"where": "smb", "address": "nas.local/backups", "user": "amy", "password": "x"}
    page = owner.post("/wizard/backup/make", given | {"passphrase": "one two three", "again": "one two four"})
    assert page.status == 400 and "not the same" in page.text
    assert [at.kind for at in rows.places(new.db)] == ["box"] and rows.backups(new.db) == []
    assert 'value="nas.local/backups"' in page.text and "one two three" not in page.text
    page = owner.post("/wizard/backup/make", {"where": "moon", "passphrase": "a" * 12, "again": "a" * 12})
    assert page.status == 400 and rows.backups(new.db) == []
