"""Addresses as people write them: who may knock at a door without a password, where a printer or a broker is."""
from __future__ import annotations

import ipaddress
import re

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?", re.ASCII)
PRINTER = re.compile(r"tcp://(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,251})(:(?P<port>[0-9]{1,5}))?/?|"
                     r"file://(?P<device>/dev/(usb/)?lp[0-9]{1,2})", re.ASCII)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(given: str) -> list[Network]:
    """The networks of a setting such as "192.168.2.0/24, 10.0.0.5". Raises ValueError."""
    return [ipaddress.ip_network(part.strip(), strict=False) for part in given.split(",") if part.strip()]


def are_networks(given: str) -> bool:
    try:
        networks(given)
    except ValueError:
        return False
    return True


def is_allowed(address: str, allowed: list[Network]) -> bool:
    """Whether somebody at this address may come in: from the networks named or, where none is, from a private one."""
    it = ipaddress.ip_address(address.partition("%")[0])
    it = getattr(it, "ipv4_mapped", None) or it
    if allowed:
        return it.is_loopback or any(it in network for network in allowed)
    return it.is_private or it.is_link_local or it.is_loopback


def is_host(given: str) -> bool:
    """Whether it may be the name or the address of a computer."""
    return HOST.fullmatch(given) is not None


def is_printer(given: str) -> bool:
    """Whether it is the address of a receipt printer: a raw TCP port, or a device of this box."""
    found = PRINTER.fullmatch(given)
    return found is not None and 0 < int(found["port"] or 9100) < 65536
