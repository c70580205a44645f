"""Files that survive a power cut: written aside, flushed, renamed, and the folder flushed too."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_durably(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Puts content (bytes, or what the callable writes) at path, whole or not at all."""
    aside = path.with_name(path.name + ".tmp")
    try:
        with open(aside, "wb") as file:
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


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
