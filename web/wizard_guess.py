"""Where a new box may stand: what its SIM says, else the browser. A guess fills a field and no more."""
from __future__ import annotations

from functools import cache
from pathlib import Path

import phonenumbers

from appliance.box import box_file
from appliance.config import Box
from appliance.people import numbers

ZONES = Path("/usr/share/zoneinfo/zone.tab")      # tzdata: country, coordinates, zone, which part of the country
AT_HOME = {"ru": "RU", "fr": "FR", "zh": "CN", "de": "DE", "it": "IT", "es": "ES", "pl": "PL", "nl": "NL", "cs": "CZ",
           "uk": "UA", "tr": "TR", "ja": "JP", "ko": "KR"}


def country(sim_number: str | None, accepted: str) -> str:
    """Of the SIM's own number, else of the browser's languages (RFC 9110, 12.5.4), "" when neither says."""
    if sim_number and (of_sim := of_number(sim_number)):
        return of_sim
    tags = [part.partition(";")[0].strip() for part in accepted.split(",")[:10]]
    for tag in tags:
        region = tag.rpartition("-")[2].upper() if "-" in tag else ""
        if len(region) == 2 and numbers.is_country(region):
            return region
    return AT_HOME.get(tags[0].partition("-")[0].lower(), "") if tags else ""


def of_number(number: str) -> str:
    """The country of a number in E.164, "" for none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


@cache
def zones() -> dict[str, list[str]]:
    """The time zones of each country, the one where most people live first."""
    found: dict[str, list[str]] = {}
    try:
        lines = ZONES.read_text("utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        parts = line.split("\t")
        if len(parts) >= 3 and not line.startswith("#"):
            found.setdefault(parts[0], []).append(parts[2])
    for country, zone in box_file.MOST_LIVE_IN.items():
        if zone in found.get(country, []):
            found[country].insert(0, found[country].pop(found[country].index(zone)))
    return found


def is_said(box: Box) -> bool:
    """Whether box.toml says another place than every new box has: then nothing is guessed."""
    plain = Box()
    return (box.country, box.time_zone) != (plain.country, plain.time_zone)
