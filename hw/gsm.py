"""A GSM radio: a few verbs, and the driver that speaks AT to the modems of this world."""
from __future__ import annotations

import contextlib
import logging
import queue
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hw import ussd
from hw.at import AtEngine, GsmError, GsmGone, GsmRejected, GsmSilent, GsmUnknown, Unasked
from hw.pdu import Delivered, DeliveryReport, OwnPdu, Pdu, PduError, decode
from hw.rings import Ringing, RingingOver, RingWatch
from hw.ussd import UssdAnswer

__all__ = ["AtGsm", "Event", "Gsm", "GsmError", "GsmGone", "GsmRejected", "GsmUnknown", "Incoming", "Ringing",
           "RingingOver", "State", "Status", "StatusChanged", "UssdAnswer"]

SEND_TIMEOUT_S = 60.0
PIN_TIMEOUT_S = 15.0
USSD_TIMEOUT_S = 30.0
EVENTS_AT_ONCE = 8  # a flood of texts lets one that waits to go in between
UNREADABLE = "unknown"  # the number of a text that could not be read
CARD_QUERIES = ("AT+CCID", "AT+ICCID", "AT^ICCID?", "AT+QCCID", "AT+CICCID")
# 3GPP TS 27.007 8.65, Huawei, Quectel, SIMCom
PIN_TRIES = (("AT+CPINR", r'\+CPINR: *"?SIM PIN"?, *(\d+)'), ("AT^CPIN?", r"\^CPIN: *[^,]*,[^,]*,\d+, *(\d+)"),
             ('AT+QPINC="SC"', r'\+QPINC: *"SC", *(\d+)'), ("AT+SPIC", r"\+SPIC: *(\d+)"))
CARD = re.compile(r"\b(89[0-9]{16,18}[0-9A-Fa-f]?)")
REPORT_MODES = ("2,1,0,1,0", "2,1,0,2,0", "1,1,0,1,0", "1,1,0,2,0", "2,1,0,0,0")
LOG = logging.getLogger(__name__)


class State(Enum):
    """What the radio can do, in words for the page."""

    REGISTERED = "registered"
    ROAMING = "roaming"
    NO_SIM = "no SIM card"
    PIN = "the SIM card asks for its PIN"
    PUK = "the SIM card is locked and asks for its PUK"
    SEARCHING = "searching for the network"
    DENIED = "the network refuses this SIM card"
    ODD = "the modem answers, but not what it is asked"

    @property
    def can_send(self) -> bool:
        """Whether a text handed over now has a network to go to."""
        return self in (State.REGISTERED, State.ROAMING)


@dataclass(frozen=True)
class Status:
    """One look at the radio. signal_dbm is -113 (none) .. -51; None, like operator, when the modem does not say.

    full names the memory (SM the SIM, ME the modem) that has no room for texts that come, None: there is room.
    """

    state: State
    operator: str | None = None
    signal_dbm: int | None = None
    full: str | None = None


@dataclass(frozen=True)
class Incoming:
    """A text that came. It lies at `place` of `memory` (SM the SIM, ME the modem) until forget(); None: no copy."""

    text: Delivered
    memory: str = "SM"
    place: int | None = None


@dataclass(frozen=True)
class StatusChanged:
    """The network took or dropped us: look at status() again."""


Event = DeliveryReport | Incoming | StatusChanged | UssdAnswer


