"""How the box is in the network: /etc/deskbell/network.json, and what systemd-networkd and Wi-Fi make of it."""
from __future__ import annotations

import ipaddress
import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.box.places import Places
from appliance.store.files import write_durably
from appliance.update.errands import RefusedError

MOST_DNS = 3
WIRED, WIFI = "10-deskbell-wired.network", "10-deskbell-wifi.network"
RELOAD_S = 20
# The same client for a router however often the card was flashed; a box is no name server and no neighbour's.
COMMON = """LinkLocalAddressing=yes
IPv6AcceptRA=yes
MulticastDNS=no
LLMNR=no
"""
BY_ROUTER = """
[DHCPv4]
ClientIdentifier=mac
UseDomains=no
UseHostname=no
"""


class NetworkError(Exception):
    """A network that cannot work; key is what is wrong, the text says why and what to write."""

    def __init__(self, key: str, says: str) -> None:
        super().__init__(says)
        self.key = key


@dataclass(frozen=True)
class Wifi:
    """The name as it is sent by the air, and the country whose channels may be used. The password is kept apart."""
    name: str
    country: str


@dataclass(frozen=True)
class Network:
    """kind: "dhcp" or "fixed"; then address with its mask, gateway "" for none, dns empty for the gateway.

    With Wi-Fi a fixed address is that of the Wi-Fi: the cable then asks the router.
    """
    kind: str = "dhcp"
    address: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    wifi: Wifi | None = None


def parse(table: dict[str, Any]) -> Network:
    """The network of a JSON object (network.json, an errand). Raises NetworkError."""
    kind = table.get("kind", "dhcp")
    wifi = table.get("wifi")
    if kind not in ("dhcp", "fixed"):
        raise NetworkError("kind", "A network is \"dhcp\", where the router gives the address, or \"fixed\".")
    try:
        joined = Wifi(str(wifi["name"]), str(wifi.get("country", ""))) if wifi else None
        given = Network(kind, str(table.get("address") or ""), str(table.get("gateway") or ""),
                        tuple(str(one) for one in table.get("dns") or ()), joined)
    except (TypeError, KeyError, AttributeError) as wrong:
        raise NetworkError("wifi", "The network cannot be understood: wifi has a name, dns is a list.") from wrong
    return checked(given)


def checked(network: Network) -> Network:
    """The same network, when it can work. Raises NetworkError."""
    if network.wifi and (not network.wifi.name or len(network.wifi.name.encode()) > 32
                         or not network.wifi.name.isprintable()):
        raise NetworkError("wifi", "A Wi-Fi's name has 1 to 32 letters.")
    if network.wifi and not re.fullmatch("([A-Z]{2})?", network.wifi.country):
        raise NetworkError("wifi", "The country of a Wi-Fi is two capital letters, such as DE.")
    if network.kind == "dhcp":
        return Network(wifi=network.wifi)
    own = _own(network.address)
    for key, given in (("gateway", network.gateway), *(("dns", one) for one in network.dns)):
        try:
            if given:
                ipaddress.IPv4Address(given)
        except ValueError:
            raise NetworkError(key, f"{given} is no address. Write four numbers such as 192.168.1.1.") from None
    if network.gateway:
        router = ipaddress.IPv4Address(network.gateway)
        if router not in own.network:
            raise NetworkError("gateway", f"The gateway {router} is not in the network of {own} ({own.network}). "
                               "Either the mask or one of the two addresses has a slip.")
        if router == own.ip:
            raise NetworkError("gateway", f"The gateway {router} is the box's own address. Write the router's.")
    if len(network.dns) > MOST_DNS:
        raise NetworkError("dns", f"At most {MOST_DNS} name servers are asked. Leave the others out.")
    return replace(network, address=own.with_prefixlen)      # the one form that systemd.network(5) knows


def _own(address: str) -> ipaddress.IPv4Interface:
    if not address:
        raise NetworkError("address", "A fixed network needs an address such as 192.168.1.50/24.")
    if ":" in address:
        raise NetworkError("address", "The fixed address is an IPv4 one, such as 192.168.1.50/24. "
                                      "IPv6 addresses come from the router by themselves.")
    if "/" not in address:
        raise NetworkError("address", f"{address} lacks its mask. In most shops it is /24: write {address}/24.")
    try:
        own = ipaddress.IPv4Interface(address)
    except ValueError:
        raise NetworkError("address", f"{address} is no address with a mask. "
                                      "Write one such as 192.168.1.50/24.") from None
    net = own.network
    if not 8 <= net.prefixlen <= 30:
        raise NetworkError("address", f"The mask /{net.prefixlen} leaves no room for neighbours or is far too wide. "
                                      "In most shops it is /24.")
    if own.ip in (net.network_address, net.broadcast_address):
        raise NetworkError("address", f"{own.ip} means the whole network {net} and can be no box's address. "
                                      "Take one between.")
    if own.ip.is_loopback or own.ip.is_multicast or own.ip.is_unspecified or own.ip.is_link_local:
        raise NetworkError("address", f"{own.ip} is no address that a shop's network has. "
                                      "Write one such as 192.168.1.50/24.")
    return own


def load(places: Places) -> Network:
    """The network of the box; DHCP where nothing was chosen or the file cannot be read."""
    try:
        found = json.loads(places.network.read_bytes())
        return parse(found) if isinstance(found, dict) else Network()
    except (OSError, ValueError, NetworkError):
        return Network()


