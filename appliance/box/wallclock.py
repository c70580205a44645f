"""Whether the box knows the time: it has no battery clock, and rows say how far to trust theirs."""
from __future__ import annotations

import ctypes
import json
from datetime import UTC, datetime
from pathlib import Path

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")   # systemd-timesyncd touches it
BY_NETWORK = Path("/run/deskbell-boot/time.json")           # root leaves it, see network_time.py
EARLIEST = datetime(2026, 11, 1, tzinfo=UTC)                # before this release was made: certainly unset
STA_UNSYNC = 0x0040                                         # adjtimex(2)


class _Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                ("rest", ctypes.c_byte * 512)]


def is_set(now: datetime) -> bool:
    """True when something (timesyncd, the kernel's NTP state, the mobile network, a call) vouches for `now`."""
    return now >= EARLIEST and (SYNCHRONISED.exists() or BY_NETWORK.exists() or _kernel_is_synchronised())


def is_of_a_call() -> bool:
    """Whether a call told the time, which the mobile network knows better: a gateway may give its local time as UTC."""
    try:
        return bool(json.loads(BY_NETWORK.read_text()).get("by") == "line")
    except (OSError, ValueError):
        return False


def _kernel_is_synchronised() -> bool:
    state = _Timex()
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.adjtimex(ctypes.byref(state)) >= 0 and not state.status & STA_UNSYNC
