"""`deskbell healthy`: whether this version may stay. Only here a slot is called good.

It looks until everything has been well for a while. A version on trial that does not get there in time is left: the box
restarts into the one before. One that does not come as far as here is left by the boot loader, which counts its tries.
A version that was good before is never left for a fault of today, nor for a power that comes and goes: it has its tries
back as soon as it runs.
"""
from __future__ import annotations

import contextlib
import http.client
import logging
import os
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from appliance import config
from appliance.box import boot_notes
from appliance.calls import agi, ami, follow
from appliance.config import Box
from appliance.store import db as store
from appliance.update import bundle, bundles, crossing, trial, verbs
from appliance.update.bundle import Ground

log = logging.getLogger("healthy")

WELL_FOR_S = 60.0
LIMIT_S = 600.0
LOOK_S = 5.0
PAGE_S = 15.0
CALL_S = 15.0
CALL = "Local/s@healthy"              # image/asterisk/extensions.conf; calls/ledger.py leaves it out of the history
DATA = Path("/data")
MOUNTS = Path("/proc/self/mountinfo")

Check = Callable[[Box], str]              # a sentence, "" when it is well


@dataclass(frozen=True)
class Means:
    """What the gate works with; tests give their own."""
    box: Box
    checks: tuple[Check, ...]
    ground: Ground
    rauc: tuple[str, ...] = (bundle.RAUC,)
    trial_file: Path = trial.FILE
    command_line: Path = boot_notes.COMMAND_LINE
    restart: Callable[[], None] = verbs.reboot
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    well_for_s: float = WELL_FOR_S
    limit_s: float = LIMIT_S


def run() -> int:
    return gate(Means(config.read(), (data, asterisk, loopback_call, bell, the_store, page), Ground()))


