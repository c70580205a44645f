"""box.toml as the box itself writes it: what is in it, changed key by key, each change tried before it is kept."""
from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from appliance import config
from appliance.people import numbers
from appliance.store.files import write_durably

HEAD = """# box.toml: what is plugged into this box. Written by the box from deskbell.toml and the pages;
# keys are explained in image/README.md. What is changed here by hand stays.
"""
MODEM = {"name": "SIM", "port": "auto"}        # the first stick that answers
# zone.tab begins with the zone of most people, but here: there it goes from west to east, or from east to west.
MOST_LIVE_IN = {"AU": "Australia/Sydney", "BR": "America/Sao_Paulo", "CA": "America/Toronto", "RU": "Europe/Moscow",
                "UA": "Europe/Kyiv", "UZ": "Asia/Tashkent"}
# Pages and telephones of the office reach the box; the pages only encrypted.
NEW: dict[str, Any] = {
    "extension": [{"number": "101", "name": "Telephone"}], "modem": [MODEM],
    "web": {"listen": "0.0.0.0", "port": 443, "tls": True, "redirect_from": 80},
    "sip": {"listen": "0.0.0.0", "port": 5060},
}
ELSEWHERE = "201"        # the first telephone where 101 is the fire brigade, as in Russia; no emergency number anywhere
ZONES = Path("/usr/share/zoneinfo/zone.tab")


def read(path: Path) -> dict[str, Any] | None:
    """The table of box.toml, None when there is none. Raises ConfigError for one that cannot be used."""
    if not path.exists():
        return None
    config.read(path)
    return tomllib.loads(path.read_bytes().decode("utf-8-sig"))


def write(path: Path, table: dict[str, Any]) -> bool:
    """Whether the file is another one now. Raises ConfigError, and keeps the old one, for a table that does not fit."""
    config.parse(table)
    text = (HEAD + dumped(table)).encode()
    if path.exists() and path.read_bytes() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, text, 0o644)               # the daemons read it, whatever mask we run with
    return True


def dumped(table: dict[str, Any]) -> str:
    """TOML of what box.toml may hold: plain keys, then [tables], then [[lists]]."""
    plain = {key: value for key, value in table.items() if not _is_table(value) and not _is_list(value)}
    text = _pairs(plain)
    text += "".join(f"\n[{key}]\n{_pairs(value)}" for key, value in table.items() if _is_table(value))
    for key, rows in table.items():
        if _is_list(rows):
            text += "".join(f"\n[[{key}]]\n{_pairs(row)}" for row in rows)
    return text


def with_country(table: dict[str, Any], country: str) -> dict[str, Any]:
    """The table in a country. The telephone of a new box makes room for an emergency number of the same digits."""
    phones = [{**phone, "number": ELSEWHERE} if numbers.is_emergency(phone["number"], country) else phone
              for phone in NEW["extension"]]
    is_new = table.get("extension") == NEW["extension"]
    return {**table, "country": country, **({"extension": phones} if is_new else {})}


def free_numbers(box: config.Box) -> Iterator[str]:
    """The numbers from ELSEWHERE on that no telephone has and that are no emergency numbers in the box's country."""
    taken = {phone.number for phone in box.extensions}
    return (number for number in map(str, count(int(ELSEWHERE)))
            if number not in taken and not numbers.is_emergency(number, box.country))


def zone_of(country: str, zones: Path = ZONES) -> str | None:
    """The time zone where most people of a country live, None when the system has no table of zones."""
    try:
        rows = [line.split("\t") for line in zones.read_text().splitlines() if not line.startswith("#")]
    except OSError:
        return None
    return MOST_LIVE_IN.get(country) or next((row[2] for row in rows if row[0] == country), None)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _pairs(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items() if value != [] or key == "own_numbers")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    # JSON's strings are TOML's, but for DEL (TOML 1.0, "String")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
