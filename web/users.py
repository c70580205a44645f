"""The owner's page of users: who may open what, invitations and new passwords, sessions, who is let go."""
from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, replace

import bottle
from bottle import HTTPError, HTTPResponse, response

from appliance.people import changes, invitations, seats, totp, users
from appliance.people.seats import Seat
from appliance.people.users import User, UserError
from appliance.store import db as store
from web import auth, forms, roles
from web.office import Office
from web.textwords import Writer
from web.undo import Back

FIELDS = ("name", "role", "language", "extension")


@dataclass(frozen=True)
class Line:
    """One user of the list, with when a page was last open; None when never."""
    user: User
    seen: str
    sessions: int


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/users", callback=lambda: _list(office), role="owner")
    app.post("/users", callback=lambda: _add(office), role="owner")
    app.get("/users/<user_id:int>", callback=lambda user_id: _page(office, _user(office, user_id)), role="owner")
    app.post("/users/<user_id:int>", callback=lambda user_id: _change(office, _user(office, user_id)), role="owner")
    for what, act in ACTS.items():
        app.post(f"/users/<user_id:int>/{what}", role="owner",
                 callback=lambda user_id, act=act: act(office, _user(office, user_id)))


def _list(office: Office, problem: str = "", given: dict[str, str] | None = None) -> str:
    writer = Writer(office.box, office.words, office.clock())
    lines = [_line(office, writer, user) for user in users.listed(office.db)]
    return office.render("users.html", lines=lines, problem=problem, roles=roles, writer=writer,
                         given=given or {"name": "", "role": "staff", "language": "", "extension": ""})


def _line(office: Office, writer: Writer, user: User) -> Line:
    row = office.db.execute("SELECT max(seen_at) AS seen, count(*) AS n FROM session WHERE user_id = ?",
                            (user.id,)).fetchone()
    return Line(user, writer.when(store.parse_time(row["seen"])) if row["seen"] else "", row["n"])


def _add(office: Office) -> str | HTTPResponse:
    """A new user and the code for their first password, which is shown this once."""
    given, now = _given(), office.clock()
    try:
        with store.write(office.db) as db:
            user_id = users.add(db, given["name"], given["role"], now, *_choices(office, given))
            added = users.get(db, user_id)
            assert added is not None
            changes.record(db, office.by, f"user {added.name}", None, _told(added), now, user_id)
            code = invitations.invite(db, user_id, now)
    except UserError as refused:
        response.status = 400
        return _list(office, office.words(str(refused)), given)
    return _page(office, _user(office, user_id), code=code)


def _page(office: Office, user: User, problem: str = "", given: dict[str, str] | None = None, code: str = "") -> str:
    seat = seats.of_user(office.db, user.id)
    mine = {"name": user.name, "role": user.role, "language": user.language or "", "extension": user.extension or ""}
    place = {"lines": seat.lines, "muted": seat.is_muted}
    return office.render("user.html", user=user, given={**(given or mine), **place}, problem=problem, code=code,
                         roles=roles, is_self=user.id == _my_id(office), link=_link(office, code),
                         sessions=auth.sessions(office.db, user.id, office.clock()),
                         writer=Writer(office.box, office.words, office.clock()))


def _change(office: Office, user: User) -> str | HTTPResponse:
    """What is known of a user. Another role ends their sessions: what was open must not stay open."""
    given, now, mine = _given(), office.clock(), user.id == _my_id(office)
    before, seat = seats.of_user(office.db, user.id), _seat(office, user)
    try:
        with store.write(office.db) as db:
            language, extension = _choices(office, given)
            users.change(db, user.id, given["name"], given["role"], language, extension)
            changed = users.get(db, user.id)
            assert changed is not None
            seats.put(db, user.id, seat)
            changes.record(db, office.by, f"user {user.name}", _told(user) | seats.told(before),
                           _told(changed) | seats.told(seat), now, user.id)
            cookie = ""
            if changed.role != user.role:
                users.end_sessions(db, user.id, office.session.key if mine and office.session else "")
                cookie = auth.renew(db, office.session.key) if mine and office.session else ""
    except UserError as refused:
        response.status = 400
        return _page(office, user, office.words(str(refused)), given)
    if cookie:
        office.renewed(cookie)
        return office.done("/more", office.words("Your role is another now."))

    def back(db: sqlite3.Connection) -> None:
        users.change(db, user.id, user.name, user.role, user.language, user.extension)
        seats.put(db, user.id, before)
        users.end_sessions(db, user.id)
        changes.record(db, office.by, f"user {changed.name}", _told(changed), _told(user), office.clock(), user.id)

    return office.done("/users", office.words("“%(name)s” is kept.", name=changed.name), None if mine else _way(back))


