"""Age files with a passphrase, streamed: what `age -d` opens anywhere (age-encryption.org/v1, C2SP).

pyrage's passphrase mode wants the whole file in memory, which a box with 1 GB does not have; the tests hold ours
against pyrage both ways.
"""
from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

MAGIC = b"age-encryption.org/v1\n"
LOG_N = 17                     # scrypt's cost when we seal: 128 MB, some 0.3 s
MOST_LOG_N = 18                # what `age -p` uses, 256 MB; more may be a trap to fill our memory
CHUNK = 64 * 1024
TAG = 16
HEADER = re.compile(rb"age-encryption\.org/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n([A-Za-z0-9+/]{43})\n---")
MOST_HEADER = 256


class AgeError(Exception):
    """It is no age file of ours, or not all of it; the text says which."""


class WrongPassphraseError(AgeError):
    """The passphrase does not open it."""


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Sealing:
    """A file to write into; `sink` gets the age file. close() writes its end and leaves the sink open."""

    def __init__(self, sink: Sink, passphrase: str, log_n: int = LOG_N) -> None:
        self._sink, self._rest, self._count = sink, bytearray(), 0
        key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
        wrapped = ChaCha20Poly1305(_stretch(passphrase, salt, log_n)).encrypt(bytes(12), key, None)
        head = MAGIC + b"-> scrypt %s %d\n%s\n---" % (_b64(salt), log_n, _b64(wrapped))
        sink.write(head + b" " + _b64(_mac(key, head)) + b"\n" + nonce)
        self._cipher = ChaCha20Poly1305(_hkdf(key, nonce, b"payload"))

    def write(self, data: bytes) -> int:
        self._rest += data
        while len(self._rest) > CHUNK:          # the last chunk is sealed as the last, so one is always kept back
            self._seal(bytes(self._rest[:CHUNK]), is_last=False)
            del self._rest[:CHUNK]
        return len(data)

    def flush(self) -> None:
        """Nothing: a chunk goes when it is full."""

    def close(self) -> None:
        self._seal(bytes(self._rest), is_last=True)
        self._rest.clear()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._sink.write(self._cipher.encrypt(_nonce(self._count, is_last), chunk, None))
        self._count += 1


class Opening:
    """A file to read from: the plain text of the age file `source`, none of it before its chunk is proved whole.

    Raises WrongPassphraseError, or AgeError for what is cut short, changed or no age file with a passphrase.
    """

    def __init__(self, source: BinaryIO, passphrase: str, most_log_n: int = MOST_LOG_N) -> None:
        self._source, self._plain, self._count, self._is_over = source, b"", 0, False
        start = _exactly(source, MOST_HEADER)
        found = HEADER.match(start)
        if not start.startswith(MAGIC) or found is None:
            raise AgeError("It is not an encrypted backup.")
        end = found.end() + 1 + 43 + 1
        if not re.fullmatch(rb" [A-Za-z0-9+/]{43}\n", start[found.end():end]) or len(start) < end:
            raise AgeError("Its beginning is not whole.")
        if int(found[2]) > most_log_n:
            raise AgeError("Its passphrase would take more memory to try than a box has.")
        try:
            salt, wrapped, given = (_unb64(part) for part in (found[1], found[3], start[found.end() + 1:end - 1]))
        except ValueError as odd:
            raise AgeError("Its beginning is not whole.") from odd
        try:
            key = ChaCha20Poly1305(_stretch(passphrase, salt, int(found[2]))).decrypt(bytes(12), wrapped, None)
        except InvalidTag as refused:
            raise WrongPassphraseError("The passphrase does not open it.") from refused
        if not hmac.compare_digest(_mac(key, found[0]), given):
            raise AgeError("Its beginning was changed.")
        self._ahead = start[end:]
        nonce = self._take(16)
        self._cipher = ChaCha20Poly1305(_hkdf(key, nonce, b"payload"))
        self._next = self._take(CHUNK + TAG)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end."""
        while not self._plain and not self._is_over:
            self._open()
        if size < 0:
            parts = [self._plain]
            while not self._is_over:
                self._open()
                parts.append(self._plain)
            self._plain = b""
            return b"".join(parts)
        given, self._plain = self._plain[:size], self._plain[size:]
        return given

    def _open(self) -> None:
        chunk, self._next = self._next, self._take(CHUNK + TAG)
        self._is_over = not self._next
        try:
            self._plain = self._cipher.decrypt(_nonce(self._count, self._is_over), chunk, None)
        except InvalidTag as changed:
            raise AgeError("It was changed, or its end is missing.") from changed
        if self._is_over and not self._plain and self._count:
            raise AgeError("Its end is odd.")
        self._count += 1

    def _take(self, size: int) -> bytes:
        given, self._ahead = self._ahead[:size], self._ahead[size:]
        return given + (_exactly(self._source, size - len(given)) if len(given) < size else b"")


def is_age(start: bytes) -> bool:
    return start.startswith(MAGIC)


def _exactly(source: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end."""
    parts, missing = [], size
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _nonce(count: int, is_last: bool) -> bytes:
    return count.to_bytes(11, "big") + bytes([is_last])


def _stretch(passphrase: str, salt: bytes, log_n: int) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=b"age-encryption.org/v1/scrypt" + salt, n=2**log_n, r=8, p=1,
                          maxmem=2**31 - 1, dklen=32)


def _hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes by RFC 5869 with SHA-256: one block, so one round."""
    return hmac.digest(hmac.digest(salt or bytes(32), key, "sha256"), info + b"\x01", "sha256")


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(_hkdf(key, b"", b"header"), head, "sha256")


def _b64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _unb64(data: bytes) -> bytes:
    found = b64decode(data + b"=" * (-len(data) % 4), validate=True)
    if _b64(found) != data:
        raise ValueError("not the one way to write it")
    return found
