"""The plug is pulled in the middle of the first boot and of an update: each time the box comes up, old or new, whole.

Every write of one whole first boot, and of one whole update, is logged by QEMU; each cut is a disk made from that log.
What a cut showed is kept, so that a run that was stopped goes on.
"""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.image import bundles, cuts
from tests.image.card import Card
from tests.image.lan import Lan, wait_until
from tests.image.machine import BOOT_LIMIT_S, Machine
from tests.image.test_first_boot import PASSWORD, TOML, reaches, visited
from tests.image.test_update import NEXT, UPDATE_LIMIT_S, install, runs

CUTS = 20
SEED = 20261122
MAC = "52:54:00:77:00:03"


@pytest.fixture(scope="module")
def first_boot(image: Path, lan: Lan, folder: Path) -> tuple[Path, Path]:
    """(the card before its first boot, the log of that boot's writes)."""
    before, log = folder / "flashed.img", folder / "first.log"
    if not (folder / "first.done").exists():
        card = Card(image, folder / "first.img")
        card.write("deskbell.toml", TOML)
        cuts.copy(card.file, before)
        log.unlink(missing_ok=True)
        with Machine(card.file, lan, folder, mac=MAC, log_writes=log) as box:
            owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, box.console()[-600:])
            assert owner and owner.log_in("Amy", PASSWORD).status == 303
            wait_until(lambda: box.run("fw_printenv -n BOOT_A_LEFT || true") == "3", BOOT_LIMIT_S, "called good")
            box.power_off()
        (folder / "first.done").touch()
    return before, log


@pytest.fixture(scope="module")
def update(first_boot: tuple[Path, Path], lan: Lan, folder: Path) -> tuple[Path, Path]:
    """(the card of a box that runs, the log of a whole update and the restart into it)."""
    before, log, card = folder / "running.img", folder / "update.log", folder / "first.img"
    if not (folder / "update.done").exists():
        cuts.copy(card, before)
        log.unlink(missing_ok=True)
        bundle = bundles.made(folder, NEXT)
        with Machine(cuts.copy(card, folder / "updated.img"), lan, folder, mac=MAC, log_writes=log) as box:
            owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, box.console()[-600:])
            assert owner and owner.log_in("Amy", PASSWORD).status == 303
            install(owner, bundle)
            wait_until(lambda: runs(owner, NEXT), UPDATE_LIMIT_S, box.console()[-600:])
            box.power_off()
        (folder / "update.done").touch()
    return before, log


def comes_up(disk: Path, lan: Lan, folder: Path) -> str:
    """What the box says of itself after a cut: its version, once the owner could log in with her own password."""
    with Machine(disk, lan, folder, mac=MAC) as box:
        owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, f"up again; the console ends: {box.console()[-1500:]}")
        assert owner and reaches(owner)
        assert owner.log_in("Amy", PASSWORD).status == 303, "the owner's password is gone"
        assert "Blumen Krause" in owner.get("/").text, "the shop's name is gone"
        assert json.loads(box.run("cat /etc/deskbell/identity.json"))["name"]
        assert box.run("sqlite3 /var/lib/deskbell/office.db 'PRAGMA integrity_check'") == "ok"
        return owner.get("/update").text.partition("Version ")[2].partition(" runs")[0]


def cut_and_look(story: tuple[Path, Path], n: int, lan: Lan, folder: Path, name: str) -> str:
    kept = folder / f"{name}-{n:02}.json"
    if kept.exists():
        return str(json.loads(kept.read_text())["version"])
    before, log = story
    rows = cuts.entries(log)
    at, chance = list(cuts.points(rows, CUTS, SEED))[n]
    disk = folder / "cut.img"
    how = cuts.cut(before, log, rows, at, chance, disk)
    version = comes_up(disk, lan, folder)
    print(f"\n{name} {n}: {how}: version {version}")
    kept.write_text(json.dumps({"version": version, "how": how}))
    return version


@pytest.mark.parametrize("n", range(CUTS))
def test_a_first_boot_that_is_cut_is_made_good_by_the_next(n: int, first_boot: tuple[Path, Path], lan: Lan,
                                                          folder: Path) -> None:
    assert cut_and_look(first_boot, n, lan, folder, "first")


@pytest.mark.parametrize("n", range(CUTS))
def test_an_update_that_is_cut_leaves_the_old_version_or_the_new(n: int, update: tuple[Path, Path], lan: Lan,
                                                                folder: Path) -> None:
    assert cut_and_look(update, n, lan, folder, "update") in (bundles.version(), NEXT)