def _invite(office: Office, user: User) -> str:
    """A code for a new password. The old one stays good until it is used."""
    now = office.clock()
    with store.write(office.db) as db:
        code = invitations.invite(db, user.id, now)
        changes.record(db, office.by, f"user {user.name}: a code for a new password", None, None, now, user.id)
    return _page(office, user, code=code)


def _end(office: Office, user: User) -> HTTPResponse:
    mine, now = office.session.key if office.session else "", office.clock()
    with store.write(office.db) as db:
        ended = users.end_sessions(db, user.id, mine)
        changes.record(db, office.by, f"user {user.name}: sessions ended", None, {"sessions": ended}, now, user.id)
    return office.done(f"/users/{user.id}", office.words.plural("%(n)s session ended.", "%(n)s sessions ended.", ended))


def _factor_off(office: Office, user: User) -> HTTPResponse:
    with store.write(office.db) as db:
        totp.switch_off(db, user.id)
        changes.record(db, office.by, f"user {user.name}: second step", True, False, office.clock(), user.id)
    return office.done(f"/users/{user.id}",
                       office.words("%(name)s logs in with the password alone now.", name=user.name))


def _switch(office: Office, user: User) -> HTTPResponse:
    def turn(db: sqlite3.Connection, is_on: bool) -> None:
        users.switch(db, user.id, is_on)
        changes.record(db, office.by, f"user {user.name}: may log in", not is_on, is_on, office.clock(), user.id)

    try:
        with store.write(office.db) as db:
            turn(db, not user.is_on)
    except UserError as refused:
        return office.done("/users", office.words(str(refused)))
    said = office.words("%(name)s cannot log in any more.", name=user.name) if user.is_on \
        else office.words("%(name)s may log in again.", name=user.name)
    return office.done("/users", said, _way(lambda db: turn(db, user.is_on)))


def _remove(office: Office, user: User) -> HTTPResponse:
    try:
        with store.write(office.db) as db:
            kept = users.remove(db, user.id)
            changes.record(db, office.by, f"user {user.name}", _told(user), None, office.clock(), user.id)
    except UserError as refused:
        return office.done("/users", office.words(str(refused)))

    def back(db: sqlite3.Connection) -> None:
        kept.back(db)
        changes.record(db, office.by, f"user {user.name}", None, _told(user), office.clock(), user.id)

    return office.done("/users", office.words("“%(name)s” removed.", name=user.name), _way(back))


ACTS = {"invite": _invite, "end": _end, "factor": _factor_off, "switch": _switch, "remove": _remove}


def _way(back: Back) -> Back:
    """The way back; when the office has changed so much that it leads nowhere, the page says so."""
    def go_back(db: sqlite3.Connection) -> None:
        try:
            back(db)
        except UserError:
            raise HTTPError(410) from None
    return go_back


def _given() -> dict[str, str]:
    return {name: forms.field(name, 60) for name in FIELDS}


def _choices(office: Office, given: dict[str, str]) -> tuple[str | None, str | None]:
    """Language and extension as the form chose them; what is not on its lists is none."""
    known = {extension.number for extension in office.box.extensions}
    return (given["language"] if given["language"] in office.languages.all else None,
            given["extension"] if given["extension"] in known else None)


def _seat(office: Office, user: User) -> Seat:
    """What the form says of the lines and the mute. Every line ticked: also those that come later."""
    keys, chosen = {trunk.key for trunk in office.box.trunks}, frozenset(forms.every("lines"))
    now = seats.of_user(office.db, user.id)
    lines = now.lines if not forms.ticked("has_lines") else None if keys <= chosen else chosen & keys
    return replace(now, lines=lines, is_muted=forms.ticked("muted"))


def _told(user: User) -> dict[str, object]:
    return {name: value for name, value in asdict(user).items() if name in FIELDS}


def _user(office: Office, user_id: int) -> User:
    found = users.get(office.db, user_id) if 0 < user_id < 2**63 else None
    if found is None:
        raise HTTPError(404)
    return found


def _link(office: Office, code: str) -> str:
    """The address that opens with the code filled in, as this browser calls the box."""
    return f"{office.origin}/welcome?code={code}" if code else ""


def _my_id(office: Office) -> int:
    return office.session.user_id if office.session else 0
