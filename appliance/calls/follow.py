"""Follows Asterisk's spool with a cursor and writes what it tells: the history, the events, the texts due.

The spool is only read (mode=ro, never immutable: that would miss the rows still in its WAL).
"""
from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import settings
from appliance.box import wallclock
from appliance.calls import phone
from appliance.calls.bell import look_up
from appliance.calls.events import announce
from appliance.calls.ledger import Entry, LedgerError, OwnCallError, call_from
from appliance.calls.records import Call, Presentation
from appliance.config import Box
from appliance.people import numbers, tombstones
from appliance.store import db as store
from appliance.texts import outbox

log = logging.getLogger("ledger")

BATCH = 500
FRESH = timedelta(seconds=60)       # an older ring is history, no pop
LATEST_US = 32_503_680_000_000_000      # the year 3000
MOST_BOOTS = 2**31
ENTRY_COLUMNS = ("position, boot, linkedid, uniqueid, kind, at_us, channel, context, extension, "
                 "caller_id, caller_name, application, extra")


class Spool:
    """Asterisk's ledger file, open for reading. Raises sqlite3.Error when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = path.stat().st_ino
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5,
                                  check_same_thread=False)
        self.db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        named = self.db.execute("SELECT id FROM spool").fetchone()
        if named is None:
            raise sqlite3.DatabaseError("it has no id; `deskbell provision` makes a new one once it is moved away")
        self.id = str(named[0])

    def is_replaced(self) -> bool:
        """True when another file has taken its name."""
        return not self._path.exists() or self._path.stat().st_ino != self._inode

    def after(self, position: int) -> tuple[list[Entry], int]:
        """The next rows that make sense, and the position up to which everything was read."""
        rows = self.db.execute("""
            SELECT AcctId, boot, linkedid, uniqueid, kind, CAST(round(at * 1000000) AS INTEGER), channel, context,
                   extension, caller_id, caller_name, application, extra
            FROM cel WHERE AcctId > ? ORDER BY AcctId LIMIT ?""", (position, BATCH)).fetchall()
        entries = [entry for row in rows if (entry := _entry(row))]
        return entries, rows[-1][0] if rows else position

    def over_after(self, position: int) -> set[tuple[int, str]]:
        """Boot and linkedid of the calls whose last row stands further on."""
        return set(self.db.execute("""
            SELECT CAST(boot AS INTEGER), linkedid FROM cel
            WHERE AcctId > ? AND kind = 'LINKEDID_END' AND uniqueid <> ''
              AND CAST(boot AS INTEGER) BETWEEN 0 AND ? AND round(at * 1000000) BETWEEN 1 AND ?""",
            (position, MOST_BOOTS, LATEST_US - 1)))


def _entry(row: tuple[object, ...]) -> Entry | None:
    try:
        position, boot, at_us = int(str(row[0])), int(str(row[1])), int(str(row[5]))
    except ValueError:
        position = boot = at_us = 0
    texts = [_text(value) for value in row]
    if not 0 < at_us < LATEST_US or not 0 <= boot <= MOST_BOOTS or not all(texts[2:5]):
        log.warning("Row %s of Asterisk's ledger makes no sense and was passed over.", row[0])
        return None
    linkedid, uniqueid, kind = texts[2:5]
    channel, context, extension, caller_id, name, application, extra = texts[6:]
    return Entry(position, boot, linkedid, uniqueid, kind, at_us, channel, context, extension, caller_id, name,
                 application, extra)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def cursor(db: sqlite3.Connection, spool_id: str) -> int:
    """The position up to which this spool was applied; 0 for a new one."""
    row = db.execute("SELECT position FROM ledger_cursor WHERE spool = ?", (spool_id,)).fetchone()
    return int(row["position"]) if row else 0


def apply(db: sqlite3.Connection, box: Box, spool_id: str, entries: Iterable[Entry], position: int,
          now: datetime, over_later: Collection[tuple[int, str]] = ()) -> list[int]:
    """Ids of the calls that ended by these rows. Everything they cause is one transaction with the cursor.

    A call of over_later is worked out when its last row is read: after a long sleep it must not pop as ringing.
    """
    entries = list(entries)
    with store.write(db):
        db.executemany(f"""
            INSERT OR IGNORE INTO ledger_event (spool, {ENTRY_COLUMNS})
            VALUES ({', '.join('?' * (1 + len(fields(Entry))))})""",
            [(spool_id, *astuple(entry)) for entry in entries])
        touched = dict.fromkeys(call for entry in entries if (call := (entry.boot, entry.linkedid)) not in over_later)
        ended = [call_id for boot, linkedid in touched if (call_id := _isolated(db, box, boot, linkedid, now))]
        db.execute("INSERT INTO ledger_cursor (spool, position) VALUES (?, ?) "
                   "ON CONFLICT (spool) DO UPDATE SET position = excluded.position", (spool_id, position))
    return ended


def finish_cut_calls(db: sqlite3.Connection, box: Box, cut: Collection[tuple[int, str]], now: datetime) -> list[int]:
    """Ids of these open calls (boot, linkedid), ended now as interrupted: Asterisk no longer has them."""
    with store.write(db):
        return [call_id for boot, linkedid in sorted(open_calls(db, box) & set(cut))
                if (call_id := _recompute(db, box, boot, linkedid, now, is_cut=True))]


def open_calls(db: sqlite3.Connection, box: Box) -> set[tuple[int, str]]:
    """Boot and linkedid of the calls that live as far as we know. Asterisk has none of boot 0: the SIM's calls."""
    return {(row["boot"], row["linkedid"]) for row in
            db.execute("SELECT boot, linkedid FROM call WHERE ended_at IS NULL AND boot > 0 AND box = ?", (box.name,))}


