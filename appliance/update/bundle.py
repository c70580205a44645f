"""A bundle before it is installed: who made it, for which machine, which version, and whether every byte is as it was.

RAUC checks all of it again when it installs, and the machine's kernel each block as it is read. This is for the person
who brought it, in sentences, and before anything is written.
"""
from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import stat
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from appliance.box import licences
from appliance.store.files import write_durably

MOST_BYTES = 1200 * 1024 * 1024
SUFFIX = ".raucb"
RAUC = "/usr/bin/rauc"
RAUC_S = 60.0
BLOCK = 4096
MAGIC = b"hsqs"                    # squashfs, little endian
FOR_TESTS = "Deskbell for tests only"
VERSION = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,4}){1,3})(?:[.+~-][0-9A-Za-z.+~-]{0,40})?")
# The box's own system.conf makes RAUC keep a status, which a page may not.
TRUST = """[system]
compatible=any
bootloader=noop
bundle-formats=verity

[keyring]
path={}
check-purpose=codesign
use-bundle-signing-time=true
"""

NO_BUNDLE = "This file is no update for a Deskbell. Nothing was changed. The right file's name ends in .raucb."
CUT_OFF = ("The file is not whole: it was cut off or changed on its way. It is not installed. Fetch it again, or copy "
           "it again onto the stick.")
STRANGER = ("This update was not made by those whom this box trusts. It is not installed. Take it only from where your "
            "box came from.")
NO_RAUC = ("This box takes no updates this way: it was not set up from an image. INSTALL.md says how it is brought up "
           "to date.")


class BundleError(Exception):
    """A bundle that is not installed; the text says why."""


