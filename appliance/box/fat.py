"""The partition that Windows reads: mounted read-only, opened for the moment in which the box writes there."""
from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.store.files import flush_folder

if TYPE_CHECKING:
    from appliance.box.firstboot_text import Line, Text

log = logging.getLogger("firstboot")
MS_RDONLY, MS_GUARDS, MS_REMOUNT = 1, 2 | 4 | 8, 32          # mount(2); guards: nosuid, nodev, noexec


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """While it lasts the partition takes files; then it is read-only again. OSError from the caller passes."""
    is_mount = os.path.ismount(folder)
    was_read_only = is_mount and os.statvfs(folder).f_flag & os.ST_RDONLY
    if was_read_only:
        _remount(folder, "rw")
    try:
        yield
    finally:
        if is_mount:
            os.sync()
        if was_read_only:
            _remount(folder, "ro")


def put(file: Path, content: bytes) -> bool:
    """Whether the file was written: it is not, when it says the same already. Raises OSError.

    Written aside and renamed: on FAT a cut may leave the file aside, never half of the one that is read.
    """
    if file.exists() and file.read_bytes() == content:
        return False
    with writable(file.parent):
        aside = file.with_name(file.stem[:8] + ".tmp")
        with open(aside, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        aside.rename(file)
        flush_folder(file.parent)
    return True


def wipe(file: Path, text: Text, lines: list[Line]) -> None:
    """Puts "" and blanks over the values, byte for byte in their place. Raises OSError.

    The file keeps its length and its clusters: nothing is left of a secret in clusters that no file has any more,
    and a cut leaves each value whole or gone.
    """
    with writable(file.parent), open(file, "r+b") as opened:
        for line in lines:
            begin, end = text.place(line.start), text.place(line.end)
            unit = len(" ".encode(text.codec))
            opened.seek(begin)
            opened.write(("\"\"" + " " * ((end - begin) // unit - 2)).encode(text.codec))
        opened.flush()
        os.fsync(opened.fileno())


def drop(file: Path) -> None:
    """Takes a file away. Raises OSError."""
    with writable(file.parent):
        file.unlink(missing_ok=True)
        flush_folder(file.parent)


def _remount(folder: Path, how: str) -> None:
    """By mount(2): mount(8) under the unit's filter of calls changes the file system and leaves this view read-only."""
    flags = MS_REMOUNT | MS_GUARDS | (MS_RDONLY if how == "ro" else 0)
    if ctypes.CDLL(None, use_errno=True).mount(None, os.fsencode(folder), None, flags, None):
        log.error("The card's first partition could not be made %s (%s).",
                  "writable" if how == "rw" else "read-only again", os.strerror(ctypes.get_errno()))
