"""Switching a stuck stick off and on at its USB port, where the hub and the kernel let us.

Two ways, tried in order: the hub's port (`port/disable`, Linux 6.0; cuts the power on hubs that switch each port), and
taking the device away and giving it back (`authorized`; a fresh start of its software, not of its power). Both are
files that only root may write unless hw/udev's rule gave them to the group dialout.
"""
from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

SYSFS = Path("/sys")
OFF_S = 3.0


class UsbPowerError(Exception):
    """The port could not be switched; the text says why, for the page."""


def cycle(port: str, sysfs: Path = SYSFS, wait: Callable[[float], object] = time.sleep) -> str:
    """How the stick behind a tty was restarted, in words. Raises UsbPowerError when nothing was.

    Takes OFF_S; the tty vanishes and comes back a few seconds later, perhaps under another number.
    """
    device = usb_device(port, sysfs)
    if device is None:
        raise UsbPowerError("it is not on USB")
    ways = [(device / "port" / "disable", "1", "0", "its USB port was switched off and on"),
            (device / "authorized", "0", "1", "it was taken off USB and put back")]
    for file, off, on, words in ways:
        if not os.access(file, os.W_OK):
            continue
        try:
            file.write_text(off)
            wait(OFF_S)
        except OSError:  # a hub that cannot, says so here
            continue
        finally:
            _back(file, on)
        return words
    raise UsbPowerError("this machine cannot switch its USB port")


def usb_device(port: str, sysfs: Path = SYSFS) -> Path | None:
    """The folder of the USB device behind a tty, None when it is no USB one."""
    place = (sysfs / "class" / "tty" / Path(port).resolve().name / "device").resolve()
    for folder in (place, *place.parents):
        if (folder / "idVendor").exists():
            return folder
    return None


def _back(file: Path, on: str) -> None:
    try:
        file.write_text(on)
    except OSError as stuck:
        raise UsbPowerError(f"its USB port stays off ({stuck.strerror}): pull the stick out and put it in") from stuck
