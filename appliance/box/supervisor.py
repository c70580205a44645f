"""Runs the parts of a box without systemd: started in order, watched, stopped in reverse. For demo and tests."""
from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

POLL_S = 0.02
STOP_S = 10.0          # what a part has between SIGTERM and SIGKILL
LOG_TAIL = 8           # lines of a dead part's log that are shown
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class PartFailed(Exception):
    """A part did not start or has died; the text names it and shows the end of its log."""


@dataclass(frozen=True)
class Part:
    """One program. `user` None is root; `is_ready` None waits for READY=1, as systemd's Type=notify does."""

    name: str
    command: tuple[str, ...]
    user: str | None = None
    is_ready: Callable[[], bool] | None = None
    limit_s: float = 30.0
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """The running parts. Their logs and notify sockets are files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[tuple[Part, subprocess.Popen[bytes]]] = []
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)

    def start(self, part: Part) -> None:
        """Returns once the part is ready. Raises PartFailed when it ends before, or takes too long."""
        address = self._folder / f"{part.name}.notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(str(address))
            address.chmod(0o666)
            notified.setblocking(False)
            process = self._spawn(part, address)
            self._running.append((part, process))
            until = time.monotonic() + part.limit_s
            while not (part.is_ready() if part.is_ready else _said_ready(notified)):
                if process.poll() is not None:
                    raise PartFailed(self._obituary(part, process))
                if time.monotonic() > until:
                    raise PartFailed(f"{part.name} was not ready within {part.limit_s:.0f} s.{self._last_words(part)}")
                time.sleep(POLL_S)

    def wait(self, until: Callable[[], bool], limit_s: float, what: str) -> None:
        """Returns once `until` is true. Raises PartFailed when a part dies before, or it takes too long."""
        end = time.monotonic() + limit_s
        while not until():
            if sentence := self.dead():
                raise PartFailed(sentence)
            if time.monotonic() > end:
                raise PartFailed(f"Not within {limit_s:.0f} s: {what}.")
            time.sleep(POLL_S)

    def dead(self) -> str | None:
        """A sentence about a part that has ended by itself, or None while all run."""
        for part, process in self._running:
            if process.poll() is not None:
                return self._obituary(part, process)
        return None

    def stop(self) -> None:
        """Ends all parts, the last started first, each with what it started."""
        while self._running:
            _part, process = self._running.pop()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            with contextlib.suppress(ProcessLookupError):      # also what it had only just begun to start
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, part: str) -> Path:
        return self._folder / f"{part}.log"

    def _spawn(self, part: Part, address: Path) -> subprocess.Popen[bytes]:
        as_user = [] if part.user is None else [
            "setpriv", f"--reuid={part.user}", f"--regid={part.user}", "--init-groups", "--inh-caps=-all"]
        with self.log(part.name).open("wb") as log:
            return subprocess.Popen(
                [*as_user, *part.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", umask=0o007,
                start_new_session=True,      # Ctrl-C reaches the supervisor alone, so that it can stop in order
                env={**ENVIRONMENT, "NOTIFY_SOCKET": str(address), **part.environment})

    def _obituary(self, part: Part, process: subprocess.Popen[bytes]) -> str:
        code = process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"{part.name} {how}.{self._last_words(part)}"

    def _last_words(self, part: Part) -> str:
        lines = self.log(part.name).read_text(errors="replace").splitlines()[-LOG_TAIL:]
        return " Its last words:\n" + "\n".join(f"    {line}" for line in lines) if lines else " It said nothing."


def _said_ready(notified: socket.socket) -> bool:
    try:
        return b"READY=1" in notified.recv(4096).split(b"\n")
    except BlockingIOError:
        return False
