"""One's own account: password, sessions, the second step at log in, language."""
from __future__ import annotations

import time

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import settings
from appliance.people import changes, totp, users
from appliance.store import db as store
from web import auth, forms
from web.auth import Session
from web.login import address, locked
from web.office import Office
from web.textwords import Writer


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/account", callback=lambda: _page(office), role="any")
    app.post("/account/password", callback=lambda: _password(office), role="any")
    app.post("/account/language", callback=lambda: _language(office), role="any")
    app.post("/account/sessions", callback=lambda: _end(office), role="any")
    app.get("/account/second", callback=lambda: _second_page(office), role="any")
    app.get("/account/second.svg", callback=lambda: _picture(office), role="any")
    app.post("/account/second", callback=lambda: _second(office), role="any")
    app.post("/account/second/off", callback=lambda: _second_off(office), role="any")
    app.post("/account/second/codes", callback=lambda: _codes(office), role="any")


def _page(office: Office, problem: str = "", of: str = "") -> str:
    me, now = _me(office), office.clock()
    found = users.get(office.db, me.user_id)
    assert found is not None
    return office.render("account.html", me=found, problem=problem, of=of, least=users.MIN_PASSWORD,
                         sessions=auth.sessions(office.db, me.user_id, now), this=auth.short_key(me.key),
                         codes_left=totp.recovery_codes_left(office.db, me.user_id),
                         writer=Writer(office.box, office.words, now))


def _password(office: Office) -> str | HTTPResponse:
    """A new password ends every other session; this one goes on under a new id."""
    me, words, form = _me(office), office.words, request.forms
    new = form.getunicode("password", "")
    if refused := _wrong_password(office, form.getunicode("old", "")):
        return _page(office, refused, "password")
    if new != form.getunicode("again", ""):
        response.status = 400
        return _page(office, words("The two passwords differ. Type the same one twice."), "password")
    try:
        hashed = users.hash_password(new)
    except users.UserError as refused_words:
        response.status = 400
        return _page(office, words(str(refused_words)), "password")
    with store.write(office.db) as db:
        users.set_password(db, me.user_id, hashed, me.key)
        changes.record(db, me.user, f"user {me.user}: own password", None, None, office.clock(), me.user_id)
        cookie = auth.renew(db, me.key)
    office.renewed(cookie)
    return office.done("/account", words("The new password is good from now on. Your other sessions have ended."))


def _language(office: Office) -> HTTPResponse:
    me, wanted = _me(office), forms.field("language", 8)
    with store.write(office.db) as db:
        users.set_language(db, me.user_id, wanted if wanted in office.languages.all else None)
    request.environ.pop("deskbell.words", None)
    request.environ["deskbell.session"] = auth.session(office.db, request.get_cookie(auth.COOKIE), office.clock())
    return office.done("/account", office.words("Kept."))


def _end(office: Office) -> HTTPResponse:
    """One session by its short key, or all others."""
    me, wanted = _me(office), forms.field("session", 16)
    with store.write(office.db) as db:
        if wanted:
            ended = db.execute("DELETE FROM session WHERE user_id = ? AND substr(token_hash, 1, 16) = ? "
                               "AND token_hash <> ?", (me.user_id, wanted, me.key)).rowcount
        else:
            ended = users.end_sessions(db, me.user_id, me.key)
    return office.done("/account", office.words.plural("%(n)s session ended.", "%(n)s sessions ended.", ended))


def _second_page(office: Office, problem: str = "") -> str | HTTPResponse:
    """The picture to hold the telephone before; the secret waits here until a code proves it."""
    me = _me(office)
    if totp.is_on(office.db, me.user_id):
        return office.done("/account", office.words("The second step is switched on already."))
    secret = office.new_secrets.find(me.key)
    if secret is None:
        secret = totp.new_secret()
        office.new_secrets.keep(secret, me.key)
    return office.render("second.html", secret=" ".join(secret[at:at + 4] for at in range(0, len(secret), 4)),
                         codes=[], problem=problem, address=totp.address(secret, me.user, _shop(office)))


def _picture(office: Office) -> HTTPResponse:
    me = _me(office)
    secret = office.new_secrets.find(me.key)
    if secret is None:
        raise HTTPError(404)
    return HTTPResponse(totp.picture(secret, me.user, _shop(office)), headers={"Content-Type": "image/svg+xml"})


def _second(office: Office) -> str | HTTPResponse:
    me, now = _me(office), office.clock()
    secret = office.new_secrets.find(me.key)
    if secret is None or totp.is_on(office.db, me.user_id):
        return _second_page(office)
    with store.write(office.db) as db:
        codes = totp.switch_on(db, me.user_id, secret, forms.field("code", 20), now)
        if codes is not None:
            changes.record(db, me.user, f"user {me.user}: second step", False, True, now, me.user_id)
            users.end_sessions(db, me.user_id, me.key)
            cookie = auth.renew(db, me.key)
    if codes is None:
        response.status = 400
        return _second_page(office, office.words("That is not the code. Look whether the telephone’s clock is right, "
                                                 "then type the code it shows now."))
    office.new_secrets.drop(me.key)
    office.renewed(cookie)
    return _shown_once(office, codes)


def _second_off(office: Office) -> str | HTTPResponse:
    me = _me(office)
    if refused := _wrong_password(office, request.forms.getunicode("old", "")):
        return _page(office, refused, "second")
    with store.write(office.db) as db:
        totp.switch_off(db, me.user_id)
        changes.record(db, me.user, f"user {me.user}: second step", True, False, office.clock(), me.user_id)
        cookie = auth.renew(db, me.key)
    office.renewed(cookie)
    return office.done("/account", office.words("You log in with the password alone now."))


def _codes(office: Office) -> str | HTTPResponse:
    me = _me(office)
    if refused := _wrong_password(office, request.forms.getunicode("old", "")):
        return _page(office, refused, "second")
    if not totp.is_on(office.db, me.user_id):
        return _second_page(office)
    with store.write(office.db) as db:
        codes = totp.new_recovery_codes(db, me.user_id)
        changes.record(db, me.user, f"user {me.user}: new recovery codes", None, None, office.clock(), me.user_id)
    return _shown_once(office, codes)


def _shown_once(office: Office, codes: list[str]) -> str:
    return office.render("second.html", secret="", codes=codes, problem="", address="")


def _wrong_password(office: Office, typed: str) -> str:
    """Why the own password does not let this through, "" when it does; counted like a log in."""
    me = _me(office)
    if wait := locked(office, me.user):
        return wait
    if users.verify(office.db, me.user, typed) == me.user_id:
        office.lockout.right(me.user, address())
        return ""
    office.lockout.wrong(me.user, address(), time.monotonic())
    response.status = 403
    return office.words("That is not your password. Nothing was changed.")


def _me(office: Office) -> Session:
    assert office.session is not None
    return office.session


def _shop(office: Office) -> str:
    return settings.read(office.db).shop_name
