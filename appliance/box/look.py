"""What the clock sees of the box every few minutes, kept for the page Today: a page never looks itself."""
from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime, timedelta

from appliance.box import health, led
from appliance.calls import today
from appliance.config import Box
from appliance.store import db as store

log = logging.getLogger("clock")

EVERY = timedelta(minutes=5)
STORE_EVERY = timedelta(hours=6)       # the whole store is read through then: a gigabyte on a card takes its time


class Eye:
    """Looks and remembers what the store said when it was last read through."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._store: list[str] = []
        self._store_at: datetime | None = None

    def look(self) -> None:
        """Keeps what is found now; what cannot be kept is said and looked at again next time."""
        now = datetime.now(UTC)
        if self._store_at is None or now - self._store_at >= STORE_EVERY or self._store:
            self._store, self._store_at = health.of_the_store(self._box), now
        found = [*self._store, *health.standing(self._box)]
        led.leave(self._box.run, found)
        try:
            db = store.connect(self._box.store)
            with store.write(db):
                today.keep_look(db, found, now)
            db.close()
        except (sqlite3.Error, store.StoreError) as broken:
            log.error("What was found of the box could not be kept (%s). Calls and texts go on.", broken)
