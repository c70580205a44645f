"""What waits for a second step: a password that was right and lacks its code, a secret that is not yet proved."""
from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

KEPT_S = 10 * 60
MOST = 200


class Waiting[T]:
    """Kept in memory only, for ten minutes; after a restart one begins again. Any thread may ask."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._all: dict[str, tuple[float, T]] = {}
        self._lock = threading.Lock()
        self._clock_s = clock_s

    def keep(self, what: T, key: str = "") -> str:
        """The key under which it waits: one nobody can guess, unless one was given."""
        key, now_s = key or secrets.token_urlsafe(32), self._clock_s()
        with self._lock:
            self._all.pop(key, None)
            self._all[key] = (now_s, what)
            for old in [old for old, (at_s, _) in self._all.items() if now_s - at_s > KEPT_S]:
                del self._all[old]
            while len(self._all) > MOST:
                del self._all[next(iter(self._all))]
        return key

    def find(self, key: str | None) -> T | None:
        with self._lock:
            at_s, what = self._all.get(key or "", (0.0, None))
        return what if what is not None and self._clock_s() - at_s <= KEPT_S else None

    def drop(self, key: str | None) -> None:
        with self._lock:
            self._all.pop(key or "", None)
