"""What a receptionist changes: kept in the store, effective at once, inside the backup."""
from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from appliance import hours


class SettingError(Exception):
    """A setting was refused; the text says what is wanted."""


@dataclass(frozen=True)
class Settings:
    """Every setting with its default; `_s` seconds, `_min` minutes.

    opening_hours: see hours.py, "" when the shop never closes.
    Of automatic texts: at most texts_a_day to one number and breaker_an_hour in all, text_pause_min between two.
    Between quiet_from and quiet_until (equal: no quiet hours) a text is sent "later" or "drop"ped.
    """
    shop_name: str = "Our shop"
    opening_hours: str = ""
    text_pause_min: int = 60
    texts_a_day: int = 3
    quiet_from: str = "21:00"
    quiet_until: str = "08:00"
    quiet_does: str = "later"
    breaker_an_hour: int = 30
    record_calls: bool = False
    ring_s: int = 30
    closed_until: str = ""          # a UTC time as store.iso writes it; "" while the hours alone decide
    stop_words: str = ""            # further ones, by commas, beside those that texts/words.py knows
    stop_answer: str = "{shop}: you will get no more texts from us. Text START to undo this."
    start_answer: str = "{shop}: you will get our texts again. Text STOP to end them."
    owner_numbers: str = ""         # by commas: who may text STATUS, MISSED, CLOSED TILL 15, OPEN
    forward_texts: str = ""         # the number that gets a copy of each text that came; "" nobody
    forward_a_day: int = 30
    broadcast_from: str = "09:00"   # group texts go from here, shop time
    broadcast_until: str = "20:00"  # to here; the same as broadcast_from: at any hour


DEFAULTS = Settings()
RANGES = {"text_pause_min": (0, 7 * 24 * 60), "texts_a_day": (1, 100), "breaker_an_hour": (1, 1000),
          "ring_s": (5, 300), "forward_a_day": (0, 1000)}
CHOICES = {"quiet_does": ("later", "drop")}
TIMES: dict[str, Callable[[str], object]] = {
    "opening_hours": hours.parse, "closed_until": hours.until, "quiet_from": hours.minutes,
    "quiet_until": hours.minutes, "broadcast_from": hours.minutes, "broadcast_until": hours.minutes}


def read(db: sqlite3.Connection) -> Settings:
    """The settings as they stand; what was never set, or by a hand that did not know us, has its default."""
    stored = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM setting")}
    return Settings(**{key: stored[key] for key, default in asdict(DEFAULTS).items()
                       if type(stored.get(key)) is type(default) and _slip(key, stored[key]) is None})


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
    if slip := _slip(key, value):
        raise SettingError(slip)
    db.execute("INSERT INTO setting (key, value) VALUES (?, ?) "
               "ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, json.dumps(value)))


def _slip(key: str, value: object) -> str | None:
    """What is wrong with a value of the right type, in words."""
    if isinstance(value, int) and key in RANGES:
        low, high = RANGES[key]
        return None if low <= value <= high else f"{key} goes from {low} to {high}."
    if isinstance(value, str) and key in CHOICES:
        return None if value in CHOICES[key] else f"{key} is {' or '.join(CHOICES[key])}, not {value!r}."
    if isinstance(value, str) and key in TIMES:
        try:
            TIMES[key](value)
        except hours.HoursError as wrong:
            return f"{key}: {wrong}"
    return None
