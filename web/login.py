"""Getting in and out: the first run with the code of the sticker, an invitation, log in, its code, log out."""
from __future__ import annotations

import time

import bottle
from bottle import HTTPResponse, request, response

from appliance.people import changes, invitations, totp, users
from appliance.store import db as store
from web import auth, firstwords, wizard, wizard_steps
from web.office import Office, go, header

SETUP = "first run"      # what the lockout counts wrong codes under; no user's name is tried there
WELCOME = "invitation"
CODE_TRIES = 5           # then the password is asked for once more


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/setup", callback=lambda: _setup_page(office, code=request.query.getunicode("code", "")[:40]))
    app.post("/setup", callback=lambda: _setup(office))
    app.get("/login", callback=lambda: _login_page(office))
    app.post("/login", callback=lambda: _login(office))
    app.get("/login/code", callback=lambda: _code_page(office))
    app.post("/login/code", callback=lambda: _code(office))
    app.get("/welcome", callback=lambda: _welcome_page(office, code=request.query.getunicode("code", "")))
    app.post("/welcome", callback=lambda: _welcome(office))
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
    if wait := locked(office, SETUP):
        return _setup_page(office, wait, name, code)
    if not users.is_code(office.box, code):
        office.lockout.wrong(SETUP, address(), time.monotonic())
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
    if not user_id:
        return go("/login")
    with store.write(office.db) as db:
        firstwords.settle(db, office.box, words, office.clock())
        if office.box.demo is None:
            wizard_steps.begin(db)
    return _enter(office, user_id)


def _login_page(office: Office, problem: str = "", name: str = "") -> str | HTTPResponse:
    if users.is_first_run(office.db):
        return go("/setup")
    if office.session and not problem:
        return go("/")
    return office.render("login.html", problem=problem, name=name, step="password")


def _login(office: Office) -> str | HTTPResponse:
    name = request.forms.getunicode("name", "").strip()
    if wait := locked(office, name):
        return _login_page(office, wait, name)
    user_id = users.verify(office.db, name, request.forms.getunicode("password", ""))
    if user_id is None:
        office.lockout.wrong(name, address(), time.monotonic())
        response.status = 403
        return _login_page(office, office.words("Name and password do not belong together."), name)
    if totp.is_on(office.db, user_id):
        office.set_cookie(auth.STEP_COOKIE, office.half_way.keep(auth.HalfWay(user_id, name)),
                          max_age=auth.HALF_WAY_S)
        return go("/login/code")
    office.lockout.right(name, address())
    return _enter(office, user_id)


def _code_page(office: Office, problem: str = "") -> str | HTTPResponse:
    if office.half_way.find(request.get_cookie(auth.STEP_COOKIE)) is None:
        return go("/login")
    return office.render("login.html", problem=problem, name="", step="code")


def _code(office: Office) -> str | HTTPResponse:
    key = request.get_cookie(auth.STEP_COOKIE)
    known = office.half_way.find(key)
    if known is None:
        return go("/login")
    if wait := locked(office, known.name):
        return _code_page(office, wait)
    with store.write(office.db) as db:
        factor = totp.use(db, known.user_id, request.forms.getunicode("code", ""), office.clock())
        if factor == "recovery code":
            changes.record(db, known.name, f"user {known.name} logged in with a recovery code", None,
                           {"left": totp.recovery_codes_left(db, known.user_id)}, office.clock())
    if factor is None:
        return _wrong_code(office, key, known)
    office.half_way.drop(key)
    office.lockout.right(known.name, address())
    response.delete_cookie(auth.STEP_COOKIE, path="/")
    return _enter(office, known.user_id)


def _wrong_code(office: Office, key: str | None, known: auth.HalfWay) -> str | HTTPResponse:
    """Counts the try. After a few the password is asked for again, which takes the box a moment each time."""
    office.lockout.wrong(known.name, address(), time.monotonic())
    known.wrong += 1
    response.status = 403
    if known.wrong >= CODE_TRIES:
        office.half_way.drop(key)
        return _login_page(office, office.words("That was not the code, five times. Begin with the password."),
                           known.name)
    return _code_page(office, office.words("That is not the code, or it was used already. "
                                           "Wait for the next one on your telephone."))


def _welcome_page(office: Office, problem: str = "", code: str = "") -> str:
    user = invitations.whose(office.db, code, office.clock())
    return office.render("login.html", problem=problem, name=user.name if user else "", step="welcome", code=code,
                         least=users.MIN_PASSWORD)


def _welcome(office: Office) -> str | HTTPResponse:
    """Sets the password that an invitation or a reset asks for, and lets its user in; a second factor stays."""
    words, form = office.words, request.forms
    code, password = form.getunicode("code", ""), form.getunicode("password", "")
    if wait := locked(office, WELCOME):
        return _welcome_page(office, wait, code)
    if invitations.whose(office.db, code, office.clock()) is None:
        office.lockout.wrong(WELCOME, address(), time.monotonic())
        response.status = 403
        return _welcome_page(office, words("This code is not good, or it was used or is older than three days. "
                                           "Ask the owner for a new one."), code)
    if password != form.getunicode("again", ""):
        response.status = 400
        return _welcome_page(office, words("The two passwords differ. Type the same one twice."), code)
    try:
        user = invitations.accept(office.db, code, password, office.clock())
    except users.UserError as refused:
        response.status = 400
        return _welcome_page(office, words(str(refused)), code)
    if user is None or user.has_second_factor:
        return go("/login")
    return _enter(office, user.id)


def _logout(office: Office) -> HTTPResponse:
    if office.session:
        auth.log_out(office.db, office.session.key)
    response.delete_cookie(auth.COOKIE, path="/")
    return go("/login")


def _enter(office: Office, user_id: int) -> HTTPResponse:
    if office.session:                     # logging in again ends what was there before
        auth.log_out(office.db, office.session.key)
    office.set_cookie(auth.COOKIE, auth.log_in(office.db, user_id, office.clock(), address(), header("User-Agent")))
    response.delete_cookie(auth.FORM_COOKIE, path="/")
    user = users.get(office.db, user_id)
    return go("/wizard" if user and wizard.is_waiting(office, user.role) else "/")


def locked(office: Office, name: str) -> str:
    """The sentence to show while this name has to wait, empty when it may be tried."""
    wait_s = office.lockout.wait_s(name, address(), time.monotonic())
    if not wait_s:
        return ""
    response.status = 429
    response.set_header("Retry-After", str(wait_s))
    return office.words.plural("Too many wrong tries. Wait %(n)s second, then try again.",
                               "Too many wrong tries. Wait %(n)s seconds, then try again.", wait_s)


def address() -> str:
    return str(request.environ.get("REMOTE_ADDR", ""))
