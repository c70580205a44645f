"""Telling systemd that we live: the sd_notify(3) protocol, a datagram of KEY=value lines."""
from __future__ import annotations

import os
import socket


class Notify:
    """Speaks to $NOTIFY_SOCKET; without one (a hand-started daemon) every verb does nothing."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self) -> None:
        """Feeds the watchdog; call it only while the daemon can do its work."""
        self._send("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + sentence.replace("\n", " "))

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, line: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(line.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:      # systemd itself is restarting or late; no call waits for it, the next one will arrive
            return
