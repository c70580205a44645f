"""The first start: what deskbell.toml wishes is where the box keeps it, once, and no secret is left on the card."""
from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from appliance import config, settings
from appliance.box import firstboot_keys, network_files
from appliance.people import users
from appliance.store import db as store
from tests.unit.firstcard import SECRETS, WHOLE, Card


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def test_all_wishes_are_where_the_box_keeps_such_things(card: Card) -> None:
    card.writes(WHOLE)
    assert card.starts() == []
    box = config.load(card.places.box)
    assert (box.country, box.time_zone, box.language) == ("DE", "Europe/Berlin", "fr")
    assert [(trunk.key, trunk.gateway) for trunk in box.trunks] == [("line1", "192.168.7.9:5062")]
    assert [(phone.number, phone.name) for phone in box.extensions] == [("101", "Counter"), ("102", "102")]
    assert box.own_numbers == ("+493023125100",)
    assert (box.modems[0].name, box.modems[0].port) == ("SIM", "auto")
    assert (box.web.listen, box.web.port, box.web.tls) == ("0.0.0.0", 443, True)
    db = store.connect(box.store)
    assert settings.read(db).shop_name == "Blumen Müller"
    assert users.verify(db, "Anna", "four words in a row") == 1
    assert [user.role for user in users.listed(db)] == ["owner"]
    network = network_files.load(card.places)
    assert (network.kind, network.address, network.wifi) == (
        "fixed", "192.168.7.20/24", network_files.Wifi("Laden", "DE"))
    assert (box.secrets / "sim-SIM.pin").read_text() == "4711\n"
    assert 'psk="geheim "123""' in card.places.wifi.read_text()
    assert (card.root / "hostname").read_text() == box.name
    assert (box.state / "first-words").read_text() == "fr"


def test_no_secret_is_left_on_the_card_and_the_file_keeps_its_length(card: Card) -> None:
    card.writes(WHOLE)
    before = card.toml.stat()
    card.starts()
    after = card.toml.read_bytes()
    assert not [secret for secret in SECRETS if secret in after]
    assert (card.toml.stat().st_size, card.toml.stat().st_ino) == (before.st_size, before.st_ino), \
        "a shorter or another file would leave the secret in clusters that nobody writes over"
    assert b'password = ""                      # on a note in the drawer' in after
    assert b'name = "Blumen M\xc3\xbcller"\r\n' in after and firstboot_keys.read(after).remarks == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_secrets_are_wiped_in_every_encoding(card: Card, encoding: str) -> None:
    card.writes(WHOLE, encoding)
    card.starts()
    after = card.toml.read_bytes()
    assert not [secret for secret in SECRETS if secret.decode().encode(encoding)[2:] in after or secret in after]
    assert firstboot_keys.read(after).value("shop.name") == "Blumen Müller"


def test_only_root_can_read_what_was_secret(card: Card) -> None:
    card.writes(WHOLE)
    card.starts()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) & 0o007 for file in
             (card.places.wifi_password, card.places.wifi, card.places.etc / "firstboot.json",
              card.places.secrets / "sim-SIM.pin")}
    assert set(modes.values()) == {0}
    kept = b"".join(file.read_bytes() for file in card.places.etc.glob("*.json"))
    assert not [secret for secret in SECRETS if secret in kept]


def test_without_a_file_the_box_has_sensible_defaults(card: Card) -> None:
    assert card.starts() == []
    box = config.load(card.places.box)
    assert box.name.startswith("deskbell-") and [phone.number for phone in box.extensions] == ["101"]
    assert box.trunks == () and not box.store.exists()
    assert "DHCP=yes" in (card.places.networkd / network_files.WIRED).read_text()


def test_a_second_start_changes_nothing(card: Card) -> None:
    card.writes(WHOLE)
    card.starts()
    files = [file for file in card.root.rglob("*")
             if file.is_file() and "deskbell-boot" not in file.parts and file.name != "hostname"]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    assert card.starts() == []
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files} == before


def test_what_the_office_changed_on_the_page_stays_though_the_file_still_wishes_it(card: Card) -> None:
    card.writes(WHOLE)
    card.starts()
    db = store.connect(config.read(card.places.box).store)
    with store.write(db):
        settings.put(db, "shop_name", "Anna's flowers")
    network_files.keep(card.places, network_files.Network())
    card.starts()
    assert settings.read(db).shop_name == "Anna's flowers"
    assert network_files.load(card.places).kind == "dhcp"


def test_a_line_that_is_new_counts_and_the_others_are_not_taken_again(card: Card) -> None:
    card.writes(WHOLE)
    card.starts()
    db = store.connect(config.read(card.places.box).store)
    with store.write(db):
        settings.put(db, "shop_name", "Anna's flowers")
        settings.put(db, "country", "FR")
    card.writes(card.toml.read_text().replace('"DE"', '"AT"').replace("\r", ""))
    assert card.starts() == []
    assert config.load(card.places.box).country == "AT", "who goes to the card for it means it"
    assert settings.read(db).shop_name == "Anna's flowers"


