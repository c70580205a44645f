"""An update by the page: the next version is tried and stays; a broken one goes by itself; a stranger's is refused.

A run that was stopped goes on with its card, as after a power cut.
"""
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import pytest

from tests.image import bundles
from tests.image.card import Card
from tests.image.lan import HOST, SELDOM_S, Lan, wait_until
from tests.image.machine import BOOT_LIMIT_S, Machine
from tests.image.owner import Owner
from tests.image.test_first_boot import FROM_OUTSIDE, PASSWORD, TOML, visited
from tests.sip import Line, Phone, State, answer

UPDATE_LIMIT_S = 2400.0
NEXT = "0.90.0"
BROKEN = {"0.91.0": "usr/bin/python3.14", "0.92.0": "usr/sbin/asterisk"}


ADDRESS = "192.168.77.50"
FIXED = TOML + f"""
[network]
kind = "fixed"
address = "{ADDRESS}/24"
gateway = "{HOST}"
"""
NEW_NAME = "Blumen Krause & Sohn"
CALLER = "+4915123456789"
CALLS, RECORDED_S = 5, 120.0
KEPT = "before.json"


@pytest.fixture(scope="module")
def updates(shelf: Path) -> dict[str, Path]:
    """The files by their version; made before the box starts, which would hardly run beside."""
    return {NEXT: bundles.made(shelf, NEXT)} | {
        version: bundles.made(shelf, version, breaks) for version, breaks in BROKEN.items()}


@pytest.fixture(scope="module")
def box(request: pytest.FixtureRequest, image: Path, lan: Lan, folder: Path,
        updates: dict[str, Path]) -> Iterator[Machine]:
    card = folder / "card.img"
    if not (folder / KEPT).exists():
        Card.flashed(image, card).write("deskbell.toml", FIXED)
    with Machine(card, lan, folder, mac="52:54:00:77:00:02", fixed=ADDRESS) as box:
        yield box
    if not request.session.testsfailed:
        (folder / KEPT).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def owner(box: Machine, folder: Path) -> Owner:
    owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, f"the page; the console ends: {box.console()[-600:]}")
    assert owner is not None and owner.log_in("Amy", PASSWORD).status == 303
    if not (folder / KEPT).exists():
        wait_until(lambda: box.run("fw_printenv -n BOOT_A_LEFT || true") == "3", BOOT_LIMIT_S, "the first version good",
                   SELDOM_S)
    return owner


@dataclass(frozen=True)
class Before:
    """What the shop had before any update: the call that was recorded, its sound, its network."""
    call: int
    sound: str
    network: str


@pytest.fixture(scope="module")
def before(owner: Owner, box: Machine, folder: Path) -> Before:
    """Another name on the page, and a call that was answered and recorded."""
    if (folder / KEPT).exists():
        return Before(**json.loads((folder / KEPT).read_text()))
    owner.change("/settings/shop", shop_name=NEW_NAME)
    owner.change("/settings/recording", record_calls="1")
    secret = box.run("sed -n 's/^password = //p' /etc/deskbell/asterisk/pjsip_box.conf").splitlines()[0]
    with (Line((HOST, 5070), box=(ADDRESS, 5060)) as line,
          Phone("101", secret, (ADDRESS, 5060), HOST).register(limit_s=FROM_OUTSIDE) as phone):
        phone.manner = answer(tone_hz=440)
        recorded = recorded_call(line, owner)
    sound = owner.get(f"/recording/{recorded}").body
    found = Before(recorded, hashlib.sha256(sound).hexdigest(), box.run("cat /etc/deskbell/network.json"))
    box.run("sync")
    (folder / KEPT).write_text(json.dumps(asdict(found)))
    return found