def newest_boot(db: sqlite3.Connection, box: Box) -> int:
    """The latest start of Asterisk that any call belongs to; calls of an older one are over for certain."""
    return int(db.execute("SELECT coalesce(max(boot), 0) FROM call WHERE box = ?", (box.name,)).fetchone()[0])


def _isolated(db: sqlite3.Connection, box: Box, boot: int, linkedid: str, now: datetime) -> int | None:
    """_recompute for one call, so that one that cannot be worked out never holds up the others."""
    db.execute("SAVEPOINT one_call")
    try:
        return _recompute(db, box, boot, linkedid, now)
    except sqlite3.Error:
        raise                      # the store itself fails: nothing may be taken for done
    except Exception:
        log.exception("Call %s-%s could not be worked out; its rows are kept and the others go on.", boot, linkedid)
        db.execute("ROLLBACK TO one_call")
        return None
    finally:
        if db.in_transaction:
            db.execute("RELEASE one_call")


def _recompute(db: sqlite3.Connection, box: Box, boot: int, linkedid: str, now: datetime,
               is_cut: bool = False) -> int | None:
    """The call's id if it has ended just now."""
    rows = db.execute(f"SELECT {ENTRY_COLUMNS} FROM ledger_event WHERE boot = ? AND linkedid = ? "
                      "ORDER BY spool, position", (boot, linkedid)).fetchall()
    if not rows and is_cut:
        return _end_without_rows(db, box, boot, linkedid, now)
    asked = phone.of_channel(db, linkedid)
    if asked and asked.kind != "dial":
        return None                # a desk phone that fetches a parked call: the call itself has its row
    try:
        call = call_from([Entry(*row) for row in rows], {trunk.key for trunk in box.trunks}, is_cut,
                         asked.target if asked else None)
    except LedgerError as wrong:
        is_own = isinstance(wrong, OwnCallError)         # every few seconds while a new version is on trial
        log.log(logging.DEBUG if is_own else logging.WARNING, "Passed over: %s.", wrong)
        return _end_without_rows(db, box, boot, linkedid, now) if is_cut else None
    if _is_forgotten(db, box, call, now):
        db.execute("DELETE FROM ledger_event WHERE boot = ? AND linkedid = ?", (boot, linkedid))
        return None
    before = db.execute("SELECT id, ended_at FROM call WHERE box = ? AND boot = ? AND linkedid = ?",
                        (box.name, boot, linkedid)).fetchone()
    call_id = _keep(db, box, call, before["id"] if before else None, now)
    _keep_legs(db, call_id, call)
    for kind in _news(call, any(row["kind"] == "APP_START" for row in rows), now):
        announce(db, kind, call_id, now)
    if call.ended_at is None or before and before["ended_at"]:
        return None
    outbox.after_call(db, box, call_id, settings.read(db), now)
    log.info("%s call %s %s.", call.direction.capitalize(), call_id, call.outcome)
    return call_id


