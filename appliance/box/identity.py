"""What this box is called: deskbell-xxxx, by its own number where it has one, and the same for good."""
from __future__ import annotations

import json
import logging
import re
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.box.places import Places
from appliance.store.files import write_durably

log = logging.getLogger("firstboot")
ETHERNET = "1"           # ARPHRD_ETHER in /sys/class/net/*/type


@dataclass(frozen=True)
class Identity:
    """id: four hex digits. origin: what they come from, "serial", "mac" or "random"."""
    id: str
    name: str
    origin: str


def settle(places: Places) -> Identity:
    """The identity of this box, made at its first start and kept.

    It stays with the card, not with the board: who moves the card to another Raspberry Pi keeps name and keys.
    """
    file = places.etc / "identity.json"
    if known := _kept(file):
        return known
    number, origin = _number(places.root)
    made = Identity(number, f"deskbell-{number}", origin)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, (json.dumps(asdict(made), indent=1) + "\n").encode(), 0o644)
    return made


def look(places: Places) -> Identity | None:
    """The identity, None before the first start made one."""
    return _kept(places.etc / "identity.json")


def name_host(name: str) -> str | None:
    """Gives the machine its name until it is switched off; the sentence when the kernel refuses it."""
    try:
        if socket.gethostname() != name:
            socket.sethostname(name)
    except OSError as refused:
        return (f"The box could not be named {name} ({refused.strerror}). It answers at its address; calls ring. "
                "Switch it off and on again.")
    return None


def _kept(file: Path) -> Identity | None:
    try:
        found = json.loads(file.read_bytes())
        known = Identity(str(found["id"]), str(found["name"]), str(found.get("origin", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if re.fullmatch("[0-9a-f]{4}", known.id) and re.fullmatch("[a-z0-9-]{1,63}", known.name) else None


def _number(root: Path) -> tuple[str, str]:
    if serial := _serial(root):
        return serial[-4:], "serial"
    if mac := _mac(root):
        return mac[-4:], "mac"
    return secrets.token_hex(2), "random"


def _serial(root: Path) -> str:
    """The board's number in hex digits, "" when it has none: an emulated one is all zeros."""
    read = _text(root / "sys/firmware/devicetree/base/serial-number").rstrip("\0").strip().lower()
    if not read:
        found = re.search(r"^Serial\s*:\s*([0-9a-fA-F]+)", _text(root / "proc/cpuinfo"), re.MULTILINE)
        read = found[1].lower() if found else ""
    return read if re.fullmatch("[0-9a-f]{4,}", read) and read.strip("0") else ""


def _mac(root: Path) -> str:
    """The hex digits of the first wired port's number; a port that is real comes before one that is not."""
    ports = sorted((root / "sys/class/net").glob("*"), key=lambda port: (not (port / "device").exists(), port.name))
    for port in ports:
        mac = _text(port / "address").strip().replace(":", "").lower()
        is_wired = _text(port / "type").strip() == ETHERNET and not (port / "wireless").exists() \
            and not (port / "phy80211").exists()
        if is_wired and re.fullmatch("[0-9a-f]{12}", mac) and mac.strip("0"):
            return mac
    return ""


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
