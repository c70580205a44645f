"""A card is flashed, one text file is edited, power is plugged in: the box answers, and a missed caller is texted."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.desk import eventually
from tests.image.card import Card
from tests.image.lan import HOST, SELDOM_S, Lan, wait_until
from tests.image.machine import BOOT_LIMIT_S, Machine
from tests.image.owner import Owner
from tests.sip import Line, State

PASSWORD = "seven green umbrellas dance"      # not the example of deskbell.toml, which is on every card
FROM_OUTSIDE = 300.0
STICK_BYTES = 256 * 1024 ** 2
TOML = f"""[shop]
name = "Blumen Krause"
language = "en"
country = "DE"
time_zone = "Europe/Berlin"

[owner]
name = "Amy"
password = "{PASSWORD}"

[line]
kind = "gateway"
name = "Line 1"
gateway = "{HOST}:5070"
"""


class Sim:
    """The GSM modem on the box's USB port, played at wire level; `air` is what went over it."""

    def __init__(self, folder: Path) -> None:
        self.port, self.air = folder / "modem", folder / "air"
        self.port.unlink(missing_ok=True)
        self.air.write_text("")
        self._played = subprocess.Popen([sys.executable, "-P", "-m", "hw.gsm_sim", "--link", self.port,
                                         "--air", self.air, "--network-s", "0.5"])
        eventually(self.port.exists)

    def close(self) -> None:
        self._played.terminate()
        self._played.wait(10)


@pytest.fixture(scope="module")
def sim(folder: Path) -> Iterator[Sim]:
    sim = Sim(folder)
    yield sim
    sim.close()


@pytest.fixture(scope="module")
def card(image: Path, folder: Path) -> Card:
    card = Card.flashed(image, folder / "card.img")
    card.write("deskbell.toml", TOML)
    return card


@pytest.fixture(scope="module")
def sticks(folder: Path) -> list[Path]:
    """One of a shop, and one whose file system no stick has."""
    good, strange = folder / "stick.img", folder / "strange.img"
    for stick in (good, strange):
        stick.unlink(missing_ok=True)
    good.touch()
    os.truncate(good, STICK_BYTES)
    subprocess.run(["mkfs.vfat", "-n", "KINGFISHER", good], check=True, capture_output=True)
    subprocess.run(["mksquashfs", Path(__file__).parent, strange, "-quiet", "-no-progress"], check=True,
                   capture_output=True)
    return [good, strange]


@pytest.fixture(scope="module")
def box(card: Card, lan: Lan, sim: Sim, sticks: list[Path], folder: Path) -> Iterator[Machine]:
    with Machine(card.file, lan, folder, modem=sim.port, sticks=sticks) as box:
        yield box


@pytest.fixture(scope="module")
def owner(box: Machine) -> Owner:
    """Amy, logged in from her PC, with the password of the text file."""
    owner = wait_until(lambda: visited(box), BOOT_LIMIT_S, f"the page; the console ends: {box.console()[-600:]}")
    print(f"\nthe page answered {time.monotonic() - box.started:.1f} s after power")
    assert owner.log_in("Amy", PASSWORD).status == 303
    return owner


def test_every_unit_is_up_and_calls_were_taken_before_the_pages_came(owner: Owner, box: Machine) -> None:
    box.run("systemctl is-system-running --wait || true", FROM_OUTSIDE)
    assert box.run("systemctl is-system-running || true") == "running"
    assert box.run("systemctl --failed --no-legend --plain") == ""
    since = {unit: int(box.run(f"systemctl show -P ActiveEnterTimestampMonotonic {unit}"))
             for unit in ("asterisk.service", "deskbell-calls.service", "deskbell-web.service")}
    print(f"\nready for calls {since['deskbell-calls.service'] / 1e6:.1f} s after the kernel's start, "
          f"pages {since['deskbell-web.service'] / 1e6:.1f} s")
    assert 0 < max(since["asterisk.service"], since["deskbell-calls.service"]) <= since["deskbell-web.service"]


def test_the_root_is_read_only_and_data_fills_the_card(box: Machine, card: Card) -> None:
    assert re.search(r"^\S+ / \S+ ro[, ]", box.run("cat /proc/mounts"), re.M)
    assert "Read-only" in box.run("touch /usr/here || true")
    sectors = json.loads(box.run("lsblk -bJ -o LABEL,SIZE,MOUNTPOINT"))["blockdevices"]
    data = next(row for disk in sectors for row in [disk, *disk.get("children", [])] if row["mountpoint"] == "/data")
    assert data["label"] == "deskbell-data"
    assert data["size"] > card.file.stat().st_size - 3.1 * 1024 ** 3
    free = int(box.run("df --output=size -B1 /data").split()[-1])
    assert free > 0.85 * int(data["size"]), "the file system did not grow with its partition"


