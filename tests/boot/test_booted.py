"""The root that ships, booted by systemd: its own units, users, mounts and network; calls come in and texts go out."""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import selectors
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hw.gsm_sim import GsmSim
from hw.gsm_sim_air import read_submit
from tests.boot.nspawn import HERE, Machine, sh, wait
from tests.sip import Line, Phone, State

DAEMONS = ("calls", "modem", "web", "clock")
GATEWAY_PORT, CALLER = 5070, "+491701234567"
STICK = "/dev/serial/by-id/usb-Simulated_Modem-if00-port0"
DIALOUT = 20
OFFICE = f'''\
[shop]
name = "Flower Shop"
language = "en"
country = "DE"
time_zone = "Europe/Berlin"
[line]
kind = "gateway"
gateway = "{HERE}:{GATEWAY_PORT}"
number = "+4930900900"
[[telephone]]
number = "101"
name = "Counter"
'''
TEXTS_AT_ONCE = """
from dataclasses import replace
from datetime import UTC, datetime
from appliance import config, settings
from appliance.store import db as store
from appliance.texts import rulebook
box = config.load()
db = store.connect(box.store)
with store.write(db):
    settings.put(db, "quiet_until", settings.read(db).quiet_from)
    for rule in rulebook.rules(db):
        rulebook.save(db, replace(rule, delay_s=0), datetime.now(UTC), rulebook.lines(box))
    rulebook.switch(db, "missed", True, datetime.now(UTC))
"""
CALLS = """
import sys
from appliance import config
from appliance.store import db as store
for row in store.connect(config.load().store).execute("SELECT number, outcome FROM call ORDER BY id"):
    print(row["number"], row["outcome"])
"""


@pytest.fixture(scope="module")
def sim(place: Path) -> Iterator[GsmSim]:
    """A modem's port, as the stick would give it."""
    with GsmSim(place / "modem") as sim:
        yield sim


@pytest.fixture(scope="module")
def box(boot: Callable[..., Machine], sim: GsmSim) -> Machine:
    """A box of an office with a line, a telephone and a modem, after its first boot."""
    port = Path(os.readlink(sim.link))
    shutil.chown(port, 0, DIALOUT)
    port.chmod(0o660)
    return boot(OFFICE, {STICK: port}).start()


def outcomes(box: Machine) -> list[str]:
    """Caller and outcome of each call that is over, oldest first."""
    return box.python(CALLS, "deskbell-calls").splitlines()


def miss_a_call(box: Machine) -> None:
    """Somebody calls, the telephone rings, nobody answers; returns when the history has it."""
    secret, at, before = box.said("cat /etc/deskbell/secret/sip-101"), (box.address, 5060), outcomes(box)
    with Line((HERE, GATEWAY_PORT), at) as line, Phone("101", secret, at, HERE) as phone:
        phone.register()
        leg = line.call(CALLER).until(State.RINGING)
        assert phone.next_leg().state is State.RINGING
        leg.cancel()
        leg.until(State.ENDED)
        wait(lambda: outcomes(box) == [*before, f"{CALLER} missed"], 20, "the call in the history", box.troubles)


def moment(box: Machine, unit: str, what: str) -> int:
    """When the unit did that, in microseconds since the boot; never 0."""
    at = int(box.show(unit, what)[what])
    assert at, f"{unit} has no {what}"
    return at


def test_the_box_boots_and_nothing_failed(box: Machine) -> None:
    assert box.failed() == [], box.troubles()
    assert box.said("systemctl is-system-running") == "running"
    for daemon in DAEMONS:
        assert box.show(f"deskbell-{daemon}", "ActiveState", "Result", "NRestarts") == {
            "ActiveState": "active", "Result": "success", "NRestarts": "0"}, box.troubles()
    assert box.show("deskbell.target", "ActiveState")["ActiveState"] == "active"


@pytest.mark.parametrize(("unit", "user"), [
    ("asterisk", "asterisk"), *((f"deskbell-{name}", f"deskbell-{name}") for name in DAEMONS)])
