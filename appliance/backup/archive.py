"""The form of a backup: a plain tar, its manifest first, in zstd, in age. Read as if an enemy had written it.

Nothing here trusts tarfile: of the tar only what we write ourselves is taken, member by member in the order of the
manifest, each with the size and SHA-256 that stand there. `age -d FILE | zstd -d | tar x` opens one anywhere.
"""
from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from compression.zstd import DecompressionParameter, ZstdError, ZstdFile
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast

from appliance.backup import age
from appliance.backup.snapshot import Table, Tables, as_json, canonical

FORM = 1
BLOCK = 512
PIECE = 256 * 1024
MOST_MANIFEST_BYTES = 24 * 1024 * 1024
MOST_STORE_BYTES = 8 * 1024**3 - BLOCK      # what a size in a plain tar can say
MOST_RECORDING_BYTES = 1024**3
MOST_FILES = 200_000
MOST_TABLES = 500
MOST_BOX_BYTES = 256 * 1024
MANIFEST, STORE, BOX = "manifest.json", "store.db", "box.toml"
RECORDING = re.compile(r"recordings/[0-9]{4}-[0-9]{2}/[0-9]{1,18}\.(?:wav|opus|ogg)", re.ASCII)
SHA = re.compile(r"[0-9a-f]{64}", re.ASCII)
MAGIC_ZSTD = b"\x28\xb5\x2f\xfd"
WINDOW: dict[int, int] = {DecompressionParameter.window_log_max: 23}      # 8 MB to unpack one, whatever it asks for


class ArchiveError(Exception):
    """It is no backup, or not a whole one; the text says what is wrong, and nothing was changed."""


@dataclass(frozen=True)
class File:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. taken_at is UTC as the store writes it, schema the last step of its store."""
    version: str
    schema: str
    box: str
    taken_at: str
    recordings: str
    tables: Tables = field(repr=False)
    files: tuple[File, ...] = field(repr=False)

    def as_bytes(self) -> bytes:
        return canonical({
            "deskbell_backup": FORM, "version": self.version, "schema": self.schema, "box": self.box,
            "taken_at": self.taken_at, "recordings": self.recordings, "tables": as_json(self.tables),
            "files": [[file.name, file.size, file.sha256] for file in self.files]})

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files)


def write(sink: BinaryIO, manifest: Manifest, opened: Callable[[File], BinaryIO], passphrase: str,
          went: Callable[[int], None], log_n: int = age.LOG_N) -> None:
    """Writes the backup into `sink`, left open; `opened` gives each file of the manifest, `went` counts bytes.

    Raises ArchiveError when a file is no longer what the manifest says. Without a passphrase it is only compressed.
    """
    sealed = age.Sealing(sink, passphrase, log_n) if passphrase else None
    with ZstdFile(cast(BinaryIO, sealed or sink), "w", level=3) as packed:
        content = manifest.as_bytes()
        packed.write(_head(MANIFEST, len(content), manifest.taken_at) + content + _padding(len(content)))
        for file in manifest.files:
            packed.write(_head(file.name, file.size, manifest.taken_at))
            seen, size = hashlib.sha256(), 0
            with opened(file) as source:
                while piece := source.read(PIECE):
                    seen.update(piece)
                    size += len(piece)
                    packed.write(piece)
                    went(len(piece))
            if (size, seen.hexdigest()) != (file.size, file.sha256):
                raise ArchiveError(f"The file {file.name} was changed while it was copied.")
            packed.write(_padding(size))
        packed.write(bytes(2 * BLOCK))
    if sealed:
        sealed.close()


class Hashed:
    """A file whose bytes are hashed as they pass."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._seen = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._seen.update(data)
        return self._file.write(data)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._seen.update(data)
        return data

    def flush(self) -> None:
        self._file.flush()

    def rest(self) -> str:
        """The SHA-256 of all of it, read to its end."""
        while self.read(PIECE):
            pass
        return self.sha256

    @property
    def sha256(self) -> str:
        return self._seen.hexdigest()


