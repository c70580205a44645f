"""The units, and the table of who may write what."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from appliance.cli import DAEMONS

pytestmark = pytest.mark.xdist_group("the ports of Asterisk and the bell")

REPO = Path(__file__).resolve().parents[2]
UNITS = REPO / "systemd"
SERVICES = sorted(file.stem for file in UNITS.glob("*.service"))
KINDS = (".service", ".target", ".path")
WRITERS = {   # folder: the users that may write there; HOUSE.md's daemons
    "/var/lib/deskbell": {"root", "deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/var/lib/deskbell/recordings": {"deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/var/lib/deskbell/decoded": {"deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/var/lib/deskbell/errand": {"root", "deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/var/lib/deskbell/updates": {"deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/var/lib/deskbell/snapshots": {"deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/var/spool/deskbell": {"asterisk", "deskbell-calls"},
    "/var/spool/deskbell/recording": {"asterisk", "deskbell-calls"},
    "/run/deskbell": {"root", "deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"},
    "/etc/deskbell": {"root"},
    "/etc/deskbell/asterisk": {"root"},
    "/etc/deskbell/secret": {"root"},
}


def lines(file: str) -> list[list[str]]:
    return [line.split() for line in (UNITS / file).read_text().splitlines() if line and not line.startswith("#")]


def unit(name: str) -> dict[str, list[str]]:
    """Every setting of a unit with its values in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"{name}.service").read_text().splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def members() -> dict[str, set[str]]:
    """Who is in each group, by sysusers.conf."""
    found: dict[str, set[str]] = {}
    for kind, name, *rest in lines("sysusers.conf"):
        if kind == "g":
            found.setdefault(name, set())
        elif kind == "u":
            found.setdefault(name, set()).add(name)
        elif kind == "m":
            found.setdefault(rest[0], set()).add(name)
    return found


def writers(mode: int, user: str, group: str) -> set[str]:
    return ({user} if mode & 0o200 else set()) | (members().get(group, set()) if mode & 0o020 else set())


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Our units beside the system's own, with the shipping command in a place of its own."""
    folder = tmp_path_factory.mktemp("units")
    shutil.copy(REPO / "image/deskbell", folder / "deskbell")
    (folder / "deskbell").chmod(0o755)
    for file in UNITS.rglob("*"):
        if file.suffix in (*KINDS, ".conf") and file.name not in ("sysusers.conf", "tmpfiles.conf"):
            copy = folder / file.relative_to(UNITS)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(file.read_text().replace("/usr/bin/deskbell", str(folder / "deskbell")))
    shutil.copy("/usr/lib/systemd/system/asterisk.service", folder)
    yield folder


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"})


def test_systemd_understands_every_line_of_our_units(scratch: Path) -> None:
    names = sorted(file.name for file in scratch.iterdir() if file.suffix in KINDS)
    told = analyze(scratch, "verify", "--man=no", *(f"./{name}" for name in names))
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("name", ["asterisk", *SERVICES])
def test_a_unit_may_do_little(scratch: Path, name: str) -> None:
    told = analyze(scratch, "security", "--offline=true", "--threshold=20", f"./{name}.service")
    assert told.returncode == 0, told.stdout[-200:]


def test_every_daemon_has_a_unit_and_the_target_wants_it() -> None:
    assert {f"deskbell-{daemon}" for daemon in DAEMONS} <= set(SERVICES)
    wanted = (UNITS / "deskbell.target").read_text()
    for daemon in DAEMONS:
        assert unit(f"deskbell-{daemon}")["ExecStart"] == [f"/usr/bin/deskbell run {daemon}"]
        assert f"deskbell-{daemon}.service" in wanted


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_is_watched_and_comes_back_however_often(daemon: str) -> None:
    found = unit(f"deskbell-{daemon}")
    assert found["Type"] == ["notify"] and found["Restart"] == ["always"] and found["StartLimitIntervalSec"] == ["0"]
    assert 10 <= int(found["WatchdogSec"][0]) <= 60
    assert found["UMask"] == ["0007"], "what one daemon makes, the others' group may use"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_is_its_own_user_in_the_groups_of_the_table(daemon: str) -> None:
    found = unit(f"deskbell-{daemon}")
    assert found["User"] == found["Group"] == [f"deskbell-{daemon}"]
    in_groups = {group for group, users in members().items() if f"deskbell-{daemon}" in users}
    assert set(found["SupplementaryGroups"][0].split()) | {f"deskbell-{daemon}"} == in_groups


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_may_write_only_where_the_table_lets_it(daemon: str) -> None:
    found = unit(f"deskbell-{daemon}")
    assert found["ProtectSystem"] == ["strict"]
    for folder in found["ReadWritePaths"][0].split():
        assert f"deskbell-{daemon}" in WRITERS[folder]
    others = {"modem": ["-/sys/devices"],                       # the USB port of a stick that hangs
              "clock": ["-/media -/run/media -/mnt"]}           # backups go to sticks
    assert found["ReadWritePaths"][1:] == others.get(daemon, [])


def test_the_pages_only_read_recordings_and_the_radio_does_not_see_them() -> None:
    assert unit("deskbell-web")["ReadOnlyPaths"] == ["-/var/lib/deskbell/recordings"]
    assert unit("deskbell-modem")["InaccessiblePaths"] == ["-/var/lib/deskbell/recordings"]


