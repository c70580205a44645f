"""Small cards for the tests of what starts a box: roots that are made up, and bootloaders run alone in QEMU.

Nothing here needs a kernel: a made-up system is 104 bytes that say their name on the serial line and switch off.
"""
from __future__ import annotations

import re
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SECTOR = 512
STATE_AT = 2048 * SECTOR
STATE_BYTES = 0x4000
SLOT_MIB = 8
SLOTS = {"A": (4 + 128) << 20, "B": (4 + 128 + SLOT_MIB) << 20}
FIRMWARE = ("bootcode.bin", "start.elf", "start4.elf", "fixup.dat", "fixup4.dat")
BOARDS = ("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2837-rpi-zero-2-w", "bcm2711-rpi-4-b", "bcm2711-rpi-400",
          "bcm2711-rpi-cm4-io", "bcm2712-rpi-5-b", "bcm2712-d-rpi-5-b")


def arm64_kernel(says: str) -> bytes:
    """An arm64 Image (Linux, Documentation/arch/arm64/booting): prints on the PL011 of QEMU's virt, then PSCI off."""
    header = struct.pack("<IIQQQQQQII", 0x14000010, 0xD503201F, 0, 4096, 0xA, 0, 0, 0, 0x644D5241, 0)
    code = struct.pack("<10I", 0x10000201, 0xD2A12002, 0x38401423, 0x34000063, 0xB9000043, 0x17FFFFFD,
                       0x52B08000, 0x72800100, 0xD4000002, 0x14000000)
    return (header + code).ljust(128, b"\0") + says.encode() + b"\r\n\0"


def amd64_kernel(says: str) -> bytes:
    """A bzImage (Documentation/arch/x86/boot): prints, and its arguments, on a PC's serial port, then switches off."""
    setup = bytearray(1024)
    for at, form, value in ((0x1F1, "B", 1), (0x1F4, "I", 32), (0x1FE, "H", 0xAA55), (0x200, "H", 0x66EB),
                            (0x202, "4s", b"HdrS"), (0x206, "H", 0x20C), (0x211, "B", 1), (0x214, "I", 0x100000),
                            (0x22C, "I", 0x7FFFFFFF), (0x230, "I", 0x200000), (0x234, "B", 1), (0x235, "B", 21),
                            (0x238, "I", 2047), (0x258, "Q", 0x1000000), (0x260, "I", 0x100000)):
        struct.pack_into("<" + form, setup, at, value)
    code = bytes.fromhex("fc 8bae28020000 e800000000 5e 81c634000000 66baf803 ac 84c0 7403 ee ebf8"
                         "85ed 7406 89ee 31ed ebee 66ba0406 66b80020 66ef ebfe")
    return bytes(setup) + (code.ljust(64, b"\0") + says.encode() + b"\r\n\0").ljust(512, b"\0")


def made_up_root(place: Path, says: str = "system A is up", arch: str = "arm64") -> Path:
    """A root with all that image/assemble looks for, and little more."""
    kernel = arm64_kernel(says) if arch == "arm64" else amd64_kernel(says)
    files = {"boot/vmlinuz-7": kernel, "boot/initrd.img-7": b"initrd" * 100, "etc/hostname": b"deskbell\n",
             "etc/shadow": b"root:*:20000:0:99999:7:::\ndeskbell:!:20000::::::\n", "etc/machine-id": b"",
             "usr/share/ca-certificates/Főtanúsítvány.crt": b"Debian has names such as this",
             "usr/lib/u-boot/rpi_arm64/u-boot.bin": b"u-boot"}
    files |= {f"usr/lib/raspi-firmware/{name}": name.encode() for name in FIRMWARE}
    files |= {f"usr/lib/modules/7/dtb/broadcom/{name}.dtb": name.encode() for name in BOARDS}
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    for name in ("vmlinuz", "initrd.img"):
        (place / "boot" / name).symlink_to(f"{name}-7")
    return place


def assemble(root: Path, out: Path, arch: str = "arm64", slot_mib: int = SLOT_MIB) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REPO / "image/assemble", root, out, "--arch", arch, "--slot-mib", str(slot_mib)],
                          capture_output=True, text=True, timeout=120, check=False)


