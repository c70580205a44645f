"""The player in a real browser: one at a time, by keyboard, without script, and the sound goes on while one marks."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from appliance.calls import packing
from appliance.store import db as store
from tests.browser.conftest import Desk
from tests.desk import Browser, Office, eventually


@pytest.fixture
def shelf(office: Office) -> list[int]:
    """Two recordings of a minute, kept as Opus with their picture; the newest first."""
    made = []
    for hours in (1, 2):
        at = datetime.now(UTC) - timedelta(hours=hours)
        call_id = office.call("+447700900318", contact="Halima Yusuf", at=at)
        office.answered(call_id, at=at)
        office.ended(call_id, "answered", talk_ms=60_000)
        office.recorded(call_id, 60)
        with store.write(office.db) as db:
            db.execute("UPDATE recording SET started_at = ? WHERE call_id = ?", (store.iso(at), call_id))
        made.append(call_id)
    while tape := packing.next_tape(office.db):
        assert packing.pack(office.db, office.box, tape)
    return made


def at_s(page: Page) -> float:
    return float(page.evaluate("document.querySelector('audio').currentTime"))


def plays(page: Page) -> bool:
    return bool(page.evaluate("!document.querySelector('audio').paused"))


def test_the_player_plays_seeks_and_runs_faster(office: Office, amy: Browser, desk: Desk, shelf: list[int]) -> None:
    page = desk(amy).new_page()
    page.goto(f"{office.url}/call/{shelf[0]}")
    page.get_by_role("button", name="Play").click()
    eventually(lambda: at_s(page) > 0.2)
    assert "as=opus" in page.evaluate("document.querySelector('audio').currentSrc")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="On 10 seconds").click()
    eventually(lambda: 10 < at_s(page) < 20)
    page.get_by_role("button", name="Back 10 seconds").click()
    eventually(lambda: at_s(page) < 10)
    page.get_by_role("button", name="1.5×").click()
    assert page.evaluate("document.querySelector('audio').playbackRate") == 1.5
    expect(page.get_by_role("button", name="1.5×")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Pause").click()
    assert not plays(page)


def test_the_range_is_a_real_one_and_says_where_it_is(office: Office, amy: Browser, desk: Desk,
                                                      shelf: list[int]) -> None:
    page = desk(amy).new_page()
    page.goto(f"{office.url}/call/{shelf[0]}")
    place = page.get_by_role("slider", name="Place in the recording")
    expect(place).to_have_attribute("aria-valuetext", "0 seconds of 1 minute 0 seconds")
    place.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(place).to_have_attribute("aria-valuetext", "3 seconds of 1 minute 0 seconds")
    assert not office.db.execute("SELECT 1 FROM listening").fetchone(), "nobody has listened yet"
    page.get_by_role("button", name="Play").click()
    eventually(lambda: at_s(page) > 3)
    width = page.evaluate("Number(document.querySelector('clipPath rect').getAttribute('width'))")
    assert 1000 * 3 / 60 <= width < 1000 * 20 / 60


def test_the_sound_goes_on_while_one_marks_keeps_and_writes(office: Office, amy: Browser, desk: Desk,
                                                           shelf: list[int]) -> None:
    page = desk(amy).new_page()
    page.goto(f"{office.url}/call/{shelf[0]}")
    page.get_by_role("button", name="Play").click()
    eventually(lambda: at_s(page) > 0.1)
    page.get_by_label("Note", exact=True).fill("Half a thought")
    page.get_by_role("button", name="Complaint").click()
    expect(page.locator(".toast")).to_contain_text("Marked as a complaint.")
    expect(page.get_by_role("button", name="Complaint")).to_be_focused()
    expect(page.get_by_label("Note", exact=True)).to_have_value("Half a thought")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Save the note").click()
    expect(page.locator(".toast")).to_contain_text("Note saved.")
    office.texted(shelf[0])
    expect(page.locator("#texts")).to_contain_text("sorry we missed your call")
    assert plays(page) and at_s(page) > 0.3
    row = office.db.execute("SELECT mark, is_starred FROM call JOIN recording ON call_id = id WHERE id = ?", shelf[:1])
    assert tuple(row.fetchone()) == ("complaint", 1)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Note", exact=True)).to_have_value("")


def test_in_the_list_one_recording_plays_at_a_time(office: Office, amy: Browser, desk: Desk, shelf: list[int]) -> None:
    page = desk(amy).new_page()
    page.goto(f"{office.url}/recordings")
    for call_id in shelf:
        page.locator(f"#call-{call_id} [data-do=open]").click()
        expect(page.locator(f"#call-{call_id} desk-player.playing")).to_have_count(1)
        expect(page.locator("desk-player")).to_have_count(1)
    page.locator(f"#call-{shelf[1]} [data-do=open]").click()
    expect(page.locator("desk-player")).to_have_count(0)


def test_without_script_the_browsers_own_player_is_there(office: Office, amy: Browser, desk: Desk,
                                                         shelf: list[int]) -> None:
    page = desk(amy, java_script_enabled=False).new_page()
    page.goto(f"{office.url}/recordings?open={shelf[0]}")
    expect(page.locator("audio[controls]")).to_be_visible()
    expect(page.locator(".deck")).to_be_hidden()
    page.goto(f"{office.url}/call/{shelf[0]}")
    page.get_by_role("button", name="Complaint").click()
    expect(page.locator(".toast")).to_contain_text("Marked as a complaint.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Complaint")).to_have_attribute("aria-pressed", "false")


def test_a_recording_that_cannot_be_had_says_so(office: Office, amy: Browser, chromium: Chromium,
                                                shelf: list[int]) -> None:
    context = chromium.new_context()                   # the browser complains of the 404, and rightly
    context.add_cookies([{"name": name, "value": value, "url": office.url} for name, value in amy.cookies.items()])
    page = context.new_page()
    page.goto(f"{office.url}/call/{shelf[0]}")
    (office.box.recordings / f"{shelf[0]}.opus").unlink()
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".silent")).to_be_visible()
    context.close()


@pytest.mark.parametrize("path", ["/recordings", "/recordings?open={}", "/call/{}"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(office: Office, amy: Browser, desk: Desk, shelf: list[int], path: str,
                                          width: int) -> None:
    page = desk(amy, width).new_page()
    page.goto(office.url + path.format(shelf[0]))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
