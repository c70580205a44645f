"""A Deskbell box inside the disposable root: the real Asterisk and the real calls daemon under their users."""
from __future__ import annotations

import contextlib
import os
import pwd
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from appliance import config
from appliance.box.provision import provision

REPO = Path(__file__).resolve().parents[2]
DISPOSABLE = Path("/usr/lib/deskbell")     # where the repo stands in the root of the tests, and nowhere else with tests
ASTERISK_ETC = Path("/etc/asterisk")
LOG = Path("/var/log/asterisk/messages.log")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(REPO),
               "PYTHONDONTWRITEBYTECODE": "1"}
BOX_TOML = """
name = "box1"
country = "DE"
time_zone = "Europe/Berlin"
own_numbers = ["+4930900900"]
[[trunk]]
key = "line1"
name = "Line 1"
gateway = "127.0.0.1:5070"
[[extension]]
number = "101"
name = "Counter"
[[extension]]
number = "102"
name = "Office"
[[modem]]
name = "SIM"
port = "/dev/deskbell-nowhere"
number = "+4915112300000"
"""


def wait[T](until: Callable[[], T], limit_s: float = 10.0, what: str = "") -> T:
    """What `until` gave, once it is true. Raises TimeoutError with `what` was waited for."""
    end = time.monotonic() + limit_s
    while not (given := until()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s} s: {what or until.__name__}")
        time.sleep(0.01)
    return given


def as_user(user: str, *command: str) -> list[str]:
    """The command as that user, with the groups the sysusers file gave it."""
    group = pwd.getpwnam(user).pw_gid
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--inh-caps=-all", *command]


class Daemon:
    """One daemon as systemd would run it: own user, NOTIFY_SOCKET, and nobody to start it again but the test."""

    def __init__(self, name: str, user: str, folder: Path, environment: dict[str, str]) -> None:
        self.name, self.user = name, user
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = environment
        self._address = folder / f"{name}.notify"
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(self._address))
        self._address.chmod(0o777)
        threading.Thread(target=self._listen, name=f"{name} notify", daemon=True).start()

    def start(self, limit_s: float = 20.0) -> Daemon:
        """Itself, once it has said READY=1."""
        self.said()
        command = as_user(self.user, "python3", "-m", "appliance.cli", "run", self.name)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=REPO, umask=0o007,
                env={**self._environment, "NOTIFY_SOCKET": str(self._address)})
        wait(self._is_ready, limit_s, f"{self.name} ready; its log: {self.log.read_text()[-2000:]}")
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log.read_text()[-3000:]}")
        return "READY=1" in self.said()

    def _listen(self) -> None:
        while True:
            for line in self._notified.recv(4096).decode().splitlines():
                self._told.put(line)

    def said(self) -> list[str]:
        """What it told systemd since the last time."""
        lines: list[str] = []
        with contextlib.suppress(queue.Empty):
            while True:
                lines.append(self._told.get_nowait())
        return lines

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def freeze(self) -> None:
        """Hung: SIGSTOP. Its sockets still take connections, nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self, limit_s: float = 15.0) -> int:
        """Its exit code after SIGTERM."""
        assert self.process is not None
        if self.is_running:
            self.thaw()
            self._signal(signal.SIGTERM)
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)


class Asterisk:
    """The shipping configuration under the user asterisk."""

    def __init__(self, box: config.Box) -> None:
        self.box = box
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, limit_s: float = 30.0) -> Asterisk:
        """Itself, once it is fully booted; every start counts the boot number up."""
        provision(self.box, starting_asterisk=True)
        Path("/run/asterisk").mkdir(exist_ok=True)
        shutil.chown("/run/asterisk", "asterisk", "asterisk")
        command = as_user("asterisk", "asterisk", "-f", "-n")
        with Path("/run/asterisk-console.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd="/", umask=0o007, env=ENVIRONMENT)
        wait(lambda: "fully booted" in self.ask("core waitfullybooted"), limit_s, "Asterisk booted")
        return self

    def ask(self, command: str) -> str:
        """What Asterisk's console says to this command; empty when Asterisk is not there."""
        done = subprocess.run(["asterisk", "-rx", command], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        assert self.process is not None
        if self.is_running:
            self.ask("core stop now")
            self.process.wait(20)


def prepare(toml: str = BOX_TOML) -> config.Box:
    """A box as the image's first boot leaves it: users, folders, configuration, an empty past."""
    for tool, file in (("systemd-sysusers", "sysusers.conf"), ("systemd-tmpfiles", "tmpfiles.conf")):
        create = ["--create"] if tool == "systemd-tmpfiles" else []
        subprocess.run([tool, *create, str(REPO / "systemd" / file)], check=True, capture_output=True)
    for folder in ("/var/lib/deskbell", "/var/spool/deskbell"):
        _empty(Path(folder))
    subprocess.run(["systemd-tmpfiles", "--create", str(REPO / "systemd/tmpfiles.conf")], check=True)
    for astdb in Path("/var/lib/asterisk").glob("astdb.sqlite3*"):
        astdb.unlink()
    _lay_configuration(ASTERISK_ETC)
    path = Path("/etc/deskbell/box.toml")
    path.write_text(toml)
    path.chmod(0o644)
    os.environ["DESKBELL_CONFIG"] = str(path)
    return config.load(path)


def _lay_configuration(etc: Path) -> None:
    """The repo's image/asterisk, and nothing of Debian's samples, as the root recipe does it."""
    _empty(etc)
    for file in (REPO / "image/asterisk").glob("*.conf"):
        shutil.copy(file, etc)
        (etc / file.name).chmod(0o644)
    etc.chmod(0o755)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
