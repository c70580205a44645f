"""The page Update: which version runs, a newer one brought by upload or stick, and what became of those before."""
from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from pathlib import Path

import bottle
from bottle import HTTPError, HTTPResponse, response

from appliance import settings
from appliance.backup import places
from appliance.box import boot_notes, licences
from appliance.people import changes
from appliance.store import db as store
from appliance.update import bundle, bundles, errands
from appliance.update.bundle import Bundle, BundleError, Ground
from web import boxpage, forms
from web.backups import Teller, bytes_said
from web.language import N_
from web.office import Office

STATES = {"installing": (N_("Is written"), "", "again"), "installed": (N_("Is tried"), "", "clock"),
          "good": (N_("Runs well"), "ok", "check"), "went_back": (N_("Went back"), "bad", "back"),
          "failed": (N_("Not installed"), "bad", "warn")}
SOURCES = {"upload": N_("Uploaded"), "stick": N_("From a USB stick"), "channel": N_("From the address of updates")}
MOST_SHOWN = 20
NO_ROOM = N_("There is no room for the update. Delete recordings or backups nobody needs.")


@dataclass(frozen=True)
class Line:
    """One bundle of before, as a person reads it."""
    it: bundles.Row
    when: str
    word: str
    tone: str
    icon: str
    source: str
    said: str


@dataclass(frozen=True)
class OnStick:
    path: str
    name: str
    stick: str
    size: str


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/update", callback=lambda: _page(office), role="installer")
    app.post("/update/upload", callback=lambda: _upload(office), role="installer", upload=bundle.MOST_BYTES)
    app.post("/update/stick", callback=lambda: _from_stick(office), role="installer")
    app.post("/update/install", callback=lambda: _install(office), role="installer")
    app.post("/update/drop", callback=lambda: _drop(office), role="installer")


def _page(office: Office, problem: str = "") -> str:
    db, now, here = office.db, office.clock(), Ground()
    teller, errand, row = Teller(office, now), errands.as_seen(errands.latest(db, "update"), office.box), \
        bundles.waiting(db)
    lines = [_line(office, teller, it) for it in bundles.history(db)]
    if errand and errand.is_open and errand.state == "waiting" and now - errand.at > errands.OLDEST:
        errand = None                                       # no steward came
    return office.render(
        "update.html", teller=teller, version=licences.version(), epoch=here.epoch,
        slot=boot_notes.told(boxpage.places_of(office), "slot").get("slot", ""),
        can=here.is_there, is_for_tests=here.is_there and here.is_for_tests, row=row, errand=errand, lines=lines,
        source=office.words(SOURCES[row.source]) if row else "", size=bytes_said(office.words, row.size_bytes)
        if row else "", on_sticks=_on_sticks(office), problem=problem, set_=settings.read(db), last=lines[0] if lines
        else None, is_same=row is not None and row.version == here.version)


def _line(office: Office, teller: Teller, it: bundles.Row) -> Line:
    word, tone, icon = STATES[it.state]
    return Line(it, teller.when(it.ended_at or it.at), office.words(word), tone, icon, office.words(SOURCES[it.source]),
                office.words(it.said) if it.said else "")


def _upload(office: Office) -> str | HTTPResponse:
    given, folder = office.upload, bundles.folder(office.box)
    if given.has_no_room:
        return _refused(office, NO_ROOM)
    if given.path is None or given.too_big:
        return _refused(office, bundle.NO_BUNDLE)
    try:
        found = bundle.look(given.path, Ground())
        bundle.prove(given.path, found)
    except BundleError as refused:
        return _refused(office, str(refused))
    folder.mkdir(exist_ok=True)
    name = f"{random.token_hex(8)}{bundle.SUFFIX}"
    given.path.rename(folder / name)
    return _added(office, "upload", name, found)


def _from_stick(office: Office) -> str | HTTPResponse:
    asked = forms.field("path", 500)
    one = next((one for one in _on_sticks(office) if one.path == asked), None)
    if one is None:
        return _refused(office, N_("The stick is no longer there. Plug it in again."))
    try:
        return _added(office, "stick", one.path, bundle.look(Path(one.path), Ground()))
    except BundleError as refused:
        return _refused(office, str(refused))


def _added(office: Office, source: str, file: str, found: Bundle) -> HTTPResponse:
    bundles.add(office.db, office.box, office.by, source, file, found, office.clock())
    return office.done("/update", office.words("Version %(version)s is here and was checked. Nothing is installed yet.",
                                               version=found.version))


def _install(office: Office) -> str | HTTPResponse:
    row, when, now = bundles.read(office.db, forms.row_id()), forms.field("when", 10), office.clock()
    if row is None or row.state not in ("ready", "night") or when not in ("now", "night", "wait"):
        raise HTTPError(404)
    if when != "now":
        bundles.put(office.db, row.id, "night" if when == "night" else "ready")
        with store.write(office.db) as db:
            changes.record(db, office.by, "update", {"when": row.state}, {"when": when}, now, row.id)
        said = N_("It is installed tonight, once nobody is on the telephone.") if when == "night" else N_(
            "It waits until you say so.")
        return office.done("/update", office.words(said))
    try:
        errands.ask(office.db, office.box, office.by, "update", {"bundle": row.id}, now)
    except errands.ErrandError as refused:
        return _refused(office, str(refused))
    return office.done("/update", office.words("It is installed. Telephones ring meanwhile, but for two minutes at the "
                                               "end, when the box restarts."))


def _drop(office: Office) -> HTTPResponse:
    bundles.drop(office.db, office.box, office.clock())
    return office.done("/update", office.words("The update was removed. Nothing was installed."))


def _refused(office: Office, said: str) -> str:
    response.status = 400
    return _page(office, office.words(said))


def _on_sticks(office: Office) -> list[OnStick]:
    """The bundles on sticks that are plugged in now."""
    found = []
    try:
        for stick in places.sticks():
            for folder in (stick.folder, stick.folder / places.FOLDER):
                found += [OnStick(str(file), file.name, stick.label, bytes_said(office.words, file.stat().st_size))
                          for file in sorted(folder.glob("*" + bundle.SUFFIX)) if file.is_file()
                          and not file.is_symlink()]
    except OSError:
        pass
    return found[:MOST_SHOWN]

