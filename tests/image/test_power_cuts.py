"""The plug is pulled in the middle of the first boot and of an update: each time the box comes up, old or new, whole.

Every write of one whole first boot, and of one whole update, is logged by QEMU; each cut is a disk made from that log.
What a cut showed is kept, so that a run that was stopped goes on.
"""
from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import pytest

from tests.image import bundles, cuts
from tests.image.card import Card
from tests.image.lan import HOST, SELDOM_S, Lan, wait_until
from tests.image.machine import BOOT_LIMIT_S, SHELL, Machine
from tests.image.test_first_boot import PASSWORD, TOML, visited
from tests.image.test_update import NEXT, UPDATE_LIMIT_S, install, runs
from tests.sip import Line, State

CUTS = 20
AT_ONCE = 2
SEED = 20261122
MAC = "52:54:00:77:00:30"
# What comes behind the telephone: it would cost each of forty boots a minute. Where B starts, it starts too.
ASIDE = ["deskbell-web.service", "deskbell-modem.service", "deskbell-clock.service", "deskbell-console.service",
         "deskbell-health.service", "deskbell-led.service"]
THE_LINE = Lock()                   # the gateway has one port
STORE = "sqlite3 -readonly -list -noheader /var/lib/deskbell/office.db"


@pytest.fixture(scope="module")
def first_boot(image: Path, lan: Lan, folder: Path) -> tuple[Path, Path]:
    """(the card before its first boot, the log of that boot's writes)."""
    before, log = folder / "flashed.img", folder / "first.log"
    if not (folder / "first.done").exists():
        card = Card.flashed(image, folder / "first.img")
        card.write("deskbell.toml", TOML)
        cuts.copy(card.file, before)
        log.unlink(missing_ok=True)
        with Machine(card.file, lan, folder, mac=MAC, log_writes=log) as box:
            owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, box.console()[-600:])
            assert owner and owner.log_in("Amy", PASSWORD).status == 303
            wait_until(lambda: box.run("fw_printenv -n BOOT_A_LEFT || true") == "3", BOOT_LIMIT_S, "called good",
                       SELDOM_S)
            box.power_off()
        (folder / "first.done").touch()
    return before, log


@pytest.fixture(scope="module")
def update(first_boot: tuple[Path, Path], lan: Lan, folder: Path, shelf: Path) -> tuple[Path, Path]:
    """(the card of a box that runs, the log of a whole update and the restart into it)."""
    before, log, card = folder / "running.img", folder / "update.log", folder / "first.img"
    if not (folder / "update.done").exists():
        cuts.copy(card, before)
        log.unlink(missing_ok=True)
        bundle = bundles.made(shelf, NEXT)
        with Machine(cuts.copy(card, folder / "updated.img"), lan, folder, mac=MAC, log_writes=log) as box:
            owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, box.console()[-600:])
            assert owner and owner.log_in("Amy", PASSWORD).status == 303
            install(owner, bundle)
            wait_until(lambda: runs(owner, NEXT), UPDATE_LIMIT_S, box.console()[-600:], SELDOM_S)
            box.power_off()
        (folder / "update.done").touch()
    return before, log


def comes_up(disk: Path, lan: Lan, folder: Path, desk: int) -> str:
    """The version of a box that rings after a cut, once all that it knew was found with it."""
    with Machine(disk, lan, folder, mac=f"{MAC[:-1]}{desk}", cores=1) as box:
        for unit in ("asterisk", "deskbell-calls"):
            box.wait_console(rf"Started \S*{unit}\.service")
        assert box.run(f"{STORE} 'PRAGMA integrity_check'") == "ok"
        assert json.loads(box.run("cat /etc/deskbell/identity.json"))["name"]
        assert "Blumen Krause" in box.run("cat /etc/deskbell/box.toml; "
                                          f"{STORE} 'SELECT value FROM setting'"), "the shop's name is gone"
        assert "Amy" in box.run(f"{STORE} 'SELECT name FROM user'"), "the owner is gone"
        with THE_LINE, Line((HOST, 5070), box=(box.address(), 5060)) as line:
            leg = line.call("+4915123456789").until(State.RINGING, BOOT_LIMIT_S)
            leg.cancel()
            leg.until(State.ENDED, BOOT_LIMIT_S)
        return box.run("sed -n 's/^IMAGE_VERSION=//p' /etc/os-release")


class Cuts:
    """All cuts of one story, two boxes at a time, each on a processor of its own; what one showed is kept."""

    def __init__(self, name: str, story: tuple[Path, Path], lan: Lan, folder: Path) -> None:
        self.name, (self.before, self.log), self.lan, self.folder = name, story, lan, folder
        self.rows = cuts.entries(self.log)
        self.points = list(cuts.points(self.rows, CUTS, SEED))
        self.desks = SimpleQueue[int]()
        for desk in range(AT_ONCE):
            self.desks.put(desk)
        self.pool = ThreadPoolExecutor(AT_ONCE)
        self.shown = [self.pool.submit(self.show, n) for n in range(CUTS)]

    def show(self, n: int) -> str:
        """The version that came up after cut n."""
        kept = self.folder / f"{self.name}-{n:02}.json"
        if kept.exists():
            return str(json.loads(kept.read_text())["version"])
        at, chance = self.points[n]
        desk = self.desks.get()
        disk = self.folder / f"cut-{desk}.img"
        began = time.monotonic()
        try:
            how = cuts.cut(self.before, self.log, self.rows, at, chance, disk)
            Card(disk).give_kernel(f"{SHELL} {' '.join(f'systemd.mask={unit}' for unit in ASIDE)}")
            version = comes_up(disk, self.lan, self.folder, desk)
        except Exception as wrong:
            (self.folder / f"{self.name}-{n:02}.wrong").write_text(f"{how}\n{wrong!r}")
            raise
        finally:
            self.desks.put(desk)
        kept.write_text(json.dumps({"version": version, "how": how, "took_s": round(time.monotonic() - began)}))
        return version

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def first_cuts(first_boot: tuple[Path, Path], lan: Lan, folder: Path) -> Iterator[Cuts]:
    with closing(Cuts("first", first_boot, lan, folder)) as made:
        yield made


@pytest.fixture(scope="module")
def update_cuts(update: tuple[Path, Path], lan: Lan, folder: Path) -> Iterator[Cuts]:
    with closing(Cuts("update", update, lan, folder)) as made:
        yield made


@pytest.mark.parametrize("n", range(CUTS))
def test_a_first_boot_that_is_cut_is_made_good_by_the_next(n: int, first_cuts: Cuts) -> None:
    assert first_cuts.shown[n].result()


@pytest.mark.parametrize("n", range(CUTS))
def test_an_update_that_is_cut_leaves_the_old_version_or_the_new(n: int, update_cuts: Cuts) -> None:
    assert update_cuts.shown[n].result() in (bundles.version(), NEXT)


def test_the_cuts_of_an_update_saw_both_versions(update_cuts: Cuts) -> None:
    """Else they were all before it or all behind it, and proved little."""
    assert {cut.result() for cut in update_cuts.shown} == {bundles.version(), NEXT}