class Gsm(Protocol):
    """What the office asks of a radio. Every verb may raise GsmGone: close, wait, open again."""

    def open(self) -> None:
        """Takes the port and speaks to the modem. The SIM may still be missing: status() says."""

    def close(self) -> None:
        """Lets the port go; safe at any time."""

    def status(self) -> Status:
        """How it stands now, asked of the modem; well under a second."""

    def send(self, pdu: Pdu) -> int:
        """TP-MR (0..255) the network gave this segment.

        Blocks until +CMGS, about 3-6 s, at most the send time-out (3GPP TS 27.005 §4.3). Raises GsmRejected for a
        definite no, GsmUnknown when the network may have taken it.
        """

    def events(self) -> list[Event]:
        """What came since the last call, EVENTS_AT_ONCE at most; does not wait for more."""

    def calls(self) -> list[Ringing | RingingOver]:
        """Who called since the last time; asks nothing of the modem, so it may be used while a text is being sent."""

    def stored(self) -> list[Incoming]:
        """The texts that came while nobody listened and still lie in the SIM."""

    def forget(self, incoming: Incoming) -> None:
        """Frees its place in the SIM. Only after it is safe elsewhere."""

    def card(self) -> str:
        """The SIM's own number (ICCID), also while it asks for its PIN; '' when the modem does not say."""

    def own_number(self) -> str:
        """The number written on the SIM, '' when there is none, as is common."""

    def enter_pin(self, pin: str) -> None:
        """Tries this PIN. Raises GsmRejected for a wrong one: the third wrong one locks the SIM for good."""

    def pin_tries(self) -> int | None:
        """How many wrong PINs the SIM still takes (0..3), None when the modem does not say."""

    def ask(self, code: str) -> None:
        """Sends a USSD code such as *100#. The answer is one of events(), within USSD_TIMEOUT_S and one at a time.

        Raises GsmRejected for a code that is none, when the modem refuses, and while another answer is awaited.
        """

    def at(self, command: str, timeout_s: float = 10.0) -> list[str]:
        """What the modem says to an AT command, for the installer. Raises GsmRejected."""


