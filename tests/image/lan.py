"""A shop's network on this machine: a bridge with a DHCP server, and a port on it for each virtual box."""
from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

HOST = "192.168.77.1"
LIMIT_S = 10.0
SELDOM_S = 5.0


class Lan:
    """Bridge `shop` at 192.168.77.1/24; dnsmasq gives addresses from .100 on and knows no name. Needs root."""

    def __init__(self, has_dhcp: bool = True) -> None:
        self._taps: list[str] = []
        self._leases = Path(tempfile.mkdtemp()) / "leases"
        self._dhcp: subprocess.Popen[bytes] | None = None
        self._ip("link", "add", "shop", "type", "bridge")
        self._ip("addr", "add", f"{HOST}/24", "dev", "shop")
        self._ip("link", "set", "shop", "up")
        if has_dhcp:
            self._dhcp = subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0",
                 "--interface=shop", "--bind-interfaces", "--dhcp-range=192.168.77.100,192.168.77.200,1h",
                 f"--dhcp-leasefile={self._leases}", "--dhcp-authoritative"],
                stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._dhcp:
            self._dhcp.send_signal(signal.SIGTERM)
            self._dhcp.wait(LIMIT_S)
        for name in (*self._taps, "shop"):
            self._ip("link", "delete", name)

    def port(self) -> str:
        """A new tap device on the bridge."""
        name = f"desk{len(self._taps)}"
        self._taps.append(name)
        self._ip("tuntap", "add", "dev", name, "mode", "tap")
        self._ip("link", "set", name, "master", "shop", "up")
        return name

    def address(self, mac: str) -> str:
        """What the DHCP server gave this card; "" for nothing yet."""
        rows = self._leases.read_text().splitlines() if self._leases.exists() else []
        return next((row.split()[2] for row in rows if row.split()[1] == mac.lower()), "")

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, timeout=LIMIT_S)


def wait_until[T](true: Callable[[], T], limit_s: float, what: str, pause_s: float = 0.25) -> T:
    """Asks `true()` each pause_s until it is; raises AssertionError with `what` after limit_s.

    What a played processor must answer is asked each SELDOM_S: it would do nothing else.
    """
    until = time.monotonic() + limit_s
    while True:
        got = true()
        if got:
            return got
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(pause_s)
