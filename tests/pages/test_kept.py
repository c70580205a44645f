"""Templates, answers to a word, opt-outs, SIMs: kept, removed, brought back."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.store import db as store
from appliance.texts import keywords, optouts, templates
from tests.desk import Browser, Office, box_at
from tests.pages.textshop import HALIMA, MARGARET, came, hidden, shop, undo


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = shop(tmp_path)
    yield office
    office.close()


def sim(office: Office) -> dict[str, object]:
    return dict(office.db.execute("SELECT * FROM sim").fetchone())


def test_a_template_is_kept_changed_removed_and_brought_back(office: Office, amy: Browser) -> None:
    amy.post("/templates", {"name": "Ready", "text": "{shop}: your bike is ready.", "is_canned": "1"})
    kept = templates.listed(office.db)
    assert "{shop}: your bike is ready." in amy.get("/templates").text and kept[0].is_canned
    page = amy.get(f"/templates?edit={kept[0].id}").text
    assert 'value="Ready"' in page
    amy.post("/templates", {"id": str(kept[0].id), "name": "Ready", "text": "Fetch it."})
    assert [(one.text, one.is_canned) for one in templates.listed(office.db)] == [("Fetch it.", False)]
    page = amy.get(amy.post("/templates/remove", {"id": str(kept[0].id)}).headers["Location"]).text
    assert templates.listed(office.db) == [] and undo(amy, page) == 303
    assert templates.listed(office.db)[0].id == kept[0].id


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "", "text": "x"}, "needs a name"),
        ({"name": "A", "text": ""}, "The text is empty"),
        ({"name": "A", "text": "{frist_name}"}, "Did you mean {first_name}?"),
        ({"name": "A", "text": "x", "id": "99"}, "deleted meanwhile"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(
    office: Office, amy: Browser, given: dict[str, str], said: str
) -> None:
    answer = amy.post("/templates", given)
    assert answer.status == 400 and said in html.unescape(answer.text) and templates.listed(office.db) == []


def test_a_word_is_answered_until_it_is_removed_and_never_stop(office: Office, amy: Browser) -> None:
    amy.post("/templates/word", {"word": "Hours", "answer": "9 to 18."})
    assert "HOURS" in amy.get("/templates").text
    for word, answer in (("STOP", "no"), ("", "x"), ("HOURS", "")):
        assert amy.post("/templates/word", {"word": word, "answer": answer}).status == 400
    page = amy.get(amy.post("/templates/word/remove", {"word": "hours"}).headers["Location"].split("#")[0]).text
    assert keywords.every(office.db) == [] and undo(amy, page) == 303
    assert keywords.every(office.db)[0].answer == "9 to 18."


def test_an_opt_out_says_why_and_is_taken_back(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        optouts.add(db, HALIMA, "reply", store.parse_time("2026-11-17T10:00:00.000Z"), "Stopp")
    page = amy.get("/optouts").text
    assert "Halima Yusuf" in page and "They texted “Stopp”" in page and "1 number" in page
    page = amy.get(amy.post("/optouts/remove", {"number": HALIMA}).headers["Location"]).text
    assert "may be texted again" in page and not optouts.has(office.db, HALIMA)
    assert undo(amy, page) == 303 and optouts.page(office.db).opt_outs[0].word == "Stopp"


@pytest.mark.parametrize("number", ["", "0800 FLOWERS X", "12", "<b>"])
def test_what_is_no_number_is_no_opt_out(office: Office, amy: Browser, number: str) -> None:
    answer = amy.post("/optouts", {"number": number})
    assert answer.status == 400 and "no telephone number" in html.unescape(answer.text)
    assert optouts.count(office.db) == 0


def test_an_opt_out_at_the_counter_counts_at_once(office: Office, amy: Browser) -> None:
    amy.post("/optouts", {"number": "0151 23456701"})
    assert optouts.has(office.db, MARGARET) and "Noted by a person" in amy.get("/optouts").text
    assert amy.get("/optouts?before=nonsense").status == 404


def test_a_sim_shows_what_the_radio_says_and_keeps_what_a_person_sets(office: Office, amy: Browser) -> None:
    page = amy.get("/sims").text
    assert "EE" in page and "-73 dBm" in page and "1500" in page and "Ready" in page
    form = {"name": "sim1", "pace_s": "6,5", "hourly": "50", "daily": "0", "allowance": "", "allowance_day": "15",
            "price": "0,09", "balance_ussd": "*100#", "least_balance": "2"}
    assert amy.post("/sims", form).status == 303
    kept = sim(office)
    assert (kept["pace_s"], kept["hourly"], kept["daily"], kept["allowance"]) == (6.5, 50, 0, None)
    assert (kept["price"], kept["balance_ussd"], kept["allowance_day"]) == ("0.09", "*100#", 15)


@pytest.mark.parametrize(
    ("field", "given"),
    [("pace_s", "fast"), ("pace_s", "nan"), ("pace_s", "-1"), ("hourly", "many"), ("allowance", "-5"),
     ("allowance_day", "31"), ("price", "cheap"), ("price", "-1"), ("balance_ussd", "call me"), ("least_balance", "x")],
)
def test_a_number_that_is_none_changes_no_sim(office: Office, amy: Browser, field: str, given: str) -> None:
    before = sim(office)
    answer = amy.post("/sims", {"name": "sim1", field: given})
    assert answer.status == 400 and given in html.unescape(answer.text) and sim(office) == before


def test_a_paused_sim_says_why_and_is_resumed(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        db.execute("UPDATE sim SET paused_reason = 'Five texts in a row were refused for good.'")
    page = amy.get("/sims").text
    assert "Five texts in a row were refused" in page and "Resume" in page
    assert amy.post("/sims/resume", {"name": "sim1"}).status == 303 and sim(office)["paused_reason"] is None
    assert amy.post("/sims/resume", {"name": "other"}).status == 400


def test_asking_the_balance_empties_its_time_for_the_radio(office: Office, amy: Browser) -> None:
    office.db.execute("UPDATE modem SET balance_at = '2026-11-17T10:00:00.000Z'")
    office.db.execute("UPDATE sim SET balance_ussd = '*100#'")
    assert "Ask the balance" in amy.get("/sims").text and amy.post("/sims/balance", {"name": "sim1"}).status == 303
    assert office.db.execute("SELECT balance_at FROM modem").fetchone()[0] is None


def test_a_box_without_a_sim_says_what_still_works(tmp_path: Path) -> None:
    office = Office(box_at(tmp_path / "bare"))
    try:
        assert "There is no SIM in this box. Calls are logged" in office.browser().get("/sims").text
    finally:
        office.close()


def test_a_sim_that_sends_nothing_says_why(office: Office, amy: Browser) -> None:
    office.db.execute("UPDATE modem SET state = 'No SIM card in the modem.'")
    assert "Does not send" in amy.get("/sims").text and "No SIM card in the modem." in amy.get("/sims").text


def test_the_phones_page_leads_to_what_its_bar_has_no_room_for(office: Office, amy: Browser) -> None:
    page = amy.get("/more").text
    assert all(f'href="{path}"' in page for path in ("/rules", "/templates", "/optouts", "/sims"))


def test_undo_needs_the_forms_token(office: Office, amy: Browser) -> None:
    came(office, MARGARET, "hi")
    page = amy.get(amy.post("/optouts", {"number": MARGARET}).headers["Location"]).text
    assert amy.post("/undo", {"done": hidden(page, "done")}, token="").status == 403
    assert optouts.has(office.db, MARGARET)
