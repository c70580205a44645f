"""Getting in and out: the first run with the code of the sticker, log in, log out."""
from __future__ import annotations

import time

import bottle
from bottle import HTTPResponse, request, response

from appliance.people import users
from web import auth
from web.office import Office, go

SETUP = "first run"      # what the lockout counts wrong codes under; no user's name is tried there


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/setup", callback=lambda: _setup_page(office))
    app.post("/setup", callback=lambda: _setup(office))
    app.get("/login", callback=lambda: _login_page(office))
    app.post("/login", callback=lambda: _login(office))
    app.post("/logout", callback=lambda: _logout(office), role="any")


def _setup_page(office: Office, problem: str = "", name: str = "", code: str = "") -> str | HTTPResponse:
    if not users.is_first_run(office.db):
        return go("/login")
    return office.render("setup.html", problem=problem, name=name, code=code, least=users.MIN_PASSWORD)


def _setup(office: Office) -> str | HTTPResponse:
    words, form = office.words, request.forms
    code, name, password = (form.getunicode(key, "") for key in ("code", "name", "password"))
    if not users.is_first_run(office.db):
        return go("/login")
    if wait := _locked(office, SETUP):
        return _setup_page(office, wait, name, code)
    if not users.is_code(office.box, code):
        office.lockout.wrong(SETUP, _address(), time.monotonic())
        response.status = 403
        return _setup_page(office, words("That is not the code of this box. It stands on the sticker, "
                                         "and on the screen where the box was started."), name, code)
    if password != form.getunicode("again", ""):
        response.status = 400
        return _setup_page(office, words("The two passwords differ. Type the same one twice."), name, code)
    try:
        user_id = users.add_first(office.db, name, password, office.clock())
    except users.UserError as refused:
        response.status = 400
        return _setup_page(office, words(str(refused)), name, code)
    return _enter(office, user_id) if user_id else go("/login")


def _login_page(office: Office, problem: str = "", name: str = "") -> str | HTTPResponse:
    if users.is_first_run(office.db):
        return go("/setup")
    if office.session:
        return go("/")
    return office.render("login.html", problem=problem, name=name)


def _login(office: Office) -> str | HTTPResponse:
    name = request.forms.getunicode("name", "").strip()
    if wait := _locked(office, name):
        return _login_page(office, wait, name)
    user_id = users.verify(office.db, name, request.forms.getunicode("password", ""))
    if user_id is None:
        office.lockout.wrong(name, _address(), time.monotonic())
        response.status = 403
        return _login_page(office, office.words("Name and password do not belong together."), name)
    office.lockout.right(name, _address())
    return _enter(office, user_id)


def _logout(office: Office) -> HTTPResponse:
    if office.session:
        auth.log_out(office.db, office.session.key)
    response.delete_cookie(auth.COOKIE, path="/")
    return go("/login")


def _enter(office: Office, user_id: int) -> HTTPResponse:
    if office.session:                     # logging in again ends what was there before
        auth.log_out(office.db, office.session.key)
    office.set_cookie(auth.COOKIE, auth.log_in(office.db, user_id, office.clock()))
    response.delete_cookie(auth.FORM_COOKIE, path="/")
    return go("/")


def _locked(office: Office, name: str) -> str:
    """The sentence to show while this name has to wait, empty when it may be tried."""
    wait_s = office.lockout.wait_s(name, _address(), time.monotonic())
    if not wait_s:
        return ""
    response.status = 429
    response.set_header("Retry-After", str(wait_s))
    return office.words.plural("Too many wrong tries. Wait %(n)s second, then try again.",
                               "Too many wrong tries. Wait %(n)s seconds, then try again.", wait_s)


def _address() -> str:
    return str(request.environ.get("REMOTE_ADDR", ""))
