"""An update by the page: the next version is tried and stays; a broken one goes by itself; a stranger's is refused."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image import bundles
from tests.image.card import Card
from tests.image.lan import Lan, wait_until
from tests.image.machine import BOOT_LIMIT_S, Machine
from tests.image.owner import Owner
from tests.image.test_first_boot import PASSWORD, TOML, reaches, visited

UPDATE_LIMIT_S = 2400.0
NEXT, BROKEN = "0.90.0", "0.91.0"


@pytest.fixture(scope="module")
def box(image: Path, lan: Lan, folder: Path) -> Iterator[Machine]:
    card = Card(image, folder / "card.img")
    card.write("deskbell.toml", TOML)
    with Machine(card.file, lan, folder, mac="52:54:00:77:00:02") as box:
        yield box


@pytest.fixture(scope="module")
def owner(box: Machine) -> Owner:
    owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, f"the page; the console ends: {box.console()[-600:]}")
    assert owner is not None and owner.log_in("Amy", PASSWORD).status == 303
    wait_until(lambda: box.run("fw_printenv -n BOOT_A_LEFT || true") == "3", BOOT_LIMIT_S, "the first version good")
    return owner


def install(owner: Owner, file: Path) -> None:
    """Uploads a bundle and presses "Install now"."""
    answer = owner.upload("/update/upload", "file", file.name, file.read_bytes(), {})
    assert answer.status == 303, answer.text
    page = owner.get("/update").text
    row = page.split('name="id" value="')[1].split('"')[0]
    assert owner.post("/update/install", {"id": row, "when": "now"}).status == 303


def runs(owner: Owner, version: str) -> bool:
    return reaches(owner) and f"Version {version} runs" in owner.get("/update").text


@pytest.mark.parametrize("wrong", ["flipped", "cut off", "unsigned", "older than its epoch allows"])
def test_a_bundle_that_may_not_be_is_refused_in_a_sentence(wrong: str, owner: Owner, folder: Path) -> None:
    if wrong == "unsigned":
        content = bundles.made(folder / "strange", NEXT, keys=bundles.stranger(folder)).read_bytes()
    else:
        content = bundles.made(folder, NEXT, epoch=0 if wrong.startswith("older") else None).read_bytes()
    if wrong == "flipped":
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]
    elif wrong == "cut off":
        content = content[:len(content) // 2]
    answer = owner.upload("/update/upload", "file", "next.raucb", content, {})
    assert answer.status == 400 and 'role="alert"' in answer.text
    assert "Traceback" not in answer.text


def test_the_next_version_is_tried_and_stays(owner: Owner, box: Machine, folder: Path) -> None:
    owner.post("/settings/shop", {"shop_name": "Blumen Krause", "country": "DE", "time_zone": "Europe/Berlin"})
    install(owner, bundles.made(folder, NEXT))
    wait_until(lambda: runs(owner, NEXT), UPDATE_LIMIT_S, f"{NEXT} up; the console ends: {box.console()[-600:]}")
    wait_until(lambda: "Runs well" in owner.get("/update").text, UPDATE_LIMIT_S, "the new version called good")
    assert "Place B of two" in owner.get("/update").text
    assert "Blumen Krause" in owner.get("/").text, "the settings are gone"


def test_a_version_whose_exchange_does_not_start_goes_by_itself(owner: Owner, box: Machine, folder: Path) -> None:
    install(owner, bundles.made(folder, BROKEN, breaks="usr/sbin/asterisk"))
    wait_until(lambda: reaches(owner) and "Went back" in owner.get("/update").text, UPDATE_LIMIT_S * 2,
               f"back to {NEXT}; the console ends: {box.console()[-600:]}")
    assert runs(owner, NEXT) and "Place B of two" in owner.get("/update").text
    assert "Blumen Krause" in owner.get("/").text
