"""Several desks at once: who answers clears the others, notes and outcomes are everybody's, the telephone obeys."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from appliance import settings
from appliance.people import users
from appliance.store import db as store
from tests.browser.conftest import FLAGS, Desk
from tests.browser.test_pop import phone_of, ready
from tests.desk import Browser, Office, eventually, hashed

TRUTH_MS = 2000       # after a sleep or a restart each desk shows the truth within this


@pytest.fixture
def ben(office: Office, amy: Browser) -> Browser:
    """A colleague with the workshop's telephone; the counter's is Amy's."""
    with store.write(office.db) as db:
        user_id = users.add(db, "Ben", "staff", datetime.now(UTC), extension="102")
        users.set_password(db, user_id, hashed())
    phone_of(office, "Amy", "101")
    browser = Browser(office.server.port)
    browser.log_in("Ben")
    return browser


def done(office: Office, call_id: int, reason: str | None = None) -> None:
    """The calls daemon did what was asked last, or says why not."""
    with store.write(office.db) as db:
        db.execute(
            "UPDATE phone_order SET state = ?, reason = ? WHERE id = (SELECT max(id) FROM phone_order)",
            ("refused" if reason else "done", reason),
        )
        office.event("phone", call_id)


def orders(office: Office) -> list[tuple[str, str, str | None]]:
    return [tuple(row) for row in office.db.execute("SELECT kind, extension, target FROM phone_order ORDER BY id")]


def test_answered_at_one_desk_it_goes_from_the_other(office: Office, amy: Browser, ben: Browser, desk: Desk) -> None:
    hers, his = ready(office, amy, desk), ready(office, ben, desk)
    call_id = office.call(contact="Margaret Osei")
    for page in (hers, his):
        expect(page.locator(".pop.ringing")).to_be_visible()
    office.answered(call_id, "101")
    expect(his.locator(".pop.answered")).to_contain_text("Counter answered")
    expect(his.locator(".pop")).to_have_class(re.compile("thin"), timeout=8000)
    expect(his.locator("[data-ask=hold]")).to_be_hidden()
    expect(hers.locator("[data-ask=hold]")).to_be_visible()
    office.ended(call_id, "answered", talk_ms=30_000)
    expect(his.locator(".pop")).to_have_count(0, timeout=12_000)
    expect(hers.locator(".pop textarea").first).to_be_visible()


