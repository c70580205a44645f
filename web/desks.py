"""Paired desks: the page with their list, the code that pairs one, the program; and what the program asks of us."""
from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, response

from appliance import settings
from appliance.people import changes, desks
from appliance.people.desks import Desk, DeskError
from appliance.store import db as store
from web import auth, certificate, forms
from web.language import N_
from web.login import address, locked
from web.office import Office, header
from web.textwords import Writer

PROGRAM = Path(__file__).parent / "desktop" / "deskbell_desk.py"
NAMES = ("deskbell_desk.py", "deskbell_desk.pyw")      # .pyw: Windows opens it by a double click, without a console
PAIRING = "pairing"                                    # what the lockout counts wrong codes under
BAD_CODE = N_("That code is not good: it is wrong, older than ten minutes, or used. Show a new one on the page Desks.")


def routes(app: bottle.Bottle, office: Office) -> None:
    content = PROGRAM.read_bytes()
    app.get("/desks", callback=lambda: _page(office))
    app.post("/desks/code", callback=lambda: _code(office))
    app.get("/desks/<name:re:deskbell_desk.pyw?>", callback=lambda name: _download(content, name))
    app.post("/desks/<desk_id:int>", callback=lambda desk_id: _change(office, _mine(office, desk_id)))
    app.post("/desks/<desk_id:int>/mute", callback=lambda desk_id: _mute(office, _mine(office, desk_id)))
    app.post("/desks/<desk_id:int>/revoke", callback=lambda desk_id: _revoke(office, _mine(office, desk_id)))
    app.post("/desk/pair", callback=lambda: _pair(office), token="pairing")
    app.get("/desk/me", callback=lambda: _me(office), token="desk")
    app.post("/desk/mute", callback=lambda: _mute_own(office), token="desk")


def _page(office: Office, code: str = "", problem: str = "", of: int = 0) -> str:
    me = office.session
    assert me is not None
    content = PROGRAM.read_bytes()
    digest = hashlib.sha256(certificate.authority_der(office)).hexdigest().upper() if office.box.web.tls else ""
    return office.render("desks.html", code=f"{code[:3]} {code[3:]}" if code else "", problem=problem, of=of,
                         desks=desks.listed(office.db, None if office.may("owner") else me.user_id),
                         is_waiting=bool(code) or desks.is_waiting(office.db, me.user_id, office.clock()),
                         print_=[digest[at:at + 4] for at in range(0, len(digest), 4)], address=office.origin,
                         sum_=hashlib.sha256(content).hexdigest(), listening=office.hub.sessions,
                         writer=Writer(office.box, office.words, office.clock()))


def _code(office: Office) -> str:
    """Six digits for a desk of whoever asks; they are shown this once."""
    assert office.session is not None
    with store.write(office.db) as db:
        code = desks.new_code(db, office.session.user_id, office.clock())
    return _page(office, code)


def _download(content: bytes, name: str) -> HTTPResponse:
    return HTTPResponse(content, headers={"Content-Type": "text/x-python; charset=utf-8",
                                          "Content-Disposition": f'attachment; filename="{name}"'})


def _change(office: Office, desk: Desk) -> str | HTTPResponse:
    """Name, desk phone and lines. Every line ticked is every one, also those that come later."""
    known = [trunk.key for trunk in office.box.trunks]
    lines = [key for key in known if key in forms.every("line")]
    phones = {extension.number for extension in office.box.extensions}
    extension = wanted if (wanted := forms.field("extension", 20)) in phones else None
    before = _told(desk)
    try:
        with store.write(office.db) as db:
            desks.change(db, desk.id, forms.field("name", 200), extension,
                         None if set(lines) == set(known) else lines)
            changed = desks.one(db, desk.id)
            assert changed is not None
            changes.record(db, office.by, f"desk {desk.name}", before, _told(changed), office.clock(), desk.id)
    except DeskError as refused:
        response.status = 400
        return _page(office, problem=office.words(str(refused)), of=desk.id)

    def back(db: sqlite3.Connection) -> None:
        desks.change(db, desk.id, desk.name, desk.seat.extension, desk.seat.lines)
        changes.record(db, office.by, f"desk {changed.name}", _told(changed), before, office.clock(), desk.id)

    return office.done("/desks", office.words("“%(name)s” is kept.", name=changed.name), back)


