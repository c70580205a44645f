"""GRUB's script alone, in QEMU's PC: through the states of its sector, as RAUC's grub-editenv writes them."""
from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.boot import cards

TEXT = b"# GRUB Environment Block\n"


@pytest.fixture(scope="session")
def two_systems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cards.card_with_two_systems(tmp_path_factory.mktemp("disks"), "amd64")


@pytest.fixture
def disk(two_systems: Path, tmp_path: Path) -> Path:
    return cards.copy(two_systems, tmp_path / "disk.img")


def sector(order: str, a: str, b: str) -> bytes:
    """The block: a and b are OK/TRY."""
    (a_ok, a_try), (b_ok, b_try) = a.split("/"), b.split("/")
    lines = f"ORDER={order}\nA_OK={a_ok}\nA_TRY={a_try}\nB_OK={b_ok}\nB_TRY={b_try}\n"
    return (TEXT + lines.encode()).ljust(cards.SECTOR, b"#")


def read(disk: Path) -> tuple[str, str, str]:
    with disk.open("rb") as file:
        file.seek(cards.STATE_AT)
        block = file.read(cards.SECTOR)
    assert block.startswith(TEXT) and len(block) == cards.SECTOR
    said = dict(line.split("=", 1) for line in block.decode().splitlines() if "=" in line)
    return said["ORDER"], f"{said['A_OK']}/{said['A_TRY']}", f"{said['B_OK']}/{said['B_TRY']}"


STATES = [
    ("A first, called good",              ("A B", "1/0", "1/0"),  "A", ("A B", "1/1", "1/0")),
    ("A first, its last try",             ("A B", "1/2", "1/0"),  "A", ("A B", "1/3", "1/0")),
    ("A first, used up",                  ("A B", "1/3", "1/0"),  "B", ("A B", "1/3", "1/1")),
    ("B first, just installed",           ("B A", "1/0", "1/0"),  "B", ("B A", "1/0", "1/1")),
    ("B first, a second try",             ("B A", "1/0", "1/1"),  "B", ("B A", "1/0", "1/2")),
    ("B first, used up: rolled back",     ("B A", "1/0", "1/3"),  "A", ("B A", "1/1", "1/3")),
    ("B bad while it is written",         ("A B", "1/0", "0/0"),  "A", ("A B", "1/1", "0/0")),
    ("A bad, though first",               ("A B", "0/0", "1/0"),  "B", ("A B", "0/0", "1/1")),
    ("both used up, B first",             ("B A", "1/3", "1/3"),  "B", ("B A", "1/0", "1/1")),
    ("both bad",                          ("A B", "0/0", "0/0"),  "A", ("A B", "1/1", "1/0")),
    ("B taken out, A used up",            ("A", "1/3", "1/0"),    "A", ("A B", "1/1", "1/0")),
    ("no order",                          ("", "1/0", "1/0"),     "A", ("A B", "1/1", "1/0")),
    ("an order of strangers",             ("C D", "1/0", "1/0"),  "A", ("A B", "1/1", "1/0")),
    ("an order that is a command",        ("A; reboot", "1/0", "1/0"), "A", ("A B", "1/1", "1/0")),
    ("tries that are no number",          ("B A", "1/0", "x/many"), "B", ("B A", "1/0", "1/1")),
    ("99 tries",                          ("A B", "1/99", "1/0"), "A", ("A B", "1/1", "1/0")),
]


@pytest.mark.parametrize(("state", "starts", "then"), [state[1:] for state in STATES], ids=[s[0] for s in STATES])
def test_every_state_starts_a_system_and_counts_it(disk: Path, state: tuple[str, str, str], starts: str,
                                                   then: tuple[str, str, str]) -> None:
    cards.write_state(disk, sector(*state))
    began = cards.start_pc(disk)
    assert began.up == starts, began.console
    assert read(disk) == then


@pytest.mark.parametrize("block", [bytes(512), b"\xff" * 512, random.Random(6).randbytes(512), TEXT],
                         ids=["zeros", "erased", "rubbish", "cut off"])
def test_sector_that_makes_no_sense_starts_system_a(disk: Path, block: bytes) -> None:
    cards.write_state(disk, block.ljust(512, b"\0"))
    assert cards.start_pc(disk).up == "A"


def test_new_disk_starts_system_a_and_knows_that_b_is_empty(disk: Path) -> None:
    assert read(disk) == ("A B", "1/0", "0/0")
    began = cards.start_pc(disk)
    assert began.up == "A" and read(disk) == ("A B", "1/1", "0/0")
    assert "root=PARTUUID=de5cbe11-02 rootfstype=ext4 ro rootwait panic=10 rauc.slot=A console=t" in began.console


def test_broken_update_is_tried_three_times_and_then_the_old_system_stays(disk: Path) -> None:
    cards.write_state(disk, sector("B A", "1/0", "1/0"))
    cards.break_system(disk, "B")
    assert cards.start_pc(disk, resets=True).up == "A"
    assert read(disk) == ("B A", "1/1", "1/3")


def test_disk_that_takes_no_writes_starts_and_passes_over_a_broken_system(disk: Path) -> None:
    cards.break_system(disk, "A")
    assert cards.start_pc(disk, read_only=True).up == "B"


def test_what_rauc_writes_is_understood_by_grub_and_the_other_way_round(disk: Path, tmp_path: Path) -> None:
    assert cards.start_pc(disk).up == "A"
    block = tmp_path / "block"                             # on a box a loop device over the sector
    with disk.open("rb") as file:
        file.seek(cards.STATE_AT)
        block.write_bytes(file.read(cards.SECTOR))
    said = subprocess.run(["grub-editenv", block, "list"], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["ORDER=A B", "A_OK=1", "A_TRY=1", "B_OK=0", "B_TRY=0"]
    subprocess.run(["grub-editenv", block, "set", "B_OK=1", "B_TRY=0", "ORDER=B A"], check=True)
    assert len(block.read_bytes()) == cards.SECTOR
    cards.write_state(disk, block.read_bytes())
    assert cards.start_pc(disk).up == "B" and read(disk) == ("B A", "1/1", "1/1")
