"""A real browser (Debian's Chromium) on the pages of a real office."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.desk import Browser, Office, box_at

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(box_at(tmp_path))
    yield office
    office.close()


@pytest.fixture
def amy(office: Office) -> Browser:
    return office.browser()


Desk = Callable[..., BrowserContext]


@pytest.fixture
def desk(office: Office, chromium: Chromium) -> Iterator[Desk]:
    """A browser of its own, logged in with the cookies of `who`; whatever it complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_desk(who: Browser | None = None, width: int = 1280, height: int = 900, **given: object) -> BrowserContext:
        context = chromium.new_context(viewport={"width": width, "height": height}, **given)  # type: ignore[arg-type]
        if who:
            context.add_cookies(
                [{"name": name, "value": value, "url": office.url} for name, value in who.cookies.items()]
            )
        context.on("page", lambda page: watch(page, office, complaints))
        contexts.append(context)
        return context

    yield open_desk
    for context in contexts:
        context.close()
    assert complaints == []


def watch(page: Page, office: Office, complaints: list[str]) -> None:
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on(
        "console",
        lambda said: complaints.append(f"console: {said.text}") if said.type in ("error", "warning") else None,
    )
    page.on(
        "request",
        lambda request: (
            complaints.append(f"asked elsewhere: {request.url}")
            if urlsplit(request.url).netloc != urlsplit(office.url).netloc and not request.url.startswith("data:")
            else None
        ),
    )
