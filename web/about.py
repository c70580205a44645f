"""About this box: its version, what changed, under which licence everything stands, and what a helper may be sent."""
from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from dataclasses import dataclass

import bottle
from bottle import HTTPError, HTTPResponse

from appliance.box import diagnostics, licences
from appliance.calls import today
from appliance.people import changes
from appliance.store import db as store
from web import certificate
from web.office import Office

SHOWN_VERSIONS = 4


@dataclass(frozen=True)
class Version:
    """One release of the changelog: its lead and its points, as they are written."""
    name: str
    lead: str
    points: list[str]


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/about", callback=lambda: _page(office), role="any")
    app.get("/about/licences", callback=lambda: _licences(office), role="any")
    app.get("/about/licence/<name>", callback=lambda name: _licence(office, name), role="any")
    app.post("/about/diagnostics", callback=lambda: _diagnostics(office), role="installer")


def _page(office: Office) -> str:
    box, db = office.box, office.db
    size = sum(file.stat().st_size for file in box.state.glob("office.db*"))
    print_ = ""
    if box.web.tls:
        digest = hashlib.sha256(certificate.der(certificate.authority(box))).hexdigest().upper()
        print_ = " ".join(digest[at:at + 4] for at in range(0, 64, 4))
    return office.render(
        "about.html", version=licences.version(), versions=shown(licences.changelog()), pieces=pieces,
        size_mb=office.words.number(size / 1e6, 1), step=_step(db), print=print_,
        up=office.words.span(round(time.clock_gettime(time.CLOCK_BOOTTIME)) * 1000), sqlite=sqlite3.sqlite_version,
        rows={name: office.words.number(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in (
            "call", "contact", "sms", "recording")})


def shown(changelog: str) -> list[Version]:
    """The last releases of CHANGELOG.md, newest first; each lead and each point is a message of the catalogues."""
    found = []
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:SHOWN_VERSIONS + 1]:
        name, _, rest = part.partition("\n")
        lead, *points = (" ".join(piece.split()) for piece in re.split(r"^- ", rest, flags=re.MULTILINE))
        found.append(Version(name.strip(" []"), lead, points))
    return found


def pieces(text: str) -> list[tuple[str, bool]]:
    """A point without its marks: (text, is bold), one after the other."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text.replace("`", ""))
    return [(piece, place % 2 == 1) for place, piece in enumerate(re.split(r"\*+", plain)) if piece]


def _licences(office: Office) -> str:
    return office.render("licences.html", parts=licences.parts(), common=licences.common())


def _licence(office: Office, name: str) -> str:
    text = licences.own_licence() if name == "deskbell" else licences.text(name)
    if text is None and not any(part.name == name for part in licences.parts()):
        raise HTTPError(404)
    return office.render("licence.html", name=name, text=text)


def _diagnostics(office: Office) -> HTTPResponse:
    assert office.session is not None
    now, seen = office.clock(), today.look(office.db)
    body = diagnostics.archive(office.db, office.box, seen.findings if seen else [], now)
    with store.write(office.db) as db:
        changes.record(db, office.session.user, "diagnostics", None, "downloaded", now)
    name = f"deskbell-{re.sub(r'[^A-Za-z0-9-]', '-', office.box.name)}-{office.words.local(now):%Y-%m-%d}.zip"
    return HTTPResponse(body, headers={"Content-Type": "application/zip",
                                       "Content-Disposition": f'attachment; filename="{name}"'})


def _step(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT max(name) FROM _sqlite_migrations WHERE migration_set = 'deskbell'").fetchone()
    return str(row[0])
