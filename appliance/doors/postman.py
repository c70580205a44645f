"""Carries the letters of the webhooks: a thread a target, in its order, so that a slow one delays only itself."""
from __future__ import annotations

import json
import logging
import sqlite3
import ssl
import threading
from datetime import UTC, datetime
from typing import Any

from appliance.config import Box
from appliance.doors import posting, webhooks
from appliance.doors.webhooks import Delivery
from appliance.store import db as store

log = logging.getLogger("webhooks")

LOOK_S = 1.0
POLL_S = 0.1
WAITING = "SELECT DISTINCT webhook_id FROM delivery WHERE state = 'waiting'"
MOST_STOP_S = 2.0


class Postman:
    """Starts a round for each target there is. trust: whom TLS trusts, None the system's."""

    def __init__(self, box: Box, trust: ssl.SSLContext | None = None) -> None:
        self._box, self._trust = box, trust
        self._stop = threading.Event()
        self._rounds: dict[int, threading.Thread] = {}
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Letters under way are not waited for: they are told once more after the next start."""
        self._stop.set()
        if self._thread.ident:
            self._thread.join(MOST_STOP_S)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        db = store.connect(self._box.store)
        seen = -1
        while not self._stop.is_set():
            try:
                for (target,) in db.execute(WAITING).fetchall():
                    if target not in self._rounds or not self._rounds[target].is_alive():
                        self._rounds[target] = threading.Thread(target=self._round, args=(target,), daemon=True)
                        self._rounds[target].start()
                seen = store.wait_for_change(db, seen, LOOK_S, self._stop, POLL_S)
            except sqlite3.Error as broken:
                log.error("Webhooks wait (%s). Calls and texts go on.", broken)
                self._stop.wait(LOOK_S)
        db.close()

    def _round(self, target: int) -> None:
        """Until nothing waits for the target."""
        db = store.connect(self._box.store)
        try:
            while not self._stop.is_set() and (letter := webhooks.first(db, target)):
                now = datetime.now(UTC)
                if letter.next_at and letter.next_at > now:
                    self._stop.wait(min(LOOK_S, (letter.next_at - now).total_seconds()))
                    continue
                self._carry(db, target, letter)
        except sqlite3.Error as broken:
            log.error("A webhook waits (%s). Calls and texts go on.", broken)
        finally:
            db.close()

    def _carry(self, db: sqlite3.Connection, target: int, letter: Delivery) -> None:
        row = db.execute("SELECT url, secret FROM webhook WHERE id = ?", (target,)).fetchone()
        if row is None:
            return
        body = json.dumps(told(db, self._box, letter), ensure_ascii=False).encode()
        why = ""
        try:
            status: int | None = posting.post(row["url"], row["secret"], letter.id, body,
                                              int(datetime.now(UTC).timestamp()), self._trust)
        except posting.PostError as failed:
            why, status = str(failed), failed.status
        with store.write(db):
            if why or status is None:
                webhooks.refused(db, letter, status, why, datetime.now(UTC))
            else:
                webhooks.delivered(db, letter, status, datetime.now(UTC))


def told(db: sqlite3.Connection, box: Box, letter: Delivery) -> dict[str, Any]:
    """What a letter says: id and kind of what happened, when, on which box, and the call or the text as it is now."""
    body: dict[str, Any] = {"id": letter.id, "kind": letter.kind, "at": store.iso(letter.at), "box": box.name}
    if letter.call_id is not None:
        body["call"] = call(db, letter.call_id)
    if letter.sms_id is not None:
        body["sms"] = sms(db, letter.sms_id)
    return body


def call(db: sqlite3.Connection, call_id: int) -> dict[str, Any] | None:
    """A call for another program; numbers E.164, times UTC, lengths in milliseconds. None when it is gone."""
    row = db.execute("""
        SELECT call.id, direction, number, presentation, caller_name, contact_id, contact.name AS contact_name, trunk,
          extension, started_at, answered_at, ended_at, ring_ms, talk_ms, outcome
        FROM call LEFT JOIN contact ON contact.id = call.contact_id
        WHERE call.id = ?""", (call_id,)).fetchone()
    return dict(row) if row else None


def sms(db: sqlite3.Connection, sms_id: int) -> dict[str, Any] | None:
    """A text for another program. None when it is gone."""
    row = db.execute("""
        SELECT id, direction, number, text, state, reason, call_id, created_at, sent_at, delivered_at
        FROM sms WHERE id = ?""", (sms_id,)).fetchone()
    return dict(row) if row else None