def _is_forgotten(db: sqlite3.Connection, box: Box, call: Call, now: datetime) -> bool:
    """Whether its caller was forgotten after this call: a store that was restored reads older parts of the spool again.

    A box that does not know the time drops no call: then neither now nor the call is later than the mark.
    """
    number = numbers.e164(call.caller_id, box.country) if call.presentation is Presentation.ALLOWED else None
    at = tombstones.forgotten_at(db, number) if number else None
    return at is not None and call.started_at < at <= now


def _keep(db: sqlite3.Connection, box: Box, call: Call, call_id: int | None, now: datetime) -> int:
    number = numbers.e164(call.caller_id, box.country) if call.presentation is Presentation.ALLOWED else None
    contact = look_up(db, number)
    told = {
        "trunk": call.trunk, "direction": call.direction, "caller_id": call.caller_id, "number": number,
        "caller_name": call.caller_name, "presentation": call.presentation, "extension": call.extension,
        "started_at": store.iso(call.started_at), "answered_at": _iso(call.answered_at),
        "ended_at": _iso(call.ended_at), "ring_ms": call.ring_ms, "talk_ms": call.talk_ms, "outcome": call.outcome,
        "hangup_cause": call.hangup_cause, "contact_id": contact["id"] if contact else None,
    }
    if call.was_bell_cut:
        told["bell"] = "cut"
    if call_id is not None:
        db.execute(f"UPDATE call SET {', '.join(f'{name} = ?' for name in told)} WHERE id = ?",
                   (*told.values(), call_id))
        return call_id
    told |= {"box": box.name, "boot": call.boot, "linkedid": call.linkedid, "is_clock_set": wallclock.is_set(now)}
    row = db.execute(f"INSERT INTO call ({', '.join(told)}) VALUES ({', '.join('?' * len(told))}) RETURNING id",
                     tuple(told.values())).fetchone()
    return int(row["id"])


def _keep_legs(db: sqlite3.Connection, call_id: int, call: Call) -> None:
    db.executemany("""
        INSERT INTO leg (call_id, uniqueid, channel, party, is_caller, started_at, answered_at, ended_at, hangup_cause)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (call_id, uniqueid) DO UPDATE SET started_at = excluded.started_at,
          answered_at = excluded.answered_at, ended_at = excluded.ended_at, hangup_cause = excluded.hangup_cause""",
        [(call_id, leg.uniqueid, leg.channel, leg.party, leg.is_caller, store.iso(leg.started_at),
          _iso(leg.answered_at), _iso(leg.ended_at), leg.hangup_cause) for leg in call.legs])


def _news(call: Call, is_dialled: bool, now: datetime) -> list[str]:
    """What the desks should hear of a call; a ring that is over or old makes no pop, nor one without a line: until the
    dialled channel is in the ledger, a call from inside may be to a colleague.
    """
    if call.ended_at:
        return ["ended"]
    if call.answered_at:
        return ["answered"]
    is_ringing = is_dialled and call.trunk is not None and now - call.started_at < FRESH
    return ["ringing"] if is_ringing else []


def _end_without_rows(db: sqlite3.Connection, box: Box, boot: int, linkedid: str, now: datetime) -> int | None:
    """A call that only the bell knew: Asterisk died before its first row was on the disk."""
    row = db.execute("""
        UPDATE call SET ended_at = started_at, outcome = 'interrupted', ring_ms = 0
        WHERE box = ? AND boot = ? AND linkedid = ? RETURNING id""", (box.name, boot, linkedid)).fetchone()
    announce(db, "ended", row["id"], now)
    outbox.after_call(db, box, row["id"], settings.read(db), now)
    return int(row["id"])


def _iso(at: datetime | None) -> str | None:
    return store.iso(at.astimezone(UTC)) if at else None
