"""The owner's page of other programs: their keys, phone books for desk phones, and webhooks with their log."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import bottle
from bottle import HTTPError, HTTPResponse, response

from appliance import settings
from appliance.doors import standing, tokens, webhooks
from appliance.doors.tokens import Token, TokenError
from appliance.doors.webhooks import Delivery, Webhook, WebhookError
from appliance.people import changes
from appliance.store import db as store
from web import api, doors_machines, forms
from web.api import document
from web.doors_machines import Wrong
from web.language import N_
from web.office import Office
from web.textwords import Writer

PAGE = "/doors"
LOG = 50
ROLES = {"reader": (N_("Read"), N_("Calls, contacts and who is owed a call; changes nothing")),
         "staff": (N_("Work"), N_("Also texts, notes, recordings, cards and the telephone")),
         "owner": (N_("Everything"), N_("All that a program can do here")),
         tokens.PHONEBOOK: (N_("Phone book"), N_("An address for desk phones: names and numbers, nothing else"))}
LASTS = {"": N_("Until it is taken back"), "30": N_("30 days"), "365": N_("One year")}
KINDS = {"call.ringing": N_("A call rings"), "call.ended": N_("A call has ended"), "sms.received": N_("A text came"),
         "sms.sent": N_("A text was sent"), "sms.delivered": N_("A text was delivered")}
STATES = {"waiting": (N_("Waiting"), "soon"), "delivered": (N_("Delivered"), "good"),
          "given_up": (N_("Given up"), "bad")}


@dataclass(frozen=True)
class Line:
    """One key as the page shows it; seen "" never, until "" without an end."""
    it: Token
    seen: str
    until: str
    is_over: bool


@dataclass(frozen=True)
class Letter:
    """One line of a webhook's log."""
    it: Delivery
    at: str
    state: str
    tone: str
    next: str


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(PAGE, callback=lambda: _page(office), role="owner")
    app.get(PAGE + "/api", callback=lambda: _api(office), role="owner")
    app.get(PAGE + "/openapi.json", callback=lambda: document.document(api.OPERATIONS), role="owner")
    app.post(PAGE + "/token", callback=lambda: _add_token(office), role="owner")
    app.post(PAGE + "/token/revoke", callback=lambda: _revoke(office), role="owner")
    app.post(PAGE + "/webhook", callback=lambda: _add_webhook(office), role="owner")
    app.get(PAGE + "/webhook/<webhook_id:int>", callback=lambda webhook_id: _webhook(office, webhook_id), role="owner")
    for what, act in {"switch": _switch, "remove": _remove, "test": _test, "replay": _replay}.items():
        app.post(f"{PAGE}/webhook/<webhook_id:int>/{what}", role="owner",
                 callback=lambda webhook_id, act=act: act(office, _target(office, webhook_id)))
    for what, keep in {"printer": doors_machines.printer, "mqtt": doors_machines.mqtt}.items():
        app.post(f"{PAGE}/{what}", role="owner",
                 callback=lambda what=what, keep=keep: _machine(office, keep(office), what))


def _page(office: Office, problem: str = "", about: str = "", given: dict[str, str] | None = None,
          once: dict[str, str] | None = None) -> str:
    writer, now, db = _writer(office), office.clock(), office.db
    lines = [Line(it, writer.when(it.seen_at) if it.seen_at else "",
                  office.words.day(it.expires_at) if it.expires_at else "", not it.is_good(now))
             for it in tokens.listed(db)]
    return office.render(
        "doors.html", lines=lines, targets=webhooks.listed(db), roles=ROLES, lasts=LASTS, kinds=KINDS,
        problem=problem, about=about, given=forms.Given(given or {}), once=once, set_=settings.read(db),
        printer=standing.trouble(db, "printer"), mqtt=standing.trouble(db, "mqtt"), whens=doors_machines.WHENS)


def _api(office: Office) -> str:
    """The document as a page that needs no script and no other machine."""
    paths = document.document(api.OPERATIONS)["paths"]
    parts: dict[str, list[tuple[str, str, dict[str, object]]]] = {}
    for path, methods in paths.items():
        for method, it in methods.items():
            parts.setdefault(it["tags"][0], []).append((method.upper(), path, it))
    return office.render("doorsapi.html", parts=parts, base=document.BASE, origin_=office.origin, roles=ROLES)


def _add_token(office: Office) -> str:
    now, role, lasts = office.clock(), forms.field("role"), forms.field("lasts")
    given = {"name": forms.field("name", 200), "role": role, "lasts": lasts}
    until = _end_of_day(office, now + timedelta(days=int(lasts))) if lasts in LASTS and lasts else None
    try:
        with store.write(office.db) as db:
            _, token = tokens.add(db, given["name"], role, office.by, now, until)
    except TokenError as refused:
        response.status = 400
        return _page(office, office.words(str(refused)), "token", given)
    kind = "book" if role == tokens.PHONEBOOK else "token"
    return _page(office, once={"kind": kind, "name": given["name"], "secret": token,
                               "address": f"{office.origin}/phonebook/{token}/"})


