"""The step of the line: does its gateway answer, and what comes when somebody rings the shop now."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import bottle
from bottle import HTTPResponse

from appliance import config
from appliance.box import health
from appliance.people import numbers
from appliance.store.db import parse_time
from appliance.update import errands
from appliance.update.errands import ErrandError
from hw import sip_probe
from hw.sip_probe import Answer, Found
from web import boxpage, forms
from web.office import Office, go
from web.textwords import Writer
from web.wizard_frame import last_call, note, onward, progress, show
from web.wizard_steps import DONE, LATER, Progress

LONG_S = 45           # who still rings then has hung up long ago: the gateway does not hear it


@dataclass(frozen=True)
class Line:
    """A line of the box and its gateway. answer: what that said lately, None while it is asked."""
    key: str
    name: str
    gateway: str
    answer: Answer | None


@dataclass(frozen=True)
class Heard:
    """The test call as it stands. number: as its reader may see it; gives: allowed, withheld or unavailable."""
    at: datetime
    line: str
    number: str
    gives: str
    state: str           # ringing, talking or over
    since_s: int
    is_long: bool


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/wizard/line", callback=lambda: _page(office), role="installer")
    app.post("/wizard/line", callback=lambda: _next(office), role="installer")
    app.post("/wizard/line/ring", callback=lambda: _listen(office), role="installer")
    app.post("/wizard/line/set", callback=lambda: _set(office), role="installer")
    app.post("/wizard/line/search", callback=lambda: _search(office), role="installer")


def _page(office: Office, status: int = 200, problem: str = "") -> str:
    trunks = office.box.trunks
    known = office.gateways.look([trunk.gateway for trunk in trunks])
    found: list[Found] | None
    found, is_searching = office.gateways.found()
    now = progress(office)
    given = {key: forms.field(key, 100) for key in ("key", "gateway")} if problem else {}
    return show(office, "line", status, lines=[Line(it.key, it.name, it.gateway, known[it.gateway]) for it in trunks],
                taken={sip_probe.plain(it.gateway) for it in trunks}, found=found, is_searching=is_searching,
                heard=_heard(office, now), is_listening=now.ring_after >= 0, problem=problem,
                given=forms.Given(given), findings=list(health.telephones(office.box)),
                work=boxpage.work(office, "line"))


def _set(office: Office) -> str | HTTPResponse:
    """A gateway for a line, a new one where none is named; without an address the line goes."""
    key, gateway = forms.field("key", 20), forms.field("gateway", 100)
    if not key and not gateway:
        return _page(office, 400, office.words("Give the gateway’s address, such as 192.168.1.20:5062."))
    if gateway and not config.is_gateway(gateway):
        return _page(office, 400, office.words("%(given)s is no address. Write one such as 192.168.1.20:5062.",
                                               given=gateway))
    try:
        errands.ask(office.db, office.box, office.by, "line", {"key": key, "gateway": gateway}, office.clock())
    except ErrandError as refused:
        return _page(office, 409, office.words(str(refused)))
    return go("/wizard/line")


def _listen(office: Office) -> HTTPResponse:
    note(office, ring_after=last_call(office))
    return go("/wizard/line")


def _search(office: Office) -> HTTPResponse:
    office.gateways.search()
    return go("/wizard/line")


def _next(office: Office) -> HTTPResponse:
    now = progress(office)
    was = now.steps.get("line") == DONE
    return onward(office, "line", DONE if was or _heard(office, now) else LATER)


def _heard(office: Office, now: Progress) -> Heard | None:
    """The last call from outside since the test began, whichever line brought it."""
    if now.ring_after < 0:
        return None
    row = office.db.execute("""
        SELECT trunk, number, caller_id, presentation, started_at, answered_at, ended_at
        FROM call
        WHERE direction = 'in' AND id > ?
        ORDER BY id DESC
        LIMIT 1""", (now.ring_after,)).fetchone()
    if row is None:
        return None
    names = {trunk.key: trunk.name for trunk in office.box.trunks}
    started, at = parse_time(row["started_at"]), office.clock()
    since_s = max(0, int((at - started).total_seconds()))
    state = "over" if row["ended_at"] else "talking" if row["answered_at"] else "ringing"
    number = row["number"] or row["caller_id"]
    gives = row["presentation"] if number or row["presentation"] != "allowed" else "unavailable"
    shown = Writer(office.box, office.words, at).number(number) if office.may("staff") else numbers.short(number)
    return Heard(started, names.get(row["trunk"], row["trunk"] or ""), shown, gives, state, since_s,
                 state == "ringing" and since_s >= LONG_S)
