"""The telephone company's line and the desk phones, for tests: real SIP over UDP, real sound.

A peer is told what to do by its `manner` and remembers each conversation as a `Leg`. Nothing
waits blindly: `Leg.until` and `Peer.next_leg` wait on a condition with a limit.
"""
from __future__ import annotations

import secrets

from tests.sip_leg import BUSY, DEAF, DEFAULT_LIMIT_S, REJECT, RING, Leg, Manner, State, answer
from tests.sip_peer import BOX, Peer
from tests.sip_sound import linear, share_of
from tests.sip_wire import Message, branch, datagram, digest

LINE = ("127.0.0.1", 5070)
__all__ = ["BOX", "BUSY", "DEAF", "LINE", "REJECT", "RING", "Leg", "Line", "Manner", "Peer", "Phone", "State",
           "answer", "linear", "share_of"]


class Line(Peer):
    """The telephone company: its gateway brings calls to the box and takes calls from it."""

    def __init__(self, address: tuple[str, int] = LINE, box: tuple[str, int] = BOX) -> None:
        super().__init__("line", address, box)

    def call(self, caller: str | bytes = "", name: str | bytes = "", to: str = "s",
             headers: list[tuple[str, bytes]] | None = None, tone_hz: int | None = None) -> Leg:
        """Rings the box as this caller. A name in bytes is sent as it is, without quotes or care."""
        return self.invite(to, self.sender(caller, name), headers, tone_hz)

    def call_withheld(self, identity: str = "", to: str = "s") -> Leg:
        """A caller who hides; the network tells the box who it was only in P-Asserted-Identity."""
        headers = [("privacy", b"id")]
        if identity:
            headers.append(("p-asserted-identity", f"<sip:{identity}@{self.host}>".encode()))
        sender = b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=' + secrets.token_hex(6).encode()
        return self.invite(to, sender, headers)

    def sender(self, caller: str | bytes, name: str | bytes = "") -> bytes:
        user = caller.encode() if isinstance(caller, str) else caller
        if isinstance(name, str):
            shown = b'"' + name.replace("\\", "\\\\").replace('"', '\\"').encode() + b'" ' if name else b""
        else:
            shown = name + b" "
        at = b"@" if user else b""
        return shown + b"<sip:" + user + at + self.host.encode() + b">;tag=" + secrets.token_hex(6).encode()


class Phone(Peer):
    """A desk phone: registers at the box with its extension and secret, rings, answers, calls."""

    def __init__(self, extension: str, secret: str, box: tuple[str, int] = BOX, host: str = "127.0.0.1") -> None:
        super().__init__(extension, (host, 0), box)
        self.secret = secret
        self.registered: int | None = None
        self._register_id = secrets.token_hex(12)
        self._register_number = 0
        self._has_proven = False
        self._expires_s = 3600

    def register(self, expires_s: int = 3600, limit_s: float = DEFAULT_LIMIT_S) -> Phone:
        """Itself, once the box has taken the registration. Raises TimeoutError, PermissionError when refused."""
        with self.changed:
            self.registered, self._expires_s = None, expires_s
            self._send_register(b"")
            if not self.changed.wait_for(lambda: self.registered is not None, limit_s):
                raise TimeoutError(f"phone {self.name}: no answer to its registration within {limit_s} s")
        if self.registered != 200:
            raise PermissionError(f"phone {self.name}: registration refused with {self.registered}")
        return self

    def call(self, to: str, tone_hz: int | None = None) -> Leg:
        """Dials this number at the box."""
        sender = f"<sip:{self.name}@{self.box[0]}>;tag={secrets.token_hex(6)}".encode()
        return self.invite(to, sender, tone_hz=tone_hz)

    def _send_register(self, proof: bytes) -> None:
        self._register_number += 1
        self._has_proven = bool(proof)
        number, uri = self._register_number, self._registrar()
        address = f"<sip:{self.name}@{self.box[0]}>".encode()
        headers = [("Via", self._via(branch())), ("From", address + b";tag=" + secrets.token_hex(6).encode()),
                   ("To", address), ("Call-ID", self._register_id.encode()), ("CSeq", b"%d REGISTER" % number),
                   ("Contact", self._contact()), ("Expires", b"%d" % self._expires_s), ("Max-Forwards", b"70")]
        if proof:
            headers.append(("Authorization", proof))
        self._send_until(datagram(b"REGISTER " + uri + b" SIP/2.0", headers),
                         lambda: self.registered is not None or self._register_number > number)

    def _registrar(self) -> bytes:
        return f"sip:{self.box[0]}:{self.box[1]}".encode()

    def _heard_other(self, said: Message) -> None:
        if said.call_id != self._register_id or said.number != self._register_number or said.code < 200:
            return
        if said.code == 401 and not self._has_proven:
            self._send_register(digest(said.first("www-authenticate"), "REGISTER", self._registrar(),
                                       self.name, self.secret))
            return
        self.registered = said.code
        self.changed.notify_all()
