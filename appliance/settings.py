"""What a receptionist changes: kept in the store, effective at once, inside the backup."""
from __future__ import annotations

import difflib
import json
import sqlite3
from dataclasses import asdict, dataclass, fields

MISSED_TEXT = "{shop}: sorry we missed your call. We will ring you back soon."


class SettingError(Exception):
    """A setting was refused; the text says what is wanted."""


@dataclass(frozen=True)
class Settings:
    """Every setting with its default; `_s` seconds, `_min` minutes."""
    shop_name: str = "Our shop"
    missed_text_on: bool = True
    missed_text: str = MISSED_TEXT
    missed_text_delay_s: int = 0
    missed_text_pause_min: int = 60
    record_calls: bool = False
    ring_s: int = 30
    closed_until: str = ""          # a UTC time as store.iso writes it; "" while the hours alone decide
    stop_words: str = ""            # further ones, by commas, beside those that texts/words.py knows
    stop_answer: str = "{shop}: you will get no more texts from us. Text START to undo this."
    start_answer: str = "{shop}: you will get our texts again. Text STOP to end them."
    owner_numbers: str = ""         # by commas: who may text STATUS, MISSED, CLOSED TILL 15, OPEN
    forward_texts: str = ""         # the number that gets a copy of each text that came; "" nobody
    forward_a_day: int = 30


DEFAULTS = Settings()
RANGES = {"missed_text_delay_s": (0, 3600), "missed_text_pause_min": (0, 7 * 24 * 60), "ring_s": (5, 300),
          "forward_a_day": (0, 1000)}


def read(db: sqlite3.Connection) -> Settings:
    """The settings as they stand; what was never set, or by a hand that did not know us, has its default."""
    stored = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM setting")}
    return Settings(**{key: stored[key] for key, default in asdict(DEFAULTS).items()
                       if type(stored.get(key)) is type(default)})


def put(db: sqlite3.Connection, key: str, value: object) -> None:
    """Keeps one setting. Raises SettingError for an unknown key or a value that does not fit."""
    names = [f.name for f in fields(Settings)]
    if key not in names:
        near = difflib.get_close_matches(key, names, 1)
        raise SettingError(f"There is no setting {key!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    wanted = type(getattr(DEFAULTS, key))
    if type(value) is not wanted:
        words = {bool: "true or false", int: "a whole number", str: "text"}[wanted]
        raise SettingError(f"{key} is {words}, not {value!r}.")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as half:
            raise SettingError(f"{key} holds a character that is not whole. Type it again.") from half
    low, high = RANGES.get(key, (None, None))
    if isinstance(value, int) and low is not None and high is not None and not low <= value <= high:
        raise SettingError(f"{key} goes from {low} to {high}.")
    db.execute("INSERT INTO setting (key, value) VALUES (?, ?) "
               "ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, json.dumps(value)))
