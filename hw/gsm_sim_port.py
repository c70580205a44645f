"""The simulated modem's port: a pty under a link, served by one thread that also keeps the time."""
from __future__ import annotations

import errno
import heapq
import itertools
import os
import pty
import selectors
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path


class SimPort:
    """A pty from start() to stop(). What is _later() runs in its thread, and so does all that is typed into it."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._master = self._slave = -1
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = os.pipe()
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="gsm_sim", daemon=True)

    def stop(self) -> None:
        """Ends the thread and takes the link away."""
        self._stopped.set()
        self._later(0, lambda: None)
        self._thread.join(5)
        self._unplug()
        self._selector.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def unplug(self) -> None:
        """Pulls the stick: the port vanishes under whoever holds it."""
        self._later(0, self._unplug)

    def plug(self) -> None:
        """Puts it back: a new port under the old link, all settings forgotten."""
        self._later(0, self._plug)

    # the thread

    def _later(self, after_s: float, act: Callable[[], object]) -> None:
        with self._lock:
            heapq.heappush(self._timers, (time.monotonic() + after_s, next(self._order), act))
        os.write(self._wake_w, b"!")

    def _serve(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                due = self._timers[0][0] if self._timers else None
            wait_s = None if due is None else max(0.0, due - time.monotonic())
            for key, _events in self._selector.select(wait_s):
                if key.fd == self._wake_r:
                    os.read(self._wake_r, 4096)
                elif key.fd == self._master:
                    self._read()
            self._run_due()

    def _run_due(self) -> None:
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > time.monotonic():
                    return
                _due, _order, act = heapq.heappop(self._timers)
            act()

    def _powered(self) -> None:
        """What the modem does when its power comes."""

    def _plug(self) -> None:
        if self._master >= 0:
            return
        self._master, self._slave = pty.openpty()  # our own slave fd stays open, or a client's close would be EIO here
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._powered()
        aside = self.link.with_name(self.link.name + ".new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.ttyname(self._slave))
        aside.replace(self.link)
        self._selector.register(self._master, selectors.EVENT_READ)

    def _unplug(self) -> None:
        if self._master < 0:
            return
        self._selector.unregister(self._master)
        self.link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _write(self, data: bytes) -> None:
        if self._master < 0:
            return
        try:
            os.write(self._master, data)
        except OSError as full:  # nobody reads: a real modem's FIFO overflows too
            if full.errno not in (errno.EAGAIN, errno.EIO):
                raise

    def _read(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError:
            return
        self._typed_in(data)

    def _typed_in(self, data: bytes) -> None:
        """What came from the other end of the pty."""
