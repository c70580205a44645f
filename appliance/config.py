"""What a screwdriver changes: box.toml, read once at start into frozen dataclasses."""
from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appliance import chosen
from appliance.people import numbers

DEFAULT_PATH = Path("/etc/deskbell/box.toml")


class ConfigError(Exception):
    """box.toml cannot be used; the text names the key and what to write instead."""


@dataclass(frozen=True)
class Trunk:
    """An outside line: key is its name in Asterisk, gateway the host:port that speaks SIP."""
    key: str
    name: str
    gateway: str


@dataclass(frozen=True)
class Extension:
    number: str
    name: str


@dataclass(frozen=True)
class Modem:
    """A GSM modem. number is the SIM's own in E.164, None when not known.

    port is a tty, best one of /dev/serial/by-id; a pattern of one with * in it; or "auto": the first that answers.
    engine is what speaks to it: "own", or "gammu" for modems that our own one does not know.
    """
    name: str
    port: str
    number: str | None = None
    engine: str = "own"


@dataclass(frozen=True)
class Web:
    """Where the pages are served; hosts are further names a browser may call the box by.

    redirect_from is a port where browsers without encryption are sent on to the pages; 0 for none.
    """
    listen: str = "127.0.0.1"
    port: int = 8080
    hosts: tuple[str, ...] = ()
    tls: bool = False
    redirect_from: int = 0


@dataclass(frozen=True)
class Sip:
    listen: str = "127.0.0.1"
    port: int = 5060


@dataclass(frozen=True)
class Box:
    """Everything the daemons know of the hardware around them."""
    name: str = "box1"
    country: str = "DE"
    time_zone: str = "Europe/Berlin"
    language: str = "en"
    own_numbers: tuple[str, ...] = ()
    state: Path = Path("/var/lib/deskbell")
    spool: Path = Path("/var/spool/deskbell")
    run: Path = Path("/run/deskbell")
    secrets: Path = Path("/etc/deskbell/secret")
    asterisk: Path = Path("/etc/deskbell/asterisk")
    demo: Path | None = None
    trunks: tuple[Trunk, ...] = ()
    extensions: tuple[Extension, ...] = ()
    modems: tuple[Modem, ...] = ()
    web: Web = field(default_factory=Web)
    sip: Sip = field(default_factory=Sip)

    @property
    def store(self) -> Path:
        return self.state / "office.db"

    @property
    def recordings(self) -> Path:
        return self.state / "recordings"

    @property
    def decoded(self) -> Path:
        """Copies of recordings for browsers without Opus; the pages make them, each may go at any time."""
        return self.state / "decoded"

    @property
    def ledger(self) -> Path:
        """Asterisk's own spool of CEL rows; only Asterisk writes it."""
        return self.spool / "cel.db"

    @property
    def raw_recordings(self) -> Path:
        return self.spool / "recording"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


LISTS = {"trunk": ("trunks", Trunk), "extension": ("extensions", Extension), "modem": ("modems", Modem)}
TABLES = {"web": Web, "sip": Sip}
TAKEN = {"global", "trunk", "phone", "udp"}      # sections of Asterisk's pjsip.conf that every box has


def load(path: Path | None = None) -> Box:
    """The box as it is now: what read() gives, with the country, time zone and names the office chose since."""
    box = read(path)
    return chosen.over(box, chosen.look(box.store))


def read(path: Path | None = None) -> Box:
    """The box that box.toml describes; without a path, $DESKBELL_CONFIG or /etc/deskbell/box.toml.

    Raises ConfigError with a sentence for a file that cannot be read, a wrong key or value.
    """
    path = path or Path(os.environ.get("DESKBELL_CONFIG", DEFAULT_PATH))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as missing:
        raise ConfigError(f"{path} cannot be read ({missing.strerror}). It says which line and modem are "
                          "plugged in; see image/README.md for an example.") from missing
    except UnicodeDecodeError as wrong:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8 and start again.") from wrong
    try:
        return parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"{path}: {wrong}.") from wrong
    except ConfigError as wrong:
        raise ConfigError(f"{path}: {wrong}") from wrong


def parse(table: dict[str, Any]) -> Box:
    """The box that an already read TOML table describes."""
    given: dict[str, Any] = {}
    plain = {f.name for f in fields(Box)} - {"trunks", "extensions", "modems", "web", "sip"}
    for key, value in table.items():
        if key in LISTS:
            name, kind = LISTS[key]
            if not isinstance(value, list):
                raise ConfigError(f"write [[{key}]] with two brackets, once for each {key}.")
            given[name] = tuple(_make(kind, row, f"[[{key}]]") for row in value)
        elif key in TABLES:
            given[key] = _make(TABLES[key], value, f"[{key}]")
        elif key in plain:
            given[key] = _coerce(key, value, _hint(Box, key))
        else:
            raise ConfigError(_unknown(key, [*plain, *LISTS, *TABLES], ""))
    return _checked(Box(**given))


