"""The partition that Windows reads: mounted read-only, opened for the moment in which the box writes there."""
from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.store.files import flush_folder

if TYPE_CHECKING:
    from appliance.box.firstboot_text import Line, Text

log = logging.getLogger("firstboot")
MOUNT_S = 30


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
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], capture_output=True, text=True,
                          timeout=MOUNT_S, check=False)
    if done.returncode:
        log.error("The card's first partition could not be made %s (%s).",
                  "writable" if how == "rw" else "read-only again", done.stderr.strip())
