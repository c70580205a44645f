"""What an owner does, in a real browser: a list brought in and taken back, a backup and the way back to it, each
language, the phone, the keyboard alone. Group texts and the rehearsal of a rule are in test_texts.py, the first run in
test_pages_in_browser.py."""
from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk
from tests.deep.wholeshop import Whole, whole
from tests.desk import Browser, Office, eventually
from tests.pages.test_import import work
from web import language

pytestmark = pytest.mark.xdist_group("owner")          # one shop for all of them

CUSTOMERS = "Name;Number;Company\nIngrid Solberg;0151 23456781;Solberg Ltd\nTomas Novak;0151 23456782;\n"
LOCALE = Path(language.__file__).parent / "locale"
SHOWN = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const it = walker.currentNode.parentElement;
    if (!it.closest("script, style, bdi, code, pre, .langs")) found.push(walker.currentNode.textContent);
  }
  for (const it of document.querySelectorAll("[aria-label], [title], [placeholder]"))
    found.push(...["aria-label", "title", "placeholder"].map(name => it.getAttribute(name) || ""));
  return found.map(text => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""
MEASURED = """() => [document.documentElement.scrollWidth,
  [...document.querySelectorAll("#tabbar a")].map(it => it.getBoundingClientRect().width)]"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    made = whole(tmp_path_factory.mktemp("whole"))
    yield made
    made.night.worker.close()
    made.office.close()


@pytest.fixture(scope="module")
def office(shop: Whole) -> Office:
    return shop.office


@pytest.fixture(scope="module")
def amy(shop: Whole) -> Browser:
    return shop.owner


def test_a_list_is_brought_in_by_four_steps_and_taken_back_as_a_whole(office: Office, amy: Browser,
                                                                     desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/customers/import")
    page.set_input_files("#file", {"name": "winter.csv", "mimeType": "text/csv", "buffer": CUSTOMERS.encode()})
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="What stands in each column")).to_be_visible()
    expect(page.locator("select[name=column-0]")).to_have_value("name")
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("#work")).to_contain_text("Every row is being looked at")
    work(office)
    expect(page.get_by_role("heading", name="The first 2")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Ingrid Solberg")
    assert not known(office, "Ingrid Solberg")
    page.get_by_role("button", name="Bring in 2").click()
    work(office)
    expect(page.locator("#work")).to_contain_text("2 customers brought in.")
    assert known(office, "Ingrid Solberg") and known(office, "Tomas Novak")
    page.get_by_role("button", name="Undo the whole import").click()
    work(office)
    expect(page.locator("#work")).to_contain_text("This import was taken back.")
    assert not known(office, "Ingrid Solberg") and not known(office, "Tomas Novak")
    assert known(office, "Margaret Osei")


def known(office: Office, name: str) -> bool:
    return bool(office.db.execute("SELECT 1 FROM contact WHERE name = ?", (name,)).fetchone())


def english(tongue: str) -> set[str]:
    """The sentences of the catalogue, of two words and more, that this language says otherwise; no values in them."""
    text = (LOCALE / tongue / "LC_MESSAGES" / "deskbell.po").read_text()
    text = re.sub(r'"\n"', "", text)
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', text, re.M)
    return {html.unescape(said.replace('\\"', '"')) for said, other in pairs
            if said != other and "%(" not in said and "{" not in said and len(said) >= 8}


@pytest.mark.parametrize("tongue", ["zh", "ru", "fr"])
def test_a_language_is_chosen_on_the_page_and_no_english_is_left(office: Office, amy: Browser, desk: Desk,
                                                                tongue: str, shop: Whole) -> None:
    page = desk(amy).new_page()
    left = english(tongue)
    page.goto(office.url)
    assert sum(text in left for text in page.evaluate(SHOWN)) > 10, "in English it is found"
    page.locator(".langs summary").click()
    page.locator(f".langs button[value={tongue}]").click()
    expect(page.locator("html")).to_have_attribute("lang", tongue)
    found = []
    for path in ("/", "/history", f"/history?open={shop.talk}", "/settings/shop", "/settings/hours", "/settings/texts",
                 "/statistics", "/backups", "/customers/import"):
        page.goto(office.url + path)
        found += [f"{path}: {text}" for text in page.evaluate(SHOWN) if text in left]
    back_to_english(page)
    assert found == []


def back_to_english(page: Page) -> None:
    page.locator(".langs summary").click()
    page.locator(".langs button[value=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


@pytest.mark.parametrize("width", [320, 390])
def test_no_page_is_wider_than_a_phone(office: Office, amy: Browser, desk: Desk, shop: Whole, width: int) -> None:
    page = desk(amy, width, 844).new_page()
    wide = []
    for path in shop.pages if width == 390 else ["/", "/history", "/texts", "/customers", "/more"]:
        page.goto(office.url + path)
        wants, tabs = page.evaluate(MEASURED)
        wanted = 0 if path.startswith("/wizard/") else 5       # the first steps lead on, not away
        if wants > width or len(tabs) != wanted or min(tabs, default=44) < 44:
            wide.append(f"{path} is {wants} wide, its tabs {tabs}")
    assert wide == []


def test_by_keyboard_alone_one_skips_finds_a_call_opens_it_and_listens(office: Office, amy: Browser, desk: Desk,
                                                                      shop: Whole) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/history")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.goto(office.url + "/history")
    page.keyboard.press("Tab")
    tab_to(page, ".rail a[href='/history']")
    tab_to(page, "#q")
    page.keyboard.type("Margaret")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=Margaret"))
    tab_to(page, f"#call-{shop.talk} [data-do=open]")
    page.keyboard.press("Enter")
    expect(page.locator(".journey")).to_be_visible()
    page.goto(f"{office.url}/call/{shop.talk}")
    tab_to(page, "desk-player [data-do=play]")
    page.keyboard.press("Space")
    expect(page.locator("desk-player.playing")).to_have_count(1)
    page.keyboard.press("Space")
    expect(page.locator("desk-player.playing")).to_have_count(0)


def tab_to(page: Page, wanted: str, most: int = 90) -> None:
    """Presses Tab until the focus is there, and each time it must be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", wanted
            return
    raise AssertionError(f"{most} times Tab do not reach {wanted}")


def test_single_keys_work_until_they_are_switched_off_on_this_computer(office: Office, amy: Browser,
                                                                      desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/history?all=1")                       # the filter of before is remembered
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("c?")
    expect(page.locator("#q")).to_have_value("c?")                # while one types they are letters
    page.goto(office.url + "/history")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/texts/new"))
    page.goto(office.url + "/history")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    expect(keys).to_be_visible()
    keys.get_by_label("No single keys on this computer").check()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("c")
    page.keyboard.press("/")
    expect(page.locator("#q")).not_to_be_focused()
    page.reload()
    page.keyboard.press("c")
    page.keyboard.press("?")                                       # this one stays: it is the way back
    expect(keys).to_be_visible()
    expect(page).to_have_url(re.compile("/history"))


def test_f2_goes_to_the_call_that_rings_and_escape_puts_it_away(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/history")
    eventually(lambda: office.server.hub.desks)
    call = office.call("+4915123456799", name="Rings")
    pop = page.locator(".dock .pop", has_text="Rings")
    expect(pop).to_be_visible()
    page.keyboard.press("F2")
    expect(pop).to_be_focused()
    page.keyboard.press("Escape")
    expect(pop).to_have_count(0)
    office.ended(call, "answered", talk_ms=1000)


def test_a_backup_is_made_and_brings_the_truth_back(office: Office, amy: Browser, desk: Desk, shop: Whole) -> None:
    page = desk(amy).new_page()
    page.goto(office.url + "/backups")
    page.get_by_role("button", name="Back up now").click()
    shop.night.serve()
    page.goto(office.url + "/backups")
    expect(page.locator("main")).to_contain_text("Last backup: Today")
    calls = count(office)
    office.missed("+4915199999999")
    page.goto(f"{office.url}/customer/{shop.margaret}/edit")
    page.get_by_label("Name", exact=True).first.fill("Wrong Name")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("h1")).to_contain_text("Wrong Name")
    page.goto(office.url + "/backups/restore")
    page.get_by_role("button", name="Look what would change").click()
    shop.night.serve()
    page.goto(office.url + "/backups/restore")
    expect(page.locator("main")).to_contain_text("1 call since then would go.")
    assert count(office) == calls + 1 and known(office, "Wrong Name")           # nothing is changed by looking
    page.get_by_role("button", name="Restore it").click()
    shop.night.serve()
    page.goto(office.url + "/backups/restore?of=1")
    expect(page.locator("main")).to_contain_text("Restored. Every row was checked before.")
    assert count(office) == calls and known(office, "Margaret Osei") and not known(office, "Wrong Name")
    page.goto(office.url + "/history")
    expect(page.get_by_text("Margaret Osei").first).to_be_visible()


def count(office: Office) -> int:
    return int(office.db.execute("SELECT count(*) FROM call").fetchone()[0])