def test_a_missed_caller_is_texted_and_his_call_tells_the_time(owner: Owner, box: Machine, sim: Sim) -> None:
    owner.change("/settings/texts", quiet_from="00:00", quiet_until="00:00")       # whatever time it is now
    owner.post("/rules/switch", {"key": "missed", "on": "1"})
    rings_in(owner)
    eventually(lambda: sim.air.read_text().strip(), FROM_OUTSIDE)
    wait_until(lambda: "01512 3456789" in owner.get("/history").text, FROM_OUTSIDE, "the call on the page", SELDOM_S)
    wait_until(lambda: '"line"' in box.run("cat /run/deskbell-boot/time.json || true") or rings_in(owner), FROM_OUTSIDE,
               "a clock that goes by a call's Date, of the first that a played processor answers in time", SELDOM_S)


def rings_in(owner: Owner) -> None:
    """A caller who hangs up, at the hour of the world outside."""
    with Line((HOST, 5070), box=(owner.host, 5060)) as line:
        leg = line.call("+4915123456789", headers=[("date", formatdate(usegmt=True).encode())])
        leg.until(State.RINGING, FROM_OUTSIDE)
        leg.cancel()
        leg.until(State.ENDED, FROM_OUTSIDE)


def test_the_first_backup_goes_to_a_stick_and_a_strange_stick_is_a_sentence(
        owner: Owner, box: Machine, sticks: list[Path]) -> None:
    wait_until(lambda: "stick:KINGFISHER" in owner.get("/wizard/backup").text, FROM_OUTSIDE, "the stick", SELDOM_S)
    words = "four grey herons waiting"
    made = owner.post("/wizard/backup/make", {"where": "stick:KINGFISHER", "passphrase": words, "again": words})
    assert made.status == 303, made.text
    wait_until(lambda: {"This box: Proven", "KINGFISHER: Proven"} <= set(re.findall(
        r"<b>([^<]+)</b>", owner.get("/wizard/backup").text)), FROM_OUTSIDE, "both proven", SELDOM_S)
    box.run("sync")
    listed = subprocess.run(["mdir", "-b", "-/", "-i", sticks[0], "::"], check=True, capture_output=True, text=True)
    assert ".age" in listed.stdout, listed.stdout
    wait_until(lambda: "has the file system squashfs" in owner.get("/wizard/end").text, FROM_OUTSIDE, "the sentence",
               SELDOM_S)


def test_the_text_file_is_read_and_its_secret_is_nowhere_on_the_fat(box: Machine, owner: Owner, card: Card) -> None:
    assert "Blumen Krause" in owner.get("/").text
    assert "Place A of two on the card" in owner.get("/update").text
    report = wait_until(lambda: box.run("sync") or card.read("deskbell-report.txt"), FROM_OUTSIDE, "the report",
                        SELDOM_S)
    assert PASSWORD.encode() not in card.fat_bytes()
    name = json.loads(box.run("cat /etc/deskbell/identity.json"))["name"]
    assert name in report and owner.host in report
    print("\n" + report)


def test_only_what_the_office_needs_listens(box: Machine) -> None:
    rows = [line.split() for line in box.run("ss -H -l -t -u -n -p").splitlines()]
    doors = {(row[0], row[4].rpartition(":")[2]) for row in rows if not row[4].startswith(("127.", "[::1]"))
             and not asks(row)}
    assert doors <= {("tcp", "443"), ("tcp", "80"), ("udp", "5060"), ("udp", "68"), ("udp", "546")}, doors


def asks(row: list[str]) -> bool:
    """Whether this socket only asks from a port of the moment: avahi its neighbours, PJSIP the name server."""
    port = int(row[4].rpartition(":")[2])
    return row[0] == "udp" and any(who in " ".join(row) for who in ("avahi-daemon", "asterisk")) and (
        port == 5353 or port >= 32768)


def test_a_restart_keeps_it_all(box: Machine, owner: Owner, card: Card, lan: Lan, sim: Sim, folder: Path) -> None:
    name, print_ = box.run("cat /etc/deskbell/identity.json"), owner.authority
    box.power_off()
    with Machine(card.file, lan, folder, modem=sim.port) as again:
        wait_until(lambda: reaches(owner), BOOT_LIMIT_S, again.console()[-600:])
        assert "01512 3456789" in owner.get("/history").text, "the call is gone"
        assert again.run("cat /etc/deskbell/identity.json") == name
        assert Owner(host=owner.host).authority == print_
        again.power_off()


def visited(box: Machine) -> Owner | None:
    """Somebody who has the page before him, once it is there."""
    assert box.is_on(), box.console()[-3000:]
    try:
        return Owner(host=box.address())
    except OSError:
        return None


def reaches(owner: Owner) -> bool:
    try:
        return owner.get("/ping").status == 200
    except OSError:
        return False
