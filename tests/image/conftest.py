"""The long proof: the image that is given away, in a machine that is not there. Run by `tests/run image` as root."""
from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image import bundles, cuts
from tests.image.lan import Lan

CACHE = Path("/var/cache/deskbell")
PLACE = CACHE / "proof"             # kept from run to run: the unpacked image, the serial logs
NEEDED_BYTES = 12 * 1024 ** 3


@pytest.fixture(scope="session")
def image() -> Path:
    """The arm64 image as image/build left it, unpacked; or the unpacked one that $TEST_IMAGE names."""
    if given := os.environ.get("TEST_IMAGE"):
        return Path(given)
    packed = max((CACHE / "image").glob("deskbell-*-arm64.img.xz"), key=lambda file: file.stat().st_mtime, default=None)
    if packed is None:
        pytest.skip("there is no arm64 image yet: image/build --arch arm64 makes it")
    PLACE.mkdir(exist_ok=True)
    cuts.room_for(PLACE, NEEDED_BYTES)
    plain = PLACE / packed.stem
    if not plain.exists() or plain.stat().st_mtime < packed.stat().st_mtime:
        for old in PLACE.glob("*.img"):
            old.unlink()
        made = plain.with_suffix(".new")
        with packed.open("rb") as told:
            unpacking = subprocess.Popen(["xz", "-dc", "-T2"], stdin=told, stdout=subprocess.PIPE)
            subprocess.run(["cp", "--sparse=always", "/dev/stdin", made], stdin=unpacking.stdout, check=True)
        assert unpacking.wait() == 0, f"{packed} is torn"
        made.rename(plain)
    return plain


@pytest.fixture(scope="session")
def place() -> Path:
    """What belongs to this image: logs, bundles, what was proved already. That of another one goes."""
    for old in PLACE.glob("root-*"):
        if old.name != bundles.tree().name:
            shutil.rmtree(old)
    place = PLACE / bundles.tree().name
    place.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture(scope="session")
def lan() -> Iterator[Lan]:
    with Lan() as lan:
        yield lan


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, place: Path) -> Path:
    """Where this module's serial logs are kept."""
    folder = place / Path(str(request.node.name)).stem
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shelf(place: Path) -> Path:
    """Where the updates of this image lie, made once."""
    shelf = place / "bundles"
    shelf.mkdir(exist_ok=True)
    return shelf
