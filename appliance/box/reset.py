"""A factory reset: asked for on the page, by a file on the card or a held button; done at the next start.

It is done before anything of the data is in use. The note that asks goes last, so a cut only makes it begin again.
"""
from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from appliance.box import box_file, fat
from appliance.box.boot_notes import tell
from appliance.box.places import Places
from appliance.config import ConfigError
from appliance.store.files import flush_folder, write_durably
from appliance.update.errands import RefusedError

log = logging.getLogger("reset")
KEEP, EVERYTHING = "keep-data", "everything"
NOTE, SEEN, ON_CARD = "reset-wanted", "reset-seen", "factory-reset"
KEY_RESTART, KEYS = 0x198, 0x2ff           # linux/input-event-codes.h
HELD_S, LOOK_S = 5.0, 0.25
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


def pending(places: Places, is_held: bool = False) -> str | None:
    """"keep-data" or "everything" when a reset was asked for, by whichever way; a file on the card counts once."""
    with contextlib.suppress(OSError):
        asked = (places.data / "etc" / NOTE).read_text().strip()
        return asked if asked in SAID else KEEP
    if card := _on_card(places):
        mark, what = card
        seen = places.data / SEEN
        if not seen.exists() or seen.read_text() != mark:
            return what
    return KEEP if is_held else None


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
    if card := _on_card(places):
        write_durably(places.data / SEEN, card[0].encode())     # also where the card takes no writing
        for asking in _cards(places):
            with contextlib.suppress(OSError):
                fat.drop(asking)
    (etc / NOTE).unlink()
    flush_folder(etc)
    tell(places, "reset", {"what": what})
    log.warning("A factory reset was done (%s).", what)


def _on_card(places: Places) -> tuple[str, str] | None:
    """What makes this file of the card another than the last one, and what it asks; "everything" stands in it."""
    for file in _cards(places):
        with contextlib.suppress(OSError):
            found = file.stat()
            asked = file.read_bytes()[:200].decode("ascii", "ignore").replace("\0", "").lower()
            return json.dumps([found.st_size, found.st_mtime_ns]), EVERYTHING if "everything" in asked else KEEP
    return None


def _cards(places: Places) -> list[Path]:
    """Windows hides the end of a name that it has put there itself."""
    return [places.fat / ON_CARD, places.fat / f"{ON_CARD}.txt"]


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


def is_button_held(devices: Path = Path("/dev/input"), held_s: float = HELD_S) -> bool:
    """Whether a key that sends KEY_RESTART (a button on GPIO by `dtoverlay=gpio-key`) is down for held_s on end."""
    until = time.monotonic() + held_s
    while _is_down(devices):
        if time.monotonic() >= until:
            return True
        time.sleep(LOOK_S)
    return False


def _is_down(devices: Path) -> bool:
    for device in sorted(devices.glob("event*")):
        bits = bytearray(KEYS // 8 + 1)
        with contextlib.suppress(OSError), open(device, "rb", buffering=0) as opened:
            fcntl.ioctl(opened, 0x80004518 | len(bits) << 16, bits)      # EVIOCGKEY(len), linux/input.h
            if bits[KEY_RESTART // 8] >> KEY_RESTART % 8 & 1:
                return True
    return False