def card_with_two_systems(folder: Path, arch: str = "arm64") -> Path:
    """A card as image/assemble makes it, with a second made-up system in slot B."""
    cards = {}
    for slot in SLOTS:
        cards[slot] = folder / f"{slot}.img"
        done = assemble(made_up_root(folder / slot, f"system {slot} is up", arch), cards[slot], arch)
        assert done.returncode == 0, done.stderr
    with cards["A"].open("r+b") as card, cards["B"].open("rb") as other:
        other.seek(SLOTS["A"])
        card.seek(SLOTS["B"])
        card.write(other.read(SLOT_MIB << 20))
    return cards["A"]


def copy(card: Path, to: Path) -> Path:
    subprocess.run(["cp", "--sparse=auto", card, to], check=True)
    return to


def state(**variables: str) -> bytes:
    """A block of U-Boot's state: CRC-32 of all that follows it, NAME=value by NULs, zeros."""
    data = b"".join(f"{name}={value}\0".encode() for name, value in variables.items()) + b"\0"
    data = data.ljust(STATE_BYTES - 4, b"\0")
    return struct.pack("<I", zlib.crc32(data)) + data


def variables_of(block: bytes) -> dict[str, str]:
    """What a block says. Its CRC must be right, and what lives must be in the first sector."""
    assert struct.unpack("<I", block[:4])[0] == zlib.crc32(block[4:]), "wrong checksum"
    live, _, rest = block[4:].partition(b"\0\0")
    assert 4 + len(live) + 2 <= SECTOR and not rest.strip(b"\0"), "not in the first sector alone"
    return dict(pair.decode().split("=", 1) for pair in live.split(b"\0"))


def read_state(card: Path) -> bytes:
    with card.open("rb") as file:
        file.seek(STATE_AT)
        return file.read(STATE_BYTES)


def write_state(card: Path, block: bytes) -> None:
    with card.open("r+b") as file:
        file.seek(STATE_AT)
        file.write(block)


def break_system(card: Path, slot: str) -> None:
    """Overwrites the start of a slot, its superblock with it."""
    with card.open("r+b") as file:
        file.seek(SLOTS[slot])
        file.write(b"\0" * 65536)


@dataclass(frozen=True)
class Start:
    """What the bootloader said until a system was up or the machine reset."""
    console: str

    @property
    def systems(self) -> list[str]:
        """The slots that were tried, in order."""
        return [line.split()[2] for line in self.console.splitlines()
                if line.startswith("Deskbell: system") and " starts;" in line]

    @property
    def up(self) -> str | None:
        """The slot whose made-up kernel ran."""
        found = re.findall(r"(?<!Deskbell: )system ([AB]) is up", self.console)      # GRUB may leave its line open
        return found[-1] if found else None


def start(card: Path, *, read_only: bool = False, resets: bool = False) -> Start:
    """Starts U-Boot alone. The virtual clock runs as fast as its processor, so waits of seconds take none."""
    reading = ",readonly=on" if read_only else ""
    return qemu(
        ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512",
         "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
         "-drive", f"file={card},format=raw,if=none,id=card{reading}",
         "-device", "virtio-blk-device,drive=card"], resets)


def start_pc(disk: Path, *, read_only: bool = False, resets: bool = False) -> Start:
    """Starts GRUB alone, by a PC's BIOS."""
    reading = ",readonly=on" if read_only else ""
    return qemu(["qemu-system-x86_64", "-M", "pc", "-m", "256",
                 "-drive", f"file={disk},format=raw,if=none,id=disk{reading}",
                 "-device", "virtio-blk-pci,drive=disk"], resets)


def qemu(command: list[str], resets: bool) -> Start:
    done = subprocess.run(
        [*command, "-accel", "tcg", "-icount", "shift=8,sleep=off", "-nographic", "-nic", "none",
         *([] if resets else ["-no-reboot"])],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    return Start(done.stdout.decode(errors="replace").replace("\r", ""))
