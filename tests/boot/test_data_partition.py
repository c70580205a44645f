"""The data partition of a card, as a block device of a file: grown, made, mended, and cut while that is done."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.box import data_partition
from appliance.box.data_partition import DataError, Disk
from tests.boot.nspawn import wait

MIB = 1024 * 1024
CALLS = "calls" * 1000
START = 48            # MiB; where the fourth partition begins on this little card
TABLE = f"label: dos\nlabel-id: 0xdeb0e11a\n4MiB,8MiB,c\n12MiB,16MiB,83\n28MiB,20MiB,83\n{START}MiB,64MiB,83\n"


def sh(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Card:
    """A card of this size as a block device, onto which the image was written: its last partition has 64 MiB."""

    def __init__(self, file: Path, size_mib: int, is_made: bool = True, content: Path | None = None) -> None:
        with file.open("wb") as made:
            made.truncate(max(size_mib, START + 64) * MIB)
        subprocess.run(["sfdisk", "-q", str(file)], input=TABLE, text=True, check=True)
        if is_made:
            sh("mke2fs", "-q", "-F", "-t", "ext4", "-L", data_partition.LABEL, "-E", f"offset={START * MIB}",
               *(["-d", str(content)] if content else []), str(file), "65536k")
        os.truncate(file, size_mib * MIB)
        attached = subprocess.run(["losetup", "-P", "-f", "--show", str(file)], capture_output=True, text=True)
        if attached.returncode:
            pytest.skip(f"this machine gives us no block device of our own: {attached.stderr.strip()}")
        device = attached.stdout.strip()
        self._held = os.open(device, os.O_RDONLY)
        sh("losetup", "-d", device)                # it goes by itself once we have let go, however we end
        self.disk, self.file = Disk(Path(device), Path(f"{device}p4")), file
        wait(lambda: self.disk.partition.exists() or not sh("partx", "-u", device), 10, f"{device} has its partitions")

    def prepare(self) -> list[str]:
        return data_partition.prepare(self.disk)

    @property
    def size_mib(self) -> float:
        """What the file system itself says."""
        block = self.disk.partition.open("rb").read(2048)[1024:]
        return int.from_bytes(block[4:8], "little") * (1024 << int.from_bytes(block[24:28], "little")) / MIB

    @property
    def is_clean(self) -> bool:
        return subprocess.run(["e2fsck", "-f", "-n", str(self.disk.partition)], capture_output=True).returncode == 0

    def read(self, path: str) -> str:
        """A file of it, as it is mounted on a box."""
        with tempfile.TemporaryDirectory() as folder:
            sh("mount", "-o", "ro", str(self.disk.partition), folder)
            try:
                return (Path(folder) / path).read_text()
            finally:
                sh("umount", folder)

    def write(self, at: int, what: bytes) -> None:
        """Into the data partition."""
        with self.disk.partition.open("r+b") as opened:
            opened.seek(at)
            opened.write(what)

    def table(self) -> list[str]:
        return sh("sfdisk", "--dump", str(self.disk.device)).splitlines()

    def close(self) -> None:
        os.close(self._held)
        self.file.unlink()


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Callable[..., Card]]:
    made: list[Card] = []

    def make(size_mib: int, **given: Any) -> Card:
        made.append(Card(tmp_path / f"card{len(made)}", size_mib, **given))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib/office.db").write_text(CALLS)
    return folder


def test_the_partition_and_its_file_system_grow_to_the_card(card: Callable[..., Card], content: Path) -> None:
    made = card(2200, content=content)
    assert made.prepare() == []
    assert made.size_mib > 2140 and made.is_clean and made.read("lib/office.db") == CALLS


def test_a_second_start_changes_nothing(card: Callable[..., Card]) -> None:
    made = card(1400)
    made.prepare()

    def state() -> list[str]:
        told = sh("dumpe2fs", "-h", str(made.disk.partition)).splitlines()
        return made.table() + [line for line in told if not line.startswith(("Lifetime writes", "Checksum:"))]
    before = state()
    made.prepare()
    assert state() == before


def test_only_the_last_partition_changes(card: Callable[..., Card]) -> None:
    made = card(1400)
    before = made.table()
    made.prepare()
    assert before[:-1] == made.table()[:-1] and before[-1] != made.table()[-1]


def test_an_empty_partition_gets_a_file_system_with_our_label(card: Callable[..., Card]) -> None:
    made = card(1400, is_made=False)
    assert made.prepare() == []
    assert made.size_mib > 1340 and made.is_clean
    assert sh("e2label", str(made.disk.partition)).strip() == data_partition.LABEL


def test_a_file_system_that_was_not_clean_is_mended(card: Callable[..., Card], content: Path) -> None:
    made = card(1400, content=content)
    made.prepare()
    for order in ("clri /lib", "ssv state 0"):       # a folder lost, and nobody closed the file system
        sh("debugfs", "-w", "-R", order, str(made.disk.partition))
    assert not made.is_clean
    assert made.prepare() == []
    assert made.is_clean


def test_a_file_system_beyond_mending_is_told_and_left(card: Callable[..., Card]) -> None:
    made = card(1400, is_made=False)
    made.write(1024, bytes(56) + b"\x53\xef" + random.Random(1).randbytes(4096))
    with pytest.raises(DataError, match="damaged and could not be mended. Calls ring"):
        made.prepare()


def test_a_partition_that_lost_its_beginning_is_mended_from_a_copy_and_never_made_anew(
        card: Callable[..., Card], content: Path) -> None:
    made = card(1400, is_made=False)
    sh("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-L", data_partition.LABEL, "-d", str(content),
       str(made.disk.partition))
    made.prepare()
    made.write(0, bytes(4096))
    assert made.prepare() == []
    assert made.is_clean and made.read("lib/office.db") == CALLS
    made.write(0, bytes(4096))
    for block, size in data_partition.COPIES:      # a copy with the magic alone: something was there once
        made.write(block * size, bytes(56) + b"\x53\xef" + random.Random(1).randbytes(900))
    with pytest.raises(DataError, match="could not be mended"):
        made.prepare()


def test_another_file_system_there_is_left_alone(card: Callable[..., Card]) -> None:
    made = card(1400, is_made=False)
    made.write(0, b"\xeb\x58\x90MSDOS5.0".ljust(510, b"\0") + b"\x55\xaa")
    with pytest.raises(DataError, match="holds something else"):
        made.prepare()
    assert made.disk.partition.open("rb").read(12).endswith(b"MSDOS5.0\0")


def test_a_small_card_is_told_and_works(card: Callable[..., Card]) -> None:
    made = card(400)
    assert made.prepare()[0].startswith("The card leaves only 369 MB for calls and recordings.")
    assert made.size_mib > 300 and made.is_clean


def test_a_card_smaller_than_the_image_is_told(card: Callable[..., Card]) -> None:
    with pytest.raises(DataError, match="The card is smaller than the image"):
        card(START + 32).prepare()


def test_a_card_without_our_partitions_is_told(tmp_path: Path) -> None:
    file = tmp_path / "card"
    file.write_bytes(bytes(MIB))
    with pytest.raises(DataError, match="Calls ring, nothing is kept"):
        data_partition.prepare(Disk(file, file))


def test_the_disk_is_the_one_that_the_root_is_on(tmp_path: Path) -> None:
    for disk, part, number in (("mmcblk0", "mmcblk0p2", "179:2"), ("sda", "sda3", "8:3")):
        folder = tmp_path / disk / "sys/devices/x" / disk / part
        folder.mkdir(parents=True)
        (folder / "partition").write_text("2\n")
        links = tmp_path / disk / "sys/dev/block"
        links.mkdir(parents=True)
        (links / number).symlink_to(folder)
        mounts = tmp_path / disk / "mountinfo"
        mounts.write_text(f"22 1 {number} / / ro - ext4 /dev/root ro\n23 22 0:5 / /proc rw - proc proc rw\n")
        found = data_partition.own_disk(tmp_path / disk / "sys", mounts)
        assert found.device == Path("/dev") / disk
        assert str(found.partition) == {"mmcblk0": "/dev/mmcblk0p4", "sda": "/dev/sda4"}[disk]
    mounts.write_text("22 1 0:40 / / ro - overlay overlay ro\n")
    with pytest.raises(DataError, match="The box does not stand on a card"):
        data_partition.own_disk(tmp_path / "sda/sys", mounts)


def test_a_start_without_any_tool_or_disk_ends_well_and_leaves_its_sentence(tmp_path: Path) -> None:
    """`deskbell data` in here: the root is no card's. Nothing may stop the start."""
    done = subprocess.run([sys.executable, "-m", "appliance.cli", "data"], capture_output=True, text=True)
    assert done.returncode == 0 and "does not stand on a card of its own" in done.stderr


