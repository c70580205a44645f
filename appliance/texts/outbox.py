"""The texts on their way and their states. Every function runs inside the caller's write() transaction.

queued → sending (committed before the modem is touched) → sent → delivered; a definite no is failed or queued again
with a pause; an answer that never came is unknown, and only a report or a person settles that.
"""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.config import Box
from appliance.people import numbers
from appliance.settings import Settings
from appliance.store.db import iso, parse_time
from appliance.texts import rules
from appliance.texts.rules import CallFacts, Draft, Recent, Refusal
from hw import pdu

PAUSES_S = (10, 60, 300, 900)  # before the second, third … try of a segment
MAX_ATTEMPTS = len(PAUSES_S) + 1
UNTOLD = "It may have been sent."


@dataclass(frozen=True)
class Due:
    """The segment whose turn it is."""

    sms_id: int
    segment_id: int
    number: str
    part: int
    parts: int
    attempts: int
    pdu: pdu.Pdu


def after_call(db: sqlite3.Connection, box: Box, call_id: int, settings: Settings, now: datetime) -> None:
    """Queues the text a finished inbound call earns, or keeps why not. A second time for the same call does nothing."""
    call = db.execute("""
        SELECT direction, outcome, number, presentation
        FROM call
        WHERE id = ? AND ended_at IS NOT NULL""", (call_id,)).fetchone()
    if call is None or call["direction"] != "in" or call["outcome"] == "answered" or _is_decided(db, call_id):
        return
    number = call["number"]
    facts = CallFacts(call["direction"], call["outcome"], number, call["presentation"],
                      numbers.kind(number or ""))
    own = {*box.own_numbers, *(modem.number for modem in box.modems if modem.number)}
    decision = rules.decide(facts, _recent(db, number), settings, now, own)
    if isinstance(decision, Draft):
        try:
            queue(db, decision, call_id, now)
            return
        except pdu.PduError as unsendable:
            decision = Refusal("unsendable", f"Not texted: {unsendable}")
    db.execute("""
        INSERT INTO refusal (call_id, rule, code, reason, at)
        VALUES (?, ?, ?, ?, ?)""", (call_id, rules.MISSED, decision.code, decision.reason, iso(now)))


def queue(db: sqlite3.Connection, draft: Draft, call_id: int | None, now: datetime) -> int:
    """The id of the sms now waiting with its segments. PduError, before anything is kept, when it cannot be one."""
    pdu.encode(draft.number, draft.text)
    row = db.execute("""
        INSERT INTO sms (direction, number, text, state, rule, call_id, created_at, due_at, updated_at)
        VALUES ('out', ?, ?, 'queued', ?, ?, ?, ?, ?)""",
        (draft.number, draft.text, draft.rule, call_id, iso(now), iso(draft.due_at), iso(now)))
    sms_id = int(row.lastrowid or 0)
    parts = pdu.encode(draft.number, draft.text, reference=sms_id % 256)
    db.executemany("""
        INSERT INTO segment (sms_id, part, pdu, state)
        VALUES (?, ?, ?, 'queued')""", [(sms_id, place, part.hex) for place, part in enumerate(parts, start=1)])
    _tell(db, sms_id, now)
    return sms_id


def next_due(db: sqlite3.Connection, now: datetime) -> Due | None:
    """The next segment to hand to the modem: the rest of a text begun first, then by due time. None: nothing is due.

    A text last touched later than now was written by a clock that was ahead: its pause says nothing, it is due.
    """
    row = db.execute("""
        SELECT sms.id AS sms_id, segment.id, sms.number, segment.part, segment.attempts, segment.pdu,
               (SELECT count(*) FROM segment AS every WHERE every.sms_id = sms.id) AS parts
        FROM sms JOIN segment ON segment.sms_id = sms.id AND segment.state = 'queued'
        WHERE sms.direction = 'out' AND (sms.state = 'sending'
              OR sms.state = 'queued' AND (sms.due_at <= :now OR sms.updated_at > :now))
        ORDER BY sms.state = 'sending' DESC, sms.due_at, sms.id, segment.part
        LIMIT 1""", {"now": iso(now)}).fetchone()
    if row is None:
        return None
    return Due(row["sms_id"], row["id"], row["number"], row["part"], row["parts"], row["attempts"], pdu.Pdu(row["pdu"]))


def mark_sending(db: sqlite3.Connection, due: Due, now: datetime) -> bool:
    """True when the segment is ours to send: commit this, then touch the modem. False when it was called off."""
    taken = db.execute("""
        UPDATE segment
        SET state = 'sending', attempts = attempts + 1, sending_at = ?
        WHERE id = ? AND state = 'queued'
          AND (SELECT state FROM sms WHERE id = segment.sms_id) IN ('queued', 'sending')""",
        (iso(now), due.segment_id)).rowcount == 1
    if taken:
        settle(db, due.sms_id, now)
    return taken


def accepted(db: sqlite3.Connection, due: Due, reference: int, now: datetime) -> None:
    """The network took it and gave this TP-MR."""
    db.execute("""
        UPDATE segment
        SET state = 'sent', reference = ?, sent_at = ?, cms_code = NULL
        WHERE id = ? AND state = 'sending'""", (reference, iso(now), due.segment_id))
    settle(db, due.sms_id, now)


