"""The pop: rises while it rings, in every page of a browser, and says what became of the call."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from playwright.sync_api import Page, expect

from appliance.store import db as store
from tests.browser.conftest import Desk
from tests.desk import Browser, Office

ANOTHER_PROCESS = """
import sys
sys.path.insert(0, sys.argv[1])
from appliance.store import db as store
db = store.connect(sys.argv[2])
with store.write(db):
    call = db.execute(\"\"\"INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, caller_name, number,
        presentation, started_at, is_clock_set) VALUES ('box1', 1, '1.1', 'line1', 'in', '015123456789',
        'Margaret Osei', '+4915123456789', 'allowed', strftime('%Y-%m-%dT%H:%M:%fZ'), 1)\"\"\").lastrowid
    db.execute("INSERT INTO event (at, kind, call_id) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ'), 'ringing', ?)", (call,))
"""


def ready(office: Office, who: Browser, desk: Desk, path: str = "/", **given: object) -> Page:
    """A page whose stream is open."""
    before = office.server.hub.desks
    page = desk(who, **given).new_page()
    page.goto(office.url + path)
    deadline = time.monotonic() + 10
    while office.server.hub.desks <= before and time.monotonic() < deadline:
        page.wait_for_timeout(10)
    assert office.server.hub.desks == before + 1
    return page


def phone_of(office: Office, user: str, extension: str | None) -> None:
    """This desk phone is theirs."""
    with store.write(office.db) as db:
        db.execute("UPDATE user SET extension = ? WHERE name = ?", (extension, user))


def test_the_pop_rises_when_another_process_writes_a_ringing_call(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, sys.path[0], str(office.box.store)], check=True)
    pop = page.locator(".pop")
    expect(pop).to_be_visible()
    expect(pop).to_contain_text("Ringing on Line 1")
    expect(pop).to_contain_text("Margaret Osei")
    expect(pop).to_contain_text("01512 3456789")
    expect(pop).to_contain_text("First call from this number.")
    expect(page.locator("#pop-alert")).to_have_text("Margaret Osei is ringing on Line 1.")
    expect(page.locator("#ledger li").first).to_contain_text("Ringing")
    expect(page).to_have_title(re.compile("Margaret Osei is ringing"))


def test_the_pop_takes_no_focus_and_the_keys_reach_it(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    page.get_by_role("link", name="All calls").focus()
    office.call()
    expect(page.locator(".pop")).to_be_visible()
    expect(page.get_by_role("link", name="All calls")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".pop")).to_be_visible()
    page.keyboard.press("F2")
    expect(page.locator(".pop")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".pop")).to_have_count(0)


def test_a_call_taken_elsewhere_turns_green_folds_and_leaves_after_the_call(
    office: Office, amy: Browser, desk: Desk
) -> None:
    phone_of(office, "Amy", "101")
    page = ready(office, amy, desk)
    call_id = office.call(contact="Margaret Osei")
    pop = page.locator(".pop")
    expect(pop).to_have_class(re.compile("ringing"))
    office.answered(call_id, "102")
    expect(pop).to_contain_text("Workshop answered")
    expect(pop).to_have_class(re.compile("answered"))
    expect(pop).to_have_class(re.compile("thin"), timeout=8000)
    office.ended(call_id, "answered", talk_ms=62_000)
    expect(pop).to_contain_text("Workshop answered, 1 min 2 s")
    expect(pop).to_have_count(0, timeout=12_000)


def test_a_missed_call_stays_until_it_is_closed_also_over_a_change_of_page(
    office: Office, amy: Browser, desk: Desk
) -> None:
    page = ready(office, amy, desk)
    call_id = office.call(contact="Margaret Osei")
    expect(page.locator(".pop")).to_be_visible()
    office.ended(call_id, "missed")
    expect(page.locator(".pop")).to_contain_text("Missed, rang 24 s")
    page.goto(f"{office.url}/call/{call_id}")
    expect(page.locator(".pop")).to_contain_text("Missed, rang 24 s")
    page.locator("[data-do=close-pop]").click()
    page.goto(office.url)
    expect(page.locator("#ledger")).to_be_visible()
    expect(page.locator(".pop")).to_have_count(0)


def test_a_pop_closed_in_one_tab_is_closed_in_all_and_stays_closed(office: Office, amy: Browser, desk: Desk) -> None:
    one = ready(office, amy, desk)
    other = one.context.new_page()
    other.goto(office.url)
    office.call()
    expect(other.locator(".pop")).to_be_visible()
    other.locator("[data-do=close-pop]").click()
    expect(one.locator(".pop")).to_have_count(0)
    one.reload()
    expect(one.locator("#ledger li.ring")).to_be_visible()
    expect(one.locator(".pop")).to_have_count(0)


def test_several_calls_stand_in_a_stack_and_close_together(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    for name in ("Ada", "Ben", "Cleo"):
        office.call(name=name)
    expect(page.locator(".pop")).to_have_count(3)
    expect(page.locator(".pop .name")).to_have_text(["Cleo", "Ben", "Ada"])
    expect(page.locator(".pop.thin")).to_have_count(2)
    page.get_by_role("button", name="Close all").click()
    expect(page.locator(".pop")).to_have_count(0)


def test_a_page_that_comes_while_it_rings_shows_it(office: Office, amy: Browser, desk: Desk) -> None:
    office.missed("+4915123456789", contact="Margaret Osei")
    office.call("+4915123456789", contact="Margaret Osei")
    page = ready(office, amy, desk)
    expect(page.locator(".pop")).to_contain_text("Last calls")
    page.reload()
    expect(page.locator(".pop")).to_contain_text("Margaret Osei", timeout=2000)


def test_a_restarted_box_shows_what_rings_within_two_seconds(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    office.restart()
    call_id = office.call(name="Margaret Osei")
    expect(page.locator(".pop")).to_contain_text("Margaret Osei", timeout=2000)
    office.ended(call_id, "missed")
    expect(page.locator(".pop")).to_contain_text("Missed")


def test_twelve_tabs_load_and_all_show_the_pop_on_one_stream(office: Office, amy: Browser, desk: Desk) -> None:
    context = desk(amy)
    pages = [context.new_page() for _ in range(12)]
    for page in pages:
        page.goto(office.url, timeout=10_000)
    office.call(name="Margaret Osei")
    for page in pages:
        expect(page.locator(".pop")).to_contain_text("Margaret Osei")
    assert office.server.hub.desks == 1


def test_a_browser_without_shared_workers_has_the_pop_too(office: Office, amy: Browser, desk: Desk) -> None:
    context = desk(amy, 390, 844)
    context.add_init_script("delete window.SharedWorker")
    page = context.new_page()
    page.goto(office.url)
    expect(page.locator("#ledger")).to_be_visible()
    office.call(name="Margaret Osei")
    expect(page.locator(".pop")).to_contain_text("Margaret Osei")


def test_on_the_phone_the_pop_is_a_sheet_that_leaves_room(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk, width=390, height=844)
    for name in ("Ada", "Ben", "Cleo", "Dora", "Emil", "Finn"):
        office.call(name=name)
    expect(page.locator(".pop")).to_have_count(6)
    place = page.locator("#dock").bounding_box()
    assert (
        place
        and place["height"] <= 844 * 0.78 + 1
        and place["width"] == 390
        and abs(place["y"] + place["height"] - 844) <= 1
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_a_caller_wrote_runs_nothing(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    page.evaluate("() => { window.alert = () => { window.was_run = true; }; }")
    for name in (
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "\u2028</template><svg onload=alert(1)>",
    ):
        office.ended(office.call("+4915123456789", name=name), "missed")
        live = office.call("+4917655555551", name=name)
        expect(page.locator(".pop").first).to_contain_text(name.replace("\u2028", " ").strip()[:12])
        expect(page.locator("#ledger li.ring")).to_have_count(1)
        office.ended(live, "missed")
    assert page.evaluate("window.was_run") is None
    assert page.locator(".pop img, .pop script, #ledger img, #ledger script").count() == 0


def test_logged_out_elsewhere_the_page_asks_to_log_in(office: Office, amy: Browser, desk: Desk) -> None:
    context = desk(amy)
    page, other = context.new_page(), context.new_page()
    page.goto(office.url)
    other.goto(office.url)
    other.get_by_role("navigation").get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))


def test_what_an_older_demo_left_in_the_browser_neither_shows_nor_hides_a_call(
    office: Office, amy: Browser, desk: Desk
) -> None:
    page = ready(office, amy, desk)
    page.evaluate("""() => {
      localStorage.setItem("deskbell.session", '"of another box"');
      localStorage.setItem("deskbell.closed", "[1]");
      localStorage.setItem("deskbell.last", "500");
      localStorage.setItem("deskbell.pops", JSON.stringify([{call_id: 7, state: "ended", outcome: "missed",
        name: "Somebody Else", number: null, presentation: "withheld", last: [], ring_ms: 1000, direction: "in"}]));
    }""")
    page.reload()
    assert office.call(name="Margaret Osei") == 1
    expect(page.locator(".pop")).to_contain_text("Margaret Osei")
    page.reload()
    expect(page.locator(".pop")).to_have_count(1)
