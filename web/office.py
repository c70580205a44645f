"""What every page works with: the box, its store, the hub of the streams, the words, and who is asking."""
from __future__ import annotations

import gzip
import hashlib
import mimetypes
import secrets
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bottle import HTTPResponse, request, response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from appliance import chosen, settings
from appliance.box.probe import Gateways
from appliance.calls import owed
from appliance.calls.owed import Owed
from appliance.config import Box
from appliance.people import seats
from appliance.people.seats import Seat
from appliance.store import db as store
from appliance.texts import conversations
from web import auth, compiled, helptopics, origins, places, roles, undo
from web.events import Hub
from web.language import NAMES, Languages, Words
from web.pop import chips
from web.upload import Upload
from web.waiting import Waiting

HERE = Path(__file__).parent
THEMES = {"light", "dark"}


@dataclass(frozen=True)
class Static:
    """A file as it is and packed by gzip."""
    content: bytes
    packed: bytes
    type: str
    version: str


class Office:
    """What every page works with: the box, its store, the hub of the streams, and who is asking."""

    def __init__(self, box: Box, hub: Hub, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.given = box                     # as box.toml has it; the office's own choice stands over it
        self.box = box
        self._chosen: dict[str, str] = {}
        self.hub = hub
        self.clock = clock
        self.lockout = auth.Lockout()
        self.memory = undo.Memory()
        self.uploads: dict[str, int] = {}        # the routes that take a file, and the most bytes of it
        self.half_way: Waiting[auth.HalfWay] = Waiting()
        self.new_secrets: Waiting[str] = Waiting()         # of a second factor, by session, until it is proved
        self.languages = Languages(box.zone, box.language)
        self.static = _load_static()
        self._environments: dict[Words, Environment] = {}
        self._mine = threading.local()
        self.gateways = Gateways()               # what they said lately
        self._owed: tuple[tuple[int, int], list[Owed]] = ((-1, -1), [])

    @property
    def db(self) -> sqlite3.Connection:
        """This thread's connection to the store."""
        if not hasattr(self._mine, "db"):
            self._mine.db = store.connect(self.box.store)
        return self._mine.db      # type: ignore[no-any-return]

    def renew(self) -> None:
        """Takes over what the office chose meanwhile: country, time zone, names. Each request begins with it."""
        if (now := chosen.read(self.db)) == self._chosen:
            return
        box = chosen.over(self.given, now)
        if (box.zone, box.language) != (self.languages.zone, self.languages.fallback):
            self.languages, self._environments = Languages(box.zone, box.language), {}
        self.box = self.hub.box = box
        self._chosen = now

    @property
    def session(self) -> auth.Session | None:
        found: auth.Session | None = request.environ.get("deskbell.session")
        return found

    @property
    def by(self) -> str:
        """The name of who is asking, for the log of changes."""
        return self.session.user if self.session else ""

    def may(self, mark: str) -> bool:
        """Whether who is asking may open routes with this mark."""
        return self.session is not None and roles.may(self.session.role, mark)

    @property
    def seat(self) -> Seat:
        """The desk phone, the lines and the mute of who is asking."""
        if "deskbell.seat" not in request.environ:
            request.environ["deskbell.seat"] = seats.of_user(self.db, self.session.user_id) if self.session else Seat()
        found: Seat = request.environ["deskbell.seat"]
        return found

    @property
    def my_phone(self) -> str:
        """The desk phone that rings first when this user calls out from the screen, "" when none does."""
        number = self.seat.extension or ""
        return number if self.may("staff") and number in {it.number for it in self.box.extensions} else ""

    @property
    def upload(self) -> Upload:
        """What the form of a route with upload=… brought; the file is gone after this request unless it is moved."""
        given: Upload = request.environ["deskbell.upload"]
        return given

    @property
    def words(self) -> Words:
        if "deskbell.words" not in request.environ:
            own = self.session.language if self.session else None
            request.environ["deskbell.words"] = self.languages.choose(
                own or request.get_cookie("language"), header("Accept-Language"))
        chosen: Words = request.environ["deskbell.words"]
        return chosen

    @property
    def is_tls(self) -> bool:
        return bool(request.environ["wsgi.url_scheme"] == "https")

    def token(self) -> str:
        """What the forms of this page carry; before log-in it is kept in a cookie of its own."""
        if self.session:
            return self.session.csrf
        token = request.get_cookie(auth.FORM_COOKIE) or request.environ.get("deskbell.form")
        if not token:
            token = request.environ["deskbell.form"] = secrets.token_urlsafe(32)
            self.set_cookie(auth.FORM_COOKIE, token)
        return str(token)

    def set_cookie(self, name: str, value: str, **more: Any) -> None:
        response.set_cookie(name, value, path="/", httponly=True, samesite="strict", secure=self.is_tls, **more)

    def renewed(self, cookie: str) -> None:
        """Goes on under the new id of this session: what may be done has changed."""
        self.set_cookie(auth.COOKIE, cookie)
        request.environ["deskbell.session"] = auth.session(self.db, cookie, self.clock())

    @property
    def origin(self) -> str:
        """How this browser calls the box; the gate let only names of ours through."""
        return f"{request.environ['wsgi.url_scheme']}://{header('Host')}"

    def render(self, template: str, **given: Any) -> str:
        theme, beside, set_ = request.get_cookie("theme"), self._beside(), settings.read(self.db)
        return self._environment(self.words).get_template(template).render(
            words=self.words, session=self.session, token=self.token(), now=self.clock(),
            theme=theme if theme in THEMES else None, path=request.path, box=self.box, seat=self.seat,
            shop=set_.shop_name, house=set_, chips=chips(set_),
            languages={key: NAMES.get(key, key) for key in self.languages.all},
            event=request.environ.get("deskbell.event", 0), is_demo=self.box.demo is not None,
            help_topic=helptopics.topic_of(request.path) if self.session else "", may=self.may,
            places=places.frame(self.may), beside=beside, unread=beside["unread"], toast=self._toast(), **given)

    def piece(self, template: str) -> str:
        """A part of a page by itself, in the reader's language."""
        return self._environment(self.words).get_template(template).render(words=self.words)

    def done(self, path: str, said: str, back: undo.Back | undo.InSteps | None = None) -> HTTPResponse:
        """Sends the browser on to a page of ours, which says what was done and offers the way back."""
        assert self.session is not None
        key = self.memory.keep(self.session.key, said, path, back, self.restores())
        before, mark, row = path.partition("#")
        return go(f"{before}{'&' if '?' in before else '?'}done={key}{mark}{row}")

    def restores(self) -> int:
        """How many backups were brought back into this store; the box carries that over each."""
        return int(self.db.execute("SELECT count(*) FROM backup_restore WHERE state = 'restored'").fetchone()[0])

    def _beside(self) -> dict[str, int]:
        """The numbers beside the places: callers owed a call, call-backs due, texts nobody read."""
        if not self.may("staff"):
            return {"owed": 0, "due": 0, "unread": 0}
        now = self.clock()
        due = self.db.execute("SELECT count(*) FROM callback WHERE state = 'open' AND due_at <= ?", (store.iso(now),))
        return {"owed": len(self.owed(now)), "due": int(due.fetchone()[0]),
                "unread": conversations.unread(self.db)}

    def owed(self, now: datetime) -> list[Owed]:
        """The callers who are owed a call; asked anew after each event and every minute."""
        key = (request.environ.get("deskbell.event", 0), int(now.timestamp()) // 60)
        if self._owed[0] != key:
            self._owed = (key, owed.owed(self.db, now - owed.OWED_FOR))
        return self._owed[1]

    def _toast(self) -> undo.Done | None:
        key = request.query.get("done", "")
        return self.memory.find(self.session.key, key) if self.session and key else None

    def _environment(self, words: Words) -> Environment:
        made = self._environments.get(words)
        if made is None:
            made = self._environments[words] = self._new_environment(words)
        return made

    def _new_environment(self, words: Words) -> Environment:
        environment = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True,
                                  lstrip_blocks=True, undefined=StrictUndefined, extensions=["jinja2.ext.i18n"],
                                  bytecode_cache=compiled.TEMPLATES)
        environment.install_gettext_translations(words.catalogue, newstyle=True)   # type: ignore[attr-defined]
        environment.globals["static"] = self.static_url
        environment.globals["my_phone"] = lambda: self.my_phone
        environment.globals["origin"] = lambda number: origins.told(number, words, self.box.country)
        return environment

    def static_url(self, name: str) -> str:
        """The address of a static file; it changes with the file, so that browsers may keep it."""
        return f"/static/{name}?v={self.static[name].version}"


def header(name: str, default: str = "") -> str:
    """A header of this request as the line had it (Latin-1): a browser may send any bytes."""
    return str(request.environ.get("HTTP_" + name.upper().replace("-", "_"), default))


def go(path: str) -> HTTPResponse:
    """Sends the browser on to a page of ours, with the cookies set so far."""
    answer = response.copy(cls=HTTPResponse)
    answer.status = 303
    answer.set_header("Location", path)
    answer.body = ""
    return answer


def _load_static() -> dict[str, Static]:
    found = {}
    for file in sorted((HERE / "static").iterdir()):
        content = file.read_bytes()
        kind = {".js": "text/javascript"}.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"
        suffix = "; charset=utf-8" if kind.startswith("text/") else ""
        version = hashlib.sha256(content).hexdigest()[:12]
        found[file.name] = Static(content, gzip.compress(content, mtime=0), kind + suffix, version)
    return found
