"""The page of the box: how it stands, and what only root may do, as errands; a machine without a steward says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.box import licences
from appliance.store import db as store
from appliance.update import errands
from tests.desk import Browser, Office, box_at
from tests.pages.people import somebody, token_of


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Office]:
    """A box that was set up from an image, with a steward."""
    etc = tmp_path / "etc/deskbell"
    office = Office(box_at(tmp_path, secrets=etc / "secret"))
    office.box.run.mkdir()
    (office.box.run / "boot").write_text("this-boot\n")
    errands.knocker(office.box).parent.mkdir()
    etc.mkdir(parents=True)
    (etc / "identity.json").write_text('{"id": "4f2a", "name": "deskbell-4f2a", "origin": "mac"}')
    yield office
    office.close()


@pytest.fixture
def owner(machine: Office) -> Browser:
    return machine.browser()


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def asked(office: Office) -> list[tuple[str, dict[str, object]]]:
    return [(row["kind"], json.loads(row["wanted"])) for row in office.db.execute(
        "SELECT kind, wanted FROM errand ORDER BY id")]


def test_the_box_is_seen_at_a_glance(machine: Office, owner: Browser) -> None:
    page = plain(owner.get("/box").text)
    assert "deskbell-4f2a" in page and f"Version {licences.version()}" in page
    assert re.search(r"[\d.]+ GB of [\d.]+ GB free", page) or "MB" in page
    for said in ("Address", "Clock", "On since", "Network", "Start anew", "Switch the box off", "Back to how it came"):
        assert said in page


def test_a_machine_without_a_steward_says_so_and_hides_what_cannot_work(office: Office, amy: Browser) -> None:
    page = amy.get("/box").text
    assert "was not set up from an image" in page
    for path in ("/box/network", "/box/restart", "/box/off", "/box/reset"):
        assert path not in page
    refused = amy.post("/box/restart")
    assert refused.status == 409 and "was not set up from an image" in refused.text
    assert asked(office) == []


def test_restart_and_power_off_are_errands_that_knock(machine: Office, owner: Browser) -> None:
    assert owner.post("/box/restart").status == 303
    assert asked(machine) == [("reboot", {})] and errands.knocker(machine.box).exists()
    assert "Starting anew: waits" in plain(owner.get("/box").text)
    twice = owner.post("/box/restart")
    assert twice.status == 409 and "at it already" in twice.text
    assert owner.post("/box/off").status == 303
    assert [kind for kind, _ in asked(machine)] == ["reboot", "power-off"]


def test_what_became_of_an_errand_is_told_and_then_forgotten(machine: Office, owner: Browser) -> None:
    owner.post("/box/restart")
    with store.write(machine.db) as db:
        db.execute("UPDATE errand SET state = 'refused', said = ?, wanted = '{}', ended_at = ?",
                   (errands.OTHER_BOOT, store.iso(datetime.now(UTC))))
    assert "Starting anew: not done The box was started anew" in plain(owner.get("/box").text)
    with store.write(machine.db) as db:
        db.execute("UPDATE errand SET ended_at = '2026-01-01T00:00:00.000Z'")
    assert "Starting anew" not in plain(owner.get("/box").text)


def test_a_fixed_address_and_wifi_go_to_the_steward_and_the_password_is_not_shown_again(
    machine: Office, owner: Browser
) -> None:
    given = {"kind": "fixed", "address": "192.168.1.50/24", "gateway": "192.168.1.1", "dns": "192.168.1.1, 9.9.9.9",
             "has_wifi": "1", "wifi_name": "Shop", "wifi_password": "four words"}
    assert owner.post("/box/network", given).status == 303
    (kind, wanted), = asked(machine)
    assert kind == "network" and wanted == {
        "kind": "fixed", "address": "192.168.1.50/24", "gateway": "192.168.1.1", "dns": ["192.168.1.1", "9.9.9.9"],
        "wifi": {"name": "Shop", "country": "DE", "password": "four words"}}
    assert "four words" not in owner.get("/box").text and "four words" not in owner.get("/changes").text


@pytest.mark.parametrize(("given", "said"), [
    ({"kind": "fixed", "address": "192.168.1.50"}, "lacks its mask"),
    ({"kind": "fixed", "address": "192.168.1.50/24", "gateway": "10.0.0.1"}, "is not in the network"),
    ({"kind": "moon"}, "A network is"),
    ({"kind": "dhcp", "has_wifi": "1", "wifi_name": ""}, "1 to 32 letters"),
    ({"kind": "dhcp", "has_wifi": "1", "wifi_name": "Shop", "wifi_password": "x5y7z"}, "8 to 63 characters"),
])
def test_a_network_that_cannot_work_is_refused_before_anybody_is_shut_out(
    machine: Office, owner: Browser, given: dict[str, str], said: str
) -> None:
    page = owner.post("/box/network", given)
    assert page.status == 400 and said in page.text.replace("&#39;", "'")
    assert asked(machine) == [] and given.get("address", "") in page.text and "x5y7z" not in page.text


def test_a_reset_wants_the_name_of_the_box_and_starts_it_anew(machine: Office, owner: Browser) -> None:
    page = owner.post("/box/reset", {"keep": "nothing", "name": "yes"})
    assert page.status == 400 and "Type the name of this box, deskbell-4f2a" in page.text and asked(machine) == []
    assert owner.post("/box/reset", {"keep": "half", "name": "deskbell-4f2a"}).status == 400
    assert owner.post("/box/reset", {"keep": "data", "name": " Deskbell-4F2A "}).status == 303
    assert asked(machine) == [("reset", {"keep": "data"})], "and a restart that waits already stands in no way"


def test_an_installer_changes_the_network_and_resets_nothing(machine: Office, owner: Browser) -> None:
    ivan = somebody(machine, "Ivan", "installer")
    page = ivan.get("/box").text
    assert "Change the network" in page and "Reset the box" not in page and "proven" not in page
    assert ivan.post("/box/network", {"kind": "dhcp"}, token_of(ivan)).status == 303
    assert ivan.post("/box/reset", {"keep": "nothing", "name": "deskbell-4f2a"}, token_of(ivan)).status == 403
    assert somebody(machine, "Ben", "staff").get("/box").status == 403


def test_the_code_of_the_sticker_comes_along_in_the_address_of_its_picture(office: Office) -> None:
    page = office.browser(logged_in=False).get('/setup?code=ABCD-"EFGH').text
    assert 'value="ABCD-&#34;EFGH"' in page
