"""The files of the recordings: opened and removed beneath their folder, no link followed on the way."""
from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from appliance.store.files import flush_folder


def open_beneath(folder: Path, name: str) -> int | None:
    """A descriptor of the plain file `name` below `folder`, None when there is none; no link is followed on the way."""
    file = -1
    try:
        with _holding(folder, name) as (here, last):
            file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
    except (OSError, ValueError):
        return None
    os.close(file)
    return None


def remove_beneath(folder: Path, name: str) -> bool:
    """Whether `name` is no longer below `folder`: removed now, or not there before. Only a name is ever removed,
    never what a link leads to.
    """
    try:
        with _holding(folder, name) as (here, last), contextlib.suppress(FileNotFoundError):
            os.unlink(last, dir_fd=here)
            os.fsync(here)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    return True


def make_month(folder: Path, month: str) -> Path:
    """The folder of a month below that of the recordings, made if need be; calls and clock both write there."""
    made = folder / month
    if not made.exists():
        made.mkdir(mode=0o770)
        flush_folder(folder)
    return made


@contextmanager
def _holding(folder: Path, name: str) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder that holds `name`, and its last part. ValueError for a name that leads elsewhere."""
    parts = PurePosixPath(name).parts
    if not parts or any(part in ("/", "//", "..") or "\0" in part for part in parts):
        raise ValueError(name)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            above, here = here, os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(above)
        yield here, parts[-1]
    finally:
        os.close(here)