class AtGsm:
    """The driver for modems with an AT port: `port` is best a /dev/serial/by-id name.

    While a verb waits for the modem it calls meanwhile() twice a second.
    """

    def __init__(self, port: str, send_timeout_s: float = SEND_TIMEOUT_S, meanwhile: Callable[[], None] = lambda: None,
                 ussd_timeout_s: float = USSD_TIMEOUT_S) -> None:
        self.port, self.send_timeout_s, self.ussd_timeout_s = port, send_timeout_s, ussd_timeout_s
        self._meanwhile = meanwhile
        self._at = AtEngine(port, meanwhile)
        self._is_prepared = False
        self._watch = RingWatch()
        self._asked_until: float | None = None  # monotonic seconds, while a USSD answer is awaited

    def open(self) -> None:
        """Takes the port. Raises GsmGone when it is missing, taken, or nothing behind it speaks AT."""
        self._at = AtEngine(self.port, self._meanwhile)
        self._is_prepared, self._watch, self._asked_until = False, RingWatch(), None
        self._at.open()
        try:
            self._at.resync()
            for setting in ("ATE0", "AT+CMEE=1"):
                self._try(setting)
        except GsmError:
            self._at.close()
            raise

    def close(self) -> None:
        """Lets the port go."""
        self._at.close()

    def status(self) -> Status:
        """SIM, network and signal, asked in that order; a PIN is tried by enter_pin() alone."""
        trouble = self._sim_trouble()
        if trouble is not None:
            self._is_prepared = False
            return Status(trouble)
        if not self._is_prepared:
            self._prepare()
        return Status(self._network(), self._operator(), self._signal(), self._full())

    def send(self, pdu: Pdu) -> int:
        """TP-MR (0..255) the network gave this segment; the errors as in Gsm.send."""
        if not self._is_prepared:
            self.status()
        return self._at.submit(pdu, self.send_timeout_s)

    def events(self) -> list[Event]:
        """What came since the last call. Raises GsmGone once the port vanished."""
        found: list[Event] = self._silence()
        while len(found) < EVENTS_AT_ONCE:
            try:
                event = self._event(self._at.unasked.get_nowait())
            except queue.Empty:
                break
            except (PduError, GsmRejected) as broken:
                LOG.warning("%s: something that came could not be read (%s)", self.port, broken)
                continue
            if event is not None:
                found.append(event)
        if not found and not self._at.is_alive:
            raise GsmGone(self.port, "the modem was unplugged.")
        return found

    def calls(self) -> list[Ringing | RingingOver]:
        """Who called since the last time."""
        news: list[Ringing | RingingOver] = []
        with contextlib.suppress(queue.Empty):
            while told := self._at.rings.get_nowait():
                news += self._watch.hear(told.name, told.rest, told.at)
        return news + self._watch.tick(time.monotonic())

    def card(self) -> str:
        """The ICCID, '' when the modem does not say."""
        for query in CARD_QUERIES:
            with contextlib.suppress(GsmRejected):
                if found := CARD.search(" ".join(self._at.command(query))):
                    return found[1]
        return ""

    def own_number(self) -> str:
        """The number written on the SIM (AT+CNUM)."""
        found = self._ask("AT+CNUM", r'\+CNUM: *(?:"[^"]*")?, *"(\+?\d+)", *(\d+)')
        return "" if found is None else "+" + found[1] if found[2] == "145" and found[1][0] != "+" else found[1]

    def enter_pin(self, pin: str) -> None:
        """Tries this PIN once."""
        self._at.command(f'AT+CPIN="{pin}"', PIN_TIMEOUT_S)

    def pin_tries(self) -> int | None:
        """The count of the SIM's own PIN, as the modem's maker has it said."""
        found = next((found for query, answer in PIN_TRIES if (found := self._ask(query, answer))), None)
        return int(found[1]) if found else None

    def ask(self, code: str) -> None:
        """Sends a USSD code: plain, and packed for modems that take no other."""
        if not ussd.is_code(code):
            raise GsmRejected(self.port, f"{code!r} is no USSD code; they look like *100#.")
        if self._asked_until is not None:
            raise GsmRejected(self.port, "another USSD answer is still awaited.")
        try:
            self._at.command(f'AT+CUSD=1,"{code}",15', timeout_s=15)
        except GsmSilent:
            raise
        except GsmRejected:
            self._at.command(f'AT+CUSD=1,"{ussd.pack(code)}",15', timeout_s=15)
        self._asked_until = time.monotonic() + self.ussd_timeout_s

    def at(self, command: str, timeout_s: float = 10.0) -> list[str]:
        """What the modem says to an AT command."""
        return self._at.command(command, timeout_s)

    def _silence(self) -> list[Event]:
        if self._asked_until is None or time.monotonic() < self._asked_until:
            return []
        self._asked_until = None
        self._try("AT+CUSD=2")
        return [UssdAnswer(None, f"the network did not answer within {self.ussd_timeout_s:.0f} s")]

    def forget(self, incoming: Incoming) -> None:
        """Frees the text's place in the SIM or the modem."""
        if incoming.place is not None:
            with self._memory(incoming.memory):
                self._at.command(f"AT+CMGD={incoming.place}")

    def stored(self) -> list[Incoming]:
        """The texts that came while nobody listened, in the SIM and in the modem's own memory."""
        return [incoming for memory in ("SM", "ME") for incoming in self._stored(memory)]

    def _stored(self, memory: str) -> Iterator[Incoming]:
        with self._memory(memory) as is_there:
            lines = self._at.command("AT+CMGL=4", timeout_s=20) if is_there else []
        for header, pdu in zip(lines, [*lines[1:], ""], strict=False):
            if place := re.match(r"\+CMGL: *(\d+)", header):
                text = readable(pdu)
                if isinstance(text, Delivered):
                    yield Incoming(text, memory, int(place[1]))

    @contextlib.contextmanager
    def _memory(self, name: str) -> Iterator[bool]:
        """True while AT+CMGR and its kin mean this memory, False when the modem has none of that name."""
        is_there = name == "SM" or self._try(f'AT+CPMS="{name}"')
        try:
            yield is_there
        finally:
            if is_there and name != "SM":
                self._try('AT+CPMS="SM"')

    def _event(self, told: Unasked) -> Event | None:
        if told.name in ("+CDS", "+CMT") and told.pdu is not None:
            text = readable(told.pdu)
            return Incoming(text) if isinstance(text, Delivered) else text
        if told.name == "+CUSD":
            self._asked_until = None
            return ussd.parse(told.rest)
        if told.name in ("+CMTI", "+CDSI"):
            return self._fetch(told)
        return StatusChanged() if told.name in ("+CREG", "+CEREG") else None

    def _fetch(self, told: Unasked) -> Event | None:
        where = re.match(r'"([A-Z]{2})", *(\d+)', told.rest)
        if where is None:
            return None
        memory, place = where[1], int(where[2])
        with self._memory(memory) as is_there:
            lines = self._at.command(f"AT+CMGR={place}") if is_there else []
            text = readable(lines[1] if len(lines) > 1 else "") if lines else None  # none: we read it already
            if isinstance(text, DeliveryReport):
                self._try(f"AT+CMGD={place}")
            return Incoming(text, memory, place) if isinstance(text, Delivered) else text

    def _prepare(self) -> None:
        self._at.command("AT+CMGF=0")
        self._try('AT+CPMS="SM","SM","SM"')
        if not any(self._try(f"AT+CNMI={mode}") for mode in REPORT_MODES):
            LOG.warning("%s: the modem offers no delivery reports; texts stay at sent", self.port)
        for nicety in ("AT+CLIP=1", "AT+CREG=1", "AT+COPS=3,0", "AT+CMMS=1"):
            self._try(nicety)
        self._is_prepared = True

    def _try(self, command: str) -> bool:
        try:
            self._at.command(command)
        except GsmRejected:
            return False
        return True

    def _ask(self, command: str, answer: str) -> re.Match[str] | None:
        try:
            lines = self._at.command(command)
        except GsmRejected:
            return None
        return next((found for line in reversed(lines) if (found := re.match(answer, line))), None)

    def _sim_trouble(self) -> State | None:
        try:
            lines = self._at.command("AT+CPIN?")
        except GsmSilent:
            return State.ODD
        except GsmRejected as no:
            if no.mobile_code == 14 or no.cms_code == 314:  # busy: it is still starting
                return State.SEARCHING
            return {11: State.PIN, 12: State.PUK}.get(no.mobile_code or 0, State.NO_SIM)
        said = next((line for line in lines if line.startswith("+CPIN:")), "")
        if not said:
            return State.ODD
        if "PUK" in said:
            return State.PUK
        return State.PIN if "PIN" in said.partition(":")[2] else None

    def _network(self) -> State:
        for circuit in ("+CREG", "+CEREG"):
            found = self._ask(f"AT{circuit}?", rf"\{circuit}: *\d+, *(\d+)")
            if found and int(found[1]) in (1, 6):  # 6: for texts only
                return State.REGISTERED
            if found and int(found[1]) in (5, 7):
                return State.ROAMING
            if found and int(found[1]) == 3:
                return State.DENIED
        return State.SEARCHING

    def _full(self) -> str | None:
        """The memory for texts that come, when it has no room: the last of the three that +CPMS names."""
        found = self._ask("AT+CPMS?", r'\+CPMS: *.*"([A-Z]{2})", *(\d+), *(\d+)$')
        return found[1] if found and int(found[2]) >= int(found[3]) > 0 else None

    def _operator(self) -> str | None:
        found = self._ask("AT+COPS?", r'\+COPS: *\d+, *\d+, *"([^"]*)"')
        return found[1] if found else None

    def _signal(self) -> int | None:
        found = self._ask("AT+CSQ", r"\+CSQ: *(\d+)")
        return None if found is None or int(found[1]) > 31 else 2 * int(found[1]) - 113


def readable(pdu: str) -> Delivered | DeliveryReport | None:
    """What came. One that cannot be read is a text from UNREADABLE that holds its bytes; None: not for us."""
    try:
        return decode(pdu)
    except OwnPdu:
        return None
    except PduError:
        return Delivered(UNREADABLE, f"A text came that cannot be read: the modem gave only {pdu or 'an empty line'}.",
                         None)
