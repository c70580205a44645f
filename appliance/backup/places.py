"""Where backups go: this box, a USB stick. Each place has the same few verbs; a network folder has them in network.py.

A file is written aside and gets its name when it is whole and flushed.
"""
from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from appliance.store.files import flush_folder

NAME = re.compile(r"deskbell-[A-Za-z0-9._-]{1,64}-[0-9]{8}T[0-9]{6}Z(?:-[0-9]{1,18})?\.tar\.zst(?:\.age)?", re.ASCII)
ASIDE = ".part"
FLUSH_BYTES = 8 * 1024 * 1024
STICKS = (Path("/media"), Path("/run/media"), Path("/mnt"))
FOLDER = "Deskbell"                # on a stick
MOUNTS = Path("/proc/self/mountinfo")


class PlaceError(Exception):
    """A place cannot be used now; the text says why and what to do."""


class Place(Protocol):
    def names(self) -> dict[str, int]:
        """The backups there, each with its size in bytes."""

    def put(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to write into; it has its name once the block has ended well, and is gone when it has not."""

    def get(self, name: str) -> BinaryIO: ...

    def remove(self, name: str) -> None:
        """Removes a backup; one that is not there is no trouble."""

    def free_bytes(self) -> int | None:
        """Room left, None when the place does not say."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Stick:
    """A mounted USB stick: where, and what it is called."""
    folder: Path
    label: str


class Steady(io.FileIO):
    """A file that goes to the disk in small pieces, so that no commit of a call waits behind a gigabyte."""

    unflushed = 0

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self.unflushed += written
        if self.unflushed >= FLUSH_BYTES:
            os.fdatasync(self.fileno())
            self.unflushed = 0
        return written


class Folder:
    """A folder of this machine. what: as a sentence begins with it, such as "The USB stick"."""

    def __init__(self, folder: Path, what: str, mode: int = 0o640) -> None:
        self._folder, self._what, self._mode = folder, what, mode
        with self._said():
            folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> dict[str, int]:
        with self._said():
            return {file.name: file.stat().st_size for file in self._folder.iterdir()
                    if NAME.fullmatch(file.name) and file.is_file() and not file.is_symlink()}

    @contextmanager
    def put(self, name: str) -> Iterator[BinaryIO]:
        path = self._path(name)
        aside = path.with_name(name + ASIDE)
        with self._said():
            for left in self._folder.glob("deskbell-*" + ASIDE):     # of a power cut: one of us works at a time
                left.unlink()
            try:
                descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, self._mode)
                with io.BufferedWriter(Steady(descriptor, "wb"), 1024 * 1024) as file:
                    yield cast(BinaryIO, file)
                    file.flush()
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)   # it is proved from the disk
                aside.rename(path)
                flush_folder(self._folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    aside.unlink(missing_ok=True)
                raise

    def get(self, name: str) -> BinaryIO:
        with self._said():
            return open(os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")

    def remove(self, name: str) -> None:
        with self._said():
            self._path(name).unlink(missing_ok=True)

    def free_bytes(self) -> int | None:
        with self._said():
            return shutil.disk_usage(self._folder).free

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise PlaceError("That is no name of a backup.")
        return self._folder / name

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as refused:
            raise PlaceError(why(self._what, refused)) from refused


def why(what: str, refused: OSError) -> str:
    """What a disk refused, in words."""
    match refused.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"{what} is full. Remove old files there, or keep fewer backups."
        case errno.EFBIG:
            return f"{what} holds no file above 4 GB. Format it as exFAT or ext4, or leave the recordings out."
        case errno.EROFS:
            return f"{what} is write-protected. Take the protection off, or use another."
        case errno.EACCES | errno.EPERM:
            return f"{what} may not be written to by the box. Mount it so that the group deskbell may write."
        case errno.ENOENT:
            return f"{what} does not hold that file any more."
        case _:
            return f"{what} does not work ({refused.strerror or type(refused).__name__}). Plug it in again and try."


def sticks(below: tuple[Path, ...] = STICKS, mounts: Path = MOUNTS) -> list[Stick]:
    """What is mounted where sticks are, by its folder."""
    found = []
    for line in mounts.read_text().splitlines():
        path = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]))
        if any(path.is_relative_to(folder) and path != folder for folder in below):
            found.append(Stick(path, path.name))
    return found


def stick(address: str, name: str, below: tuple[Path, ...] = STICKS, mounts: Path = MOUNTS) -> Folder:
    """The stick with this label or folder. Raises PlaceError while it is not plugged in."""
    for one in sticks((*below, Path("/")) if address.startswith("/") else below, mounts):
        if address in (one.label, str(one.folder)):
            return Folder(one.folder / FOLDER, name, 0o660)
    raise PlaceError(f"{name} is not plugged in. Plug it in and press Try.")