def test_each_daemon_runs_as_its_own_user_without_a_capability(box: Machine, unit: str, user: str) -> None:
    pid = box.show(unit, "MainPID")["MainPID"]
    status = dict(line.split(":\t", 1) for line in box.said(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert status["Uid"].split() == [box.said(f"id -u {user}")] * 4
    assert {status[name].strip("0 ") for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"


@pytest.mark.parametrize("unit", ["asterisk", "deskbell-calls"])
def test_calls_are_taken_before_the_pages_are_served(unit: str, box: Machine) -> None:
    """Asterisk and the ledger start side by side; the pages only once both are up."""
    assert moment(box, unit, "ActiveEnterTimestampMonotonic") \
        <= moment(box, "deskbell-web", "ExecMainStartTimestampMonotonic")


def test_the_page_answers_on_the_lan_and_plain_words_are_sent_on(box: Machine) -> None:
    assert box.http("/ping").status == 200
    page = box.http("/", headers={"Host": box.address})
    assert page.status in (200, 302, 303, 401) and page.headers["Server"] == "Deskbell"
    plain = box.http("/", port=80, is_encrypted=False, headers={"Host": box.address})
    assert plain.status in (301, 302, 303, 307, 308) and plain.headers["Location"].startswith("https://")


def test_the_certificate_vouches_for_the_boxs_name_and_address(box: Machine) -> None:
    trusted = ssl.create_default_context(cadata=box.http("/ca.crt").body)

    def is_trusted(name: str) -> bool:
        try:
            with socket.create_connection((box.address, 443), timeout=20) as plain, \
                    trusted.wrap_socket(plain, server_hostname=name):
                return True
        except ssl.SSLCertVerificationError:
            return False
    wait(lambda: is_trusted(box.address), 30, "a certificate for the address the router gave")
    assert is_trusted(f"{box.said('hostname')}.local")


def test_a_call_rings_and_is_missed_and_its_text_goes_out(box: Machine, sim: GsmSim) -> None:
    box.run("mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized")     # its clock is ours
    box.python(TEXTS_AT_ONCE, "deskbell-web")
    miss_a_call(box)
    pdu = wait(lambda: sim.air, 40, "a text on the air", box.troubles)[0]
    assert read_submit(pdu).number == CALLER


def test_only_what_the_office_needs_answers_on_the_lan(box: Machine) -> None:
    assert open_ports(box.address) == [80, 443]
    heard = set()
    for line in box.said("ss -lnupH").splitlines():
        local, program = line.split()[3], line.split('"')[1]
        address, port = local.rsplit(":", 1)
        if not address.startswith(("127.", "[::1]")):
            heard.add((program, port if int(port) < 32768 else "of the moment"))
    # Asterisk's resolver has a socket of the moment, which is asked by nobody
    assert heard <= {("asterisk", "5060"), ("avahi-daemon", "5353"), ("asterisk", "of the moment"),
                     ("avahi-daemon", "of the moment"), ("systemd-network", "68"), ("systemd-network", "546")}
    assert ("asterisk", "5060") in heard and ("avahi-daemon", "5353") in heard


def open_ports(address: str) -> list[int]:
    """The TCP ports that take a connection from here, of all there are."""
    found, waiting = [], iter(range(1, 65536))
    with selectors.DefaultSelector() as ready:
        def begin() -> None:
            for port in waiting:
                one = socket.socket()
                one.setblocking(False)
                if one.connect_ex((address, port)) in (0, 115):
                    ready.register(one, selectors.EVENT_WRITE, port)
                    return
                one.close()
        for _ in range(500):
            begin()
        end = time.monotonic() + 60
        while ready.get_map():
            assert time.monotonic() < end, "the scan does not end: packets are dropped"
            for key, _ in ready.select(5):
                ready.unregister(key.fileobj)
                with contextlib.closing(key.fileobj) as one:      # type: ignore[type-var]
                    if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):      # type: ignore[attr-defined]
                        found.append(key.data)
                begin()
    return sorted(found)


def test_the_root_cannot_be_written_and_what_is_not_kept_is_memory(box: Machine) -> None:
    for place in ("/", "/etc", "/usr/lib/deskbell", "/root", "/home", "/opt", "/boot"):
        assert box.run(f"touch {place}/x", check=False).returncode != 0, place
    kinds = dict(line.split() for line in box.said("findmnt -rno TARGET,FSTYPE --types=tmpfs,overlay").splitlines())
    assert kinds["/var"] == "overlay" and kinds["/tmp"] == "tmpfs"
    for place in ("/var/lib/deskbell", "/var/spool/deskbell", "/var/lib/asterisk", "/etc/deskbell", "/var/log/deskbell",
                  "/var/lib/systemd/timesync"):
        assert box.said(f"stat -c %m {place}") == place, "it is kept on /data"


def test_nobody_can_log_in(box: Machine) -> None:
    processes = box.said("cat /proc/[0-9]*/comm").splitlines()
    assert not {"agetty", "login", "sshd", "sulogin"} & set(processes)
    assert all(line.split(":")[1][:1] in ("*", "!") for line in box.said("cat /etc/shadow").splitlines())


PLACES = ("/var/spool/deskbell", "/var/lib/asterisk", "/var/log/asterisk", "/var/spool/asterisk", "/run/asterisk",
          "/tmp", "/var/tmp", "/dev/shm")


@pytest.mark.parametrize("folder", PLACES)
def test_asterisk_runs_no_code_that_it_could_have_written(box: Machine, folder: str) -> None:
    """Its manager's class `system` loads modules, and the calls daemon has that class (DECISIONS 27)."""
    view = f"/proc/{box.show('asterisk', 'MainPID')['MainPID']}/root{folder}"
    assert box.said(f"setpriv --reuid=asterisk --regid=asterisk --clear-groups touch {view}/own && echo yes") == "yes"
    box.run(f"cp /usr/lib/*/asterisk/modules/app_echo.so {view}/echo.so && chown asterisk {view}/echo.so")
    said = box.run(f'asterisk -rx "module load ../../../../..{folder}/echo.so"', check=False).stdout
    box.run(f'asterisk -rx "module unload ../../../../..{folder}/echo.so"; rm {view}/own {view}/echo.so', check=False)
    assert "Unable to load module" in said, said


def test_asterisk_runs_no_program_and_loads_debians_own_modules(box: Machine) -> None:
    pid = box.show("asterisk", "MainPID")["MainPID"]
    told = box.run(f"nsenter -t {pid} -m -r /usr/bin/id", check=False)
    assert (told.returncode, told.stdout) == (126, ""), told.stderr
    assert "Loaded" in box.said('asterisk -rx "module load app_echo.so"'), "Debian's own does load"


def test_the_screen_shows_address_code_and_print(box: Machine) -> None:
    code = box.said("cat /var/lib/deskbell/sticker.txt")
    shown = wait(lambda: text if f"https://{box.address}" in (text := box.console()) else "", 60, "the address shown",
                 lambda: box.console()[-2000:])
    assert re.findall(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){2}", code)[0] in shown
    digits = re.sub(r"[^0-9A-F]", "", shown.upper().split("SHA-256")[-1])
    assert hashlib.sha256(box.http("/ca.crt").body).hexdigest().upper() in digits


def test_the_box_is_found_by_its_name(box: Machine) -> None:
    """One question of multicast DNS, as a telephone or Windows asks it (RFC 6762)."""
    name = box.said("cat /proc/sys/kernel/hostname")
    labels = b"".join(bytes([len(part)]) + part.encode() for part in (name, "local"))
    question = bytes(4) + b"\0\1" + bytes(6) + labels + b"\0\0\1\x80\1"          # an address, told to us alone
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        asks.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HERE))
        asks.bind((HERE, 0))
        asks.settimeout(1)

        def answered() -> bool:
            asks.sendto(question, ("224.0.0.251", 5353))
            with contextlib.suppress(TimeoutError):
                return socket.inet_aton(box.address) in asks.recv(4096)
            return False
        wait(answered, 20, f"{name}.local told", box.troubles)


