"""Telephone numbers: one written form (E.164), what kind they are, how people and logs see them."""
from __future__ import annotations

import enum
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from appliance.people import plans

NORTH_AMERICA = {"US", "CA", "PR", "VI", "GU", "AS", "MP"}     # of +1: what one of them pays for as its own
LONGEST = 32   # E.164 has 15 digits; separators may stand between


class Kind(enum.StrEnum):
    """Whether a text can reach it. North American mobiles cannot be told from landlines: MOBILE."""
    MOBILE = "mobile"
    LANDLINE = "landline"
    SHORT = "short"      # no valid subscriber number: short codes, service numbers, fragments
    OTHER = "other"      # toll-free, premium, shared cost…


KINDS = {
    PhoneNumberType.MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE: Kind.LANDLINE,
    PhoneNumberType.VOIP: Kind.LANDLINE,
}


@lru_cache(maxsize=2048)
def e164(raw: str, country: str) -> str | None:
    """The number in E.164, as somebody in `country` (ISO 3166-1 alpha-2) would dial it; None if it is none.

    Short codes and fragments are None: they belong to no subscriber.
    """
    if not raw or len(raw) > LONGEST:
        return None
    for spelling in filter(None, (_without_plus(raw, country), raw)):
        found = plans.e164(spelling, country)
        if found is None:
            found = _by_the_library(spelling, country)
        if found:
            return found
    return None


def _by_the_library(raw: str, country: str) -> str:
    try:
        number = phonenumbers.parse(raw, country)
    except NumberParseException:
        return ""
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164)) if phonenumbers.is_valid_number(number) \
        else ""


def _without_plus(raw: str, country: str) -> str:
    """Gateways write 491701234567 for +49…: with a plus that is a mobile, as a German number a landline of Leer."""
    code = str(phonenumbers.country_code_for_region(country))
    return "+" + raw if raw.isascii() and raw.isdigit() and raw.startswith(code) else ""


def is_country(code: str) -> bool:
    """True for an ISO 3166-1 alpha-2 code whose numbering plan is known ("GB", not "UK")."""
    return code in phonenumbers.SUPPORTED_REGIONS


def is_emergency(number: str, country: str) -> bool:
    """True for what reaches the police or an ambulance in `country`."""
    return bool(phonenumbers.is_emergency_number(number, country))


def kind(number: str) -> Kind:
    """The kind of an E.164 number; SHORT for anything that is not one."""
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return Kind.SHORT
    if not phonenumbers.is_valid_number(parsed):
        return Kind.SHORT
    return KINDS.get(phonenumbers.number_type(parsed), Kind.OTHER)


def is_home(number: str, country: str) -> bool:
    """Whether an E.164 number has the calling code of `country`; of +1, that it is not on another island.

    A Caribbean number looks like one of the next town and costs like one of another continent.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return False
    if parsed.country_code != phonenumbers.country_code_for_region(country):
        return False
    if parsed.country_code != 1 or phonenumbers.number_type(parsed) == PhoneNumberType.TOLL_FREE:
        return True
    there = phonenumbers.region_code_for_number(parsed)
    return there == country or {there, country} <= NORTH_AMERICA


def is_free(number: str) -> bool:
    """Whether an E.164 number costs its caller nothing."""
    try:
        return phonenumbers.number_type(phonenumbers.parse(number, None)) == PhoneNumberType.TOLL_FREE
    except NumberParseException:
        return False


def dialled(number: str, country: str) -> str:
    """The digits that a line in `country` dials for an E.164 number: 0301234…, 0033…, 011…; any other as it is."""
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return number
    written = phonenumbers.format_out_of_country_calling_number(parsed, country)
    return "".join(c for c in written if c.isascii() and c.isdigit())


def shown(number: str, country: str) -> str:
    """The number as people of `country` write it: national at home, international from abroad."""
    try:
        parsed = phonenumbers.parse(number, country)
    except NumberParseException:
        return number
    home = phonenumbers.country_code_for_region(country) == parsed.country_code
    form = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return str(phonenumbers.format_number(parsed, form))


def spellings(number: str, country: str) -> list[str]:
    """The ways a line in `country` may write an E.164 number, digits and + alone: +49…, 49…, 0049…, 0…"""
    national = "".join(c for c in shown(number, country) if c.isdigit())
    return list(dict.fromkeys([number, number[1:], "00" + number[1:], national]))


def short(number: str | None) -> str:
    """The number as a log may show it: enough to find the call, not to ring the person."""
    if not number:
        return "no number"
    if len(number) <= 3:          # a desk of ours, an emergency number
        return number
    shown = (5, 3) if len(number) >= 12 else (2, 2) if len(number) >= 6 else (1, 1)
    return f"{number[:shown[0]]}…{number[-shown[1]:]}"
