"""Whether a gateway speaks SIP, asked by OPTIONS (RFC 3261, 11): one address, or all of a small network at once."""
from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

PORT = 5060
PORTS = (PORT, 5062)          # a Grandstream has its line at 5062, beside its telephone at 5060
TIMEOUT_S = 1.2
AGAIN_S = 0.4                 # UDP loses some
MOST_HOSTS = 1024
LONGEST = 4096
SAYS = re.compile(rb"^(?:User-Agent|Server)[ \t]*:[ \t]*([^\r\n]{1,80})", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What an address said. state: "speaks" SIP, "closed" (a machine without SIP there), "silent", "unnamed" (a name
    nobody knows). said: how the gateway calls itself, "" when it does not."""

    state: str
    said: str = ""


@dataclass(frozen=True)
class Found:
    """A machine of the network that speaks SIP. address: with its port, when that is not PORT."""

    address: str
    said: str


def plain(gateway: str) -> str:
    """A gateway as Found has it: without a port that goes without saying."""
    return gateway.removesuffix(f":{PORT}")


def ask(gateway: str, timeout_s: float = TIMEOUT_S) -> Answer:
    """What "host" or "host:port" answers within timeout_s."""
    host, _, port = gateway.partition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.connect((host, int(port or PORT)))
            return _answer(line, host, int(port or PORT), timeout_s)
    except ConnectionRefusedError:
        return Answer("closed")
    except (socket.gaierror, ValueError, OverflowError):
        return Answer("unnamed")
    except OSError:
        return Answer("silent")


def sweep(network: str, but: str = "", timeout_s: float = TIMEOUT_S, ports: Sequence[int] = PORTS) -> list[Found]:
    """Who in a network such as 192.168.1.0/24 speaks SIP, by address, without `but`; MOST_HOSTS at most."""
    hosts = [str(host) for host in ipaddress.ip_network(network).hosts()][:MOST_HOSTS]
    found: dict[tuple[ipaddress.IPv4Address, int], Found] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        line.bind(("", 0))
        for port in ports:
            for host in hosts:
                if host != but:
                    with contextlib.suppress(OSError):       # a full queue, a host that is known to be gone
                        line.sendto(_options(host, port, *line.getsockname()), (host, port))
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            if not select.select([line], [], [], left)[0]:
                break
            try:
                said, (host, port) = line.recvfrom(LONGEST)
            except OSError:
                continue
            if said.startswith(b"SIP/2.0 "):
                found[ipaddress.IPv4Address(host), port] = Found(plain(f"{host}:{port}"), _name(said))
    return [found[at] for at in sorted(found)]


def own_address() -> str | None:
    """The address this machine has in its network, None without one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(("192.0.2.1", 9))                   # RFC 5737: nobody's
        except OSError:
            return None
        return str(line.getsockname()[0])


def _answer(line: socket.socket, host: str, port: int, timeout_s: float) -> Answer:
    until, again = time.monotonic() + timeout_s, 0.0
    while (now := time.monotonic()) < until:
        if now >= again:
            line.send(_options(host, port, *line.getsockname()))
            again = now + AGAIN_S
        if select.select([line], [], [], min(until, again) - now)[0]:
            said = line.recv(LONGEST)
            if said.startswith(b"SIP/2.0 "):
                return Answer("speaks", _name(said))
    return Answer("silent")


def _options(host: str, port: int, own: str, own_port: int) -> bytes:
    mark = secrets.token_hex(8)
    return "\r\n".join((
        f"OPTIONS sip:{host}:{port} SIP/2.0", f"Via: SIP/2.0/UDP {own}:{own_port};branch=z9hG4bK{mark};rport",
        "Max-Forwards: 70", f"From: <sip:deskbell@{own}>;tag={mark}", f"To: <sip:{host}:{port}>",
        f"Call-ID: {mark}@deskbell", "CSeq: 1 OPTIONS", f"Contact: <sip:deskbell@{own}:{own_port}>",
        "Accept: application/sdp", "User-Agent: Deskbell", "Content-Length: 0", "", "")).encode()


def _name(said: bytes) -> str:
    found = SAYS.search(said)
    return "".join(c for c in found[1].decode("utf-8", "replace") if c.isprintable()).strip() if found else ""
