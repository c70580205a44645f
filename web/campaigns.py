"""The group texts: the list, how one stands, its buttons, its people as CSV."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.people import changes
from appliance.store import db as store
from appliance.texts import campaigns, pace, progress, schedule
from appliance.texts.campaigns import Campaign, CampaignError
from appliance.texts.progress import Progress
from web import forms
from web.language import N_, Words
from web.office import Office
from web.textwords import Writer

STATES = {"scheduled": (N_("Planned"), ""), "running": (N_("Runs"), "good"), "paused": (N_("Paused"), "soon"),
          "stopped": (N_("Stopped"), ""), "done": (N_("Done"), "")}
# The bar in the order of its key: figure, word, icon.
KEY = (("delivered", N_("Delivered"), "check"), ("sent", N_("Sent, no word yet"), "right"),
       ("failed", N_("Refused"), "warn"), ("unknown", N_("Unknown"), "help"), ("cancelled", N_("Called off"), "x"),
       ("waiting", N_("Waiting"), "clock"))
SHOWS = {"look": ("failed", "expired", "unknown"), "everyone": ()}
PAGE = 100
COUNTED = 10         # so many of the list have their figures: each is a walk over its people
BAR = 980


@dataclass(frozen=True)
class Piece:
    """One figure of the bar: where its stripe is and how wide."""
    name: str
    word: str
    icon: str
    count: int
    x: int
    width: int


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/campaigns", callback=lambda: _list(office))
    app.get("/campaign/<campaign_id:int>", callback=lambda campaign_id: _one(office, campaign_id))
    app.get("/campaign/<campaign_id:int>/export", callback=lambda campaign_id: _export(office, campaign_id))
    app.post("/campaign/<campaign_id:int>/<what:re:pause|resume|stop|resend>",
             callback=lambda campaign_id, what: _turn(office, campaign_id, what))


def _list(office: Office) -> str:
    now = office.clock()
    rows = [(it, progress.of(office.db, office.box, it.id, now) if place < COUNTED or it.state == "running" else None)
            for place, it in enumerate(campaigns.listed(office.db)[:PAGE])]
    return office.render("campaigns.html", tab="campaigns", rows=rows, states=STATES, schedule=schedule,
                         writer=Writer(office.box, office.words, now))


def _one(office: Office, campaign_id: int) -> str:
    now, it = office.clock(), _campaign(office, campaign_id)
    so_far = progress.of(office.db, office.box, campaign_id, now)
    show, after = request.query.get("show", "look"), forms.asked_id("after") or 0
    if show not in SHOWS:
        raise HTTPError(404)
    lines = progress.lines(office.db, campaign_id, SHOWS[show], after, PAGE + 1)
    older = lines[PAGE - 1][0] if len(lines) > PAGE else None
    sim = pace.sim(office.db, it.wish.sim or (office.box.modems[0].name if office.box.modems else ""))
    return office.render("campaign.html", tab="campaigns", it=it, so_far=so_far, pieces=pieces(so_far, office.words),
                         state=STATES[it.state], when=schedule.words(it.wish.schedule), show=show, after=after,
                         lines=[line for _, line in lines[:PAGE]], older=older, bar=BAR, pace=_pace(sim.pace_s),
                         done_by=_done_by(office, so_far, now), writer=Writer(office.box, office.words, now))


def pieces(so_far: Progress, words: Words) -> list[Piece]:
    """The stripes of the bar; each figure above 0 is seen, be it ever so small."""
    counts = {name: getattr(so_far, name) for name, _, _ in KEY}
    counts["waiting"] += so_far.sending
    found, x = [], 0
    for name, word, icon in KEY:
        count = counts[name]
        width = max(4, round(BAR * count / max(so_far.people, 1))) if count else 0
        found.append(Piece(name, words(word), icon, count, x, min(width, BAR - x)))
        x += width + (2 if width else 0)
    return [piece for piece in found if piece.count or piece.name != "cancelled"]


def _turn(office: Office, campaign_id: int, what: str) -> HTTPResponse:
    it = _campaign(office, campaign_id)
    now, words, page = office.clock(), office.words, f"/campaign/{campaign_id}"
    turns: dict[str, tuple[Callable[..., object], str]] = {
        "pause": (campaigns.pause, words("Paused. What is on its way still goes.")),
        "resume": (campaigns.resume, words("It goes on.")),
        "stop": (campaigns.stop, words("Stopped. Nothing more of it is sent."))}
    try:
        if what == "resend":
            again = campaigns.resend_failed(office.db, campaign_id, now)
            return office.done(page, words.plural("%(n)s goes once more.", "%(n)s go once more.", again) if again
                               else words("There is nothing to send again."))
        turn, said = turns[what]
        turn(office.db, campaign_id, now)
        with store.write(office.db) as db:
            changes.record(db, office.by, f"campaign {it.wish.name}",
                           {"state": it.state}, {"state": _campaign(office, campaign_id).state}, now, campaign_id)
    except CampaignError as refused:
        return office.done(page, words(str(refused)))
    return office.done(page, said)


def _export(office: Office, campaign_id: int) -> HTTPResponse:
    it = _campaign(office, campaign_id)
    name = re.sub(r"[^A-Za-z0-9]+", "-", it.wish.name).strip("-")[:40] or "group-text"
    return HTTPResponse(progress.export(office.db, office.box, campaign_id), headers={
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}-{campaign_id}.csv"'})


def _campaign(office: Office, campaign_id: int) -> Campaign:
    if not 0 < campaign_id < 2**63:
        raise HTTPError(404)
    try:
        return campaigns.get(office.db, campaign_id)
    except CampaignError:
        raise HTTPError(404) from None


def _pace(pace_s: float) -> int | None:
    """Texts a minute at this SIM's pace, None when it is not slowed down."""
    return round(60 / pace_s) or 1 if pace_s else None


def _done_by(office: Office, so_far: Progress, now: datetime) -> str:
    if not so_far.minutes_left or so_far.halted or not so_far.is_running or so_far.minutes_left > 24 * 60:
        return ""
    return Writer(office.box, office.words, now).when(now + timedelta(minutes=so_far.minutes_left))
