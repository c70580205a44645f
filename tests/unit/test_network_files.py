"""The network of a box: what cannot work is told before it is tried, and what systemd is given."""
from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from appliance.box import network_files
from appliance.box.network_files import WIFI, WIRED, Network, NetworkError, Wifi
from appliance.box.places import Places
from appliance.update.errands import RefusedError

FIXED = {"kind": "fixed", "address": "192.168.1.50/24", "gateway": "192.168.1.1", "dns": ["9.9.9.9"], "wifi": None}


@pytest.mark.parametrize(("change", "key", "told"), [
    ({"address": ""}, "address", "needs an address"),
    ({"address": "192.168.1.50"}, "address", "lacks its mask. In most shops it is /24: write 192.168.1.50/24."),
    ({"address": "192.168.1.500/24"}, "address", "is no address with a mask"),
    ({"address": "192.168.1.50/255.0.255.0"}, "address", "is no address with a mask"),
    ({"address": "192.168.1.50/32"}, "address", "leaves no room for neighbours"),
    ({"address": "192.168.1.50/2"}, "address", "far too wide"),
    ({"address": "192.168.1.0/24"}, "address", "means the whole network"),
    ({"address": "192.168.1.255/24"}, "address", "means the whole network"),
    ({"address": "127.0.0.5/8"}, "address", "no address that a shop's network has"),
    ({"address": "2001:db8::1/64"}, "address", "IPv4"),
    ({"gateway": "192.168.2.1"}, "gateway", "is not in the network of 192.168.1.50/24 (192.168.1.0/24)"),
    ({"gateway": "192.168.1.50"}, "gateway", "the box's own address"),
    ({"gateway": "fritz.box"}, "gateway", "is no address"),
    ({"dns": ["nine"]}, "dns", "is no address"),
    ({"dns": ["9.9.9.9"] * 4}, "dns", "At most 3"),
    ({"kind": "static"}, "kind", "\"dhcp\""),
    ({"wifi": {"name": ""}}, "wifi", "1 to 32"),
    ({"wifi": {"name": "x" * 33}}, "wifi", "1 to 32"),
    ({"wifi": {"name": "a", "country": "DE\nx=1"}}, "wifi", "two capital letters"),
    ({"wifi": "Laden"}, "wifi", "cannot be understood"),
])
def test_a_network_that_cannot_work_is_refused_with_its_reason(change: dict[str, Any], key: str, told: str) -> None:
    with pytest.raises(NetworkError, match=r"\.$") as refused:
        network_files.parse({**FIXED, **change})
    assert refused.value.key == key and told in str(refused.value)


def test_a_long_mask_is_a_mask_too_and_written_as_systemd_takes_it() -> None:
    """systemd-networkd passes over an address with a long mask (systemd.network(5)): the box would have none."""
    given = network_files.parse({**FIXED, "address": "192.168.1.50/255.255.255.0"})
    assert given.address == "192.168.1.50/24" and "Address=192.168.1.50/24\n" in network_files.files(given)[WIRED]


def test_by_default_the_router_gives_the_address_and_a_bare_cable_works_too() -> None:
    made = network_files.files(Network())
    assert set(made) == {WIRED, WIFI}
    for file in made.values():
        assert "DHCP=yes\n" in file and "LinkLocalAddressing=yes\n" in file and "ClientIdentifier=mac\n" in file
        assert "MulticastDNS=no\n" in file, "avahi answers for our name, and only it"


def test_a_fixed_address_keeps_the_way_by_a_bare_cable_and_asks_the_router_where_no_name_server_is_given() -> None:
    made = network_files.files(network_files.parse({**FIXED, "dns": []}))
    assert "Address=192.168.1.50/24\nDuplicateAddressDetection=ipv4\n" in made[WIRED]
    assert "Gateway=192.168.1.1\n" in made[WIRED] and "DNS=192.168.1.1\n" in made[WIRED]
    assert "LinkLocalAddressing=yes\n" in made[WIRED] and "DHCP" not in made[WIRED]
    assert "DHCP=yes\n" in made[WIFI]


def test_with_wifi_the_fixed_address_is_the_one_of_the_wifi() -> None:
    made = network_files.files(network_files.parse({**FIXED, "wifi": {"name": "Laden", "country": "DE"}}), "geheim123")
    assert "Address=192.168.1.50/24" in made[WIFI] and "DHCP=yes" in made[WIRED]


