"""One conversation as a test peer lived it, and what a peer does with one that comes to it."""
from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.sip_sound import Sound
from tests.sip_wire import Message, tag_of

if TYPE_CHECKING:
    from tests.sip_peer import Peer

DEFAULT_LIMIT_S = 10.0


class State(StrEnum):
    CALLING = "calling"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


@dataclass(frozen=True)
class Manner:
    """What a peer does with a call it receives.

    code 200 answers after_s seconds of ringing and says a tone; 4xx-6xx refuses after_s; None rings for
    ever; is_deaf sends nothing at all.
    """

    code: int | None = None
    after_s: float = 0.0
    tone_hz: int | None = None
    is_deaf: bool = False


RING = Manner()
BUSY = Manner(486)
REJECT = Manner(603)
DEAF = Manner(is_deaf=True)


def answer(after_s: float = 0.0, tone_hz: int | None = None) -> Manner:
    return Manner(200, after_s, tone_hz)


class Leg:
    """One SIP conversation as one peer lived it. Times are time.monotonic() seconds, None until then."""

    def __init__(self, peer: Peer, call_id: str, invite: Message, is_ours: bool, tone_hz: int | None = None) -> None:
        self.peer, self.call_id, self.invite, self.is_ours = peer, call_id, invite, is_ours
        self.at: dict[State, float] = {State.CALLING: time.monotonic()}
        self.codes: list[int] = []              # statuses heard (ours) or sent (theirs)
        self.ended_by: str | None = None        # "us", "them" or "cancel"
        self.reason = b""                       # the Reason header of what ended it
        self.sound = Sound(peer.host)
        self.tone_hz = tone_hz
        self.tag = secrets.token_hex(6).encode()
        self.their_tag = tag_of(invite.first("from")) if not is_ours else b""
        self.target = invite.contact_uri if not is_ours else invite.start.split()[1]
        self.sequence = invite.number
        self.last_sent = b""
        self.is_confirmed = False               # an ACK came, or a final status did
        self.is_bye_answered = False
        self.wants_cancel = False
        self.was_challenged = False

    @property
    def state(self) -> State:
        return list(self.at)[-1]

    @property
    def name(self) -> str:
        """The caller's name as it came."""
        return self.invite.shown_name

    @property
    def number(self) -> str:
        """The caller's number as it came."""
        return self.invite.shown_number

    @property
    def final(self) -> int | None:
        return next((code for code in self.codes if code >= 200), None)

    def since_called_s(self, state: State) -> float:
        return self.at[state] - self.at[State.CALLING]

    def until(self, state: State, limit_s: float = DEFAULT_LIMIT_S) -> Leg:
        """Itself, once it has been in this state. Raises TimeoutError with what happened instead."""
        with self.peer.changed:
            self.peer.changed.wait_for(lambda: state in self.at or State.ENDED in self.at, limit_s)
            if state in self.at:
                return self
        raise TimeoutError(f"{self.peer.name}: not {state} but {self.state} within {limit_s} s; statuses {self.codes}")

    def hang_up(self) -> None:
        self.peer.hang_up(self)

    def drop(self) -> None:
        """Forgets the conversation without a word, as when the other side has died."""
        self.peer.drop(self)

    def cancel(self) -> None:
        self.peer.cancel(self)

    def refuse(self, code: int) -> None:
        self.peer.respond(self, code)

    def pick_up(self, tone_hz: int | None = None) -> None:
        self.tone_hz = tone_hz
        self.peer.respond(self, 200)
