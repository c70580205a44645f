"""Who is at the other end: the gate that every request passes, sessions, log-in with lockout, form tokens."""
from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import secrets
import socket
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import settings
from appliance.config import Web
from appliance.doors import tokens
from appliance.people import desks, seats
from appliance.people.seats import Seat
from appliance.store import db as store

log = logging.getLogger("web.auth")

COOKIE = "deskbell"              # the session
FORM_COOKIE = "deskbell_form"    # the token of a form that is shown before anyone has logged in
STEP_COOKIE = "deskbell_step"    # a password that was right and lacks its code
HALF_WAY_S = 10 * 60
DESK_IDLE = timedelta(hours=12)         # staff: a desk that slept over lunch must still see who rings
SESSION_LIFE = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=2)
LONGEST_AGENT = 300

# Whoever has no session may ask for these and nothing else.
PUBLIC = frozenset({"/login", "/login/code", "/setup", "/welcome", "/certificate", "/ca.crt", "/ping"})
PUBLIC_FOLDERS = ("/static/", "/phonebook/")     # a phone book's address is its key, see api/book.py

FREE_TRIES = 5                   # of one name from one address, then it waits
FREE_TRIES_ADDRESS = 20          # of all names from one address
FIRST_WAIT_S = 30
LONGEST_WAIT_S = 15 * 60
FORGET_S = 60 * 60
MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Session:
    """Somebody who is logged in; `csrf` is the token that every form of this session carries."""
    key: str               # SHA-256 of the cookie, as the store has it
    user_id: int
    user: str
    csrf: str
    role: str
    language: str | None = None
    kind: str = "page"     # or "api", "desk": a program that came with a token


@dataclass
class HalfWay:
    """Somebody whose password was right and whose code is still to come; `wrong` codes were tried."""
    user_id: int
    name: str
    wrong: int = 0


def is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith(PUBLIC_FOLDERS)


def is_our_host(host: str, web: Web) -> bool:
    """Whether a Host header names this box: an address, localhost or one of its names.

    A page elsewhere can point its own name at this box (DNS rebinding), but never an address.
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").lower()
    if name in {"localhost", host_name() or "localhost", *(known.lower() for known in web.hosts)}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_name() -> str:
    """deskbell-4f2a.local: the machine's name as its neighbours find it (RFC 6762), "" when it has none."""
    name = socket.gethostname().split(".")[0].lower()
    return f"{name}.local" if name and name != "localhost" and name.replace("-", "a").isalnum() else ""


def is_own_page(scheme: str, host: str, origin: str, fetch_site: str) -> bool:
    """Whether the browser says that a page of this box sent the request; silence is a no."""
    if origin:
        return origin == f"{scheme}://{host}" and fetch_site in ("", "same-origin")
    return fetch_site == "same-origin"


def same(given: str | None, wanted: str | None) -> bool:
    """Equal and not empty, in constant time."""
    if not given or not wanted:
        return False
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode(errors="replace"))


