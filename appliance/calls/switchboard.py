"""The calls daemon's hand on the telephone: does what phone.py was asked, by Asterisk's manager (Asterisk 22).

Nothing of it is in the way of a call that rings: it is a thread of its own, and an order that cannot be done is refused
in words. Whoever is on hold is never left alone: the contexts held, waiting and parked of the dialplan see to that.
"""
from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance.calls.ami import Ami, AmiError, from_secret
from appliance.calls.events import announce
from appliance.calls.phone import CHANNEL, Order
from appliance.config import Box
from appliance.people import numbers
from appliance.store import db as store

log = logging.getLogger("phone")

LOOK_S = 1.0
POLL_S = 0.02         # a person who clicked does not notice
LATEST = timedelta(seconds=10)        # a telephone that dials minutes later startles whoever sits there
RING_S = 30
JOIN_S = 1.0
NOT_THERE = {"UNAVAILABLE", "INVALID", "UNKNOWN"}


class _Refused(Exception):
    """The order cannot be done; the text says why."""


@dataclass(frozen=True)
class Channel:
    """One channel of a call. bridge: "" while it speaks to nobody."""
    name: str
    party: str
    bridge: str
    context: str


class Switchboard(threading.Thread):
    """Waits for orders and does them one after the other."""

    def __init__(self, box: Box, stop: threading.Event) -> None:
        super().__init__(name="switchboard", daemon=True)
        self._box, self._stop_event = box, stop

    def run(self) -> None:
        db = store.connect(self._box.store)
        seen = -1
        try:
            while not self._stop_event.is_set():
                try:
                    self.step(db, datetime.now(UTC))
                except sqlite3.Error as broken:
                    log.error("Orders from the screen wait (%s). Calls go on.", broken)
                    self._stop_event.wait(LOOK_S)
                seen = store.wait_for_change(db, seen, LOOK_S, self._stop_event, POLL_S)
        finally:
            db.close()

    def step(self, db: sqlite3.Connection, now: datetime) -> None:
        """Does every order that waits, oldest first."""
        while row := db.execute("""
                SELECT id, kind, call_id, extension, target, state, reason, at
                FROM phone_order
                WHERE state IN ('asked', 'taken')
                ORDER BY id LIMIT 1""").fetchone():
            asked, at = Order(*tuple(row)[:7]), store.parse_time(row["at"])
            if asked.state == "taken":
                self._settle(db, asked, now, "The box stopped just then. Look whether it was done, then ask again.")
            elif abs(now - at) > LATEST:
                self._settle(db, asked, now, "It came too late and was not done. Ask again.")
            else:
                self._do(db, asked, now)

    def _do(self, db: sqlite3.Connection, asked: Order, now: datetime) -> None:
        with store.write(db):
            db.execute("UPDATE phone_order SET state = 'taken' WHERE id = ?", (asked.id,))
        try:
            with from_secret(self._box.secrets / "ami-phone", "phone") as asterisk:
                _Hand(db, self._box, asterisk).do(asked)
        except _Refused as refused:
            self._settle(db, asked, now, str(refused))
        except AmiError as silent:
            log.warning("Order %s (%s) was not done: %s.", asked.id, asked.kind, silent)
            self._settle(db, asked, now, "The telephone exchange did not do it. Use the telephone's own buttons.")
        else:
            self._settle(db, asked, now, None)

    def _settle(self, db: sqlite3.Connection, asked: Order, now: datetime, reason: str | None) -> None:
        with store.write(db):
            db.execute("UPDATE phone_order SET state = ?, reason = ? WHERE id = ?",
                       ("refused" if reason else "done", reason, asked.id))
            if asked.call_id is not None:
                announce(db, "phone", asked.call_id, now)


