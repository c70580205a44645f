"""Where a number is at home, in the reader's language: libphonenumber's areas, from a SQLite file that is baked with
the root (image/regions). Its own geocoder would cost each daemon 98 MB.
"""
from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, phonenumberutil

from appliance.people import numbers
from appliance.people.numbers import Kind

log = logging.getLogger("regions")

BAKED = Path("/usr/share/deskbell/regions.db")
NO_ENGLISH = {"zh", "ja", "ko"}         # libphonenumber rather says nothing, or the country, than an English name
REMEMBERED = 4096


@dataclass(frozen=True)
class Origin:
    """Where a number is from. `region` is "" when unknown, and when it is only the shop's own country.

    is_either says that the country's plan does not tell mobiles from landlines, as in North America.
    """
    region: str
    kind: Kind
    is_either: bool


@lru_cache(maxsize=REMEMBERED)
def region(number: str, language: str) -> str:
    """The town, the area or else the country of an E.164 number, in a language (ISO 639-1); "" when not known.

    The same as phonenumbers.geocoder.description_for_number().
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return ""
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.UNKNOWN:
        return ""
    area = ""
    if phonenumberutil.is_number_type_geographical(kind, parsed.country_code or 0):
        area = _area(_without_mobile_token(parsed), language)
    return area or country(number, language)


def country(number: str, language: str) -> str:
    """The name of the country of an E.164 number, "" when it may be several."""
    return _country(phonenumbers.parse(number, None), language)


@lru_cache(maxsize=REMEMBERED)
def origin(number: str, language: str, home: str) -> Origin:
    """Where a number is from, for somebody in `home` (ISO 3166-1 alpha-2)."""
    where = region(number, language)
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return Origin("", numbers.kind(number), False)
    if phonenumbers.region_code_for_number(parsed) == home and where == _country(parsed, language):
        where = ""
    return Origin(where, numbers.kind(number),
                  phonenumbers.number_type(parsed) == PhoneNumberType.FIXED_LINE_OR_MOBILE)


def _without_mobile_token(number: PhoneNumber) -> PhoneNumber:
    """Argentina's mobiles have a 9 before the area."""
    token = phonenumberutil.country_mobile_token(number.country_code or 0)
    national = phonenumbers.national_significant_number(number)
    if not token or not national.startswith(token):
        return number
    try:
        return phonenumbers.parse(national[len(token):],
                                  phonenumbers.region_code_for_country_code(number.country_code or 0))
    except NumberParseException:
        return number


def _area(number: PhoneNumber, language: str) -> str:
    tables = _tables(BAKED)
    digits = phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]
    prefixes = [int(digits[:length]) for length in range(1, tables.longest + 1)]
    for (told,) in tables.ask(f"""
            SELECT names
            FROM area JOIN place ON place.id = area.place_id
            WHERE prefix IN ({",".join("?" * len(prefixes))})
            ORDER BY prefix DESC""", prefixes):
        names = json.loads(told)
        if name := names.get(language) or (language not in NO_ENGLISH and names.get("en")):
            return str(name)
    return ""


def _country(number: PhoneNumber, language: str) -> str:
    codes = phonenumberutil.region_codes_for_country_code(number.country_code or 0)
    if len(codes) > 1:
        codes = tuple(code for code in codes if phonenumbers.is_valid_number_for_region(number, code))
    if len(codes) != 1:
        return ""
    found = _tables(BAKED).ask("SELECT names FROM country WHERE code = ?", codes)
    return str(json.loads(found[0][0]).get(language, "")) if found else ""


@dataclass(frozen=True)
class _Tables:
    db: sqlite3.Connection
    longest: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, sql: str, given: Sequence[object]) -> list[tuple[str]]:
        """Every row; threads take turns, a look-up is over in microseconds."""
        with self.lock:
            return self.db.execute(sql, given).fetchall()


@lru_cache(maxsize=2)
def _tables(path: Path) -> _Tables:
    """The baked file, opened once; without it every region is unknown, and the log says so."""
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        return _Tables(db, int(db.execute("SELECT longest_prefix FROM about").fetchone()[0]))
    except sqlite3.Error as missing:
        log.warning("%s cannot be read (%s): numbers are shown without their region", path, missing)
        db = sqlite3.connect(":memory:", check_same_thread=False)
        db.executescript("""
            CREATE TABLE place (id INTEGER PRIMARY KEY, names TEXT); CREATE TABLE country (code TEXT, names TEXT);
            CREATE TABLE area (prefix INTEGER PRIMARY KEY, place_id INTEGER)""")
        return _Tables(db, 1)