def test_the_box_answers_again_after_the_cable_was_out(box: Machine) -> None:
    sh("ip", "link", "set", f"{box.name}-lan", "down")
    box.wait_for("networkctl --no-legend list eth0 | grep -q no-carrier")
    sh("ip", "link", "set", f"{box.name}-lan", "up")
    assert box.http("/ping").status == 200


def test_without_a_router_the_box_answers_at_an_address_of_its_own(boot: Callable[..., Machine]) -> None:
    box = boot(OFFICE)
    sh("ip", "link", "set", f"{box.name}-lan", "nomaster")          # straight to a laptop
    sh("ip", "address", "add", "169.254.7.7/16", "dev", f"{box.name}-lan")
    box.start()
    given = wait(lambda: next(iter(box.addresses()), ""), 60, "an address", box.troubles)
    assert given.startswith("169.254.") and box.http("/ping", at=given).status == 200
    assert box.failed() == []
    box.close()


@pytest.fixture(scope="module")
def stick(place: Path) -> Iterator[tuple[Path, Path]]:
    """Two USB sticks as block devices: one of an office, one with a file system that nobody has."""
    devices = []
    for name, make in (("office", ("mke2fs", "-q", "-t", "ext4", "-L", "OFFICE")), ("strange", ("true",))):
        file = place / name
        with file.open("wb") as card:
            card.truncate(16 * 1024 * 1024)
        sh(*make, str(file))
        devices.append(Path(sh("losetup", "--find", "--show", str(file)).strip()))
    yield devices[0], devices[1]
    for device in devices:
        sh("losetup", "--detach", str(device))


