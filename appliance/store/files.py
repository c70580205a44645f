"""Files that survive a power cut: written aside, flushed, renamed, and the folder flushed too."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_durably(path: Path, content: bytes | Callable[[BinaryIO], None], mode: int | None = None) -> None:
    """Puts content (bytes, or what the callable writes) at path, whole or not at all.

    It has its mode (None: by the mask we run with) before it has its name. What lies aside already, such as a link of
    somebody who may write in this folder too, is taken away and never written through.
    """
    aside = path.with_name(path.name + ".tmp")
    try:
        aside.unlink(missing_ok=True)
        with open(aside, "wb", opener=_new) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)      # on a full disk half a file is only in the way
        raise
    flush_folder(path.parent)


def _new(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
