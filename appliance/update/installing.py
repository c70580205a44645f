"""The verb `update`: proves the bundle, waits until nobody telephones, lets RAUC write the other slot, restarts.

What runs now is not touched: cut off anywhere, the box starts as it is. The new version is only tried at first; whether
it stays, health.py decides.
"""
from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance import config
from appliance.backup import places
from appliance.box import boot_notes
from appliance.config import Box
from appliance.update import bundle, bundles, trial, verbs
from appliance.update.bundle import BundleError, Ground
from appliance.update.errands import FailedError, RefusedError

QUIET_LIMIT_S = 3600.0
LOOK_S = 2.0
ROOM_BYTES = 32 * 1024 * 1024
PERCENT = re.compile(r"^\s*([0-9]{1,3})% ")
LAST_ERROR = re.compile(r"^LastError: (.*)", re.MULTILINE)

COPYING = "The update is copied from the stick."
PROVING = "Every block of the update is checked."
WAITING = "It waits until nobody is on the telephone."
WRITING = "The new version is written. Telephones ring as always."
TALKING = "Somebody was on the telephone for an hour, so nothing was done. Ask again later."
GONE = "The file of this update is no longer there. Bring it again."
DONE = ("The new version is written, and the box restarts with it. If it does not come up well, the box goes back by "
        "itself.")
LATER = ("The new version is written. Somebody is on the telephone, so the box starts with it when it is restarted "
         "next.")


@dataclass(frozen=True)
class Means:
    """What an installation works with; tests give their own."""
    box: Box
    ground: Ground
    rauc: tuple[str, ...] = (bundle.RAUC,)
    trial_file: Path = trial.FILE
    command_line: Path = boot_notes.COMMAND_LINE
    sticks: tuple[Path, ...] = places.STICKS
    restart: Callable[[], None] = verbs.reboot
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def errand(db: sqlite3.Connection, wanted: dict[str, Any], progress: verbs.Progress) -> str:
    """wanted: {"bundle": the id of its row}."""
    return install(db, int(wanted["bundle"]), progress, Means(config.read(), Ground()))


def install(db: sqlite3.Connection, row_id: int, progress: verbs.Progress, means: Means) -> str:
    row = bundles.read(db, row_id)
    if row is None or row.state not in ("ready", "night"):
        raise RefusedError(GONE)
    try:
        path = _here(db, row, progress, means)
        found = bundle.look(path, means.ground)
        progress(12, PROVING)
        bundle.prove(path, found, lambda percent: progress(12 + percent // 12, PROVING))
    except BundleError as refused:
        if row.source == "stick":
            _copied(row, means).unlink(missing_ok=True)
        bundles.put(db, row.id, "failed", str(refused), means.now())
        raise RefusedError(str(refused)) from refused
    wait_for_quiet(db, progress, 20, means)
    bundles.put(db, row.id, "installing", from_version=means.ground.version)
    here = boot_notes.slot(means.command_line)
    try:                                      # first: RAUC's last step makes the box start with it, whoever is cut off
        _begin(trial.Trial(row.id, means.ground.version, found.version, here, "B" if here == "A" else "A"), means)
        _write(path, progress, means)
    except FailedError as failed:
        trial.end(means.trial_file)
        bundles.put(db, row.id, "failed", str(failed), means.now())
        raise
    bundles.put(db, row.id, "installed")
    bundles.tidy(db, means.box)
    try:
        wait_for_quiet(db, progress, 96, means)
    except RefusedError:
        return LATER
    means.restart()
    return DONE


def is_quiet(db: sqlite3.Connection) -> bool:
    """Whether nobody is on the telephone, as the ledger has it."""
    return db.execute("SELECT 1 FROM call WHERE ended_at IS NULL LIMIT 1").fetchone() is None


def wait_for_quiet(db: sqlite3.Connection, progress: verbs.Progress, percent: int, means: Means) -> None:
    """Returns when no call lives. Raises RefusedError after an hour."""
    waited = 0.0
    while not is_quiet(db):
        if waited >= QUIET_LIMIT_S:
            raise RefusedError(TALKING)
        progress(percent, WAITING)
        means.sleep(LOOK_S)
        waited += LOOK_S


def _here(db: sqlite3.Connection, row: bundles.Row, progress: verbs.Progress, means: Means) -> Path:
    """Where the file lies on this box; one on a stick is copied first, for a stick may be pulled."""
    path, folder = bundles.path(means.box, row), bundles.folder(means.box)
    if row.source != "stick":
        if not path.is_file():
            raise BundleError(GONE)
        bundle.opened(path, (folder,)).close()
        return path
    with bundle.opened(path, means.sticks) as source:
        size = os.fstat(source.fileno()).st_size
        if shutil.disk_usage(folder).free < size + ROOM_BYTES:
            raise BundleError(f"There is no room for the update: {size // 1_000_000 + 32} MB are needed. Delete "
                              "recordings or backups that nobody needs.")
        try:
            bundle.copy(source, _copied(row, means), size, lambda percent: progress(percent // 10, COPYING))
        except OSError as broken:
            raise BundleError(f"The stick or the disk does not work ({broken.strerror}). Nothing was changed. Try "
                              "another stick.") from broken
    return _copied(row, means)


def _copied(row: bundles.Row, means: Means) -> Path:
    """Where the bundle of a stick is copied to."""
    return bundles.folder(means.box) / f"{row.id}{bundle.SUFFIX}"


def _begin(made: trial.Trial, means: Means) -> None:
    try:
        trial.begin(made, means.trial_file)
    except OSError as full:
        raise FailedError(f"The new version could not be written ({full.strerror}). What ran before runs on.") from full


def _write(path: Path, progress: verbs.Progress, means: Means) -> None:
    """Lets RAUC write the slot that is not running. Raises FailedError with its last words."""
    progress(20, WRITING)
    try:
        with subprocess.Popen([*means.rauc, "install", "--", str(path)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as rauc:
            assert rauc.stdout
            said: list[str] = []
            for line in rauc.stdout:
                said.append(line)
                if at := PERCENT.match(line):
                    progress(20 + int(at[1]) * 3 // 4, WRITING)
        if rauc.returncode:
            raise FailedError(why("".join(said)))
    except OSError as missing:
        raise FailedError(bundle.NO_RAUC) from missing


def why(told: str) -> str:
    """RAUC's last words as a sentence."""
    found, lines = LAST_ERROR.search(told), told.strip().splitlines() or ["no reason given"]
    last = " ".join((found[1] if found else lines[-1]).split())
    if "ompatible" in last:
        return "This update is for another machine. What ran before runs on."
    if "re-install handler" in last:          # the gate: see image/overlay/usr/libexec/deskbell-update-gate
        return "This update is older than a security hole that was closed here. What ran before runs on."
    return f"The new version could not be written ({last[:200]}). What ran before runs on."