def key_of(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()


def log_in(db: sqlite3.Connection, user_id: int, now: datetime, address: str = "", agent: str = "") -> str:
    """The cookie of a new session; the store keeps only its hash. Sessions that are over are swept out."""
    cookie = secrets.token_urlsafe(32)
    with store.write(db):
        db.execute("DELETE FROM session WHERE seen_at < ? OR created_at < ?",
                   (store.iso(now - DESK_IDLE), store.iso(now - SESSION_LIFE)))
        db.execute("""
            INSERT INTO session (token_hash, user_id, csrf, created_at, seen_at, address, agent)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
                   (key_of(cookie), user_id, secrets.token_urlsafe(32), store.iso(now), store.iso(now),
                    address, agent[:LONGEST_AGENT]))
    return cookie


def renew(db: sqlite3.Connection, key: str) -> str:
    """A new cookie and form token for this session, after what it may do has changed; call it inside write()."""
    cookie = secrets.token_urlsafe(32)
    db.execute("UPDATE session SET token_hash = ?, csrf = ? WHERE token_hash = ?",
               (key_of(cookie), secrets.token_urlsafe(32), key))
    return cookie


def idle(db: sqlite3.Connection, role: str) -> timedelta:
    """How long a session of this role lives without a page that is open or asked for."""
    if role == "staff":
        return DESK_IDLE
    return timedelta(minutes=settings.read(db).session_idle_min)


def session(db: sqlite3.Connection, cookie: str | None, now: datetime) -> Session | None:
    """The session of this cookie if it still lives; marks it as seen every few minutes."""
    if not cookie:
        return None
    row = db.execute("""
        SELECT token_hash, user_id, user.name AS user, csrf, role, language, seen_at
        FROM session JOIN user ON user.id = session.user_id
        WHERE token_hash = ? AND session.created_at > ? AND is_on""",
                     (key_of(cookie), store.iso(now - SESSION_LIFE))).fetchone()
    if row is None or row["seen_at"] <= store.iso(now - idle(db, row["role"])):
        return None
    mark_seen(db, [row["token_hash"]], now)
    return Session(row["token_hash"], row["user_id"], row["user"], row["csrf"], row["role"], row["language"])


def program(db: sqlite3.Connection, token: str, now: datetime) -> Session | None:
    """Whom a program with this token acts for; None when the token opens nothing (any more)."""
    key = key_of(token)
    if desk := desks.find(db, key):
        row = db.execute("SELECT role, language FROM user WHERE id = ?", (desk.user_id,)).fetchone()
        return Session(key, desk.user_id, desk.user, "", row["role"], row["language"], "desk")
    found = tokens.find(db, key, now)
    if found is None or found.role not in tokens.ROLES:
        return None
    return Session(key, 0, f"{found.name} (API)", "", found.role, kind="api")


def mark_seen(db: sqlite3.Connection, keys: Iterable[str], now: datetime) -> None:
    """Keeps these sessions from going idle; each is written every few minutes at most.

    A store that cannot be written (a full disk) is logged and no more: the pages are still read.
    """
    due = [(store.iso(now), key) for key in keys if db.execute(
        "SELECT 1 FROM session WHERE token_hash = ? AND seen_at < ?", (key, store.iso(now - SEEN_EVERY))).fetchone()]
    if not due:
        return
    try:
        with store.write(db):
            db.executemany("UPDATE session SET seen_at = ? WHERE token_hash = ?", due)
    except sqlite3.OperationalError as full:
        log.warning("sessions could not be marked as seen: %s", full)


def living(db: sqlite3.Connection, keys: set[str], now: datetime) -> dict[str, Seat]:
    """Those of the sessions and desks' tokens that have not ended, and may hear of calls; with their seats."""
    rows = db.execute("""
        SELECT token_hash, user.extension, lines, is_muted FROM session JOIN user ON user.id = session.user_id
        WHERE token_hash IN (SELECT value FROM json_each(?)) AND session.created_at > ?
        AND is_on AND role IN ('owner', 'staff')""", (json.dumps(list(keys)), store.iso(now - SESSION_LIFE)))
    found = {row["token_hash"]: seats.seat(row) for row in rows}
    rest = keys - found.keys()
    return {**found, **desks.living(db, rest)} if rest else found


@dataclass(frozen=True)
class Seen:
    """One session of a user, as the user recognises it; key is short: it names the session and opens nothing."""
    key: str
    address: str
    agent: str
    since: datetime
    seen: datetime


def sessions(db: sqlite3.Connection, user_id: int, now: datetime) -> list[Seen]:
    """Those of a user that still live, the latest used first."""
    rows = db.execute("""
        SELECT session.*, role FROM session JOIN user ON user.id = session.user_id
        WHERE user_id = ? AND session.created_at > ? ORDER BY seen_at DESC, token_hash""",
                      (user_id, store.iso(now - SESSION_LIFE))).fetchall()
    return [Seen(short_key(row["token_hash"]), row["address"] or "", row["agent"] or "",
                 store.parse_time(row["created_at"]), store.parse_time(row["seen_at"]))
            for row in rows if row["seen_at"] > store.iso(now - idle(db, row["role"]))]


def short_key(key: str) -> str:
    return key[:16]


def log_out(db: sqlite3.Connection, key: str) -> None:
    with store.write(db):
        db.execute("DELETE FROM session WHERE token_hash = ?", (key,))


@dataclass
class _Tries:
    wrong: int = 0
    last_s: float = 0.0


class Lockout:
    """Counts wrong passwords and says how long to wait; kept in memory, since a restart takes longer than a wait."""

    def __init__(self) -> None:
        self._tries: dict[tuple[str, str], _Tries] = {}
        self._lock = threading.Lock()

    def wait_s(self, name: str, address: str, now_s: float) -> int:
        """Whole seconds until this name may be tried again from this address; 0 means now."""
        with self._lock:
            left = [self._left(key, free, now_s) for key, free in self._keys(name, address)]
        return int(max(left)) + 1 if max(left) > 0 else 0

    def wrong(self, name: str, address: str, now_s: float) -> None:
        with self._lock:
            for key, _ in self._keys(name, address):
                tries = self._tries.setdefault(key, _Tries())
                if now_s - tries.last_s > FORGET_S:
                    tries.wrong = 0
                tries.wrong, tries.last_s = tries.wrong + 1, now_s
            while len(self._tries) > MOST_REMEMBERED:
                del self._tries[next(iter(self._tries))]

    def right(self, name: str, address: str) -> None:
        with self._lock:
            self._tries.pop((name, address), None)

    def _keys(self, name: str, address: str) -> list[tuple[tuple[str, str], int]]:
        return [((name[:60], address), FREE_TRIES), (("", address), FREE_TRIES_ADDRESS)]

    def _left(self, key: tuple[str, str], free: int, now_s: float) -> float:
        tries = self._tries.get(key)
        if tries is None or tries.wrong < free or now_s - tries.last_s > FORGET_S:
            return 0.0
        doublings = min(tries.wrong - free, 10)
        return tries.last_s + min(FIRST_WAIT_S * 2.0 ** doublings, LONGEST_WAIT_S) - now_s
