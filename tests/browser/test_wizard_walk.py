"""The first steps as an owner walks them: by keyboard, with a modem's port and a call that rings meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from appliance import config, settings
from appliance.backup import rows
from appliance.people import users
from appliance.store import db as store
from hw.gsm_sim import GsmSim
from hw.gsm_sim_at import Modem
from tests.browser.conftest import Desk
from tests.desk import PASSWORD, Office, box_at, eventually
from web import wizard_steps


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[GsmSim]:
    with GsmSim(tmp_path / "port", tmp_path / "air.jsonl", modem=Modem(pin="2468")) as sim:
        yield sim


@pytest.fixture
def office(tmp_path: Path, sim: GsmSim) -> Iterator[Office]:
    """A new box with a SIM that asks for its PIN, and the radio's daemon as it ships."""
    box = box_at(tmp_path, modems=(config.Modem("SIM", str(sim.link)),), secrets=tmp_path / "secret")
    box.run.mkdir()
    (tmp_path / "box.toml").write_text(
        "".join(f'{name} = "{path}"\n' for name, path in (
            ("state", box.state), ("spool", box.spool), ("run", box.run), ("secrets", box.secrets)))
        + f'[[modem]]\nname = "SIM"\nport = "{sim.link}"\n')
    office = Office(box)
    with (tmp_path / "modem.log").open("w") as log:
        radio = subprocess.Popen([sys.executable, "-m", "appliance.cli", "run", "modem"], stderr=log,
                                 env={**os.environ, "DESKBELL_CONFIG": str(tmp_path / "box.toml")})
    yield office
    radio.terminate()
    radio.wait(30)
    office.close()


def press_next(page: Page, name: str) -> None:
    """The green button, by keyboard."""
    page.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")


def test_an_owner_sets_up_a_new_box_on_the_page_alone(office: Office, desk: Desk, sim: GsmSim) -> None:
    page = desk(width=390, height=844, locale="de-AT", timezone_id="Europe/Vienna").new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{office.url}/setup?code={users.first_run_code(office.box)}")
    page.locator("#name").fill("Amy")
    page.locator("#password").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("/wizard/language$"))
    press_next(page, "English")

    expect(page.locator("#f-country")).to_have_value("AT")
    expect(page.locator("#f-time_zone")).to_have_value("Europe/Vienna")
    page.locator("#f-country").select_option("CH")
    expect(page.locator("#f-time_zone")).to_have_value("Europe/Zurich")
    page.locator("#f-country").select_option("DE")
    page.locator("#f-shop_name").fill("Ford Street Bicycles")
    press_next(page, "Next: Opening hours")

    page.locator('[name="from_5_0"]').fill("10:00")
    page.locator('[name="to_5_0"]').fill("13:00")
    press_next(page, "Next: Your line")

    expect(page.locator("#heard")).to_contain_text("Nothing has rung yet")
    call = office.call("+4915123456789")
    expect(page.locator("#heard")).to_contain_text("It rang on Line 1")
    expect(page.locator("#heard")).to_contain_text("01512")
    office.ended(call, "missed")
    expect(page.locator("#heard")).to_contain_text("The line is ready.")
    press_next(page, "Next: SIM and texts")

    expect(page.locator("#sim-1")).to_contain_text("3 tries are left.")
    page.locator("#pin-1").fill("2468")
    page.keyboard.press("Enter")
    expect(page.locator("#sim-1")).to_contain_text("In the network of Demo Mobile")
    page.locator("#number").fill("0151 23456789")
    page.keyboard.press("Enter")
    expect(page.locator("#trial")).to_contain_text("Texts work.")
    assert len(sim.air) == 1
    press_next(page, "Next: First backup")

    press_next(page, "Make the first backup")
    expect(page.locator("#making")).to_contain_text("Waits")
    with store.write(office.db) as db:          # the clock makes it; its own tests show how
        db.execute("UPDATE backup SET state = 'proven', taken_at = asked_at, size_bytes = 900000")
    expect(page.locator("#making")).to_contain_text("Proven")
    press_next(page, "Next: what is left")

    expect(page.get_by_role("heading", level=1)).to_have_text("Your box is ready")
    press_next(page, "Finish")
    expect(page.get_by_role("heading", name="Still owed a call")).to_be_visible()

    kept = settings.read(office.db)
    assert (kept.shop_name, kept.time_zone, kept.country) == ("Ford Street Bicycles", "", ""), "as box.toml says"
    assert kept.opening_hours == "Mon-Fri 09:00-18:00, Sat 10:00-13:00"
    assert [it.state for it in rows.backups(office.db)] == ["proven"]
    eventually(lambda: (now := wizard_steps.read(office.db)) is not None and now.is_over)
