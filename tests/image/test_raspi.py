"""The card in QEMU's Raspberry Pi 3B, as far as that goes: it has no network, and its SD card reads 1 MiB a second."""
from __future__ import annotations

from pathlib import Path

from tests.image.card import Card
from tests.image.lan import Lan, wait_until
from tests.image.machine import Machine

# QEMU's watchdog resets the board the moment it is armed, which no Pi does.
KERNEL = "console=ttyS1,115200 modprobe.blacklist=bcm2835_wdt"
LIMIT_S = 2400.0
SD_BYTES = 8 * 1024 ** 3            # QEMU's SD card wants a power of two


class Pi(Machine):
    """A Raspberry Pi 3B: the U-Boot and the device tree of the card itself, started as the Pi's firmware would."""

    def board(self) -> list[str]:
        card = Card(self.disk)
        here = self.serial.parent
        return ["-M", "raspi3b", "-kernel", str(card.take("u-boot.bin", here / "u-boot.bin")),
                "-dtb", str(card.take("bcm2837-rpi-3-b.dtb", here / "pi.dtb")),
                "-drive", f"if=sd,format=raw,file={self.disk}", "-serial", "null", "-serial", f"file:{self.serial}"]


def test_the_card_starts_on_a_raspberry_pi_3_and_says_who_it_is(image: Path, lan: Lan, folder: Path) -> None:
    card = Card.flashed(image, folder / "card.img", SD_BYTES, KERNEL)
    with Pi(card.file, lan, folder) as pi:
        print(f"\nU-Boot chose after {pi.wait_console('Deskbell: system A starts', LIMIT_S):.0f} s")
        print(f"the kernel ran after {pi.wait_console('Linux version', LIMIT_S):.0f} s")
        print(f"the daemons were up after {pi.wait_console('Reached target .*deskbell.target', LIMIT_S):.0f} s")
        report = wait_until(lambda: card.read("deskbell-report.txt"), LIMIT_S,
                            f"the report on the card; the console ends: {pi.console()[-600:]}")
    print(report)
    assert "deskbell-" in report and "Code" in report
