"""Carries out a factory reset, before anything of the data is in use; see reset_asked.py for who asks.

The note that asks goes last, so a cut only makes it begin again.
"""
from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from appliance.box import box_file, fat
from appliance.box.boot_notes import tell
from appliance.box.places import Places
from appliance.box.reset_asked import EVERYTHING, KEEP, NOTE, SEEN, cards, on_card
from appliance.config import ConfigError
from appliance.store.files import flush_folder, write_durably
from appliance.update.errands import RefusedError

log = logging.getLogger("reset")
# What says who may open the pages; children of user go with it.
PEOPLE = ("session", "recovery_code", "invitation", "pairing", "desk", "api_token", "user")
SAID = {KEEP: "The box starts anew without passwords and with the router's address. Calls, texts and customers stay.",
        EVERYTHING: "The box starts anew as it came: everything on it is deleted."}


def ask(etc: Path, what: str) -> str:
    """Leaves the note for the next start; what will be done, in words. Raises RefusedError."""
    if what not in SAID:
        raise RefusedError("A reset keeps the data or deletes everything; nothing was changed.")
    write_durably(etc / NOTE, f"{what}\n".encode())
    return SAID[what]


def errand(_db: sqlite3.Connection, wanted: dict[str, Any], progress: Callable[[int, str], None],
           etc: Path = Path("/etc/deskbell")) -> str:
    """The verb `reset`: {"keep": "data"} or {"keep": "nothing"}. The box is started anew by whoever asked."""
    what = {"data": KEEP, "nothing": EVERYTHING}.get(str(wanted.get("keep")), "")
    said = ask(etc, what)
    progress(100, said)
    return said


def carry_out(places: Places, what: str) -> None:
    """Deletes what is to go. Cut at any point it is begun again at the next start, and ends the same."""
    etc = places.data / "etc"
    etc.mkdir(exist_ok=True)
    write_durably(etc / NOTE, f"{what}\n".encode())
    if what == EVERYTHING:
        _empty(places.data, keep={"etc", "lost+found", SEEN})
        _empty(etc, keep={NOTE})
    else:
        _forget_people(places.data / "lib")
        for file in ("network.json", "firstboot.json", "secret/wifi"):
            (etc / file).unlink(missing_ok=True)
        _reopen(etc / "box.toml")
    if card := on_card(places):
        write_durably(places.data / SEEN, card[0].encode())     # also where the card takes no writing
        for asking in cards(places):
            with contextlib.suppress(OSError):
                fat.drop(asking)
    (etc / NOTE).unlink()
    flush_folder(etc)
    tell(places, "reset", {"what": what})
    log.warning("A factory reset was done (%s).", what)


def _empty(folder: Path, keep: set[str]) -> None:
    for found in sorted(folder.iterdir()):
        if found.name in keep:
            continue
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()
    flush_folder(folder)


def _forget_people(state: Path) -> None:
    """Nobody may open the pages any more: the first-run code, a new one, does."""
    (state / "sticker.txt").unlink(missing_ok=True)
    if not (state / "office.db").exists():
        return
    try:
        with closing(sqlite3.connect(state / "office.db")) as db, db:
            db.execute("PRAGMA foreign_keys = 1")
            db.execute("PRAGMA secure_delete = 1")
            there = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            for table in PEOPLE:
                if table in there:
                    db.execute(f"DELETE FROM {table}")
    except sqlite3.Error as broken:
        log.error("The passwords could not be taken back (%s).", broken)


def _reopen(file: Path) -> None:
    """Where pages and telephones are reached is as in a new box; lines and telephones stay, so that they ring."""
    try:
        table = box_file.read(file)
        if table is not None:
            box_file.write(file, {**table, "web": box_file.NEW["web"], "sip": box_file.NEW["sip"]})
    except ConfigError:
        file.rename(file.with_suffix(".unused"))     # it stopped the daemons: the box begins with a new one