WORK = "import sys; from pathlib import Path; from appliance.box.data_partition import *; " \
       "prepare(Disk(Path(sys.argv[1]), Path(sys.argv[2])))"


def test_growing_that_is_cut_anywhere_is_ended_by_the_next_start_and_loses_nothing(
        tmp_path: Path, content: Path) -> None:
    whole = Card(tmp_path / "whole", 1400, True, content)
    began = time.monotonic()
    sh(sys.executable, "-c", WORK, str(whole.disk.device), str(whole.disk.partition))
    whole_s, chance, cuts = time.monotonic() - began, random.Random(6), 0
    whole.close()
    for number in range(16):                       # each its own file: nothing of an older one is in any cache
        is_made = bool(number % 4)
        made = Card(tmp_path / f"card{number}", 1400, is_made, content)
        working = subprocess.Popen([sys.executable, "-c", WORK, str(made.disk.device), str(made.disk.partition)],
                                   start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            working.wait(chance.uniform(0.2 * whole_s, whole_s))
        except subprocess.TimeoutExpired:
            os.killpg(working.pid, signal.SIGKILL)
            working.wait()
            cuts += 1
        assert made.prepare() == []
        assert made.size_mib > 1340 and made.is_clean, f"cut {number}"
        assert not is_made or made.read("lib/office.db") == CALLS, f"cut {number}"
        made.close()
    assert cuts >= 6
