"""An office with a line, two desk phones and a running box, in the words of the trade."""
from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from appliance import settings
from appliance.box.provision import provision, sip_secret
from appliance.config import Box
from appliance.people import contacts
from appliance.store import db as store
from appliance.texts import rulebook
from tests.pbx import box as boxes
from tests.pbx.box import Asterisk, Daemon, wait
from tests.sip import RING, Leg, Line, Manner, Phone, State

FIRST_MOBILE = 491701000000
FIRST_LANDLINE = 493012000000


class Office:
    """One box for the whole ring of tests; `begin` draws a line under what came before."""

    def __init__(self, box: Box, asterisk: Asterisk, daemon: Daemon, line: Line, phones: list[Phone]) -> None:
        self.box, self.asterisk, self.daemon, self.line, self.phones = box, asterisk, daemon, line, phones
        self.db = store.connect(box.store)
        self._fresh = itertools.count(1)
        self._last_call = self._first_row = 0

    # -- who

    def mobile(self) -> str:
        """A mobile number nobody has called from yet."""
        return f"+{FIRST_MOBILE + next(self._fresh)}"

    def landline(self) -> str:
        return f"+{FIRST_LANDLINE + next(self._fresh)}"

    @property
    def counter(self) -> Phone:
        return self.phones[0]

    @property
    def desk(self) -> Phone:
        return self.phones[1]

    def phones_will(self, *manners: Manner) -> None:
        """The same for all, or one for each."""
        for phone, manner in zip(self.phones, manners if len(manners) > 1 else manners * 2, strict=True):
            phone.manner = manner

    def rung(self, number: int = 1, limit_s: float = 10.0) -> list[Leg]:
        """The legs with which both phones rang for this call of the test; its first is 1."""
        return [phone.next_leg(number - 1, limit_s) for phone in self.phones]

    # -- what happens

    def missed(self, number: str) -> sqlite3.Row:
        """The call row after this caller heard it ring and gave up."""
        self.phones_will(RING)
        leg = self.line.call(number).until(State.RINGING)
        leg.cancel()
        leg.until(State.ENDED)
        return self.call_of(number)

    def contact(self, name: str, number: str, is_blocked: bool = False) -> None:
        """Somebody the office knows."""
        with store.write(self.db):
            contacts.add(self.db, name, [number], self.box.country, datetime.now(UTC), is_blocked)

    def set(self, **values: object) -> None:
        with store.write(self.db):
            for key, value in values.items():
                settings.put(self.db, key, value)

    def answers_missed_calls(self, is_on: bool) -> None:
        """Whether missed callers get the shop's text."""
        with store.write(self.db):
            rulebook.switch(self.db, "missed", is_on, datetime.now(UTC))

    # -- what the store says

    def calls(self, count: int = 1, limit_s: float = 10.0) -> list[sqlite3.Row]:
        """This test's calls, oldest first, once that many are over; never more than that many."""
        wait(lambda: len(self._rows("AND ended_at IS NOT NULL")) >= count, limit_s,
             f"{count} calls over; the store has {[dict(row) for row in self._rows()]}")
        self.settle()
        rows = self._rows()
        assert len(rows) == count, [dict(row) for row in rows]
        return rows

    def call(self, limit_s: float = 10.0) -> sqlite3.Row:
        """This test's only call, once it is over."""
        return self.calls(1, limit_s)[0]

    def call_of(self, number: str, limit_s: float = 10.0) -> sqlite3.Row:
        """The latest call of this number, once all of them are over."""
        def over() -> sqlite3.Row | None:
            rows = [row for row in self._rows() if row["number"] == number]
            return rows[-1] if rows and all(row["ended_at"] for row in rows) else None
        row = wait(over, limit_s, f"the call of {number} over; the store has {[dict(row) for row in self._rows()]}")
        assert row is not None
        return row

    def live(self, limit_s: float = 10.0) -> sqlite3.Row:
        """This test's call while it lives."""
        return wait(lambda: self._rows("AND ended_at IS NULL"), limit_s, "a living call in the store")[-1]

    def _rows(self, also: str = "") -> list[sqlite3.Row]:
        return self.db.execute(f"SELECT * FROM call WHERE id > ? {also} ORDER BY id", (self._last_call,)).fetchall()

    def events(self, call_id: int) -> list[str]:
        return [row["kind"] for row in self.db.execute(
            "SELECT kind FROM event WHERE call_id = ? ORDER BY id", (call_id,))]

    def legs(self, call_id: int) -> dict[str, sqlite3.Row]:
        """The legs of a call by their party: an extension or the trunk."""
        return {row["party"]: row for row in self.db.execute("SELECT * FROM leg WHERE call_id = ?", (call_id,))}

    def texts(self, number: str) -> list[sqlite3.Row]:
        return self.db.execute("SELECT * FROM sms WHERE number = ? ORDER BY id", (number,)).fetchall()

    def refusal(self, call_id: int) -> str:
        """Why no text was sent: the code; empty when none was refused."""
        row = self.db.execute("SELECT code FROM refusal WHERE call_id = ?", (call_id,)).fetchone()
        return row["code"] if row else ""

    def recording(self, call_id: int, limit_s: float = 10.0) -> sqlite3.Row:
        def kept() -> list[sqlite3.Row]:
            return self.db.execute("SELECT * FROM recording WHERE call_id = ?", (call_id,)).fetchall()
        return wait(kept, limit_s, "a recording in the store")[0]

    def settle(self, limit_s: float = 15.0) -> None:
        """Until the daemon's cursor stands at the ledger's last row: what is to come has come."""
        wait(lambda: self._cursor() == self._last_ledger_row(), limit_s, "the cursor at the end of the ledger")

    def over_in_asterisk(self, count: int = 1, limit_s: float = 15.0) -> None:
        """Until Asterisk's own ledger has the last row of that many calls of this test, read by us or not."""
        def ended() -> int:
            with ledger(self.box) as spool:
                return int(spool.execute("SELECT count(*) FROM cel WHERE kind = 'LINKEDID_END' AND AcctId > ?",
                                         (self._first_row,)).fetchone()[0])
        wait(lambda: ended() >= count, limit_s, f"{count} calls over in Asterisk's ledger")

    def _cursor(self) -> int:
        row = self.db.execute("SELECT position FROM ledger_cursor WHERE spool = ?", (self._spool(),)).fetchone()
        return row["position"] if row else 0

    def _spool(self) -> str:
        with ledger(self.box) as spool:
            return str(spool.execute("SELECT id FROM spool").fetchone()[0])

    def _last_ledger_row(self) -> int:
        with ledger(self.box) as spool:
            return int(spool.execute("SELECT coalesce(max(AcctId), 0) FROM cel").fetchone()[0])

    def asterisk_again(self) -> None:
        """Asterisk starts, and the phones tell it where they are: a killed one may have forgotten."""
        self.asterisk.start()
        for phone in self.phones:
            phone.register()

    # -- between tests

    def begin(self) -> None:
        """Everything running, nobody talking, phones that ring; what was before is not counted."""
        if not self.asterisk.is_running:
            self.asterisk_again()
        if not self.daemon.is_running:
            self.daemon.start()
        self.phones_will(RING)
        self.line.manner = RING
        for peer in (self.line, *self.phones):
            for leg in peer.living():       # whatever the test before left, also when it failed
                leg.drop()
            peer.forget()
        self.settle()
        self._first_row = self._last_ledger_row()
        self._last_call = self.db.execute("SELECT coalesce(max(id), 0) FROM call").fetchone()[0]

    def end(self) -> None:
        """Nothing of this test goes on: legs over, daemon awake, and still alive unless it was killed."""
        if self.daemon.is_running:
            self.daemon.thaw()
        for peer in (self.line, *self.phones):
            for leg in peer.living():
                leg.hang_up()
        if self.asterisk.is_running:
            wait(lambda: "0 active calls" in self.asterisk.ask("core show channels"), 10, "every call over")

    def close(self) -> None:
        self.db.close()
        for peer in (self.line, *self.phones):
            peer.close()
        if self.daemon.is_running:
            self.daemon.stop()
        self.asterisk.stop()


@contextlib.contextmanager
def running(before: Callable[[Box], None] = lambda box: None) -> Iterator[Office]:
    """An office from its first boot to its end; `before` may still change what was laid out."""
    os.umask(0o007)
    box = boxes.prepare()
    provision(box)
    before(box)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        asterisk = Asterisk(box).start()
        daemon = Daemon("calls", "deskbell-calls", Path(folder), boxes.ENVIRONMENT)
        try:
            daemon.start()
            phones = [Phone(desk.number, sip_secret(box, desk)).register() for desk in box.extensions]
            office = Office(box, asterisk, daemon, Line(), phones)
            office.set(breaker_an_hour=1000)        # the tests of one run miss more calls than an office in a bad hour
            yield office
            office.close()
        finally:
            for process in (daemon.process, asterisk.process):
                if process is not None and process.poll() is None:
                    process.kill()


@contextlib.contextmanager
def ledger(box: Box) -> Iterator[sqlite3.Connection]:
    """The spool as a reader that may not write it."""
    spool = sqlite3.connect(f"file:{box.ledger}?mode=ro", uri=True)
    try:
        yield spool
    finally:
        spool.close()
