"""An SD card as an installer handles it: a copy of the image, a text file on its FAT, and what is on it afterwards."""
from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.image import cuts
from tests.image.machine import SHELL

CARD_BYTES = 6 * 1024 ** 3          # sparse: the smallest card that counts as 8 GB has more


@dataclass(frozen=True)
class Partition:
    """Bytes from the start of the card."""
    start: int
    size: int


class Card:
    """A file that is the card. Its partitions are read with mtools and debugfs, without mounting anything."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def flashed(cls, image: Path, file: Path, size: int = CARD_BYTES, kernel: str = SHELL) -> Self:
        """A new card with the image on it, whose kernel gets these arguments."""
        card = cls(cuts.copy(image, file))
        os.truncate(file, size)
        card.give_kernel(kernel)
        return card

    def partitions(self) -> list[Partition]:
        """boot, A, B, data."""
        told = json.loads(self._tool("sfdisk", "--json", self.file))["partitiontable"]["partitions"]
        return [Partition(row["start"] * 512, row["size"] * 512) for row in told]

    def write(self, name: str, text: str) -> None:
        """Puts a text file on the FAT partition, lines ended as Notepad does."""
        given = self.file.with_suffix(".txt")
        given.write_bytes(text.replace("\n", "\r\n").encode())
        self._tool("mcopy", "-o", "-i", self._fat(), given, f"::{name}")

    def take(self, name: str, to: Path) -> Path:
        """A file of the FAT partition, copied out."""
        self._tool("mcopy", "-n", "-i", self._fat(), f"::{name}", to)
        return to

    def read(self, name: str) -> str:
        """A text file of the FAT partition; "" when it is not there."""
        got = subprocess.run(["mtype", "-i", self._fat(), f"::{name}"], capture_output=True)
        return got.stdout.decode("utf-8-sig", "replace").replace("\r", "")

    def fat_bytes(self) -> bytes:
        """All of the FAT partition, also what no file has any more."""
        boot = self.partitions()[0]
        with self.file.open("rb") as file:
            file.seek(boot.start)
            return file.read(boot.size)

    def data(self, command: str) -> str:
        """What debugfs answers about the data partition, such as "cat /etc/identity.json"."""
        return self._tool("debugfs", "-R", command, f"{self.file}?offset={self.partitions()[3].start}")

    def give_kernel(self, arguments: str) -> None:
        """The kernel in slot A starts with these arguments (boot/slot.env), as an update could bring them."""
        given = self.file.with_suffix(".env")
        given.write_text(f"slot_args={arguments}\n")
        slot = f"{self.file}?offset={self.partitions()[1].start}"
        subprocess.run(["debugfs", "-w", "-R", "rm /boot/slot.env", slot], check=False, capture_output=True)
        self._tool("debugfs", "-w", "-R", f"write {given} /boot/slot.env", slot)

    def _fat(self) -> str:
        return f"{self.file}@@{self.partitions()[0].start}"

    @staticmethod
    def _tool(*words: object) -> str:
        done = subprocess.run([str(word) for word in words], capture_output=True, timeout=120)
        assert done.returncode == 0, f"{words}: {done.stderr.decode()}"
        return done.stdout.decode(errors="replace")
