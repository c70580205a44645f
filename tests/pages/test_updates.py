"""The page Update: what runs, what waits, what is installed now or tonight, and what became of it."""

from __future__ import annotations

import secrets
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.box import boot_notes, licences
from appliance.box.places import Places
from appliance.update import bundles, errands
from appliance.update.bundle import Bundle
from tests.desk import Answer, Browser, Office, box_at

REPO = Path(__file__).resolve().parents[2]
NEWER = Bundle("9.1.0", 1, "Calls are found faster.", 250_000_000, "deskbell-arm64", 4096, 4096, b"", b"")


@pytest.fixture
def image(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A box that was set up from an image, with a steward."""
    rauc = tmp_path / "rauc"
    subprocess.run([REPO / "image/keys/make", rauc], check=True)
    (rauc / "ca.pem").rename(rauc / "keyring.pem")
    (rauc / "system.conf").write_text("[system]\ncompatible=deskbell-arm64\n")
    monkeypatch.setenv("DESKBELL_RAUC", str(rauc))
    office.box.run.mkdir(exist_ok=True)
    (office.box.run / "boot").write_text("this-boot\n")
    errands.knocker(office.box).parent.mkdir()
    bundles.folder(office.box).mkdir()
    return office


def brought(office: Office, by: str = "Amy") -> int:
    """A bundle that was looked at and waits."""
    (bundles.folder(office.box) / "one.raucb").write_bytes(b"hsqs")
    return bundles.add(office.db, office.box, by, "upload", "one.raucb", NEWER, datetime.now(UTC))


def send_file(browser: Browser, content: bytes) -> Answer:
    mark = "----" + secrets.token_hex(8)
    body = (f'--{mark}\r\nContent-Disposition: form-data; name="token"\r\n\r\n{browser.token()}\r\n--{mark}\r\n'
            'Content-Disposition: form-data; name="file"; filename="x.raucb"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n").encode() + content + f"\r\n--{mark}--\r\n".encode()
    return browser.ask("POST", "/update/upload", body, {
        "Accept": "text/html", "Origin": f"http://{browser.host}:{browser.port}", "Sec-Fetch-Site": "same-origin",
        "Content-Type": f"multipart/form-data; boundary={mark}"})


def test_the_page_says_which_of_the_two_systems_runs(tmp_path: Path) -> None:
    """As the start left it: the pages may not read the kernel's command line."""
    with closing(Office(box_at(tmp_path, secrets=tmp_path / "etc/deskbell/secret"))) as office:
        owner = office.browser()
        assert "of two on the card" not in owner.get("/update").text
        boot_notes.tell(Places(tmp_path), "slot", {"slot": "B"})
        assert "Place B of two on the card" in owner.get("/update").text


def test_a_box_that_is_no_image_says_how_it_is_brought_up_to_date(
    office: Office, amy: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESKBELL_RAUC", str(tmp_path / "none"))
    page = amy.get("/update").text
    assert f"Version {licences.version()} runs" in page and "INSTALL.md says how" in page
    assert "Send and check" not in page and "for tests" not in page


def test_an_image_that_trusts_test_keys_says_so(image: Office, amy: Browser) -> None:
    assert "it trusts keys that anybody may have" in amy.get("/update").text


def test_a_strange_file_is_refused_in_a_sentence_and_nothing_stays(image: Office, amy: Browser) -> None:
    answer = send_file(amy, b"MZ this is no bundle" * 1000)
    assert answer.status == 400 and "This file is no update for a Deskbell" in answer.text
    assert bundles.waiting(image.db) is None
    assert not list(image.box.state.rglob("*.raucb")) and not list(image.box.state.rglob("*.upload"))


def test_install_now_asks_the_steward_and_the_page_shows_how_far_it_is(image: Office, amy: Browser) -> None:
    row_id = brought(image)
    page = amy.get("/update").text
    assert "Version 9.1.0 is ready" in page and "Calls are found faster." in page and "250" in page
    amy.post("/update/install", {"id": str(row_id), "when": "now"})
    asked = errands.latest(image.db, "update")
    assert asked and (asked.by, asked.wanted, asked.state) == ("Amy", {"bundle": row_id}, "waiting")
    assert errands.knocker(image.box).exists()
    image.db.execute("UPDATE errand SET state = 'running', progress = 44, said = 'The new version is written. "
                     "Telephones ring as always.'")
    page = amy.get("/update").text
    assert 'id="at-work"' in page and 'value="44"' in page and "The new version is written." in page
    assert "Install now" not in page


def test_tonight_is_kept_and_taken_back(image: Office, amy: Browser) -> None:
    row_id = brought(image)
    amy.post("/update/install", {"id": str(row_id), "when": "night"})
    assert "It is installed tonight after 03:30" in amy.get("/update").text
    assert errands.latest(image.db) is None
    amy.post("/update/install", {"id": str(row_id), "when": "wait"})
    row = bundles.waiting(image.db)
    assert row and row.state == "ready"


def test_what_is_removed_leaves_no_file(image: Office, amy: Browser) -> None:
    brought(image)
    amy.post("/update/drop")
    assert bundles.waiting(image.db) is None and not list(bundles.folder(image.box).iterdir())


def test_a_new_one_takes_the_place_of_the_one_that_waited(image: Office, amy: Browser) -> None:
    first = brought(image)
    second = bundles.add(image.db, image.box, "Amy", "stick", "/media/x/two.raucb", NEWER, datetime.now(UTC))
    row = bundles.waiting(image.db)
    assert row and row.id == second != first and not (bundles.folder(image.box) / "one.raucb").exists()
    assert amy.post("/update/install", {"id": str(first), "when": "now"}).status == 404


def test_that_the_box_went_back_by_itself_is_told(image: Office, amy: Browser) -> None:
    row_id = brought(image)
    bundles.put(image.db, row_id, "went_back", bundles.WENT_BACK, datetime.now(UTC), "0.5.0")
    page = amy.get("/update").text
    assert page.count("The new version did not come up, and the box went back by itself.") == 2
    assert "Went back" in page and "9.1.0" in page


def test_what_the_steward_refused_is_told(image: Office, amy: Browser) -> None:
    row_id = brought(image)
    amy.post("/update/install", {"id": str(row_id), "when": "now"})
    image.db.execute("UPDATE errand SET state = 'refused', said = 'Somebody was on the telephone for an hour, so "
                     "nothing was done. Ask again later.'")
    assert "Somebody was on the telephone for an hour" in amy.get("/update").text


def test_a_bundle_nobody_has_is_not_installed(image: Office, amy: Browser) -> None:
    assert amy.post("/update/install", {"id": "77", "when": "now"}).status == 404
    row_id = brought(image)
    assert amy.post("/update/install", {"id": str(row_id), "when": "at once"}).status == 404
    assert "no longer there" in amy.post("/update/stick", {"path": "/etc/shadow"}).text