@dataclass(frozen=True)
class Ground:
    """What this box holds a bundle against. $DESKBELL_RAUC is another folder than /etc/rauc, as for tests."""
    conf: Path = field(default_factory=lambda: _rauc() / "system.conf")
    keyring: Path = field(default_factory=lambda: _rauc() / "keyring.pem")
    epoch_file: Path = Path("/etc/deskbell/epoch")
    version: str = field(default_factory=licences.version)
    epoch: int = field(default_factory=licences.epoch)

    @property
    def is_there(self) -> bool:
        return self.conf.is_file() and self.keyring.is_file()

    @property
    def compatible(self) -> str:
        """The machine this box is, as RAUC knows it; such as deskbell-arm64."""
        told = configparser.ConfigParser(interpolation=None)
        told.read(self.conf, encoding="utf-8")
        return told.get("system", "compatible", fallback="")

    @property
    def least_epoch(self) -> int:
        """The highest security epoch that ran here: nothing below it is installed."""
        try:
            return max(self.epoch, int(self.epoch_file.read_text()))
        except (OSError, ValueError):
            return self.epoch

    @property
    def is_for_tests(self) -> bool:
        """Whether it trusts an authority whose key anybody may have."""
        try:
            told = subprocess.run(["/usr/bin/openssl", "x509", "-in", str(self.keyring), "-noout", "-subject"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RAUC_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return FOR_TESTS in told.stdout

    def keep_epoch(self) -> None:
        """This version has been found good: what is below its epoch is not installed any more. Root's."""
        if self.least_epoch > self._kept():
            write_durably(self.epoch_file, f"{self.least_epoch}\n".encode())

    def _kept(self) -> int:
        try:
            return int(self.epoch_file.read_text())
        except (OSError, ValueError):
            return -1


@dataclass(frozen=True)
class Bundle:
    """news is what its makers say of it in a line; verity as RAUC writes it: the tree that vouches for each block."""
    version: str
    epoch: int
    news: str
    size_bytes: int
    compatible: str
    payload_bytes: int
    tree_bytes: int
    salt: bytes
    root: bytes


def _rauc() -> Path:
    return Path(os.environ.get("DESKBELL_RAUC", "/etc/rauc"))


def look(path: Path, ground: Ground) -> Bundle:
    """What a bundle says of itself, its signature checked, and that it fits here. Raises BundleError.

    Reads the end of the file only; whether every block is as signed, prove() says.
    """
    if not ground.is_there:
        raise BundleError(NO_RAUC)
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        bundle = _bundle(_told(path, ground), size, _signed_bytes(file, size))
    if bundle.compatible != ground.compatible:
        raise BundleError(f"This update is for another machine ({bundle.compatible}); this box is "
                          f"{ground.compatible}. It is not installed. Take the file for this machine.")
    if bundle.epoch < ground.least_epoch:
        raise BundleError(f"This update is older than a security hole that was closed here (epoch {bundle.epoch}, at "
                          f"least {ground.least_epoch} is wanted). It is not installed. Take a newer one.")
    if parts(bundle.version) < parts(ground.version):
        raise BundleError(f"This is version {bundle.version}, older than {ground.version}, which runs here and whose "
                          "store it could not read. It is not installed. Take a newer one.")
    return bundle


def prove(path: Path, bundle: Bundle, went: Callable[[int], None] = lambda percent: None) -> None:
    """Raises BundleError unless every block is as it was signed.

    The root of dm-verity's tree (Linux, admin-guide/device-mapper/verity, version 1): SHA-256 of the salt and each
    block of 4096 bytes, the sums packed into blocks again, until one is left.
    """
    salted = hashlib.sha256(bundle.salt)

    def summed(block: bytes | bytearray) -> bytes:
        one = salted.copy()
        one.update(block)
        return one.digest()

    with opened(path) as file:
        sums, levels = bytearray(), list[bytes]()
        for done in range(0, bundle.payload_bytes, BLOCK):
            if len(block := file.read(BLOCK)) < BLOCK:
                raise BundleError(CUT_OFF)
            sums += summed(block)
            if done % (4096 * BLOCK) == 0:
                went(done * 100 // bundle.payload_bytes)
        while len(sums) > 32:
            sums.extend(bytes(-len(sums) % BLOCK))
            levels.insert(0, bytes(sums))                      # the tree lies behind what it vouches for, its top first
            sums = bytearray().join(summed(sums[at:at + BLOCK]) for at in range(0, len(sums), BLOCK))
        if bytes(sums) != bundle.root or file.read(bundle.tree_bytes) != b"".join(levels):
            raise BundleError(CUT_OFF)


def parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare: 0.10.0 is above 0.9. Nothing of the kind is below everything."""
    if not (fits := VERSION.fullmatch(version)):
        return ()
    found = tuple(int(part) for part in fits[1].split("."))
    return (*found, *(0,) * (4 - len(found)))


def opened(path: Path, below: tuple[Path, ...] | None = None) -> BinaryIO:
    """A bundle, by the one descriptor that is read from then on. Raises BundleError.

    Neither a link, nor a pipe that would keep us waiting for ever, nor what lies elsewhere than below these folders:
    a path may come out of the store, which is the pages' to write, and we are root.
    """
    if below is not None and (".." in path.parts or not any(path.is_relative_to(one) for one in below)):
        raise BundleError(NO_BUNDLE)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as refused:
        raise _unreadable(refused) from refused
    try:
        _check_file(descriptor, below)
    except BaseException:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")


def _unreadable(refused: OSError) -> BundleError:
    return BundleError(f"The file cannot be read ({refused.strerror}). Copy it again, or use another stick.")


def _check_file(descriptor: int, below: tuple[Path, ...] | None) -> None:
    found = os.fstat(descriptor)
    here = Path(os.readlink(f"/proc/self/fd/{descriptor}"))          # also where a folder of the path is a link
    is_elsewhere = below is not None and not any(here.is_relative_to(one.resolve()) for one in below)
    if is_elsewhere or not stat.S_ISREG(found.st_mode):
        raise BundleError(NO_BUNDLE)
    try:
        magic = os.pread(descriptor, len(MAGIC), 0)
    except OSError as refused:
        raise _unreadable(refused) from refused
    if magic != MAGIC:
        raise BundleError(NO_BUNDLE)
    if found.st_size > MOST_BYTES:
        raise BundleError(f"The file has {found.st_size // 1_000_000} MB; no update is that large. Nothing was "
                          "changed.")


def _signed_bytes(file: BinaryIO, size: int) -> int:
    """Where the signature begins: its length stands in the last 8 bytes, big-endian."""
    file.seek(-8, os.SEEK_END)
    length = int(struct.unpack(">Q", file.read(8))[0])
    return size - 8 - length


def _told(path: Path, ground: Ground) -> dict[str, Any]:
    """What RAUC says of it, once its signature is good."""
    argv = [RAUC, "-c", "/dev/stdin", "info", "--output-format=json-2", "--", str(path)]
    try:
        told = subprocess.run(argv, input=TRUST.format(ground.keyring), capture_output=True, text=True, timeout=RAUC_S,
                              check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as refused:
        raise BundleError(f"The update could not be looked at ({refused}). Nothing was changed. Try again.") \
            from refused
    if told.returncode:
        is_stranger = "verif" in told.stderr and "certificate" in told.stderr
        raise BundleError(STRANGER if is_stranger else CUT_OFF)
    try:
        found = json.loads(told.stdout)
        return found if isinstance(found, dict) else {}
    except ValueError:
        raise BundleError(NO_BUNDLE) from None


def _bundle(told: dict[str, Any], size: int, signed: int) -> Bundle:
    """The manifest, as its makers signed it; whatever it lacks makes it none of ours."""
    try:
        update, form, meta = told["update"], told["bundle"], told["meta"]["deskbell"]
        epoch = int(meta["epoch"])
        if form["format"] != "verity" or not VERSION.fullmatch(update["version"]):
            raise BundleError(NO_BUNDLE)
        tree = int(form["verity-size"])
        payload = signed - tree
        if payload <= 0 or payload % BLOCK or not 0 <= tree < payload:
            raise BundleError(CUT_OFF)
        return Bundle(update["version"], epoch, str(update.get("description", ""))[:500], size, update["compatible"],
                      payload, tree, bytes.fromhex(form["verity-salt"]), bytes.fromhex(form["verity-hash"]))
    except (KeyError, TypeError, ValueError):
        raise BundleError(NO_BUNDLE) from None


def copy(source: BinaryIO, target: Path, size: int, went: Callable[[int], None]) -> None:
    """Brings a bundle from a stick, in pieces that leave calls their turn at the disk. Raises OSError."""
    def keep(kept: BinaryIO) -> None:
        done = 0
        while piece := source.read(min(4 * 1024 * 1024, size - done)):
            kept.write(piece)
            kept.flush()
            os.fdatasync(kept.fileno())
            done += len(piece)
            went(min(100, done * 100 // max(1, size)))

    write_durably(target, keep)
