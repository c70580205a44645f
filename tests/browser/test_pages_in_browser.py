"""The pages as people use them: first run, sizes, dark, keyboard, the player."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from appliance.people import users
from appliance.update import bundles
from appliance.update.bundle import Bundle
from tests.browser.conftest import Desk
from tests.desk import PASSWORD, Browser, Office, eventually

LONG = "Donaudampfschifffahrtsgesellschaftskapitänswitwe" * 6


def full(office: Office) -> int:
    """A history with every kind of row; the id of a recorded call."""
    for outcome in ("missed", "busy", "rejected", "failed", "blocked", "voicemail", "abandoned", "interrupted"):
        office.ended(office.call("+4915123456789", name=LONG if outcome == "busy" else outcome), outcome)
    office.texted(office.missed("+4916090000001", contact="Halima Yusuf"), "failed")
    office.missed(None, presentation="withheld")
    talk = office.call("+4917655555551", contact="王丽 Wang Li")
    office.answered(talk)
    office.ended(talk, "answered", talk_ms=2000)
    office.recorded(talk)
    return talk


def test_first_run_leads_to_the_first_steps_and_from_there_to_today(office: Office, desk: Desk) -> None:
    page = desk().new_page()
    page.goto(office.url)
    expect(page).to_have_url(re.compile("/setup$"))
    page.get_by_label("Code of this box").fill(users.first_run_code(office.box).lower())
    page.get_by_label("Your name").fill("Amy")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page).to_have_url(re.compile("/wizard/language$"))
    page.get_by_role("link", name="Leave for now").click()
    expect(page.get_by_role("heading", name="Still owed a call")).to_be_visible()
    page.get_by_role("navigation").get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))
    page.get_by_label("Your name").fill("Amy")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile("/wizard/language$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 900, 1280, 1920])
def test_nothing_scrolls_sideways(office: Office, amy: Browser, desk: Desk, width: int, scheme: str) -> None:
    talk = full(office)
    page = desk(amy, width, 844, color_scheme=scheme).new_page()
    for path in ("/", "/history", f"/history?open={talk}", f"/call/{talk}", "/call/2", "/call/999"):
        if path != "/call/999":  # a browser writes a 404 on its console
            page.goto(office.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("section", ["shop", "texts", "updates"])
def test_the_section_that_is_open_is_in_sight_in_the_row_of_sections(
        office: Office, amy: Browser, desk: Desk, section: str, has_scripts: bool) -> None:
    page = desk(amy, 390, 844, java_script_enabled=has_scripts).new_page()
    page.goto(f"{office.url}/settings/{section}")
    place = page.locator(".within .chip[aria-current]").bounding_box()
    assert place and place["x"] >= 0 and place["x"] + place["width"] <= 390
    top = page.locator("h1").bounding_box()
    assert top and top["y"] > 0, "the page itself begins at its top"


def test_earlier_updates_are_cards_on_a_telephone(office: Office, amy: Browser, desk: Desk) -> None:
    found, now = Bundle("9.1.0", 1, "Faster.", 250_000_000, "deskbell-arm64", 4096, 4096, b"", b""), datetime.now(UTC)
    row = bundles.add(office.db, office.box, "Amy", "upload", "one.raucb", found, now)
    bundles.put(office.db, row, "went_back", bundles.WENT_BACK, now, "0.5.0")
    for width in (320, 390, 1280):
        page = desk(amy, width, 844, locale="ru-RU").new_page()
        page.goto(f"{office.url}/update")
        table = page.get_by_role("table")
        expect(table.get_by_role("rowheader", name="9.1.0")).to_be_visible()
        assert table.evaluate("it => it.parentElement.scrollWidth <= it.parentElement.clientWidth"), width


def test_dark_follows_the_device_until_the_user_chooses(office: Office, amy: Browser, desk: Desk) -> None:
    page = desk(amy, color_scheme="dark").new_page()
    page.goto(office.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    light = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == light


def test_the_recording_of_a_call_plays(office: Office, amy: Browser, desk: Desk) -> None:
    talk = full(office)
    page = desk(amy).new_page()
    page.goto(f"{office.url}/call/{talk}")
    page.evaluate("document.querySelector('audio').play()")
    eventually(lambda: page.evaluate("document.querySelector('audio').readyState >= 1"))
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(2.0, abs=0.1)
    eventually(lambda: page.evaluate("document.querySelector('audio').currentTime > 0.3"))


def test_a_row_opens_and_closes_by_keyboard(office: Office, amy: Browser, desk: Desk) -> None:
    call_id = office.missed()
    page = desk(amy).new_page()
    page.goto(office.url + "/history")
    arrow = page.locator(f"#call-{call_id} [data-do=open]")
    arrow.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".journey")).to_be_visible()
    expect(arrow).to_have_attribute("aria-expanded", "true")
    expect(arrow).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".journey")).to_have_count(0)


def test_a_call_page_grows_with_what_follows(office: Office, amy: Browser, desk: Desk) -> None:
    call_id = office.call()
    page = desk(amy).new_page()
    page.goto(f"{office.url}/call/{call_id}")
    expect(page.locator("#chain")).to_contain_text("are ringing")
    office.ended(call_id, "missed")
    expect(page.locator("#chain")).to_contain_text("Nobody had answered.")
    office.texted(call_id)
    expect(page.locator("#chain")).to_contain_text("Delivered to the caller’s phone")
    expect(page.locator("#texts")).to_contain_text("sorry we missed your call")
    office.recorded(call_id)
    expect(page.locator("audio")).to_have_count(1)
