"""Archives that an enemy might send: each made by code, each with what should come of it."""
from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Callable, Iterator
from compression.zstd import ZstdCompressor, ZstdFile
from dataclasses import replace
from hashlib import sha256
from typing import Any

from appliance.backup import age, archive
from appliance.backup.archive import File, Manifest

Made = Callable[[Manifest, bytes], bytes]
OUTSIDE = "/tmp/deskbell-evil"


def packed(tar: bytes) -> bytes:
    sink = io.BytesIO()
    with ZstdFile(sink, "w") as file:
        file.write(tar)
    return sink.getvalue()


def honest(manifest: Manifest, store: bytes) -> bytes:
    sink = io.BytesIO()
    archive.write(sink, manifest, lambda _: io.BytesIO(store), "", lambda _: None)
    return sink.getvalue()


def by_tarfile(manifest: Manifest, store: bytes, *odd: tarfile.TarInfo, first: bool = False,
               form: int = tarfile.USTAR_FORMAT) -> bytes:
    """What Python's tarfile writes: the manifest and the store, with odd members before or after."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as tar:
        for member in odd if first else ():
            tar.addfile(member, io.BytesIO(b"x" * member.size))
        for name, content in (("manifest.json", manifest.as_bytes()), ("store.db", store)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for member in () if first else odd:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return packed(sink.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, **pax: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.pax_headers = kind, link, size, dict(pax)
    return info


def raw(heads: list[tuple[bytes, bytes]]) -> bytes:
    """Members by their own 512 bytes."""
    return packed(b"".join(head + content + bytes(-len(content) % 512) for head, content in heads) + bytes(1024))


def told(manifest: Manifest, store: bytes, **changed: object) -> bytes:
    """A manifest whose JSON says other things than it may, before an honest store."""
    said: dict[str, Any] = json.loads(manifest.as_bytes()) | changed
    content = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    return with_list(manifest, store, content)


def with_list(manifest: Manifest, store: bytes, content: bytes) -> bytes:
    return raw([(archive._head("manifest.json", len(content), manifest.taken_at), content),
                (archive._head("store.db", len(store), manifest.taken_at), store)])


def listed(manifest: Manifest, store: bytes, *names: str, size: int = 1) -> bytes:
    """Honest, but with further names in its list, each in its place in the tar."""
    more = tuple(File(name, size, sha256(b"x" * size).hexdigest()) for name in names)
    said = replace(manifest, files=(*manifest.files, *more))
    content = said.as_bytes()
    heads = [(archive._head("manifest.json", len(content), said.taken_at), content),
             (archive._head("store.db", len(store), said.taken_at), store)]
    heads += [(archive._head(name, size, said.taken_at), b"x" * size) for name in names if len(name.encode()) <= 100]
    return raw(heads)


class Bang:
    """A pickle that would run a command."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os
        return os.system, (f"touch {OUTSIDE}",)