def keep(places: Places, network: Network, wifi_password: str | None = None) -> None:
    """Writes network.json, and the Wi-Fi's password when there is a new one (None: the one of before stays).

    Raises NetworkError for a password that no Wi-Fi has.
    """
    if wifi_password and not is_wifi_password(wifi_password):
        raise NetworkError("wifi", "A Wi-Fi's password has 8 to 63 characters.")
    places.secrets.mkdir(parents=True, exist_ok=True)
    if wifi_password is not None:
        before = os.umask(0o077)
        try:
            write_durably(places.wifi_password, wifi_password.encode())
        finally:
            os.umask(before)
    table = {"kind": network.kind, "address": network.address, "gateway": network.gateway, "dns": list(network.dns),
             "wifi": {"name": network.wifi.name, "country": network.wifi.country} if network.wifi else None}
    wanted = (json.dumps(table, indent=1, ensure_ascii=False) + "\n").encode()
    if not places.network.exists() or places.network.read_bytes() != wanted:
        write_durably(places.network, wanted, 0o644)


def is_wifi_password(given: str) -> bool:
    """Whether it can be the password of a Wi-Fi (IEEE 802.11: a passphrase, or the key); no line's end is in one."""
    return is_key(given) or len(given) >= 8 and len(given.encode()) <= 63 and given.isprintable()


def is_key(given: str) -> bool:
    """Whether it is the key of a Wi-Fi itself, 256 bits in hex, as a passphrase never is."""
    return re.fullmatch("[0-9A-Fa-f]{64}", given) is not None


def files(network: Network, wifi_password: str = "") -> dict[str, str]:
    """The files by their names: those of systemd-networkd, and wpa_supplicant.conf where a Wi-Fi is joined."""
    is_fixed_by_cable = network.kind == "fixed" and network.wifi is None
    made = {WIRED: _networkd("ether", network if is_fixed_by_cable else Network(), 100),
            WIFI: _networkd("wlan", Network() if is_fixed_by_cable else network, 600)}
    if network.wifi:
        made["wpa_supplicant.conf"] = _supplicant(network.wifi, wifi_password)
    return made


def _networkd(kind: str, network: Network, metric: int) -> str:
    top = f"[Match]\nType={kind}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n{COMMON}"
    if network.kind == "dhcp":
        return f"{top}DHCP=yes\n{BY_ROUTER}RouteMetric={metric}\n"
    servers = network.dns or ((network.gateway,) if network.gateway else ())
    top += "".join(f"DNS={server}\n" for server in servers)
    top += f"\n[Address]\nAddress={network.address}\nDuplicateAddressDetection=ipv4\n"
    return top + (f"\n[Route]\nGateway={network.gateway}\nMetric={metric}\n" if network.gateway else "")


def _supplicant(wifi: Wifi, password: str) -> str:
    """WPA2 and WPA3 by the same password; by a key WPA2 alone, for SAE wants the passphrase. A key has no quotes.

    The name stands in hex: it may hold any letter. wpa_supplicant.conf(5), psk.
    """
    way = (f"key_mgmt=WPA-PSK WPA-PSK-SHA256\n ieee80211w=1\n psk={password}" if is_key(password)
           else f"key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n ieee80211w=1\n psk=\"{password}\"" if password
           else "key_mgmt=NONE")
    country = f"country={wifi.country}\n" if wifi.country else ""
    return f"{country}network={{\n ssid={wifi.name.encode().hex()}\n scan_ssid=1\n {way}\n}}\n"


def write(places: Places, network: Network) -> list[Path]:
    """The files under /run that are other than before; what is not wanted any more is gone."""
    password = _password(places.wifi_password)
    changed, wanted = [], files(network, password)
    for name in (WIRED, WIFI, "wpa_supplicant.conf"):
        file = places.wifi if name == "wpa_supplicant.conf" else places.networkd / name
        if name not in wanted:
            file.unlink(missing_ok=True)
            continue
        if not file.exists() or file.read_text() != wanted[name]:
            _folder(file.parent)
            aside = file.with_name(f".{file.name}.new")
            aside.unlink(missing_ok=True)
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(wanted[name])
            if file != places.wifi:
                aside.chmod(0o644)             # systemd-networkd is a user of its own
            aside.rename(file)
            changed.append(file)
    return changed


def _folder(folder: Path) -> None:
    """systemd-networkd is a user of its own and must come through, whatever mask we run with."""
    before = os.umask(0o022)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(before)


def _password(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def errand(_db: sqlite3.Connection, wanted: dict[str, Any], progress: Callable[[int, str], None],
           places: Places | None = None) -> str:
    """Keeps and takes another network, as the page asked; what was done, in words. Raises RefusedError."""
    places = places or Places()
    try:
        network = parse(wanted)
        password = (wanted.get("wifi") or {}).get("password")
        keep(places, network, str(password) if password else None)
    except NetworkError as wrong:
        raise RefusedError(str(wrong)) from wrong
    progress(50, "The network is set up anew.")
    if write(places, network) and places.root == Path("/"):
        subprocess.run(["networkctl", "reload"], timeout=RELOAD_S, capture_output=True, check=False)
        subprocess.run(["systemctl", "--no-block", "try-restart", "deskbell-wifi@*.service"],
                       timeout=RELOAD_S, capture_output=True, check=False)
    return ("The router gives the box its address." if network.kind == "dhcp"
            else f"The box is at {network.address.partition('/')[0]} from now on.")
