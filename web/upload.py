"""A file that a form sends: it goes aside as it arrives, piece by piece, and never through the memory.

A route that takes one says so: app.post("/customers/import", callback=…, upload=64 * 1024 * 1024). Its form is
multipart/form-data (RFC 7578) with the field `token` before the file. The gate calls `receive`, which checks the token
before the first byte of the file is kept; the page takes what came from office.upload.
"""
from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from bottle import HTTPError

CHUNK_BYTES = 64 * 1024
MOST_FIELD_BYTES = 16 * 1024
MOST_FIELDS = 40
MOST_HEAD_BYTES = 8 * 1024
SLACK_BYTES = 64 * 1024              # for the other fields and the lines between them
KEPT_FREE_BYTES = 64 * 1024 * 1024   # of the disk, for the store and the ledger beside it
DRAINED_BYTES = 256 * 1024 * 1024    # a browser reads no answer before it has sent all
NAME = re.compile(r'(?:^|;)\s*(filename|name)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass
class Upload:
    """What a form sent. path: the file aside, None when none was sent or it was too big; it goes unless it is taken.

    has_no_room: it is too big for what is free on the disk.
    """
    fields: dict[str, str] = field(default_factory=dict)
    name: str = ""
    path: Path | None = None
    size: int = 0
    too_big: bool = False
    has_no_room: bool = False


class _Input(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def receive(environ: dict[str, Any], folder: Path, most: int, is_token: Callable[[str], bool]) -> Upload:
    """The fields of a form and its file, in `folder` under a name of ours.

    Raises HTTPError 403 for a wrong token, 400 for what is no such form, before anything is kept.
    """
    match = re.fullmatch(r'multipart/form-data\s*;\s*boundary="?([^"\s;]{1,200})"?', environ.get("CONTENT_TYPE", ""),
                         re.IGNORECASE)
    if not match:
        raise HTTPError(400)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = _Body(environ["wsgi.input"], match[1].encode("latin-1"), length)
    has_no_room = length + KEPT_FREE_BYTES > shutil.disk_usage(folder).free
    upload = Upload(too_big=has_no_room or length > most + SLACK_BYTES, has_no_room=has_no_room)
    try:
        if upload.too_big:
            body.drain()
            return upload
        _parts(body, upload, folder, most, is_token)
    except BaseException:
        discard(upload)
        raise
    return upload


def discard(upload: Upload | None) -> None:
    """Removes the file when nobody took it."""
    if upload and upload.path:
        upload.path.unlink(missing_ok=True)


def _parts(body: _Body, upload: Upload, folder: Path, most: int, is_token: Callable[[str], bool]) -> None:
    is_ours = False
    for _ in range(MOST_FIELDS):
        head = body.head()
        if head is None:
            break
        name, file_name = _names(head)
        if file_name is None:
            upload.fields[name] = body.text()
            is_ours = is_ours or name == "token" and is_token(upload.fields[name])
            continue
        if not is_ours:
            body.drain()
            raise HTTPError(403)
        if upload.path is None and file_name:
            upload.name = file_name
            _keep(body, upload, folder, most)
        else:
            body.skip()
    if not is_ours:
        raise HTTPError(403)


def _keep(body: _Body, upload: Upload, folder: Path, most: int) -> None:
    upload.path = folder / f"{secrets.token_hex(12)}.upload"
    descriptor = os.open(upload.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o660)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o660)
        upload.size = body.copy(file, most)
        file.flush()
        os.fsync(descriptor)
    if upload.size > most:
        upload.too_big = True
        upload.path.unlink()
        upload.path = None


def _names(head: str) -> tuple[str, str | None]:
    """The name of the field and of its file, None when it is no file; a path before it is cut off."""
    for line in head.split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            found = {kind.lower(): told.replace("%22", '"').replace("\\\"", '"') for kind, told in NAME.findall(value)}
            file = found.get("filename")
            return found.get("name", ""), None if file is None else re.split(r"[/\\]", file)[-1][:200]
    raise HTTPError(400)


class _Body:
    """The body of a request, part by part. Never holds more than a chunk and a boundary."""

    def __init__(self, source: _Input, boundary: bytes, length: int) -> None:
        self._source, self._left = source, length
        self._mark = b"\r\n--" + boundary
        self._held = b"\r\n"                       # so that the first boundary is like the others
        self._is_begun = self._is_over = False

    def head(self) -> str | None:
        """The head of the next part, None after the last one."""
        if self._is_over:
            return None
        if not self._is_begun:
            self._is_begun = True
            self.skip()
        while len(self._held) < 2 and self._fill():
            pass
        if self._held.startswith(b"--"):
            self._is_over = True
            self.drain()
            return None
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > MOST_HEAD_BYTES or not self._fill():
                raise HTTPError(400)
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        return head.decode("utf-8", "replace").strip()

    def text(self) -> str:
        kept = _Few()
        self.copy(kept, MOST_FIELD_BYTES)
        return bytes(kept.held).decode("utf-8", "replace")

    def skip(self) -> None:
        self.copy(None, 0)

    def copy(self, target: BinaryIO | _Few | None, most: int) -> int:
        """How many bytes this part has; the first `most` of them go to target."""
        size = 0
        while True:
            at = self._held.find(self._mark)
            safe = at if at >= 0 else max(0, len(self._held) - len(self._mark) + 1)
            if target is not None and size < most:
                target.write(self._held[:min(safe, most - size)])
            size += safe
            if at >= 0:
                self._held = self._held[at + len(self._mark):]
                return size
            self._held = self._held[safe:]
            if not self._fill():
                raise HTTPError(400)               # it broke off in the middle

    def drain(self) -> None:
        """Reads what still comes, so that the browser will read the answer."""
        drained = 0
        while self._left and drained < DRAINED_BYTES and (chunk := self._read()):
            drained += len(chunk)
        self._held = b""

    def _fill(self) -> bool:
        chunk = self._read()
        self._held += chunk
        return bool(chunk)

    def _read(self) -> bytes:
        chunk = self._source.read(min(CHUNK_BYTES, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk


class _Few:
    """A field, in memory."""

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, content: bytes) -> int:
        self.held += content
        return len(content)
