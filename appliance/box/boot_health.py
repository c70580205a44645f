"""What the start of the box found wrong: card, deskbell.toml, network. Each a sentence for page, console and report."""
from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.box import identity, neighbours, network_files
from appliance.box.boot_notes import sentences
from appliance.box.places import TOML, Places

LOOK_S = 10


@dataclass(frozen=True)
class Port:
    """One way into the network. addresses: IPv4 ones, those that the box gave itself (169.254) last."""
    name: str
    is_up: bool
    is_wifi: bool
    addresses: tuple[str, ...]


def findings(places: Places | None = None) -> Iterator[str]:
    """What was left by `deskbell data`, `reset`, `firstboot` and `console` at this start; nothing on other machines."""
    places = places or Places()
    card = sentences(places, "data")
    yield from card
    if not card and places.data.is_dir() and not os.path.ismount(places.data):
        yield ("The data partition is not there, so all is kept in memory and lost when the box is switched off. Calls "
               "ring. Switch it off and on; if this stays, put a new card in and restore the last backup.")
    yield from sentences(places, "reset")
    for remark in sentences(places, "firstboot", "remarks"):
        yield f"{TOML} on the card: {remark}"
    yield from sentences(places, "network")


def ports(told: str | None = None) -> list[Port]:
    """The ports of this machine but for the loopback, as `ip -json address` tells them."""
    if told is None:
        told = subprocess.run(["ip", "-json", "address"], capture_output=True, text=True, timeout=LOOK_S,
                              check=False).stdout
    found = []
    for row in json.loads(told or "[]"):
        if row.get("link_type") != "ether":
            continue
        addresses = [one["local"] for one in row.get("addr_info", []) if one.get("family") == "inet"]
        addresses.sort(key=lambda address: ipaddress.IPv4Address(address).is_link_local)
        found.append(Port(row["ifname"], "LOWER_UP" in row.get("flags", []), row["ifname"].startswith("wl"),
                          tuple(addresses)))
    return found


def best(found: list[Port]) -> str | None:
    """The address to tell people, None when the box has none yet."""
    known = [address for port in found for address in port.addresses]
    return min(known, key=lambda address: ipaddress.IPv4Address(address).is_link_local, default=None)


def of_the_network(places: Places, found: list[Port]) -> Iterator[str]:
    """What is wrong between the box and its network, as far as the ports tell."""
    network = network_files.load(places)
    name = (identity.look(places) or identity.Identity("", "deskbell", "")).name
    if not any(port.is_up for port in found):
        yield ("The box is in no network: the cable is out, or the switch is off. Calls ring and are kept. "
               "Plug the cable in.")
        return
    given = [address for port in found for address in port.addresses
             if not ipaddress.IPv4Address(address).is_link_local]
    if not given and network.kind == "dhcp":
        yield (f"No router gave the box an address. It answers at https://{name}.local/ from a computer on the same "
               "switch, and calls ring. Switch the router on, or write a fixed address into deskbell.toml.")
    if not given and network.kind == "fixed":
        yield (f"The box could not take the address {network.address}: another device has it, or the cable is out. "
               f"It answers at https://{name}.local/. Calls ring. Give it another address.")
    if network.wifi and not any(port.is_wifi for port in found):
        yield (f"The box is to join the Wi-Fi {network.wifi.name} and has no Wi-Fi of its own. Use the cable.")
    elif network.wifi and not any(port.is_wifi and port.is_up for port in found):
        yield (f"The box is not in the Wi-Fi {network.wifi.name}: the password is wrong, or it is too far away. "
               "Calls ring. Write the password into deskbell.toml once more, or use the cable.")


def of_the_name(places: Places, found: list[Port]) -> Iterator[str]:
    """Another device that answers to our name; it takes a second or two to ask."""
    own = {address for port in found for address in port.addresses}
    named = identity.look(places)
    if not own or named is None:
        return
    others = neighbours.holders(named.name, sorted(own)) - own
    if others:
        yield namesake(named.name, others, best(found) or "")


def namesake(name: str, others: set[str], address: str) -> str:
    """What is said of another box with our name."""
    return (f"Another box in this network is called {name} too, at {', '.join(sorted(others))}. Both work; open this "
            f"one by its address https://{address}/. Write the image to one of the two cards anew.")
