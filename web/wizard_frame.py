"""What the pages of the first steps share: how far somebody is, the frame around a step, going on to the next."""
from __future__ import annotations

from dataclasses import replace

from bottle import HTTPResponse, response

from appliance.store import db as store
from web import wizard_steps as steps
from web.office import Office, go
from web.wizard_steps import Progress


def progress(office: Office) -> Progress:
    return steps.read(office.db) or Progress(is_over=True)


def show(office: Office, key: str, status: int = 200, **given: object) -> str:
    """The page of a step. given: what its template _wizard_KEY.html wants."""
    now, trail = progress(office), steps.mine(office.may)
    keys = [step.key for step in trail]
    place = keys.index(key)
    response.status = status
    return office.render("wizard.html", is_bare=True, key=key, step=trail[place], trail=trail, progress=now,
                         place=place + 1, before=keys[place - 1] if place else "",
                         following=trail[min(place + 1, len(trail) - 1)], **given)


def note(office: Office, **changed: object) -> None:
    """Remembers something of the step one is at."""
    with store.write(office.db) as db:
        steps.keep(db, replace(progress(office), **changed))      # type: ignore[arg-type]


def onward(office: Office, key: str, outcome: str) -> HTTPResponse:
    """Notes how this step ended and goes to the next; the line is listened to from the moment its page opens."""
    with store.write(office.db) as db:
        now = steps.after(progress(office), key, outcome, office.may)
        if now.at == "line":
            now = replace(now, ring_after=last_call(office))
        steps.keep(db, now)
    return go(f"/wizard/{now.at}")


def last_call(office: Office) -> int:
    """The id of the last call there was, 0 for none: what rings from now on is newer, whatever the clock says."""
    return int(office.db.execute("SELECT coalesce(max(id), 0) FROM call").fetchone()[0])
