"""axe-core on every page, in light and in dark: nothing serious, nothing critical."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page

from tests.deep.wholeshop import PUBLIC, Whole, whole
from tests.desk import Office, box_at

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
    """A context that lets axe in past our Content-Security-Policy."""
    context = chromium.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
    context.add_init_script(path=AXE)
    return context


def grave(page: Page, address: str) -> list[str]:
    """What axe calls serious or critical on this page; in dark only the colours can differ."""
    answer = page.goto(address)
    if answer is None or answer.status != 200:
        return [f"{address} is not there: {answer and answer.status}"]
    page.emulate_media(color_scheme="light")
    found = [f"{address} {it}" for it in page.evaluate(GRAVE, None)]
    page.emulate_media(color_scheme="dark")
    return found + [f"{address} in dark: {it}" for it in page.evaluate(GRAVE, ["color-contrast"])]


def test_no_page_keeps_anybody_out(shop: Whole, chromium: Chromium) -> None:
    context = looked_over(chromium)
    context.add_cookies([{"name": name, "value": value, "url": shop.office.url}
                         for name, value in shop.owner.cookies.items()])
    page = context.new_page()
    found = [it for path in shop.pages for it in grave(page, shop.office.url + path)]
    context.close()
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
    context.add_cookies([{"name": name, "value": value, "url": shop.office.url}
                         for name, value in shop.owner.cookies.items()])
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    found = [it for path in ("/", "/history", f"/call/{shop.talk}", "/customers", "/texts", "/backups", "/more")
             for it in grave(page, shop.office.url + path)]
    context.close()
    assert found == []
