"""What a box is called: by its board, else by its cable, else by chance; and the same from then on."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.box import identity
from appliance.box.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def port(places: Places, name: str, mac: str, kind: str = "1", *, is_real: bool = True, is_wifi: bool = False) -> None:
    folder = places.root / "sys/class/net" / name
    folder.mkdir(parents=True)
    (folder / "address").write_text(mac + "\n")
    (folder / "type").write_text(kind + "\n")
    for there, what in ((is_real, "device"), (is_wifi, "wireless")):
        if there:
            (folder / what).mkdir()


def serial(places: Places, number: str) -> None:
    (places.root / "sys/firmware/devicetree/base").mkdir(parents=True)
    (places.root / "sys/firmware/devicetree/base/serial-number").write_text(number + "\0")


def test_a_raspberry_pi_is_called_by_its_serial_number(places: Places) -> None:
    serial(places, "10000000a1b2C3D4")
    port(places, "eth0", "dc:a6:32:00:00:01")
    assert identity.settle(places) == identity.Identity("c3d4", "deskbell-c3d4", "serial")


def test_an_older_kernel_tells_the_serial_number_with_the_processor(places: Places) -> None:
    (places.root / "proc").mkdir()
    (places.root / "proc/cpuinfo").write_text("Revision\t: a020d3\nSerial\t\t: 00000000deadbeef\n")
    assert identity.settle(places).id == "beef"


def test_a_serial_number_of_zeros_is_none(places: Places) -> None:
    serial(places, "0000000000000000")
    port(places, "lo", "00:00:00:00:00:00", "772", is_real=False)
    port(places, "br0", "02:00:00:00:00:99", is_real=False)
    port(places, "enp1s0", "dc:a6:32:01:ab:cd")
    port(places, "wlan0", "dc:a6:32:01:ab:ff", is_wifi=True)
    assert identity.settle(places) == identity.Identity("abcd", "deskbell-abcd", "mac")


def test_a_machine_without_either_gets_a_name_by_chance_and_keeps_it(places: Places) -> None:
    first = identity.settle(places)
    assert first.origin == "random" and first.name == f"deskbell-{first.id}"
    assert identity.settle(places) == first == identity.look(places)


def test_the_name_stays_with_the_card_when_it_moves_to_another_board(places: Places) -> None:
    serial(places, "10000000a1b2c3d4")
    identity.settle(places)
    (places.root / "sys/firmware/devicetree/base/serial-number").write_text("10000000ffffffff\0")
    assert identity.settle(places).id == "c3d4"


@pytest.mark.parametrize("spoilt", [b"", b"{", b'{"id": "ab"}', b'{"id": "zzzz", "name": "x"}',
                                    json.dumps({"id": "abcd", "name": "two words"}).encode(), b"\xff\xfe"])
def test_a_file_that_was_spoilt_is_made_anew(places: Places, spoilt: bytes) -> None:
    serial(places, "10000000a1b2c3d4")
    places.etc.mkdir(parents=True)
    (places.etc / "identity.json").write_bytes(spoilt)
    assert identity.settle(places).id == "c3d4"


NAMING = "import socket; from appliance.box import identity; print(identity.name_host('deskbell-c3d4')); " \
         "print(socket.gethostname())"


@pytest.mark.parametrize(("way", "told"), [
    (["unshare", "--uts"], "None\ndeskbell-c3d4\n"),
    (["unshare", "--uts", "setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"],
     "could not be named")])
def test_the_machine_is_named_or_it_is_told(way: list[str], told: str) -> None:
    done = subprocess.run([*way, sys.executable, "-c", NAMING], capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip(f"this kernel gives us no name of our own: {done.stderr.strip()}")
    assert told in done.stdout, done.stderr
