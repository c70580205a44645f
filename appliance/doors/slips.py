"""Prints the call slips that wait, in a thread of its own: a printer that is off or slow holds up nobody."""
from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

from appliance import settings
from appliance.config import Box
from appliance.doors import slip, standing
from appliance.doors.slip import PrinterError, Slip
from appliance.people import cards, notes, numbers
from appliance.store import db as store
from appliance.store.db import iso, parse_time

log = logging.getLogger("slips")

LOOK_S = 1.0
POLL_S = 0.1
GIVE_UP = timedelta(minutes=1)
GIVE_UP_S = GIVE_UP.total_seconds()
PAUSE_S = 3.0
KEPT = timedelta(days=7)
OUTCOMES = {"missed": ("missed", "abandoned"), "answered": ("answered",), "never": ()}
STUCK = "The receipt printer takes nothing. Calls go on. Switch it on, look at its paper, then print the slip again."


class Slips:
    """Started once a daemon; `send` prints one, tests give their own printer."""

    def __init__(self, box: Box, send: Callable[[str, Slip], None] | None = None, give_up_s: float = GIVE_UP_S) -> None:
        self._box, self._give_up_s = box, give_up_s
        self._send = send or (lambda address, it: slip.send(slip.printer(address), it, box.zone))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slips", daemon=True)
        self._at_work: threading.Thread | None = None

    def start(self) -> None:
        """Returns at once; the calls that end from here on are its own."""
        with closing(store.connect(self._box.store)) as db:
            self._last = int(db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0])
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident:
            self._thread.join(2.0)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        db = store.connect(self._box.store)
        seen, last = -1, self._last
        while not self._stop.is_set():
            try:
                last = self._follow(db, last)
                while not self._stop.is_set() and self._next(db):
                    pass
                seen = store.wait_for_change(db, seen, LOOK_S, self._stop, POLL_S)
            except sqlite3.Error as broken:
                log.error("Call slips wait (%s). Calls and texts go on.", broken)
                self._stop.wait(LOOK_S)
        db.close()

    def _follow(self, db: sqlite3.Connection, last: int) -> int:
        """Queues a slip for each call that ended since `last` as the setting wants it; the last event seen."""
        rows = db.execute("SELECT id, kind, call_id FROM event WHERE id > ? ORDER BY id LIMIT 500", (last,)).fetchall()
        wanted = settings.read(db)
        if wanted.slip_printer and OUTCOMES[wanted.slip_when]:
            for row in (row for row in rows if row["kind"] == "ended"):
                call = db.execute("SELECT direction, outcome FROM call WHERE id = ?", (row["call_id"],)).fetchone()
                if call and call["direction"] == "in" and call["outcome"] in OUTCOMES[wanted.slip_when]:
                    with store.write(db):
                        queue(db, row["call_id"], None, datetime.now(UTC))
        return rows[-1]["id"] if rows else last

    def _next(self, db: sqlite3.Connection) -> bool:
        """Whether a slip was tried."""
        row = db.execute("SELECT * FROM slip WHERE state = 'waiting' ORDER BY id LIMIT 1").fetchone()
        if row is None:
            return False
        address = settings.read(db).slip_printer
        reason = self._print(db, address, row) if address else "No receipt printer is set."
        now = datetime.now(UTC)
        is_over = not address or now - parse_time(row["at"]) > timedelta(seconds=self._give_up_s)
        if reason and not is_over:
            self._stop.wait(min(PAUSE_S, self._give_up_s / 4))
            return True
        with store.write(db):
            db.execute("UPDATE slip SET state = ?, reason = ? WHERE id = ?",
                       ("given_up" if reason else "printed", reason or None, row["id"]))
            db.execute("DELETE FROM slip WHERE at < ?", (iso(now - KEPT),))
        if address:
            standing.keep(db, "printer", f"{reason} Calls go on; the slip was given up. Look at the printer, then "
                          "print it again from the call." if reason else None, now)
        return True

    def _print(self, db: sqlite3.Connection, address: str, row: sqlite3.Row) -> str:
        """What went wrong, "" when it came out. A driver that never comes back is left behind in its thread."""
        it = of_call(db, self._box, row["call_id"])
        if it is None:
            return "The call was deleted."
        if self._at_work and self._at_work.is_alive():
            return STUCK
        said: list[str] = []

        def work() -> None:
            try:
                self._send(address, it)
                said.append("")
            except (PrinterError, OSError) as refused:
                said.append(str(refused))
        self._at_work = threading.Thread(target=work, name="printer", daemon=True)
        self._at_work.start()
        until = time.monotonic() + self._give_up_s
        while self._at_work.is_alive() and time.monotonic() < until and not self._stop.is_set():
            self._at_work.join(0.2)
        return said[0] if said else STUCK


def queue(db: sqlite3.Connection, call_id: int, by: str | None, now: datetime) -> int:
    """The id of a slip that waits to be printed. Call it inside write()."""
    return int(db.execute("INSERT INTO slip (call_id, by_user, at, state) VALUES (?, ?, ?, 'waiting') RETURNING id",
                          (call_id, by, iso(now))).fetchone()[0])


def of_call(db: sqlite3.Connection, box: Box, call_id: int) -> Slip | None:
    """What the slip of this call says; None when it is gone."""
    call = db.execute("SELECT * FROM call WHERE id = ?", (call_id,)).fetchone()
    if call is None:
        return None
    card = cards.card(db, call["contact_id"]) if call["contact_id"] else None
    note = notes.of_call(db, call_id) or (notes.last(db, call["number"]) if call["number"] else None)
    line = call["caller_name"] if call["presentation"] == "allowed" else None
    return Slip(settings.read(db).shop_name, card.name if card else line or "",
                numbers.shown(call["number"], box.country) if call["number"] else "",
                (card.address or "") if card else "", note.text if note else "", parse_time(call["started_at"]))
