"""Rules as the office writes, orders, rehearses and switches them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.texts import rulebook
from tests.desk import Browser, Office
from tests.pages.textshop import GARAGE, HALIMA, MARGARET, hidden, outgoing, shop, undo


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = shop(tmp_path)
    yield office
    office.close()


def filled(**given: str) -> dict[str, str]:
    return {"name": "After hours", "text": "{shop}: we are closed.", "happens": "missed", "when": "after hours",
            "delay_s": "15", "expiry_min": "15", "do": "save", **given}


def names(office: Office) -> list[str]:
    return [rule.name for rule in rulebook.rules(office.db)]


def test_the_first_rule_stands_there_as_a_sentence(amy: Browser) -> None:
    page = amy.get("/rules").text
    assert "When a call is missed: wait 15 s, then text." in page and "Switch off" in page


def test_a_new_rule_is_kept_last_and_read_back_into_its_fields(office: Office, amy: Browser) -> None:
    answer = amy.post("/rule", filled(whom="Club riders", days="sat", talk_longer_s="20"))
    page = html.unescape(amy.get(answer.headers["Location"]).text)
    assert names(office) == ["Missed call", "After hours"] and "“After hours” is kept." in page
    assert "is missed, after hours, on Sat, from “Club riders”, longer than 20 s: wait 15 s" in page
    page = amy.get("/rule/" + rulebook.rules(office.db)[1].key).text
    assert '<option value="after hours" selected>' in page and '<option value="Club riders" selected>' in page
    assert 'value="sat" checked' in page and 'name="talk_longer_s"' in page and 'value="20"' in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "needs a name"),
        ({"delay_s": "soon"}, "no whole number"),
        ({"delay_s": "999999"}, "The delay goes"),
        ({"expiry_min": "0"}, "The expiry goes"),
        ({"text": "Hello {nmae}"}, "Did you mean {name}?"),
        ({"when": "between", "hours_from": "10:00", "hours_until": ""}, "belong together"),
        ({"when": "between", "hours_from": "25:00", "hours_until": "08:00"}, "no time of day"),
        ({"when": "sometimes"}, "no choice"),
        ({"whom": "Strangers"}, "no group"),
        ({"trunk": "line9"}, "no line"),
        ({"talk_longer_s": "30", "talk_shorter_s": "10"}, "No call can talk"),
    ],
)
@pytest.mark.parametrize("do", ["save", "rehearse"])
def test_a_rule_that_cannot_work_is_refused_with_what_was_written_still_there(
    office: Office, amy: Browser, do: str, given: dict[str, str], said: str
) -> None:
    if do == "rehearse" and ("name" in given or said.startswith(("The delay", "The expiry"))):
        return                              # a rehearsal needs no name, and no time to send
    answer = amy.post("/rule", filled(do=do, **given))
    assert answer.status == 400 and said in html.unescape(answer.text) and names(office) == ["Missed call"]
    assert "we are closed" in answer.text or "text" in given


def test_a_rehearsal_says_who_would_have_got_what_and_sends_nothing(office: Office, amy: Browser) -> None:
    noon = datetime.now(UTC).replace(hour=11, minute=0) - timedelta(days=2)
    office.missed(MARGARET, at=noon)
    office.missed(GARAGE, at=noon + timedelta(minutes=5))
    office.missed(None, presentation="withheld", at=noon + timedelta(minutes=9))
    page = html.unescape(amy.get("/rule/missed?rehearse").text)
    assert "Nothing was sent" in page and '<dt>Would be texted</dt><dd class="v">1</dd>' in page
    assert '<dt>Would not</dt><dd class="v">2</dd>' in page and "A landline cannot take texts." in page
    assert '<dt>Cost</dt><dd class="v">0.04</dd>' in page and "Why 2 got none" in page
    edited = html.unescape(amy.post("/rule/missed", filled(happens="answered", when="", do="rehearse")).text)
    assert '<dt>Would be texted</dt><dd class="v">0</dd>' in edited
    assert outgoing(office) == [] and names(office) == ["Missed call"]


def test_a_rule_is_switched_and_the_toast_takes_it_back(office: Office, amy: Browser) -> None:
    answer = amy.post("/rules/switch", {"key": "missed", "on": ""})
    page = amy.get(answer.headers["Location"]).text
    assert "Switched off." in page and not rulebook.rules(office.db)[0].is_on
    assert undo(amy, page) == 303 and rulebook.rules(office.db)[0].is_on


def test_a_removed_rule_comes_back_with_its_key_and_place_but_only_once(office: Office, amy: Browser) -> None:
    amy.post("/rule", filled())
    before = rulebook.rules(office.db)
    page = amy.get(amy.post("/rules/remove", {"key": "missed"}).headers["Location"]).text
    assert "removed" in page and names(office) == ["After hours"]
    assert undo(amy, page) == 303 and rulebook.rules(office.db) == before
    again = amy.post("/undo", {"done": hidden(page, "done")})
    assert again.status == 410 and "can no longer be undone" in again.text


def test_nobody_undoes_what_another_did(office: Office, amy: Browser) -> None:
    page = amy.get(amy.post("/rules/remove", {"key": "missed"}).headers["Location"]).text
    assert undo(office.browser(), page) == 410 and names(office) == []


def test_rules_are_put_in_order_by_buttons(office: Office, amy: Browser) -> None:
    amy.post("/rule", filled())
    key = rulebook.rules(office.db)[1].key
    assert "Move After hours up" in amy.get("/rules").text
    amy.post("/rules/move", {"key": key, "place": "1"})
    assert names(office) == ["After hours", "Missed call"]
    for place in ("x", "", "999"):
        assert amy.post("/rules/move", {"key": key, "place": place}).status == 303


@pytest.mark.parametrize("action", ["move", "switch", "remove"])
def test_a_button_of_a_rule_that_is_gone_says_so(office: Office, amy: Browser, action: str) -> None:
    answer = amy.post(f"/rules/{action}", {"key": "rule-99"})
    assert "There is no rule" in html.unescape(amy.get(answer.headers["Location"]).text)
    assert names(office) == ["Missed call"]


def test_a_rule_set_elsewhere_keeps_what_the_form_cannot_say(office: Office, amy: Browser) -> None:
    office.db.execute("""UPDATE rule SET conditions = '{"direction": "in", "outcomes": ["failed", "interrupted"],
                         "groups": ["VIP", "Club riders"]}' WHERE key = 'missed'""")
    page = amy.get("/rule/missed").text
    assert "ends as set elsewhere" in page
    office.db.execute("INSERT INTO contact_group (name) VALUES ('VIP')")
    assert amy.post("/rule/missed", filled(happens="other", whom="VIP", when="", name="Missed call")).status == 303
    kept = rulebook.rules(office.db)[0].conditions
    assert kept.outcomes == ("failed", "interrupted") and kept.groups == ("VIP", "Club riders")


def test_a_rule_may_be_of_one_line_and_a_sim_is_one(office: Office, amy: Browser) -> None:
    assert '<option value="line1">Line 1</option>' in amy.get("/rule").text
    assert amy.post("/rule", filled(trunk="sim1")).status == 303
    assert "over sim1" in amy.get("/rules").text


def test_a_rule_that_is_not_there_is_no_page(amy: Browser) -> None:
    assert amy.get("/rule/rule-99").status == 404 and amy.post("/rule/rule-99", filled()).status == 404


def test_an_opted_out_caller_is_named_in_the_rehearsal(office: Office, amy: Browser) -> None:
    amy.post("/optouts", {"number": HALIMA})
    office.missed(HALIMA, at=datetime.now(UTC).replace(hour=11, minute=0) - timedelta(days=1))
    assert "They asked not to be texted." in amy.get("/rule/missed?rehearse").text
