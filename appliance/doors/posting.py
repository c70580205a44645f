"""One letter over HTTP: signed over its time and body, to an address that was looked up once and is not this box.

Signature: `Deskbell-Signature: t=<seconds since 1970>,v1=<hex>`, HMAC-SHA256 (RFC 2104) by the target's secret over
`<t>.<body>`; the reader refuses one whose t is some minutes old.
"""
from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

CONNECT_S = 5.0
ANSWER_S = 10.0          # from the first byte to the last: who answers a letter a second is slow too
MOST_ANSWER_BYTES = 64 * 1024
ACCEPTED = range(200, 300)
ASCII = "".join(map(chr, range(33, 127)))


class PostError(Exception):
    """A letter was not taken. status is HTTP's, None when no answer came; the text says what happened."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The value of the header Deskbell-Signature."""
    said = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={said}"


def post(url: str, secret: str, letter_id: int, body: bytes, at_s: int, trust: ssl.SSLContext | None = None,
         answer_s: float = ANSWER_S) -> int:
    """The status of the answer, 200 to 299. Raises PostError.

    Redirects are not followed: a target could point them at this box itself. trust: whom TLS trusts, None the system's.
    """
    parts = urlsplit(url)
    assert parts.hostname
    is_tls = parts.scheme == "https"
    address = _address(parts.hostname, parts.port or (443 if is_tls else 80))
    until = time.monotonic() + answer_s
    try:
        with _connected(address, parts.hostname, is_tls, trust) as line:
            connection = http.client.HTTPConnection(parts.hostname, parts.port)
            connection.sock = _Hurried(line, until)
            connection.request("POST", _wire(parts.path or "/", parts.query), body, {
                "Content-Type": "application/json", "User-Agent": "Deskbell", "Deskbell-Delivery": str(letter_id),
                "Deskbell-Signature": signature(secret, at_s, body), "Connection": "close"})
            answer = connection.getresponse()
            answer.read(MOST_ANSWER_BYTES)
    except TimeoutError as slow:
        raise PostError("It did not answer in time.") from slow
    except ssl.SSLError as untrusted:
        raise PostError(f"Its certificate is not trusted or TLS failed ({untrusted.reason or 'no reason given'}).") \
            from untrusted
    except (OSError, http.client.HTTPException) as broken:
        raise PostError(f"It does not answer ({_short(broken)}).") from broken
    if answer.status in ACCEPTED:
        return answer.status
    if 300 <= answer.status < 400:
        raise PostError("It points to another address; enter that one. Redirects are not followed.", answer.status)
    raise PostError(f"It answered {answer.status}.", answer.status)


def _wire(path: str, query: str) -> str:
    """Path and query as HTTP sends them: letters beyond ASCII by their UTF-8 (RFC 3987), the rest as it was typed."""
    return quote(path + (f"?{query}" if query else ""), safe=ASCII)


def _address(host: str, port: int) -> tuple[str, int]:
    """Where to connect. Raises PostError for this box itself: a letter must not knock at its own inner doors."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise PostError(f"Nobody knows the name {host}.") from unknown
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast):
            return str(place[0]), port
    raise PostError("That address is this box itself, or none that a letter may go to.")


@contextlib.contextmanager
def _connected(address: tuple[str, int], host: str, is_tls: bool,
               trust: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection(address, CONNECT_S) as line:
        if not is_tls:
            yield line
            return
        with (trust or ssl.create_default_context()).wrap_socket(line, server_hostname=host) as safe:
            yield safe


class _Hurried:
    """A socket whose every read and write shares one limit; http.client asks it for no more than this."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def hurry(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)

    def sendall(self, data: bytes) -> None:
        self.hurry()
        self._line.sendall(data)

    def read_into(self, buffer: Any) -> int:
        self.hurry()
        return self._line.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: whoever opened the line closes it."""


class _Reader(io.RawIOBase):
    def __init__(self, line: _Hurried) -> None:
        super().__init__()
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.read_into(buffer)


def _short(broken: Exception) -> str:
    return (getattr(broken, "strerror", None) or type(broken).__name__)[:80]
