"""The boot ring's fixtures: a root tree, the LAN, and boxes that boot on it."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.boot import nspawn
from tests.boot.nspawn import Machine

TOML = '''\
# An office of one line and two telephones.
language = "en"
country = "DE"
time_zone = "Europe/Berlin"
'''


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """Memory for what this run makes; folders of a box's users may be reached through it."""
    if os.geteuid() != 0 or not nspawn.CACHE.is_dir():
        pytest.skip("these tests boot a box, so they run as root in the workshop only: tests/run boot")
    with tempfile.TemporaryDirectory(prefix="boot-") as folder:
        Path(folder).chmod(0o755)
        nspawn.sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        yield Path(folder)
        nspawn.sh("umount", "-R", "--lazy", folder)


@pytest.fixture(scope="session")
def booted_root(place: Path) -> Path:
    """A finished root tree without a kernel. Do not write it: put an overlay over it (nspawn.overlay)."""
    return nspawn.make_tree(place / "tree")


@pytest.fixture(scope="session")
def lan(place: Path) -> Iterator[Path]:
    """The LAN of the boxes, with a router that gives addresses; the router's leases."""
    nspawn.prepare_namespaces()
    with nspawn.router(place) as leases:
        yield leases


@pytest.fixture(scope="module")
def boot(booted_root: Path, lan: Path, place: Path) -> Iterator[Callable[..., Machine]]:
    """Makes boxes, not started: boot(toml=…, binds={…}, root=…). They are gone after the tests of the file."""
    made: list[Machine] = []

    def make(toml: str | None = TOML, binds: dict[str, Path] | None = None, root: Path = booted_root,
             arguments: tuple[str, ...] = ()) -> Machine:
        folder = Path(tempfile.mkdtemp(prefix="box-", dir=place))
        folder.chmod(0o755)
        machine = Machine(root, folder, binds or {}, arguments)
        made.append(machine)
        if toml is not None:
            (machine.fat / "deskbell.toml").write_text(toml)
        return machine

    yield make
    for machine in made:
        machine.close()


@pytest.fixture(scope="module")
def machine(boot: Callable[..., Machine]) -> Machine:
    """A box that is up, for the tests of one file."""
    return boot().start()
