"""`image/install` on a plain Debian forky: the root layer, which has what Debian and PyPI gave and nothing of ours."""
from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot import nspawn

REPO = Path(__file__).resolve().parents[2]
CLONED = ("appliance", "hw", "web", "image", "systemd", "setup.cfg", "LICENSE", "README.md")
# What every run may touch without leaving anything of ours: the machine's own books, and folders without files.
BOOKS = ("/proc", "/dev", "/sys", "/run", "/tmp", "/srv", "/var/log", "/var/cache", "/etc/passwd", "/etc/shadow",
         "/etc/group", "/etc/gshadow", "/etc/.pwd.lock", "/etc/subuid", "/etc/subgid", "/etc/ld.so.cache")
OFFICE = ("/var/lib/deskbell", "/etc/deskbell")
PAGE = ("python3 -c 'import ssl, urllib.request as asking; context = ssl._create_unverified_context(); "
        "asking.urlopen(\"https://127.0.0.1:8443/ca.crt\", context=context)'")
# Where it is cut: as soon as the first is there while it installs, and the second gone while it is taken off.
CUTS = (("etc/asterisk.before-deskbell.new",
         "etc/systemd/system/multi-user.target.wants/deskbell.target"),
        ("usr/share/deskbell/installed.new", "etc/asterisk.before-deskbell/extensions.conf"),
        ("usr/share/deskbell/regions.new", "usr/lib/deskbell/web"))


