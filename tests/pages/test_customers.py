"""The customers: found, written, merged, forgotten, by the pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.people import cards, groups, household, links, notes, tombstones
from appliance.people.cards import Wish
from appliance.store import db as store
from appliance.texts import optouts
from tests.desk import Browser, Office
from tests.pages.textshop import HALIMA, MARGARET, PIET, came, shop, undo

EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>\'"&'


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = shop(tmp_path)
    yield office
    office.close()


def card_of(office: Office, number: str) -> str:
    found = cards.find(office.db, number)
    assert found
    return found


def wished(office: Office, contact: str | None = None, **given: object) -> str:
    with store.write(office.db) as db:
        return cards.save(db, Wish(**given), "DE", "Amy", datetime.now(UTC), contact)  # type: ignore[arg-type]


def listed(page: str) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'<th role="rowheader"><a href="[^"]+"><bdi>([^<]*)', page)]


def followed(amy: Browser, answer: object) -> str:
    """The page a form led to."""
    location = answer.headers["Location"]  # type: ignore[attr-defined]
    return amy.get(location.split("#")[0]).text


def test_the_list_is_by_name_and_says_how_many(office: Office, amy: Browser) -> None:
    page = amy.get("/customers").text
    assert listed(page) == ["Halima Yusuf", "Margaret Osei", "Piet Haverkamp", "Whitmoor Garage"]
    assert "4 cards" in page and 'href="/customers/new"' in page


@pytest.mark.parametrize(
    ("text", "names"),
    [("osei", ["Margaret Osei"]), ("6702", ["Halima Yusuf"]), ("0151 23456703", ["Piet Haverkamp"]),
     ("+49 30 12345678", ["Whitmoor Garage"]), ("0049 30 1234", ["Whitmoor Garage"]), ("a", 4), ("nobody at all", [])],
)
def test_a_part_of_the_name_or_of_the_number_finds_a_card(
    office: Office, amy: Browser, text: str, names: list[str] | int
) -> None:
    found = listed(amy.get("/customers?q=" + text.replace("+", "%2B").replace(" ", "+")).text)
    assert (len(found) if isinstance(names, int) else found) == names


def test_the_list_is_narrowed_by_group_tag_vip_blocked_and_opted_out(office: Office, amy: Browser) -> None:
    wished(office, name="Vera", is_vip=True, tags=["gold"])
    wished(office, name="Nuisance", is_blocked=True, blocked_reason="sells")
    with store.write(office.db) as db:
        optouts.add(db, HALIMA, "person", datetime.now(UTC))
    group = groups.named(office.db, "Club riders")
    asked = {"show=vip": ["Vera"], "show=blocked": ["Nuisance"], "show=optout": ["Halima Yusuf"], "tag=GOLD": ["Vera"],
             f"group={group}&q=marg": ["Margaret Osei"]}
    assert {ask: listed(amy.get(f"/customers?{ask}").text) for ask in asked} == asked
    assert amy.get("/customers?show=other").status == 404


def test_a_long_list_goes_on_where_it_ended(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        for n in range(120):
            cards.save(db, Wish(f"Customer {n:03}"), "DE", "Amy", datetime.now(UTC))
    seen, page = [], amy.get("/customers").text
    while found := re.search(r'href="(/customers\?after=[^"]+)"', page):
        seen += listed(page)
        page = amy.get(html.unescape(found[1])).text
    seen += listed(page)
    assert len(seen) == 124 == len(set(seen)) and seen == sorted(seen)


def test_a_card_is_made_from_a_number_that_rang_and_its_calls_get_the_name(office: Office, amy: Browser) -> None:
    call = office.missed("+4915199887766")
    page = amy.get("/customers/new?number=%2B4915199887766").text
    assert 'value="01519 9887766"' in page
    page = followed(amy, amy.post("/customers/new", {"name": "Ada Newcomer", "number0": "01519 9887766"}))
    assert "Ada Newcomer has a card now." in page and f"/call/{call}" in page
    assert "Ada Newcomer" in amy.get(f"/call/{call}").text
    answer = amy.get("/customers/new?number=01519+9887766")
    assert answer.status == 303 and answer.headers["Location"].startswith("/customer/")


def test_a_card_is_changed_and_put_back(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    form = {"name": "Margaret Osei-Brandt", "other_name": "Maggie", "company": "Joinery", "address": "14 Tallow Lane",
            "birthday": "3.6.", "is_vip": "1", "is_blocked": "1", "blocked_reason": "owes us", "tags": "e-bike, gold",
            "number0": "030 23125222", "label0": "work", "number1": "0151 23456701", "label1": "mobile",
            "name0": "Frame no.", "value0": "LK-20418", "group": str(groups.named(office.db, "Nobody yet"))}
    page = followed(amy, amy.post(f"/customer/{who}/edit", form))
    for word in ("Margaret Osei-Brandt", "Maggie", "Joinery", "14 Tallow Lane", "3 June", "VIP", "owes us", "e-bike",
                 "gold", "LK-20418", "Nobody yet", "Blocked"):
        assert word in page
    card = cards.card(office.db, who)
    assert card and [(one.number, one.label) for one in card.numbers] == [("+493023125222", "work"),
                                                                          (MARGARET, "mobile")]
    assert undo(amy, page) == 303
    card = cards.card(office.db, who)
    assert card and (card.name, card.first, card.is_vip, card.tags) == ("Margaret Osei", MARGARET, False, ())


@pytest.mark.parametrize(
    ("form", "said"),
    [({"name": ""}, "A contact needs a name"), ({"name": "A", "number0": "12"}, "is not a telephone number here"),
     ({"name": "A", "birthday": "someday"}, "is no birthday"), ({"name": "A", "value0": "x"}, "needs the name of"),
     ({"name": "A", "number0": HALIMA}, "belongs to another contact already")],
)
def test_what_cannot_be_kept_is_said_and_the_form_stays_filled(
    office: Office, amy: Browser, form: dict[str, str], said: str
) -> None:
    answer = amy.post("/customers/new", {"company": "Stays here", **form})
    assert answer.status == 400 and said in html.unescape(answer.text) and "Stays here" in answer.text
    assert office.db.execute("SELECT count(*) FROM contact").fetchone()[0] == 4


def test_a_number_that_is_taken_leads_to_its_card_and_to_merging(office: Office, amy: Browser) -> None:
    who, other = card_of(office, MARGARET), card_of(office, HALIMA)
    page = amy.post(f"/customer/{who}/edit", {"name": "Margaret", "number0": HALIMA}).text
    assert f'href="/customer/{other}"' in page and f"/customer/{who}/merge?with={other}" in page


def test_more_rows_keep_what_was_written_without_saving(office: Office, amy: Browser) -> None:
    page = amy.post("/customers/new", {"name": "Half done", "number0": "0151 1", "more": "1"}).text
    assert 'value="Half done"' in page and 'name="number5"' in page
    assert office.db.execute("SELECT count(*) FROM contact").fetchone()[0] == 4


def test_calls_and_texts_stand_in_one_list_whichever_number(office: Office, amy: Browser) -> None:
    who = wished(office, card_of(office, MARGARET), name="Margaret Osei",
                 numbers=[(MARGARET, "mobile"), ("030 23125222", "work")])
    office.missed(MARGARET)
    office.missed("+493023125222", at=datetime.now(UTC) - timedelta(days=2))
    recorded = office.missed(MARGARET, at=datetime.now(UTC) - timedelta(days=3))
    office.recorded(recorded)
    came(office, MARGARET, "Is my bike ready?")
    page = amy.get(f"/customer/{who}").text
    assert page.count("<b>Missed, rang") == 3 and "Is my bike ready?" in page and "3 calls" in page and "1 text" in page
    assert "Is my bike ready?" not in amy.get(f"/customer/{who}?show=calls").text
    assert "<b>Missed, rang" not in amy.get(f"/customer/{who}?show=texts").text
    page = amy.get(f"/customer/{who}?show=recordings").text
    assert page.count("<b>Missed, rang") == 1 and f"/call/{recorded}" in page
    assert "From the first ring on" not in page and 'class="journey"' in amy.get(
        f"/customer/{who}?open={recorded}").text


def test_a_long_history_is_paged_and_nothing_is_shown_twice(office: Office, amy: Browser) -> None:
    who, now = card_of(office, MARGARET), datetime.now(UTC)
    for n in range(45):
        office.missed(MARGARET, at=now - timedelta(hours=n))
        came(office, MARGARET, f"text number {n:02}.")
    seen: list[str] = []
    page = amy.get(f"/customer/{who}").text
    while True:
        seen += re.findall(r'<li id="((?:call|text)-\d+)"', page)
        older = re.search(r'btn end" href="(\?before=[^"]+)"', page)
        if not older:
            break
        page = amy.get(f"/customer/{who}" + html.unescape(older[1])).text
    assert len(seen) == 90 == len(set(seen))
    assert amy.get(f"/customer/{who}?before=rubbish").status == 404


def test_who_is_owed_a_call_says_so_until_it_is_settled(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    office.missed(MARGARET)
    assert "Still owed a call." in amy.get(f"/customer/{who}").text
    office.ended(office.call(MARGARET, direction="out", at=datetime.now(UTC) + timedelta(seconds=5)), "answered")
    assert "Still owed a call." not in amy.get(f"/customer/{who}").text


def test_notes_are_kept_removed_and_brought_back(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    call = office.missed(MARGARET)
    with store.write(office.db) as db:
        notes.keep(db, "Wants it before Sunday.", "Ben", datetime.now(UTC), call_id=call)
    page = followed(amy, amy.post(f"/customer/{who}/note", {"text": "Pays by card."}))
    assert "Pays by card." in page and "Wants it before Sunday." in page and "about a call" in page
    note = notes.of_card(office.db, who)[0]
    page = followed(amy, amy.post(f"/customer/{who}/note/remove", {"id": str(note.id)}))
    assert "Pays by card." not in page and undo(amy, page) == 303
    assert "Pays by card." in amy.get(f"/customer/{who}").text


def test_a_note_of_another_card_cannot_be_removed_from_here(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        other = notes.keep(db, "Theirs.", "Ben", datetime.now(UTC), contact_id=card_of(office, HALIMA))
    amy.post(f"/customer/{card_of(office, MARGARET)}/note/remove", {"id": str(other)})
    assert notes.one(office.db, other or 0)


def test_texts_are_stopped_and_allowed_from_the_card(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    page = followed(amy, amy.post(f"/customer/{who}/texts", {"no_more": "1"}))
    assert "Margaret Osei gets no more texts." in page and optouts.has(office.db, MARGARET)
    page = followed(amy, amy.post(f"/customer/{who}/texts", {}))
    assert not optouts.has(office.db, MARGARET) and undo(amy, page) == 303 and optouts.has(office.db, MARGARET)


def test_two_cards_are_seen_as_one_merged_and_made_two_again_later(office: Office, amy: Browser) -> None:
    who, other = card_of(office, MARGARET), card_of(office, HALIMA)
    call = office.missed(HALIMA)
    assert "Halima Yusuf" in amy.get(f"/customer/{who}/merge?q=halima").text
    page = amy.get(f"/customer/{who}/merge?with={other}").text
    assert "What results" in page and cards.card(office.db, other)
    page = followed(amy, amy.post(f"/customer/{who}/merge", {"with": other}))
    assert "Halima Yusuf is on the card of Margaret Osei now." in html.unescape(page) and f"/call/{call}" in page
    assert amy.get(f"/customer/{other}").status == 404
    office.restart()
    amy.port = office.server.port
    page = amy.get(f"/customer/{who}").text
    found = re.search(r'unmerge">.*?name="id" value="(\d+)"', page)
    assert found and "Make two again" in page
    page = followed(amy, amy.post(f"/customer/{who}/unmerge", {"id": found[1]}))
    assert "Halima Yusuf has a card again." in page and cards.find(office.db, HALIMA) == other
    assert f"/call/{call}" in amy.get(f"/customer/{other}").text
    assert f"/call/{call}" not in amy.get(f"/customer/{who}").text


def test_a_deleted_card_comes_back_by_the_toast_and_days_later(office: Office, amy: Browser) -> None:
    who, call = card_of(office, MARGARET), office.missed(MARGARET)
    links.settle(office.db)
    page = followed(amy, amy.post(f"/customer/{who}/delete"))
    assert "Margaret Osei was deleted. Calls and texts stay." in page and cards.find(office.db, MARGARET) is None
    assert "Margaret" not in amy.get(f"/call/{call}").text
    assert undo(amy, page) == 303 and card_of(office, MARGARET) == who
    amy.post(f"/customer/{who}/delete")
    page = amy.get("/customers/deleted").text
    found = re.search(r'name="id" value="(\d+)"', page)
    assert found and "Margaret Osei" in page
    page = followed(amy, amy.post("/customers/deleted", {"id": found[1]}))
    assert "Margaret Osei is back as before." in page and groups.of_contact(office.db, who) == ["Club riders"]
    assert "Margaret Osei" in amy.get(f"/call/{call}").text
    assert "can no longer be undone" in followed(amy, amy.post("/customers/deleted", {"id": found[1]}))


def test_a_household_is_suggested_merged_by_one_press_and_refused_by_another(office: Office, amy: Browser) -> None:
    who = wished(office, card_of(office, MARGARET), name="Margaret Osei", address="14 Tallow Lane",
                 numbers=[(MARGARET, "")])
    other = wished(office, card_of(office, PIET), name="Piet Haverkamp", address="14 tallow lane", numbers=[(PIET, "")])
    page = amy.get(f"/customer/{who}").text
    assert "Piet Haverkamp has the same address." in page
    amy.post(f"/customer/{who}/two", {"other": other})
    assert "same address" not in amy.get(f"/customer/{who}").text + amy.get(f"/customer/{other}").text
    with store.write(office.db) as db:
        household.ask_again(db, who, other)
    page = followed(amy, amy.post(f"/customer/{who}/merge", {"with": other}))
    assert undo(amy, page) == 303 and card_of(office, PIET) == other


def test_a_number_that_takes_turns_is_put_on_the_card(office: Office, amy: Browser) -> None:
    who, now = card_of(office, MARGARET), datetime.now(UTC)
    for day in range(4):
        office.missed(MARGARET, at=now - timedelta(days=day))
        office.missed("+4915199887766", at=now - timedelta(days=day, minutes=3))
    with store.write(office.db) as db:
        db.execute("INSERT OR IGNORE INTO relink (number) VALUES (?)", (MARGARET,))
    page = amy.get(f"/customer/{who}").text
    assert "rang within minutes of this card, 4 times" in html.unescape(page)
    page = followed(amy, amy.post(f"/customer/{who}/number", {"number": "+4915199887766"}))
    assert card_of(office, "+4915199887766") == who and "8 calls" in page
    assert undo(amy, page) == 303 and cards.find(office.db, "+4915199887766") is None


def test_a_person_is_forgotten_after_their_name_was_written(office: Office, amy: Browser) -> None:
    who, call = card_of(office, MARGARET), office.missed(MARGARET)
    sound = office.recorded(call)
    came(office, MARGARET, "Margaret here")
    page = amy.get(f"/customer/{who}/forget").text
    assert "1 call" in page and "1 recording" in page and "1 text" in page
    answer = amy.post(f"/customer/{who}/forget", {"typed": "Margaret"})
    assert answer.status == 400 and "Nothing was removed." in answer.text and cards.card(office.db, who)
    answer = amy.post(f"/customer/{who}/forget", {"typed": " margaret  osei"})
    assert answer.status == 303
    page, text = amy.get(answer.headers["Location"]).text, amy.get(answer.headers["Location"] + ".txt")
    assert "A person was forgotten" in page and "1 recording" in page
    assert "attachment" in text.headers["Content-Disposition"] and "By: Amy" in text.text
    for word in ("Margaret", "Osei", "23456701"):
        assert word not in page and word not in text.text
    assert not sound.exists() and amy.get(f"/call/{call}").status == 404 and amy.get(f"/customer/{who}").status == 404
    assert tombstones.is_forgotten(office.db, MARGARET) and "Receipt" in amy.get("/customers/forgotten").text


def test_who_has_no_card_is_forgotten_by_writing_the_number(office: Office, amy: Browser) -> None:
    call = office.missed("+4915199887766")
    assert "1 call" in amy.get("/customers/forget?number=%2B4915199887766").text
    form = {"number": "+4915199887766", "typed": "0151 99887767"}
    assert amy.post("/customers/forget", form).status == 400 and amy.get(f"/call/{call}").status == 200
    assert amy.post("/customers/forget", form | {"typed": "0151 99887766"}).status == 303
    assert amy.get(f"/call/{call}").status == 404 and amy.get("/customers/forget?number=12").status == 404


def test_nobody_is_forgotten_while_talking(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    office.answered(office.call(MARGARET))
    answer = amy.post(f"/customer/{who}/forget", {"typed": "Margaret Osei"})
    assert answer.status == 409 and "on the telephone now" in answer.text and cards.card(office.db, who)


def test_a_toast_that_names_the_forgotten_is_forgotten_too(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    said = amy.post(f"/customer/{who}/texts", {"no_more": "1"}).headers["Location"].split("?")[1]
    assert "Margaret Osei gets no more texts." in amy.get(f"/customers?{said}").text
    amy.post(f"/customer/{who}/forget", {"typed": "Margaret Osei"})
    assert "Margaret" not in amy.get(f"/customers?{said}").text


def test_what_was_done_before_a_backup_came_back_is_not_undone_after_it(office: Office, amy: Browser) -> None:
    page = followed(amy, amy.post("/customers/groups", {"name": "Suppliers"}))
    with store.write(office.db) as db:
        db.execute("""
            INSERT INTO backup_restore (upload, state, by_user, asked_at) VALUES ('a', 'restored', 'amy', '')""")
    assert undo(amy, page) == 410 and groups.named(office.db, "Suppliers")


def test_a_group_is_made_filled_renamed_emptied_deleted_and_brought_back(office: Office, amy: Browser) -> None:
    page = followed(amy, amy.post("/customers/groups", {"name": "Suppliers"}))
    group = groups.named(office.db, "Suppliers")
    assert group and "The group “Suppliers” is made." in page
    assert "Whitmoor Garage" in amy.get(f"/customers/group/{group}?q=whit").text
    amy.post(f"/customers/group/{group}/put", {"contact": card_of(office, MARGARET)})
    assert groups.members(office.db, group) == [card_of(office, MARGARET)]
    assert "“Suppliers” is called “Friends” now." in followed(amy, amy.post(f"/customers/group/{group}",
                                                                            {"name": "Friends"}))
    page = followed(amy, amy.post(f"/customers/group/{group}/delete"))
    assert groups.named(office.db, "Friends") is None and undo(amy, page) == 303
    assert groups.named(office.db, "Friends") == group and groups.members(office.db, group)
    page = followed(amy, amy.post(f"/customers/group/{group}/take", {"contact": card_of(office, MARGARET)}))
    assert groups.members(office.db, group) == [] and undo(amy, page) == 303 and groups.members(office.db, group)


@pytest.mark.parametrize("name", ["", "club RIDERS", "x" * 90])
def test_a_group_name_that_is_none_or_taken_is_refused(office: Office, amy: Browser, name: str) -> None:
    assert amy.post("/customers/groups", {"name": name}).status == 400
    group = groups.named(office.db, "Nobody yet")
    assert amy.post(f"/customers/group/{group}", {"name": name}).status == 400 and amy.get(
        "/customers/group/99").status == 404


def test_markup_in_every_field_is_shown_as_text(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        group = groups.add(db, "<b>bold</b>")
    who = wished(office, card_of(office, MARGARET), name=EVIL, other_name=EVIL, company=EVIL, address=EVIL, tags=[EVIL],
                 is_blocked=True, blocked_reason=EVIL, numbers=[(MARGARET, EVIL)], groups=[group],
                 fields=[(EVIL, EVIL), ("Site", "javascript:alert(1)"), ("Data", "data:text/html,<script>")])
    other = wished(office, name=EVIL + "2", address=EVIL)
    with store.write(office.db) as db:
        notes.keep(db, EVIL, EVIL, datetime.now(UTC), contact_id=who)
    came(office, MARGARET, EVIL)
    for path in (f"/customer/{who}", f"/customer/{who}/edit", f"/customer/{who}/merge?with={other}", "/customers",
                 f"/customer/{who}/merge?q=img", f"/customer/{who}/forget", f"/customers?tag={'%3Cimg'}",
                 "/customers/groups", f"/customers/group/{group}?q=img", "/customers?q=%3Cscript%3Ealert%282%29"):
        page = amy.get(path).text
        assert "<img" not in page and "<script>alert" not in page and "<b>bold" not in page, path
        assert not re.search(r'href="(javascript|data):', page), path
    amy.post(f"/customer/{who}/delete")
    assert "<img" not in amy.get("/customers/deleted").text


def test_only_http_links_become_links(office: Office, amy: Browser) -> None:
    who = wished(office, name="A", fields=[("a", "https://example.org/x?y=\"z"), ("b", "ftp://x"), ("c", "http://ok")])
    found = re.findall(r'<dd><a href="([^"]*)" rel="noopener noreferrer nofollow">', amy.get(f"/customer/{who}").text)
    assert [html.unescape(link) for link in found] == ['https://example.org/x?y="z', "http://ok"]


def test_pages_of_a_card_that_is_gone_say_so(office: Office, amy: Browser) -> None:
    gone = "00000000-0000-7000-8000-000000000000"
    for path in (f"/customer/{gone}", f"/customer/{gone}/edit", f"/customer/{gone}/merge", f"/customer/{gone}/forget",
                 "/customer/nonsense", "/customers/forgotten/9", "/customers/forgotten/9.txt"):
        assert amy.get(path).status == 404
    for path in ("edit", "delete", "note", "texts", "merge", "number", "two", "forget"):
        assert amy.post(f"/customer/{gone}/{path}", {"name": "x", "text": "x"}).status == 404


def test_a_form_without_its_token_changes_nothing(office: Office, amy: Browser) -> None:
    who = card_of(office, MARGARET)
    for path in ("edit", "delete", "note", "texts", "merge", "unmerge", "number", "two", "forget"):
        assert amy.post(f"/customer/{who}/{path}", {"typed": "Margaret Osei", "name": "x"}, token="").status == 403
    card = cards.card(office.db, who)
    assert card and card.name == "Margaret Osei"
