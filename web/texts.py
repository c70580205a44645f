"""The texts on their way and what became of them; the two buttons of an unknown one."""
from __future__ import annotations

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.store import db as store
from appliance.texts import guards, listing, optouts, outbox
from web import forms
from web.office import Office
from web.textwords import Writer

SHOWS = ("waiting", "sent", "unknown", "failed")


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/texts/list", callback=lambda: _list(office))
    app.post("/texts/again", callback=lambda: _again(office))
    app.post("/texts/arrived", callback=lambda: _arrived(office))
    app.post("/texts/cancel", callback=lambda: _cancel(office))


def _list(office: Office) -> str:
    show, before = request.query.get("show", "waiting"), forms.asked_id("before")
    if show not in SHOWS:
        raise HTTPError(404)
    is_waiting = show == "waiting"
    page = listing.Page(listing.waiting(office.db), None) if is_waiting else listing.page(office.db, show, before)
    return office.render("texts.html", tab="list", show=show, before=before, page=page,
                         crowds=listing.crowds(office.db) if is_waiting else [], counts=listing.counts(office.db),
                         writer=Writer(office.box, office.words, office.clock()))


def _again(office: Office) -> HTTPResponse:
    sms_id, back = forms.row_id(), _back()
    with store.write(office.db) as db:
        new_id = outbox.send_again(db, sms_id, office.clock())
    if new_id is None and (text := listing.one(office.db, sms_id)) and optouts.has(office.db, text.number):
        return office.done(back, office.words(guards.OPTED_OUT.reason))
    if new_id is None:
        return office.done(back, office.words("Nothing was sent: somebody was quicker, or word of it came meanwhile."))
    return office.done(back, office.words("Sent again: it goes out next."))


def _arrived(office: Office) -> HTTPResponse:
    sms_id, back = forms.row_id(), _back()
    with store.write(office.db) as db:
        if not outbox.mark_settled(db, sms_id, office.clock()):
            return office.done(back, office.words("Nothing was changed: word of it came meanwhile."))
    return office.done(back, office.words("Noted that it arrived."))


def _cancel(office: Office) -> HTTPResponse:
    sms_id, now = forms.row_id(), office.clock()
    with store.write(office.db) as db:
        text = listing.one(db, sms_id)
        outbox.drop(db, sms_id, "cancelled", "Called off by a person.", now)
        gone = listing.one(db, sms_id)
    if text is None or gone is None or text.state != "queued" or gone.state != "cancelled":
        return office.done(_back(), office.words("Too late: it is on its way already."))
    return office.done(_back(), office.words("Called off. Nothing was sent."))


def _back() -> str:
    """Where the button stood: one of our own pages about texts."""
    path = forms.field("back", 200)
    return path if path.startswith(("/texts", "/campaign")) and "\n" not in path else "/texts/list?show=unknown"
