"""Conversations by number: the list, one with its reply, a new text to one number."""
from __future__ import annotations

import contextlib
import sqlite3
from itertools import groupby
from urllib.parse import quote

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import settings
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import conversations, listing, lists, optouts, templates
from hw import pdu
from web import forms
from web.office import Office, go
from web.textwords import Writer
from web.write import measures

LONGEST_TEXT = 1000


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/texts", callback=lambda: _list(office))
    app.get("/texts/with", callback=lambda: _thread(office, request.query.getunicode("number", "")))
    app.post("/texts/with", callback=lambda: _reply(office))
    app.get("/texts/new", callback=lambda: _new_page(office))
    app.post("/texts/new", callback=lambda: _new(office))


def _list(office: Office) -> str:
    before, unread_only = forms.asked_id("before"), request.query.get("show") == "unread"
    page = conversations.page(office.db, before, unread_only=unread_only)
    news = {talk.number: _news(office.db, talk.number) for talk in page.conversations
            if talk.unread and talk.last.direction == "out"}
    return office.render("conversations.html", tab="conversations", page=page, before=before, news=news,
                         unread_only=unread_only, counts=listing.counts(office.db), writer=_writer(office))


def _news(db: sqlite3.Connection, number: str) -> str:
    """The last unread text of a number to which something of ours went meanwhile."""
    return str(db.execute("""
        SELECT text
        FROM sms
        WHERE number = ? AND direction = 'in' AND read_at IS NULL
        ORDER BY id DESC
        LIMIT 1""", (number,)).fetchone()["text"])


def _thread(office: Office, number: str, problem: str = "", text: str = "") -> str:
    before = forms.asked_id("before") if request.method == "GET" else None
    thread, talk = conversations.thread(office.db, number, before), conversations.one(office.db, number)
    if not thread.texts:
        raise HTTPError(404)
    if not before:
        _mark_read(office, number, thread.texts[-1].id)
    words = office.words
    days = [(day, list(texts)) for day, texts in groupby(thread.texts, lambda text: words.local(text.at).date())]
    name = talk.name if talk else _name(office.db, number)
    return office.render("thread.html", number=number, name=name, days=days, older=thread.older, before=before,
                         can_answer=numbers.kind(number) is numbers.Kind.MOBILE, problem=problem, text=text,
                         opted_out=optouts.has(office.db, number), canned=_canned(office, number, name),
                         writer=_writer(office), **measures(office, text))


def _reply(office: Office) -> str | HTTPResponse:
    number, text = forms.field("number", 40), forms.field("text", LONGEST_TEXT)
    try:
        _send(office, number, text)
    except (conversations.ConversationError, pdu.PduError) as refused:
        response.status = 400
        return _thread(office, number, office.words(str(refused)), text)
    return go(f"/texts/with?number={_quoted(number)}#end")


def _new_page(office: Office, problem: str = "", number: str = "", text: str = "") -> str:
    return office.render("newtext.html", problem=problem, number=number or request.query.getunicode("number", "")[:40],
                         text=text, canned=_canned(office, "", None), **measures(office, text))


def _new(office: Office) -> str | HTTPResponse:
    raw, text = forms.field("number", 40), forms.field("text", LONGEST_TEXT)
    number = lists.e164(raw, office.box.country)
    try:
        if number is None:
            raise conversations.ConversationError(lists.why_no_number(raw) if raw else "Write the number to text.")
        _send(office, number, text)
    except (conversations.ConversationError, pdu.PduError) as refused:
        response.status = 400
        return _new_page(office, office.words(str(refused)), raw, text)
    return go(f"/texts/with?number={_quoted(number)}#end")


def _send(office: Office, number: str, text: str) -> None:
    if not text:
        raise conversations.ConversationError("The text is empty. Write what they shall read.")
    with store.write(office.db) as db:
        conversations.reply(db, office.box, number, text, office.clock())


def _mark_read(office: Office, number: str, up_to: int) -> None:
    """What was shown is read. A store that cannot be written is no reason not to show it."""
    if not office.db.execute("SELECT 1 FROM sms WHERE number = ? AND direction = 'in' AND read_at IS NULL",
                             (number,)).fetchone():
        return
    try:
        with store.write(office.db) as db:
            conversations.mark_read(db, number, up_to, office.clock())
    except sqlite3.OperationalError:
        return


def _canned(office: Office, number: str, name: str | None) -> list[tuple[str, str]]:
    """(name, text) of the kept answers as this one would read them, without those in which a field stays empty."""
    fields = {"shop": settings.read(office.db).shop_name, "number": number, "name": name or "",
              "first_name": (name or "").partition(" ")[0]}
    found = []
    for title, text in conversations.canned(office.db):
        with contextlib.suppress(templates.TemplateError):
            found.append((title, templates.render(text, fields)))
    return found


def _name(db: sqlite3.Connection, number: str) -> str | None:
    row = db.execute("""
        SELECT contact.name
        FROM contact JOIN contact_number ON contact_number.contact_id = contact.id
        WHERE contact_number.number = ?""", (number,)).fetchone()
    return row["name"] if row else None


def _quoted(number: str) -> str:
    return quote(number, safe="")


def _writer(office: Office) -> Writer:
    return Writer(office.box, office.words, office.clock())
