"""What the steward can do: a fixed list of verbs, each a function that is imported when it is wanted."""
from __future__ import annotations

import importlib
import sqlite3
import subprocess
from collections.abc import Callable
from typing import Any

from appliance.update.errands import FailedError

Progress = Callable[[int, str], None]          # percent and a sentence, "" for none
Verb = Callable[[sqlite3.Connection, dict[str, Any], Progress], str]

NAMES = {
    "update": "appliance.update.installing:errand",
    "reboot": "appliance.update.verbs:restart",
    "power-off": "appliance.update.verbs:power_off",
    "reset": "appliance.box.reset:errand",
    "network": "appliance.box.network_files:errand",
    "time": "appliance.box.network_time:errand",
    "line": "appliance.box.lines:errand",
}
SYSTEMCTL_S = 20.0


def verb(kind: str) -> Verb | None:
    """The function of a kind; None for one that this box does not know."""
    module, _, function = NAMES.get(kind, "").partition(":")
    if not module:
        return None
    found: Verb = getattr(importlib.import_module(module), function)
    return found


def restart(_db: sqlite3.Connection, _wanted: dict[str, Any], _progress: Progress) -> str:
    reboot()
    return "The box restarts. It is back in about two minutes; telephones ring again as soon as it is."


def power_off(_db: sqlite3.Connection, _wanted: dict[str, Any], _progress: Progress) -> str:
    systemctl("poweroff")
    return "The box switches itself off. Take its power away once its lamp is dark; give it power to start it."


def reboot() -> None:
    """Begins a restart and returns. Raises FailedError."""
    systemctl("reboot")


def systemctl(*verb_and_units: str) -> None:
    """One order to systemd, not waited for. Raises FailedError."""
    try:
        done = subprocess.run(["/usr/bin/systemctl", "--no-block", *verb_and_units], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SYSTEMCTL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as refused:
        raise FailedError(f"The system could not be asked ({refused}). Take the power away and give it back.") \
            from refused
    if done.returncode:
        raise FailedError(f"The system refused: {done.stderr.strip()[:200]}")
