"""What a call does besides rising: the ring, the title, the notification; and the sentence where it cannot."""

from __future__ import annotations

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from tests.browser.conftest import FLAGS, Desk
from tests.browser.test_pop import ready
from tests.desk import Browser, Office, eventually

COUNT_TONES = """() => { window.tones = 0; const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...at) { window.tones += 1; return start.apply(this, at); }; }"""

BELL = """const loaded = performance.getEntriesByType("resource");
    const bell = await import(loaded.find(one => one.name.includes("popbell")).name);"""
# Under the pages' own lock: Chromium forgets a notification that is being shown while somebody asks for the list.
SHOWN = """() => navigator.locks.request("deskbell.notices", async () =>
    (await (await navigator.serviceWorker.getRegistration("/static/")).getNotifications()).map(one => one.title))"""


# How often this page has told the others that it can ring.
COUNT_TOLD = """() => { window.told = 0; const post = MessagePort.prototype.postMessage;
    MessagePort.prototype.postMessage = function (word) {
        window.told += word?.can_ring ? 1 : 0; return post.call(this, word); }; }"""
# A sound device that starts when it is told to.
SLOW_SOUND = """() => { window.devices = []; const Quick = AudioContext;
    window.AudioContext = class extends Quick { constructor() { super(); this.suspend(); window.devices.push(this); } };
    window.wake = () => Promise.all(window.devices.map(one => one.resume())); }"""


