"""The pages: a Bottle application whose every request passes one gate."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance.calls import history
from appliance.people import transfer_store
from appliance.people.users import is_first_run, set_language
from appliance.store import db as store
from web import (
    about,
    account,
    api,
    auth,
    backups,
    boxpage,
    call,
    calllists,
    calls,
    campaigns,
    card,
    certificate,
    changes,
    compose,
    conversations,
    customers,
    demo,
    desk_actions,
    desks,
    doors,
    doors_machines,
    forgetting,
    groups,
    help,
    imports,
    kept,
    library,
    login,
    merging,
    more,
    recordings,
    restore,
    roles,
    rules,
    settings,
    sims,
    statistics,
    telephones,
    texts,
    tocall,
    today,
    updates,
    upload,
    users,
    wizard,
)
from web.events import HEAD, Desk
from web.language import N_
from web.office import Office, go, header

log = logging.getLogger("web")

SAFE = {"GET", "HEAD"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
                               "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_FORM_BYTES = 1024 * 1024     # a pasted list is a field of a form
YEAR_S = 365 * 24 * 3600
NOT_YOURS = "role"       # the body of a 403 that is not about the form
NOT_YOURS_SENTENCES = (N_("This page is not for you"),
                       N_("Nothing was changed. The owner says on the page Users who may open what."))
SENTENCES = {
    400: (N_("That did not arrive whole"), N_("Nothing was changed. Go back and try once more.")),
    401: (N_("You are logged out"), N_("Calls still ring and are still written down. Log in to see them.")),
    403: (N_("This form is no longer good"),
          N_("Nothing was changed. Go back, load the page again and try once more.")),
    404: (N_("There is no such page"),
          N_("The address may be mistyped, or the call was deleted. All calls are in the history.")),
    405: (N_("That cannot be done here"), N_("Nothing was changed. All calls are in the history.")),
    410: (N_("That can no longer be undone"), N_("It was some time ago. Everything else is as you left it.")),
    413: (N_("That is too much at once"), N_("Nothing was changed. Send less.")),
    421: (N_("This box does not know that name"),
          N_("Open it by its address, or add the name to hosts under [web] in box.toml.")),
    429: (N_("Too many tries"), N_("Calls still ring. Wait a little and try again.")),
    500: (N_("Something broke here"), N_("Calls still ring and are still written down. Load the page again; "
                                       "if it stays, run “deskbell check” on the box.")),
    503: (N_("The box is too busy for this page"), N_("Calls still ring. Try again in a minute.")),
}


def create(office: Office) -> Callable[..., Iterable[bytes]]:
    """The WSGI application of this office."""
    return _served(pages(office), office)


def pages(office: Office) -> bottle.Bottle:
    """Every route there is, behind the gate."""
    bottle.BaseRequest.MEMFILE_MAX = MOST_FORM_BYTES
    app = bottle.Bottle()
    app.add_hook("before_request", lambda: _gate(app, office))
    app.add_hook("after_request", lambda: upload.discard(request.environ.get("deskbell.upload")))
    app.default_error_handler = lambda error: _error(office, error)
    app.get("/static/<name>", callback=lambda name: _static(office, name))
    app.get("/events", callback=lambda: _events(office), token="desk")
    app.get("/session", callback=lambda: HTTPResponse(status=204), role="any")
    app.get("/ping", callback=lambda: _ping(office))
    app.post("/language", callback=lambda: _language(office), role="any")
    for part in (
            login, today, calls, call, library, recordings, conversations, texts, compose, campaigns, rules,
            kept, settings, customers, card, merging, forgetting, groups, statistics, sims, users, account,
            changes, certificate, desk_actions, tocall, calllists, backups, restore, updates, imports, help, about,
            more, demo,
            api, desks, doors, doors_machines, wizard, boxpage, telephones,
    ):
        part.routes(app, office)
    office.uploads = {route.rule: int(route.config["upload"]) for route in app.routes if route.config.get("upload")}
    return app


def _gate(app: bottle.Bottle, office: Office) -> None:
    """The one gate: what comes back from here may go on to its page."""
    web, path = office.box.web, request.environ["PATH_INFO"]
    office.renew()
    if not auth.is_our_host(header("Host"), web):
        raise HTTPError(421)
    if header("Authorization").partition(" ")[0].lower() in ("bearer", "pairing"):
        return _program(app, office)
    session = auth.session(office.db, request.get_cookie(auth.COOKIE), office.clock())
    request.environ["deskbell.session"] = session
    request.environ["deskbell.event"] = history.last_event_id(office.db) if session else 0
    if request.method not in SAFE:
        own = auth.is_own_page(request.environ["wsgi.url_scheme"], header("Host"),
                               header("Origin"), header("Sec-Fetch-Site"))
        if own and session and path in office.uploads:
            return _take_upload(app, office, session)
        wanted = session.csrf if session else request.get_cookie(auth.FORM_COOKIE)
        given = header("X-Deskbell-Token") or request.forms.get("token")
        if not own or not auth.same(given, wanted):
            raise HTTPError(403)
    if auth.is_public(path):
        return
    if path.startswith(api.START):
        raise HTTPError(401)                       # a cookie opens no door of programs
    if session:
        return _may(app, session.role, path)
    if request.method not in SAFE or "text/html" not in header("Accept"):
        raise HTTPError(401)
    raise HTTPResponse(status=303, headers={"Location": "/setup" if is_first_run(office.db) else "/login"})


def _program(app: bottle.Bottle, office: Office) -> None:
    """The gate of programs: their token opens the routes that say so, and no cookie is looked at.

    Who pairs has no token yet, but a code; no page elsewhere can send either header unasked (Fetch, CORS-preflight).
    """
    scheme, _, secret = header("Authorization").partition(" ")
    is_pairing = scheme.lower() == "pairing"
    session = None if is_pairing else auth.program(office.db, secret.strip(), office.clock())
    request.environ["deskbell.session"] = session
    request.environ["deskbell.event"] = 0
    if session is None and not is_pairing:
        raise HTTPError(401)
    route, _ = app.router.match(request.environ)
    if route.config.get("token") != (session.kind if session else "pairing"):
        raise HTTPError(403, NOT_YOURS)


def _take_upload(app: bottle.Bottle, office: Office, session: auth.Session) -> None:
    """The gate of a route that takes a file: it may be far bigger than a form, and goes aside as it comes."""
    _may(app, session.role, request.environ["PATH_INFO"])
    request.environ["deskbell.upload"] = upload.receive(
        request.environ, transfer_store.folder(office.box), office.uploads[request.environ["PATH_INFO"]],
        lambda given: auth.same(header("X-Deskbell-Token") or given, session.csrf))


def _may(app: bottle.Bottle, role: str, path: str) -> None:
    """Refuses what this role has no business with; a route that does not exist is refused by its number."""
    route, _ = app.router.match(request.environ)
    if roles.may(role, roles.mark_of(route.config)):
        return
    if path == "/" and role in roles.HOME and request.method in SAFE:
        raise HTTPResponse(status=303, headers={"Location": roles.HOME[role]})
    raise HTTPError(403, NOT_YOURS)


def _served(app: Callable[..., Iterable[bytes]], office: Office) -> Callable[..., Iterable[bytes]]:
    """The application with the headers that every answer has, and the hand-over of the streams."""
    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name.lower() for name, _ in headers}
            headers = headers + [pair for pair in HEADERS.items() if pair[0].lower() not in given]
            return start_response(status, headers, exc_info)
        answer = app(environ, start)
        if "deskbell.desk" in environ:
            _hand_over(office, environ["deskbell.desk"], environ["deskbell.request"])
            return []
        return answer
    return wrapped


def _error(office: Office, error: HTTPError) -> str:
    if store.is_busy(error.exception):             # a restore swaps the store: seconds, on a slow card more
        log.warning("%s %s: somebody else wrote for too long", request.method, request.path)
        error.status = response.status = 503
    elif error.exception is not None:
        log.error("%s %s broke", request.method, request.path, exc_info=error.exception)
    if request.path.startswith(api.START):
        return api.problem(error)
    title, sentence = SENTENCES.get(error.status_code, SENTENCES[500 if error.status_code >= 500 else 400])
    if error.status_code == 403 and error.body == NOT_YOURS:
        title, sentence = NOT_YOURS_SENTENCES
    if error.body and error.status_code == 429:
        sentence = error.body
    if "text/html" not in header("Accept"):
        response.content_type = "text/plain; charset=utf-8"
        return f"{office.words(title)}. {office.words(sentence)}\n"
    return office.render("error.html", title=office.words(title), sentence=office.words(sentence))


def _static(office: Office, name: str) -> HTTPResponse:
    file = office.static.get(name)
    if file is None:
        raise HTTPError(404)
    kept = f"max-age={YEAR_S}, immutable" if request.query.get("v") == file.version else "no-cache"
    headers = {"Cache-Control": kept, "ETag": f'"{file.version}"', "Content-Type": file.type, "Vary": "Accept-Encoding"}
    if header("If-None-Match") == headers["ETag"]:
        return HTTPResponse(status=304, headers=headers)
    if "gzip" in header("Accept-Encoding"):      # never a page: what is secret in it could be guessed by its length
        return HTTPResponse(file.packed, headers=headers | {"Content-Encoding": "gzip"})
    return HTTPResponse(file.content, headers=headers)


def _events(office: Office) -> str:
    """Marks the request as a stream: once this answer is begun, the socket goes to the hub."""
    if request.method != "GET":
        raise HTTPError(405)
    assert office.session is not None
    after = header("Last-Event-ID") or request.query.get("after", "")
    connection = request.environ["deskbell.request"].conn
    request.environ["deskbell.desk"] = Desk(connection.socket, connection, office.session.key,
                                            int(after) if after.isdecimal() and len(after) < 19 else None)
    return ""


def _hand_over(office: Office, desk: Desk, asked: Any) -> None:
    """Gives the socket of a request to the hub; the server keeps its hands off it from here on."""
    asked.sent_headers = asked.close_connection = asked.conn.linger = True
    desk.socket.sendall(HEAD)
    asked.conn.wfile.close()          # only the file: the hub must be the last to hold the socket
    office.hub.adopt(desk)


def _ping(office: Office) -> str:
    office.db.execute("SELECT 1 FROM setting LIMIT 1").fetchone()
    response.content_type = "text/plain; charset=utf-8"
    return "ok\n"


def _language(office: Office) -> HTTPResponse:
    wanted = request.forms.get("language", "")
    if wanted in office.languages.all:
        office.set_cookie("language", wanted, max_age=YEAR_S)
        if office.session:
            with store.write(office.db) as db:
                set_language(db, office.session.user_id, wanted)
    return go("/")
