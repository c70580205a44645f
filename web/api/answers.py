"""What the API gives: each thing as a schema of the document and as the function that fills it."""
from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from appliance.calls import history, tocall
from appliance.calls.narrow import DIRECTIONS, OUTCOMES
from appliance.calls.owed import Owed
from appliance.calls.phone import Order
from appliance.doors import postman
from appliance.people import notes
from appliance.people.cards import Card
from appliance.store.db import iso
from web.api.shapes import Schema

TEXT: Schema = {"type": "string"}
MAYBE: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
YES: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}


def _object(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _page(of: str) -> Schema:
    return _object(items=_list({"$ref": f"#/components/schemas/{of}"}), next={
        "type": ["string", "null"], "description": "The address of the next page; null at the end. A page may be "
                                                   "short, or empty, and yet have a next one."})


SCHEMAS: dict[str, Schema] = {
    "Call": _object(
        id=WHOLE, direction={"enum": list(DIRECTIONS)}, number=MAYBE,
        presentation={"enum": ["allowed", "withheld", "unavailable"]}, caller_name=MAYBE, contact_id=MAYBE,
        contact_name=MAYBE, trunk=MAYBE, extension=MAYBE, started_at=TIME, answered_at=MAYBE_TIME, ended_at=MAYBE_TIME,
        ring_ms=MAYBE_WHOLE, talk_ms=MAYBE_WHOLE, outcome={"enum": [*OUTCOMES, None]}, disposition=MAYBE, mark=MAYBE,
        note=MAYBE, recording_ms=MAYBE_WHOLE, text_state=MAYBE, refusal=MAYBE),
    "Contact": _object(
        id={"type": "string", "format": "uuid"}, name=TEXT, other_name=MAYBE, company=MAYBE, address=MAYBE,
        birthday=MAYBE, is_vip=YES, is_blocked=YES, blocked_reason=MAYBE,
        numbers=_list(_object(number=TEXT, label=MAYBE, is_opted_out=YES)),
        fields=_list(_object(name=TEXT, value=TEXT)), tags=_list(TEXT),
        groups=_list(_object(id=WHOLE, name=TEXT)), created_at=TIME, updated_at=TIME),
    "Group": _object(id=WHOLE, name=TEXT, members=WHOLE),
    "Text": _object(
        id=WHOLE, direction={"enum": ["in", "out"]}, number=TEXT, text=TEXT, state=TEXT, reason=MAYBE,
        call_id=MAYBE_WHOLE, created_at=TIME, sent_at=MAYBE_TIME, delivered_at=MAYBE_TIME),
    "Owed": _object(number=TEXT, name=MAYBE, contact_id=MAYBE, call_id=WHOLE, at=TIME, times=WHOLE),
    "Callback": _object(
        id=WHOLE, number=TEXT, name=TEXT, about=TEXT, due_at=TIME, state={"enum": ["open", "done", "cancelled"]},
        for_user=MAYBE, by_user=TEXT, call_id=MAYBE_WHOLE, kept_by=MAYBE_WHOLE),
    "Order": _object(
        id=WHOLE, kind=TEXT, call_id=MAYBE_WHOLE, extension=TEXT, target=MAYBE,
        state={"enum": ["asked", "taken", "done", "refused"]}, reason=MAYBE),
    "Statistics": _object(
        since=TIME, until=TIME, **dict.fromkeys((
            "calls", "answered", "missed", "abandoned", "voicemail", "blocked", "withheld", "outgoing",
            "outgoing_answered"), WHOLE), mean_wait_ms=MAYBE_WHOLE, mean_talk_ms=MAYBE_WHOLE),
    "Health": _object(looked_at=MAYBE_TIME, is_well=YES, findings=_list(TEXT), version=TEXT),
    "Problem": {"type": "object", "required": ["type", "title", "status", "detail"], "properties": {
        "type": TEXT, "title": TEXT, "status": WHOLE, "detail": {
            "type": "string", "description": "A sentence for people: what happened and what to do."}}},
}
SCHEMAS |= {f"{name}Page": _page(name) for name in ("Call", "Contact", "Group", "Text", "Owed", "Callback")}


def call(db: sqlite3.Connection, it: history.Call) -> dict[str, Any]:
    note = notes.of_call(db, it.id)
    row = db.execute("SELECT disposition, mark FROM call WHERE id = ?", (it.id,)).fetchone()
    return {
        "id": it.id, "direction": it.direction, "number": it.number, "presentation": it.presentation,
        "caller_name": it.caller_name, "contact_id": it.contact_id, "contact_name": it.contact, "trunk": it.trunk,
        "extension": it.extension, "started_at": iso(it.started_at), "answered_at": _at(it.answered_at),
        "ended_at": _at(it.ended_at), "ring_ms": it.ring_ms, "talk_ms": it.talk_ms, "outcome": it.outcome,
        "disposition": row["disposition"] if row else None, "mark": row["mark"] if row else None,
        "note": note.text if note else None, "recording_ms": it.recording_ms, "text_state": it.text_state,
        "refusal": it.refusal}


def contact(it: Card) -> dict[str, Any]:
    return {
        "id": it.id, "name": it.name, "other_name": it.other_name, "company": it.company, "address": it.address,
        "birthday": it.birthday, "is_vip": it.is_vip, "is_blocked": it.is_blocked, "blocked_reason": it.blocked_reason,
        "numbers": [{"number": one.number, "label": one.label, "is_opted_out": one.is_opted_out} for one in it.numbers],
        "fields": [{"name": name, "value": value} for name, value in it.fields], "tags": list(it.tags),
        "groups": [{"id": group, "name": name} for group, name in it.groups],
        "created_at": iso(it.created_at), "updated_at": iso(it.updated_at)}


def text(db: sqlite3.Connection, sms_id: int) -> dict[str, Any] | None:
    """As a webhook tells it."""
    return postman.sms(db, sms_id)


def owed(it: Owed) -> dict[str, Any]:
    return {"number": it.number, "name": it.name, "contact_id": it.contact_id, "call_id": it.call_id, "at": iso(it.at),
            "times": it.times}


def callback(it: tocall.Callback) -> dict[str, Any]:
    return {"id": it.id, "number": it.number, "name": it.name, "about": it.about, "due_at": iso(it.due_at),
            "state": it.state, "for_user": it.for_user, "by_user": it.by_user, "call_id": it.call_id,
            "kept_by": it.kept_by}


def order(it: Order) -> dict[str, Any]:
    return {"id": it.id, "kind": it.kind, "call_id": it.call_id, "extension": it.extension, "target": it.target,
            "state": it.state, "reason": it.reason}


def page(items: list[Any], next_: str | None = None) -> dict[str, Any]:
    return {"items": items, "next": next_}


def _at(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
