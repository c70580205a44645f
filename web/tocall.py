"""To call: what was promised and when, and the lists that whoever is free works through."""
from __future__ import annotations

from datetime import datetime, timedelta

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance.calls import calllist, tocall
from appliance.calls.tocall import Callback, CallbackError
from appliance.people import users
from appliance.store import db as store
from web import forms
from web.language import N_
from web.office import Office
from web.textwords import Writer

PAGE = "/tocall"
SHOWN_DONE = timedelta(hours=12)
LATER = ((15, N_("in 15 minutes")), (60, N_("in an hour")), (24 * 60, N_("tomorrow at this time")),
         (7 * 24 * 60, N_("in a week")))


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(PAGE, callback=lambda: _page(office))
    app.get(f"{PAGE}/new", callback=lambda: _new(office, _asked(office)))
    app.post(f"{PAGE}/new", callback=lambda: _add(office))
    app.post(f"{PAGE}/callback/<callback_id:int>/<what:re:done|cancel|later|reopen>",
             callback=lambda callback_id, what: _turn(office, callback_id, what))


def _page(office: Office) -> str:
    now = office.clock()
    assert office.session is not None
    lists = [(it, calllist.progress(office.db, it.id, now)) for it in calllist.listed(office.db)]
    mine = {one.call_list_id: one for one in calllist.held(office.db, office.session.user, now)}
    held = {it.id: mine.get(it.id) for it, _ in lists}
    return office.render("tocall.html", due=tocall.due(office.db, now), coming=tocall.coming(office.db, now),
                         ended=tocall.ended(office.db, now - SHOWN_DONE), lists=lists, held=held, later=LATER,
                         writer=Writer(office.box, office.words, now))


def _asked(office: Office) -> dict[str, str]:
    """The form as an address asks for it: a number, or a call that has one."""
    number, call_id = request.query.getunicode("number", ""), forms.asked_id("call")
    if call_id and (row := office.db.execute("SELECT number FROM call WHERE id = ?", (call_id,)).fetchone()):
        number = number or row["number"] or ""
    soon = office.words.local(office.clock()) + timedelta(hours=1)
    return {"number": number, "about": "", "day": f"{soon:%Y-%m-%d}", "hour": f"{soon:%H}:00", "for_user": "",
            "call_id": str(call_id or "")}


def _new(office: Office, given: dict[str, str], problem: str = "") -> str:
    name = office.db.execute("""
        SELECT contact.name FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact_number.number = ?""", (given["number"],)).fetchone()
    if problem:
        response.status = 400
    return office.render("callback.html", given=given, problem=problem, name=name["name"] if name else "",
                         users=[user.name for user in users.listed(office.db)],
                         writer=Writer(office.box, office.words, office.clock()))


def _add(office: Office) -> str | HTTPResponse:
    assert office.session is not None
    given = {key: forms.field(key, tocall.LONGEST) for key in ("number", "about", "day", "hour", "for_user", "call_id")}
    now = office.clock()
    at = local_time(office, given["day"], given["hour"])
    if at is None:
        return _new(office, given, office.words("A day and an hour are wanted, such as 24.12. at 15:00."))
    known = {user.name for user in users.listed(office.db)}
    try:
        with store.write(office.db) as db:
            made = tocall.add(db, given["number"], given["about"], at, office.session.user, office.box.country, now,
                              given["for_user"] if given["for_user"] in known else None,
                              int(given["call_id"]) if forms.ID.fullmatch(given["call_id"]) else None)
    except CallbackError as refused:
        return _new(office, given, office.words(str(refused)))
    writer = Writer(office.box, office.words, now)
    return office.done(PAGE, office.words("Noted: to be rung %(when)s.", when=writer.when(at)),
                       lambda db: db.execute("DELETE FROM callback WHERE id = ?", (made,)))


def local_time(office: Office, day: str, hour: str) -> datetime | None:
    """The moment that shows so on the shop's clock, None for what is none."""
    try:
        return datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=office.words.zone)
    except ValueError:
        return None


def _turn(office: Office, callback_id: int, what: str) -> HTTPResponse:
    was, now, words = _one(office, callback_id), office.clock(), office.words
    back_to = here(forms.field("back", 200))
    if what == "later":
        minutes = forms.number_or(forms.field("minutes"), 60)
        due_at = max(now, was.due_at if minutes >= 24 * 60 else now) + timedelta(minutes=min(minutes, 366 * 24 * 60))
        with store.write(office.db) as db:
            is_done = tocall.put_off(db, callback_id, due_at, now)
        said = words("Put off: %(when)s.", when=Writer(office.box, words, now).when(due_at))
        return office.done(back_to, said if is_done else words("That was settled already."),
                           (lambda db: tocall.put_off(db, callback_id, was.due_at, now)) if is_done else None)
    if what == "reopen":
        with store.write(office.db) as db:
            tocall.reopen(db, callback_id, now)
        return office.done(back_to, words("It is to be done again."))
    with store.write(office.db) as db:
        is_done = tocall.end(db, callback_id, "done" if what == "done" else "cancelled", now)
    said = words("Done.") if what == "done" else words("Called off.")
    return office.done(back_to, said if is_done else words("That was settled already."),
                       (lambda db: tocall.reopen(db, callback_id, now)) if is_done else None)


def here(path: str) -> str:
    """The page of ours to go back to; a form cannot send a browser elsewhere."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else PAGE


def _one(office: Office, callback_id: int) -> Callback:
    found = tocall.one(office.db, callback_id) if 0 < callback_id < 2**63 else None
    if found is None:
        raise HTTPError(404)
    return found