def _make(kind: type, row: Any, where: str) -> Any:
    if not isinstance(row, dict):
        raise ConfigError(f"{where} holds lines like name = \"…\".")
    names = [f.name for f in fields(kind)]
    for key in row:
        if key not in names:
            raise ConfigError(_unknown(key, names, f" in {where}"))
    values = {key: _coerce(key, value, _hint(kind, key)) for key, value in row.items()}
    try:
        return kind(**values)
    except TypeError as missing:
        raise ConfigError(f"{where} lacks {str(missing).split(': ')[-1]}.") from missing


def _hint(kind: type, key: str) -> str:
    return str(next(f.type for f in fields(kind) if f.name == key))


def _coerce(key: str, value: Any, hint: str) -> Any:
    if hint.startswith("tuple") and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if hint.startswith("Path") and isinstance(value, str):
        return Path(value)
    if hint == "bool" and isinstance(value, bool) or hint.startswith("str") and isinstance(value, str):
        return value
    if hint == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    wanted = {"int": "a whole number", "bool": "true or false", "tuple[str, ...]": "a list such as [\"…\", \"…\"]",
              }.get(hint, "text in quotes")
    raise ConfigError(f"{key} = {value!r} does not fit; {wanted} is wanted.")


def _unknown(key: str, known: list[str], where: str) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"there is no key {key!r}{where}." + (f" Did you mean {near[0]!r}?" if near else "")


def _checked(box: Box) -> Box:
    if not numbers.is_country(box.country):
        hint = " Did you mean \"GB\"?" if box.country == "UK" else ""
        raise ConfigError(f"country = {box.country!r} is not known: two capital letters of ISO 3166 are wanted, "
                          f"such as \"DE\".{hint}")
    try:
        ZoneInfo(box.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as wrong:
        raise ConfigError(f"time_zone = {box.time_zone!r} is not known; such as \"Europe/Berlin\".") from wrong
    for port in (box.web.port, box.sip.port):
        if not 1 <= port <= 65535:
            raise ConfigError(f"port = {port}: ports go from 1 to 65535.")
    if not 0 <= box.web.redirect_from <= 65535 or box.web.redirect_from == box.web.port:
        raise ConfigError(f"redirect_from = {box.web.redirect_from}: another port than the pages' own is wanted, "
                          "such as 80; or 0 for none.")
    _check_lines(box)
    _check_modems(box)
    return replace(box, own_numbers=tuple(_number(box, given) for given in box.own_numbers), modems=tuple(
        replace(modem, number=_number(box, modem.number) if modem.number else None) for modem in box.modems))


def _check_lines(box: Box) -> None:
    names = [trunk.key for trunk in box.trunks] + [extension.number for extension in box.extensions]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{name!r} is given twice; each trunk and extension needs its own.")
    for extension in box.extensions:
        if not re.fullmatch(r"[0-9]{1,10}", extension.number):
            raise ConfigError(f"number = {extension.number!r}: an extension is 1 to 10 digits, such as \"101\".")
        if numbers.is_emergency(extension.number, box.country):
            raise ConfigError(f"number = {extension.number!r} is an emergency number: nobody here could ring it "
                              "any more. Give the telephone another one.")
    for trunk in box.trunks:
        if not re.fullmatch(r"[a-z][a-z0-9]{0,19}", trunk.key) or trunk.key in TAKEN:
            raise ConfigError(f"key = {trunk.key!r}: a trunk's key is a small letter and up to 19 more or digits, "
                              "such as \"line1\"" + (f"; {trunk.key!r} is taken." if trunk.key in TAKEN else "."))
        if not is_gateway(trunk.gateway):
            raise ConfigError(f"gateway = {trunk.gateway!r}: write the gateway's address, "
                              "such as \"192.168.1.20:5062\".")


def is_gateway(address: str) -> bool:
    """Whether it is a host, or an IPv4 address, with or without a port from 1 to 65535."""
    fits = re.fullmatch(r"[A-Za-z0-9.\-]+(?::([0-9]{1,5}))?", address)
    return fits is not None and 0 < int(fits[1] or 5060) < 65536


def _check_modems(box: Box) -> None:
    names, ports = [modem.name for modem in box.modems], [modem.port for modem in box.modems]
    for modem in box.modems:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,31}", modem.name):
            raise ConfigError(f"name = {modem.name!r}: a modem's name is up to 32 letters, digits, dots, dashes "
                              "or spaces.")
        if names.count(modem.name) > 1:
            raise ConfigError(f"two modems are called {modem.name!r}; each SIM needs its own name.")
        if ports.count(modem.port) > 1:
            raise ConfigError(f"two modems have port = {modem.port!r}. Give each its own of /dev/serial/by-id: "
                              "`deskbell modem list --find` shows them.")
        if modem.engine not in ("own", "gammu"):
            raise ConfigError(f"engine = {modem.engine!r}: \"own\" and \"gammu\" are known.")
        if not modem.port.startswith("/") and modem.port != "auto":
            raise ConfigError(f"port = {modem.port!r}: a path such as \"/dev/serial/by-id/…\" is wanted, or \"auto\".")


def _number(box: Box, given: str) -> str:
    """A number of our own in E.164: it is compared with callers' numbers."""
    number = numbers.e164(given, box.country)
    if number is None:
        raise ConfigError(f"{given!r} is no number in {box.country}. Write it as you would dial it, or with +.")
    return number
