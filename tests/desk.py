"""An office with real pages on a real port, told in the words of the trade; and a plain browser for it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

from appliance import config
from appliance.people import users
from appliance.store import db as store
from web import auth, firstwords
from web.language import Languages
from web.server import Server

PASSWORD = "four words in a row"
LIMIT_S = 30.0           # what fails waits so long; nothing is timed by it
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = itertools.cycle(range(12_000 + WORKER % 8 * 2_500, 14_500 + WORKER % 8 * 2_500))


def box_at(folder: Path, **more: object) -> config.Box:
    """A small shop whose files live in `folder` and whose pages take a free port."""
    box = config.Box(
        state=folder / "state",
        spool=folder / "spool",
        run=folder / "run",
        trunks=(config.Trunk("line1", "Line 1", "127.0.0.1:5070"),),
        extensions=(config.Extension("101", "Counter"), config.Extension("102", "Workshop")),
        web=config.Web(port=free_port(), hosts=("deskbell.local",)),
    )
    box = replace(box, **more)  # type: ignore[arg-type]
    box.recordings.mkdir(parents=True, exist_ok=True)
    return box


@cache
def new_store() -> Path:
    """A store as migrate() makes it, made once; each office gets a copy."""
    path = Path(tempfile.mkdtemp()) / "office.db"
    made = store.connect(path)
    store.migrate(made)
    made.close()
    return path


@cache
def hashed(password: str = PASSWORD) -> str:
    """Its hash, which takes argon2 its time: made once for all offices."""
    return users.hash_password(password)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing uses now, and that nothing else here takes before it is listened on.

    Below those that the kernel hands out, and of a range that is this worker's own (pytest-xdist's gw0, gw1…).
    """
    while True:
        port = next(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def eventually[T](ask: Callable[[], T], limit_s: float = LIMIT_S) -> T:
    """What `ask` gives once it is true."""
    until = time.monotonic() + limit_s
    while not (answer := ask()):
        assert time.monotonic() < until, f"not within {limit_s} s: {ask}"
        time.sleep(0.01)
    return answer


class Office:
    """The box, its pages and its store; the verbs write rows as the calls daemon would."""

    def __init__(self, box: config.Box) -> None:
        self.box = box
        if not box.store.exists():
            shutil.copy(new_store(), box.store)
        self.db = store.connect(box.store)
        self.server = Server(box)
        self.server.start()

    def close(self) -> None:
        self.server.stop()
        self.db.close()

    def restart(self) -> None:
        """The pages go away and come back on the same port."""
        self.server.stop()
        self.server = Server(self.box)
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.address.rstrip("/")

    def browser(self, logged_in: bool = True) -> Browser:
        browser = Browser(self.server.port)
        if logged_in:
            if users.is_first_run(self.db):
                browser.cookies[auth.COOKIE] = self.opened()
            else:
                browser.log_in()
        return browser

    def opened(self) -> str:
        """Amy's cookie, in a store as it is long after Browser.set_up; test_login compares them."""
        now, words = datetime.now(UTC), Languages(self.box.zone, self.box.language).choose(None, "")
        with store.write(self.db) as db:
            row = db.execute("INSERT INTO user (name, password_hash, created_at, role) VALUES ('Amy', ?, ?, 'owner') "
                             "RETURNING id", (hashed(), store.iso(now))).fetchone()
            firstwords.settle(db, self.box, words, now)
        return auth.log_in(self.db, row["id"], now, "127.0.0.1")

    def call(
        self,
        number: str | None = "+4915123456789",
        *,
        name: str | None = None,
        contact: str | None = None,
        direction: str = "in",
        presentation: str = "allowed",
        at: datetime | None = None,
    ) -> int:
        """A call begins to ring."""
        at = at or datetime.now(UTC)
        with store.write(self.db) as db:
            who = None
            if contact is not None and number:
                who = "00000000-0000-7000-8000-" + f"{abs(hash((number, contact))) % 10**12:012d}"
                db.execute(
                    "INSERT OR IGNORE INTO contact (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)",
                    (who, contact, store.iso(at), store.iso(at)),
                )
            call_id = db.execute(
                """
                INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, caller_name, number, presentation,
                                  contact_id, extension, started_at, bell, is_clock_set)
                VALUES ('box1', 1, ?, 'line1', ?, ?, ?, ?, ?, ?, ?, ?, 'rang', 1)""",
                (
                    f"{time.time_ns()}",
                    direction,
                    number or "",
                    name,
                    number,
                    presentation,
                    who,
                    "101" if direction == "out" else None,
                    store.iso(at),
                ),
            ).lastrowid
            assert call_id is not None
            db.execute(
                "INSERT INTO leg VALUES (?, 'a', 'PJSIP/line1', 'line1', 1, ?, NULL, NULL, NULL)",
                (call_id, store.iso(at)),
            )
            for extension in ("101", "102"):
                db.execute(
                    "INSERT INTO leg VALUES (?, ?, ?, ?, 0, ?, NULL, NULL, NULL)",
                    (call_id, extension, "PJSIP/" + extension, extension, store.iso(at)),
                )
            self.event("ringing", call_id)
        return call_id

    def answered(self, call_id: int, extension: str = "101", *, at: datetime | None = None) -> None:
        with store.write(self.db) as db:
            db.execute(
                "UPDATE call SET answered_at = ?, extension = ? WHERE id = ?",
                (store.iso(at or datetime.now(UTC)), extension, call_id),
            )
            self.event("answered", call_id)

    def ended(self, call_id: int, outcome: str, *, ring_ms: int = 24_000, talk_ms: int | None = None) -> None:
        with store.write(self.db) as db:
            started = store.parse_time(db.execute("SELECT started_at FROM call WHERE id = ?", (call_id,)).fetchone()[0])
            ended = started + timedelta(milliseconds=ring_ms + (talk_ms or 0))
            db.execute(
                "UPDATE call SET ended_at = ?, outcome = ?, ring_ms = ?, talk_ms = ?, hangup_cause = 16 WHERE id = ?",
                (store.iso(ended), outcome, ring_ms, talk_ms, call_id),
            )
            self.event("ended", call_id)

    def texted(
        self, call_id: int, state: str = "delivered", text: str = "Our shop: sorry we missed your call."
    ) -> None:
        with store.write(self.db) as db:
            call = db.execute("SELECT number, ended_at FROM call WHERE id = ?", (call_id,)).fetchone()
            at = store.parse_time(call["ended_at"])
            sent, delivered = store.iso(at + timedelta(seconds=3)), store.iso(at + timedelta(seconds=7))
            db.execute(
                """
                INSERT INTO sms (direction, number, text, state, reason, rule, call_id, created_at, due_at, sent_at,
                                 delivered_at, updated_at)
                VALUES ('out', ?, ?, ?, ?, 'missed', ?, ?, ?, ?, ?, ?)""",
                (
                    call["number"],
                    text,
                    state,
                    "The network refused it." if state == "failed" else None,
                    call_id,
                    store.iso(at),
                    store.iso(at),
                    sent if state in ("sent", "delivered") else None,
                    delivered if state == "delivered" else None,
                    delivered,
                ),
            )
            self.event("text", call_id)

    def not_texted(self, call_id: int, code: str, reason: str) -> None:
        with store.write(self.db) as db:
            db.execute(
                "INSERT INTO refusal VALUES (?, 'missed', ?, ?, ?)",
                (call_id, code, reason, store.iso(datetime.now(UTC))),
            )

    def recorded(self, call_id: int, seconds: int = 2) -> Path:
        """A stereo recording is playable: caller left, staff right."""
        path = self.box.recordings / f"{call_id}.wav"
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(2)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(
                b"".join(
                    (n % 80 * 200 - 8000).to_bytes(2, "little", signed=True) + b"\0\0" for n in range(8000 * seconds)
                )
            )
        with store.write(self.db) as db:
            db.execute(
                "INSERT INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut) "
                "VALUES (?, ?, ?, ?, ?, 0)",
                (call_id, path.name, store.iso(datetime.now(UTC)), seconds * 1000, path.stat().st_size),
            )
            self.event("recording", call_id)
        return path

    def missed(self, number: str | None = "+4915123456789", **given: object) -> int:
        call_id = self.call(number, **given)  # type: ignore[arg-type]
        self.ended(call_id, "missed")
        return call_id

    def event(self, kind: str, call_id: int) -> None:
        self.db.execute(
            "INSERT INTO event (at, kind, call_id) VALUES (?, ?, ?)", (store.iso(datetime.now(UTC)), kind, call_id)
        )


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Browser:
    """Keeps cookies and sends what a browser's own forms send; `headers` override for the evil ones."""

    port: int
    host: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={"Accept": "text/html", **_headers(headers)})

    def post(self, path: str, form: dict[str, str] | None = None, token: str | None = None, **headers: str) -> Answer:
        """A form of ours, with the token of the page it stands on unless another (or "") is given."""
        body = dict(form or {})
        token = self.token() if token is None else token
        if token:
            body["token"] = token
        own = {
            "Accept": "text/html",
            "Origin": f"http://{self.host}:{self.port}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.ask("POST", path, urlencode(body).encode(), own | _headers(headers))

    def token(self) -> str:
        page = self.get("/")
        if page.status == 303:
            page = self.get(page.headers["Location"])
        found = re.search(r'name="token" value="([^"]+)"', page.text)
        return found[1] if found else ""

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        sent = {"Host": f"{self.host}:{self.port}", "Cookie": self.cookie(), **(headers or {})}
        return self.answered(connection, method, path, body, sent)

    def answered(self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | BytesIO | None,
                 sent: dict[str, str]) -> Answer:
        """What the box answers; its cookies are kept."""
        connection.request(method, path, body, {name: value for name, value in sent.items() if value})
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value.strip('"')
        self.cookies = {name: value for name, value in self.cookies.items() if value}
        content = answer.read()
        connection.close()
        return Answer(answer.status, answer.headers, content)

    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def set_up(self, box: config.Box, **given: str) -> Answer:
        return self.post(
            "/setup",
            {"code": users.first_run_code(box), "name": "Amy", "password": PASSWORD, "again": PASSWORD, **given},
        )

    def log_in(self, name: str = "Amy", password: str = PASSWORD) -> Answer:
        return self.post("/login", {"name": name, "password": password})

    def listen(self, after: int | None = None) -> Stream:
        return Stream(self.port, self.cookie(), after)


class Stream:
    """A raw client of /events, as a desk without a browser would be."""

    def __init__(self, port: int, cookie: str, after: int | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        last = f"Last-Event-ID: {after}\r\n" if after is not None else ""
        self.socket.sendall(
            f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n{last}\r\n".encode()
        )
        self._rest = b""
        self.last_id = 0
        head = self._until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])

    def next(self, kind: str | None = None) -> dict:
        """The next event (of this kind), with its id in `last_id`. Raises ConnectionError when the stream has ended."""
        while True:
            lines = self._until(b"\n\n").decode().split("\n")
            given = dict(line.split(": ", 1) for line in lines if ": " in line)
            if "data" not in given:
                continue
            self.last_id = int(given["id"])
            event = json.loads(given["data"])
            if kind in (None, event["kind"]):
                return event

    def events(self) -> Iterator[dict]:
        while True:
            yield self.next()

    def has_ended(self) -> bool:
        try:
            while True:
                self._until(b"\n\n")
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.socket.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            got = self.socket.recv(65536)
            if not got:
                raise ConnectionError("the stream has ended")
            self._rest += got
        part, self._rest = self._rest.split(mark, 1)
        return part


def _headers(given: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}
