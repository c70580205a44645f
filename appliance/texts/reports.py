"""What the network says later: delivery reports find their segment."""
from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from appliance.store.db import iso, parse_time
from appliance.texts import outbox
from hw.pdu import DeliveryReport

WINDOW = timedelta(hours=48)  # TP-MR is eight bits: an older segment may bear the same one
SAME_DIGITS = 7  # a report may write the number the national way
STILL_TRYING, GIVEN_UP, EXPIRED = 0x20, 0x40, 0x46  # TP-ST ranges: 3GPP TS 23.040 §9.2.3.15
STATUSES = {
    0x41: "the telephone cannot take such a text",
    0x42: "the telephone refused it",
    0x43: "there is no such telephone",
    0x45: "the other network takes no texts from here",
    0x46: "the telephone was not reachable for a day",
    0x48: "the text centre deleted it",
    0x60: "the network was busy",
    0x61: "the telephone was busy",
    0x62: "the telephone did not answer",
    0x63: "the telephone refused it",
}


def report(db: sqlite3.Connection, told: DeliveryReport, now: datetime, sim: str | None = None) -> int | None:
    """The id of the sms this report settles, None when it is nobody's. Runs inside the caller's write().

    sim is the one it came to: each counts its references for itself. None: any.
    """
    segment = _segment(db, told, now, sim)
    if segment is None:
        return None
    state = "delivered" if told.status < STILL_TRYING else "sent" if told.status < GIVEN_UP else "failed"
    db.execute("""
        UPDATE segment
        SET state = ?, reference = ?, sent_at = coalesce(sent_at, ?), delivered_at = ?
        WHERE id = ?""", (state, told.reference, iso(now), iso(now) if state == "delivered" else None, segment["id"]))
    reason = None
    if state == "failed":
        db.execute("UPDATE segment SET state = 'failed' WHERE sms_id = ? AND state = 'queued'", (segment["sms_id"],))
        words = STATUSES.get(told.status, "no reason given")
        reason = f"The network took the text but could not deliver it: {words} (status {told.status})."
    outbox.settle(db, segment["sms_id"], now, reason)
    if told.status == EXPIRED:
        db.execute("UPDATE sms SET state = 'expired' WHERE id = ?", (segment["sms_id"],))
    return int(segment["sms_id"])


def _segment(db: sqlite3.Connection, told: DeliveryReport, now: datetime, sim: str | None) -> sqlite3.Row | None:
    rows = db.execute("""
        SELECT segment.*, sms.number
        FROM segment JOIN sms ON sms.id = segment.sms_id
        WHERE segment.sending_at IS NOT NULL
          AND (segment.reference = :reference OR segment.reference IS NULL AND segment.state = 'unknown')
          AND (segment.sim = :sim OR segment.sim IS NULL OR :sim IS NULL)""",
        {"reference": told.reference, "sim": sim}).fetchall()
    same = [row for row in rows if _is_same(row["number"], told.number)]
    for at in (told.sent_at or now, now):       # the network's clock; by ours too, which may have been wrong both times
        near = [(row["reference"] is None, apart, row) for row in same
                if (apart := abs(parse_time(row["sending_at"]) - at)) <= WINDOW]
        if near:
            row = min(near, key=lambda found: found[:2])[2]
            return row if row["state"] in ("sent", "unknown") else None
    return None


def _is_same(ours: str, theirs: str) -> bool:
    digits = theirs.lstrip("+").lstrip("0")
    return ours == theirs or len(digits) >= SAME_DIGITS and ours.endswith(digits)