def recorded_call(line: Line, owner: Owner) -> int:
    """The number of a call of three seconds that was recorded.

    Not each is here: a played processor may take longer than the dialplan's patience, and it rings without the bell.
    """
    for call in range(1, CALLS + 1):
        leg = line.call(CALLER, tone_hz=1000).until(State.TALKING, FROM_OUTSIDE)
        wait_until(lambda leg=leg: len(leg.sound.heard) >= 3 * 8000,  # type: ignore[misc]
                   FROM_OUTSIDE, "three seconds of talk")
        leg.hang_up()
        with suppress(AssertionError):
            wait_until(lambda call=call: owner.get(f"/recording/{call}").body.startswith(b"OggS"),  # type: ignore[misc]
                       RECORDED_S, "its recording, pressed", SELDOM_S)
            return call
    raise AssertionError(f"none of {CALLS} calls was recorded")


def still_has(owner: Owner, box: Machine, before: Before) -> None:
    """AssertionError unless settings, recordings and network are as they were."""
    assert escape(NEW_NAME) in owner.get("/").text, "the settings are gone"
    sound = owner.get(f"/recording/{before.call}").body
    assert hashlib.sha256(sound).hexdigest() == before.sound, "the recording is another"
    assert box.run("cat /etc/deskbell/network.json") == before.network
    assert ADDRESS in box.run("ip -4 -o address show")


def install(owner: Owner, file: Path) -> None:
    """Uploads a bundle and presses "Install now"."""
    answer = owner.upload("/update/upload", "file", file.name, file.read_bytes(), {})
    assert answer.status == 303, answer.text
    page = owner.get("/update").text
    row = page.split('name="id" value="')[1].split('"')[0]
    assert owner.post("/update/install", {"id": row, "when": "now"}).status == 303


def runs(owner: Owner, version: str) -> bool:
    return owner.sees("/update", f"Version {version} runs") > 0


@pytest.mark.parametrize("wrong", ["flipped", "cut off", "unsigned", "older than its epoch allows"])
def test_a_bundle_that_may_not_be_is_refused_in_a_sentence(wrong: str, owner: Owner, shelf: Path,
                                                          updates: dict[str, Path]) -> None:
    if wrong == "unsigned":
        file = bundles.small(shelf, NEXT, keys=bundles.stranger(shelf))
    elif wrong.startswith("older"):
        file = bundles.small(shelf, NEXT, epoch=0)
    else:
        file = updates[NEXT]
    content = file.read_bytes()
    if wrong == "flipped":
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]
    elif wrong == "cut off":
        content = content[:len(content) // 2]
    answer = owner.upload("/update/upload", "file", "next.raucb", content, {})
    assert answer.status == 400 and 'role="alert"' in answer.text
    assert "Traceback" not in answer.text


def test_the_next_version_is_tried_and_stays(owner: Owner, box: Machine, updates: dict[str, Path],
                                             before: Before) -> None:
    if not runs(owner, NEXT):
        install(owner, updates[NEXT])
    wait_until(lambda: runs(owner, NEXT), UPDATE_LIMIT_S, f"{NEXT} up; the console ends: {box.console()[-600:]}",
               SELDOM_S)
    wait_until(lambda: owner.sees("/update", "Runs well"), UPDATE_LIMIT_S, "the new version called good",
               SELDOM_S)
    box.hang_up()
    assert "rauc.slot=B" in box.run("cat /proc/cmdline")
    still_has(owner, box, before)


@pytest.mark.parametrize("version", BROKEN)
def test_a_version_that_does_not_come_up_goes_by_itself(version: str, owner: Owner, box: Machine,
                                                        updates: dict[str, Path], before: Before) -> None:
    """Where not even the gate runs, at once; where Asterisk does not, when the gate has lost its patience."""
    back = owner.sees("/update", "Went back")
    install(owner, updates[version])
    wait_until(lambda: owner.sees("/update", "Went back") > back, UPDATE_LIMIT_S * 2,
               f"back to {NEXT}; the console ends: {box.console()[-600:]}", SELDOM_S)
    box.hang_up()
    assert runs(owner, NEXT) and "rauc.slot=B" in box.run("cat /proc/cmdline")
    still_has(owner, box, before)
