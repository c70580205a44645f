"""A box that is not there: the built arm64 image in QEMU's machine `virt`, through the real U-Boot.

Nothing in the image knows of the test. A shell for it comes by a kernel argument on the copied card, SHELL
(systemd-debug-generator(8)), as an engineer would open one.
"""
from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.image.lan import Lan, wait_until

BOOT_LIMIT_S = 900.0            # a loaded machine without hardware virtualisation
SHELL = "console=tty0 console=ttyAMA0,115200 systemd.debug_shell=hvc0"       # arguments of the kernel, see Card


class Machine:
    """One run of QEMU on `disk`; `run` speaks to the shell inside, `serial` is the console's log.

    modem: a serial port that becomes the box's USB; sticks: files that are USB sticks in it. fixed: the address that
    its text file gives it.
    """

    def __init__(self, disk: Path, lan: Lan, folder: Path, *, mac: str = "52:54:00:77:00:01",
                 modem: Path | None = None, sticks: Sequence[Path] = (), log_writes: Path | None = None,
                 cores: int = 2, fixed: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.disk, self.lan, self.mac, self.serial = disk, lan, mac, folder / f"serial-{secrets.token_hex(3)}.log"
        self._door = folder / f"{self.serial.stem}.sock"
        self._shell: socket.socket | None = None
        self._heard = ""
        self.started = time.monotonic()
        self._modem, self._sticks = modem, sticks
        self._log_writes, self._cores, self._fixed = log_writes, cores, fixed
        self._qemu = subprocess.Popen(
            ["qemu-system-aarch64", "-accel", "tcg,thread=multi", "-display", "none", "-monitor", "none",
             *self.board()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(folder / "qemu.log").open("ab"))

    def board(self) -> list[str]:
        """QEMU's words for the computer itself: its machine `virt` with Debian's U-Boot for it."""
        blocks = ["-blockdev", f"driver=raw,node-name=disk,file.driver=file,file.filename={self.disk}"]
        if self._log_writes:
            self._log_writes.touch()
            blocks += ["-blockdev", f"driver=blklogwrites,node-name=logged,file=disk,log.driver=file,"
                                    f"log.filename={self._log_writes},log-sector-size=512"]
        usb = ["-device", "qemu-xhci"]
        if self._modem:
            usb += ["-chardev", f"serial,id=modem,path={self._modem}", "-device", "usb-serial,chardev=modem"]
        for number, stick in enumerate(self._sticks):
            usb += ["-drive", f"if=none,id=stick{number},format=raw,file={stick}",
                    "-device", f"usb-storage,drive=stick{number},removable=on"]
        return ["-M", "virt", "-cpu", "cortex-a72", "-smp", str(self._cores), "-m", "1024",
                "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
                *blocks, "-device", f"virtio-blk-device,drive={'logged' if self._log_writes else 'disk'}",
                "-netdev", f"tap,id=lan,ifname={self.lan.port()},script=no,downscript=no",
                "-device", f"virtio-net-device,netdev=lan,mac={self.mac}", "-device", "virtio-rng-device",
                "-device", "virtio-serial-device",
                "-chardev", f"socket,id=shell,path={self._door},server=on,wait=off",
                "-device", "virtconsole,chardev=shell", "-serial", f"file:{self.serial}", *usb]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # -- power

    def kill(self) -> None:
        """The plug is pulled. What the box had not flushed is honest only with log_writes (tests/image/cuts.py)."""
        self.hang_up()
        self._qemu.kill()
        self._qemu.wait(10)
        self._door.unlink(missing_ok=True)

    def hang_up(self) -> None:
        """Leaves the shell inside: after a restart of the box there is another one."""
        if self._shell:
            self._shell.close()
            self._shell = None

    def power_off(self, limit_s: float = 180.0) -> None:
        """An orderly end."""
        self.send("systemctl poweroff")
        wait_until(lambda: self._qemu.poll() is not None, limit_s, "the box off")
        self.kill()

    def is_on(self) -> bool:
        return self._qemu.poll() is None

    # -- what it says

    def console(self) -> str:
        """The serial console so far."""
        return self.serial.read_text(errors="replace").replace("\r", "") if self.serial.exists() else ""

    def wait_console(self, words: str, limit_s: float = BOOT_LIMIT_S) -> float:
        """Seconds since the start when the console has said `words` (a regular expression)."""
        def said() -> bool:
            assert self.is_on(), f"QEMU ended; the console's last words: {self.console()[-1500:]}"
            text = self.console()
            assert "emergency mode" not in text.lower(), text[-3000:]
            return bool(re.search(words, text))
        wait_until(said, limit_s, f"{words!r} on the console, which ends: {self.console()[-600:]}")
        return time.monotonic() - self.started

    # -- inside

    def send(self, line: str) -> None:
        """A line for the shell inside, without waiting for its answer."""
        self._listen()
        assert self._shell is not None
        self._shell.sendall(line.encode() + b"\n")

    def run(self, command: str, limit_s: float = 120.0) -> str:
        """What the command printed, inside, as root. AssertionError with its words when it fails."""
        mark = f"{secrets.randbelow(10 ** 9):09d}"
        self.send(f"{{ {command}; }} 2>&1 </dev/null; echo; echo ={mark}=$?=")
        done = re.compile(f"^={mark}=(\\d+)=$", re.M)
        wait_until(lambda: self._hear() and done.search(self._heard), limit_s, f"an answer to {command!r}")
        found = done.search(self._heard)
        assert found is not None
        said, self._heard = self._heard[:found.start()].strip(), self._heard[found.end():]
        assert found[1] == "0", f"{command!r} ended with {found[1]}: {said}"
        return said

    def _listen(self) -> None:
        if self._shell:
            return
        wait_until(self._door.exists, BOOT_LIMIT_S, f"QEMU's socket {self._door}")
        self._shell = socket.socket(socket.AF_UNIX)
        self._shell.connect(os.fspath(self._door))
        self._shell.setblocking(False)
        asked = time.monotonic()

        def ready() -> bool:
            nonlocal asked
            assert self._shell is not None
            if time.monotonic() > asked:                    # it hears nothing before it is there
                asked = time.monotonic() + 5
                self._shell.sendall(b"exec env PS1= PS2= TERM=dumb sh\nstty -echo -onlcr; echo rea''dy\n")
            self._hear()
            return "\nready\n" in self._heard
        wait_until(ready, BOOT_LIMIT_S, f"the shell inside; the console ends: {self.console()[-600:]}")
        self._heard = self._heard.rpartition("ready\n")[2]

    def _hear(self) -> bool:
        assert self._shell is not None
        try:
            while got := self._shell.recv(65536):
                self._heard += got.decode(errors="replace").replace("\r", "")
        except BlockingIOError:
            pass
        return True

    # -- from outside

    def address(self, limit_s: float = BOOT_LIMIT_S) -> str:
        """What the LAN's DHCP server gave it, or its own."""
        return self._fixed or str(wait_until(lambda: self.lan.address(self.mac), limit_s,
                              f"an address for {self.mac}; the console ends: {self.console()[-600:]}"))
