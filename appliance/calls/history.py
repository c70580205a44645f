"""What the pages ask of the calls: a page of them, one with all that followed, what lives now, what is new.

Every question walks an index and none counts or skips: a page costs the same at a thousand and a million calls.
"""
from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from appliance.store.db import parse_time

CALL = """
    SELECT call.*, contact.name AS contact, recording.duration_ms AS recording_ms,
      (SELECT state FROM sms WHERE sms.call_id = call.id AND sms.direction = 'out'
       ORDER BY sms.id DESC LIMIT 1) AS text_state,
      (SELECT reason FROM refusal WHERE refusal.call_id = call.id ORDER BY refusal.at DESC LIMIT 1) AS refusal,
      (SELECT code FROM refusal WHERE refusal.call_id = call.id ORDER BY refusal.at DESC LIMIT 1) AS refusal_code
    FROM call
    LEFT JOIN contact ON contact.id = call.contact_id
    LEFT JOIN recording ON recording.call_id = call.id
"""
LARGEST_ID = 2**63 - 1


class Key(NamedTuple):
    """Where a page of calls ends: the next one goes on before it."""
    started_at: str
    id: int


@dataclass(frozen=True)
class Call:
    """A call as a row shows it; times are aware UTC, None means it did not happen (yet)."""
    id: int
    direction: str
    outcome: str | None
    trunk: str | None
    extension: str | None
    contact: str | None
    caller_name: str | None
    caller_id: str
    number: str | None
    presentation: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    ring_ms: int | None
    talk_ms: int | None
    hangup_cause: int | None
    bell: str | None
    is_clock_set: bool
    recording_ms: int | None
    text_state: str | None
    refusal: str | None
    refusal_code: str | None
    contact_id: str | None

    @property
    def name(self) -> str | None:
        """Whom we know it to be, else what the line said; None when nobody said."""
        return self.contact or (self.caller_name if self.presentation == "allowed" else None) or None

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def is_ringing(self) -> bool:
        return self.ended_at is None and self.answered_at is None


@dataclass(frozen=True)
class Leg:
    party: str | None
    is_caller: bool
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    hangup_cause: int | None


@dataclass(frozen=True)
class Recording:
    file: str
    started_at: datetime
    duration_ms: int
    size_bytes: int
    is_cut: bool


@dataclass(frozen=True)
class Text:
    """A text that answered the call; segments are the radio parts it took, rule is the name of the one that fitted."""
    state: str
    text: str
    reason: str | None
    rule: str | None
    segments: int
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True)
class Refusal:
    rule: str
    code: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Story:
    """One call and all that followed."""
    call: Call
    legs: list[Leg]
    recording: Recording | None
    texts: list[Text]
    refusals: list[Refusal]


@dataclass(frozen=True)
class Event:
    id: int
    at: datetime
    kind: str
    call_id: int | None
    callback_id: int | None = None      # what a reminder reminds of


def latest(db: sqlite3.Connection, limit: int = 6) -> list[Call]:
    """The calls that began last, newest first."""
    return [_call(row) for row in db.execute(
        f"{CALL} ORDER BY call.started_at DESC, call.id DESC LIMIT ?", (limit,))]


