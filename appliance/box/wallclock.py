"""Whether the box knows the time: it has no battery clock, and rows say how far to trust theirs."""
from __future__ import annotations

import ctypes
from datetime import UTC, datetime
from pathlib import Path

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")   # systemd-timesyncd touches it
EARLIEST = datetime(2026, 11, 1, tzinfo=UTC)                # before this release was made: certainly unset
STA_UNSYNC = 0x0040                                         # adjtimex(2)


class _Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                ("rest", ctypes.c_byte * 512)]


def is_set(now: datetime) -> bool:
    """True when something (timesyncd, or the kernel's NTP state) vouches for `now`."""
    return now >= EARLIEST and (SYNCHRONISED.exists() or _kernel_is_synchronised())


def _kernel_is_synchronised() -> bool:
    state = _Timex()
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.adjtimex(ctypes.byref(state)) >= 0 and not state.status & STA_UNSYNC
