"""Backups: which there are and whether they are proven, where they go, and how one comes back."""
from __future__ import annotations

import importlib
import io
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import settings
from appliance.backup import places, rows, secrets
from appliance.backup.network import fingerprint
from appliance.backup.rows import Backup, BackupError, Place
from appliance.backup.secrets import SecretError
from appliance.people import changes
from appliance.store import db as store
from web import forms
from web.language import N_, Words
from web.office import Office
from web.textwords import Writer

STATES = {"asked": (N_("Waits"), "", "clock"), "making": (N_("Copying the store"), "", "again"),
          "copying": (N_("Writing"), "", "again"), "proving": (N_("Reading it back"), "", "again"),
          "failed": (N_("Failed"), "bad", "warn"), "cancelled": (N_("Called off"), "", "x"),
          "found": (N_("Found there"), "", "help")}
RECORDINGS = {"all": N_("With recordings"), "starred": N_("With starred recordings"), "none": N_("Without recordings")}
KINDS = {"box": (N_("This box"), "drawer"), "usb": (N_("USB stick"), "usb"), "smb": (N_("Windows share or NAS"), "net"),
         "sftp": (N_("SFTP folder"), "net")}
COUNTED = (("calls", N_("Calls")), ("customers", N_("Customers")), ("texts", N_("Texts")))
CHANGED = (*COUNTED, ("recordings", N_("Recordings")), ("users", N_("Users")), ("rules", N_("Rules")),
           ("templates", N_("Templates")))
PREVIEWED = ("asked", "reading", "ready", "agreed", "restoring")
PIECE = 256 * 1024
QR_PIXEL = 4


@dataclass(frozen=True)
class Line:
    """One backup of the list, as a person reads it."""
    it: Backup
    when: str
    size: str
    word: str
    tone: str
    icon: str
    percent: int


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/backups", callback=lambda: _page(office), role="owner")
    app.get("/backups/card", callback=lambda: _card(office), role="owner")
    app.get("/backups/card.svg", callback=lambda: _code(office), role="owner")
    app.get("/backups/file/<backup_id:int>", callback=lambda backup_id: _download(office, backup_id), role="owner")
    app.post("/backups/now", callback=lambda: _now(office), role="owner")
    app.post("/backups/cancel", callback=lambda: _cancel(office), role="owner")
    app.post("/backups/prove", callback=lambda: _prove(office), role="owner")
    app.post("/backups/passphrase", callback=lambda: _passphrase(office), role="owner")
    app.post("/backups/place", callback=lambda: _add_place(office), role="owner")
    app.post("/backups/place/<what:re:try|trust|remove|save>", callback=lambda what: _place(office, what), role="owner")


class Teller:
    """Speaks of backups in one language."""

    def __init__(self, office: Office, now: datetime) -> None:
        self.words, self.now = office.words, now
        self.writer = Writer(office.box, office.words, now)

    def line(self, it: Backup) -> Line:
        word, tone, icon = STATES.get(it.state, ("", "", ""))
        return Line(it, self.when(it.at), self.size(it.size_bytes), self.words(word), tone, icon, percent(it))

    def when(self, at: datetime) -> str:
        """Today, 02:14; Fri 13 Nov, 02:14."""
        near = self.words.near(at, self.now) or self.words.day_short(at, self.now)
        return self.words("%(day)s, %(time)s", day=near, time=self.words.time(at))

    def since(self, at: datetime) -> str:
        """In the middle of a sentence: 02:14; Fri 13 Nov, 02:14."""
        if self.words.local(at).date() == self.words.local(self.now).date():
            return self.words.time(at)
        return self.words("%(day)s, %(time)s", day=self.words.day_short(at, self.now), time=self.words.time(at))

    def dated(self, at: datetime) -> str:
        """For paper, which stays: Saturday, 21 November, 02:14."""
        return self.words("%(day)s, %(time)s", day=self.words.day(at), time=self.words.time(at))

    def size(self, size: int | None) -> str:
        return "–" if size is None else bytes_said(self.words, size)

    def kept(self, at: Place) -> str:
        """What a place is for, in a sentence."""
        kept = self.words.plural("%(n)s kept", "%(n)s kept", at.daily)
        how = self.words("Nightly, %(kept)s.", kept=kept) if at.is_nightly else self.words("Only by hand, %(kept)s.",
                                                                                         kept=kept)
        return how