def these(db: sqlite3.Connection, ids: list[int]) -> list[Call]:
    """The calls with these ids, in this order."""
    found = {row["id"]: _call(row) for row in db.execute(
        f"{CALL} WHERE call.id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))}
    return [found[call_id] for call_id in ids if call_id in found]


def notes(db: sqlite3.Connection, ids: list[int]) -> dict[int, str]:
    """What somebody wrote down of these calls, by their ids."""
    return {row["call_id"]: row["text"] for row in db.execute(
        "SELECT call_id, text FROM note WHERE call_id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))}


def one(db: sqlite3.Connection, call_id: int) -> Call | None:
    """The call with this id, None if there is none."""
    row = db.execute(f"{CALL} WHERE call.id = ?", (call_id,)).fetchone() if 0 < call_id <= LARGEST_ID else None
    return _call(row) if row else None


def story(db: sqlite3.Connection, call_id: int) -> Story | None:
    """The call with this id and all that followed, None if there is none."""
    call = one(db, call_id)
    if call is None:
        return None
    legs = db.execute("SELECT * FROM leg WHERE call_id = ? ORDER BY started_at, uniqueid", (call_id,))
    texts = db.execute("""
        SELECT sms.*, (SELECT count(*) FROM segment WHERE segment.sms_id = sms.id) AS segments,
          coalesce((SELECT rule.name FROM rule WHERE rule.key = sms.rule), sms.rule) AS rule_name
        FROM sms WHERE call_id = ? AND direction = 'out' ORDER BY id""", (call_id,))
    refusals = db.execute("SELECT * FROM refusal WHERE call_id = ? ORDER BY at", (call_id,))
    return Story(call, [_leg(row) for row in legs], recording(db, call_id), [_text(row) for row in texts],
                 [Refusal(row["rule"], row["code"], row["reason"], parse_time(row["at"])) for row in refusals])


def recording(db: sqlite3.Connection, call_id: int) -> Recording | None:
    """The recording of this call, None if there is none."""
    if not 0 < call_id <= LARGEST_ID:
        return None
    row = db.execute("SELECT * FROM recording WHERE call_id = ?", (call_id,)).fetchone()
    return Recording(row["file"], parse_time(row["started_at"]), row["duration_ms"], row["size_bytes"],
                     bool(row["is_cut"])) if row else None


def live(db: sqlite3.Connection) -> list[Call]:
    """The calls that ring or talk now, oldest first."""
    return [_call(row) for row in db.execute(f"{CALL} WHERE call.ended_at IS NULL ORDER BY call.id")]


def latest_of(db: sqlite3.Connection, call: Call, limit: int = 3) -> list[Call]:
    """The last calls with the same number before this one, newest first."""
    if call.number is None:
        return []
    return [_call(row) for row in db.execute(f"""{CALL}
        WHERE call.number = ? AND call.id <> ? AND call.ended_at IS NOT NULL
        ORDER BY call.started_at DESC LIMIT ?""", (call.number, call.id, limit))]


def events_after(db: sqlite3.Connection, event_id: int, limit: int = 500) -> list[Event]:
    """What the desks were told after an event, oldest first."""
    return [Event(row["id"], parse_time(row["at"]), row["kind"], row["call_id"], row["callback_id"])
            for row in db.execute(
        "SELECT * FROM event WHERE id > ? ORDER BY id LIMIT ?", (event_id, limit))]


def last_event_id(db: sqlite3.Connection) -> int:
    """The id of the newest event, 0 when there was none yet."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0])


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def _call(row: sqlite3.Row) -> Call:
    return Call(row["id"], row["direction"], row["outcome"], row["trunk"], row["extension"], row["contact"],
                row["caller_name"], row["caller_id"], row["number"], row["presentation"],
                parse_time(row["started_at"]), _time(row["answered_at"]), _time(row["ended_at"]),
                row["ring_ms"], row["talk_ms"], row["hangup_cause"], row["bell"], bool(row["is_clock_set"]),
                row["recording_ms"], row["text_state"], row["refusal"], row["refusal_code"], row["contact_id"])


def _leg(row: sqlite3.Row) -> Leg:
    return Leg(row["party"], bool(row["is_caller"]), parse_time(row["started_at"]), _time(row["answered_at"]),
               _time(row["ended_at"]), row["hangup_cause"])


def _text(row: sqlite3.Row) -> Text:
    return Text(row["state"], row["text"], row["reason"], row["rule_name"], row["segments"],
                parse_time(row["created_at"]), parse_time(row["due_at"]), _time(row["sent_at"]),
                _time(row["delivered_at"]), parse_time(row["updated_at"]))
