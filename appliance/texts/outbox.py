"""The texts on their way and their states. Every function runs inside the caller's write() transaction.

queued → sending (committed before the modem is touched) → sent → delivered; a definite no is failed or queued again
with a pause; an answer that never came is unknown, and only a report or a person settles that.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.config import Box
from appliance.settings import Settings
from appliance.store.db import iso, write
from appliance.texts import facts, guards, pace, rulebook, rules, turn
from appliance.texts.guards import Refusal
from appliance.texts.rules import Draft
from hw import pdu

PAUSES_S = (10, 60, 300, 900)  # before the second, third … try of a segment
MAX_ATTEMPTS = len(PAUSES_S) + 1
CAMPAIGN_PRIORITY = 9
UNTOLD = "It may have been sent."
NO_RULE = "none"  # what refusal.rule says when no rule was about such a call
PERSONAL = 5  # the priority of what a person sends: such a text opens a conversation


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
    """Queues the text a finished call earns, or keeps why not. A second time for the same call does nothing.

    A call that was answered or went out leaves no refusal behind unless a rule is about such calls.
    """
    call = facts.of_call(db, box, call_id)
    if call is None or call.direction == "internal" or _is_decided(db, call_id):
        return
    now = now.astimezone(box.zone)
    recent = guards.recent(db, call.number, now, since=call.at or now, own=guards.own_numbers(db, box))
    decision = rules.decide(call, rulebook.rules(db), recent, settings, now)
    if isinstance(decision, Draft):
        try:
            queue(db, decision, call_id, now, is_automatic=True)
            return
        except pdu.PduError as unsendable:
            decision = Refusal("unsendable", f"Not texted: {unsendable}", decision.rule)
    if decision.rule is None and (call.direction == "out" or call.outcome == "answered"):
        return
    db.execute("""
        INSERT INTO refusal (call_id, rule, code, reason, at)
        VALUES (?, ?, ?, ?, ?)""", (call_id, decision.rule or NO_RULE, decision.code, decision.reason, iso(now)))


def queue(db: sqlite3.Connection, draft: Draft, call_id: int | None, now: datetime, *, sim: str | None = None,
          is_automatic: bool = False) -> int:
    """The id of the sms now waiting with its segments. PduError, before anything is kept, when it cannot be one.

    sim: the one that must send it, None: any. is_automatic: no person wrote or asked for this very text.
    """
    pdu.encode(draft.number, draft.text)
    row = db.execute("""
        INSERT INTO sms (direction, number, text, state, rule, call_id, created_at, due_at, updated_at,
                         expires_at, priority, sim, is_automatic)
        VALUES ('out', ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (draft.number, draft.text, draft.rule, call_id, iso(now), iso(draft.due_at), iso(now),
         iso(draft.expires_at) if draft.expires_at else None, draft.priority, sim, is_automatic))
    sms_id = int(row.lastrowid or 0)
    parts = pdu.encode(draft.number, draft.text, reference=sms_id % 256)
    db.executemany("""
        INSERT INTO segment (sms_id, part, pdu, state)
        VALUES (?, ?, ?, 'queued')""", [(sms_id, place, part.hex) for place, part in enumerate(parts, start=1)])
    _tell(db, sms_id, now)
    return sms_id


def queue_of_campaign(db: sqlite3.Connection, campaign_id: int, number: str, text: str, parts: Sequence[pdu.Pdu],
                      sim: str | None, due_at: str, now: datetime) -> int:
    """The id of one text of many, its segments encoded beforehand. The desks are told once a batch, by the caller.

    due_at: when the campaign was, as the store writes it; a clock that is put back does not hold the text up.
    """
    sms_id = int(db.execute("""
        INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at, priority, sim, campaign_id)
        VALUES ('out', ?, ?, 'queued', ?, ?, ?, ?, ?, ?)""",
        (number, text, iso(now), due_at, iso(now), CAMPAIGN_PRIORITY, sim, campaign_id)).lastrowid or 0)
    db.executemany("""
        INSERT INTO segment (sms_id, part, pdu, state)
        VALUES (?, ?, ?, 'queued')""", [(sms_id, place, part.hex) for place, part in enumerate(parts, start=1)])
    return sms_id


def next_due(db: sqlite3.Connection, sim: str, now: datetime) -> Due | None:
    """The next segment to hand to this SIM, in the order of turn.py. None: nothing is due, or its pace says not yet.

    Drops on the way, in a write() of its own, what is too late and whoever opted out meanwhile.
    A text that another SIM began is that one's to finish: its parts bear one sender's number.
    """
    while (sms_id := turn.whose(db, sim, now)) is not None:
        if (off := turn.called_off(db, sms_id, now)) is None:
            if (due := _due(db, sms_id)) is not None:
                return due
            continue                # another SIM took it between two questions
        with nullcontext() if db.in_transaction else write(db):
            drop(db, sms_id, *off, now)
    return None


def drop(db: sqlite3.Connection, sms_id: int, state: str, reason: str, now: datetime) -> None:
    """A text still waiting will not go: expired or cancelled, and why."""
    if db.execute("""
            UPDATE sms
            SET state = ?, reason = ?, updated_at = ?
            WHERE id = ? AND state = 'queued'""", (state, reason, iso(now), sms_id)).rowcount:
        _tell(db, sms_id, now)


