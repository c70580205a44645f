"""`deskbell data`: the fourth partition grown to the card, made where it is empty, mended where it is not clean.

It runs before anything of it is mounted, at each start, and each step may be cut: the next start goes on. Whatever
fails is told and stops nothing: without a data partition the box stands on memory, and the telephone rings.
"""
from __future__ import annotations

import json
import logging
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("data")
LABEL = "deskbell-data"
PART = 4
SECTOR = 512
LEAST_BYTES = 1024 * 1024 * 1024          # less keeps a shop's calls, but hardly a week of recordings
GAIN_SECTORS = 2048 * 8                   # 8 MiB: less is not worth a step that can be cut
TOOL_S = 600
BROKEN = 4                                # e2fsck(8): errors are left
DAMAGED = ("The data partition is damaged and could not be mended. Calls ring, nothing is kept. Put a new card in and "
           "restore the last backup.")
# Block and block size of the superblock's copies, of file systems over and under 512 MiB.
COPIES = ((32768, 4096), (98304, 4096), (163840, 4096), (8193, 1024), (24577, 1024))
FOLDERS = {"etc": 0o755, "lib": 0o2770, "spool": 0o2770, "asterisk": 0o755, "timesync": 0o755, "log": 0o755}


@dataclass(frozen=True)
class Disk:
    """The disk that the box started from, and its fourth partition, as block devices."""
    device: Path
    partition: Path


class DataError(Exception):
    """The data partition cannot be used; the text is a sentence of why and what to do."""


def prepare(disk: Disk) -> list[str]:
    """Makes the partition ready to be mounted; what is to be told, empty when all is well. Raises DataError."""
    said = [told] if (told := grow(disk)) else []
    _make_or_mend(disk)
    return said


def grow(disk: Disk) -> str | None:
    """Gives the last partition what the disk has behind it; a sentence when the card is too small."""
    before = _table(disk.device)
    part = before["partitions"][PART - 1]
    end = _sectors(disk.device)
    room = end - part["start"]
    if room - part["size"] >= GAIN_SECTORS:
        _tool("sfdisk", "--force", "--no-reread", "--no-tell-kernel", "-N", str(PART), str(disk.device), said=", +\n")
        part = _table(disk.device)["partitions"][PART - 1]
    _tool("partx", "-u", "-n", str(PART), str(disk.device))      # also after a cut between the table and the kernel
    if part["start"] + part["size"] > end:
        raise DataError("The card is smaller than the image that was written to it. Calls ring, nothing is kept. "
                        "Write the image to a card of 8 GB or more.")
    if part["size"] * SECTOR < LEAST_BYTES:
        return (f"The card leaves only {part['size'] * SECTOR // 1_000_000} MB for calls and recordings. It works, but "
                "recordings go early. Use a card of 8 GB or more.")
    return None


def _make_or_mend(disk: Disk) -> None:
    where = str(disk.partition)
    kind = _kind(disk)
    if kind == "empty":
        _tool("mke2fs", "-q", "-F", "-t", "ext4", "-L", LABEL, "-m", "1", "-E", "lazy_itable_init=1", where)
        return
    if kind != "ext4":
        raise DataError(f"The data partition holds something else ({kind}), which is left alone. Calls ring, nothing "
                        "is kept. Write the image to the card anew, or restore a backup after a factory reset.")
    if not _has_magic(disk.partition, 1024):
        _from_a_copy(disk.partition)
    is_grown = _is_grown(disk)
    checked = _run("e2fsck", "-p", *(["-f"] if is_grown else []), where)       # resize2fs wants it looked through
    if checked.returncode >= BROKEN and _run("e2fsck", "-y", "-f", where).returncode >= BROKEN:
        raise DataError(DAMAGED)
    if is_grown:
        _tool("resize2fs", where)


def _kind(disk: Disk) -> str:
    """"empty", "ext4", or what else is there. A mke2fs that was cut leaves no magic number anywhere: it is empty."""
    with open(disk.partition, "rb") as opened:
        head = opened.read(4096)
    if _has_magic(disk.partition, 1024) or any(_has_magic(disk.partition, block * size) for block, size in COPIES):
        return "ext4"
    if head[510:512] == b"\x55\xaa" or head[:4] in (b"hsqs", b"LUKS") or head[3:7] == b"NTFS":
        return "another file system"
    return "empty"


def _has_magic(partition: Path, at: int) -> bool:
    """Whether a superblock of ext4 begins at this byte."""
    with open(partition, "rb") as opened:
        opened.seek(at + 56)
        return opened.read(2) == b"\x53\xef"


def _from_a_copy(partition: Path) -> None:
    """Takes the first superblock, which is lost, from one of its copies; never makes a file system over the old one."""
    for block, size in COPIES:
        if _has_magic(partition, block * size) and \
                _run("e2fsck", "-y", "-f", "-b", str(block), "-B", str(size), str(partition)).returncode < BROKEN:
            log.error("The data partition had lost its beginning; it was mended from a copy.")
            return
    raise DataError(DAMAGED)


def _is_grown(disk: Disk) -> bool:
    """Whether the file system is smaller than its partition by more than what a whole group may leave over."""
    with open(disk.partition, "rb") as opened:
        opened.seek(1024)
        block = opened.read(1024)
    blocks = int.from_bytes(block[4:8], "little")
    size = blocks * (1024 << int.from_bytes(block[24:28], "little"))
    return _table(disk.device)["partitions"][PART - 1]["size"] * SECTOR - size >= GAIN_SECTORS * SECTOR


def _table(device: Path) -> dict[str, list[dict[str, int]]]:
    told = json.loads(_tool("sfdisk", "--json", str(device)))["partitiontable"]
    if len(told.get("partitions", [])) < PART:
        raise DataError("The card has no data partition. Calls ring, nothing is kept. Write the image to it anew.")
    return dict(told)


def _sectors(device: Path) -> int:
    with open(device, "rb") as opened:
        return os.lseek(opened.fileno(), 0, os.SEEK_END) // SECTOR


def own_disk(sys: Path = Path("/sys"), mounts: Path = Path("/proc/self/mountinfo")) -> Disk:
    """The disk that the root is on. Raises DataError where the root is on none, as in a container."""
    root = next((line.split() for line in mounts.read_text().splitlines() if line.split()[4] == "/"), None)
    number = root[2] if root else ""
    part = (sys / "dev/block" / number).resolve()
    if not number or number.startswith("0:") or not (part / "partition").exists():
        raise DataError("The box does not stand on a card of its own: the root is on no partition.")
    disk = part.parent.name
    letter = "p" if disk[-1:].isdigit() else ""
    return Disk(Path("/dev") / disk, Path("/dev") / f"{disk}{letter}{PART}")


def make_folders(data: Path) -> None:
    """The folders that are mounted where the daemons look for them; a mode is given once."""
    for name, mode in FOLDERS.items():
        folder = data / name
        if not folder.is_dir():
            folder.mkdir()
            folder.chmod(mode)


def _tool(*command: str, said: str = "") -> str:
    done = _run(*command, said=said)
    if done.returncode:
        why = re.sub(r"\s+", " ", done.stderr or done.stdout).strip()[-160:]
        raise DataError(f"The data partition could not be made ready ({command[0]}: {why}). Calls ring, nothing is "
                        "kept. Put a new card in and restore the last backup.")
    return done.stdout


def _run(*command: str, said: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        return subprocess.run(command, input=said, capture_output=True, text=True, timeout=TOOL_S, check=False,
                              env=environment)
    except (OSError, subprocess.TimeoutExpired) as failed:
        return subprocess.CompletedProcess(command, 127, "", str(failed))
