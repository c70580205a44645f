"""What has no page of its own: the way back from what was done, and the phone's page of further places."""
from __future__ import annotations

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.store import db as store
from web import undo
from web.office import Office


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/more", callback=lambda: office.render("more.html"), role="any")
    app.post("/undo", callback=lambda: _undo(office), role="any")


def _undo(office: Office) -> HTTPResponse:
    assert office.session is not None
    done = office.memory.take(office.session.key, request.forms.get("done", ""))
    if done is None or done.back is None or done.restores != office.restores():
        raise HTTPError(410)
    if isinstance(done.back, undo.InSteps):
        done.back.go(office.db)
    else:
        with store.write(office.db) as db:
            done.back(db)
    return office.done(done.page, office.words("Undone."))
