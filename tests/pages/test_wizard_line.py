"""The line of the first steps: a gateway is asked and found, becomes the line, gets another address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import config
from appliance.store import db as store
from appliance.update import errands
from tests.desk import Browser, Office, box_at, eventually
from tests.gateway import answering
from tests.pages.test_wizard import goes_to, plain


@pytest.fixture
def gateway() -> Iterator[str]:
    with answering(b"SIP/2.0 200 OK\r\nServer: HT813 <b>1.0</b>\r\n\r\n") as (port, _heard):
        yield f"127.0.0.1:{port}"


def test_a_gateway_that_answers_is_found_and_a_silent_one_is_told_from_it(tmp_path: Path, gateway: str) -> None:
    trunks = (config.Trunk("line1", "Line 1", gateway), config.Trunk("line2", "Line 2", "nobody.invalid"))
    with closing(Office(box_at(tmp_path, trunks=trunks))) as office:
        owner = office.browser()
        eventually(lambda: "Line 1: the gateway answers" in (said := plain(owner.get("/wizard/line").text))
                   and "Line 2: nobody knows that name" in said)
        assert "HT813 &lt;b&gt;1.0" in owner.get("/wizard/line").text


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Office]:
    """A box that was set up from an image, with a steward, without a line."""
    office = Office(box_at(tmp_path, trunks=()))
    office.box.run.mkdir()
    (office.box.run / "boot").write_text("this-boot\n")
    errands.knocker(office.box).parent.mkdir()
    yield office
    office.close()


def ordered(office: Office) -> list[dict[str, str]]:
    return [json.loads(row["wanted"]) for row in office.db.execute("SELECT wanted FROM errand WHERE kind = 'line'")]


def test_a_gateway_is_made_a_line_from_the_page(machine: Office) -> None:
    owner = machine.browser()
    assert "No line is set up yet" in owner.get("/wizard/line").text
    assert goes_to(owner.post("/wizard/line/set", {"gateway": "192.168.1.20:5062"})) == "/wizard/line"
    assert ordered(machine) == [{"key": "", "gateway": "192.168.1.20:5062"}]
    assert "The line is being set up." in plain(owner.get("/wizard/line").text)
    again = owner.post("/wizard/line/set", {"gateway": "192.168.1.21"})
    assert again.status == 409 and "at it already" in again.text and 'value="192.168.1.21"' in again.text
    with store.write(machine.db) as db:
        db.execute("UPDATE errand SET state = 'refused', said = ?, wanted = '{}', ended_at = ?",
                   ("That gateway is a line of this box already. Nothing was changed.",
                    store.iso(datetime.now(UTC))))
    assert "That gateway is a line of this box already." in plain(owner.get("/wizard/line").text)


@pytest.mark.parametrize(("gateway", "told"), [("", "Give the gateway’s address"), ("my gateway", "is no address"),
                                               ("192.168.1.20:99999", "is no address")])
def test_what_is_no_address_is_said_beside_it_and_not_ordered(machine: Office, gateway: str, told: str) -> None:
    page = machine.browser().post("/wizard/line/set", {"gateway": gateway})
    assert page.status == 400 and told in page.text and 'role="alert"' in page.text
    assert ordered(machine) == []


def test_a_line_that_is_there_gets_another_gateway(office: Office, amy: Browser) -> None:
    page = amy.get("/wizard/line").text
    assert '<option value="line1"' in page and "Left empty, the chosen line is taken away." in page
    refused = amy.post("/wizard/line/set", {"key": "line1", "gateway": "192.168.1.21"})
    assert refused.status == 409 and "was not set up from an image" in refused.text
    assert '<a href="/wizard/line">' in amy.get("/settings/lines").text
