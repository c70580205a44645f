"""An office that texts: a store with calls in it, the clock and the modem's part played by hand."""
from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.config import Box, Modem
from appliance.settings import Settings
from appliance.store import db as store
from appliance.texts import outbox, reports, rulebook
from hw.pdu import DeliveryReport

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CALLER, OTHER = "+491701234567", "+491709999999"
SIM = "SIM"


class Office:
    """A store with calls in it, and the modem's part played by hand."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.box, self.calls = db, box, 0

    def call(self, number: str | None = CALLER, at: datetime = NOW, outcome: str = "missed", direction: str = "in",
             presentation: str = "allowed", settings: Settings | None = None, talk_s: int = 0) -> int:
        """The id of a call that ended at `at`, decided there and then."""
        self.calls += 1
        began = at - timedelta(seconds=talk_s)
        with store.write(self.db):
            call_id = self.db.execute("""
                INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, started_at,
                                  answered_at, ended_at, ring_ms, talk_ms, outcome, is_clock_set)
                VALUES ('box1', 1, ?, 'line1', ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 1)""",
                (f"office-{self.calls}", direction, number or "", number, presentation, store.iso(began),
                 store.iso(began) if outcome == "answered" else None, store.iso(at),
                 talk_s * 1000 if outcome == "answered" else None, outcome)).lastrowid
            assert call_id is not None
            outbox.after_call(self.db, self.box, call_id, settings or Settings(), at)
        return call_id

    def rule(self, **changes: object) -> None:
        """The shop's one rule, changed."""
        rule = rulebook.rules(self.db)[0]
        with store.write(self.db):
            rulebook.save(self.db, dataclasses.replace(rule, **changes), NOW, ("line1",))

    def came(self, text: str, at: datetime, number: str = CALLER) -> None:
        """A text that came in."""
        with store.write(self.db):
            self.db.execute("""
                INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at)
                VALUES ('in', ?, ?, 'received', ?, ?, ?)""", (number, text, *[store.iso(at)] * 3))

    def opted_out(self, at: datetime, number: str = CALLER) -> None:
        with store.write(self.db):
            self.db.execute("INSERT INTO opt_out (number, at, source) VALUES (?, ?, 'reply')", (number, store.iso(at)))

    def due(self, at: datetime = NOW) -> outbox.Due:
        due = outbox.next_due(self.db, SIM, at)
        assert due is not None, "nothing is due"
        return due

    def sending(self, at: datetime = NOW) -> outbox.Due:
        due = self.due(at)
        with store.write(self.db):
            assert outbox.mark_sending(self.db, due, SIM, at)
        return due

    def sent(self, reference: int, at: datetime = NOW) -> outbox.Due:
        due = self.sending(at)
        with store.write(self.db):
            outbox.accepted(self.db, due, reference, at)
        return due

    def refused(self, is_passing: bool, at: datetime = NOW) -> outbox.Due:
        due = self.sending(at)
        with store.write(self.db):
            outbox.refused(self.db, due, "the network is busy (CMS 42).", 42, is_passing, at)
        return due

    def unknown(self, at: datetime = NOW) -> outbox.Due:
        due = self.sending(at)
        with store.write(self.db):
            outbox.unknown(self.db, due, "the modem did not say.", None, at)
        return due

    def report(self, reference: int, status: int = 0, number: str = CALLER, at: datetime = NOW) -> int | None:
        with store.write(self.db):
            return reports.report(self.db, DeliveryReport(reference, number, status, at, at), at)

    def states(self) -> list[str]:
        return [row["state"] for row in self.db.execute("SELECT state FROM sms ORDER BY id")]

    def segments(self) -> list[str]:
        return [row["state"] for row in self.db.execute("SELECT state FROM segment ORDER BY id")]

    def reason(self) -> str:
        return str(self.db.execute("SELECT reason FROM sms ORDER BY id DESC").fetchone()["reason"])

    def refusals(self) -> list[str]:
        return [row["reason"] for row in self.db.execute("SELECT reason FROM refusal ORDER BY call_id")]

    def told(self) -> int:
        return int(self.db.execute("SELECT count(*) FROM event WHERE kind = 'text'").fetchone()[0])


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A shop whose one rule answers missed calls at once."""
    db = store.connect(tmp_path / "office.db")
    store.migrate(db)
    office = Office(db, Box(own_numbers=("+498912345678",), modems=(Modem("SIM", "/dev/null", "+491510000001"),)))
    office.rule(delay_s=0)
    yield office
    db.close()