def mark_sending(db: sqlite3.Connection, due: Due, sim: str, now: datetime) -> bool:
    """True when the segment is this SIM's to send: commit this, then touch the modem.

    False when it was called off, or another SIM was quicker.
    """
    if turn.called_off(db, due.sms_id, now) or not turn.is_open(db, due.sms_id, now):
        return False
    taken = db.execute("""
        UPDATE segment
        SET state = 'sending', attempts = attempts + 1, sending_at = :now, sim = :sim
        WHERE id = :id AND state = 'queued'
          AND (SELECT state FROM sms WHERE id = segment.sms_id) IN ('queued', 'sending')
          AND NOT EXISTS (SELECT 1 FROM segment AS other WHERE other.sms_id = segment.sms_id AND other.sim <> :sim)""",
        {"now": iso(now), "sim": sim, "id": due.segment_id}).rowcount == 1
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
        if not is_passing:
            pace.refused_for_good(db, due.segment_id, now)
        return settle(db, due.sms_id, now, f"{tries}{part}{_sentence(words)}")
    _back(db, due, cms_code, attempts)
    _wait(db, due.sms_id, _sentence(words), now + timedelta(seconds=PAUSES_S[attempts - 1]), now)


def take_back(db: sqlite3.Connection, due: Due, words: str, now: datetime) -> None:
    """The modem went before it had the text: it waits as it did, for the modem to come back, and no try is lost."""
    _back(db, due, None, due.attempts)
    db.execute("UPDATE sms SET state = 'queued', reason = ?, updated_at = ? WHERE id = ?",
               (_sentence(words), iso(now), due.sms_id))
    _tell(db, due.sms_id, now)


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


def send_again(db: sqlite3.Connection, sms_id: int, now: datetime) -> int | None:
    """The id of the new text a person sends in place of an unknown or failed one, which keeps its state and says so.

    Parts of the old one that had not gone stay here. None when there is nothing to repeat: it was repeated already, its
    campaign sends it once more, they asked for no more texts since, or its state is another by now.
    """
    old = db.execute("""
        SELECT *
        FROM sms
        WHERE id = ? AND direction = 'out' AND state IN ('unknown', 'failed') AND sent_again_as IS NULL
          AND (campaign_id IS NULL OR EXISTS (SELECT 1 FROM recipient WHERE sms_id = sms.id))
          AND NOT EXISTS (SELECT 1 FROM opt_out WHERE number = sms.number AND at > sms.created_at)""",
        (sms_id,)).fetchone()
    if old is None:
        return None
    draft = Draft(old["number"], old["text"], None, now, priority=PERSONAL)
    new_id = queue(db, draft, old["call_id"], now, sim=old["sim"])
    reason = f"{old['reason'] or ''} Sent again by a person as text {new_id}.".strip()
    db.execute("UPDATE sms SET sent_again_as = ?, reason = ?, updated_at = ? WHERE id = ?",
               (new_id, reason, iso(now), sms_id))
    db.execute("UPDATE segment SET state = 'failed' WHERE sms_id = ? AND state = 'queued'", (sms_id,))
    _tell(db, sms_id, now)
    return new_id


def mark_settled(db: sqlite3.Connection, sms_id: int, now: datetime) -> bool:
    """A person knows that an unknown text arrived. False when it was not unknown any more."""
    settled = db.execute("""
        UPDATE segment
        SET state = 'delivered', sent_at = coalesce(sent_at, sending_at), delivered_at = ?
        WHERE sms_id = ? AND state = 'unknown'
          AND (SELECT state FROM sms WHERE id = segment.sms_id) = 'unknown'""", (iso(now), sms_id)).rowcount > 0
    if settled:
        settle(db, sms_id, now, "A person said that it arrived.")
    return settled


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
    if state == "delivered":
        repeat = db.execute("SELECT sent_again_as FROM sms WHERE id = ?", (sms_id,)).fetchone()["sent_again_as"]
        if repeat is not None:
            drop(db, repeat, "cancelled", "Not sent: the first one arrived after all.", now)


def state_of(segments: list[str]) -> str:
    """The state of a text from those of its segments: the worst one counts, and some left to send is sending."""
    for state in ("failed", "unknown", "sending"):
        if state in segments:
            return state
    if "queued" in segments:
        return "queued" if set(segments) == {"queued"} else "sending"
    return "delivered" if set(segments) == {"delivered"} else "sent"


def _due(db: sqlite3.Connection, sms_id: int) -> Due | None:
    row = db.execute("""
        SELECT segment.id, sms.number, segment.part, segment.attempts, segment.pdu,
               (SELECT count(*) FROM segment AS every WHERE every.sms_id = sms.id) AS parts
        FROM sms JOIN segment ON segment.sms_id = sms.id AND segment.state = 'queued'
        WHERE sms.id = ?
        ORDER BY segment.part
        LIMIT 1""", (sms_id,)).fetchone()
    if row is None:
        return None
    return Due(sms_id, row["id"], row["number"], row["part"], row["parts"], row["attempts"], pdu.Pdu(row["pdu"]))


def _is_decided(db: sqlite3.Connection, call_id: int) -> bool:
    return db.execute("""
        SELECT 1 FROM sms WHERE call_id = :call AND is_automatic = 1
        UNION ALL
        SELECT 1 FROM refusal WHERE call_id = :call""", {"call": call_id}).fetchone() is not None


def _back(db: sqlite3.Connection, due: Due, cms_code: int | None, attempts: int) -> None:
    db.execute("""
        UPDATE segment
        SET state = 'queued', attempts = ?, cms_code = ?, sending_at = NULL, sim = NULL
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
