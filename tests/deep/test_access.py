"""axe-core on every page, in light and in dark: nothing serious, nothing critical."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_pop import phone_of
from tests.deep.wholeshop import PUBLIC, Whole, whole
from tests.desk import Browser, Office, box_at, eventually
from tests.pages.people import somebody

pytestmark = pytest.mark.xdist_group("access")          # one shop for all of them

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
GRAVE = """async only => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...(only ? {runOnly: only} : {})});
  return found.violations.filter(it => ["serious", "critical"].includes(it.impact)).map(it =>
    `${it.id}: ${it.nodes.slice(0, 4).map(node =>
      `${node.html.slice(0, 160)} [${node.any.map(one => one.message).join(" ").slice(0, 160)}]`).join(" | ")}`);
}"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    made = whole(tmp_path_factory.mktemp("whole"))
    yield made
    made.night.worker.close()
    made.office.close()


def looked_over(chromium: Chromium) -> BrowserContext:
    """A context that lets axe in past our Content-Security-Policy; a pop half risen is half as dark."""
    context = chromium.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.add_init_script(path=AXE)
    return context


def of(context: BrowserContext, office: Office, who: Browser) -> Page:
    context.add_cookies([{"name": name, "value": value, "url": office.url} for name, value in who.cookies.items()])
    return context.new_page()


def shown(page: Page, what: str) -> list[str]:
    """What axe calls serious or critical on what is shown now; in dark only the colours can differ."""
    page.emulate_media(color_scheme="light")
    found = [f"{what} {it}" for it in page.evaluate(GRAVE, None)]
    page.emulate_media(color_scheme="dark")
    return found + [f"{what} in dark: {it}" for it in page.evaluate(GRAVE, ["color-contrast"])]


def grave(page: Page, address: str, status: int = 200) -> list[str]:
    answer = page.goto(address)
    if answer is None or answer.status != status:
        return [f"{address} is not there: {answer and answer.status}"]
    return shown(page, address)


def test_no_page_keeps_anybody_out(shop: Whole, chromium: Chromium) -> None:
    context = looked_over(chromium)
    page = of(context, shop.office, shop.owner)
    found = [it for path in shop.pages for it in grave(page, shop.office.url + path)]
    context.close()
    assert found == []


@pytest.mark.parametrize("role, name", [("staff", "Bea"), ("installer", "Ivo")])
def test_no_page_keeps_who_is_no_owner_out(shop: Whole, chromium: Chromium, role: str, name: str) -> None:
    who = somebody(shop.office, name, role)
    context = looked_over(chromium)
    page = of(context, shop.office, who)
    theirs = [path for path in shop.pages if who.get(path).status == 200]
    assert len(theirs) > 10
    found = [it for path in theirs for it in grave(page, shop.office.url + path)]
    found += grave(page, shop.office.url + "/users/2", status=403)
    context.close()
    assert found == []


def test_no_state_of_the_pop_keeps_anybody_out(chromium: Chromium, tmp_path: Path) -> None:
    office = Office(box_at(tmp_path))
    try:
        context = looked_over(chromium)
        page = of(context, office, office.browser())
        phone_of(office, "Amy", "101")
        page.goto(office.url + "/")
        eventually(lambda: office.server.hub.desks == 1)
        call_id = office.call(contact="Margaret Osei")
        expect(page.locator(".pop.ringing")).to_be_visible()
        found = shown(page, "ringing")
        office.answered(call_id, "101")
        expect(page.locator("[data-ask=hold]")).to_be_visible()
        found += shown(page, "talking")
        other = office.call("+4930555001", at=datetime.now(UTC))
        expect(page.locator(".pop")).to_have_count(2)
        found += shown(page, "talking while another rings")
        office.answered(other, "102")
        office.ended(call_id, "answered", talk_ms=30_000)
        expect(page.locator(".pop textarea").first).to_be_visible()
        found += shown(page, "the note after it")
        context.close()
    finally:
        office.close()
    assert found == []


def test_no_page_before_log_in_keeps_anybody_out(shop: Whole, chromium: Chromium, tmp_path: Path) -> None:
    new = Office(box_at(tmp_path))
    try:
        context = looked_over(chromium)
        page = context.new_page()
        found = grave(page, new.url + "/setup")
        found += [it for path in PUBLIC for it in grave(page, shop.office.url + path)]
        context.close()
    finally:
        new.close()
    assert found == []


def test_the_phone_keeps_nobody_out(shop: Whole, chromium: Chromium) -> None:
    context = looked_over(chromium)
    page = of(context, shop.office, shop.owner)
    page.set_viewport_size({"width": 390, "height": 844})
    found = [it for path in ("/", "/history", f"/call/{shop.talk}", "/customers", "/texts", "/backups", "/more")
             for it in grave(page, shop.office.url + path)]
    context.close()
    assert found == []
