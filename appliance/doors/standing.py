"""How the doors stand that this box opens by itself: kept when it changes, read by the page and by health."""
from __future__ import annotations

import sqlite3
from datetime import datetime

from appliance.store.db import iso, write


def keep(db: sqlite3.Connection, name: str, trouble: str | None, now: datetime) -> None:
    """Notes how 'printer' or 'mqtt' is; trouble None: well. Writes only what is new. Never call it inside write()."""
    row = db.execute("SELECT trouble FROM door WHERE name = ?", (name,)).fetchone()
    if row and row["trouble"] == trouble:
        return
    with write(db):
        db.execute("INSERT OR REPLACE INTO door (name, trouble, at) VALUES (?, ?, ?)", (name, trouble, iso(now)))


def forget(db: sqlite3.Connection, name: str) -> None:
    """It is switched off: nothing is known of it. Never call it inside write()."""
    if db.execute("SELECT 1 FROM door WHERE name = ?", (name,)).fetchone():
        with write(db):
            db.execute("DELETE FROM door WHERE name = ?", (name,))


def trouble(db: sqlite3.Connection, name: str) -> str | None:
    """What is wrong with it in a sentence; None when it is well, "" when it was never used."""
    row = db.execute("SELECT trouble FROM door WHERE name = ?", (name,)).fetchone()
    return row["trouble"] if row else ""


def findings(db: sqlite3.Connection) -> list[str]:
    """For the page Today."""
    return [row["trouble"] for row in db.execute("SELECT trouble FROM door WHERE trouble IS NOT NULL ORDER BY name")]
