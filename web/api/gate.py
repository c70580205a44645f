"""Every request of the API: the token's rights and pace, a body of bounded size, the shape of all it brings."""
from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from bottle import HTTPResponse, request

from appliance.doors import tokens
from web.api import problems
from web.api.operation import Asked, Operation
from web.api.problems import Problem
from web.api.shapes import ShapeError, check, from_text, near
from web.office import Office

log = logging.getLogger("web.api")

MOST_BYTES = 64 * 1024
A_SECOND, AT_ONCE = 10.0, 60         # requests of one token: refilled so fast, so many saved up
AN_HOUR = 120                        # texts and dialled calls of one token
MOST_TOGETHER = 4                    # of one token at work: the other threads stay free for everybody else
MOST_FIELDS = 40


class Pace:
    """Counts what each token does. Kept in memory: a restart takes longer than any wait."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, bool], tuple[float, float]] = {}      # tokens saved up, at which second
        self._busy: dict[str, int] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str, is_costly: bool, now_s: float) -> float:
        """0 when it may go on, and then it is counted; else the seconds until it may."""
        a_second, most = (AN_HOUR / 3600, float(AN_HOUR)) if is_costly else (A_SECOND, float(AT_ONCE))
        with self._lock:
            left, at_s = self._left.get((key, is_costly), (most, now_s))
            left = min(most, left + (now_s - at_s) * a_second)
            if left < 1:
                return (1 - left) / a_second
            self._left[key, is_costly] = (left - 1, now_s)
        return 0

    @contextmanager
    def at_work(self, key: str) -> Iterator[None]:
        """Raises Problem when this token has too many requests at work already."""
        with self._lock:
            if self._busy.get(key, 0) >= MOST_TOGETHER:
                raise Problem(429, f"{MOST_TOGETHER} requests of this token are at work. Wait for their answers.",
                              {"Retry-After": "1"})
            self._busy[key] = self._busy.get(key, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[key] -= 1


PACE = Pace()


def answer(office: Office, it: Operation, **path: str) -> HTTPResponse:
    """What the operation gives, or a problem that says why not."""
    session = office.session
    assert session is not None                     # web/app.py lets nobody else in
    try:
        if not tokens.may(session.role, it.role):
            raise Problem(403, f"This token may not do that: it is for a {session.role}, and a token for a {it.role} "
                               "is wanted. The owner makes one on the page Programs.")
        with PACE.at_work(session.key):
            for is_costly in (False, True)[:1 + it.is_costly]:
                if wait_s := PACE.wait_s(session.key, is_costly, time.monotonic()):
                    raise Problem(429, "", {"Retry-After": str(int(wait_s) + 1)})
            return _given(it, it.run(Asked(office, session.user, office.clock(), path, _query(it), _body(it))))
    except Problem as refused:
        return problems.answer(refused.status, office.words(str(refused)), refused.headers)
    except ShapeError as wrong:
        return problems.answer(422, str(wrong))
    except sqlite3.OperationalError as refused:
        log.error("%s could not be done for %s (%s).", it.name, session.user, refused)
        return problems.answer(503, "")


def _given(it: Operation, found: Any) -> HTTPResponse:
    if isinstance(found, HTTPResponse):
        return found
    if found is None:
        return HTTPResponse(status=204)
    return HTTPResponse(json.dumps(found, ensure_ascii=False, separators=(",", ":")), it.status,
                        {"Content-Type": "application/json"})


def _query(it: Operation) -> dict[str, Any]:
    try:
        pairs = parse_qsl(request.environ.get("QUERY_STRING", ""), keep_blank_values=True, errors="strict",
                          max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Problem(400, "The address holds what is no text, or too much of it.") from None
    found: dict[str, Any] = {}
    for name, raw in pairs:
        if name not in it.query:
            raise ShapeError(f"The address has no {name[:60]!r}.{near(name, list(it.query))}")
        if name in found:
            raise ShapeError(f"{name!r} stands twice in the address.")
        found[name] = from_text(raw, it.query[name], name)
    return found


def _body(it: Operation) -> Any:
    """What a body says. One that is not asked for, or too big, is not even read."""
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        raise Problem(411, "Say how long the body is: send a Content-Length.")
    raw = request.environ.get("CONTENT_LENGTH") or "0"
    length = int(raw) if raw.isascii() and raw.isdecimal() and len(raw) < 16 else MOST_BYTES + 1
    if length > MOST_BYTES:
        raise Problem(413)
    if it.body is None:
        if length:
            raise Problem(400, "Nothing is to be sent here.")
        return None
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Send JSON, and say so: Content-Type: application/json.")
    said = request.environ["wsgi.input"].read(length)
    request.environ["deskbell.read"] = True
    try:
        given = json.loads(said.decode(), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Problem(400, "The body is no JSON, or nested too deep. Nothing was changed.") from None
    check(given, it.body)
    return given


def _no_number(word: str) -> None:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("twice")
    return found