class Reader:
    """A backup being read: its manifest, proved to fit, then its files in order.

    Raises ArchiveError for anything that we would not have written, WrongPassphraseError for another passphrase.
    """

    def __init__(self, source: BinaryIO, passphrase: str) -> None:
        opened = _Ahead(source)
        try:
            if age.is_age(opened.peek(len(age.MAGIC))):
                self.is_encrypted = True
                opened = _Ahead(cast(BinaryIO, age.Opening(cast(BinaryIO, opened), passphrase)))
            else:
                self.is_encrypted = False
            if opened.peek(len(MAGIC_ZSTD)) != MAGIC_ZSTD:
                raise ArchiveError("It is not a backup of Deskbell.")
            self._source = ZstdFile(cast(BinaryIO, opened), "r", options=WINDOW)
            size = self._member(MANIFEST, MOST_MANIFEST_BYTES)
            self.manifest_bytes = b"".join(self._content(size))
            self.manifest = _manifest(self.manifest_bytes)
        except (ZstdError, EOFError) as broken:
            raise ArchiveError("It is not a whole backup: its beginning cannot be read.") from broken
        except age.WrongPassphraseError:
            raise
        except age.AgeError as broken:
            raise ArchiveError(str(broken)) from broken

    def files(self, take: Callable[[File], BinaryIO | None], went: Callable[[int], None]) -> None:
        """Hands every file to where `take` says (None: it is only proved), each proved by its SHA-256, and the end.

        What `take` opened is closed here. A file that is not as promised has been written by then: write it where
        nobody looks, and take it over when this has returned.
        """
        try:
            for file in self.manifest.files:
                if self._member(file.name, file.size) != file.size:
                    raise ArchiveError(f"The file {file.name} has another size than its list says.")
                seen, target = hashlib.sha256(), take(file)
                try:
                    for piece in self._content(file.size):
                        seen.update(piece)
                        if target:
                            target.write(piece)
                        went(len(piece))
                finally:
                    if target:
                        target.close()
                if seen.hexdigest() != file.sha256:
                    raise ArchiveError(f"The file {file.name} is not what it was when the backup was made.")
            if self._read(2 * BLOCK) != bytes(2 * BLOCK) or self._source.read(1):
                raise ArchiveError("Something stands behind its end that is not in its list.")
        except (ZstdError, EOFError) as broken:
            raise ArchiveError("It is not a whole backup: its end is missing or was changed.") from broken
        except age.AgeError as broken:
            raise ArchiveError(str(broken)) from broken

    def _member(self, name: str, most: int) -> int:
        """The size of the next member, which has this name."""
        head = self._read(BLOCK)
        try:
            size = int(head[124:135], 8)
            mtime = int(head[136:147], 8)
        except ValueError as odd:
            raise ArchiveError("It holds something that Deskbell does not write.") from odd
        if head != _tar_head(name, size, mtime):
            raise ArchiveError("It holds something that Deskbell does not write, where there should be "
                               f"{name}.")
        if size > most:
            raise ArchiveError(f"The file {name} is larger than it may be.")
        return size

    def _content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._source.read(min(PIECE, left))
            if not piece:
                raise EOFError
            left -= len(piece)
            yield piece
        if self._read(len(_padding(size))).strip(b"\0"):
            raise ArchiveError("It holds something that Deskbell does not write, between two files.")

    def _read(self, size: int) -> bytes:
        parts, missing = [], size
        while missing:
            if not (part := self._source.read(missing)):
                raise EOFError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


class _Ahead:
    """A source whose first bytes were looked at."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._seen = source, b""

    def peek(self, size: int) -> bytes:
        while len(self._seen) < size and (part := self._source.read(size - len(self._seen))):
            self._seen += part
        return self._seen[:size]

    def read(self, size: int = -1) -> bytes:
        if not self._seen:
            return self._source.read(size)
        if size < 0:
            given, self._seen = self._seen + self._source.read(), b""
        else:
            given, self._seen = self._seen[:size], self._seen[size:]
        return given


def _manifest(content: bytes) -> Manifest:
    """The manifest that is written so; anything else in it is refused."""
    try:
        raw: Any = json.loads(content)
        if raw["deskbell_backup"] != FORM:
            raise ArchiveError("It was made by a newer Deskbell. Install that version, then restore it.")
        made = Manifest(version=_text(raw["version"]), schema=_text(raw["schema"]), box=_text(raw["box"]),
                        taken_at=_text(raw["taken_at"]), recordings=_text(raw["recordings"]),
                        tables={_text(name): Table(_size(one["rows"]), _sha(one["sha256"]))
                                for name, one in raw["tables"].items()},
                        files=tuple(File(_text(name), _size(size), _sha(sha)) for name, size, sha in raw["files"]))
        if datetime.fromisoformat(made.taken_at).tzinfo is None:
            raise ValueError("taken_at")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as odd:
        raise ArchiveError("Its list of contents cannot be read.") from odd
    _check(made)
    if made.as_bytes() != content:
        raise ArchiveError("Its list of contents is not as Deskbell writes it.")
    return made


def _check(made: Manifest) -> None:
    names = [file.name for file in made.files]
    if len(names) > MOST_FILES or len(made.tables) > MOST_TABLES:
        raise ArchiveError("Its list is longer than a backup can be.")
    if len({name.casefold() for name in names}) != len(names):
        raise ArchiveError("Its list has a name twice.")
    if names[:1] != [STORE]:
        raise ArchiveError("The store is not in it.")
    for file in made.files[1:]:
        if file.name != BOX and not RECORDING.fullmatch(file.name):
            raise ArchiveError("Its list has a name that no backup of Deskbell has.")
    for file in made.files:
        most = {STORE: MOST_STORE_BYTES, BOX: MOST_BOX_BYTES}.get(file.name, MOST_RECORDING_BYTES)
        if file.size > most:
            raise ArchiveError(f"The file {file.name} is larger than it may be.")


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise ValueError(value)
    return value


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise ValueError(value)
    return value


def _sha(value: object) -> str:
    if not isinstance(value, str) or not SHA.fullmatch(value):
        raise ValueError(value)
    return value


def _head(name: str, size: int, taken_at: str) -> bytes:
    return _tar_head(name, size, int(datetime.fromisoformat(taken_at).timestamp()))


def _tar_head(name: str, size: int, mtime: int) -> bytes:
    """The 512 bytes before a regular file (POSIX.1-2017, pax, ustar), mode 0600, of nobody."""
    if size >= 8**11 or not 0 <= mtime < 8**11:
        raise ArchiveError(f"The file {name} is larger than a backup can hold.")
    head = bytearray(BLOCK)
    head[:100] = name.encode().ljust(100, b"\0")[:100]
    head[100:124] = b"0000600\x000000000\x000000000\0"
    head[124:148] = b"%011o\0%011o\0" % (size, mtime)
    head[148:157] = b"        0"
    head[257:265] = b"ustar\x0000"
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
