"""What goes over a SIP line, as bytes: messages, digests, session descriptions.

Nothing here corrects what a test wants to send: a header is whatever bytes the test gave.
"""
from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field


@dataclass
class Message:
    """One SIP request or response; header names in lower case, values as they came."""

    start: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def read(cls, datagram: bytes) -> Message:
        head, _, body = datagram.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        pairs = [line.partition(b":") for line in lines]
        return cls(start, [(name.decode("latin-1").strip().lower(), value.strip()) for name, _, value in pairs], body)

    def first(self, name: str) -> bytes:
        """The first value of this header; empty when there is none."""
        return next((value for key, value in self.headers if key == name.lower()), b"")

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def code(self) -> int:
        """The status of a response; 0 for a request."""
        return int(self.start.split(b" ", 2)[1]) if self.start.startswith(b"SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        return self.first("cseq").split()[-1].decode() if self.code else self.start.split(b" ", 1)[0].decode()

    @property
    def number(self) -> int:
        """The number of the CSeq header."""
        return int(self.first("cseq").split()[0])

    @property
    def call_id(self) -> str:
        return self.first("call-id").decode("latin-1")

    @property
    def shown_name(self) -> str:
        """The display name of From: what a telephone puts on its screen."""
        name = self.first("from").partition(b"<")[0].strip()
        if name.startswith(b'"') and name.endswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1], flags=re.DOTALL)
        return name.decode("utf-8", "replace")

    @property
    def shown_number(self) -> str:
        """The user part of the address in From."""
        found = re.search(rb"sips?:([^@>;]*)@", self.first("from"))
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def contact_uri(self) -> bytes:
        found = re.search(rb"<([^>]*)>", self.first("contact"))
        return found[1] if found else self.first("contact").partition(b";")[0]


def datagram(start: bytes, headers: list[tuple[str, bytes]], body: bytes = b"") -> bytes:
    lines = [start, *(name.encode() + b": " + value for name, value in headers)]
    if body:
        lines.append(b"Content-Type: application/sdp")
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def branch() -> bytes:
    return b"z9hG4bK" + secrets.token_hex(10).encode()


def tag_of(value: bytes) -> bytes:
    found = re.search(rb";\s*tag=([^;\s]+)", value)
    return found[1] if found else b""


def sdp(host: str, port: int) -> bytes:
    """An offer or answer of A-law and telephone events."""
    return (f"v=0\r\no=- {port} 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n").encode()


def media_address(body: bytes) -> tuple[str, int] | None:
    """Where the other side wants its sound; None without an audio stream."""
    host = re.search(rb"c=IN IP4 ([\d.]+)", body)
    port = re.search(rb"m=audio (\d+)", body)
    return (host[1].decode(), int(port[1])) if host and port and int(port[1]) else None


def digest(challenge: bytes, method: str, uri: bytes, user: str, secret: str) -> bytes:
    """An Authorization header for this challenge, MD5 with or without qop (RFC 2617, 3.2.2)."""
    asked = {key.decode(): value.decode() for key, value in re.findall(rb'(\w+)="?([^",]+)"?', challenge)}
    one = _md5(f"{user}:{asked['realm']}:{secret}")
    two = _md5(f"{method}:{uri.decode()}")
    said = f'username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri.decode()}", algorithm=MD5'
    if "qop" in asked:
        once = secrets.token_hex(8)
        answer = _md5(f"{one}:{asked['nonce']}:00000001:{once}:auth:{two}")
        said += f', qop=auth, nc=00000001, cnonce="{once}"'
    else:
        answer = _md5(f"{one}:{asked['nonce']}:{two}")
    if "opaque" in asked:
        said += f', opaque="{asked["opaque"]}"'
    return f'Digest {said}, response="{answer}"'.encode()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
