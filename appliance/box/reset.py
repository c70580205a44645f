"""Carries out a factory reset, before anything of the data is in use; see reset_asked.py for who asks.

The note that asks goes last, so a cut only makes it begin again.
"""
from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.box import box_file, fat, people_gone
from appliance.box.boot_notes import tell
from appliance.box.places import Places
from appliance.box.reset_asked import EVERYTHING, KEEP, NOTE, SEEN, cards, on_card
from appliance.config import ConfigError
from appliance.store.files import flush_folder, write_durably
from appliance.update import verbs
from appliance.update.errands import FailedError, RefusedError

log = logging.getLogger("reset")
SAID = {KEEP: "The box starts anew without passwords and with the router's address. Calls, texts and customers stay.",
        EVERYTHING: "The box starts anew as it came: everything on it is deleted."}
WAITS = "The reset is done when the box is started next."
OLD_PASSWORDS = ("The factory reset could not take the passwords back, because the store cannot be used ({0}): who "
                 "could open the pages still can. Calls ring. It is tried again at each start. Restore a backup and "
                 "restart, or have everything deleted.")


def ask(etc: Path, what: str) -> str:
    """Leaves the note for the next start; what will be done, in words. Raises RefusedError."""
    if what not in SAID:
        raise RefusedError("A reset keeps the data or deletes everything; nothing was changed.")
    write_durably(etc / NOTE, f"{what}\n".encode())
    return SAID[what]


def errand(_db: sqlite3.Connection, wanted: dict[str, Any], progress: Callable[[int, str], None],
           etc: Path = Path("/etc/deskbell"), restart: Callable[[], None] = verbs.reboot) -> str:
    """The verb `reset`: {"keep": "data"} or {"keep": "nothing"}; then the box restarts. Raises RefusedError."""
    what = {"data": KEEP, "nothing": EVERYTHING}.get(str(wanted.get("keep")), "")
    said = ask(etc, what)
    progress(100, said)
    try:
        restart()
    except FailedError as refused:
        raise FailedError(f"{refused} {WAITS}") from refused
    return said


def carry_out(places: Places, what: str) -> None:
    """Deletes what is to go. Cut at any point it is begun again at the next start, and ends the same.

    Passwords that cannot be taken back leave the note, and a sentence for the report. Raises OSError.
    """
    etc = places.data / "etc"
    etc.mkdir(exist_ok=True)
    _note(etc, what)
    kept_by = ""
    if what == EVERYTHING:
        _empty(places.data, keep={"etc", "lost+found", SEEN})
        _empty(etc, keep={NOTE})
    else:
        kept_by = people_gone.forget(places.data / "lib")
        for file in ("network.json", "firstboot.json", "secret/wifi"):
            (etc / file).unlink(missing_ok=True)
        _reopen(etc / "box.toml")
    if card := on_card(places):
        write_durably(places.data / SEEN, card[0].encode())     # also where the card takes no writing
        for asking in cards(places):
            with contextlib.suppress(OSError):
                fat.drop(asking)
    if kept_by:
        tell(places, "reset", {"said": [OLD_PASSWORDS.format(kept_by)]})
        log.error("The passwords could not be taken back (%s).", kept_by)
        return
    (etc / NOTE).unlink()
    flush_folder(etc)
    tell(places, "reset", {"what": what})
    log.warning("A factory reset was done (%s).", what)


def _note(etc: Path, what: str) -> None:
    """The note that asks, unless it stands: on a full disk a reset is what makes room."""
    wanted = f"{what}\n".encode()
    with contextlib.suppress(OSError):
        if (etc / NOTE).read_bytes() == wanted:
            return
    write_durably(etc / NOTE, wanted)


def _empty(folder: Path, keep: set[str]) -> None:
    for found in sorted(folder.iterdir()):
        if found.name in keep:
            continue
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()
    flush_folder(folder)


def _reopen(file: Path) -> None:
    """Where pages and telephones are reached is as in a new box; lines and telephones stay, so that they ring."""
    try:
        table = box_file.read(file)
        if table is not None:
            box_file.write(file, {**table, "web": box_file.NEW["web"], "sip": box_file.NEW["sip"]})
    except ConfigError:
        file.rename(file.with_suffix(".unused"))     # it stopped the daemons: the box begins with a new one
