"""The report on the card and the screen: how the box is reached, the code while it is good, and what is wrong."""
from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import config
from appliance.box import boot_health, boot_notes, console, identity, neighbours, network_files, report
from appliance.box.boot_health import Port
from appliance.box.report import Facts
from appliance.people import users
from appliance.store import db as store
from appliance.update import bundle
from appliance.update.bundle import Ground
from tests.unit.firstcard import NOW, WHOLE, Card

FACTS = Facts("deskbell-abcd", "0.5.0", ("https://192.168.1.50/", "https://deskbell-abcd.local/"), "ABCD-EFGH-JKMN",
              ":".join(["A7"] * 32), ("No line is set up. Give its gateway's address in the first steps.",
                                      "deskbell.toml on the card: Line 3: name lacks its quotation marks."),
              ("language", "country"))
WIRED = Port("eth0", True, False, ("192.168.1.50", "169.254.7.7"))


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def test_the_report_says_all_that_an_installer_needs() -> None:
    told = report.text(FACTS, NOW)
    assert all(len(line) <= 79 for line in told.split("\r\n")) and "\n" not in told.replace("\r\n", "")
    for part in ("deskbell-abcd", "Page      https://192.168.1.50/\r\n          https://deskbell-abcd.local/",
                 "Code      ABCD-EFGH-JKMN", "A7:A7", "- DB-LINE-1  No line is set up.",
                 "- Line 3: name lacks its quotation marks.", "Taken: language, country."):
        assert part in told


def ground_of(folder: Path, name: str) -> Ground:
    folder.mkdir()
    (folder / "system.conf").write_text("[system]\ncompatible=deskbell-arm64\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", f"/CN={name}", "-keyout", folder / "key", "-out", folder / "keyring.pem"], check=True,
                   capture_output=True)
    return Ground(folder / "system.conf", folder / "keyring.pem")


def test_who_has_only_the_card_reads_that_the_image_is_one_for_tests(card: Card, tmp_path: Path) -> None:
    card.starts()
    theirs, ours = ground_of(tmp_path / "theirs", f"{bundle.FOR_TESTS} 2026"), ground_of(tmp_path / "ours", "Shop")
    told = " ".join(report.text(report.gather(card.places, [WIRED], theirs), NOW).split())
    assert "This is an image for tests: it trusts keys that anybody may have" in told
    assert "for tests" not in report.text(report.gather(card.places, [WIRED], ours), NOW)
    page = (Path(__file__).resolve().parents[2] / "web/templates/update.html").read_text()
    assert report.FOR_TESTS in page, "the page Update says the same"


def test_the_report_shows_no_code_once_somebody_has_set_a_password() -> None:
    assert "Code" not in report.text(replace(FACTS, code=None), NOW)


def test_the_report_is_written_only_when_it_says_something_new(card: Card) -> None:
    assert report.write(card.places, FACTS, NOW)
    before = (card.places.fat / report.FILE).stat().st_mtime_ns
    assert not report.write(card.places, FACTS, NOW.replace(hour=23))
    assert (card.places.fat / report.FILE).stat().st_mtime_ns == before, "a card wears, and its clock is no news"
    assert report.write(card.places, replace(FACTS, code=None), NOW)
    assert "ABCD-EFGH" not in (card.places.fat / report.FILE).read_text()
    assert [file.name for file in card.places.fat.iterdir()] == [report.FILE]


def test_what_lies_where_the_code_should_be_is_not_shown(card: Card, tmp_path: Path) -> None:
    """The report is root's, the folder of the code the pages': a link there must show nobody what root may read."""
    card.writes(WHOLE.replace('password = "four words in a row"', ""))
    card.starts()
    secret = tmp_path / "roots"
    secret.write_text("the key of the Wi-Fi")
    users.sticker(config.load(card.places.box)).symlink_to(secret)
    assert report.gather(card.places, [WIRED]).code is None


def test_the_code_is_told_until_somebody_owns_the_box(card: Card) -> None:
    card.writes(WHOLE.replace('password = "four words in a row"', ""))
    card.starts()
    box = config.load(card.places.box)
    code = users.first_run_code(box)
    assert report.gather(card.places, [WIRED]).code == code
    db = store.connect(box.store)
    users.add_first(db, "Anna", "four words in a row", NOW)
    assert report.gather(card.places, [WIRED]).code is None


def test_the_surest_address_comes_first(card: Card) -> None:
    card.starts()
    name = card.box()["name"]
    assert report.gather(card.places, [WIRED]).places == ("https://192.168.1.50/", f"https://{name}.local/")
    assert report.gather(card.places, []).places == (f"https://{name}.local/",)


def test_a_box_toml_that_cannot_be_used_is_told_and_the_report_is_written_all_the_same(card: Card) -> None:
    card.starts()
    card.places.box.write_text("countri = 'DE'")
    facts = report.gather(card.places, [WIRED])
    assert "there is no key 'countri'" in facts.findings[0] and facts.places[0] == "https://192.168.1.50/"


def test_the_screen_shows_a_code_that_a_telephone_reads(tmp_path: Path) -> None:
    shown = console.screen(FACTS)
    assert "Code  ABCD-EFGH-JKMN" in shown and "DB-LINE-1" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert read_back(console.qr("https://192.168.1.50/setup?code=ABCD-EFGH-JKMN"))


