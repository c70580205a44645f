"""The demo panel: rings the simulated shop. Only a box that was started as a demo has it."""
from __future__ import annotations

import logging

import bottle
from bottle import HTTPError, HTTPResponse, request

from web.office import Office, go, header

log = logging.getLogger("web.demo")

STORIES = {"miss", "talk"}


def routes(app: bottle.Bottle, office: Office) -> None:
    if office.box.demo is not None:
        app.post("/demo/call", callback=lambda: _call(office))


def _call(office: Office) -> HTTPResponse | str:
    from appliance.box import demo  # the simulated telephone company is of no use to a real box

    story = request.forms.get("story", "")
    if story not in STORIES:
        raise HTTPError(400)
    try:
        demo.place_call(office.box, story)
    except OSError as refused:
        log.warning("the demo call was not placed: %s", refused)
        raise HTTPError(503) from refused
    if header("X-Deskbell-Token"):       # asked by the page's script: it stays where it is
        return HTTPResponse(status=204)
    return go("/")
