"""Recordings over HTTP: by the id of the call, whole or the range a player asks for (RFC 9110, 14)."""
from __future__ import annotations

import email.utils
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.calls import history, library, listening
from appliance.calls.library import Tape
from appliance.calls.opus import OpusError
from appliance.calls.tapes import open_beneath
from web import decoded
from web.office import Office, header

log = logging.getLogger("web")

CHUNK_BYTES = 64 * 1024
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
TYPES = {"wav": "audio/wav", "opus": "audio/ogg; codecs=opus"}


class Sound(NamedTuple):
    """An open file; `kind` is wav or opus, kept_at_ns when the recording itself was written: a copy is made anew."""
    descriptor: int
    kind: str
    kept_at_ns: int


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/recording/<call_id:int>", callback=lambda call_id: recording(office, call_id))


def recording(office: Office, call_id: int) -> HTTPResponse:
    """As it is kept, or with ?as=wav as every browser can play it: the page's <source>s name both."""
    call, tape = history.one(office.db, call_id), library.tape(office.db, call_id)
    wanted = request.query.get("as", "")
    if call is None or tape is None or wanted not in ("", *TYPES):
        raise HTTPError(404)
    sound = _sound(office, tape, wanted)
    size = os.fstat(sound.descriptor).st_size
    etag = f'"{call_id}-{sound.kind}-{size:x}-{sound.kept_at_ns:x}"'
    modified = email.utils.formatdate(sound.kept_at_ns // 1_000_000_000, usegmt=True)
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Last-Modified": modified, "Cache-Control": "private, no-cache",
               "Content-Type": TYPES[sound.kind]}
    if "download" in request.query:
        at = office.words.local(call.started_at)
        headers["Content-Disposition"] = f'attachment; filename="call-{at:%Y-%m-%d-%H%M%S}-{call_id}.{sound.kind}"'
    if request.method != "HEAD":
        _write_down(office, call_id)
    if header("If-None-Match") == etag:
        os.close(sound.descriptor)
        return HTTPResponse(status=304, headers=headers)
    asked = header("Range")
    if header("If-Range", etag) not in (etag, modified):
        asked = ""                                   # the file is another than the player began with
    part = byte_range(asked, size)
    if part is not None and not part:
        os.close(sound.descriptor)
        return HTTPResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    wanted_bytes = part or range(size)
    headers["Content-Length"] = str(len(wanted_bytes))
    body: Iterator[bytes] | str = _read(sound.descriptor, wanted_bytes)
    if request.method == "HEAD":
        os.close(sound.descriptor)
        body = ""
    return HTTPResponse(body, status=206 if part else 200, headers=headers)


def _sound(office: Office, tape: Tape, wanted: str) -> Sound:
    """The file, or a copy of it that was decoded; 404 when there is none, 503 while the disk has no room for a copy."""
    descriptor = open_beneath(office.box.recordings, tape.file)
    if descriptor is None:
        raise HTTPError(404)
    kept_at_ns = os.fstat(descriptor).st_mtime_ns
    if not tape.is_opus or wanted != "wav":
        return Sound(descriptor, "opus" if tape.is_opus else "wav", kept_at_ns)
    try:
        return Sound(decoded.copy_of(office.box, tape.call_id, descriptor), "wav", kept_at_ns)
    except (OpusError, OSError) as refused:
        log.error("The recording of call %d was not decoded: %s.", tape.call_id, refused)
        raise HTTPError(503) from None
    finally:
        os.close(descriptor)


def _write_down(office: Office, call_id: int) -> None:
    """Who listened; that a full disk cannot keep it stops nobody from listening."""
    assert office.session is not None
    try:
        listening.heard(office.db, call_id, office.session.user, "download" in request.query, office.clock())
    except sqlite3.OperationalError as refused:
        log.error("%s listened to call %d, which could not be kept (%s).", office.session.user, call_id, refused)


def byte_range(asked: str, size: int) -> range | None:
    """The bytes that a Range header asks for, empty when they lie outside; None when it asks for no single range."""
    match = RANGE.fullmatch(asked.strip())
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:                                    # the last so many bytes
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None                                  # not a range at all: RFC 9110, 14.1.1
    return range(int(first), min(int(last) + 1, size) if last else size)


def _read(descriptor: int, wanted: range) -> Iterator[bytes]:
    with open(descriptor, "rb") as file:
        file.seek(wanted.start)
        left = len(wanted)
        while left and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
