"""What the office chose over box.toml: country, time zone, language, its numbers and the names of lines and telephones.

box.toml holds what the installer knew; a setting that is not "" stands over it, at once and in every backup.
"""
from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appliance.people import numbers

if TYPE_CHECKING:
    from appliance.config import Box

KEYS = ("country", "time_zone", "language", "own_numbers", "line_names", "extension_names")
LONGEST_NAME = 40
LOOK_S = 2.0


def read(db: sqlite3.Connection) -> dict[str, str]:
    """What the office chose; what it never touched is not there."""
    rows = db.execute(f"SELECT key, value FROM setting WHERE key IN ({', '.join('?' * len(KEYS))})", KEYS)
    found = {key: json.loads(value) for key, value in rows}
    return {key: value for key, value in found.items() if isinstance(value, str) and value}


def look(store: Path) -> dict[str, str]:
    """The same out of a store that may not be there yet, may be busy or broken: then box.toml alone counts."""
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            return read(db)
    except (sqlite3.Error, ValueError):
        return {}


def over(box: Box, chosen: Mapping[str, str]) -> Box:
    """The box as the office chose it. What cannot be used is left as box.toml says: it stops no call."""
    country = chosen.get("country", "")
    country = country if country and numbers.is_country(country) else box.country
    time_zone = chosen.get("time_zone", "")
    own = [numbers.e164(raw.strip(), country) for raw in chosen.get("own_numbers", "").split(",") if raw.strip()]
    lines, phones = names(chosen.get("line_names", "")), names(chosen.get("extension_names", ""))
    return replace(
        box, country=country, time_zone=time_zone if time_zone and is_zone(time_zone) else box.time_zone,
        language=chosen.get("language") or box.language,
        own_numbers=tuple(number for number in own if number) or box.own_numbers,
        trunks=tuple(replace(trunk, name=lines.get(trunk.key, trunk.name)) for trunk in box.trunks),
        extensions=tuple(replace(phone, name=phones.get(phone.number, phone.name)) for phone in box.extensions))


def is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def names(text: str) -> dict[str, str]:
    """The names of "101=Counter", one a line."""
    pairs = (line.partition("=") for line in text.split("\n"))
    return {key.strip(): name.strip()[:LONGEST_NAME] for key, _, name in pairs if key.strip() and name.strip()}


def written(named: Mapping[str, str]) -> str:
    """What names() reads."""
    return "\n".join(f"{key}={re.sub(r'[^\S ]+', ' ', name).strip()[:LONGEST_NAME]}" for key, name in named.items())


class Watch(threading.Thread):
    """Ends a daemon when the office chose anew: it begins again, in the same process, with what it then reads.

    Country and time zone are in what every part of it made at its start; nothing of them may stay.
    """

    def __init__(self, store: Path, stop: threading.Event, every_s: float = LOOK_S) -> None:
        super().__init__(name="chosen", daemon=True)
        self.is_changed = False
        self._store, self._stop_daemon, self._every_s = store, stop, every_s
        self._known = look(store)
        self.start()

    def run(self) -> None:
        while not self._stop_daemon.wait(self._every_s):
            if self._store.exists() and (now := look(self._store)) != self._known:
                # asked twice: a store that was busy for a moment chose nothing
                self.is_changed = not self._stop_daemon.wait(self._every_s) and look(self._store) == now
            if self.is_changed:
                self._stop_daemon.set()
