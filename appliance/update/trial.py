"""A new version on trial: written down before it is installed, settled when it is well or the old one is back.

Root's alone (/etc/deskbell is not the pages'). Without such a file a boot is an ordinary one.
"""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.store.files import flush_folder, write_durably

FILE = Path("/etc/deskbell/trial.json")


@dataclass(frozen=True)
class Trial:
    """to_slot is where the new version lies; bundle is its row, which says how it came."""
    bundle: int
    from_version: str
    to_version: str
    from_slot: str
    to_slot: str


def begin(trial: Trial, file: Path = FILE) -> None:
    write_durably(file, json.dumps(asdict(trial)).encode())


def read(file: Path = FILE) -> Trial | None:
    """The trial under way, None when there is none or its file makes no sense."""
    try:
        return Trial(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def end(file: Path = FILE) -> None:
    file.unlink(missing_ok=True)
    flush_folder(file.parent)
