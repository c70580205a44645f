"""A call's own page: its recording, all that happened, the note and the mark of who listened."""
from __future__ import annotations

import sqlite3

import bottle
from bottle import HTTPError, HTTPResponse

from appliance.calls import history, library, listening, retention
from appliance.calls.events import announce
from appliance.people import changes, notes
from appliance.people.cards import ContactError
from appliance.store import db as store
from web import forms, player
from web.journey import NO_NEWS, Teller
from web.language import N_
from web.office import Office

MARKS = {"good": (N_("Good"), N_("Marked as good.")), "complaint": (N_("Complaint"), N_("Marked as a complaint.")),
         "training": (N_("Training"), N_("Marked for training."))}


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/call/<call_id:int>", callback=lambda call_id: _call(office, call_id))
    app.post("/call/<call_id:int>/note", callback=lambda call_id: _note(office, call_id))
    app.post("/call/<call_id:int>/mark", callback=lambda call_id: _mark(office, call_id))
    app.post("/recording/<call_id:int>/star", callback=lambda call_id: _star(office, call_id))
    app.post("/recording/<call_id:int>/delete", callback=lambda call_id: _delete(office, call_id), role="owner")


def _call(office: Office, call_id: int) -> str:
    story = history.story(office.db, call_id)
    if story is None:
        raise HTTPError(404)
    teller = Teller(office.box, office.words)
    row, tape = teller.row(story.call), library.tape(office.db, call_id)
    refusals = [refusal.reason for refusal in story.refusals if refusal.code not in NO_NEWS]
    return office.render("call.html", story=story, row=row, steps=teller.steps(story),
                         refusal=teller.refused(refusals[0]) if refusals else "",
                         texts=[(text, teller.text(text)) for text in story.texts],
                         player=player.of(tape, row, teller) if tape else None,
                         note=notes.of_call(office.db, call_id), mark=library.mark_of(office.db, call_id), marks=MARKS,
                         listeners=listening.of(office.db, call_id) if tape and office.may("owner") else [])


def _note(office: Office, call_id: int) -> HTTPResponse:
    by, now, before = _who(office), office.clock(), notes.of_call(office.db, call_id)
    text = forms.field("note", notes.LONGEST)
    if text == (before.text if before else ""):
        return office.done(f"/call/{call_id}", office.words("Nothing was changed."))
    try:
        with store.write(office.db) as db:
            notes.keep(db, text, by, now, call_id=call_id)
            announce(db, "note", call_id, now)
    except ContactError:
        raise HTTPError(404) from None
    said = office.words("Note saved.") if text else office.words("Note removed.")
    return office.done(f"/call/{call_id}", said, lambda db: _note_back(db, call_id, before, by, office))


def _note_back(db: sqlite3.Connection, call_id: int, before: notes.Note | None, by: str, office: Office) -> None:
    notes.keep(db, "", by, office.clock(), call_id=call_id)
    if before:
        notes.put_back(db, before)


def _mark(office: Office, call_id: int) -> HTTPResponse:
    by, now = _who(office), office.clock()
    wanted, before = forms.field("mark") or None, library.mark_of(office.db, call_id)
    if history.one(office.db, call_id) is None:
        raise HTTPError(404)
    if wanted is not None and wanted not in MARKS:
        raise HTTPError(400)

    def put(db: sqlite3.Connection, new: str | None, old: str | None) -> None:
        library.mark(db, call_id, new)
        changes.record(db, by, f"call {call_id}", {"mark": old}, {"mark": new}, now, call_id)
    with store.write(office.db) as db:
        put(db, wanted, before)
    said = office.words(MARKS[wanted][1]) if wanted else office.words("Mark taken away.")
    return office.done(f"/call/{call_id}", said, lambda db: put(db, before, wanted))


def _star(office: Office, call_id: int) -> HTTPResponse:
    """Keeps a recording for ever, or no longer: it goes then when its days are over."""
    is_starred = forms.ticked("star")

    def put(db: sqlite3.Connection, is_kept: bool) -> bool:
        is_there = library.star(db, call_id, is_kept)
        if is_there:
            changes.record(db, _who(office), "recording", {"is_starred": not is_kept}, {"is_starred": is_kept},
                           office.clock(), call_id)
        return is_there
    with store.write(office.db) as db:
        if not put(db, is_starred):
            raise HTTPError(404)
    said = office.words("Kept for good.") if is_starred else office.words("Kept no longer than the others.")
    return office.done(_back(call_id), said, lambda db: put(db, not is_starred))


def _delete(office: Office, call_id: int) -> HTTPResponse:
    by, now = _who(office), office.clock()
    with store.write(office.db) as db:
        if not retention.delete(db, call_id, by, now):
            raise HTTPError(404)
    return office.done(f"/call/{call_id}", office.words("Recording deleted."),
                       lambda db: retention.restore(db, call_id, by, office.clock()))


def _back(call_id: int) -> str:
    """Where the button stood: in the list, or on the call's page."""
    return f"/recordings?open={call_id}" if forms.field("from") == "list" else f"/call/{call_id}"


def _who(office: Office) -> str:
    assert office.session is not None
    return office.session.user