def percent(it: Backup | rows.Restore) -> int:
    return min(100, it.done_bytes * 100 // it.total_bytes) if it.total_bytes else 0


def bytes_said(words: Words, size: int) -> str:
    """182 MB, 4.4 GB."""
    if size >= 1_000_000_000:
        return words("%(n)s GB", n=words.number(size / 1e9, 1)).replace(" ", "\N{NO-BREAK SPACE}")
    if size >= 1_000_000:
        return words("%(n)s MB", n=words.number(round(size / 1e6), 0)).replace(" ", "\N{NO-BREAK SPACE}")
    return words("%(n)s kB", n=words.number(max(1, round(size / 1e3)), 0)).replace(" ", "\N{NO-BREAK SPACE}")


def _page(office: Office, problem: str = "", about: str = "") -> str:
    db, now = office.db, office.clock()
    teller, last = Teller(office, now), rows.last_proven(db)
    lines = [teller.line(it) for it in rows.backups(db)]
    restore = rows.last_restore(db)
    return office.render(
        "backups.html", teller=teller, last=last, lines=lines,
        running=next((it for it in lines if it.it.is_open), None),
        targets=rows.places(db), places_of=places_here(), recordings=RECORDINGS, kinds=KINDS, counted=COUNTED,
        has_passphrase=secrets.has_passphrase(db), set_=settings.read(db), fingerprint=fingerprint, problem=problem,
        about=about, restore=restore if restore and restore.state in PREVIEWED else None,
        given={key: forms.field(key, 200) if problem else "" for key in ("kind", "name", "address", "user")})


def places_here() -> list[places.Stick]:
    """The sticks that are plugged in now."""
    try:
        return places.sticks()
    except OSError:
        return []


def _now(office: Office) -> HTTPResponse:
    asked = forms.every("place") or [str(at.id) for at in rows.places(office.db) if at.kind == "box"]
    by = _by(office)
    with store.write(office.db) as db:
        for place_id in (int(one) for one in asked if forms.ID.fullmatch(one)):
            try:
                rows.ask(db, place_id, by, office.clock())
            except BackupError:
                raise HTTPError(404) from None
        changes.record(db, by, "backup", None, {"places": len(asked)}, office.clock())
    return office.done("/backups", office.words("It is being made. You can go on with your work."))


def _cancel(office: Office) -> HTTPResponse:
    rows.cancel(office.db, forms.row_id())
    return office.done("/backups", office.words("Called off. What was there before stays."))


def _prove(office: Office) -> HTTPResponse:
    try:
        rows.prove_again(office.db, forms.row_id())
    except BackupError as refused:
        return office.done("/backups", office.words(str(refused)))
    return office.done("/backups", office.words("It is read back once more."))


def _passphrase(office: Office) -> str | HTTPResponse:
    words, again = secret("passphrase"), secret("again")
    try:
        if words != again:
            raise SecretError("The two are not the same. Type it twice.")
        with store.write(office.db) as db:
            secrets.keep_passphrase(db, words)
            changes.record(db, _by(office), "backup passphrase", None, {"set": True}, office.clock())
    except SecretError as refused:
        response.status = 400
        return _page(office, office.words(str(refused)), "passphrase")
    return office.done("/backups", office.words("The passphrase is kept. Write it on the card: without it no backup "
                                                "can be opened."))


def _add_place(office: Office) -> str | HTTPResponse:
    kind, address = forms.field("kind", 10), forms.field("address", 200)
    user = forms.field("user", 100)
    name = forms.field("name", rows.MAX_NAME) or address.strip("/").split("/")[-1 if kind == "usb" else 0]
    try:
        with store.write(office.db) as db:
            place_id = rows.add_place(db, _by(office), office.clock(), kind, name, address, user, secret("password"),
                                      forms.field("recordings", 10))
    except (BackupError, SecretError) as refused:
        response.status = 400
        return _page(office, office.words(str(refused)), "place")
    by, now = _by(office), office.clock()
    return office.done("/backups#places", office.words("“%(name)s” is in the list and is being tried.", name=name),
                       lambda db: rows.remove_place(db, place_id, by, now))


def _place(office: Office, what: str) -> HTTPResponse:
    place_id, by, now, words = forms.row_id(), _by(office), office.clock(), office.words
    try:
        with store.write(office.db) as db:
            at = rows.place(db, place_id)
            if what == "remove":
                row, ids = rows.remove_place(db, place_id, by, now)
                return office.done("/backups#places", words("“%(name)s” removed. The files there stay.", name=at.name),
                                   lambda db: rows.put_back(db, row, ids))
            if what == "save":
                before = rows.set_place(db, place_id, by, now, is_nightly=int(forms.ticked("nightly")),
                                        recordings=forms.field("recordings", 10),
                                        daily=forms.number_or(forms.field("daily", 4), at.daily),
                                        weekly=forms.number_or(forms.field("weekly", 4), at.weekly),
                                        monthly=forms.number_or(forms.field("monthly", 4), at.monthly))
                return office.done("/backups#places", words("“%(name)s” is kept so.", name=at.name),
                                   lambda db: rows.set_place(db, place_id, by, now, **before))
            if what == "trust":
                rows.set_place(db, place_id, by, now, host_key=None)
            rows.set_place(db, place_id, by, now, is_asked=1)
    except BackupError as refused:
        return office.done("/backups#places", words(str(refused)))
    return office.done("/backups#places", words("“%(name)s” is being tried.", name=at.name))


def _download(office: Office, backup_id: int) -> HTTPResponse:
    """The file of a backup that lies on this box."""
    try:
        it = rows.backup(office.db, backup_id)
    except BackupError:
        raise HTTPError(404) from None
    if it.kind != "box" or it.file is None or it.state != "proven" or not places.NAME.fullmatch(it.file):
        raise HTTPError(404)
    try:
        file: BinaryIO = open(os.open(office.box.state / "backups" / it.file, os.O_RDONLY | os.O_NOFOLLOW), "rb")   # noqa: SIM115
    except OSError:
        raise HTTPError(404) from None
    with store.write(office.db) as db:
        changes.record(db, _by(office), "backup download", None, {"backup": backup_id}, office.clock(), backup_id)
    return HTTPResponse(iter(lambda: file.read(PIECE), b""), headers={
        "Content-Type": "application/octet-stream", "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Content-Disposition": f'attachment; filename="{it.file}"'})


def _card(office: Office) -> str:
    now = office.clock()
    return office.render("backupcard.html", teller=Teller(office, now), last=rows.last_proven(office.db),
                         targets=rows.places(office.db), kinds=KINDS)


def _code(office: Office) -> HTTPResponse:
    """What to do, for a telephone's camera. No secret: whoever finds the card has only the words on it."""
    said = office.words("Deskbell: put the stick or a backup file into a new box, open Backups, press Restore, "
                        "type the passphrase.")
    qrcode, svg = importlib.import_module("qrcode"), importlib.import_module("qrcode.image.svg")      # seldom wanted
    image = qrcode.make(said, image_factory=svg.SvgPathImage, box_size=QR_PIXEL * 5, border=2)
    drawn = io.BytesIO()
    image.save(drawn)
    return HTTPResponse(re.sub(rb"<\?xml[^>]*>", b"", drawn.getvalue()), headers={"Content-Type": "image/svg+xml"})


def secret(name: str) -> str:
    """A password as it was typed: spaces at its ends belong to it."""
    given: str = request.forms.getunicode(name, "")[:secrets.MAX_PASSPHRASE + 1]
    return given


def _by(office: Office) -> str:
    assert office.session is not None
    return office.session.user
