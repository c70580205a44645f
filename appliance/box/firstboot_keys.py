"""What deskbell.toml may say: each key with what fits it. What does not fit is told, and never stops the others."""
from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import available_timezones

from appliance import chosen, settings
from appliance.box import firstboot_text
from appliance.box.firstboot_text import Line, Remark
from appliance.box.licences import HOUSE
from appliance.box.network_files import is_wifi_password
from appliance.config import is_gateway
from appliance.people import numbers, users
from appliance.texts import sims

LANGUAGES = {"english": "en", "german": "de", "deutsch": "de", "russian": "ru", "french": "fr", "français": "fr",
             "spanish": "es", "español": "es", "italian": "it", "italiano": "it", "dutch": "nl", "polish": "pl",
             "turkish": "tr", "chinese": "zh", "portuguese": "pt"}
MOST_TELEPHONES = 30


class _Slip(Exception):
    """The value does not fit; the text ends a sentence that begins with the key."""


@dataclass(frozen=True)
class Wish:
    """A value that fits. line is where it stands, of telephones the first one."""
    value: Any
    line: int


@dataclass(frozen=True)
class Wishes:
    """Everything that could be read. by_name: "shop.name" to its wish; secrets: the lines whose values are wiped."""
    by_name: dict[str, Wish] = field(default_factory=dict)
    secrets: dict[str, Line] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def value(self, name: str) -> Any:
        """The value, None when nothing was wished."""
        wish = self.by_name.get(name)
        return wish.value if wish else None


def _words(most: int) -> Callable[[str], str]:
    def check(given: str) -> str:
        given = " ".join(given.split())
        if len(given) > most or not given.isprintable():
            raise _Slip(f"has up to {most} letters")
        return given
    return check


def _language(given: str) -> str:
    known = sorted({"en", *(folder.name for folder in (HOUSE / "web/locale").glob("[a-z][a-z]*") if folder.is_dir())})
    if given.lower() in known:
        return given.lower()
    meant = LANGUAGES.get(given.lower(), given[:2].lower())
    raise _Slip(f"is one of {', '.join(known)}, not \"{given}\"." + (
        f" Did you mean \"{meant}\"?" if meant in known else ""))


def _country(given: str) -> str:
    if numbers.is_country(given.upper()):
        return given.upper()
    raise _Slip(f"is two letters such as \"DE\" or \"GB\", not \"{given}\"." + (
        " Did you mean \"GB\"?" if given.upper() in ("UK", "ENGLAND") else ""))


def _zone(given: str) -> str:
    if chosen.is_zone(given):
        return given
    zones = {zone.lower(): zone for zone in available_timezones()}
    spelled = given.lower().replace(" ", "_")
    towns = {zone.rpartition("/")[2]: zone for zone in sorted(zones)}
    near = [zones[spelled]] if spelled in zones else [zones[towns[spelled]]] if spelled in towns else [
        zones[name] for name in difflib.get_close_matches(spelled, zones, 1)]
    raise _Slip(f"is one such as \"Europe/Berlin\", not \"{given}\"." + (
        f" Did you mean \"{near[0]}\"?" if near else ""))


def _choice(*known: str) -> Callable[[str], str]:
    def check(given: str) -> str:
        if given.lower() in known:
            return given.lower()
        near = difflib.get_close_matches(given.lower(), known, 1, 0.4)
        raise _Slip(f"is {' or '.join(f'\"{one}\"' for one in known)}, not \"{given}\"." + (
            f" Did you mean \"{near[0]}\"?" if near else ""))
    return check


def _network_kind(given: str) -> str:
    if given.lower() in ("wifi", "wi-fi", "wlan"):
        raise _Slip("is \"dhcp\" or \"fixed\". Wi-Fi is set by name and password below [wifi]; delete this line")
    return {"static": "fixed", "auto": "dhcp"}.get(given.lower()) or _choice("dhcp", "fixed")(given)


def _password(given: str) -> str:
    if not users.MIN_PASSWORD <= len(given) <= users.MAX_PASSWORD:
        raise _Slip(f"has at least {users.MIN_PASSWORD} characters. Four words in a row are good")
    return given


def _wifi_password(given: str) -> str:
    if not is_wifi_password(given):
        raise _Slip("of a Wi-Fi has 8 to 63 characters")
    return given


def _wifi_name(given: str) -> str:
    if len(given.encode()) > 32 or not given.isprintable():
        raise _Slip("of a Wi-Fi has up to 32 letters; copy it as your telephone shows it")
    return given


def _gateway(given: str) -> str:
    given = re.sub(r"^sips?:(//)?", "", given)
    if not is_gateway(given):
        raise _Slip(f"is the address of the line's gateway, such as \"192.168.1.20:5062\", not \"{given}\"")
    return given


def _pin(given: str) -> str:
    if not sims.PIN.fullmatch(given):
        raise _Slip("is 4 to 8 digits in quotes, such as \"0000\"")
    return given


def _telephone(given: str) -> str:
    if not re.fullmatch(r"[0-9]{1,10}", given, re.ASCII):
        raise _Slip(f"is 1 to 10 digits, such as \"101\", not \"{given}\"")
    return given


def _address(given: str) -> str:
    try:
        ipaddress.IPv4Interface(given)
    except ValueError:
        raise _Slip(f"is written with its mask, such as \"192.168.1.50/24\", not \"{given}\"") from None
    return given


def _neighbour(given: str) -> str:
    try:
        return str(ipaddress.IPv4Address(given))
    except ValueError:
        raise _Slip(f"is an address such as \"192.168.1.1\", not \"{given}\"") from None


