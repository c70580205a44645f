"""Calls and their recordings."""
from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from bottle import HTTPResponse

from appliance.calls import find, history
from appliance.calls.history import LARGEST_ID, Key
from appliance.calls.narrow import DIRECTIONS, MARKS, OUTCOMES, Wish
from appliance.people import changes, notes
from appliance.store import db as store
from web import recordings
from web.api import answers
from web.api.operation import BASE, Asked, Operation
from web.api.problems import Problem
from web.api.shapes import Schema, ShapeError

AFTER = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\.(\d{1,18})", re.ASCII)
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
CURSOR: Schema = {"type": "string", "maxLength": 60, "description": "From the address in `next`."}
QUERY: dict[str, Schema] = {
    "from": {"type": "string", "format": "date-time", "description": "Calls that began then or later."},
    "until": {"type": "string", "format": "date-time", "description": "Calls that began before."},
    "limit": LIMIT, "after": CURSOR,
    "direction": {"type": "string", "enum": list(DIRECTIONS)}, "outcome": {"type": "string", "enum": list(OUTCOMES)},
    "line": {"type": "string", "maxLength": 60, "description": "The key of an outside line, as box.toml has it."},
    "extension": {"type": "string", "maxLength": 20},
    "number": {"type": "string", "maxLength": 40, "description": "E.164, as it is dialled, or its last digits."},
    "search": {"type": "string", "maxLength": 80, "description": "A part of a name, a company, a note or a number."},
    "has_recording": {"type": "boolean", "const": True}}
ON_ONE: dict[str, Schema] = {
    "note": {"type": "object", "required": ["text"], "additionalProperties": False, "properties": {
        "text": {"type": "string", "maxLength": notes.LONGEST, "description": "Empty takes the note away."}}},
    "mark": {"type": "object", "required": ["mark"], "additionalProperties": False, "properties": {
        "mark": {"type": ["string", "null"], "enum": [*MARKS, None]}}},
    "disposition": {"type": "object", "required": ["disposition"], "additionalProperties": False, "properties": {
        "disposition": {"type": ["string", "null"], "maxLength": 30, "description": "What the call was about."}}}}


def _list(asked: Asked) -> dict[str, Any]:
    given = asked.query
    if given.get("number") and given.get("search"):
        raise ShapeError("Give number or search, not both.")
    wish = Wish(given.get("from"), given.get("until"), (), given.get("direction", ""), given.get("outcome", ""),
                given.get("line", ""), given.get("extension", ""), is_recorded=given.get("has_recording", False),
                text=given.get("number") or given.get("search", ""))
    db = asked.office.db
    found = find.page(db, wish, asked.office.box.country, _after(given.get("after", "")), given.get("limit", 50))
    return answers.page([answers.call(db, call) for call in found.calls],
                        _next("/calls", given, f"{found.older.started_at}.{found.older.id}") if found.older else None)


def _after(cursor: str) -> Key | None:
    if not cursor:
        return None
    if not (found := AFTER.fullmatch(cursor)):
        raise ShapeError("after is taken from the address in next.")
    return Key(found[1], int(found[2]))


def _next(path: str, given: dict[str, Any], after: str) -> str:
    """The address of the page that follows."""
    kept = {name: store.iso(value) if name in ("from", "until") else str(value).lower() if value is True else value
            for name, value in given.items()}
    return f"{BASE}{path}?{urlencode({**kept, 'after': after})}"


def _one(asked: Asked) -> dict[str, Any]:
    return answers.call(asked.office.db, _call(asked))


def _call(asked: Asked) -> history.Call:
    found = history.one(asked.office.db, min(asked.id("call_id"), LARGEST_ID))
    if found is None:
        raise Problem(404)
    return found


def _note(asked: Asked) -> dict[str, Any]:
    call = _call(asked)
    with store.write(asked.office.db) as db:
        notes.keep(db, asked.body["text"], asked.by, asked.now, call_id=call.id)
    return _one(asked)


def _column(name: str, asked: Asked) -> dict[str, Any]:
    """Mark or disposition."""
    call, new = _call(asked), asked.body[name]
    new = " ".join(new.split()) or None if new else None
    with store.write(asked.office.db) as db:
        old = db.execute(f"SELECT {name} FROM call WHERE id = ?", (call.id,)).fetchone()[0]
        db.execute(f"UPDATE call SET {name} = ? WHERE id = ?", (new, call.id))
        changes.record(db, asked.by, f"call {call.id}", {name: old}, {name: new}, asked.now, call.id)
    return _one(asked)


def _recording(asked: Asked) -> HTTPResponse:
    return recordings.recording(asked.office, _call(asked).id)


OPERATIONS = (
    Operation("GET", "/calls", "listCalls", "Calls, the latest first", "reader", _list, "CallPage", query=QUERY),
    Operation("GET", "/calls/{call_id}", "getCall", "One call", "reader", _one, "Call"),
    Operation("PUT", "/calls/{call_id}/note", "noteCall", "Writes the note of a call", "staff", _note, "Call",
              body=ON_ONE["note"]),
    Operation("PUT", "/calls/{call_id}/mark", "markCall", "Marks a call", "staff",
              lambda it: _column("mark", it), "Call", body=ON_ONE["mark"]),
    Operation("PUT", "/calls/{call_id}/disposition", "disposeCall", "Says what a call was about", "staff",
              lambda it: _column("disposition", it), "Call", body=ON_ONE["disposition"]),
    Operation("GET", "/calls/{call_id}/recording", "getRecording",
              "The recording of a call, whole or a range of it; who listened is written down", "staff", _recording,
              query={"as": {"type": "string", "enum": ["wav", "opus"]}}, kind="audio/*"),
)
