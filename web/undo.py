"""What was just done, said once in a toast, and the way back while it is offered."""
from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

KEPT_S = 10 * 60
MOST = 200

Back = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True)
class InSteps:
    """A way back that would hold the lock too long at once: `go` writes in steps of its own, outside write()."""
    go: Back


@dataclass(frozen=True)
class Done:
    """`said` in the words of who did it; `back` runs inside write() and undoes it, None when nothing can.

    Kept in memory: after a restart of the pages what was done stays done. restores: how many backups had been brought
    back by then; after one more it was done to another store.
    """
    key: str
    session: str
    said: str
    back: Back | InSteps | None
    page: str
    at_s: float
    restores: int


class Memory:
    """What was done lately. Any thread may ask."""

    def __init__(self) -> None:
        self._done: dict[str, Done] = {}
        self._lock = threading.Lock()

    def keep(self, session: str, said: str, page: str, back: Back | InSteps | None = None,
             restores: int = 0) -> str:
        key, now_s = secrets.token_urlsafe(9), time.monotonic()
        with self._lock:
            self._done[key] = Done(key, session, said, back, page, now_s, restores)
            for old in [old for old in self._done.values() if now_s - old.at_s > KEPT_S]:
                del self._done[old.key]
            while len(self._done) > MOST:
                del self._done[next(iter(self._done))]
        return key

    def forget_all(self) -> None:
        """No way back and no sentence is kept: somebody was forgotten, and either may hold the name."""
        with self._lock:
            self._done.clear()

    def find(self, session: str, key: str) -> Done | None:
        with self._lock:
            found = self._done.get(key)
        return found if found and found.session == session and time.monotonic() - found.at_s <= KEPT_S else None

    def take(self, session: str, key: str) -> Done | None:
        """The way back, for one who goes it: nobody goes it twice."""
        found = self.find(session, key)
        with self._lock:
            return self._done.pop(key, None) if found and found.back else None
