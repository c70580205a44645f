"""The partition that Windows reads is opened for a moment, and shut again."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

from appliance.box import fat


def test_a_partition_that_is_read_only_is_opened_for_the_writing_and_shut_again(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert fat.put(small_disk / "report.txt", b"All is well.\r\n")
    assert (small_disk / "report.txt").read_bytes() == b"All is well.\r\n"
    assert os.statvfs(small_disk).f_flag & os.ST_RDONLY