def test_a_usb_stick_is_mounted_for_backups_and_a_strange_one_is_told(
        boot: Callable[..., Machine], stick: tuple[Path, Path]) -> None:
    ours, strange = stick
    box = boot(OFFICE, {str(device): device for device in stick}).start()
    box.run("grep -v dev-%i.device /usr/lib/systemd/system/deskbell-stick@.service "            # no udev in a container
            "> /run/systemd/system/deskbell-stick@.service && systemctl daemon-reload")
    box.run(f"systemctl start deskbell-stick@{ours.name} deskbell-stick@{strange.name}")
    box.wait_for("mountpoint -q /media/OFFICE")
    options = box.said("findmnt -no OPTIONS /media/OFFICE").split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    wrote = ("from pathlib import Path; from appliance.backup.places import stick; "
             "print(stick('OFFICE', 'The stick')._folder)")
    pid = box.show("deskbell-clock", "MainPID")["MainPID"]
    assert box.said(f"nsenter -t {pid} -m -r setpriv --reuid=deskbell-clock --regid=deskbell-clock --init-groups "
                    f"env PYTHONPATH=/usr/lib/deskbell python3 -B -c \"{wrote}\"") == "/media/OFFICE/Deskbell"
    assert "has no file system that is known" in box.said(f"cat /run/deskbell/sticks/{strange.name}")
    assert "DB-STICK-1" in box.run("deskbell check", check=False).stdout
    box.run(f"systemctl stop deskbell-stick@{strange.name}")
    assert box.run(f"cat /run/deskbell/sticks/{strange.name}", check=False).returncode != 0
    assert box.failed() == []


def test_a_card_without_its_data_partition_still_takes_calls(boot: Callable[..., Machine]) -> None:
    gone = "[Unit]\nBefore=local-fs.target\n[Mount]\nWhat=/dev/gone\nWhere=/data\nType=ext4\n"
    box = boot(OFFICE, arguments=(f"--set-credential=systemd.extra-unit.data.mount:{gone}",))
    box.words = ("systemd.wants=data.mount",)
    box.has_data = False
    box.start()
    assert box.failed() == ["data.mount"], box.troubles()
    miss_a_call(box)
    assert box.http("/ping").status == 200
    box.close()


@pytest.mark.parametrize("unit", ["asterisk", *(f"deskbell-{name}" for name in DAEMONS)])
def test_a_daemon_that_is_killed_comes_back(box: Machine, unit: str) -> None:
    before = box.show(unit, "MainPID")["MainPID"]
    box.run(f"kill -KILL {before}")
    wait(lambda: (now := box.show(unit, "MainPID", "ActiveState"))["ActiveState"] == "active"
         and now["MainPID"] not in ("0", before), 40, f"{unit} back", box.troubles)


def test_a_reboot_keeps_the_calls_the_certificate_and_the_name(box: Machine) -> None:
    def who() -> tuple[str, ...]:
        return (box.said("cat /etc/hostname /proc/sys/kernel/hostname 2>/dev/null | tail -n1"),
                box.said("sha256sum < /etc/deskbell/box.toml"), box.said("cat /etc/deskbell/secret/sip-101"),
                hashlib.sha256(box.http("/ca.crt").body).hexdigest())
    before, calls = who(), outcomes(box)
    assert calls
    box.run("touch /var/lib/x /var/tmp/x && logger -p user.warning the disk has errors")
    box.reboot()
    assert "the disk has errors" in box.said("cat /var/log/deskbell/box.log"), "the small ring of the journal stays"
    assert box.failed() == [] and box.said("systemctl is-system-running") == "running", box.troubles()
    assert (who(), outcomes(box)) == (before, calls)
    assert box.run("ls /var/lib/x /var/tmp/x", check=False).returncode != 0, "the rest of /var is memory"
