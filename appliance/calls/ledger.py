"""Asterisk's ledger read as calls: events in, call out. Pure; follow.py reads and writes.

The rows are CEL events (Asterisk 22, cel_sqlite3_custom) of one linkedid, in the order they were written.
"""
from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance.calls.records import Call, Direction, Leg, Outcome, caller_name, caller_number, presentation

BUSY, REJECTED = 17, 21          # ITU-T Q.850: user busy, call rejected
NOBODY = {16, 18, 19, 20, 31, 102, 127}      # cleared, no user responding, no answer, absent, normal, timer
OURSELVES = "Local/s@healthy-"               # update/health.py
CAUSE = re.compile(r"[0-9]{1,3}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One CEL row. at_us is microseconds since 1970 by Asterisk's clock; extra is CEL's JSON or ''."""
    position: int
    boot: int
    linkedid: str
    uniqueid: str
    kind: str
    at_us: int
    channel: str
    context: str
    extension: str
    caller_id: str
    caller_name: str
    application: str
    extra: str

    @property
    def at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.at_us)

    @property
    def party(self) -> str:
        """The endpoint of "PJSIP/101-0000001a": an extension's number or a trunk's key."""
        return self.channel.partition("/")[2].rpartition("-")[0]

    def said(self, key: str) -> str:
        """A value of the extra JSON as text, '' when it is not there."""
        try:
            found = json.loads(self.extra or "{}")
        except (ValueError, RecursionError):
            return ""
        return str(found.get(key, "")) if isinstance(found, dict) else ""


class LedgerError(Exception):
    """The rows make no call; the text says which and why."""


class OwnCallError(LedgerError):
    """The rows are no call of the office: the box rang itself."""


def call_from(entries: Sequence[Entry], trunks: Collection[str], is_cut: bool = False,
              asked: str | None = None) -> Call:
    """The call that these rows of one linkedid tell, finished or so far.

    trunks are the keys of the outside lines. is_cut says that Asterisk no longer has the call and no row
    will follow: it ends as interrupted at its last row. asked is whom a person asked for from the screen: such a call
    begins at the desk phone, before anything was dialled. Raises LedgerError when the caller's first row is missing.
    """
    first = next((e for e in entries if e.kind == "CHAN_START" and e.uniqueid == e.linkedid), None)
    if first is None:
        raise LedgerError(f"call {entries[0].linkedid} has no CHAN_START")
    if first.channel.startswith(OURSELVES):
        raise OwnCallError(f"call {entries[0].linkedid} is the box ringing itself, to know that it is well")
    legs = _legs(entries, first)
    caller, called = legs[0], legs[1:]
    is_over = any(e.kind == "LINKEDID_END" for e in entries)
    ended_at = entries[-1].at if is_over or is_cut else None
    answered = _answered(entries, called)
    direction = _direction(first, called, trunks)
    trunk = _trunk(caller, called, trunks)
    other_side = first.caller_id if direction is Direction.IN else asked or first.extension
    return Call(
        boot=first.boot, linkedid=first.linkedid, direction=direction, trunk=trunk,
        caller_id=caller_number(other_side),
        caller_name=caller_name(first.caller_name, first.caller_id) if direction is Direction.IN else None,
        presentation=presentation(other_side, _user(entries, "CALLER")),
        extension=_extension(direction, caller, answered),
        started_at=first.at, answered_at=answered.answered_at if answered else None, ended_at=ended_at,
        outcome=_outcome(entries, called, answered, direction, is_over) if ended_at else None,
        hangup_cause=caller.hangup_cause if ended_at else None,
        was_bell_cut=any(e.kind == "BELL_CUT" for e in entries), legs=tuple(legs))


def _legs(entries: Sequence[Entry], first: Entry) -> list[Leg]:
    by_id: dict[str, list[Entry]] = {first.uniqueid: []}
    for entry in entries:
        if entry.kind != "LINKEDID_END":
            by_id.setdefault(entry.uniqueid, []).append(entry)
    legs = []
    for uniqueid, rows in by_id.items():
        hangup = _first(rows, "HANGUP")
        answer, end = _first(rows, "ANSWER"), hangup or _first(rows, "CHAN_END")
        # A leg that was ended from elsewhere carries the cause of whoever ended it, not its own.
        is_own = hangup is not None and (uniqueid == first.uniqueid or hangup.said("hangupsource") == hangup.channel)
        cause = hangup.said("hangupcause") if hangup and is_own else ""
        legs.append(Leg(uniqueid=uniqueid, channel=rows[0].channel, party=rows[0].party,
                        is_caller=uniqueid == first.uniqueid, started_at=rows[0].at,
                        answered_at=answer.at if answer else None, ended_at=end.at if end else None,
                        hangup_cause=int(cause) if CAUSE.fullmatch(cause) else None))
    return legs


def _first(rows: Sequence[Entry], kind: str) -> Entry | None:
    return next((row for row in rows if row.kind == kind), None)


def _user(entries: Sequence[Entry], kind: str) -> str:
    found = _first(entries, kind)
    return found.said("extra") if found else ""


def _answered(entries: Sequence[Entry], called: Sequence[Leg]) -> Leg | None:
    """The called leg that answered and was joined to the caller; an answer to a caller who had gone is none."""
    joined = {e.uniqueid for e in entries if e.kind == "BRIDGE_ENTER"}
    return next((leg for leg in called if leg.answered_at and leg.uniqueid in joined), None)


def _direction(first: Entry, called: Sequence[Leg], trunks: Collection[str]) -> Direction:
    if first.party in trunks:
        return Direction.IN
    if first.context == "inside" or called and all(leg.party not in trunks for leg in called):
        return Direction.INTERNAL
    return Direction.OUT


def _trunk(caller: Leg, called: Sequence[Leg], trunks: Collection[str]) -> str | None:
    return next((leg.party for leg in (caller, *called) if leg.party in trunks), None)


def _extension(direction: Direction, caller: Leg, answered: Leg | None) -> str | None:
    if direction is Direction.IN:
        return answered.party if answered else None
    return caller.party


def _outcome(entries: Sequence[Entry], called: Sequence[Leg], answered: Leg | None,
             direction: Direction, is_over: bool) -> Outcome:
    if not is_over:
        return Outcome.INTERRUPTED
    if answered:
        return Outcome.ANSWERED
    if _first(entries, "BLOCKED"):
        return Outcome.BLOCKED
    # Each leg's own cause decides: CEL's dialstatus calls two rejecting phones NOANSWER.
    causes = {leg.hangup_cause for leg in called}
    if causes and causes <= {BUSY, REJECTED}:
        return Outcome.REJECTED if REJECTED in causes else Outcome.BUSY
    if direction is not Direction.IN and causes and None not in causes and not causes & NOBODY:
        return Outcome.FAILED
    return Outcome.MISSED
