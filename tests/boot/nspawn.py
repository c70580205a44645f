"""Boxes that boot: a root tree without a kernel, systemd as its first process, on a LAN of their own.

systemd-nspawn runs inside image/enter --workshop. Everything is real but the hardware: units, users, mounts, network.
/data and /boot/firmware are folders that outlive a boot, as the card does.
"""
from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/deskbell")
LAN, HERE = "lan0", "10.77.0.1"
CGROUPS = Path("/sys/fs/cgroup")
START_S, STOP_S = 90.0, 60.0
BASH = "set -euo pipefail; . image/lib.sh; CACHE=/var/cache/deskbell; . image/lay-overlay; "
_count = itertools.count(1)


def sh(*command: str, check: bool = True, **kwargs: object) -> str:
    """What the command printed. Raises AssertionError with all its words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)  # type: ignore[call-overload]
    assert not check or done.returncode == 0, f"{command} gave {done.returncode}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def wait[T](until: Callable[[], T], limit_s: float, what: str, also: Callable[[], str] = lambda: "") -> T:
    """What `until` gave, once it is true. Raises TimeoutError with what was waited for and what `also` says."""
    end = time.monotonic() + limit_s
    while not (given := until()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s:.0f} s: {what}\n{also()}")
        time.sleep(0.05)
    return given


def layers(*kinds: str) -> list[Path]:
    """The cached layers of this state of the code, top first."""
    return [Path(line) for line in sh("bash", "-c", BASH + 'for k in "$@"; do layer "$k"; done', "-", *kinds,
                                      cwd=REPO).split()]


def overlay(lower: Sequence[Path], place: Path) -> Path:
    """A writable tree over these, top first; what is written is memory."""
    place.mkdir(parents=True)
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(place))
    for name in ("root", "up", "work"):
        (place / name).mkdir()
    sh("mount", "-t", "overlay", "overlay", "-o",
       f"lowerdir={':'.join(map(str, lower))},upperdir={place}/up,workdir={place}/work", str(place / "root"))
    return place / "root"


def make_tree(place: Path) -> Path:
    """A finished root but for the kernel: packages, users, our code and the overlay of the image."""
    root = overlay(layers("box", "house", "root"), place)
    for part in ("appliance", "hw", "web"):
        shutil.copytree(REPO / part, root / "usr/lib/deskbell" / part,
                        ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    (root / "usr/lib/deskbell/setup.cfg").write_bytes((REPO / "setup.cfg").read_bytes())
    # the layer of packages has users of its own and lies over the house's
    sh("chroot", str(root), "systemd-sysusers")
    sh("bash", "-c", BASH + 'lay_overlay "$1" amd64', "-", str(root), cwd=REPO)
    sh("python3", "-m", "compileall", "-q", "-s", str(root), str(root / "usr/lib/deskbell"))
    return root


def sysctl(root: Path) -> list[tuple[str, str]]:
    """The settings of the kernel that the image brings."""
    lines = (root / "etc/sysctl.d/60-deskbell.conf").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def prepare_namespaces() -> None:
    """What systemd-nspawn needs of our own private namespaces: cgroups of version 2 alone, and a LAN with DHCP."""
    while os.path.ismount(CGROUPS):
        sh("umount", "-R", str(CGROUPS))
    sh("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))
    for old in CGROUPS.glob("deskbell-boot-*"):
        with contextlib.suppress(OSError):         # of a run that was killed; a living one's is busy
            old.rmdir()
    sh("ip", "link", "add", LAN, "type", "bridge")
    sh("ip", "address", "add", f"{HERE}/24", "dev", LAN)
    sh("ip", "link", "set", LAN, "up")


@contextlib.contextmanager
def router(folder: Path) -> Iterator[Path]:
    """A DHCP server on the LAN, as every office has one; gives its file of leases."""
    leases = folder / "leases"
    server = subprocess.Popen(
        ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", f"--interface={LAN}",
         "--bind-interfaces", "--dhcp-range=10.77.0.100,10.77.0.200,1h", "--user=root", "--dhcp-authoritative",
         f"--dhcp-leasefile={leases}", f"--pid-file={folder}/dnsmasq.pid", "--log-facility=-"],
        stdout=subprocess.DEVNULL, stderr=(folder / "dnsmasq.log").open("w"))
    try:
        yield leases
    finally:
        server.terminate()
        server.wait(10)


@dataclass
class Answer:
    """What the pages said. body is bytes."""
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass
class Machine:
    """A box. Its card is `data` and `fat`, which stay over stop() and reboot(); `binds` are device nodes or folders of
    ours by their place in the box. `root` is never written: the box has it read-only.
    """
    root: Path
    folder: Path
    binds: dict[str, Path] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    has_data: bool = True                      # False: a card whose data partition is not there
    words: tuple[str, ...] = ()                # of the kernel's command line, as systemd reads it

    def __post_init__(self) -> None:
        self.name = f"m{next(_count)}"
        self.data, self.fat, self.log = self.folder / "data", self.folder / "fat", self.folder / "console.log"
        for folder in (self.data, self.fat):
            folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._cgroup = CGROUPS / f"deskbell-boot-{os.getpid()}-{self.name}-{time.time_ns()}"
        sh("ip", "netns", "add", self.name)
        sh("ip", "link", "add", f"{self.name}-lan", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        sh("ip", "link", "set", f"{self.name}-lan", "master", LAN, "up")
        for name, value in sysctl(self.root):      # a container may not write them: its kernel's part is done here
            if name.startswith("net.") and ".default." not in name:
                sh("ip", "netns", "exec", self.name, "sysctl", "-qw", f"{name}={value}")

    # -- power

    def start(self, wait_until_up: bool = True) -> Machine:
        """Switches it on; returns when systemd has no more to start, whatever failed."""
        assert self._process is None, "it runs"
        self._cgroup.mkdir(exist_ok=True)
        tree = self.folder / "tree"
        tree.mkdir(exist_ok=True)
        sh("mount", "--bind", str(self.root), str(tree))          # nspawn wants a mount of its own
        binds = [f"--bind={ours}:{theirs}" for theirs, ours in
                 {**({"/data": self.data} if self.has_data else {}), "/boot/firmware": self.fat, **self.binds}.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "-D", str(tree), "--read-only", *binds, "--register=no", "--keep-unit",
                 f"--machine={self.name}", f"--network-namespace-path=/run/netns/{self.name}",
                 "--capability=CAP_NET_ADMIN", "--link-journal=no", "--resolv-conf=off",
                 "--timezone=off", "--console=read-only", "--kill-signal=SIGRTMIN+3",
                 *self.arguments, "--boot", "systemd.show_status=1", "systemd.log_color=0", *self.words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=lambda: (self._cgroup / "cgroup.procs").write_text(str(os.getpid())) and None)
        if wait_until_up:
            self.wait_until_up()
        return self

    def wait_until_up(self, limit_s: float = START_S) -> str:
        """`systemctl is-system-running` once nothing is being started any more: running, or degraded."""
        def state() -> str:
            assert self.is_on, f"it went off while it booted: {self.console()[-3000:]}"
            if not self.leader:
                return ""
            said = self.run("systemctl is-system-running", check=False).stdout.strip()
            return said if said in ("running", "degraded", "maintenance") else ""
        return wait(state, limit_s, "booted", self.troubles)

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def leader(self) -> int:
        """The process of ours that is the box's first; 0 when there is none."""
        if self._process is None:
            return 0
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError):
            for pid in map(int, children.read_text().split()):
                numbers = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                           if line.startswith("NSpid:")][0].split()
                if numbers[-1] == "1" and len(numbers) > 2:
                    return pid
        return 0

    def stop(self) -> None:
        """Shuts it down in order, as `poweroff` does."""
        if self.is_on:
            assert self._process is not None
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        self.cut()

    def cut(self) -> None:
        """Pulls the plug."""
        if self._cgroup.exists():
            (self._cgroup / "cgroup.kill").write_text("1")
        if self._process is not None:
            self._process.wait(10)
            self._process = None
            sh("umount", "-R", str(self.folder / "tree"))
        wait(lambda: not self._cgroup.exists() or _removed(self._cgroup), 10, "its control group empty")

    def reboot(self) -> Machine:
        """Boots again, in order; returns when it is up."""
        self.stop()
        return self.start()

    def close(self) -> None:
        self.stop()
        sh("ip", "link", "del", f"{self.name}-lan", check=False)
        sh("ip", "netns", "del", self.name, check=False)

    # -- inside

    def run(self, command: str, check: bool = True, limit_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A shell command inside the box, as root. Raises AssertionError when it fails and `check` is true."""
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
             "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "SYSTEMD_COLORS=0",
             "SYSTEMD_PAGER=cat", "sh", "-c", command], capture_output=True, text=True, timeout=limit_s, check=False)
        assert not check or done.returncode == 0, f"{command!r} gave {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def said(self, command: str) -> str:
        """What a command inside printed, without the last newline."""
        return self.run(command).stdout.rstrip("\n")

    def python(self, code: str, user: str = "root") -> str:
        """What our code inside printed: `code` sees the appliance's modules."""
        quoted = code.replace("'", "'\\''")
        return self.said(f"cd /usr/lib/deskbell && setpriv --reuid={user} --init-groups --regid=$(id -g {user}) "
                         f"python3 -B -c '{quoted}'")

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit by their names."""
        lines = self.said(f"systemctl show {unit} -p {','.join(properties)}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def failed(self) -> list[str]:
        """The units that failed."""
        return [row["unit"] for row in json.loads(self.said("systemctl list-units --failed --output=json"))]

    def console(self) -> str:
        """All that was printed on the console since the first start."""
        return self.log.read_text(errors="replace")

    def troubles(self) -> str:
        """For a test that waited in vain: what failed, what is being started, and the last words."""
        if not self.leader:
            return self.console()[-3000:]
        return "".join(self.run(command, check=False).stdout for command in (
            "systemctl --failed --no-legend", "systemctl list-jobs --no-legend",
            "journalctl --no-pager -b -n 60 -o short-monotonic"))

    def wait_for(self, command: str, limit_s: float = 30.0) -> str:
        """What a command inside printed, once it succeeds."""
        done = wait(lambda: (one if (one := self.run(command, check=False)).returncode == 0 else None), limit_s,
                    command, self.troubles)
        assert done is not None
        return done.stdout

    # -- from outside

    @property
    def address(self) -> str:
        """Its IPv4 address on the LAN, the one by DHCP or the fixed one, once it has it."""
        return wait(lambda: next((one for one in self.addresses() if not one.startswith("169.254.")), ""), 30,
                    "an address on the LAN", self.troubles)

    def addresses(self) -> list[str]:
        """All its IPv4 addresses on the LAN now, link-local ones too."""
        rows = json.loads(self.run("ip -j -4 address show dev eth0", check=False).stdout or "[]")
        return [entry["local"] for row in rows for entry in row["addr_info"]]

    def http(self, path: str = "/", method: str = "GET", body: str | bytes | None = None,
             headers: Mapping[str, str] | None = None, port: int = 443, is_encrypted: bool = True,
             at: str = "") -> Answer:
        """A request from the LAN; whatever certificate the box shows is taken. Raises OSError when nobody answers.

        at: the address to ask, when it is not the one that the router gave.
        """
        at = at or self.address
        if is_encrypted:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                at, port, timeout=20, context=context)
        else:
            connection = http.client.HTTPConnection(at, port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())


def _removed(cgroup: Path) -> bool:
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not cgroup.exists()
