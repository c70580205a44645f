"""Room on the disk: recordings stop while it is short, calls never do."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from appliance.config import Box

LEAST_FREE_BYTES = 1_000_000_000
LEAST_FREE_PERCENT = 5            # of a small disk: whichever is less


@dataclass(frozen=True)
class Disk:
    free_bytes: int
    total_bytes: int

    @property
    def stops_below(self) -> int:
        """With less than this nothing more is recorded: the store needs the rest."""
        return min(LEAST_FREE_BYTES, self.total_bytes * LEAST_FREE_PERCENT // 100)

    @property
    def has_room(self) -> bool:
        return self.free_bytes >= self.stops_below

    def is_short(self, percent: int) -> bool:
        """Whether the oldest recordings have to go for that many percent to stay free."""
        return self.free_bytes * 100 < self.total_bytes * percent


def disk(folder: Path) -> Disk:
    """The disk that a folder lies on. Raises OSError when there is no such folder."""
    told = os.statvfs(folder)
    return Disk(told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)


def for_recordings(box: Box) -> bool:
    """Whether one more call may be recorded: asked while the caller hears the first ring, it costs some µs."""
    try:
        return disk(box.raw_recordings).has_room and disk(box.recordings).has_room
    except OSError:
        return False               # where there is no folder nothing could be kept either
