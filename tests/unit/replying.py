"""A shop with one SIM whose texts come and are followed, for the tests of what follows."""
from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance import settings
from appliance.config import Box, Modem
from appliance.store import db as store
from appliance.texts import inbox, keywords, outbox
from appliance.texts.rules import Draft
from hw.pdu import Delivered

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # 13:00 in Berlin
CALLER, OWNER, MOBILE, OWN = "+491701234567", "+491715550001", "+491715550002", "+4915112345678"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Office:
    """A shop with one SIM; texts come in and the outbox is read."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.now = db, NOW
        self.box = dataclasses.replace(box, modems=(Modem("SIM", "/dev/ttyUSB0", OWN),))

    def came(self, text: str, number: str = CALLER, at: datetime | None = None, sent_at: datetime | None = None) -> int:
        self.now = at or self.now + timedelta(seconds=30)
        with store.write(self.db):
            sms_id = inbox.received(self.db, self.box, Delivered(number, text, sent_at or self.now), "SIM", self.now)
        assert sms_id is not None, "it was taken for one we have"
        return sms_id

    def sent(self, number: str, text: str = "Sorry!", *, is_automatic: bool = True) -> None:
        with store.write(self.db):
            outbox.queue(self.db, Draft(number, text, "missed", self.now), None, self.now, is_automatic=is_automatic)

    def put(self, **changed: object) -> None:
        with store.write(self.db):
            for key, value in changed.items():
                settings.put(self.db, key, value)

    def keyword(self, word: str, answer: str) -> None:
        with store.write(self.db):
            keywords.save(self.db, word, answer)

    def missed(self, number: str, at: datetime, outcome: str = "missed", direction: str = "in") -> None:
        with store.write(self.db):
            self.db.execute("""
                INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, ended_at,
                                  outcome, is_clock_set)
                VALUES ('box1', 1, (SELECT count(*) FROM call), ?, ?, ?, 'allowed', ?, ?, ?, 1)""",
                (direction, number, number, store.iso(at), store.iso(at), outcome))

    def out(self) -> list[tuple[str, str]]:
        """(number, text) of all that was queued."""
        return [(row["number"], row["text"]) for row in self.db.execute(
            "SELECT number, text FROM sms WHERE direction = 'out' ORDER BY id")]

    def row(self, sms_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self.db.execute("SELECT * FROM sms WHERE id = ?", (sms_id,)).fetchone()
        return row

    def closed_until(self) -> str:
        return settings.read(self.db).closed_until


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Office:
    return Office(db, box)