def _end_of_day(office: Office, at: datetime) -> datetime:
    """The last moment of that day in the shop."""
    return datetime.combine(at.astimezone(office.box.zone).date(), time.max.replace(microsecond=0),
                            office.box.zone).astimezone(UTC)


def _revoke(office: Office) -> HTTPResponse:
    token, by, now = tokens.one(office.db, forms.row_id()), office.by, office.clock()
    if token is None or token.revoked_at:
        raise HTTPError(404)
    with store.write(office.db) as db:
        tokens.revoke(db, token, by, now)
    return office.done(PAGE, office.words("“%(name)s” opens nothing any more.", name=token.name),
                       lambda db: tokens.put_back(db, token, by, office.clock()))


def _add_webhook(office: Office) -> str:
    given, chosen = {"name": forms.field("name", 200), "url": forms.field("url", 600)}, forms.every("kind")
    try:
        with store.write(office.db) as db:
            made, secret = webhooks.add(db, given["name"], given["url"], chosen, office.clock())
            changes.record(db, office.by, f"webhook {given['name']}", None, {"url": given["url"], "tells": chosen},
                           office.clock(), made)
    except WebhookError as refused:
        response.status = 400
        return _page(office, office.words(str(refused)), "webhook", given | dict.fromkeys(chosen, "1"))
    return _page(office, once={"kind": "webhook", "name": given["name"], "secret": secret})


def _target(office: Office, webhook_id: int) -> Webhook:
    found = next((one for one in webhooks.listed(office.db) if one.id == webhook_id), None)
    if found is None:
        raise HTTPError(404)
    return found


def _webhook(office: Office, webhook_id: int) -> str:
    target, before, writer = _target(office, webhook_id), forms.asked_id("before"), _writer(office)
    log = webhooks.log(office.db, target.id, before, LOG + 1)
    letters = [Letter(it, writer.when(it.at), STATES[it.state][0], STATES[it.state][1],
                      writer.when(it.next_at) if it.next_at else "") for it in log[:LOG]]
    return office.render("doorslog.html", target=target, letters=letters, before=before, kinds=KINDS,
                         older=log[LOG - 1].id if len(log) > LOG else None)


def _switch(office: Office, target: Webhook) -> HTTPResponse:
    by, is_on = office.by, not target.is_on

    def put(db: sqlite3.Connection, wanted: bool) -> None:
        webhooks.switch(db, target.id, wanted)
        changes.record(db, by, f"webhook {target.name}", {"on": not wanted}, {"on": wanted}, office.clock(), target.id)
    with store.write(office.db) as db:
        put(db, is_on)
    said = office.words("“%(name)s” is told again.", name=target.name) if is_on else \
        office.words("“%(name)s” is told nothing new.", name=target.name)
    return office.done(f"{PAGE}/webhook/{target.id}", said, lambda db: put(db, not is_on))


def _remove(office: Office, target: Webhook) -> HTTPResponse:
    by = office.by
    webhooks.empty(office.db, target.id)
    with store.write(office.db) as db:
        gone = webhooks.take_away(db, target.id)
        changes.record(db, by, f"webhook {target.name}", {"url": target.url}, None, office.clock(), target.id)

    def back(db: sqlite3.Connection) -> None:
        webhooks.put_back(db, gone)
        changes.record(db, by, f"webhook {target.name}", None, {"url": target.url}, office.clock(), target.id)
    return office.done(PAGE, office.words("“%(name)s” is removed, and its log with it.", name=target.name), back)


def _test(office: Office, target: Webhook) -> HTTPResponse:
    """A letter about the last call, or about nothing where there was none."""
    with store.write(office.db) as db:
        webhooks.send_test(db, target.id, office.clock())
    said = office.words("A letter goes to “%(name)s” now.", name=target.name)
    return office.done(f"{PAGE}/webhook/{target.id}", said)


def _replay(office: Office, target: Webhook) -> HTTPResponse:
    with store.write(office.db) as db:
        if webhooks.replay(db, forms.row_id(), office.clock(), target.id) is None:
            raise HTTPError(404)
    return office.done(f"{PAGE}/webhook/{target.id}", office.words("It is told once more."))


def _machine(office: Office, done: HTTPResponse | Wrong, about: str) -> str | HTTPResponse:
    if isinstance(done, HTTPResponse):
        return done
    response.status = 400
    return _page(office, done.problem, about, done.given)


def _writer(office: Office) -> Writer:
    return Writer(office.box, office.words, office.clock())
