"""How a campaign stands, in plain SQL over its recipients and their texts; and the list of it as CSV."""
from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from appliance.config import Box
from appliance.store.db import parse_time
from appliance.texts import alphabet, canary, cost, pace

HEADS = ("name", "number", "state", "reason", "sent", "delivered", "text")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Progress:
    """The recipients of the latest time it went, each in one of the figures; excluded ones are not in `people`.

    waiting: not handed to the modem yet. sent: taken by the network, no word yet. minutes_left: at the SIM's pace,
    within the hours; 0 when nothing waits. halted: why nothing goes now, in words, None while it may.
    """

    people: int
    waiting: int
    sending: int
    sent: int
    delivered: int
    failed: int
    unknown: int
    cancelled: int
    excluded: int
    stops: int
    minutes_left: int
    stage: int
    is_running: bool
    halted: str | None

    @property
    def done(self) -> int:
        return self.people - self.waiting - self.sending


@dataclass(frozen=True)
class Line:
    """One recipient and what became of it. state: of the text, or waiting, excluded, cancelled before there was one."""

    number: str
    name: str
    contact_id: str | None
    state: str
    reason: str | None
    text: str | None
    sms_id: int | None
    sent_at: datetime | None
    delivered_at: datetime | None


def latest(db: sqlite3.Connection, campaign_id: int) -> int | None:
    """The id of the occurrence that runs, or ran last; None when it never did."""
    row = db.execute("""
        SELECT id
        FROM occurrence
        WHERE campaign_id = ? AND state IN ('running', 'done')
        ORDER BY state = 'running' DESC, due_at DESC
        LIMIT 1""", (campaign_id,)).fetchone()
    return int(row["id"]) if row else None


def of(db: sqlite3.Connection, box: Box, campaign_id: int, now: datetime) -> Progress:
    """How the latest time of this campaign stands."""
    campaign = db.execute("SELECT state, reason, sim FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
    occurrence = latest(db, campaign_id)
    states = {row["state"]: row["people"] for row in db.execute("""
        SELECT coalesce(CASE recipient.state WHEN 'queued' THEN sms.state END, recipient.state) AS state,
               count(*) AS people
        FROM recipient LEFT JOIN sms ON sms.id = recipient.sms_id
        WHERE recipient.occurrence_id = ?
        GROUP BY 1""", (occurrence,))}
    row = db.execute("""
        SELECT stage, (SELECT text FROM recipient WHERE occurrence_id = occurrence.id AND text IS NOT NULL) AS text,
               (SELECT count(*) FROM recipient JOIN sms ON sms.id = recipient.sms_id
                JOIN opt_out ON opt_out.number = recipient.number AND opt_out.at >= sms.created_at
                WHERE recipient.occurrence_id = occurrence.id) AS stops
        FROM occurrence
        WHERE id = ?""", (occurrence,)).fetchone()
    waiting = states.get("waiting", 0) + states.get("queued", 0)
    sim = campaign["sim"] or (box.modems[0].name if box.modems else "")
    segments = waiting * alphabet.size(row["text"] or "").segments if row else 0
    stopped = pace.may_send(db, sim, now) if waiting else None
    halted = campaign["reason"] or (stopped.reason if stopped and stopped.until is None else None)
    excluded = states.get("excluded", 0)
    return Progress(
        sum(states.values()) - excluded, waiting, states.get("sending", 0), states.get("sent", 0),
        states.get("delivered", 0), states.get("failed", 0) + states.get("expired", 0), states.get("unknown", 0),
        states.get("cancelled", 0), excluded, row["stops"] if row else 0,
        cost.minutes(waiting, segments, pace.sim(db, sim)) if waiting else 0,
        row["stage"] if row else canary.ME, campaign["state"] == "running", halted)


def lines(db: sqlite3.Connection, campaign_id: int, states: tuple[str, ...] = (), after: int = 0,
          limit: int = 100) -> list[tuple[int, Line]]:
    """The recipients of the latest time, each with the key the next page begins after; only these states when given."""
    return [(row["id"], _line(row)) for row in db.execute(f"""
        SELECT *
        FROM ({_LINES})
        WHERE id > ? {f"AND state IN ({', '.join('?' * len(states))})" if states else ''}
        ORDER BY id
        LIMIT ?""", (latest(db, campaign_id), after, *states, limit))]


def troubles(db: sqlite3.Connection, campaign_id: int, limit: int = 100) -> list[Line]:
    """Those that need a look: failed, expired or unknown."""
    return [line for _, line in lines(db, campaign_id, ("failed", "expired", "unknown"), limit=limit)]


def export(db: sqlite3.Connection, box: Box, campaign_id: int) -> bytes:
    """CSV for a spreadsheet, UTF-8 with its mark, times in shop time.

    A cell that would be a formula begins with ', numbers with their + too: so they stay text, and our own reader of
    lists takes them back.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEADS)
    for line in _all(db, campaign_id):
        times = [at.astimezone(box.zone).strftime("%Y-%m-%d %H:%M:%S") if at else ""
                 for at in (line.sent_at, line.delivered_at)]
        writer.writerow([_cell(cell) for cell in (line.name, line.number, line.state, line.reason or "", *times,
                                                  line.text or "")])
    return file.getvalue().encode("utf-8-sig")


_LINES = """
    SELECT recipient.id, recipient.number, recipient.contact_id, recipient.text, recipient.sms_id,
           coalesce(CASE recipient.state WHEN 'queued' THEN sms.state END, recipient.state) AS state,
           coalesce(sms.reason, recipient.reason) AS reason, sms.sent_at, sms.delivered_at,
           coalesce(contact.name, '') AS name
    FROM recipient LEFT JOIN sms ON sms.id = recipient.sms_id LEFT JOIN contact ON contact.id = recipient.contact_id
    WHERE recipient.occurrence_id = ?"""


def _all(db: sqlite3.Connection, campaign_id: int) -> Iterator[Line]:
    after = 0
    while some := lines(db, campaign_id, after=after, limit=1000):
        yield from (line for _, line in some)
        after = some[-1][0]


def _line(row: sqlite3.Row) -> Line:
    return Line(row["number"], row["name"], row["contact_id"], row["state"], row["reason"], row["text"], row["sms_id"],
                parse_time(row["sent_at"]) if row["sent_at"] else None,
                parse_time(row["delivered_at"]) if row["delivered_at"] else None)


def _cell(cell: str) -> str:
    return "'" + cell if cell.startswith(FORMULA) else cell