def test_a_wifi_of_any_letters_is_joined_by_wpa2_or_wpa3() -> None:
    made = network_files.files(Network(wifi=Wifi('Café "Zur Post"', "DE")), 'ge"heim123')["wpa_supplicant.conf"]
    assert f" ssid={'Café \"Zur Post\"'.encode().hex()}\n" in made
    assert "key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n" in made and ' psk="ge"heim123"\n' in made
    assert "key_mgmt=NONE" in network_files.files(Network(wifi=Wifi("open", "")))["wpa_supplicant.conf"]


def test_a_wifi_is_joined_by_its_key_too_which_stands_without_quotes(tmp_path: Path) -> None:
    key = "0123456789abcdefABCDEF9876543210" * 2
    made = network_files.files(Network(wifi=Wifi("Laden", "DE")), key)["wpa_supplicant.conf"]
    assert f" psk={key}\n" in made and "SAE" not in made
    network_files.keep(Places(tmp_path), Network(), key)
    for none in (key[:-1] + "g", key + "0", "x" * 64):
        with pytest.raises(network_files.NetworkError):
            network_files.keep(Places(tmp_path), Network(), none)


def test_systemd_understands_each_line() -> None:
    """networkd passes over what it does not know, so its own words are held against what it knows."""
    keys = {line.partition("=")[0] for network in (Network(), network_files.parse(FIXED))
            for file in network_files.files(network).values() for line in file.splitlines() if "=" in line}
    program = Path("/usr/lib/systemd/systemd-networkd").read_bytes() + b"".join(
        file.read_bytes() for file in Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))
    assert not [key for key in keys if key.encode() not in program]


def test_what_is_kept_is_read_back_and_the_password_is_roots_alone(tmp_path: Path) -> None:
    places = Places(tmp_path)
    network = network_files.parse({**FIXED, "wifi": {"name": "Laden", "country": "DE"}})
    network_files.keep(places, network, "geheim123")
    assert network_files.load(places) == network
    assert stat.S_IMODE(places.wifi_password.stat().st_mode) == 0o600
    assert "geheim" not in places.network.read_text()
    network_files.keep(places, Network(wifi=network.wifi))
    assert places.wifi_password.read_text() == "geheim123", "a page that does not show it does not lose it"


def test_only_what_is_other_than_before_is_written_and_what_is_not_wanted_goes(tmp_path: Path) -> None:
    places = Places(tmp_path)
    network_files.keep(places, Network(wifi=Wifi("Laden", "DE")), "geheim123")
    assert len(network_files.write(places, network_files.load(places))) == 3
    assert network_files.write(places, network_files.load(places)) == []
    assert stat.S_IMODE(places.wifi.stat().st_mode) == 0o600
    network_files.write(places, Network())
    assert not places.wifi.exists()


@pytest.mark.parametrize("spoilt", [b"", b"[]", b"{}x", b'{"kind": "fixed"}', b"\xff"])
def test_a_spoilt_file_leaves_the_router_to_give_the_address(tmp_path: Path, spoilt: bytes) -> None:
    places = Places(tmp_path)
    places.etc.mkdir(parents=True)
    places.network.write_bytes(spoilt)
    assert network_files.load(places) == Network()


def test_the_errand_of_a_page_is_checked_and_kept(tmp_path: Path) -> None:
    places, seen = Places(tmp_path), list[int]()
    db = sqlite3.connect(":memory:")

    def progress(percent: int, _said: str) -> None:
        seen.append(percent)

    said = network_files.errand(db, FIXED, progress, places)
    assert said == "The box is at 192.168.1.50 from now on." and seen == [50]
    assert (places.networkd / WIRED).exists() and network_files.load(places).address == "192.168.1.50/24"
    for wrong in ({**FIXED, "gateway": "10.0.0.1"}, {"wifi": {"name": "Laden", "password": "x\"\n}\nnetwork={"}}):
        with pytest.raises(RefusedError):
            network_files.errand(db, wrong, progress, places)
    assert network_files.load(places).address == "192.168.1.50/24"


def test_systemd_comes_through_to_its_files_whatever_mask_we_run_with(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        network_files.write(Places(tmp_path), network_files.parse(FIXED))
    finally:
        os.umask(before)
    for path in (tmp_path / "run/systemd", tmp_path / "run/systemd/network", tmp_path / "run/systemd/network" / WIRED):
        assert stat.S_IMODE(path.stat().st_mode) & 0o044 == 0o044, path