def test_reloaded_in_mid_call_the_desk_that_talks_has_its_keys_again(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    page = ready(office, amy, desk)
    call_id = office.call(contact="Margaret Osei", at=datetime.now(UTC) - timedelta(minutes=3))
    office.answered(call_id, "101")
    expect(page.locator("[data-ask=hold]")).to_be_visible()
    page.reload()
    expect(page.locator("[data-ask=hold]")).to_be_visible(timeout=TRUTH_MS)
    expect(page.locator(".pop .t")).to_contain_text("3:0")
    page.context.clear_cookies()
    other = ready(office, amy, desk)
    expect(other.locator("[data-ask=hold]")).to_be_visible(timeout=TRUTH_MS)


@contextmanager
def a_laptop(chromium: Chromium, office: Office, who: Browser, folder: Path) -> Iterator[tuple[Page, int]]:
    """A browser in a process group of its own, so that it can be stopped as a lid stops it."""
    context = chromium.browser_type.launch_persistent_context(folder, executable_path="/usr/bin/chromium", args=FLAGS)
    group = os.getpgid(int(subprocess.run(["pgrep", "--oldest", "--full", f"user-data-dir={folder}"],
                                          capture_output=True, check=True).stdout))
    assert group != os.getpgid(0)
    try:
        context.add_cookies([{"name": name, "value": value, "url": office.url} for name, value in who.cookies.items()])
        page = context.new_page()
        page.goto(office.url)
        yield page, group
    finally:
        os.killpg(group, signal.SIGCONT)
        context.close()


def test_a_laptop_that_slept_through_three_calls_shows_the_truth(
    office: Office, amy: Browser, ben: Browser, chromium: Chromium, tmp_path: Path
) -> None:
    with a_laptop(chromium, office, amy, tmp_path / "profile") as (page, group):
        eventually(lambda: office.server.hub.desks == 1)
        before = office.call("+4917655555550", name="Rang before")
        expect(page.locator(".pop")).to_contain_text("Rang before")
        os.killpg(group, signal.SIGSTOP)
        office.ended(before, "missed")
        office.ended(office.call(name="Missed Asleep"), "missed")
        taken = office.call("+4917655555551", name="Taken Asleep")
        office.answered(taken, "102")
        office.ended(taken, "answered", talk_ms=2000)
        office.call("+4917655555552", name="Rings Now", at=datetime.now(UTC) - timedelta(seconds=40))
        os.killpg(group, signal.SIGCONT)
        expect(page.locator(".pop.ringing")).to_have_count(1, timeout=TRUTH_MS)
        expect(page.locator(".pop.ringing")).to_contain_text("Rings Now", timeout=TRUTH_MS)
        expect(page.locator(".pop.ringing .t")).to_contain_text("0:4", timeout=TRUTH_MS)
        expect(page.locator(".pop.missed .name")).to_have_text(["Missed Asleep", "Rang before"], timeout=TRUTH_MS)


def test_what_ended_while_the_box_was_away_shows_within_two_seconds(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    pages = [ready(office, amy, desk), ready(office, ben, desk)]
    missed, taken = office.call(name="Gave Up"), office.call("+4917655555551", name="Is Talking")
    for page in pages:
        expect(page.locator(".pop.ringing")).to_have_count(2)
    office.server.stop()
    office.ended(missed, "missed")
    office.answered(taken, "101")
    office.restart()
    for page in pages:
        expect(page.locator(".pop.missed")).to_contain_text("Gave Up", timeout=TRUTH_MS)
        expect(page.locator(".pop.answered")).to_contain_text("Counter answered", timeout=TRUTH_MS)
        expect(page.locator(".pop.ringing")).to_have_count(0)


def test_a_note_is_kept_while_it_is_typed_and_shown_at_the_other_desk(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    hers, his = ready(office, amy, desk), ready(office, ben, desk)
    call_id = office.call(contact="Margaret Osei")
    box = hers.locator("[data-of=write] textarea")
    box.click()
    hers.keyboard.type("Chain and two")
    office.ended(call_id, "missed")
    hers.reload()
    expect(box).to_have_value("Chain and two")
    expect(hers.locator("[data-of=note-said]")).to_have_text("Not saved yet.")
    box.click()
    hers.keyboard.press("End")
    hers.keyboard.type(" tyres")
    hers.locator(".pop [data-do=save]").click()
    expect(hers.locator("[data-of=note-said]")).to_have_text("Saved.")
    expect(his.locator("[data-of=write] textarea")).to_have_value("Chain and two tyres")
    expect(his.locator("[data-of=note-said]")).to_have_text("Amy wrote this.")
    assert office.db.execute("SELECT text, by_user FROM note").fetchone()[:] == ("Chain and two tyres", "Amy")


def test_leaving_the_note_box_saves_it_and_two_who_write_at_once_lose_nothing(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    hers, his = ready(office, amy, desk), ready(office, ben, desk)
    office.call(contact="Margaret Osei")
    for page, text in ((hers, "Wants it on Friday."), (his, "Left a deposit.")):
        page.locator("[data-of=write] textarea").click()
        page.keyboard.type(text)
    hers.locator(".pop .name").click()
    eventually(lambda: office.db.execute("SELECT text FROM note").fetchone())
    his.locator("[data-do=close-pop]").click()
    eventually(lambda: "deposit" in office.db.execute("SELECT text FROM note").fetchone()[0])
    assert office.db.execute("SELECT text FROM note").fetchone()[0] == "Wants it on Friday.\nLeft a deposit."
    expect(hers.locator("[data-of=write] textarea")).to_have_value("Wants it on Friday.\nLeft a deposit.")


def test_a_note_that_was_left_with_its_page_is_kept_by_the_next(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    office.call()
    page.locator("[data-of=write] textarea").click()
    page.keyboard.type("Left the key.")
    page.route("**/pop/note", lambda route: route.fetch(), times=1)       # kept, but its answer comes too late
    page.locator("h1").click()
    eventually(lambda: page.wait_for_timeout(10) or office.db.execute("SELECT text FROM note").fetchone())
    assert "Left the key." in page.evaluate("localStorage['deskbell.drafts']")
    page.reload()
    eventually(lambda: page.evaluate("localStorage['deskbell.drafts']") == "{}")
    expect(page.locator("[data-of=write] textarea")).to_have_value("Left the key.")


def test_a_second_call_takes_neither_the_focus_nor_the_words_of_who_types(
    office: Office, amy: Browser, desk: Desk
) -> None:
    page = ready(office, amy, desk)
    office.ended(office.call(name="Ada"), "missed")
    box = page.locator("[data-of=write] textarea").last
    box.click()
    page.keyboard.type("half a ")
    office.call("+4917655555551", name="Second")
    expect(page.locator(".pop")).to_have_count(2)
    page.keyboard.type("sentence")
    expect(page.locator(".pop", has_text="Ada").locator("[data-of=write] textarea")).to_have_value("half a sentence")
    expect(page.locator(".pop", has_text="Ada")).not_to_have_class(re.compile("thin"))


def test_what_a_call_was_about_is_one_chip_for_all_desks(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    with store.write(office.db) as db:
        settings.put(db, "dispositions", "Repair, Price, Wrong number")
    hers, his = ready(office, amy, desk), ready(office, ben, desk)
    call_id = office.call()
    chip = hers.get_by_role("button", name="Repair")
    chip.click()
    expect(his.get_by_role("button", name="Repair")).to_have_attribute("aria-pressed", "true")
    kept = "SELECT disposition FROM call WHERE id = ?"
    assert office.db.execute(kept, (call_id,)).fetchone()[0] == "Repair"
    chip.click()
    expect(his.get_by_role("button", name="Repair")).to_have_attribute("aria-pressed", "false")
    assert office.db.execute(kept, (call_id,)).fetchone()[0] is None


def test_a_text_goes_back_from_the_pop_as_a_person_wrote_it(office: Office, amy: Browser, desk: Desk) -> None:
    with store.write(office.db) as db:
        db.execute("INSERT INTO template (name, text, is_canned) VALUES ('Ready', 'Your bike is ready. {shop}', 1)")
    page = ready(office, amy, desk)
    office.ended(office.call(name="Margaret Osei"), "missed")
    page.locator(".pop .acts [data-do=compose]").click()
    page.get_by_label("Kept answers").select_option(label="Ready")
    expect(page.locator("[name=text]")).to_have_value("Your bike is ready. Our shop")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-of=text-said]")).to_have_text("The text is on its way.")
    sent = office.db.execute("SELECT number, text, is_automatic FROM sms").fetchone()
    assert sent[:] == ("+4915123456789", "Your bike is ready. Our shop", 0)


def test_calls_that_go_out_rise_where_they_were_dialled_and_everywhere_when_wanted(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    hers, his = ready(office, amy, desk), ready(office, ben, desk)
    first = office.call(direction="out", name="Margaret Osei")
    expect(hers.locator(".pop")).to_contain_text("Calling on Line 1")
    office.ended(first, "missed")
    expect(his.locator("#ledger")).to_contain_text("Margaret Osei")
    expect(his.locator(".pop")).to_have_count(0)
    with store.write(office.db) as db:
        settings.put(db, "pop_outgoing", True)
    his.reload()
    office.call(direction="out", name="Gone Out")
    expect(his.locator(".pop")).to_contain_text("Gone Out")


def test_the_keys_of_the_telephone_ask_for_what_they_say(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    hers, his = ready(office, amy, desk), ready(office, ben, desk)
    call_id = office.call(contact="Margaret Osei")
    office.answered(call_id, "101")
    hers.locator("[data-ask=hold]").click()
    eventually(lambda: orders(office) == [("hold", "101", None)])
    done(office, call_id)
    expect(his.locator(".pop")).to_contain_text("On hold at Counter")
    hers.locator("[data-ask=resume]").click()
    eventually(lambda: orders(office)[-1] == ("resume", "101", None))
    done(office, call_id)
    hers.locator("[data-to=consult]").click()
    hers.keyboard.type("102")
    hers.keyboard.press("Enter")
    eventually(lambda: orders(office)[-1] == ("consult", "101", "102"))
    done(office, call_id)
    expect(hers.locator("[data-ask=complete]")).to_be_visible()
    expect(hers.locator("[data-ask=hold]")).to_be_hidden()
    hers.locator("[data-ask=cancel]").click()
    eventually(lambda: orders(office)[-1][0] == "cancel")
    done(office, call_id, "Your telephone is not in this call.")
    expect(hers.locator("[data-of=phone-said]")).to_have_text("Your telephone is not in this call.")
    hers.locator("[data-ask=cancel]").click()
    done_after(office, call_id, "cancel", 5)
    hers.locator("[data-ask=park]").click()
    done_after(office, call_id, "park", 6)
    his.locator("[data-ask=retrieve]").click()
    eventually(lambda: orders(office)[-1] == ("retrieve", "102", None))


def done_after(office: Office, call_id: int, kind: str, count: int) -> None:
    eventually(lambda: len(orders(office)) == count and orders(office)[-1][0] == kind)
    done(office, call_id)


def test_a_refused_order_says_why_where_it_was_asked(office: Office, amy: Browser, ben: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    call_id = office.call()
    office.answered(call_id, "101")
    page.locator("[data-to=transfer]").click()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(page.locator("[data-of=phone-said]")).to_contain_text("is no telephone number here")
    assert orders(office) == []


def test_a_number_on_a_page_calls_by_the_own_telephone(office: Office, amy: Browser, ben: Browser, desk: Desk) -> None:
    call_id = office.missed(contact="Margaret Osei")
    page = ready(office, amy, desk, f"/call/{call_id}")
    page.get_by_role("button", name="Call 01512 3456789").click()
    expect(page.locator(".toast")).to_contain_text("Your telephone rings. Lift it, and the box dials 01512 3456789.")
    assert orders(office) == [("dial", "101", "+4915123456789")]
    with store.write(office.db) as db:
        db.execute("UPDATE phone_order SET state = 'refused', reason = 'It came too late and was not done. Ask again.'")
    expect(page.locator(".toast")).to_contain_text("It came too late and was not done. Ask again.")


def test_a_reminder_rises_for_whom_it_is_meant_and_leaves_everywhere_when_done(
    office: Office, amy: Browser, ben: Browser, desk: Desk
) -> None:
    hers, again, his = ready(office, amy, desk), ready(office, amy, desk), ready(office, ben, desk)
    now = store.iso(datetime.now(UTC))
    with store.write(office.db) as db:
        row = db.execute(
            "INSERT INTO callback (number, about, due_at, for_user, by_user, created_at, updated_at) "
            "VALUES ('+4915123456789', 'the quote', ?, 'Amy', 'Ben', ?, ?) RETURNING id", (now, now, now)).fetchone()
        db.execute("INSERT INTO event (at, kind, callback_id) VALUES (?, 'reminder', ?)", (now, row["id"]))
    for page in (hers, again):
        expect(page.locator(".pop.reminder")).to_contain_text("the quote")
    expect(hers.locator("#pop-alert")).to_have_text("You promised 01512 3456789 a call.")
    expect(his.locator(".pop")).to_have_count(0)
    hers.locator("[data-remind=done]").click()
    for page in (hers, again):
        expect(page.locator(".pop")).to_have_count(0)
    assert office.db.execute("SELECT state FROM callback").fetchone()[0] == "done"


def test_what_is_open_with_the_caller_is_said_and_shown(office: Office, amy: Browser, desk: Desk) -> None:
    page = ready(office, amy, desk)
    office.missed(contact="Margaret Osei")
    office.missed(contact="Margaret Osei")
    with store.write(office.db) as db:
        db.execute("UPDATE contact SET is_vip = 1, company = '<b>Osei</b> & Sons', is_blocked = 0")
        who = db.execute("SELECT id FROM contact").fetchone()[0]
        db.execute("INSERT INTO contact_tag VALUES (?, '<i>Club</i>')", (who,))
        db.execute("INSERT INTO note (contact_id, text, by_user, created_at, updated_at) "
                   "VALUES (?, '<img src=x onerror=alert(1)>', 'Ben', '2026-11-13', '2026-11-13')", (who,))
    page.get_by_role("button", name="Close this pop").first.click()
    page.locator("[data-do=close-pop]").first.click()
    office.call(contact="Margaret Osei")
    pop = page.locator(".pop").first
    expect(page.locator("#pop-alert")).to_have_text("Margaret Osei is ringing on Line 1. You owe them a call.")
    for text in ("VIP", "<i>Club</i>", "<b>Osei</b> & Sons", "Still owed a call: rang 2 times in vain",
                 "<img src=x onerror=alert(1)>", "Last note, Ben"):
        expect(pop).to_contain_text(text)
    assert pop.locator("img, b, i, script").count() == 0
