"""The step of the first backup: where it goes, made at once and read back while one looks."""
from __future__ import annotations

import bottle
from bottle import HTTPResponse

from appliance.backup import rows, secrets
from appliance.backup.rows import BackupError
from appliance.backup.secrets import SecretError
from appliance.people import changes
from appliance.store import db as store
from web import forms
from web.backups import KINDS, Teller, places_here, secret
from web.office import Office, go
from web.wizard_frame import note, onward, progress, show
from web.wizard_steps import DONE, LATER

FIELDS = ("where", "address", "user")


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/wizard/backup", callback=lambda: _page(office), role="owner")
    app.post("/wizard/backup", callback=lambda: _next(office), role="owner")
    app.post("/wizard/backup/make", callback=lambda: _make(office), role="owner")


def _page(office: Office, problem: str = "") -> str:
    db, teller = office.db, Teller(office, office.clock())
    first = progress(office).backup
    lines = [teller.line(it) for it in rows.backups(db) if first and it.id >= first]
    known = {(at.kind, at.address) for at in rows.places(db)}
    sticks = places_here()
    given = forms.Given({key: forms.field(key, 200) for key in FIELDS} if problem else {})
    if not given["where"]:
        given["where"] = f"stick:{sticks[0].label}" if sticks else "box"
    return show(office, "backup", 400 if problem else 200, lines=lines, sticks=sticks, known=known, kinds=KINDS,
                places_kept=[at for at in rows.places(db) if at.kind != "box"], teller=teller, given=given,
                has_passphrase=secrets.has_passphrase(db), problem=problem)


def _make(office: Office) -> str | HTTPResponse:
    """Adds the place that was chosen, with the passphrase it needs, and asks for a backup there and on this box."""
    where, by, now = forms.field("where", 220), office.by, office.clock()
    kind, _, label = where.partition(":")
    try:
        with store.write(office.db) as db:
            asked = [at.id for at in rows.places(db) if at.kind == "box"]
            if kind != "box":
                _keep_passphrase(office)
                asked.append(_place(office, kind, label))
            ids = [rows.ask(db, place_id, by, now) for place_id in asked]
            changes.record(db, by, "backup", None, {"places": len(asked)}, now)
    except (BackupError, SecretError) as refused:
        return _page(office, office.words(str(refused)))
    note(office, backup=min(one for one in ids if one))
    return go("/wizard/backup#made")


def _keep_passphrase(office: Office) -> None:
    given = secret("passphrase")
    if secrets.has_passphrase(office.db) and not given:
        return
    if given != secret("again"):
        raise SecretError("The two are not the same. Type it twice.")
    secrets.keep_passphrase(office.db, given)
    changes.record(office.db, office.by, "backup passphrase", None, {"set": True}, office.clock())


def _place(office: Office, kind: str, label: str) -> int:
    """The id of the place: one that is there already is used again."""
    kind = "usb" if kind == "stick" else kind
    address, user = (label, "") if kind == "usb" else (forms.field("address", 200), forms.field("user", 100))
    for at in rows.places(office.db):
        if (at.kind, at.address) == (kind, address):
            return at.id
    name = (address if kind == "usb" else address.strip("/").split("/")[0])[:rows.MAX_NAME]
    return rows.add_place(office.db, office.by, office.clock(), kind, name, address, user,
                          "" if kind == "usb" else secret("password"))


def _next(office: Office) -> HTTPResponse:
    now = progress(office)
    made = now.backup and any(it.state == "proven" or it.is_open for it in rows.backups(office.db)
                              if it.id >= now.backup)
    return onward(office, "backup", DONE if made or now.steps.get("backup") == DONE else LATER)
