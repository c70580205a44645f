"""Whose call it was follows from whose number it is, also for calls from before there was a card.

Every number that changes hands is put into `relink` by the store itself; here its calls are settled in small steps.
"""
from __future__ import annotations

import json
import sqlite3
import time

from appliance.store import db as store

BATCH = 200               # calls or numbers a transaction: a few milliseconds each
LOCK_S, PAUSE_S = 0.008, 0.004


def settle(db: sqlite3.Connection, limit_s: float = 2.0) -> bool:
    """True when every call has its card again. Never call it inside write(): it writes in steps and pauses between."""
    until = time.monotonic() + limit_s
    while db.execute("SELECT 1 FROM relink LIMIT 1").fetchone():
        if time.monotonic() >= until:
            return False
        with store.write(db):
            _step(db)
        time.sleep(PAUSE_S)
    return True


def _step(db: sqlite3.Connection) -> None:
    """Numbers out of `relink` until the lock was held long enough; those whose calls are right already all at once."""
    since = time.monotonic()
    numbers = [row["number"] for row in db.execute("SELECT number FROM relink LIMIT ?", (BATCH,))]
    wrong = db.execute("""
        SELECT asked.value AS number, contact_id
        FROM json_each(?) AS asked LEFT JOIN contact_number ON contact_number.number = asked.value
        WHERE EXISTS (SELECT 1 FROM call WHERE call.number = asked.value
                      AND call.contact_id IS NOT contact_number.contact_id)""", (json.dumps(numbers),)).fetchall()
    waiting = {row["number"] for row in wrong}
    for row in wrong:
        if _hand_over(db, row["number"], row["contact_id"]) < BATCH:
            waiting.remove(row["number"])
        if time.monotonic() - since >= LOCK_S:
            break
    db.execute("DELETE FROM relink WHERE number IN (SELECT value FROM json_each(?))",
               (json.dumps([number for number in numbers if number not in waiting]),))


def _hand_over(db: sqlite3.Connection, number: str, contact_id: str | None) -> int:
    """How many calls of this number were given to the card, at most BATCH."""
    return db.execute("""
        UPDATE call SET contact_id = ? WHERE id IN (
          SELECT id FROM call WHERE number = ? AND contact_id IS NOT ? LIMIT ?)""",
        (contact_id, number, contact_id, BATCH)).rowcount


def let_go(db: sqlite3.Connection, gone_id: str, to: str | None) -> None:
    """Gives the calls and group texts of a card to another, or to none, in steps, before the card goes.

    A reference that SQLite clears by itself would hold the lock for all of them at once. Whoever is killed in between
    loses nothing: the card's numbers wait in `relink`. Never call it inside write().
    """
    with store.write(db):
        db.execute("INSERT OR IGNORE INTO relink (number) SELECT number FROM contact_number WHERE contact_id = ?",
                   (gone_id,))
    for table in ("call", "recipient"):
        moved = BATCH
        while moved == BATCH:
            with store.write(db):
                moved = db.execute(f"""
                    UPDATE {table} SET contact_id = ? WHERE id IN (
                      SELECT id FROM {table} WHERE contact_id = ? LIMIT ?)""", (to, gone_id, BATCH)).rowcount
            time.sleep(PAUSE_S)