class _Hand:
    """One order at work, on one connection to the manager."""

    def __init__(self, db: sqlite3.Connection, box: Box, asterisk: Ami) -> None:
        self._db, self._box, self._asterisk = db, box, asterisk

    def do(self, asked: Order) -> None:
        if asked.kind == "dial":
            self._dial(asked)
            return
        channels = self._channels(asked)
        if asked.kind == "retrieve":
            self._retrieve(asked, channels)
            return
        mine = next((it for it in channels if it.party == asked.extension), None)
        if mine is None:
            raise _Refused("Your telephone is not in this call.")
        work: dict[str, Callable[[Order, Channel, list[Channel]], None]] = {
            "hold": self._hold, "resume": self._resume, "cancel": self._resume, "consult": self._consult,
            "complete": self._complete, "transfer": self._transfer, "park": self._park, "hangup": self._hang_up}
        work[asked.kind](asked, mine, channels)

    def _dial(self, asked: Order) -> None:
        assert asked.target
        self._must_be_there(asked.extension)
        who = numbers.shown(asked.target, self._box.country)
        self._originate(asked, Exten=numbers.dialled(asked.target, self._box.country),
                        CallerID=f'"{who}" <{asked.target}>')

    def _retrieve(self, asked: Order, channels: list[Channel]) -> None:
        parked = next((it for it in channels if it.context == "parked"), None)
        if parked is None:
            raise _Refused("Nobody is parked there any more.")
        self._must_be_there(asked.extension)
        self._originate(asked, Exten="s", Variable=f"HELD={parked.name}")

    def _hold(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        self._part(mine, self._other(mine, channels), "held", "s")

    def _consult(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        digits = self._digits(asked)
        if self._held(mine):
            self._ask("Redirect", Channel=mine.name, Context="waiting", Exten=digits, Priority="1")
        else:
            self._part(mine, self._other(mine, channels), "held", digits)

    def _resume(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        other = self._must_hold(mine)
        self._unpair(mine.name, other)
        self._ask("Bridge", Channel1=other, Channel2=mine.name, Tone="no")

    def _complete(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        other = self._must_hold(mine)
        third = self._joined(asked, mine)
        self._unpair(mine.name, other)
        self._ask("Bridge", Channel1=other, Channel2=third.name, Tone="no")
        self._let_go(mine.name)

    def _transfer(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        self._hand_over(mine, channels, "transfer", self._digits(asked))

    def _park(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        self._hand_over(mine, channels, "parked", "s")

    def _hand_over(self, mine: Channel, channels: list[Channel], context: str, extension: str) -> None:
        """The customer goes on to a context of the dialplan, the desk phone is free."""
        held = self._held(mine)
        other = held or self._other(mine, channels).name
        if held:
            self._unpair(mine.name, held)
        self._ask("Redirect", Channel=other, Context=context, Exten=extension, Priority="1")
        if held:
            self._let_go(mine.name)

    def _hang_up(self, asked: Order, mine: Channel, channels: list[Channel]) -> None:
        if other := self._held(mine):
            self._unpair(mine.name, other)
            self._let_go(other)
        self._let_go(mine.name)

    # -- what they are made of

    def _let_go(self, channel: str) -> None:
        """Ends a channel; one that has just gone by itself is what was wanted."""
        with contextlib.suppress(AmiError):
            self._ask("Hangup", Channel=channel)

    def _part(self, mine: Channel, other: Channel, context: str, extension: str) -> None:
        """The two at one moment: the customer to hold, the desk phone to wait or to ring somebody."""
        self._pair(mine.name, other.name)
        self._ask("Redirect", Channel=other.name, Context=context, Exten="s", Priority="1",
                  ExtraChannel=mine.name, ExtraContext="waiting", ExtraExten=extension, ExtraPriority="1")

    def _pair(self, mine: str, other: str) -> None:
        for channel, at_the_end in ((mine, other), (other, mine)):
            self._ask("Setvar", Channel=channel, Variable="OTHER", Value=at_the_end)

    def _unpair(self, mine: str, other: str) -> None:
        for channel in (mine, other):
            self._ask("Setvar", Channel=channel, Variable="OTHER", Value="")

    def _held(self, mine: Channel) -> str:
        """The customer who waits for this desk phone, "" for nobody."""
        try:
            return self._ask("Getvar", Channel=mine.name, Variable="OTHER").get("Value", "")
        except AmiError:
            return ""

    def _must_hold(self, mine: Channel) -> str:
        if other := self._held(mine):
            return other
        raise _Refused("Nobody is on hold for you.")

    def _other(self, mine: Channel, channels: list[Channel]) -> Channel:
        found = [it for it in channels if mine.bridge and it.bridge == mine.bridge and it != mine]
        if len(found) != 1:
            raise _Refused("The two of you are not talking yet.")
        return found[0]

    def _joined(self, asked: Order, mine: Channel) -> Channel:
        """Whom this desk phone speaks with; one who picked up just now may still be on his way there."""
        until = time.monotonic() + JOIN_S
        while True:
            channels = self._channels(asked)
            bridge = next((it.bridge for it in channels if it.name == mine.name), "")
            if found := [it for it in channels if bridge and it.bridge == bridge and it.name != mine.name]:
                return found[0]
            if time.monotonic() > until:
                raise _Refused("The other side has not picked up yet. Wait for it, or take the caller back.")
            time.sleep(JOIN_S / 20)

    def _digits(self, asked: Order) -> str:
        assert asked.target
        return numbers.dialled(asked.target, self._box.country)

    def _must_be_there(self, extension: str) -> None:
        state = self._ask("Getvar", Variable=f"DEVICE_STATE(PJSIP/{extension})").get("Value", "")
        if state in NOT_THERE:
            raise _Refused(f"The telephone {extension} is not connected. Plug it in, or use another one.")

    def _originate(self, asked: Order, **fields: str) -> None:
        self._ask("Originate", Channel=f"PJSIP/{asked.extension}", Context="screen", Priority="1", Async="true",
                  Timeout=str(RING_S * 1000), ChannelId=f"{CHANNEL}{asked.id}", **fields)

    def _channels(self, asked: Order) -> list[Channel]:
        call = self._db.execute("SELECT linkedid FROM call WHERE id = ? AND ended_at IS NULL",
                                (asked.call_id,)).fetchone()
        if call is None:
            raise _Refused("This call is over.")
        found = self._asterisk.ask_list("CoreShowChannels", "CoreShowChannelsComplete")
        return [Channel(row["Channel"], row["Channel"].partition("/")[2].rpartition("-")[0], row.get("BridgeId", ""),
                        row.get("Context", ""))
                for row in found if row.get("Event") == "CoreShowChannel" and row.get("Linkedid") == call["linkedid"]]

    def _ask(self, action: str, **fields: str) -> dict[str, str]:
        return self._asterisk.ask(action, **fields)