def unknown(db: sqlite3.Connection, due: Due, words: str, cms_code: int | None, now: datetime) -> None:
    """Nobody can say whether the network took it. It is never sent again by itself."""
    db.execute("""
        UPDATE segment
        SET state = 'unknown', cms_code = ?
        WHERE id = ? AND state = 'sending'""", (cms_code, due.segment_id))
    settle(db, due.sms_id, now, f"{_sentence(words)} {UNTOLD}")


def refused(db: sqlite3.Connection, due: Due, words: str, cms_code: int | None, is_passing: bool,
            now: datetime) -> None:
    """A definite no: failed for good, or queued again with a pause; MAX_ATTEMPTS passing ones are for good."""
    attempts = due.attempts + 1
    if not is_passing or attempts >= MAX_ATTEMPTS:
        db.execute("""
            UPDATE segment
            SET state = 'failed', cms_code = ?
            WHERE sms_id = ? AND state IN ('sending', 'queued')""", (cms_code, due.sms_id))
        tries = f"Given up after {attempts} tries: " if is_passing else ""
        part = f"Part {due.part} of {due.parts}: " if due.parts > 1 else ""
        return settle(db, due.sms_id, now, f"{tries}{part}{_sentence(words)}")
    _back(db, due, cms_code, attempts)
    _wait(db, due.sms_id, _sentence(words), now + timedelta(seconds=PAUSES_S[attempts - 1]), now)


def not_ready(db: sqlite3.Connection, due: Due, words: str, cms_code: int | None, now: datetime) -> None:
    """The radio itself cannot send now: the text waits a little, and this was none of its tries."""
    _back(db, due, cms_code, due.attempts)
    _wait(db, due.sms_id, _sentence(words), now + timedelta(seconds=PAUSES_S[0]), now)


def recover(db: sqlite3.Connection, now: datetime) -> int:
    """How many texts were in the modem's hands when the box stopped: they are unknown from now on."""
    cut = [row["sms_id"] for row in db.execute("SELECT DISTINCT sms_id FROM segment WHERE state = 'sending'")]
    db.execute("UPDATE segment SET state = 'unknown' WHERE state = 'sending'")
    for sms_id in cut:
        settle(db, sms_id, now, f"The box stopped while the modem was sending. {UNTOLD}")
    db.execute("UPDATE sms SET state = 'queued', updated_at = ? WHERE state = 'sending'", (iso(now),))
    return len(cut)


def settle(db: sqlite3.Connection, sms_id: int, now: datetime, reason: str | None = None) -> None:
    """Brings the text's own state in line with its segments' and tells the desks."""
    segments = db.execute("SELECT state, sent_at, delivered_at FROM segment WHERE sms_id = ?", (sms_id,)).fetchall()
    state = state_of([segment["state"] for segment in segments])
    sent_at = max((segment["sent_at"] or "" for segment in segments), default="") or None
    delivered_at = max((segment["delivered_at"] or "" for segment in segments), default="") or None
    db.execute("""
        UPDATE sms
        SET state = ?, reason = ?, sent_at = ?, delivered_at = ?, updated_at = ?
        WHERE id = ?""", (state, reason, sent_at if state in ("sent", "delivered") else None,
                          delivered_at if state == "delivered" else None, iso(now), sms_id))
    _tell(db, sms_id, now)


def state_of(segments: list[str]) -> str:
    """The state of a text from those of its segments: the worst one counts, and some left to send is sending."""
    for state in ("failed", "unknown", "sending"):
        if state in segments:
            return state
    if "queued" in segments:
        return "queued" if set(segments) == {"queued"} else "sending"
    return "delivered" if set(segments) == {"delivered"} else "sent"


def _is_decided(db: sqlite3.Connection, call_id: int) -> bool:
    return db.execute("""
        SELECT 1 FROM sms WHERE call_id = :call AND rule = :rule
        UNION ALL
        SELECT 1 FROM refusal WHERE call_id = :call AND rule = :rule""",
        {"call": call_id, "rule": rules.MISSED}).fetchone() is not None


def _recent(db: sqlite3.Connection, number: str | None) -> Recent:
    row = db.execute("""
        SELECT max(created_at) AS at
        FROM sms
        WHERE number = ? AND direction = 'out' AND rule = ? AND state NOT IN ('failed', 'cancelled')""",
        (number, rules.MISSED)).fetchone()
    return Recent(parse_time(row["at"]) if row["at"] else None)


def _back(db: sqlite3.Connection, due: Due, cms_code: int | None, attempts: int) -> None:
    db.execute("""
        UPDATE segment
        SET state = 'queued', attempts = ?, cms_code = ?, sending_at = NULL
        WHERE id = ? AND state = 'sending'""", (attempts, cms_code, due.segment_id))


def _wait(db: sqlite3.Connection, sms_id: int, reason: str, due_at: datetime, now: datetime) -> None:
    db.execute("""
        UPDATE sms
        SET state = 'queued', reason = ?, due_at = ?, updated_at = ?
        WHERE id = ?""", (reason, iso(due_at), iso(now), sms_id))
    _tell(db, sms_id, now)


def _tell(db: sqlite3.Connection, sms_id: int, now: datetime) -> None:
    db.execute("""
        INSERT INTO event (at, kind, call_id)
        SELECT ?, 'text', call_id FROM sms WHERE id = ?""", (iso(now), sms_id))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