def _channel(given: str) -> str:
    fits, wanted = settings.FITS["update_channel"]
    if not fits(given):
        raise _Slip(f"is {wanted}, not \"{given}\"")
    return given


def _digits_of(given: str) -> str:
    if not re.fullmatch(r"\+?[0-9 /()\-]{3,24}", given, re.ASCII):
        raise _Slip(f"is a telephone number such as \"+493023125100\", not \"{given}\"")
    return given


Check = Callable[[str], str]
KEYS: dict[str, dict[str, Check]] = {
    "shop": {"name": _words(60), "language": _language, "country": _country, "time_zone": _zone},
    "owner": {"name": _words(users.MAX_NAME), "password": _password},
    "network": {"kind": _network_kind, "address": _address, "gateway": _neighbour, "dns": _neighbour},
    "wifi": {"name": _wifi_name, "password": _wifi_password, "country": _country},
    "line": {"kind": _choice("gateway", "none"), "gateway": _gateway, "name": _words(40), "number": _digits_of},
    "telephone": {"number": _telephone, "name": _words(40)},
    "sim": {"pin": _pin, "number": _digits_of},
    "update": {"channel": _channel},
}
SECRET = frozenset({"owner.password", "wifi.password", "sim.pin"})
LISTS = frozenset({"network.dns"})
SEVERAL = "telephone"


def read(content: bytes) -> Wishes:
    """What the file wishes. An empty value is no wish: it is how a box leaves a secret that it took."""
    decoded, remarks = firstboot_text.decode(content)
    found, more = firstboot_text.lines(decoded.text, SECRET)
    reading = _Reading([*remarks, *more])
    for line in found:
        reading.take(line)
    return reading.wishes()


class _Reading:
    def __init__(self, remarks: list[Remark]) -> None:
        self._remarks, self._unknown = remarks, set[str]()
        self._by_name: dict[str, Wish] = {}
        self._secrets: dict[str, Line] = {}
        self._first: dict[tuple[str, int, str], int] = {}
        self._telephones: dict[int, dict[str, Wish]] = {}

    def take(self, line: Line) -> None:
        if not line.section and line.key in KEYS["shop"]:
            line = replace(line, section="shop")       # above every [section]: plain enough what is meant
        known = KEYS.get(line.section)
        if known is None:
            self._wrong_section(line)
            return
        if line.key not in known:
            self._say(line, _unknown(line.key, list(known), f" below [{line.section}]"))
            return
        part = line.part if line.section == SEVERAL else 0
        if first := self._first.setdefault((line.section, part, line.key), 0):
            self._say(line, f"{line.key} was given before, in line {first}; that one counts. Delete one of them.")
            return
        self._first[line.section, part, line.key] = line.number
        self._checked(line, part)

    def _checked(self, line: Line, part: int) -> None:
        name = f"{line.section}.{line.key}"
        given = line.value if name in LISTS and isinstance(line.value, list) else [line.value]
        texts = [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in given]
        if not all(isinstance(text, str) for text in texts):
            self._say(line, f"{line.key} is text in quotes, such as  {line.key} = \"…\".")
            return
        if not any(text.strip() for text in texts):
            return
        try:
            checked = [KEYS[line.section][line.key](text if name in SECRET else text.strip()) for text in texts]
        except _Slip as slip:
            self._say(line, f"{line.key} {str(slip).rstrip('.') + ('' if str(slip).endswith('?') else '.')}")
            return
        wish = Wish(tuple(checked) if name in LISTS else checked[0], line.number)
        if line.section == SEVERAL:
            self._telephones.setdefault(part, {})[line.key] = wish
        else:
            self._by_name[name] = wish
        if name in SECRET:
            self._secrets[name] = line

    def _wrong_section(self, line: Line) -> None:
        if line.section in self._unknown and line.section:
            return                     # said once
        self._unknown.add(line.section)
        homes = [section for section, keys in KEYS.items() if line.key in keys]
        if line.section:
            self._say(line, _unknown(line.section, list(KEYS), "", "section").rstrip()
                      + f" Nothing below [{line.section}] was read.")
        elif homes:
            self._say(line, f"{line.key} stands above every [section]; write it below "
                      f"{' or '.join(f'[{home}]' for home in homes)}.")
        else:
            self._say(line, _unknown(line.key, sorted({key for keys in KEYS.values() for key in keys}), ""))

    def wishes(self) -> Wishes:
        telephones: list[tuple[str, str]] = []
        for row in self._telephones.values():
            if "number" not in row:
                self._remarks.append(Remark(row["name"].line, "this telephone has a name and no number; "
                                                              "add  number = \"101\"."))
                continue
            number = row["number"].value
            if number in (known for known, _ in telephones) or len(telephones) >= MOST_TELEPHONES:
                self._remarks.append(Remark(row["number"].line, f"the telephone {number} is there already, or it is "
                                                                f"one more than {MOST_TELEPHONES}; it was left out."))
                continue
            telephones.append((number, row["name"].value if "name" in row else number))
        if telephones:
            lines = [row["number"].line for row in self._telephones.values() if "number" in row]
            self._by_name[SEVERAL] = Wish(tuple(telephones), min(lines))
        return Wishes(self._by_name, self._secrets, tuple(sorted(self._remarks, key=lambda one: one.line)))

    def _say(self, line: Line, says: str) -> None:
        self._remarks.append(Remark(line.number, says))


def _unknown(word: str, known: list[str], where: str, kind: str = "key") -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    shown = f"[{word}]" if kind == "section" else f"\"{word}\""
    meant = f" Did you mean {f'[{near[0]}]' if kind == 'section' else f'\"{near[0]}\"'}?" if near else (
        f" Known are {', '.join(known)}.")
    return f"there is no {kind} {shown}{where}.{meant}"
