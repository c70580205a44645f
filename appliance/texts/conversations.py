"""Texts by number, as two people see them. Every question walks an index: 100,000 texts cost a page what ten do.

Texts are in the order in which the box learned of them (sms.id); the network's own times may be hours off.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.config import Box
from appliance.people import numbers
from appliance.store.db import iso, parse_time
from appliance.texts import outbox
from appliance.texts.rules import Draft

LARGEST_ID = 2**63 - 1
PRESSED_TWICE = timedelta(seconds=10)


class ConversationError(Exception):
    """The text cannot be sent to this number; the message says why."""


@dataclass(frozen=True)
class Text:
    """One text. at: when it was sent, or made when it was not sent yet; rule None: a person wrote it."""

    id: int
    direction: str
    text: str
    state: str
    reason: str | None
    rule: str | None
    is_automatic: bool
    is_unread: bool
    sent_again_as: int | None
    at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True)
class Conversation:
    """All that was texted with one number. name None: not in the book; can_answer: it is a number that takes texts."""

    number: str
    name: str | None
    contact_id: str | None
    unread: int
    is_opted_out: bool
    can_answer: bool
    last: Text


@dataclass(frozen=True)
class Page:
    conversations: list[Conversation]
    older: int | None      # `before` of the next page; None at the end


@dataclass(frozen=True)
class Thread:
    texts: list[Text]      # oldest first
    older: int | None      # `before` of the texts before these; None at the beginning


CONVERSATION = """
    SELECT conversation.number AS with_number, sms.*, contact.name, contact.id AS contact_id,
      (SELECT count(*) FROM sms AS unread INDEXED BY sms_unread WHERE unread.number = conversation.number
       AND unread.direction = 'in' AND unread.read_at IS NULL) AS unread,
      EXISTS (SELECT 1 FROM opt_out WHERE opt_out.number = conversation.number) AS is_opted_out
    FROM conversation
    JOIN sms ON sms.id = conversation.last_sms_id
    LEFT JOIN contact_number ON contact_number.number = conversation.number
    LEFT JOIN contact ON contact.id = contact_number.contact_id
"""
UNREAD_ONLY = "AND conversation.number IN (SELECT number FROM sms WHERE direction = 'in' AND read_at IS NULL)"


def page(db: sqlite3.Connection, before: int | None = None, limit: int = 50, unread_only: bool = False) -> Page:
    """The conversations whose last text is older than the one with the id `before`, newest first."""
    rows = db.execute(f"""{CONVERSATION}
        WHERE conversation.last_sms_id < ? {UNREAD_ONLY if unread_only else ""}
        ORDER BY conversation.last_sms_id DESC
        LIMIT ?""", (LARGEST_ID if before is None else before, limit + 1)).fetchall()
    return Page([_conversation(row) for row in rows[:limit]], rows[limit - 1]["id"] if len(rows) > limit else None)


def one(db: sqlite3.Connection, number: str) -> Conversation | None:
    """The conversation with this number, None when there is none."""
    row = db.execute(f"{CONVERSATION} WHERE conversation.number = ?", (number,)).fetchone()
    return _conversation(row) if row else None


def thread(db: sqlite3.Connection, number: str, before: int | None = None, limit: int = 50) -> Thread:
    """The last texts with a number that came before the one with the id `before`."""
    rows = db.execute("""
        SELECT *
        FROM sms
        WHERE number = ? AND id < ?
        ORDER BY id DESC
        LIMIT ?""", (number, LARGEST_ID if before is None else before, limit + 1)).fetchall()
    return Thread([_text(row) for row in reversed(rows[:limit])], rows[limit - 1]["id"] if len(rows) > limit else None)


def unread(db: sqlite3.Connection) -> int:
    """How many texts that came nobody has read."""
    return int(db.execute("SELECT count(*) FROM sms WHERE direction = 'in' AND read_at IS NULL").fetchone()[0])


def mark_read(db: sqlite3.Connection, number: str, up_to: int, now: datetime) -> int:
    """How many texts of this number were unread, up to the id somebody saw: what came since stays unread.

    Runs inside the caller's write().
    """
    read = db.execute("""
        UPDATE sms
        SET read_at = ?
        WHERE number = ? AND direction = 'in' AND read_at IS NULL AND id <= ?""", (iso(now), number, up_to)).rowcount
    if read:
        db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (iso(now),))
    return read


def reply(db: sqlite3.Connection, box: Box, number: str, text: str, now: datetime) -> int:
    """The id of the text a person sends to a number, by the SIM they wrote to last. Runs inside the caller's write().

    The same words to the same number within PRESSED_TWICE are one text: somebody pressed the button twice.

    Raises ConversationError for what takes no texts, PduError for a text that cannot be one.
    """
    to = numbers.e164(number, box.country)
    if to is None:
        raise ConversationError(f"{number!r} takes no answer: it is no telephone number.")
    if numbers.kind(to) is not numbers.Kind.MOBILE:
        raise ConversationError(f"{numbers.shown(to, box.country)} is no mobile: it cannot take texts.")
    if twice := db.execute("""
            SELECT id
            FROM sms
            WHERE number = ? AND direction = 'out' AND priority = ? AND text = ? AND created_at BETWEEN ? AND ?
              AND state NOT IN ('failed', 'cancelled')""",
            (to, outbox.PERSONAL, text, iso(now - PRESSED_TWICE), iso(now))).fetchone():
        return int(twice["id"])
    sims = {modem.name for modem in box.modems}
    last = db.execute("""
        SELECT sim
        FROM sms
        WHERE number = ? AND direction = 'in'
        ORDER BY id DESC
        LIMIT 1""", (to,)).fetchone()
    sim = last["sim"] if last and last["sim"] in sims and len(sims) > 1 else None
    return outbox.queue(db, Draft(to, text, None, now, priority=outbox.PERSONAL), None, now, sim=sim)


def canned(db: sqlite3.Connection) -> Sequence[tuple[str, str]]:
    """(name, text) of the answers kept for quick use."""
    return [(row["name"], row["text"]) for row in db.execute(
        "SELECT name, text FROM template WHERE is_canned = 1 ORDER BY name")]


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation(row["with_number"], row["name"], row["contact_id"], row["unread"], bool(row["is_opted_out"]),
                        numbers.kind(row["with_number"]) is numbers.Kind.MOBILE, _text(row))


def _text(row: sqlite3.Row) -> Text:
    return Text(row["id"], row["direction"], row["text"], row["state"], row["reason"], row["rule"],
                bool(row["is_automatic"]), row["direction"] == "in" and row["read_at"] is None, row["sent_again_as"],
                parse_time(row["sent_at"] or row["created_at"]),
                parse_time(row["delivered_at"]) if row["delivered_at"] else None)