@dataclass
class Plain:
    """A machine that was never ours, with a clone of the repo in /srv/clone."""
    root: Path

    @property
    def clone(self) -> Path:
        return self.root / "srv/clone"

    def run(self, *command: str, limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(("chroot", str(self.root), *command), capture_output=True, text=True, check=False,
                              timeout=limit_s, stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})

    def install(self, *arguments: str) -> str:
        done = self.run("/srv/clone/image/install", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def refused(self, *arguments: str) -> str:
        """The one sentence of an install that refused."""
        done = self.run("/srv/clone/image/install", *arguments)
        assert done.returncode == 2 and done.stdout == "", done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr.strip()

    def files(self) -> set[str]:
        found: set[str] = set()
        for folder, _folders, names in os.walk(self.root):
            here = "/" + str(Path(folder).relative_to(self.root)).removeprefix(".")
            if not here.startswith(BOOKS):
                found.update(path for name in names if not (path := f"{here.rstrip('/')}/{name}").startswith(BOOKS))
        return found

    def contents(self) -> dict[str, str]:
        """Each file of ours with the hash of what is in it; not what is compiled, which has a time in it."""
        return {path: hashlib.sha256(file.read_bytes()).hexdigest() for path in sorted(self.files())
                if "deskbell" in path or "/etc/asterisk" in path
                if (file := self.root / path.lstrip("/")).is_file() and file.suffix != ".pyc"}

    def sql(self, statement: str) -> str:
        done = self.run("sqlite3", "/var/lib/deskbell/office.db", statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def mounted(place: Path, *lower: Path) -> Iterator[Plain]:
    """A machine whose disk is `lower`, top first, and place/up over it; without the folder that the layer has ready."""
    root = place / "root"
    for folder in (root, place / "up", place / "work"):
        folder.mkdir()
    subprocess.run(("mount", "-t", "overlay", "plain", "-o", f"lowerdir={':'.join(map(str, lower))},"
                    f"upperdir={place}/up,workdir={place}/work", str(root)), check=True)
    try:
        subprocess.run(("mount", "-t", "proc", "proc", str(root / "proc")), check=True)
        subprocess.run(("mount", "--rbind", "/dev", str(root / "dev")), check=True)
        yield Plain(root)
    finally:
        subprocess.run(("umount", "-R", "-l", str(root / "dev")), check=False, stderr=subprocess.DEVNULL)
        subprocess.run(("umount", "-R", "-l", str(root)), check=True)


@pytest.fixture(scope="session")
def layer() -> Path:
    found = Path(subprocess.run(("bash", "-c", ". image/lib.sh; layer root"), cwd=REPO, capture_output=True, text=True,
                                check=True).stdout.strip())
    assert found.is_dir(), f"{found} is not in here: run this by tests/run"
    return found


def cloned(machine: Plain) -> Plain:
    """The machine with a clone of the repo; the layer has a place ready for the code, a plain machine has none."""
    (machine.root / "usr/lib/deskbell").rmdir()
    machine.clone.mkdir(parents=True)
    for name in CLONED:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, machine.clone / name, ignore=shutil.ignore_patterns("__pycache__", "shots"))
        else:
            shutil.copy(source, machine.clone / name)
    return machine


@pytest.fixture
def plain(layer: Path, tmp_path: Path) -> Iterator[Plain]:
    """Debian and PyPI's parts, a clone, and nothing else of ours."""
    with mounted(tmp_path, layer) as machine:
        yield cloned(machine)


@dataclass
class Once:
    """The disk of a machine on which it was installed once, above the layer; its files before, and what was said."""
    disk: Path
    before: set[str]
    said: str


@pytest.fixture(scope="session")
def once(layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Once:
    place = tmp_path_factory.mktemp("once")
    with mounted(place, layer) as machine:
        before = cloned(machine).files()
        return Once(place / "up", before, machine.install())


@pytest.fixture
def installed(once: Once, layer: Path, tmp_path: Path) -> Iterator[Plain]:
    with mounted(tmp_path, once.disk, layer) as machine:
        yield machine


def version(machine: Plain) -> str:
    lines = (machine.clone / "setup.cfg").read_text().splitlines()
    return next(line.removeprefix("version = ") for line in lines if line.startswith("version = "))


def test_it_puts_the_same_onto_a_plain_forky_machine(installed: Plain, once: Once, layer: Path) -> None:
    root = installed.root
    assert f"Deskbell {version(installed)} is installed." in once.said
    assert installed.run("deskbell", "setting", "list").returncode == 0
    checked = installed.run("deskbell", "check")
    assert checked.returncode == 1 and "DB-LINE-1  No line is set up." in checked.stdout, checked.stderr
    ours, kept = root / "etc/asterisk/extensions.conf", root / "etc/asterisk.before-deskbell/extensions.conf"
    assert ours.read_bytes() == (REPO / "image/asterisk/extensions.conf").read_bytes()
    assert kept.read_bytes() == (layer / "etc/asterisk/extensions.conf").read_bytes()
    assert {file.name for file in ours.parent.iterdir() if file.is_file()} == {
        file.name for file in (REPO / "image/asterisk").glob("*.conf")}
    assert installed.run("id", "-nG", "deskbell-modem").stdout.split() == ["deskbell-modem", "dialout", "deskbell"]
    assert (root / "etc/systemd/system/multi-user.target.wants/deskbell.target").is_symlink()
    for file in ("usr/lib/udev/rules.d/78-deskbell-modem.rules", "usr/share/deskbell/regions.db",
                 "etc/deskbell/box.toml"):
        assert (root / file).is_file()
    assert not (root / "usr/lib/deskbell/tests").exists()


def test_the_units_that_it_lays_are_good(installed: Plain) -> None:
    units = sorted(path.name for path in (installed.root / "usr/lib/systemd/system").glob("deskbell*")
                   if path.suffix in {".service", ".target", ".path", ".timer"} and "@" not in path.name)
    assert "deskbell-calls.service" in units
    done = installed.run("systemd-analyze", "verify", "--recursive-errors=no", *units)
    assert not [line for line in done.stderr.splitlines() if "deskbell" in line], done.stderr


def test_what_debian_lacks_lies_beside_the_code_and_not_among_debians_own(plain: Plain) -> None:
    debians, ours = plain.root / "usr/lib/python3/dist-packages", plain.root / "usr/lib/deskbell-wheels"
    ours.mkdir()
    for found in [*debians.glob("phonenumbers*"), *debians.glob("pyst2*"), debians / "asterisk"]:
        shutil.copytree(found, ours / found.name)
        shutil.rmtree(found)
    plain.install()
    assert plain.run("deskbell", "check").returncode == 1
    assert (plain.root / "usr/share/deskbell/regions.db").is_file()
    plain.install("--uninstall")
    assert not ours.exists()


def test_a_second_run_changes_nothing(installed: Plain) -> None:
    before = installed.contents()
    installed.install()
    assert installed.contents() == before


def test_an_upgrade_keeps_what_the_office_has_and_takes_away_what_is_ours_no_more(installed: Plain) -> None:
    old, setup = version(installed), installed.clone / "setup.cfg"
    installed.run("deskbell", "contact", "add", "Ada", "+493023125101")
    box = installed.root / "etc/deskbell/box.toml"
    box.write_text('name = "corner"\n' + box.read_text())
    setup.write_text(setup.read_text().replace(old, "99.1.0"))
    (installed.clone / "systemd/deskbell-new.service").write_text("[Service]\nExecStart=/bin/true\n")
    (installed.clone / "image/asterisk/http.conf").unlink()
    assert f"Deskbell 99.1.0 is installed over {old}" in installed.install()
    assert installed.sql("SELECT name FROM contact") == "Ada"
    assert box.read_text().startswith('name = "corner"')
    assert (installed.root / "usr/lib/systemd/system/deskbell-new.service").is_file()
    assert not (installed.root / "etc/asterisk/http.conf").exists()
    assert "99.1.0" in (installed.root / "usr/lib/deskbell/setup.cfg").read_text()
    before = installed.contents()
    setup.write_text(setup.read_text().replace("99.1.0", "0.0.9"))
    assert "the older 0.0.9" in installed.refused(), "its store could not be opened by an older one"
    assert installed.contents() == before


def test_uninstalling_leaves_the_machine_as_it_was_but_for_the_offices_own(installed: Plain, once: Once) -> None:
    installed.run("deskbell", "contact", "add", "Ada", "+493023125101")
    assert "/var/lib/deskbell and /etc/deskbell stay" in installed.install("--uninstall")
    now = installed.files()
    assert not once.before - now, "something that was there before is gone"
    assert not {path for path in now - once.before if not path.startswith(OFFICE)}
    assert {"/var/lib/deskbell/office.db", "/etc/deskbell/box.toml"} <= now
    assert not (installed.root / "usr/lib/deskbell").exists()
    assert "not installed" in installed.refused("--uninstall")
    installed.install()
    assert installed.sql("SELECT name FROM contact") == "Ada", "what stayed is there for who installs it again"


def test_purging_leaves_nothing_of_ours(installed: Plain, once: Once) -> None:
    assert "all that the office had" in installed.install("--uninstall", "--purge")
    assert installed.files() == once.before
    assert "deskbell" not in (installed.root / "etc/passwd").read_text() + (installed.root / "etc/group").read_text()


def cut(machine: Plain, arguments: tuple[str, ...], moment: Callable[[], bool]) -> None:
    """Kills an install, and all that it started, at that moment."""
    at_work = subprocess.Popen(("chroot", str(machine.root), "/srv/clone/image/install", *arguments),
                               env={"PATH": "/usr/bin:/usr/sbin"}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not moment():
            assert at_work.poll() is None and time.monotonic() < until, "it was over before it could be cut"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(at_work.pid, signal.SIGKILL)
        at_work.wait()


@pytest.mark.parametrize(("begun", "ended"), CUTS)
def test_cut_in_the_middle_it_is_run_again(plain: Plain, begun: str, ended: str) -> None:
    own, kept = plain.root / "etc/asterisk/extensions.conf", plain.root / "etc/asterisk.before-deskbell"
    own.write_text("; the owner's own\n")
    cut(plain, (), (plain.root / begun).exists)
    plain.install()
    assert plain.run("deskbell", "check").returncode == 1
    assert (kept / "extensions.conf").read_text() == "; the owner's own\n"
    cut(plain, ("--uninstall",), lambda: not os.path.lexists(plain.root / ended))
    plain.install("--uninstall")
    assert own.read_text() == "; the owner's own\n"
    assert not {path for path in plain.files() if "deskbell" in path and not path.startswith(OFFICE)}


@pytest.mark.parametrize(("number", "name"), [("12", "bookworm"), ("13", "trixie")])
def test_an_older_debian_is_told_what_is_missing_and_what_to_do(plain: Plain, number: str, name: str) -> None:
    before = plain.files()
    (plain.root / "usr/lib/os-release").write_text(
        f'ID=debian\nVERSION_ID="{number}"\nPRETTY_NAME="Debian GNU/Linux {number} ({name})"\n')
    sentence = plain.refused()
    assert f"Debian GNU/Linux {number} ({name}) has no Asterisk 22" in sentence and "3.51.3" in sentence
    assert "image/build" in sentence and "forky" in sentence and "nothing was changed" in sentence
    assert plain.files() == before


def test_another_system_and_another_user_are_refused(plain: Plain) -> None:
    as_nobody = plain.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/srv/clone/image/install")
    assert as_nobody.returncode == 2 and "needs root" in as_nobody.stderr
    (plain.root / "usr/lib/os-release").write_text('ID=ubuntu\nPRETTY_NAME="Ubuntu 26.04"\n')
    assert "this machine runs Ubuntu 26.04" in plain.refused()
    assert "usage" in plain.refused("--unstall")


AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@pytest.mark.parametrize("word", ["-h", "--help"])
@pytest.mark.parametrize("command", ["install", "bundle"])
def test_any_user_may_ask_how_it_is_used(plain: Plain, command: str, word: str) -> None:
    asked = plain.run(*AS_NOBODY, f"/srv/clone/image/{command}", word)
    assert asked.returncode == 0 and asked.stderr == "" and asked.stdout.startswith(f"usage: image/{command} ")


def test_a_bundle_by_another_user_is_refused_as_a_bundle(plain: Plain) -> None:
    asked = plain.run(*AS_NOBODY, "/srv/clone/image/bundle", "/srv", "/tmp/out.raucb", "--arch", "arm64",
                      "--key", "/no", "--cert", "/no")
    assert asked.returncode == 2 and asked.stderr == "deskbell: a bundle is made as root. Run this with sudo.\n"


def test_a_refusal_leaves_nothing_in_run_and_two_at_once_never_work_together(plain: Plain) -> None:
    (plain.root / "usr/lib/os-release").write_text('ID=ubuntu\nPRETTY_NAME="Ubuntu 26.04"\n')
    before = sorted((plain.root / "run").rglob("*"))
    assert "this machine runs Ubuntu 26.04" in plain.refused()
    assert sorted((plain.root / "run").rglob("*")) == before
    meanwhile = plain.run("flock", "/run", "/srv/clone/image/install")
    assert meanwhile.returncode == 2 and "another image/install is at work here" in meanwhile.stderr


@pytest.fixture
def running(layer: Path, lan: Path, place: Path) -> Iterator[tuple[Plain, nspawn.Machine]]:
    """A plain forky machine that has booted: the layers of Debian's packages alone, its disk writable."""
    assert lan.parent == place
    folder = Path(tempfile.mkdtemp(prefix="plain-", dir=place))
    with mounted(folder, *nspawn.layers("box"), layer) as plain:
        cloned(plain)
        for name in ("data", "boot/firmware", "etc/sysctl.d"):
            (plain.root / name).mkdir(parents=True, exist_ok=True)
        (plain.root / "etc/sysctl.d/60-deskbell.conf").touch()          # the harness reads the box's
        subprocess.run(("umount", "-R", "-l", str(plain.root / "dev")), check=True)
        subprocess.run(("umount", str(plain.root / "proc")), check=True)
        machine = nspawn.Machine(plain.root, folder / "machine",
                                 {f"/{name}": plain.root / name for name in ("etc", "usr", "var", "srv")})
        try:
            yield plain, machine.start()
        finally:
            machine.close()


def test_on_a_machine_that_runs_it_starts_upgrades_in_order_and_stops_everything(
        running: tuple[Plain, nspawn.Machine]) -> None:
    plain, machine = running
    units = ["asterisk", *(f"deskbell-{name}" for name in ("store", "calls", "modem", "web", "clock"))]
    machine.run("/srv/clone/image/install", limit_s=180)
    machine.wait_for(PAGE)
    assert [machine.show(unit, "ActiveState")["ActiveState"] for unit in units] == ["active"] * len(units)
    assert not {*units, "deskbell-provision"} & {unit.removesuffix(".service") for unit in machine.failed()}
    before = {unit: machine.show(unit, "ExecMainStartTimestampMonotonic") for unit in units}
    machine.run("deskbell contact add Ada +493023125101")
    setup = plain.clone / "setup.cfg"
    setup.write_text(setup.read_text().replace(version(plain), "99.1.0"))
    assert "99.1.0 is installed over" in machine.run("/srv/clone/image/install", limit_s=180).stderr
    machine.wait_for(PAGE)
    after = {unit: machine.show(unit, "ExecMainStartTimestampMonotonic") for unit in units}
    assert after["asterisk"] == before["asterisk"], "a call that talks is not cut off"
    begun = [int(after[unit]["ExecMainStartTimestampMonotonic"]) for unit in units[1:]]
    assert begun == sorted(begun) and all(after[unit] != before[unit] for unit in units[1:])
    assert "Ada" in machine.said("sqlite3 /var/lib/deskbell/office.db 'SELECT name FROM contact'")
    machine.run("/srv/clone/image/install --uninstall", limit_s=120)
    assert "deskbell" not in machine.said("systemctl list-units --all --plain --no-legend 'deskbell*'")
