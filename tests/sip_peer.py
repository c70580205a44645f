"""A SIP user agent on one UDP port: both sides of INVITE, CANCEL, BYE and their retransmissions."""
from __future__ import annotations

import contextlib
import heapq
import itertools
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from tests.sip_leg import DEFAULT_LIMIT_S, RING, Leg, Manner, State
from tests.sip_wire import Message, branch, datagram, digest, media_address, sdp, tag_of

BOX = ("127.0.0.1", 5060)
T1_S = 0.5                      # RFC 3261, 17.1.1.1: the first pause before sending again
TRIES = 7
LINGER_S = 0.3                  # long enough to answer a last retransmission
WORDS = {100: "Trying", 180: "Ringing", 200: "OK", 480: "Temporarily Unavailable", 481: "No Such Call",
         486: "Busy Here", 487: "Request Terminated", 503: "Service Unavailable", 603: "Decline"}


class Peer:
    """A SIP user agent on one UDP port, with a thread that reads it."""

    def __init__(self, name: str, address: tuple[str, int], box: tuple[str, int] = BOX) -> None:
        self.name, self.box = name, box
        self.manner: Manner = RING
        self.legs: list[Leg] = []
        self.secret = ""
        self.changed = threading.Condition(threading.RLock())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.bind(address)
        self.host = str(self._socket.getsockname()[0])
        self.port = int(self._socket.getsockname()[1])
        self._by_id: dict[str, Leg] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._woken, self._wake = socket.socketpair()
        self._over = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends what lives, lingers for the last retransmission, and gives the port back."""
        for leg in self.living():
            leg.hang_up()
        self._later(LINGER_S, self._stop)
        self._thread.join(5)
        self._socket.close()

    def living(self) -> list[Leg]:
        with self.changed:
            return [leg for leg in self.legs if leg.state is not State.ENDED]

    def next_leg(self, after: int = 0, limit_s: float = DEFAULT_LIMIT_S) -> Leg:
        """The first leg after that many. Raises TimeoutError when none comes."""
        with self.changed:
            if self.changed.wait_for(lambda: len(self.legs) > after, limit_s):
                return self.legs[after]
        raise TimeoutError(f"{self.name}: no call number {after + 1} within {limit_s} s")

    def forget(self) -> None:
        """Drops the legs that are over, so that a test counts only its own."""
        with self.changed:
            self.legs[:] = [leg for leg in self.legs if leg.state is not State.ENDED]

    # -- calls we make

    def invite(self, to: str, sender: bytes, headers: list[tuple[str, bytes]] | None = None,
               tone_hz: int | None = None) -> Leg:
        """Calls `to` (a number) at the box; `sender` is the From header's value, byte for byte."""
        uri = f"sip:{to}@{self.box[0]}:{self.box[1]}".encode()
        call_id = secrets.token_hex(12) + "@" + self.name
        invite = Message(b"INVITE " + uri + b" SIP/2.0", [
            ("via", self._via(branch())), ("from", sender), ("to", b"<" + uri + b">"),
            ("call-id", call_id.encode()), ("cseq", b"1 INVITE"), ("contact", self._contact()),
            ("max-forwards", b"70"), *(headers or [])])
        with self.changed:
            leg = Leg(self, call_id, invite, True, tone_hz)
            leg.tag = tag_of(sender)
            invite.body = sdp(leg.sound.host, leg.sound.port)
            self.legs.append(leg)
            self._by_id[call_id] = leg
            self._send_invite(leg)
        return leg

    def _send_invite(self, leg: Leg) -> None:
        sent = leg.last_sent = datagram(leg.invite.start, leg.invite.headers, leg.invite.body)
        self._send_until(sent, lambda: bool(leg.codes) or leg.last_sent is not sent or State.ENDED in leg.at)

    def cancel(self, leg: Leg) -> None:
        """Gives up before the answer; waits for the first status if none came (RFC 3261, 9.1)."""
        with self.changed:
            leg.wants_cancel = True
            if leg.codes and leg.final is None:
                self._send_cancel(leg)

    def _send_cancel(self, leg: Leg) -> None:
        leg.wants_cancel, leg.ended_by = False, "cancel"
        self._send(self._about(leg, "CANCEL", via=leg.invite.first("via"), number=leg.invite.number))

    def hang_up(self, leg: Leg) -> None:
        """Whatever ends this leg now: a CANCEL, a refusal or a BYE."""
        with self.changed:
            if leg.state is State.ENDED:
                return
            if leg.state is State.TALKING:
                leg.sequence += 1
                bye = self._about(leg, "BYE", via=self._via(branch()), number=leg.sequence)
                self._send_until(bye, lambda: leg.is_bye_answered)
                self._end(leg, "us")
            elif leg.is_ours and leg.codes:
                self.cancel(leg)
            elif leg.is_ours:                                         # the box never said a word: nothing to cancel
                self._end(leg, "us")
            else:
                self.respond(leg, 480)

    def drop(self, leg: Leg) -> None:
        """Ends a leg on this side only."""
        with self.changed:
            if leg.state is not State.ENDED:
                self._end(leg, "us")

    def _heard_status(self, leg: Leg, said: Message) -> None:
        if said.method == "BYE":
            leg.is_bye_answered = leg.is_bye_answered or said.code >= 200
            return
        if said.method != "INVITE" or said.number != leg.invite.number:
            return
        if said.code >= 200 and leg.is_confirmed:                     # the box did not see our ACK
            self._acknowledge(leg, said)
            return
        leg.codes.append(said.code)
        if said.code < 200:
            if said.code in (180, 183):
                self._reach(leg, State.RINGING)
            if leg.wants_cancel:
                self._send_cancel(leg)
            return
        leg.their_tag = tag_of(said.first("to"))
        self._acknowledge(leg, said)
        if said.code in (401, 407) and self.secret and not leg.was_challenged:
            self._prove(leg, said)
            return
        leg.is_confirmed = True
        if said.code >= 300:
            leg.reason = said.first("reason")
            self._end(leg, leg.ended_by or "them")
            return
        leg.target = said.contact_uri
        self._reach(leg, State.TALKING)
        self._speak(leg, said.body)
        if leg.ended_by == "cancel" or leg.wants_cancel:              # the answer and our CANCEL crossed
            self.hang_up(leg)

    def _prove(self, leg: Leg, said: Message) -> None:
        leg.was_challenged, leg.their_tag, leg.codes[:] = True, b"", []
        leg.sequence += 1
        uri = leg.invite.start.split()[1]
        changed: dict[str, bytes] = {"via": self._via(branch()), "cseq": b"%d INVITE" % leg.sequence}
        leg.invite.headers = [(name, changed.get(name, value)) for name, value in leg.invite.headers]
        leg.invite.headers.append(
            ("authorization", digest(said.first("www-authenticate"), "INVITE", uri, self.name, self.secret)))
        self._send_invite(leg)

    def _acknowledge(self, leg: Leg, said: Message) -> None:
        is_new = said.code < 300
        via = self._via(branch()) if is_new else leg.invite.first("via")
        target = said.contact_uri if is_new else leg.invite.start.split()[1]
        self._send(datagram(b"ACK " + target + b" SIP/2.0", [
            ("Via", via), ("From", leg.invite.first("from")), ("To", said.first("to")),
            ("Call-ID", leg.call_id.encode()), ("CSeq", b"%d ACK" % said.number), ("Max-Forwards", b"70")]))

    def _about(self, leg: Leg, method: str, via: bytes, number: int) -> bytes:
        """A request inside this leg."""
        if leg.is_ours:
            ours, theirs = leg.invite.first("from"), leg.invite.first("to")
        else:
            ours, theirs = leg.invite.first("to"), leg.invite.first("from")
            ours += b";tag=" + leg.tag
        if leg.is_ours and leg.their_tag and method != "CANCEL":
            theirs += b";tag=" + leg.their_tag
        return datagram(method.encode() + b" " + leg.target + b" SIP/2.0", [
            ("Via", via), ("From", ours), ("To", theirs), ("Call-ID", leg.call_id.encode()),
            ("CSeq", b"%d %s" % (number, method.encode())), ("Max-Forwards", b"70")])

    # -- calls we receive

    def respond(self, leg: Leg, code: int) -> None:
        """Rings, answers or refuses a leg that came to us; nothing once a final status was sent."""
        with self.changed:
            if leg.is_ours or leg.final is not None:
                return
            leg.codes.append(code)
            body = sdp(leg.sound.host, leg.sound.port) if code == 200 else b""
            leg.last_sent = self._reply(leg.invite, code, leg.tag, body)
            if code < 200:
                self._send(leg.last_sent)
                self._reach(leg, State.RINGING)
                return
            self._send_until(leg.last_sent, lambda: leg.is_confirmed or code == 200 and State.ENDED in leg.at)
            if code == 200:
                self._reach(leg, State.TALKING)
                self._speak(leg, leg.invite.body)
            else:
                self._end(leg, "us")

    def _received_invite(self, invite: Message) -> None:
        leg = self._by_id.get(invite.call_id)
        if leg is not None and tag_of(invite.first("to")):            # a re-INVITE: the same sound goes on
            ours = tag_of(leg.invite.first("from")) if leg.is_ours else leg.tag
            self._send(self._reply(invite, 200, ours, sdp(leg.sound.host, leg.sound.port)))
            return
        if leg is not None:                                           # the box did not hear our last word
            self._send(leg.last_sent)
            return
        leg, manner = Leg(self, invite.call_id, invite, False), self.manner
        self._by_id[invite.call_id] = leg
        self.legs.append(leg)
        leg.tone_hz = manner.tone_hz
        self.changed.notify_all()
        if manner.is_deaf:
            return
        if manner.code is None or manner.after_s or manner.code == 200:
            self.respond(leg, 180)
        if manner.code is not None:
            code = manner.code
            self._later(manner.after_s, lambda: self.respond(leg, code))

    def _received(self, said: Message) -> None:
        leg = self._by_id.get(said.call_id)
        if said.method == "ACK":
            if leg is not None:
                leg.is_confirmed = True
        elif said.method == "INVITE":
            self._received_invite(said)
        elif said.method == "CANCEL":
            self._send(self._reply(said, 200 if leg else 481, leg.tag if leg else b""))
            if leg is not None and leg.final is None:
                leg.reason = said.first("reason")
                self.respond(leg, 487)
                leg.ended_by = "cancel"
        elif said.method == "BYE":
            self._send(self._reply(said, 200 if leg else 481, b""))
            if leg is not None and leg.state is not State.ENDED:
                leg.reason = said.first("reason")
                self._end(leg, "them")
        else:                                                         # OPTIONS, UPDATE, NOTIFY
            self._send(self._reply(said, 200, leg.tag if leg and not leg.is_ours else b""))

    def _reply(self, asked: Message, code: int, tag: bytes, body: bytes = b"") -> bytes:
        to = asked.first("to")
        if tag and not tag_of(to):
            to += b";tag=" + tag
        return datagram(b"SIP/2.0 %d %s" % (code, WORDS.get(code, "Refused").encode()), [
            *(("Via", via) for via in asked.all("via")), ("From", asked.first("from")), ("To", to),
            ("Call-ID", asked.first("call-id")), ("CSeq", asked.first("cseq")), ("Contact", self._contact())], body)

    # -- common

    def _speak(self, leg: Leg, body: bytes) -> None:
        towards = media_address(body)
        if towards is not None and leg.tone_hz is not None:
            leg.sound.start(towards, leg.tone_hz)

    def _reach(self, leg: Leg, state: State) -> None:
        leg.at.setdefault(state, time.monotonic())
        self.changed.notify_all()

    def _end(self, leg: Leg, by: str) -> None:
        leg.ended_by = leg.ended_by or by
        leg.sound.stop()
        self._reach(leg, State.ENDED)

    def _contact(self) -> bytes:
        return f"<sip:{self.name}@{self.host}:{self.port}>".encode()

    def _via(self, mark: bytes) -> bytes:
        return f"SIP/2.0/UDP {self.host}:{self.port};rport;branch=".encode() + mark

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):                            # the box is not there at the moment
            self._socket.sendto(data, self.box)

    def _send_until(self, data: bytes, is_done: Callable[[], bool], pause_s: float = T1_S, tries: int = TRIES) -> None:
        self._send(data)
        if tries > 1:
            self._later(pause_s, lambda: None if is_done() else
                        self._send_until(data, is_done, min(2 * pause_s, 4.0), tries - 1))

    def _later(self, wait_s: float, do: Callable[[], None]) -> None:
        with self.changed:
            heapq.heappush(self._timers, (time.monotonic() + wait_s, next(self._order), do))
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    def _stop(self) -> None:
        self._over = True

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._socket, selectors.EVENT_READ)
            ready.register(self._woken, selectors.EVENT_READ)
            while not self._over:
                wait_s = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
                readable = [key.fileobj for key, _ in ready.select(wait_s)]
                if self._woken in readable:
                    self._woken.recv(4096)
                if self._socket in readable:
                    self._read()
                with self.changed:
                    while self._timers and self._timers[0][0] <= time.monotonic():
                        heapq.heappop(self._timers)[2]()

    def _read(self) -> None:
        try:
            data = self._socket.recv(65535)
        except OSError:                                               # an ICMP answer: nobody listens there now
            return
        said = Message.read(data)
        if not said.call_id:
            return
        with self.changed:
            if not said.code:
                self._received(said)
            elif said.call_id in self._by_id:
                self._heard_status(self._by_id[said.call_id], said)
            else:
                self._heard_other(said)

    def _heard_other(self, said: Message) -> None:
        """A status that belongs to no call."""
