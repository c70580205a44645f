"""A stuck stick is switched off and on by files of the kernel; a folder laid out like sysfs stands in for it."""
from __future__ import annotations

from pathlib import Path

import pytest

from hw import usb_power
from hw.usb_power import UsbPowerError


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """/dev/ttyUSB0 on interface 1-1.2:1.0 of the device 1-1.2, as the kernel lays it out."""
    device = tmp_path / "devices/usb1/1-1/1-1.2"
    (device / "1-1.2:1.0/ttyUSB0").mkdir(parents=True)
    (device / "idVendor").write_text("12d1\n")
    (device / "authorized").write_text("1\n")
    tty = tmp_path / "class/tty/ttyUSB0"
    tty.mkdir(parents=True)
    (tty / "device").symlink_to(device / "1-1.2:1.0/ttyUSB0")
    return tmp_path


def port_file(sysfs: Path) -> Path:
    folder = sysfs / "devices/usb1/1-1/1-1.2/port"
    folder.mkdir()
    (folder / "disable").write_text("0\n")
    return folder / "disable"


def test_where_the_hub_can_its_port_is_switched_off_and_on(sysfs: Path) -> None:
    file, seen = port_file(sysfs), []
    words = usb_power.cycle("/dev/ttyUSB0", sysfs, lambda _s: seen.append(file.read_text()))
    assert (seen, file.read_text(), words) == (["1"], "0", "its USB port was switched off and on")


def test_else_it_is_taken_off_usb_and_put_back(sysfs: Path) -> None:
    file, seen = sysfs / "devices/usb1/1-1/1-1.2/authorized", []
    words = usb_power.cycle("/dev/ttyUSB0", sysfs, lambda _s: seen.append(file.read_text()))
    assert (seen, file.read_text(), words) == (["0"], "1", "it was taken off USB and put back")


def test_a_machine_without_either_says_so(sysfs: Path) -> None:
    (sysfs / "devices/usb1/1-1/1-1.2/authorized").unlink()
    with pytest.raises(UsbPowerError, match="this machine cannot switch its USB port"):
        usb_power.cycle("/dev/ttyUSB0", sysfs, lambda _s: None)


def test_a_port_that_is_not_on_usb_is_left_alone(sysfs: Path) -> None:
    with pytest.raises(UsbPowerError, match="not on USB"):
        usb_power.cycle("/dev/ttyS0", sysfs, lambda _s: None)