def _mute(office: Office, desk: Desk) -> HTTPResponse:
    with store.write(office.db) as db:
        desks.mute(db, desk.id, not desk.seat.is_muted)
    said = office.words("%(name)s rises aloud again.", name=desk.name) if desk.seat.is_muted \
        else office.words("%(name)s shows calls in silence now.", name=desk.name)
    return office.done("/desks", said, lambda db: desks.mute(db, desk.id, desk.seat.is_muted))


def _revoke(office: Office, desk: Desk) -> HTTPResponse:
    def turn(db: sqlite3.Connection, is_revoked: bool) -> None:
        now = office.clock()
        desks.revoke(db, desk.id, now if is_revoked else None)
        changes.record(db, office.by, f"desk {desk.name}: may see calls", is_revoked, not is_revoked, now, desk.id)

    with store.write(office.db) as db:
        turn(db, True)
    return office.done("/desks", office.words("%(name)s sees no calls any more.", name=desk.name),
                       lambda db: turn(db, False))


def _mine(office: Office, desk_id: int) -> Desk:
    """A desk of who is asking; the owner's are all."""
    desk, me = desks.one(office.db, desk_id), office.session
    if desk is None or me is None or desk.revoked_at or not (office.may("owner") or desk.user_id == me.user_id):
        raise HTTPError(404)
    return desk


def _told(desk: Desk) -> dict[str, object]:
    return {"name": desk.name, "extension": desk.seat.extension,
            "lines": sorted(desk.seat.lines) if desk.seat.lines is not None else None}


def _pair(office: Office) -> str | HTTPResponse:
    """A new desk for a good code, with its token, which is told this once."""
    scheme, _, code = header("Authorization").partition(" ")
    if scheme.lower() != "pairing" or header("Origin") or header("Sec-Fetch-Site"):
        raise HTTPError(404)                          # a page asks; only the program may
    if wait := locked(office, PAIRING):
        raise HTTPError(429, wait)
    with store.write(office.db) as db:
        now = office.clock()
        token = desks.pair(db, code, forms.field("name", 200), now)
        desk = desks.find(db, auth.key_of(token)) if token else None
        if desk:
            changes.record(db, desk.user, f"desk {desk.name}", None, _told(desk), now, desk.id)
    if token is None or desk is None:
        office.lockout.wrong(PAIRING, address(), time.monotonic())
        response.status = 403
        response.content_type = "text/plain; charset=utf-8"
        return office.words(BAD_CODE) + "\n"
    office.lockout.right(PAIRING, address())
    return _json({"token": token, **_known(office, desk)})


def _me(office: Office) -> HTTPResponse:
    return _json(_known(office, _own(office)))


def _mute_own(office: Office) -> HTTPResponse:
    desk, wanted = _own(office), forms.ticked("is_muted")
    if desk.seat.is_muted is not wanted:
        with store.write(office.db) as db:
            desks.mute(db, desk.id, wanted)
    return _json(_known(office, _own(office)))


def _own(office: Office) -> Desk:
    """The desk that asks; a browser has none."""
    me = office.session
    desk = desks.find(office.db, me.key) if me and me.kind == "desk" else None
    if desk is None:
        raise HTTPError(404)
    return desk


def _known(office: Office, desk: Desk) -> dict[str, Any]:
    """What a program is told of itself."""
    phones = {extension.number: extension.name for extension in office.box.extensions}
    lines = [trunk.name for trunk in office.box.trunks if desk.seat.sees(trunk.key)]
    return {"name": desk.name, "user": desk.user, "shop": settings.read(office.db).shop_name,
            "is_muted": desk.seat.is_muted, "lines": lines, "extension": desk.seat.extension,
            "phone": phones.get(desk.seat.extension or "")}


def _json(body: dict[str, Any]) -> HTTPResponse:
    return HTTPResponse(json.dumps(body, ensure_ascii=False).encode(), headers={"Content-Type": "application/json"})