@pytest.mark.parametrize(("country", "zone"), [("FR", "Europe/Paris"), ("RU", "Europe/Moscow"), ("UA", "Europe/Kyiv")])
def test_the_country_brings_the_time_zone_where_most_people_live(card: Card, country: str, zone: str) -> None:
    card.writes(f'[shop]\ncountry = "{country}"\n')
    card.starts()
    assert config.load(card.places.box).time_zone == zone


def test_where_101_is_the_fire_brigade_the_first_telephone_is_201_and_a_wished_101_is_told(card: Card) -> None:
    card.writes('[shop]\ncountry = "RU"\n\n[[telephone]]\nnumber = "101"\n')
    assert [said for said in card.starts() if "101" in said and "emergency number" in said]
    box = config.load(card.places.box)
    assert box.country == "RU" and [phone.number for phone in box.extensions] == ["201"]
    card.writes('[shop]\ncountry = "RU"\n\n[[telephone]]\nnumber = "301"\n')
    assert card.starts() == []
    assert [phone.number for phone in config.load(card.places.box).extensions] == ["301"]


def test_a_telephone_that_cannot_be_is_told_at_each_start_and_stops_no_other(card: Card) -> None:
    card.writes('[[telephone]]\nnumber = "112"\n[[telephone]]\nnumber = "103"\n[sim]\nnumber = "12"\n')
    for _ in range(2):
        told = card.starts()
        assert [remark.partition(":")[0] for remark in told] == ["Line 6", "Line 2"] or len(told) == 2
        assert any("'112' is an emergency number" in remark for remark in told)
    assert [phone.number for phone in config.load(card.places.box).extensions] == ["103"]


def test_a_network_that_cannot_work_leaves_the_router_to_give_the_address(card: Card) -> None:
    card.writes(WHOLE.replace('gateway = "192.168.7.1"', 'gateway = "192.168.8.1"'))
    told = card.starts()
    assert told == ["Line 13: The gateway 192.168.8.1 is not in the network of 192.168.7.20/24 (192.168.7.0/24). "
                    "Either the mask or one of the two addresses has a slip. Until then the router gives the address."]
    network = network_files.load(card.places)
    assert (network.kind, network.wifi) == ("dhcp", network_files.Wifi("Laden", "DE")), "joined all the same"


def test_a_password_in_the_file_opens_no_box_that_has_an_owner(card: Card) -> None:
    card.writes(WHOLE)
    card.starts()
    card.writes('[owner]\nname = "Eve"\npassword = "another four words"\n')
    assert "somebody has set one on the page already" in card.starts()[0]
    assert card.asks("SELECT name FROM user") == [("Anna",)]
    assert b"another" not in card.toml.read_bytes()


def test_a_refused_secret_stays_for_its_writer_to_mend(card: Card) -> None:
    card.writes('[owner]\npassword = "too short"\n')
    assert "at least 12 characters" in card.starts()[0]
    assert b"too short" in card.toml.read_bytes()


def test_a_box_toml_that_somebody_spoilt_is_left_and_told_and_the_rest_is_done(card: Card) -> None:
    card.starts()
    card.places.box.write_text("countri = 'DE'\n")
    card.writes(WHOLE)
    told = " ".join(card.starts())
    assert "there is no key 'countri'" in told and "The telephone rings as it did" in told
    assert card.places.box.read_text() == "countri = 'DE'\n"
    assert network_files.load(card.places).kind == "fixed"


def test_a_store_that_cannot_be_used_is_told_and_tried_again(card: Card) -> None:
    card.starts()
    state = config.read(card.places.box).state
    state.mkdir(parents=True)
    (state / "office.db").write_bytes(b"no store " * 500)
    card.writes(WHOLE)
    assert "could not be kept" in card.starts()[0]
    assert b"four words in a row" in card.toml.read_bytes(), "it was not taken"
    assert b"4711" not in card.toml.read_bytes()
    (state / "office.db").unlink()
    assert card.starts() == []
    assert card.asks("SELECT name FROM user") == [("Anna",)] and b"four words" not in card.toml.read_bytes()


def test_windows_may_hide_the_end_of_the_name(card: Card) -> None:
    card.writes('[shop]\ncountry = "FR"\n')
    card.toml.rename(card.places.fat / "deskbell.toml.txt")
    card.starts()
    assert config.load(card.places.box).country == "FR"


def test_what_was_done_is_left_for_the_report(card: Card) -> None:
    card.writes(WHOLE + 'nane = "x"\n')
    card.starts()
    told = json.loads((card.places.boot / "firstboot.json").read_text())
    assert told["has_file"] and len(told["remarks"]) == 1
    assert "the first password (and wiped from the file)" in told["taken"] and "telephones" in told["taken"]