def bomb(size: int) -> Iterator[bytes]:
    made = ZstdCompressor(level=19)
    for _ in range(size // (1 << 20)):
        yield made.compress(bytes(1 << 20))
    yield made.flush()


CASES: dict[str, Made] = {
    "absolute path": lambda m, s: by_tarfile(m, s, member(OUTSIDE, size=1)),
    "absolute path in the list": lambda m, s: listed(m, s, OUTSIDE),
    "dots in the list": lambda m, s: listed(m, s, "recordings/../../../tmp/deskbell-evil"),
    "dots as a month": lambda m, s: listed(m, s, "recordings/../1.wav"),
    "dots in the tar": lambda m, s: by_tarfile(m, s, member("../../tmp/deskbell-evil", size=1)),
    "symbolic link": lambda m, s: by_tarfile(m, s, member("recordings", tarfile.SYMTYPE, "/tmp")),
    "symbolic link first": lambda m, s: by_tarfile(m, s, member("store.db", tarfile.SYMTYPE, OUTSIDE), first=True),
    "hard link": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", tarfile.LNKTYPE, "/etc/passwd")),
    "character device": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", tarfile.CHRTYPE)),
    "block device": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", tarfile.BLKTYPE)),
    "fifo": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", tarfile.FIFOTYPE)),
    "folder": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", tarfile.DIRTYPE)),
    "sparse file": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", tarfile.GNUTYPE_SPARSE)),
    "PAX path": lambda m, s: by_tarfile(m, s, member("a", size=1, path=OUTSIDE), first=True, form=tarfile.PAX_FORMAT),
    "PAX size": lambda m, s: by_tarfile(m, s, member("a", size=1, size_="9" * 30), first=True, form=tarfile.PAX_FORMAT),
    "GNU long name": lambda m, s: by_tarfile(m, s, member("a/" * 200, size=1), first=True, form=tarfile.GNU_FORMAT),
    "a member more": lambda m, s: by_tarfile(m, s, member("recordings/2026-11/1.wav", size=1)),
    "the same name twice": lambda m, s: listed(m, s, "recordings/2026-11/1.wav", "recordings/2026-11/1.wav"),
    "the store twice": lambda m, s: listed(m, s, "store.db", size=len(s)),
    "names that differ by case": lambda m, s: listed(m, s, "recordings/2026-11/1.wav", "recordings/2026-11/1.WAV"),
    "digits of another script": lambda m, s: listed(m, s, "recordings/٢٠٢٦-١١/1.wav"),
    "full-width dots": lambda m, s: listed(m, s, "recordings/2026-11/．．/1.wav"),
    "right-to-left override": lambda m, s: listed(m, s, "recordings/2026-11/\N{RIGHT-TO-LEFT OVERRIDE}vaw.1"),
    "a zero byte in a name": lambda m, s: listed(m, s, "recordings/2026-11/1.wav\0/../../evil"),
    "a line end in a name": lambda m, s: listed(m, s, "recordings/2026-11/1.wav\n"),
    "a shell file": lambda m, s: listed(m, s, "recordings/2026-11/1.sh"),
    "a unit": lambda m, s: listed(m, s, "etc/systemd/system/evil.service"),
    "a million files": lambda m, s: told(m, s, files=[["store.db", 1, "0" * 64]] * 210_000),
    "a store of a petabyte": lambda m, s: told(m, s, files=[["store.db", 10**15, "0" * 64]]),
    "a negative size": lambda m, s: told(m, s, files=[["store.db", -1, "0" * 64]]),
    "a size that is no number": lambda m, s: told(m, s, files=[["store.db", True, "0" * 64]]),
    "a size that lies": lambda m, s: told(m, s, files=[["store.db", len(s) - 512, sha256(s).hexdigest()]]),
    "another hash": lambda m, s: told(m, s, files=[["store.db", len(s), "0" * 64]]),
    "no store": lambda m, s: told(m, s, files=[]),
    "a list that is no JSON": lambda m, s: with_list(m, s, b"{" * 1000),
    "a list nested deep": lambda m, s: with_list(m, s, b"[" * 200_000 + b"]" * 200_000),
    "a list with a key twice": lambda m, s: with_list(m, s, m.as_bytes()[:-1] + b',"box":"other"}'),
    "a list with a number for ever": lambda m, s: with_list(m, s, b'{"deskbell_backup":' + b"9" * 10_000 + b"}"),
    "a list of another form": lambda m, s: told(m, s, deskbell_backup=99),
    "a time that is none": lambda m, s: told(m, s, taken_at="yesterday"),
    "a box with terminal codes": lambda m, s: told(m, s, box="\x1b]0;evil\x07"),
    "a table that is not there": lambda m, s: told(m, s, tables={"x": {"rows": 1, "sha256": "0" * 64}}),
    "a newer schema": lambda m, s: told(m, s, schema="9999_next"),
    "a schema that is a path": lambda m, s: told(m, s, schema="../../etc/passwd"),
    "a pickle": lambda m, s: pickle.dumps(Bang()),
    "a pickle packed": lambda m, s: packed(pickle.dumps(Bang())),
    "a pickle as the list": lambda m, s: with_list(m, s, pickle.dumps(Bang())),
    "a pickle as the store": lambda m, s: told(m, pickle.dumps(Bang()), files=[
        ["store.db", len(pickle.dumps(Bang())), sha256(pickle.dumps(Bang())).hexdigest()]]),
    "cut short": lambda m, s: honest(m, s)[:len(honest(m, s)) // 2],
    "cut at its end": lambda m, s: honest(m, s)[:-1],
    "bytes behind its end": lambda m, s: honest(m, s) + packed(b"more"),
    "garbage in age": lambda m, s: (
        age.MAGIC + b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n" + b"A" * 43 + b"\n--- " + b"B" * 43),
    "age with a greedy passphrase": lambda m, s: (
        age.MAGIC + b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 62\n" + b"A" * 43 + b"\n--- " + b"B" * 43 + b"\n" + bytes(99)),
    "age for another key": lambda m, s: (
        age.MAGIC + b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n--- " + b"B" * 43),
    "an empty file": lambda m, s: b"",
    "one byte": lambda m, s: b"\x28",
    "noise": lambda m, s: bytes(number * 7919 % 256 for number in range(5000)),
    "a zip": lambda m, s: b"PK\x03\x04" + bytes(500),
    "a bomb of a gigabyte": lambda m, s: b"".join(bomb(1 << 30)),
    "a window of 128 MB": lambda m, s: b"\x28\xb5\x2f\xfd\x00\x88" + bytes(50),
    "a checksum that is wrong": lambda m, s: packed(b"manifest.json".ljust(512, b"\0") + bytes(2048)),
}
