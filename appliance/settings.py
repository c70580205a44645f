"""What a receptionist changes: kept in the store, effective at once, inside the backup."""
from __future__ import annotations

import difflib
import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from appliance import chosen, holidays, hours, networks
from appliance.calls import sale
from appliance.people import numbers


class SettingError(Exception):
    """A setting was refused; the text says what is wanted."""


@dataclass(frozen=True)
class Settings:
    """Every setting with its default; `_s` seconds, `_min` minutes.

    opening_hours: see hours.py, "" when the shop never closes.
    Of automatic texts: at most texts_a_day to one number and breaker_an_hour in all, text_pause_min between two.
    Between quiet_from and quiet_until (equal: no quiet hours) a text is sent "later" or "drop"ped.
    country to extension_names: "" as box.toml says, see chosen.py.
    """
    shop_name: str = "Our shop"
    country: str = ""
    time_zone: str = ""
    language: str = ""
    own_numbers: str = ""           # by commas
    line_names: str = ""            # "line1=Counter", one a line
    extension_names: str = ""       # "101=Counter", one a line
    opening_hours: str = ""
    special_days: str = ""          # one a line, see holidays.py
    text_pause_min: int = 60
    texts_a_day: int = 3
    quiet_from: str = "21:00"
    quiet_until: str = "08:00"
    quiet_does: str = "later"
    breaker_an_hour: int = 30
    record_calls: bool = False
    recording_notice: bool = False          # both hear a sentence before anything is recorded
    recording_keep_days: int = 90           # then they go, starred ones never; 0: for ever
    recording_free_percent: int = 15        # of the disk stays free: the oldest go earlier, starred ones never
    ring_s: int = 30
    silent_phones: str = ""         # by commas: extensions that calls from outside do not ring
    closed_until: str = ""          # a UTC time as store.iso writes it; "" while the hours alone decide
    stop_words: str = ""            # further ones, by commas, beside those that texts/words.py knows
    stop_answer: str = "{shop}: you will get no more texts from us. Text START to undo this."
    start_answer: str = "{shop}: you will get our texts again. Text STOP to end them."
    owner_numbers: str = ""         # by commas: who may text STATUS, MISSED, CLOSED TILL 15, OPEN
    forward_texts: str = ""         # the number that gets a copy of each text that came; "" nobody
    forward_a_day: int = 30
    broadcast_from: str = "09:00"   # group texts go from here, shop time
    broadcast_until: str = "20:00"  # to here; the same as broadcast_from: at any hour
    backup_at: str = "02:15"        # when the nightly backups begin, shop time
    pop_sound: bool = True          # a desk rings softly when a call comes
    pop_outgoing: bool = False      # calls that go out rise on the desks too
    service_level_s: int = 20       # the goal: this share of the calls is answered within so many seconds,
    service_level_percent: int = 80
    abandon_under_s: int = 5        # who hung up in less is left out of it; 0: nobody is
    average_sale: str = ""          # such as "£48", for what saved customers may have brought; "" says no sum
    dispositions: str = "Ordered, Price, Complaint, Wrong number, Spam"     # by commas: what a call was about
    ncid_on: bool = False           # native NCID clients on TCP 3333 see who rings
    ncid_allow: str = ""            # by commas: networks or addresses they may come from; "" any private one
    mqtt_host: str = ""             # the broker of Home Assistant; "" nothing is told
    mqtt_port: int = 1883
    mqtt_tls: bool = False
    mqtt_user: str = ""
    mqtt_password: str = ""
    mqtt_names: bool = False        # the name of who rings is told too
    slip_printer: str = ""          # see doors/slip.py; "" none
    slip_when: str = "never"        # a slip comes out by itself after such calls
    update_at: str = "03:30"        # from then two hours: when updates are looked for and those that wait installed
    update_channel: str = ""        # an https address that tells of new versions, see update/channel.py; "" none
    update_by_itself: bool = False  # what comes from there is installed that night, nobody asked
    session_idle_min: int = 30      # then an owner or installer without an open page logs in again; staff stay 12 h


DEFAULTS = Settings()
RANGES = {"text_pause_min": (0, 7 * 24 * 60), "texts_a_day": (1, 100), "breaker_an_hour": (1, 1000),
          "ring_s": (5, 300), "recording_keep_days": (0, 3650),
          "recording_free_percent": (10, 90), "forward_a_day": (0, 1000), "session_idle_min": (10, 12 * 60),
          "service_level_percent": (1, 100), "mqtt_port": (1, 65535)}
CHOICES: dict[str, tuple[str | int, ...]] = {
    "quiet_does": ("later", "drop"), "slip_when": ("never", "missed", "answered"),
    "service_level_s": (5, 10, 15, 20, 30, 45, 60, 90, 120),
    "abandon_under_s": (0, 2, 3, 5, 10, 15, 20)}
TIMES: dict[str, Callable[[str], object]] = {
    "opening_hours": hours.parse, "closed_until": hours.until, "quiet_from": hours.minutes,
    "quiet_until": hours.minutes, "broadcast_from": hours.minutes, "broadcast_until": hours.minutes,
    "backup_at": hours.minutes, "update_at": hours.minutes, "special_days": holidays.parse}
FITS: dict[str, tuple[Callable[[str], bool], str]] = {       # and what is wanted; "" is always good
    "country": (numbers.is_country, "two capital letters, such as DE"),
    "silent_phones": (lambda text: re.fullmatch(r"\d{1,10}(, ?\d{1,10})*", text, re.ASCII) is not None,
                      "numbers of telephones by commas, such as 101, 102"),
    "ncid_allow": (networks.are_networks, "networks or addresses by commas, such as 192.168.2.0/24"),
    "slip_printer": (networks.is_printer, "a printer such as tcp://192.168.2.9:9100 or file:///dev/usb/lp0"),
    "update_channel": (lambda text: re.fullmatch(r"https://[^\s/]+(/[^\s]*)?", text) is not None,
                       "an address that begins with https://"),
    "mqtt_host": (networks.is_host, "the name or the address of a computer"),
    "time_zone": (chosen.is_zone, "one such as Europe/Berlin"),
    "average_sale": (sale.is_sale, "a sum of money, such as £48 or 48,50 €"),
    "language": (lambda text: re.fullmatch("[a-z]{2,3}", text) is not None, "two letters, such as en")}


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


def drop(db: sqlite3.Connection, key: str) -> None:
    """The setting has its default again."""
    db.execute("DELETE FROM setting WHERE key = ?", (key,))


def _slip(key: str, value: object) -> str | None:
    """What is wrong with a value of the right type, in words."""
    if isinstance(value, int) and key in RANGES:
        low, high = RANGES[key]
        return None if low <= value <= high else f"{key} goes from {low} to {high}."
    if key in CHOICES:
        return None if value in CHOICES[key] else f"{key} is {' or '.join(map(str, CHOICES[key]))}, not {value!r}."
    if isinstance(value, str) and value and key in FITS:
        fits, wanted = FITS[key]
        return None if fits(value) else f"{key} is {wanted}, not {value!r}."
    if isinstance(value, str) and key in TIMES:
        try:
            TIMES[key](value)
        except hours.HoursError as wrong:
            return f"{key}: {wrong}"
    return None
