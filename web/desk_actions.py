"""What a desk does from the pop: note, outcome, text, telephone, mute. Answers are JSON for its script; dialling and
the mute work without one too. A refusal is an answer like any other: {"refused": why}."""
from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance import settings
from appliance.calls import history, phone, tocall
from appliance.calls.events import announce
from appliance.calls.phone import OrderError
from appliance.people import changes, notes, numbers, seats
from appliance.people.cards import ContactError
from appliance.store import db as store
from appliance.texts import conversations, templates
from hw import pdu
from web import forms
from web.office import Office, header
from web.pop import chips
from web.tocall import here

LONGEST_TEXT = 1000
LATER_MIN = 15

Said = dict[str, Any]


def routes(app: bottle.Bottle, office: Office) -> None:
    for what, act in (("note", _note), ("outcome", _outcome), ("text", _text), ("phone", _phone)):
        app.post(f"/pop/{what}", callback=lambda act=act: act(office))
    app.get("/pop/canned", callback=lambda: _canned(office))
    app.get("/pop/order/<order_id:int>", callback=lambda order_id: _order(office, order_id))
    app.post("/pop/reminder/<callback_id:int>/<what:re:done|later>",
             callback=lambda callback_id, what: _reminder(office, callback_id, what))
    app.post("/pop/mute", callback=lambda: _mute(office))
    app.post("/dial", callback=lambda: _dial(office))


def _note(office: Office) -> Said:
    """Keeps the note of a call. `was` is what the desk knew of it: what another desk wrote since is not lost."""
    call_id, text, was = forms.row_id("call_id"), forms.field("note", notes.LONGEST), forms.field("was", notes.LONGEST)
    try:
        with store.write(office.db) as db:
            there = notes.of_call(db, call_id)
            now = there.text if there else ""
            if now != was and now not in text:
                text = now if text in now else f"{now}\n{text}"[:notes.LONGEST]
            if text != now:
                notes.keep(db, text, office.by, office.clock(), call_id=call_id)
                announce(db, "note", call_id, office.clock())
    except ContactError as gone:
        return {"refused": office.words(str(gone))}
    return {"said": office.words("Note saved.") if text else "", "note": text}


def _outcome(office: Office) -> Said:
    """Marks what a call was about; the mark it has takes it away."""
    call_id, wanted = forms.row_id("call_id"), forms.field("outcome", 60)
    if wanted and wanted not in chips(settings.read(office.db)):
        raise HTTPError(400)
    with store.write(office.db) as db:
        row = db.execute("SELECT disposition FROM call WHERE id = ?", (call_id,)).fetchone()
        if row is None:
            return {"refused": office.words("This call was deleted meanwhile.")}
        if row["disposition"] != (wanted or None):
            db.execute("UPDATE call SET disposition = ? WHERE id = ?", (wanted or None, call_id))
            changes.record(db, office.by, f"call {call_id}", {"disposition": row["disposition"]},
                           {"disposition": wanted or None}, office.clock(), call_id)
            announce(db, "note", call_id, office.clock())
    return {"disposition": wanted or None}


def _text(office: Office) -> Said:
    """Texts back whoever rang, as a person."""
    number, text = forms.field("number", 40), forms.field("text", LONGEST_TEXT)
    if not text:
        return {"refused": office.words("The text is empty. Write what they shall read.")}
    try:
        with store.write(office.db) as db:
            conversations.reply(db, office.box, number, text, office.clock())
    except (conversations.ConversationError, pdu.PduError) as refused:
        return {"refused": office.words(str(refused))}
    return {"said": office.words("The text is on its way.")}


def _canned(office: Office) -> Said:
    """The answers kept for quick use, as this one would read them."""
    number = request.query.getunicode("number", "")[:40]
    row = office.db.execute("""
        SELECT contact.name FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact_number.number = ?""", (number,)).fetchone()
    name = row["name"] if row else ""
    fields = {"shop": settings.read(office.db).shop_name, "number": number, "name": name,
              "first_name": name.partition(" ")[0]}
    found = []
    for title, text in conversations.canned(office.db):
        with contextlib.suppress(templates.TemplateError):
            found.append({"name": title, "text": templates.render(text, fields)})
    return {"canned": found}


def _phone(office: Office) -> Said:
    """Asks something of the telephone about a call that lives; what became of it comes as an event."""
    call_id, kind, to = forms.row_id("call_id"), forms.field("kind", 20), forms.field("to", 60)
    return _asked(office, lambda db: phone.ask(db, office.box, kind, call_id, office.my_phone, to, office.by,
                                               office.clock()))


def _dial(office: Office) -> Said | HTTPResponse:
    """Rings the own desk phone, then the number."""
    raw = forms.field("number", 60)
    known = numbers.e164(raw, office.box.country)
    who = numbers.shown(known, office.box.country) if known else raw
    answer = _asked(office, lambda db: phone.dial(db, office.box, office.my_phone, raw, office.by, office.clock()))
    answer.setdefault("said", office.words("Your telephone rings. Lift it, and the box dials %(number)s.", number=who))
    if "application/json" in header("Accept"):
        return answer
    return office.done(here(forms.field("back", 200)), answer.get("refused") or answer["said"])


def _asked(office: Office, ask: Callable[[sqlite3.Connection], int]) -> Said:
    try:
        with store.write(office.db) as db:
            return {"order": ask(db)}
    except OrderError as refused:
        return {"refused": office.words.said(str(refused))}


def _order(office: Office, order_id: int) -> Said:
    """What became of something that was asked of the telephone by this user."""
    row = office.db.execute("SELECT state, reason FROM phone_order WHERE id = ? AND by_user = ?",
                            (order_id, office.by)).fetchone() if 0 < order_id <= history.LARGEST_ID else None
    if row is None:
        raise HTTPError(404)
    return {"state": row["state"], "refused": office.words.said(row["reason"]) if row["reason"] else ""}


def _reminder(office: Office, callback_id: int, what: str) -> Said:
    """A promised call-back is done, or comes back in a quarter of an hour."""
    now = office.clock()
    if tocall.one(office.db, callback_id) is None:
        raise HTTPError(404)
    with store.write(office.db) as db:
        is_done = tocall.end(db, callback_id, "done", now) if what == "done" \
            else tocall.put_off(db, callback_id, now + timedelta(minutes=LATER_MIN), now)
    return {"said": office.words("Done.") if what == "done" else office.words("In a quarter of an hour again.")} \
        if is_done else {"said": office.words("That was settled already.")}


def _mute(office: Office) -> Said | HTTPResponse:
    """Calls ring aloud in this user's browsers, or rise in silence."""
    assert office.session is not None
    is_muted = forms.ticked("muted")
    with store.write(office.db) as db:
        seats.mute(db, office.session.user_id, is_muted)
    said = office.words("Calls rise here in silence.") if is_muted else office.words("Calls ring here.")
    if "application/json" in header("Accept"):
        return {"said": said, "muted": is_muted}
    return office.done(here(forms.field("back", 200)), said)
