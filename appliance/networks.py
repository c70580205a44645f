"""Who may knock at a door without a password: networks by name, else this building's own."""
from __future__ import annotations

import ipaddress

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
