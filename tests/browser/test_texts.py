"""Texts as people write them: the counting box, a group text from the first word to the bar, a rule rehearsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from appliance.texts import alphabet, rulebook
from tests.browser.conftest import Desk
from tests.desk import Browser, Office
from tests.pages.textshop import HALIMA, MARGARET, came, outgoing, running, shop, unknown

PAGES = ("/texts", "/texts/with?number=%2B4915123456701", "/texts/new", "/texts/list", "/texts/list?show=unknown",
         "/campaigns", "/campaigns/new", "/campaign/1", "/campaign/1?show=everyone", "/rules", "/rule",
         "/rule/missed?rehearse", "/templates", "/optouts", "/sims", "/more")
WRITTEN = ["", "Hello", "€" * 80, "x" * 160, "x" * 161, "ж" * 70, "ж" * 71, "x" * 152 + "€" * 4, "🙂" * 36, "a\tb\x07",
           "It’s “late” – sorry…" * 5, "x" * 1000, "ж" * 900, "line\nbreak"]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = shop(tmp_path)
    yield office
    office.close()


def full(office: Office) -> None:
    came(office, MARGARET, "Donaudampfschifffahrtsgesellschaftskapitän" * 5)
    unknown(office, HALIMA)
    office.missed(None, presentation="withheld")
    running(office)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 900, 1280])
def test_no_page_about_texts_scrolls_sideways(
    office: Office, amy: Browser, desk: Desk, width: int, scheme: str
) -> None:
    full(office)
    page = desk(amy, width, 844, color_scheme=scheme).new_page()
    for path in PAGES:
        page.goto(office.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_box_counts_as_the_network_does(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/texts/new")
    for text in WRITTEN:
        page.fill("#text", text)
        size = alphabet.size(text.strip())
        said = page.locator("[data-of=texts]").inner_text()
        wanted = f"{size.segments} text{'' if size.segments == 1 else 's'}"
        assert said == (wanted if size.segments <= 10 else "Too long: more than ten texts"), text
        assert page.locator("[data-of=left]").inner_text().startswith(f"{size.left} left"), text
        assert page.locator("[data-of=room]").inner_text().startswith(f"{size.units} of"), text
        assert page.locator("[data-of=offer]").is_visible() == (alphabet.replacements(text) is not None), text


def test_one_press_spells_it_plainly(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/texts/new")
    page.fill("#text", "It’s ready " + "x" * 70)
    page.get_by_role("button", name="Spell it plainly").click()
    expect(page.locator("#text")).to_have_value("It's ready " + "x" * 70)
    expect(page.locator("[data-of=texts]")).to_have_text("1 text")


def test_a_group_text_from_the_first_word_to_its_bar(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/texts")
    page.get_by_role("link", name="New group text").click()
    page.get_by_text("Club riders, 4").click()
    page.fill("#text", "{shop}: hello {first_name|there}")
    expect(page.locator("#sum")).to_contain_text("3 people")      # the sums come while one writes
    expect(page.locator("#out")).to_contain_text("A landline cannot take texts.")
    expect(page.locator("#seen")).to_contain_text("Larkspur Cycles: hello Margaret")
    page.get_by_role("button", name="Next person").click()
    expect(page.locator("#seen")).to_contain_text("hello Halima")
    page.locator("#confirm").get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(re.compile(r"/campaign/1$"))         # the toast leaves the address
    expect(page.locator(".toast")).to_contain_text("Confirmed")
    expect(page.locator("h1")).to_have_text("{shop}: hello {first_name|there}")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_group_text_needs_no_script(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy, java_script_enabled=False).new_page()
    page.goto(office.url + "/campaigns/new")
    page.get_by_text("Club riders, 4").click()
    page.fill("#text", "Hello")
    page.locator("#confirm").get_by_role("button", name="Check").click()
    expect(page.locator("#sum")).to_contain_text("3 people")
    page.locator("#confirm").get_by_role("button", name="Confirm").click()
    expect(page.locator("h1")).to_have_text("Hello")


def test_a_running_campaign_moves_by_itself(office: Office, amy: Browser, desk: Desk) -> None:
    campaign_id = running(office)
    page = desk(amy).new_page()
    page.goto(f"{office.url}/campaign/{campaign_id}")
    expect(page.locator("#h-far")).to_contain_text("0 of 3")
    office.db.execute("UPDATE sms SET state = 'delivered' WHERE campaign_id = ?", (campaign_id,))
    office.db.execute("INSERT INTO event (at, kind) VALUES ('2026-11-17T10:00:00.000Z', 'text')")
    expect(page.locator("#h-far")).to_contain_text("3 of 3")


def test_a_text_that_comes_shows_in_the_rail_and_is_answered(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/")
    came(office, MARGARET, "Are you open?")
    expect(page.locator(".rail .n")).to_have_text("1")
    page.get_by_role("link", name="Texts").first.click()
    page.get_by_role("link", name="Margaret Osei").click()
    page.fill("#text", "Until six.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#talk")).to_contain_text("Until six.")
    expect(page.locator(".rail .n")).to_have_count(0)
    assert outgoing(office) == [(MARGARET, "Until six.", "queued")]
    came(office, MARGARET, "Thank you!")                           # while the conversation is open
    page.fill("#text", "half a sent")
    expect(page.locator("#talk")).to_contain_text("Thank you!")
    expect(page.locator("#text")).to_have_value("half a sent")


def test_a_rule_is_changed_rehearsed_and_removed_with_a_way_back(office: Office, amy: Browser, desk: Desk) -> None:
    office.missed(MARGARET)
    page = desk(amy).new_page()
    page.goto(office.url + "/rules")
    page.get_by_role("link", name="Missed call").click()
    page.get_by_label("What happens").select_option("answered")
    page.get_by_role("button", name="Rehearse", exact=True).first.click()
    expect(page.locator("#rehearsal")).to_contain_text("Nothing was sent")
    expect(page.locator("#rehearsal .tile", has_text="Would be texted")).to_contain_text("0")
    page.goto(office.url + "/rules")
    page.get_by_role("button", name="Remove Missed call").click()
    expect(page.locator(".toast")).to_contain_text("removed")
    assert rulebook.rules(office.db) == []
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Missed call")).to_be_visible()
    assert [rule.key for rule in rulebook.rules(office.db)] == ["missed"]


def test_the_phone_has_its_bar_and_the_count_on_it(office: Office, amy: Browser, desk: Desk) -> None:
    came(office, MARGARET, "Hello?")
    page = desk(amy, 390, 844).new_page()
    page.goto(office.url + "/rules")
    bar = page.get_by_role("navigation", name="Main, short")
    expect(bar.get_by_role("link", name="More")).to_have_attribute("aria-current", "page")
    expect(bar.locator(".n")).to_have_text("1")
    bar.get_by_role("link", name="More").click()
    expect(page.get_by_role("link", name="Opt-outs")).to_be_visible()
