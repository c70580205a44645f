"""What is kept for use: templates, answers to a word; and the numbers that want no texts."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import settings
from appliance.people import changes
from appliance.store import db as store
from appliance.store.db import parse_time
from appliance.texts import keywords, lists, optouts, templates
from web import forms
from web.language import N_
from web.office import Office
from web.textwords import Writer
from web.undo import Back
from web.write import measures

SOURCES = {"reply": N_("They texted “%(word)s”"), "person": N_("Noted by a person"), "import": N_("Came with a list")}


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/templates", callback=lambda: _templates(office))
    app.post("/templates", callback=lambda: _save_template(office))
    app.post("/templates/remove", callback=lambda: _remove_template(office))
    app.post("/templates/word", callback=lambda: _save_word(office))
    app.post("/templates/word/remove", callback=lambda: _remove_word(office))
    app.get("/optouts", callback=lambda: _optouts(office))
    app.post("/optouts", callback=lambda: _add_optout(office))
    app.post("/optouts/remove", callback=lambda: _remove_optout(office))


def _templates(office: Office, problem: str = "", given: dict[str, object] | None = None) -> str:
    listed, edited = templates.listed(office.db), forms.asked_id("edit") if request.method == "GET" else None
    one = next((kept for kept in listed if kept.id == edited), None)
    if edited and one is None:
        raise HTTPError(404)
    given = given or ({"id": one.id, "name": one.name, "text": one.text, "is_canned": one.is_canned} if one
                      else {"id": "", "name": "", "text": "", "is_canned": False})
    return office.render("templates.html", listed=listed, given=given, problem=problem,
                         words_=keywords.every(office.db), fields=sorted(templates.known_fields(office.db)),
                         **measures(office, str(given["text"])))


def _save_template(office: Office) -> str | HTTPResponse:
    given: dict[str, object] = {"id": forms.field("id"), "name": forms.field("name", 60),
                                "text": forms.field("text", 1000), "is_canned": forms.ticked("is_canned")}
    try:
        with store.write(office.db) as db:
            template_id = forms.row_id() if given["id"] else None
            old = next((kept for kept in templates.listed(db) if kept.id == template_id), None)
            templates.save(db, str(given["name"]), str(given["text"]), templates.known_fields(db),
                           bool(given["is_canned"]), template_id)
            _note(office, db, f"template {given['name']}", old and {"name": old.name, "text": old.text},
                  {"name": given["name"], "text": given["text"]})
    except templates.TemplateError as refused:
        response.status = 400
        return _templates(office, office.words(str(refused)), given)
    return office.done("/templates", office.words("“%(name)s” is kept.", name=given["name"]))


def _remove_template(office: Office) -> HTTPResponse:
    template_id = forms.row_id()
    with store.write(office.db) as db:
        one = next((kept for kept in templates.listed(db) if kept.id == template_id), None)
        templates.delete(db, template_id)
        if one is not None:
            _note(office, db, f"template {one.name}", {"name": one.name, "text": one.text}, None)
    if one is None:
        return office.done("/templates", office.words("It was removed already."))
    back = _again("INSERT OR IGNORE INTO template (id, name, text, is_canned) VALUES (?, ?, ?, ?)",
                  one.id, one.name, one.text, one.is_canned)
    return office.done("/templates", office.words("“%(name)s” removed.", name=one.name), back)


def _save_word(office: Office) -> str | HTTPResponse:
    word, answer = forms.field("word", 60), forms.field("answer", 1000)
    try:
        with store.write(office.db) as db:
            kept = keywords.save(db, word, answer, settings.read(db).stop_words)
            _note(office, db, f"keyword {kept.upper()}", None, {"answer": answer})
    except keywords.KeywordError as refused:
        response.status = 400
        return _templates(office, office.words(str(refused)))
    return office.done("/templates#words", office.words("“%(name)s” is kept.", name=kept.upper()))


def _remove_word(office: Office) -> HTTPResponse:
    word = forms.field("word", 60)
    with store.write(office.db) as db:
        one = next((kept for kept in keywords.every(db) if kept.word == word), None)
        keywords.remove(db, word)
        if one is not None:
            _note(office, db, f"keyword {one.word.upper()}", {"answer": one.answer}, None)
    if one is None:
        return office.done("/templates#words", office.words("It was removed already."))
    back = _again("INSERT OR IGNORE INTO keyword (word, answer) VALUES (?, ?)", one.word, one.answer)
    return office.done("/templates#words", office.words("“%(name)s” removed.", name=one.word.upper()), back)


def _optouts(office: Office, problem: str = "", raw: str = "") -> str:
    at, number = request.query.get("before", ""), request.query.getunicode("number", "")
    try:
        before = optouts.Key(store.iso(parse_time(at)), number) if at else None
    except ValueError:
        raise HTTPError(404) from None
    words = office.words
    page = optouts.page(office.db, before)
    why = {one.number: words(SOURCES[one.source], word=one.word or "STOP") for one in page.opt_outs}
    return office.render("optouts.html", page=page, before=before, why=why, count=optouts.count(office.db),
                         problem=problem, raw=raw, writer=Writer(office.box, words, office.clock()))


def _add_optout(office: Office) -> str | HTTPResponse:
    raw = forms.field("number", 40)
    try:
        if lists.e164(raw, office.box.country) is None:
            raise optouts.OptOutError(lists.why_no_number(raw))
        with store.write(office.db) as db:
            number = optouts.note(db, raw, office.box.country, office.clock())
            _note(office, db, f"opt-out {number}", None, {"number": number})
    except optouts.OptOutError as refused:
        response.status = 400
        return _optouts(office, office.words(str(refused)), raw)
    shown = Writer(office.box, office.words, office.clock()).number(number)
    return office.done("/optouts", office.words("%(number)s gets no more texts.", number=shown),
                       lambda db: optouts.remove(db, number))


def _remove_optout(office: Office) -> HTTPResponse:
    number = forms.field("number", 40)
    row = office.db.execute("SELECT * FROM opt_out WHERE number = ?", (number,)).fetchone()
    with store.write(office.db) as db:
        if not optouts.remove(db, number) or row is None:
            return office.done("/optouts", office.words("It was removed already."))
        _note(office, db, f"opt-out {number}", {"number": number}, None)
    shown = Writer(office.box, office.words, office.clock()).number(number)
    return office.done("/optouts", office.words("%(number)s may be texted again.", number=shown),
                       _again("INSERT OR IGNORE INTO opt_out (number, at, source, word) VALUES (?, ?, ?, ?)",
                              row["number"], row["at"], row["source"], row["word"]))


def _note(office: Office, db: sqlite3.Connection, what: str, before: object, after: object) -> None:
    changes.record(db, office.by, what, before, after, office.clock())


def _again(sql: str, *values: object) -> Back:
    """Puts a removed row back as it was."""
    put: Callable[..., object] = lambda db: db.execute(sql, values)      # noqa: E731
    return put
