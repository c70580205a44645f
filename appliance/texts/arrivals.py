"""Texts that came: one row each, kept once however often the modem hands it over. Runs inside the caller's write().

The segments of a long text come in any order, twice, or never: they wait for each other across restarts, and after a
day the text is shown with what came. One that still comes then mends it.
"""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from appliance.store.db import iso, parse_time
from hw.pdu import Delivered

UNREADABLE = "unknown"  # the number of what the modem gave and nobody could read
GAP = "[…]"
WAIT = timedelta(days=1)
APART = timedelta(hours=6)  # senders count long texts to 255, some not at all: farther apart are two texts
EVER = datetime(1970, 1, 1, tzinfo=UTC)
AGAIN = timedelta(minutes=10)  # from a crash to the sweep of the SIM that brings a text again
REMEMBERED = timedelta(days=30)  # how long a segment that comes again is known


def keep(db: sqlite3.Connection, number: str, came: Delivered, sim: str | None, now: datetime) -> int | None:
    """The id of the text that is whole now; None while segments are awaited, or when we have it already."""
    if came.concatenation is not None and 1 <= came.part <= came.parts and came.parts > 1:
        return _keep_part(db, number, came, came.concatenation, sim, now)
    if _is_known(db, number, came, now):
        return None
    return _add(db, number, came.text, sim, came.sent_at or now, now)


def is_any_torn(db: sqlite3.Connection, now: datetime) -> bool:
    """Whether a long text has waited a day for the rest of it. Writes nothing."""
    return db.execute("SELECT 1 FROM long_text WHERE sms_id IS NULL AND received_at <= ?",
                      (iso(now - WAIT),)).fetchone() is not None


def show_torn(db: sqlite3.Connection, now: datetime) -> list[int]:
    """The ids of the texts that are shown from now on although segments of them never came."""
    torn = db.execute("SELECT * FROM long_text WHERE sms_id IS NULL AND received_at <= ?", (iso(now - WAIT),))
    shown = [_show(db, row, now) for row in torn.fetchall()]
    db.execute("DELETE FROM long_text WHERE sms_id IS NOT NULL AND received_at <= ?", (iso(now - REMEMBERED),))
    return shown


def _keep_part(db: sqlite3.Connection, number: str, came: Delivered, concatenation: int, sim: str | None,
               now: datetime) -> int | None:
    at = came.sent_at or now
    texts = db.execute("""
        SELECT long_text.*, part.text AS part_text, part.sent_at AS part_sent_at
        FROM long_text
        LEFT JOIN long_text_part AS part ON part.long_text_id = long_text.id AND part.part = ?
        WHERE long_text.number = ? AND long_text.concatenation = ? AND long_text.parts = ?""",
        (came.part, number, concatenation, came.parts)).fetchall()
    sent_at = iso(came.sent_at) if came.sent_at else None
    if any(row["part_text"] == came.text and row["part_sent_at"] == sent_at for row in texts):
        return None
    open_ones = [(abs(parse_time(row["sent_at"]) - at), row["id"]) for row in texts if row["part_text"] is None]
    apart, text_id = min(open_ones, default=(APART, None))
    if text_id is None or apart > APART:
        text_id = db.execute("""
            INSERT INTO long_text (number, sim, concatenation, parts, sent_at, received_at)
            VALUES (?, ?, ?, ?, ?, ?)""", (number, sim, concatenation, came.parts, iso(at), iso(now))).lastrowid
    db.execute("INSERT INTO long_text_part (long_text_id, part, text, sent_at) VALUES (?, ?, ?, ?)",
               (text_id, came.part, came.text, sent_at))
    row = db.execute("""
        SELECT *, parts = (SELECT count(*) FROM long_text_part WHERE long_text_id = id) AS is_whole
        FROM long_text
        WHERE id = ?""", (text_id,)).fetchone()
    if row["sms_id"] is not None:
        _mend(db, row, now)
        return None
    return _show(db, row, now) if row["is_whole"] else None


def _show(db: sqlite3.Connection, row: sqlite3.Row, now: datetime) -> int:
    text, reason = _joined(db, row)
    sms_id = _add(db, row["number"], text, row["sim"], parse_time(row["sent_at"]), now, reason)
    db.execute("UPDATE long_text SET sms_id = ? WHERE id = ?", (sms_id, row["id"]))
    return sms_id


def _mend(db: sqlite3.Connection, row: sqlite3.Row, now: datetime) -> None:
    """A segment of a text that is shown already: it gets its place, and the text is unread again."""
    text, reason = _joined(db, row)
    db.execute("UPDATE sms SET text = ?, reason = ?, read_at = NULL, updated_at = ? WHERE id = ?",
               (text, reason, iso(now), row["sms_id"]))
    tell(db, now)


def _joined(db: sqlite3.Connection, row: sqlite3.Row) -> tuple[str, str | None]:
    """(the text with a gap for each part that is missing, which are missing in words)."""
    came = {part["part"]: part["text"] for part in db.execute(
        "SELECT part, text FROM long_text_part WHERE long_text_id = ?", (row["id"],))}
    missing = [str(part) for part in range(1, row["parts"] + 1) if part not in came]
    text = "".join(came.get(part, GAP) for part in range(1, row["parts"] + 1))
    if not missing:
        return text, None
    return text, f"Part {', '.join(missing)} of {row['parts']} did not come."


def _is_known(db: sqlite3.Connection, number: str, came: Delivered, now: datetime) -> bool:
    """Without the network's time, the same words within minutes are the same text; what nobody can read always is."""
    if came.sent_at is not None:
        since = until = came.sent_at
    else:
        since, until = (EVER if number == UNREADABLE else now - AGAIN), now
    rows = db.execute("""
        SELECT 1
        FROM sms
        WHERE direction = 'in' AND number = ? AND text = ? AND created_at BETWEEN ? AND ?""",
        (number, came.text, iso(since), iso(until)))
    return rows.fetchone() is not None


def _add(db: sqlite3.Connection, number: str, text: str, sim: str | None, sent_at: datetime, now: datetime,
         reason: str | None = None) -> int:
    row = db.execute("""
        INSERT INTO sms (direction, number, text, state, reason, sim, created_at, due_at, updated_at)
        VALUES ('in', ?, ?, 'received', ?, ?, ?, ?, ?)""",
        (number, text, reason, sim, iso(sent_at), iso(sent_at), iso(now)))
    tell(db, now)
    return int(row.lastrowid or 0)


def tell(db: sqlite3.Connection, now: datetime) -> None:
    """The desks look at the texts again."""
    db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (iso(now),))
