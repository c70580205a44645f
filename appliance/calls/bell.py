"""The bell: asked while the caller hears the first ring. It answers first and commits after."""
from __future__ import annotations

import logging
import queue
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance import settings
from appliance.box import network_time, notice, wallclock
from appliance.calls import room
from appliance.calls.agi import Agi, Refused
from appliance.calls.events import announce
from appliance.calls.records import Presentation, caller_name, caller_number, presentation
from appliance.config import Box
from appliance.people import numbers
from appliance.store import db as store

log = logging.getLogger("bell")

SMALL_NUMBER = re.compile("[0-9]{1,9}")
PATIENCE_S = 0.8      # the dialplan's: a bell that took longer was cut, and writes nothing
SOME_NUMBER = "0123456"      # as somebody in the country would write it


@dataclass(frozen=True)
class Ring:
    """A call that has just reached the office, as the line gave it."""
    boot: int
    linkedid: str
    channel: str
    caller_id: str
    caller_name: str | None
    number: str | None
    presentation: Presentation

    @property
    def trunk(self) -> str:
        return self.channel.partition("/")[2].rpartition("-")[0]


class Bell:
    """Looks callers up and writes their calls; safe to use from many threads at once.

    A look-up is one indexed read of a WAL snapshot, mostly from the page cache: it waits for no writer.
    """

    def __init__(self, box: Box, patience_s: float = PATIENCE_S) -> None:
        self._box, self._patience_s = box, patience_s
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()

    def warm(self) -> None:
        """Does once what the first call would wait for, fifty times as long as the next: a connection, the plan of
        the country's numbers, the settings."""
        try:
            with self._connection() as db:
                look_up(db, numbers.e164(SOME_NUMBER, self._box.country))
                settings.read(db)
                room.for_recordings(self._box)
        except (sqlite3.Error, store.StoreError) as broken:
            log.warning("The bell is not ready beforehand (%s). Calls ring and are kept.", broken)

    def ringing(self, agi: Agi) -> None:
        """/ringing: gives the name, RECORD=yes|no with its NOTICE, RING, RING_S and BLOCKED, then commits."""
        began = time.monotonic()
        ring = ring_from(agi, self._box.country)
        with self._connection() as db:
            contact = look_up(db, ring.number)
            now = settings.read(db)
            if contact:
                agi.set_variable("CALLERID(name)", contact["name"])
            records = now.record_calls and room.for_recordings(self._box)
            agi.set_variable("RECORD", "yes" if records else "no")
            if records and now.recording_notice:
                agi.set_variable("NOTICE", notice.name(self._box.language))
            if some := ringing(self._box, now.silent_phones):
                agi.set_variable("RING", some)
            agi.set_variable("RING_S", str(now.ring_s))
            if contact and contact["is_blocked"]:
                agi.set_variable("BLOCKED", "yes")
                return             # nothing rings: the ledger keeps the call
            agi.close()
            if time.monotonic() - began < self._patience_s:
                write_ring(db, self._box, ring, contact["id"] if contact else None, datetime.now(UTC))
            if not wallclock.is_set(at := datetime.now(UTC)):
                network_time.offer_of_call(db, self._box, agi.env.get("agi_arg_2", ""), at)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._idle.get_nowait()
        except queue.Empty:
            db = store.connect(self._box.store)
        try:
            yield db
        finally:
            self._idle.put(db)


def ringing(box: Box, silent: str) -> str:
    """What Asterisk rings when some telephones (numbers by commas) are to be silent; "" for all of them.

    While we are dead every one rings, and a list that would silence all of them is not followed.
    """
    quiet = {number.strip() for number in silent.split(",")}
    loud = [phone.number for phone in box.extensions if phone.number not in quiet]
    return "&".join(f"PJSIP/{number}" for number in loud) if len(loud) < len(box.extensions) else ""


def ring_from(agi: Agi, country: str) -> Ring:
    """The ring that an AGI environment tells; agi_arg_1 is the boot number. Raises Refused for half of one."""
    env = agi.env
    boot, octet = env.get("agi_arg_1", ""), env.get("agi_callingpres", "0")
    if not SMALL_NUMBER.fullmatch(boot) or not env.get("agi_uniqueid"):
        raise Refused("a ring without its boot number or its call")
    given = env.get("agi_callerid", "")
    given = "" if given == "unknown" else given
    withheld = bool(SMALL_NUMBER.fullmatch(octet)) and int(octet) & 0x60 == 0x20    # ITU-T Q.931 §4.5.10, octet 3a
    shown = presentation(given, "prohib" if withheld else "")
    return Ring(boot=int(boot), linkedid=env["agi_uniqueid"], channel=env.get("agi_channel", ""),
                caller_id=caller_number(given), caller_name=caller_name(env.get("agi_calleridname", ""), given),
                number=numbers.e164(given, country) if shown is Presentation.ALLOWED else None, presentation=shown)


def look_up(db: sqlite3.Connection, number: str | None) -> sqlite3.Row | None:
    """The contact (id, name, is_blocked) that has the E.164 number."""
    row: sqlite3.Row | None = db.execute("""
        SELECT contact.id, contact.name, contact.is_blocked
        FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact_number.number = ?""", (number,)).fetchone()
    return row


def write_ring(db: sqlite3.Connection, box: Box, ring: Ring, contact_id: str | None, now: datetime) -> None:
    """Call, leg and the event for the pops in one transaction; nothing if the ledger was quicker."""
    at = store.iso(now)
    with store.write(db):
        known = db.execute("SELECT id, ended_at FROM call WHERE box = ? AND boot = ? AND linkedid = ?",
                           (box.name, ring.boot, ring.linkedid)).fetchone()
        if known:
            db.execute("UPDATE call SET bell = 'rang' WHERE id = ? AND bell IS NULL", (known["id"],))
            if not known["ended_at"]:
                announce(db, "ringing", known["id"], now)
            return
        made = db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, caller_name, number, presentation,
                              contact_id, started_at, bell, is_clock_set)
            VALUES (?, ?, ?, ?, 'in', ?, ?, ?, ?, ?, ?, 'rang', ?) RETURNING id""",
            (box.name, ring.boot, ring.linkedid, ring.trunk, ring.caller_id, ring.caller_name, ring.number,
             ring.presentation, contact_id, at, wallclock.is_set(now))).fetchone()
        db.execute("""
            INSERT INTO leg (call_id, uniqueid, channel, party, is_caller, started_at)
            VALUES (?, ?, ?, ?, 1, ?)""", (made["id"], ring.linkedid, ring.channel, ring.trunk, at))
        announce(db, "ringing", made["id"], now)
    is_shown = ring.presentation is Presentation.ALLOWED
    who = numbers.short(ring.number or ring.caller_id) if is_shown else ring.presentation
    log.info("Ringing on %s: %s.", ring.trunk, who)