def read_back(lines: list[str]) -> bool:
    """Whether the half blocks are a QR code: three corners of 7 by 7, dark on light, within a light margin."""
    upper = {"▀": (1, 0), "▄": (0, 1), "█": (1, 1), " ": (0, 0)}
    rows: list[list[int]] = []
    for line in lines:
        rows += [[upper[sign][half] for sign in line[2:]] for half in (0, 1)]
    corner = [[0] * 7, [0, *[1] * 5, 0], *[[0, 1, 0, 0, 0, 1, 0]] * 3, [0, *[1] * 5, 0], [0] * 7]
    width = len(rows[0])
    places = ((2, 2), (width - 9, 2), (2, width - 9))
    return all([row[x:x + 7] for row in rows[y:y + 7]] == corner for x, y in places) and set(rows[0]) == {1}


def test_the_screen_is_shown_again_only_when_it_says_something_new(card: Card, tmp_path: Path) -> None:
    """The pages do not answer here: after a while the screen tells what there is."""
    card.starts()
    screen, stop = tmp_path / "tty", threading.Event()
    screen.touch()
    ticks = iter([0.0, 0.0, *[1000.0] * 4, *[2000.0] * 40])

    def clock() -> float:
        tick = next(ticks)
        if tick >= 2000:
            stop.set()
        return tick

    console.run(card.places, stop, [screen, tmp_path / "missing"], clock, look_s=0)
    assert screen.read_text().count("Deskbell ") == 1
    assert (card.places.boot / console.WANTED).exists()


IP = json.dumps([
    {"ifname": "lo", "link_type": "loopback", "flags": ["UP", "LOWER_UP"], "addr_info": [
        {"family": "inet", "local": "127.0.0.1"}]},
    {"ifname": "eth0", "link_type": "ether", "flags": ["UP", "LOWER_UP"], "addr_info": [
        {"family": "inet", "local": "169.254.7.7"}, {"family": "inet", "local": "192.168.1.50"},
        {"family": "inet6", "local": "fe80::1"}]},
    {"ifname": "wlan0", "link_type": "ether", "flags": ["UP"], "addr_info": []}])


def test_ports_are_read_from_the_kernels_own_list() -> None:
    assert boot_health.ports(IP) == [WIRED, Port("wlan0", False, True, ())]
    assert boot_health.best(boot_health.ports(IP)) == "192.168.1.50" and boot_health.best([]) is None


@pytest.mark.parametrize(("network", "found", "told"), [
    (network_files.Network(), [replace(WIRED, is_up=False)], "The box is in no network: the cable is out"),
    (network_files.Network(), [replace(WIRED, addresses=("169.254.7.7",))], "No router gave the box an address."),
    (network_files.Network("fixed", "192.168.1.50/24"), [replace(WIRED, addresses=("169.254.7.7",))],
     "could not take the address 192.168.1.50/24: another device has it"),
    (network_files.Network(wifi=network_files.Wifi("Laden", "DE")), [WIRED], "has no Wi-Fi of its own"),
    (network_files.Network(wifi=network_files.Wifi("Laden", "DE")), [WIRED, Port("wlan0", False, True, ())],
     "not in the Wi-Fi Laden: the password is wrong"),
])
def test_what_is_wrong_with_the_network_is_a_sentence(
        card: Card, network: network_files.Network, found: list[Port], told: str) -> None:
    network_files.keep(card.places, network)
    said = list(boot_health.of_the_network(card.places, found))
    assert len(said) == 1 and told in said[0]


def test_a_network_that_is_well_says_nothing(card: Card) -> None:
    assert list(boot_health.of_the_network(card.places, [WIRED])) == []


def test_what_the_start_found_is_told_on_page_and_command_line(card: Card) -> None:
    boot_notes.tell(card.places, "data", {"said": ["The card leaves only 500 MB for calls and recordings."]})
    boot_notes.tell(card.places, "firstboot", {"remarks": ["Line 3: wrong."]})
    boot_notes.tell(card.places, "network", {"said": ["No router gave the box an address."]})
    assert list(boot_health.findings(card.places)) == [
        "The card leaves only 500 MB for calls and recordings.", "deskbell.toml on the card: Line 3: wrong.",
        "No router gave the box an address."]


def test_a_box_that_stands_on_memory_says_so(card: Card) -> None:
    assert list(boot_health.findings(card.places)) == []
    card.places.data.mkdir()
    assert "all is kept in memory" in next(boot_health.findings(card.places))


@contextmanager
def neighbour(name: str, address: str) -> Iterator[tuple[str, int]]:
    """Somebody who answers to a name as avahi does: with the question, then the address by a pointer to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)

        def answer() -> None:
            question, whom = listening.recvfrom(9000)
            if name.encode() in question:
                listening.sendto(question[:2] + struct.pack(">HHHHH", 0x8400, 1, 1, 0, 0) + question[12:]
                                 + struct.pack(">HHHIH", 0xC00C, 1, 0x8001, 120, 4) + socket.inet_aton(address), whom)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()
        thread.join()


def test_another_device_with_our_name_is_found() -> None:
    with neighbour("deskbell-abcd", "192.168.1.77") as there:
        assert neighbours.holders("deskbell-abcd", ["127.0.0.1"], there, 1.0) == {"192.168.1.77"}


@pytest.mark.parametrize("answer", [b"", b"x" * 11, b"\0" * 12,
                                    bytes(2) + b"\x84\0\0\0\0\1" + bytes(4) + b"\xc0\x0c" * 9,
                                    bytes(range(256))])
def test_an_answer_that_is_none_names_nobody(answer: bytes) -> None:
    assert neighbours.told(answer, "deskbell-abcd.local") == set()


def test_two_boxes_with_one_name_are_told_with_the_address_that_opens_this_one(card: Card) -> None:
    card.starts()
    own = identity.look(card.places)
    assert own and list(boot_health.of_the_name(card.places, [])) == []
    told = boot_health.namesake(own.name, {"192.168.1.77"}, "192.168.1.50")
    assert f"called {own.name} too, at 192.168.1.77. Both work; open this one by" in told
