"""What a person asks of the telephone from the screen: dial, hold, pass on, park, hang up.

An order is a row. The pages only write it; the calls daemon alone speaks to Asterisk (switchboard.py) and says in the
same row what became of it.
"""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.config import Box
from appliance.people import numbers
from appliance.people.numbers import Kind
from appliance.store.db import iso

ON_A_CALL = ("hold", "resume", "transfer", "consult", "complete", "cancel", "park", "retrieve", "hangup")
WITH_TARGET = {"transfer", "consult"}
AFTER = {"hold": "held", "consult": "consulting", "park": "parked"}      # any other order that was done: talking
CHANNEL = "order-"        # and the order's id: Asterisk's channel for it, so that the ledger knows whom it was for
MOST_AN_HOUR = 120        # dialled from the screens of the whole office; a script gone wild is stopped here


class OrderError(Exception):
    """An order was refused; the text says why."""


@dataclass(frozen=True)
class Order:
    """An order and what became of it: asked, taken, done or refused (reason says why)."""
    id: int
    kind: str
    call_id: int | None
    extension: str
    target: str | None
    state: str
    reason: str | None


def dial(db: sqlite3.Connection, box: Box, extension: str, raw: str, by: str, now: datetime) -> int:
    """The id of an order that rings the desk phone first, then `raw`. Call it inside write(). Raises OrderError."""
    _must_be_ours(box, extension)
    target = _target(db, box, extension, raw)
    since = iso(now - timedelta(hours=1))
    asked = db.execute("SELECT count(*) FROM phone_order WHERE kind = 'dial' AND at > ?", (since,)).fetchone()[0]
    if asked >= MOST_AN_HOUR:
        raise OrderError(f"{asked} calls were dialled from the screens within an hour, so the next ones wait. "
                         "The desk phones themselves still dial.")
    return _keep(db, "dial", None, extension, target, by, now)


def ask(db: sqlite3.Connection, box: Box, kind: str, call_id: int, extension: str, raw: str, by: str,
        now: datetime) -> int:
    """The id of an order about a call that lives. raw is whom to transfer to or consult, else unused. Call it inside
    write(). Raises OrderError."""
    if kind not in ON_A_CALL:
        raise OrderError("The telephone cannot do that.")
    _must_be_ours(box, extension)
    if not db.execute("SELECT 1 FROM call WHERE id = ? AND ended_at IS NULL", (call_id,)).fetchone():
        raise OrderError("This call is over.")
    target = _target(db, box, extension, raw) if kind in WITH_TARGET else None
    return _keep(db, kind, call_id, extension, target, by, now)


def order(db: sqlite3.Connection, order_id: int) -> Order | None:
    """One order as it stands."""
    row = db.execute("SELECT id, kind, call_id, extension, target, state, reason FROM phone_order WHERE id = ?",
                     (order_id,)).fetchone() if 0 < order_id < 2**63 else None
    return Order(*row) if row else None


def of_channel(db: sqlite3.Connection, linkedid: str) -> Order | None:
    """The order that began a call, None for a call that nobody asked for from a screen."""
    number = linkedid.removeprefix(CHANNEL)
    return order(db, int(number)) if number != linkedid and number.isdecimal() and len(number) < 19 else None


def standing(db: sqlite3.Connection, call_id: int) -> str:
    """How a call that talks stands by the orders that were done: talking, held, consulting or parked."""
    row = db.execute("SELECT kind FROM phone_order WHERE call_id = ? AND state = 'done' ORDER BY id DESC LIMIT 1",
                     (call_id,)).fetchone()
    return AFTER.get(row["kind"], "talking") if row else "talking"


def _must_be_ours(box: Box, extension: str) -> None:
    if extension not in {it.number for it in box.extensions}:
        raise OrderError("No desk phone is yours, so none can ring first. The owner sets it under Users.")


def _target(db: sqlite3.Connection, box: Box, extension: str, raw: str) -> str:
    """An extension, an emergency number or E.164 that may be dialled from a screen."""
    digits = "".join(c for c in raw if c.isascii() and c.isdigit())
    if digits == extension:
        raise OrderError("That is your own telephone.")
    if digits in {it.number for it in box.extensions} or numbers.is_emergency(digits, box.country):
        return digits
    number = numbers.e164(raw.strip(), box.country)
    if number is None:
        raise OrderError(f"{raw.strip()!r} is no telephone number here. Write it as you would dial it, or with +.")
    if numbers.kind(number) is Kind.OTHER and not numbers.is_free(number):
        raise OrderError("Numbers that cost more than a call are not dialled from the screen. Dial them by hand.")
    if not numbers.is_home(number, box.country) and not _is_known(db, number):
        raise OrderError("That number is abroad and nobody you know. Make a card for it first, or dial it at the "
                         "telephone.")
    return number


def _is_known(db: sqlite3.Connection, number: str) -> bool:
    """On a card, or somebody here spoke with them: one ring from abroad is how the expensive ones bait a call back."""
    return bool(db.execute("""
        SELECT EXISTS (SELECT 1 FROM contact_number WHERE number = ?1)
          OR EXISTS (SELECT 1 FROM call WHERE number = ?1 AND direction = 'in' AND outcome = 'answered')""",
        (number,)).fetchone()[0])


def _keep(db: sqlite3.Connection, kind: str, call_id: int | None, extension: str, target: str | None, by: str,
          now: datetime) -> int:
    row = db.execute("""
        INSERT INTO phone_order (kind, call_id, extension, target, by_user, at, state)
        VALUES (?, ?, ?, ?, ?, ?, 'asked') RETURNING id""",
        (kind, call_id, extension, target, by, iso(now))).fetchone()
    return int(row["id"])