def test_a_page_whose_sound_starts_late_rings_then(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    page.context.add_init_script(f"({COUNT_TONES})(); ({SLOW_SOUND})()")
    page.reload()
    expect(page.locator("#ledger")).to_be_visible()
    call_id = office.call()
    expect(page.locator(".pop.ringing")).to_be_visible()
    assert page.evaluate("tones") == 0
    page.evaluate("wake()")
    eventually(lambda: page.evaluate("tones") > 0)
    office.ended(call_id, "missed")


def test_the_page_that_can_ring_does_whichever_came_last(office: Office, amy: Browser, desk: Desk) -> None:
    can = ready(office, amy, desk)
    can.context.add_init_script(f"({COUNT_TONES})(); ({COUNT_TOLD})(); ({SLOW_SOUND})()")
    can.reload()
    expect(can.locator("#ledger")).to_be_visible()
    cannot = can.context.new_page()
    cannot.goto(office.url)
    expect(cannot.locator("#ledger")).to_be_visible()
    can.evaluate("wake()")
    eventually(lambda: can.evaluate("told") > 0)
    office.call()
    eventually(lambda: can.evaluate("tones") > 0)
    assert cannot.evaluate("tones") == 0


LATE_WORD = """() => { const its = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
    Object.defineProperty(MessagePort.prototype, "onmessage", {
        set(take) { its.set.call(this, word => setTimeout(take, 300, word)); } });
    window.heard = 0; document.addEventListener("deskbell", () => { window.heard += 1; }); }"""


def test_a_page_rings_also_when_another_put_the_pop_there_first(office: Office, amy: Browser, desk: Desk) -> None:
    one = ready(office, amy, desk)
    last = one.context.new_page()
    last.add_init_script(f"({COUNT_TONES})(); ({COUNT_TOLD})(); ({LATE_WORD})()")
    last.goto(office.url)
    eventually(lambda: last.evaluate("heard") > 0 and last.evaluate("told") > 0)
    office.call(name="Margaret Osei")
    eventually(lambda: last.evaluate("tones") > 0)
    expect(last.locator("#pop-alert")).to_contain_text("Margaret Osei")


def test_of_two_pages_one_rings_and_a_muted_user_hears_nothing(office: Office, amy: Browser, desk: Desk) -> None:
    one = ready(office, amy, desk)
    one.context.add_init_script(f"({COUNT_TONES})()")
    one.reload()
    two = one.context.new_page()
    two.goto(office.url)
    expect(two.locator("#ledger")).to_be_visible()
    call_id = office.call()
    eventually(lambda: one.evaluate("tones") + two.evaluate("tones") > 0)
    assert min(one.evaluate("tones"), two.evaluate("tones")) == 0
    office.ended(call_id, "missed")
    two.get_by_role("button", name="Silence the ring").first.click()
    expect(two.get_by_role("button", name="Ring here again").first).to_be_visible()
    eventually(lambda: office.db.execute("SELECT is_muted FROM user").fetchone()[0] == 1)
    before = one.evaluate("tones") + two.evaluate("tones")
    office.call("+4917655555551", name="In Silence")
    for page in (one, two):
        expect(page.locator(".pop").first).to_contain_text("In Silence")
    assert one.evaluate("tones") + two.evaluate("tones") == before


def test_a_browser_that_may_make_no_sound_yet_says_so(office: Office, amy: Browser, chromium: Chromium) -> None:
    strict = chromium.browser_type.launch(
        executable_path="/usr/bin/chromium", args=[*FLAGS[:-1], "--autoplay-policy=document-user-activation-required"])
    try:
        context = strict.new_context()
        context.add_cookies([{"name": name, "value": value, "url": office.url} for name, value in amy.cookies.items()])
        page = context.new_page()
        page.goto(office.url + "/account")
        expect(page.locator("[data-say=sound]")).to_contain_text("This browser makes no sound before the first click")
        page.locator("h1").click()
        expect(page.locator("[data-say=sound]")).to_have_text("Calls ring softly here.")
    finally:
        strict.close()


def test_notifications_are_shown_behind_other_windows_and_go_with_the_ring(
    office: Office, amy: Browser, desk: Desk
) -> None:
    page = ready(office, amy, desk, permissions=["notifications"])
    page.goto(office.url + "/account")
    expect(page.locator("[data-say=notices]")).to_contain_text("Calls also show as notifications")
    page.evaluate("document.hasFocus = () => false")
    call_id = office.call(name="Margaret Osei")
    eventually(lambda: page.evaluate(SHOWN) == ["Margaret Osei"])
    office.answered(call_id, "102")
    eventually(lambda: page.evaluate(SHOWN) == [])


def test_a_ring_that_ends_while_its_notification_is_still_made_leaves_none_standing(
    office: Office, amy: Browser, desk: Desk
) -> None:
    page = ready(office, amy, desk, permissions=["notifications"])
    page.evaluate(f"""async () => {{ {BELL}
        const made = bell.show("c1", "Gone already", "", "/");
        await bell.unshow("c1");
        const other = bell.show("c2", "Still rings", "", "/");
        await Promise.all([made, other]); }}""")
    assert page.evaluate(SHOWN) == ["Still rings"]


def test_a_call_that_rings_as_another_ends_keeps_its_notification(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk, permissions=["notifications"])
    page.evaluate(f"""async () => {{ {BELL}
        let are_more = true;
        const end = async () => {{ while (are_more) await bell.unshow("c0"); }};
        const ends = end();
        for (let turn = 1; turn <= 20; turn += 1) await bell.show("c" + turn, "Call " + turn, "", "/");
        are_more = false;
        await ends; }}""")
    assert sorted(page.evaluate(SHOWN)) == sorted(f"Call {turn}" for turn in range(1, 21))


def test_where_notifications_cannot_be_the_page_says_why(office: Office, amy: Browser, chromium: Chromium) -> None:
    plain = chromium.browser_type.launch(executable_path="/usr/bin/chromium",
                                         args=[*FLAGS, "--host-resolver-rules=MAP deskbell.local 127.0.0.1"])
    try:
        context = plain.new_context()
        address = office.url.replace("127.0.0.1", "deskbell.local")
        context.add_cookies([{"name": name, "value": value, "url": address} for name, value in amy.cookies.items()])
        page = context.new_page()
        page.goto(address + "/account")
        expect(page.locator("[data-say=notices]")).to_contain_text("only for pages with a certificate they trust")
        expect(page.get_by_role("link", name="Make the browser trust this box")).to_be_visible()
        expect(page.get_by_role("button", name="Show notifications")).to_be_hidden()
    finally:
        plain.close()


def test_where_motion_is_not_wanted_the_title_stands_still(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk, reduced_motion="reduce", forced_colors="active")
    office.call(name="Margaret Osei")
    expect(page.locator(".pop")).to_be_visible()
    page.evaluate("""() => { window.titles = new Set([document.title]);
        new MutationObserver(() => titles.add(document.title))
            .observe(document.head, {subtree: true, childList: true}); }""")
    expect(page.locator(".pop .t")).to_contain_text("0:03", timeout=6000)
    assert page.evaluate("[...titles].every(one => one.includes('is ringing'))")
    assert page.locator(".pop").evaluate("node => getComputedStyle(node).animationName") == "none"
    assert page.locator(".pop").evaluate("node => getComputedStyle(node).borderTopStyle") == "solid"
