"""Power cuts that are honest. Every write and flush of a virtual disk is logged by QEMU (blklogwrites, in the format
of Linux's dm-log-writes); a cut is the disk as of the last flush, with some of the later writes or parts of them.
"""
from __future__ import annotations

import mmap
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = 0x6A736677736872        # Linux, Documentation/admin-guide/device-mapper/log-writes.rst
FLUSH, FUA, DISCARD, MARKED = 1, 2, 4, 8
SECTOR = 512


@dataclass(frozen=True)
class Write:
    """One entry: `data` is its place in the log (bytes), its place on the disk and its length in sectors."""
    sector: int
    sectors: int
    flags: int
    data: int


def entries(log: Path) -> list[Write]:
    """All writes, flushes and discards of the log, in order. Raises ValueError on a log of another kind."""
    found = []
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as told:
        magic, _version, _count, size = struct.unpack_from("<QQQI", told)
        if magic != MAGIC:
            raise ValueError(f"{log} is no log of writes")
        at = size
        while at + size <= len(told):
            sector, sectors, flags, _length = struct.unpack_from("<QQQQ", told, at)
            at += size
            if not (sectors or flags):
                break                               # the log's file was laid out further than it was written
            has_data = not flags & DISCARD
            found.append(Write(sector * size // SECTOR, sectors * size // SECTOR, flags, at))
            at += sectors * size if has_data else 0
    return found


def cut(before: Path, log: Path, rows: list[Write], at: int, chance: random.Random, to: Path) -> str:
    """Makes `to`: the disk `before` with rows[:at] where all up to the last flush is there, and of the later writes
    none, all, the first ones, any of them, or any of their sectors. Tells which.
    """
    last = max((n for n in range(at) if rows[n].flags & (FLUSH | FUA)), default=-1)
    how = chance.choice(("none", "all", "first", "some", "torn"))
    loose = list(range(last + 1, at))
    kept = {"none": [], "all": loose, "first": loose[:chance.randrange(len(loose) + 1)],
            "some": [n for n in loose if chance.random() < 0.5], "torn": loose}[how]
    subprocess.run(["cp", "--sparse=always", before, to], check=True)
    with log.open("rb") as told, to.open("r+b") as disk:
        for n in [*range(last + 1), *kept]:
            _apply(rows[n], told, disk, chance if how == "torn" and n > last else None)
    return f"{how} of {len(loose)} loose writes after entry {at} of {len(rows)}"


def _apply(row: Write, told, disk, torn: random.Random | None) -> None:  # type: ignore[no-untyped-def]
    if row.flags & DISCARD or not row.sectors:
        return
    told.seek(row.data)
    disk.seek(row.sector * SECTOR)
    if torn is None:
        disk.write(told.read(row.sectors * SECTOR))
        return
    for _ in range(row.sectors):
        sector = told.read(SECTOR)
        if torn.random() < 0.5:
            disk.seek(SECTOR, 1)
        else:
            disk.write(sector)


def points(rows: list[Write], count: int, seed: int) -> Iterator[tuple[int, random.Random]]:
    """`count` places in the log, spread over all of it, each with the chance that belongs to it."""
    whole = random.Random(seed)
    for n in range(count):
        part = len(rows) / count
        yield int(n * part + whole.random() * part), random.Random(f"{seed} {n}")


def copy(disk: Path, to: Path) -> Path:
    """A sparse copy."""
    to.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", disk, to], check=True)
    return to


def room_for(folder: Path, needed: int) -> None:
    """Says in a sentence when the proof's folder is too full."""
    if shutil.disk_usage(folder).free < needed:
        raise OSError(f"{folder} has less than {needed // 2 ** 30} GiB free; the proof needs that for its disks.")