def gate(means: Means) -> int:
    """The exit code: 0 well and called good; 1 not well; 3 well, but it could not be called good."""
    on_trial, here = trial.read(means.trial_file), boot_notes.slot(means.command_line)
    is_new = on_trial is not None and on_trial.to_slot == here
    is_good = bool(here) and not is_new and _call_good(means)
    troubles = look(means)
    if on_trial and not is_new:
        came_back(on_trial, means)             # not before: the store may just be going back
    for sentence in troubles:
        log.error("%s", sentence)
    if not troubles:
        if here and not is_good and not _call_good(means):
            return 3
        if on_trial and is_new:
            settled(on_trial, "good", bundles.GOOD, means)
        means.ground.keep_epoch()
        log.info("Version %s is well%s.", means.ground.version, f" in slot {here}" if here else "")
        return 0
    if is_new:
        log.error("This version did not come up within %d minutes: the box goes back to the one before.",
                  means.limit_s // 60)
        _mark_bad("booted", means)             # or it would be tried twice more, with telephones that do not ring
        means.restart()
    return 1


def look(means: Means) -> list[str]:
    """What is not well at the end of the time; nothing once all was well for a while without a break."""
    began, well_since = means.clock(), None
    said: list[str] | None = None
    while True:
        troubles = [sentence for check in means.checks if (sentence := check(means.box))]
        if troubles != said:
            # the verdict tells the rest: the box's journal is small, and a slow start changes its mind for minutes
            log.log(logging.INFO if said is None else logging.DEBUG, "%s", " ".join(troubles) or "All is well now.")
            said = troubles
        now = means.clock()
        well_since = None if troubles else now if well_since is None else well_since
        if well_since is not None and now - well_since >= means.well_for_s:
            return []
        if now - began >= means.limit_s:
            return troubles or ["It was well only at times."]
        means.sleep(LOOK_S)


def came_back(on_trial: trial.Trial, means: Means) -> None:
    """We are the version before: the new one did not come up, or was never wholly written."""
    settled(on_trial, "went_back", bundles.WENT_BACK, means)
    _mark_bad("other", means)                  # or a refill of tries would try it again


def settled(on_trial: trial.Trial, state: str, said: str, means: Means) -> None:
    """Its row says what became of it; a store that cannot be written now holds nothing up."""
    try:
        db = store.connect(means.box.store)
        try:
            row = bundles.read(db, on_trial.bundle)
            if row and row.state == "installing" and state == "went_back":
                state, said = "failed", "The box was switched off while it was written. What ran before runs on."
            bundles.put(db, on_trial.bundle, state, said, means.now(), on_trial.from_version)
        finally:
            db.close()
    except (store.StoreError, sqlite3.Error) as broken:
        log.error("The page Update cannot say it (%s): %s", broken, said)
    trial.end(means.trial_file)


def _call_good(means: Means) -> bool:
    try:
        told = subprocess.run([*means.rauc, "status", "mark-good"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=bundle.RAUC_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as broken:
        log.error("The slot could not be called good (%s). It is tried again at the next start.", broken)
        return False
    if told.returncode:
        log.error("The slot could not be called good (%s). It is tried again at the next start.", told.stderr.strip())
    return told.returncode == 0


def _mark_bad(slot: str, means: Means) -> None:
    """The boot loader shall not start it any more; where RAUC cannot say so, the tries run out."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run([*means.rauc, "status", "mark-bad", slot], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=bundle.RAUC_S, check=False)


# What is looked at

def data(box: Box) -> str:
    """The data partition is there and can be written."""
    for line in MOUNTS.read_text().splitlines():
        mount, _, disk = line.partition(" - ")
        # what counts is the file system: to this unit systemd shows most places as read-only anyway
        if mount.split()[4] == str(DATA) and "ro" in disk.split()[2].split(","):
            return "The data partition can only be read. What happens is not kept."
    if not os.path.ismount(DATA):
        return "The data partition is not there. What happens is kept until the power goes, and no longer."
    return ""


def asterisk(box: Box) -> str:
    try:
        with ami.from_secret(box.secrets / "ami") as manager:
            manager.ask("CoreStatus")
    except ami.AmiError as silent:
        return f"{silent}. No call can come in."
    return ""


def loopback_call(box: Box) -> str:
    """A call of ours to ourselves is answered, and Asterisk's ledger has it: the history will have calls."""
    try:
        before = _our_calls(box)
        with ami.Ami("phone", (box.secrets / "ami-phone").read_text().strip(), timeout_s=CALL_S) as manager:
            manager.ask("Originate", Channel=f"{CALL}/n", Application="Wait", Data="1", Timeout=str(int(CALL_S * 500)))
        until = time.monotonic() + LOOK_S
        while _our_calls(box) == before:
            if time.monotonic() > until:
                return "A call to ourselves was answered, but Asterisk did not write it down. The history stands still."
            time.sleep(0.1)
    except (ami.AmiError, OSError, sqlite3.Error) as silent:
        return f"A call to ourselves was not answered ({silent})."
    return ""


def _our_calls(box: Box) -> int:
    """How many calls to ourselves the ledger has as answered."""
    with contextlib.closing(follow.Spool(box.ledger).db) as spool:
        return int(spool.execute("SELECT count(*) FROM cel WHERE kind = 'ANSWER' AND channel LIKE ?",
                                 (f"{CALL}-%",)).fetchone()[0])


def bell(box: Box) -> str:
    try:
        with socket.create_connection(agi.ADDRESS, LOOK_S) as line:
            line.sendall(b"agi_network_script: ping\n\n")
            if line.recv(1) == b"":
                return ""
    except OSError:
        pass
    return "deskbell-calls does not answer. Calls ring; nobody sees who it is."


def the_store(box: Box) -> str:
    """Opened, of this version, and writable: a transaction that is taken back."""
    try:
        if not box.store.exists():             # looking would make one
            return "The store is not yet that of this version."
        db = store.connect(box.store)
        try:
            if crossing.steps() - crossing.applied_steps(db):
                return "The store is not yet that of this version."
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        finally:
            db.close()
    except (store.StoreError, sqlite3.Error) as broken:
        return f"The store cannot be used ({broken})."
    return ""


def page(box: Box) -> str:
    """The pages answer, whatever name or certificate they have."""
    host = box.web.listen if box.web.listen not in ("0.0.0.0", "::", "") else "127.0.0.1"      # noqa: S104
    connection = (http.client.HTTPSConnection(host, box.web.port, timeout=PAGE_S,
                                              context=ssl._create_unverified_context())                 # noqa: S323
                  if box.web.tls else http.client.HTTPConnection(host, box.web.port, timeout=PAGE_S))
    try:
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        answer.read()
        if answer.status < 500:
            return ""
        said = f"status {answer.status}"
    except (OSError, http.client.HTTPException) as silent:
        said = str(silent) or type(silent).__name__
    finally:
        connection.close()
    return f"The pages do not answer ({said})."

