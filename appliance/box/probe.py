"""What the gateways of this box say to OPTIONS, asked beside the pages: a gateway that is silent holds up no page."""
from __future__ import annotations

import threading
import time
from collections.abc import Collection

from hw import sip_probe
from hw.sip_probe import Answer, Found

STALE_S = 8.0


class Gateways:
    """What each said lately, and who else in the network speaks SIP. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Answer]] = {}
        self._asked: set[str] = set()
        self._found: list[Found] | None = None
        self._is_searching = False

    def look(self, gateways: Collection[str]) -> dict[str, Answer | None]:
        """The last answer of each, None before the first; what is older than STALE_S is asked for again meanwhile."""
        with self._lock:
            now = time.monotonic()
            due = [one for one in gateways if one not in self._asked
                   and (one not in self._known or now - self._known[one][0] > STALE_S)]
            self._asked.update(due)
            known = {one: self._known[one][1] if one in self._known else None for one in gateways}
        for one in due:
            threading.Thread(target=self._ask, args=(one,), name="gateway", daemon=True).start()
        return known

    def search(self) -> None:
        """Looks who speaks SIP in the network of the box, taken to be 256 addresses wide; found() tells."""
        with self._lock:
            if self._is_searching:
                return
            self._is_searching = True
        threading.Thread(target=self._search, name="gateways", daemon=True).start()

    def found(self) -> tuple[list[Found] | None, bool]:
        """Who was found, None before anybody looked; and whether somebody is looking."""
        with self._lock:
            return self._found, self._is_searching

    def _ask(self, gateway: str) -> None:
        try:
            answer = sip_probe.ask(gateway)
            with self._lock:
                self._known[gateway] = time.monotonic(), answer
        finally:
            with self._lock:
                self._asked.discard(gateway)

    def _search(self) -> None:
        found: list[Found] = []
        try:
            if own := sip_probe.own_address():
                found = sip_probe.sweep(f"{own.rpartition('.')[0]}.0/24", but=own)
        finally:
            with self._lock:
                self._found, self._is_searching = found, False