def test_the_clock_may_make_its_encoder_idle_and_nothing_else_of_the_resources() -> None:
    assert {"setpriority", "ioprio_set"} <= allowed("deskbell-clock")
    assert not (calls_of("@resources") - {"setpriority", "ioprio_set"}) & allowed("deskbell-clock")


def test_the_folders_are_made_as_the_table_says() -> None:
    made = {path: writers(int(mode, 8) & 0o777, user, group)
            for kind, path, mode, user, group, *_ in lines("tmpfiles.conf") if kind == "d"}
    assert made == WRITERS


def test_what_is_shared_stays_with_its_group_and_nobody_else_looks_in() -> None:
    for kind, path, mode, *_ in lines("tmpfiles.conf"):
        if kind != "d":
            continue
        assert int(mode, 8) & 0o007 == 0 or path == "/etc/deskbell"
        is_shared = int(mode, 8) & 0o020
        assert bool(int(mode, 8) & 0o2000) == bool(is_shared), f"{path}: new files take the folder's group"


@pytest.mark.parametrize("name", SERVICES)
def test_a_forbidden_system_call_is_refused_and_kills_nobody(name: str) -> None:
    """systemd kills by default; a library's new call in a security update would then stop the bell."""
    assert unit(name)["SystemCallErrorNumber"] == ["EPERM"]


@cache
def calls_of(word: str) -> frozenset[str]:
    """The system calls of a group such as @clock; a call itself is its own."""
    if not word.startswith("@"):
        return frozenset({word})
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word], capture_output=True, text=True)
    words = [line.strip() for line in told.stdout.splitlines()[1:]]
    return frozenset().union(*(calls_of(each) for each in words if each and not each.startswith("#")))


def allowed(name: str) -> set[str]:
    """The system calls that the unit's SystemCallFilter= lines let through, in their order."""
    found: set[str] = set()
    for line in unit(name)["SystemCallFilter"]:
        named = set().union(*(calls_of(word) for word in line.removeprefix("~").split()))
        found = found - named if line.startswith("~") else found | named
    return found


def test_the_calls_daemon_may_ask_whether_the_clock_was_set() -> None:
    assert unit("deskbell-calls").get("ProtectClock", ["no"]) == ["no"], "yes refuses reading too"
    assert {"adjtimex", "clock_adjtime"} <= allowed("deskbell-calls")
    assert not {"clock_settime", "settimeofday", "setuid", "chown"} & allowed("deskbell-calls")
    assert unit("deskbell-calls")["CapabilityBoundingSet"] == [""]


NO_NEW_CODE = """if True:
    import ctypes, importlib, mmap
    PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
        raise SystemExit(77)
    try:
        mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        pass
    else:
        raise SystemExit("the kernel does not refuse it")
    from appliance.cli import DAEMONS
    for daemon in DAEMONS.values():
        importlib.import_module(daemon)
    from datetime import UTC, datetime
    from appliance.box import wallclock
    from appliance.people.users import HASHER
    from hw import pdu
    wallclock.is_set(datetime.now(UTC)), HASHER.hash("twelve letters"), pdu.encode("+491701234567", "Hello")
"""


def test_every_daemon_works_without_memory_that_is_written_and_run() -> None:
    """MemoryDenyWriteExecute=yes stops some ways of calling C."""
    assert all(unit(f"deskbell-{daemon}")["MemoryDenyWriteExecute"] == ["yes"] for daemon in DAEMONS)
    told = subprocess.run([sys.executable, "-c", NO_NEW_CODE], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(REPO)})
    if told.returncode == 77:
        pytest.skip("this kernel is older than 6.3 and cannot be asked for it")
    assert (told.returncode, told.stderr) == (0, "")


def test_provision_may_give_its_files_to_their_users() -> None:
    assert {"chown", "fchownat", "chmod", "fsync"} <= allowed("deskbell-provision")
    assert "CAP_CHOWN" in unit("deskbell-provision")["CapabilityBoundingSet"][0]


def test_a_slip_in_box_toml_does_not_silence_the_telephones() -> None:
    """Provision fails then; Asterisk must start with what it was last given."""
    drop_in = (UNITS / "asterisk.service.d/deskbell.conf").read_text()
    assert "ExecStartPre=-+/usr/bin/deskbell provision --starting-asterisk\n" in drop_in
    assert "Restart=always" in drop_in and "StartLimitIntervalSec=0" in drop_in


@pytest.mark.parametrize("command", [("systemd-sysusers", "--dry-run", "sysusers.conf"),
                                     ("systemd-tmpfiles", "--dry-run", "--create", "tmpfiles.conf")])
def test_systemd_understands_the_users_and_the_folders(command: tuple[str, ...]) -> None:
    told = subprocess.run([*command[:-1], str(UNITS / command[-1])], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "Ignoring" not in told.stderr and "Unknown" not in told.stderr


def test_no_mount_of_ours_goes_when_the_card_is_read_anew() -> None:
    """A partition table that is read again takes the device's unit away for a moment; systemd.mount(5)."""
    overlay = REPO / "image/overlay"
    table = [line for line in (overlay / "etc/fstab").read_text().splitlines() if line.startswith("PARTUUID=")]
    mounts = [file.read_text() for file in (overlay / "usr/lib/systemd/system").glob("*.mount")]
    binds = [text for text in mounts if "Options=bind" in text]
    assert len(table) == 2 and len(binds) >= 7
    assert all("x-systemd.device-bound=no" in text for text in [*table, *binds])
