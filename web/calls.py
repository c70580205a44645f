"""The history and a call's own page."""
from __future__ import annotations

import re
from itertools import groupby

import bottle
from bottle import HTTPError, request

from appliance.calls import history
from web.journey import NO_NEWS, Teller
from web.office import Office

PAGE = 50
KEY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z),(\d{1,18})", re.ASCII)


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/history", callback=lambda: _history(office))
    app.get("/call/<call_id:int>", callback=lambda call_id: _call(office, call_id))


def _history(office: Office) -> str:
    show, before = request.query.get("show", "all"), request.query.get("before", "")
    match = KEY.fullmatch(before)
    if show not in history.SHOWS or before and not match:
        raise HTTPError(404)
    key = history.Key(match[1], int(match[2])) if match else None
    page = history.page(office.db, key, show, PAGE)
    teller, words = Teller(office.box, office.words), office.words
    days = [(words.local(calls[0].call.started_at), calls) for _, calls in (
        (day, list(rows)) for day, rows in groupby(
            (teller.row(call) for call in page.calls), lambda row: words.local(row.call.started_at).date()))]
    opened = request.query.get("open", "")
    story = history.story(office.db, int(opened)) if re.fullmatch(r"[0-9]{1,18}", opened) else None
    return office.render("history.html", days=days, older=page.older, show=show, before=before,
                         opened=story.call.id if story else None, steps=teller.steps(story) if story else [])


def _call(office: Office, call_id: int) -> str:
    story = history.story(office.db, call_id)
    if story is None:
        raise HTTPError(404)
    teller = Teller(office.box, office.words)
    refusals = [refusal.reason for refusal in story.refusals if refusal.code not in NO_NEWS]
    return office.render("call.html", story=story, row=teller.row(story.call), steps=teller.steps(story),
                         refusal=teller.refused(refusals[0]) if refusals else "",
                         texts=[(text, teller.text(text)) for text in story.texts])
