"""Recordings over HTTP: by the id of the call, whole or the range a player asks for (RFC 9110, 14)."""
from __future__ import annotations

import email.utils
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.calls import history
from web.office import Office, header

CHUNK_BYTES = 64 * 1024
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/recording/<call_id:int>", callback=lambda call_id: _recording(office, call_id))


def _recording(office: Office, call_id: int) -> HTTPResponse:
    call, recording = history.one(office.db, call_id), history.recording(office.db, call_id)
    if call is None or recording is None:
        raise HTTPError(404)
    descriptor = open_beneath(office.box.recordings, recording.file)
    if descriptor is None:
        raise HTTPError(404)
    status = os.fstat(descriptor)
    etag, size = f'"{call_id}-{status.st_size:x}-{status.st_mtime_ns:x}"', status.st_size
    modified = email.utils.formatdate(status.st_mtime, usegmt=True)
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Last-Modified": modified, "Cache-Control": "private, no-cache",
               "Content-Type": "audio/wav"}
    if "download" in request.query:
        at = office.words.local(call.started_at)
        headers["Content-Disposition"] = f'attachment; filename="call-{at:%Y-%m-%d-%H%M%S}-{call_id}.wav"'
    if header("If-None-Match") == etag:
        os.close(descriptor)
        return HTTPResponse(status=304, headers=headers)
    asked = header("Range")
    if header("If-Range", etag) not in (etag, modified):
        asked = ""                                   # the file is another than the player began with
    part = byte_range(asked, size)
    if part is not None and not part:
        os.close(descriptor)
        return HTTPResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    wanted = part or range(size)
    headers["Content-Length"] = str(len(wanted))
    body: Iterator[bytes] | str = _read(descriptor, wanted)
    if request.method == "HEAD":
        os.close(descriptor)
        body = ""
    return HTTPResponse(body, status=206 if part else 200, headers=headers)


def open_beneath(folder: Path, name: str) -> int | None:
    """A descriptor of the plain file `name` below `folder`, None when there is none; no link is followed on the way."""
    parts = PurePosixPath(name).parts
    if not parts or any(part in ("/", "..") for part in parts):
        return None
    here = -1
    try:
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            above, here = here, os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(above)
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    except OSError:
        return None
    finally:
        if here >= 0:
            os.close(here)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return None
    return file


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
