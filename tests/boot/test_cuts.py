"""The cuts of the long proof are honest: read from what QEMU itself logged of a disk."""
from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.image import cuts

KIB = 1024


@pytest.fixture
def disk(tmp_path: Path) -> tuple[Path, Path, Path]:
    """(the disk before, after, the log): A, B and zeroes written and flushed, then C over A and D, not flushed."""
    before, disk, log = tmp_path / "before", tmp_path / "disk", tmp_path / "log"
    before.write_bytes(bytes(64 * KIB))
    cuts.copy(before, disk)
    log.touch()
    subprocess.run(
        ["qemu-io", "--image-opts", f"driver=blklogwrites,file.driver=file,file.filename={disk},log.driver=file,"
         f"log.filename={log},log-sector-size=512", "-c", "write -P 0x41 0 4k", "-c", "write -P 0x42 8k 4k",
         "-c", "write -z 10k 2k", "-c", "flush", "-c", "write -P 0x43 0 4k", "-c", "write -P 0x44 16k 4k"],
        check=True, capture_output=True, timeout=30)
    return before, disk, log


def test_the_log_has_every_write_in_its_order(disk: tuple[Path, Path, Path]) -> None:
    rows = [row for row in cuts.entries(disk[2]) if row.sectors]
    assert [(row.sector, row.sectors) for row in rows] == [(0, 8), (16, 8), (20, 4), (0, 8), (32, 8)]
    assert any(row.flags & cuts.FLUSH for row in cuts.entries(disk[2]))


def test_the_whole_log_gives_the_disk_as_it_was(disk: tuple[Path, Path, Path], tmp_path: Path) -> None:
    before, after, log = disk
    rows = cuts.entries(log)
    for seed in range(40):                          # until the chance says "all"
        if cuts.cut(before, log, rows, len(rows), random.Random(seed), tmp_path / "cut").startswith("all"):
            break
    assert (tmp_path / "cut").read_bytes() == after.read_bytes()


def test_what_was_flushed_is_in_every_cut_and_the_rest_only_in_some(disk: tuple[Path, Path, Path],
                                                                    tmp_path: Path) -> None:
    before, _, log = disk
    rows = cuts.entries(log)
    flushed = max(n for n, row in enumerate(rows[:-3]) if row.flags & cuts.FLUSH)
    written = max(n for n, row in enumerate(rows) if row.sectors) + 1          # what follows is the closing's flush
    loose = set()
    for seed in range(60):
        cuts.cut(before, log, rows, written, random.Random(seed), tmp_path / "cut")
        made = (tmp_path / "cut").read_bytes()
        assert set(made[8 * KIB:10 * KIB]) == {0x42} and set(made[10 * KIB:12 * KIB]) == {0}      # B, flushed
        assert set(made[:4 * KIB]) <= {0x41, 0x43}              # A, flushed, or C over it, never emptiness
        loose.add((set(made[:4 * KIB]) == {0x43}, set(made[16 * KIB:20 * KIB]) == {0x44}))
    assert len(loose) >= 3, "the later writes were kept and lost in too few ways"
    cuts.cut(before, log, rows, flushed, random.Random(1), tmp_path / "cut")
    assert 0x43 not in (tmp_path / "cut").read_bytes()


def test_another_file_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(4096))
    with pytest.raises(ValueError, match="no log of writes"):
        cuts.entries(tmp_path / "log")
