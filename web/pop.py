"""What a desk is told of a call: the body of an event, plain data that the page writes as text."""
from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from appliance.calls import history, known, phone, tocall
from appliance.config import Box
from appliance.people import notes, numbers
from appliance.settings import Settings
from appliance.store.db import iso
from web import origins

MOST_CHIPS = 12


def chips(house: Settings) -> list[str]:
    """What a call can have been about, from the owner's own list."""
    return list(dict.fromkeys(one.strip() for one in house.dispositions.split(",") if one.strip()))[:MOST_CHIPS]


class Teller:
    """Builds the bodies from the rows as they are now."""

    def __init__(self, box: Box, db: sqlite3.Connection) -> None:
        self.box = box
        self.db = db
        self.trunks = {trunk.key: trunk.name for trunk in box.trunks}
        self.extensions = {extension.number: extension.name for extension in box.extensions}
        numbers.shown("+493012345678", box.country)      # the first look at a country's rules takes a while

    def event(self, event: history.Event, now: datetime) -> dict[str, Any]:
        """One event: its kind, when, and the call it is about."""
        body: dict[str, Any] = {"kind": event.kind, "at": iso(event.at), "call_id": event.call_id}
        if event.callback_id is not None:
            return body | self.promise(event.callback_id)
        call = history.one(self.db, event.call_id) if event.call_id is not None else None
        return body | self.call(call, now, event.kind == "ringing") if call else body

    def promise(self, callback_id: int) -> dict[str, Any]:
        """A promised call-back as it is now; nothing but its id when it is gone or settled."""
        found = tocall.one(self.db, callback_id)
        if found is None or found.state != "open":
            return {"callback_id": callback_id}
        return {"callback_id": callback_id, "name": found.name or None, "number": found.number,
                "shown": numbers.shown(found.number, self.box.country), "about": found.about,
                "due_at": iso(found.due_at), "for_user": found.for_user}

    def now(self, now: datetime) -> dict[str, Any]:
        """What rings and talks at this moment: the truth for a page that has just come."""
        return {"kind": "now", "at": iso(now), "calls": [self.call(call, now) for call in history.live(self.db)]}

    def call(self, call: history.Call, now: datetime, is_new: bool = False) -> dict[str, Any]:
        """One call; `age_ms` since it began, so that a browser's wrong clock does no harm.

        While it lives also what is known of the caller; after that a desk keeps what it was told. is_new: the desk
        hears of it for the first time, maybe late.
        """
        number = call.number if call.presentation == "allowed" else None
        body = {
            "call_id": call.id,
            "state": "ringing" if call.is_ringing else "talking" if call.is_live else "ended",
            "direction": call.direction,
            "name": call.name,
            "contact": call.contact,
            "contact_id": call.contact_id,
            "number": call.number,
            "shown": self.shown(call),
            "presentation": call.presentation,
            **origins.everywhere(number, self.box.country),
            "trunk": self.trunks.get(call.trunk or "", call.trunk),
            "trunk_key": call.trunk,
            "extension": self.extensions.get(call.extension or "", call.extension),
            "extension_number": call.extension,
            "outcome": call.outcome,
            "text": call.text_state,
            "refusal": call.refusal,
            "is_recorded": call.recording_ms is not None,
            "started_at": iso(call.started_at),
            "answered_at": iso(call.answered_at) if call.answered_at else None,
            "ended_at": iso(call.ended_at) if call.ended_at else None,
            "ring_ms": call.ring_ms,
            "talk_ms": call.talk_ms,
            "age_ms": max(0, round((now - call.started_at).total_seconds() * 1000)),
            **self._written(call.id),
        }
        if call.is_live:
            body |= self._phone(call)
        return body | (self._known(call, now) if call.is_live or is_new else {"last": []})

    def shown(self, call: history.Call) -> str | None:
        """The number as people write it here; None when the line gave none to show."""
        if call.presentation != "allowed":
            return None
        return numbers.shown(call.number, self.box.country) if call.number else call.caller_id or None

    def _written(self, call_id: int) -> dict[str, Any]:
        """What the desks wrote of this call: its note and what it was about."""
        note = notes.of_call(self.db, call_id)
        row = self.db.execute("SELECT disposition FROM call WHERE id = ?", (call_id,)).fetchone()
        return {"note": {"text": note.text, "by": note.by} if note else None, "disposition": row["disposition"]}

    def _phone(self, call: history.Call) -> dict[str, Any]:
        """How the call stands by what was asked of the telephone, and the last that was asked."""
        if call.is_ringing:
            return {"phone": "", "order": None}
        last = self.db.execute("SELECT id, kind, extension, state, reason FROM phone_order WHERE call_id = ? "
                               "ORDER BY id DESC LIMIT 1", (call.id,)).fetchone()
        return {"phone": phone.standing(self.db, call.id), "order": dict(last) if last else None}

    def _known(self, call: history.Call, now: datetime) -> dict[str, Any]:
        its = known.of(self.db, call.number, call.contact_id, call.id, now)
        return {
            "last": [self._past(past) for past in history.latest_of(self.db, call)],
            "card": {"company": its.face.company, "is_vip": its.face.is_vip, "is_blocked": its.face.is_blocked,
                     "blocked_reason": its.face.blocked_reason, "labels": its.face.labels} if its.face else None,
            "before": {"text": its.note.text, "by": its.note.by, "at": iso(its.note.at)} if its.note else None,
            "owed": {"times": its.owed, "at": iso(its.owed_at)} if its.owed_at else None,
            "promised": [{"about": one.about, "due_at": iso(one.due_at), "for_user": one.for_user}
                         for one in its.promised],
            "unread": {"count": its.unread, "text": its.unread_text} if its.unread else None,
            "waiting": its.waiting,
            "takes_texts": bool(call.number) and numbers.kind(call.number or "") is numbers.Kind.MOBILE,
        }

    def _past(self, past: history.Call) -> dict[str, Any]:
        return {"call_id": past.id, "direction": past.direction, "outcome": past.outcome,
                "started_at": iso(past.started_at), "ring_ms": past.ring_ms, "talk_ms": past.talk_ms,
                "extension": self.extensions.get(past.extension or "", past.extension)}
