"""Whether a factory reset was asked for: by a note from the page, a file on the card or a held button.

It is looked at in every start, before anything else, so this imports next to nothing.
"""
from __future__ import annotations

import contextlib
import fcntl
import json
import time
from pathlib import Path

from appliance.box.places import Places

KEEP, EVERYTHING = "keep-data", "everything"
NOTE, SEEN, ON_CARD = "reset-wanted", "reset-seen", "factory-reset"
KEY_RESTART, KEYS = 0x198, 0x2ff           # linux/input-event-codes.h
HELD_S, LOOK_S = 5.0, 0.25


def pending(places: Places, is_held: bool = False) -> str | None:
    """"keep-data" or "everything" when a reset was asked for, by whichever way; a file on the card counts once.

    One that keeps the data, and could not yet be done, stands in the way of none that deletes everything.
    """
    asked = {KEEP} if is_held else set[str]()
    with contextlib.suppress(OSError):
        note = (places.data / "etc" / NOTE).read_bytes().strip()
        asked.add(EVERYTHING if note == EVERYTHING.encode() else KEEP)
    if (card := on_card(places)) and _last_seen(places) != card[0].encode():
        asked.add(card[1])
    return EVERYTHING if EVERYTHING in asked else KEEP if asked else None


def _last_seen(places: Places) -> bytes:
    try:
        return (places.data / SEEN).read_bytes()
    except OSError:
        return b""


def on_card(places: Places) -> tuple[str, str] | None:
    """What makes this file of the card another than the last one, and what it asks; "everything" stands in it."""
    for file in cards(places):
        with contextlib.suppress(OSError):
            found = file.stat()
            asked = file.read_bytes()[:200].decode("ascii", "ignore").replace("\0", "").lower()
            return json.dumps([found.st_size, found.st_mtime_ns]), EVERYTHING if "everything" in asked else KEEP
    return None


def cards(places: Places) -> list[Path]:
    """Windows hides the end of a name that it has put there itself."""
    return [places.fat / ON_CARD, places.fat / f"{ON_CARD}.txt"]


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
