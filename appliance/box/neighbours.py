"""Who else in the network answers to a name: one question by multicast DNS (RFC 6762), no daemon needed for it."""
from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable

GROUP, PORT = "224.0.0.251", 5353
WAIT_S = 1.5
A = 1


def holders(name: str, own: Iterable[str], to: tuple[str, int] = (GROUP, PORT), wait_s: float = WAIT_S) -> set[str]:
    """The IPv4 addresses that are told for name.local; asked from each of our own addresses."""
    found: set[str] = set()
    question = _question(f"{name}.local")
    for address in own:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            asking.bind((address, 0))
            asking.sendto(question, to)
            until = time.monotonic() + wait_s
            while (left := until - time.monotonic()) > 0:
                asking.settimeout(left)
                found |= told(asking.recv(9000), f"{name}.local")
    return found


def told(answer: bytes, name: str) -> set[str]:
    """The addresses (A records, RFC 1035) of a name in an answer; an answer that is none gives nothing."""
    try:
        flags, questions, answers = struct.unpack_from(">HHH", answer, 2)
        if not flags & 0x8000:
            return set()
        at, found = 12, set()
        for _ in range(questions):
            at = _name(answer, at)[1] + 4
        for _ in range(answers):
            whose, at = _name(answer, at)
            kind, _class, _ttl, length = struct.unpack_from(">HHIH", answer, at)
            at += 10
            if kind == A and length == 4 and whose.lower() == name.lower():
                found.add(socket.inet_ntoa(answer[at:at + 4]))
            at += length
    except (struct.error, IndexError, OSError):
        return set()
    return found


def _question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 0x4442, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", A, 1)


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """A name and where the next thing begins; pointers (RFC 1035, 4.1.4) are followed a few times at most."""
    labels: list[str] = []
    end, jumps = 0, 0
    while length := packet[at]:
        if length & 0xC0:
            end, jumps = end or at + 2, jumps + 1
            if jumps > 10:
                raise IndexError
            at = (length & 0x3F) << 8 | packet[at + 1]
            continue
        labels.append(packet[at + 1:at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels), end or at + 1
