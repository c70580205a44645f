"""A radio driven by gammu, for modems that our own engine does not know: the same verbs, in a process of its own.

What it gives up: gammu names no CMS code, so nearly every refusal is unknown here; a text costs 0.7 s more; opening
takes 5 s; a report comes only from modems that say +CDS; a text with ~ that came in UCS-2 lacks its end; of a USSD
answer there is one line.
"""
from __future__ import annotations

import contextlib
import itertools
import json
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hw import ussd
from hw.at import GsmGone, GsmRejected, GsmUnknown
from hw.gsm import EVENTS_AT_ONCE, SEND_TIMEOUT_S, USSD_TIMEOUT_S, Event, Incoming, State, Status
from hw.pdu import Delivered, DeliveryReport, Pdu
from hw.rings import Ringing, RingingOver, RingWatch
from hw.ussd import UssdAnswer

OPEN_TIMEOUT_S = 30.0
VERB_TIMEOUT_S = 20.0
POLL_S = 0.5
LOG = logging.getLogger(__name__)
STATES = {"HomeNetwork": State.REGISTERED, "RoamingNetwork": State.ROAMING, "RegistrationDenied": State.DENIED}
ASKS = {"NO SIM": State.NO_SIM, "PIN": State.PIN, "PUK": State.PUK, "PIN2": State.REGISTERED}
BEFORE_SENDING = {2, 4, 6, 23, 49}  # gammu's codes: no such device, locked, no right, asks for its PIN, no SIM


class GammuGsm:
    """The driver for whatever gammu drives. While a verb waits it calls meanwhile() twice a second."""

    def __init__(self, port: str, send_timeout_s: float = SEND_TIMEOUT_S, meanwhile: Callable[[], None] = lambda: None,
                 ussd_timeout_s: float = USSD_TIMEOUT_S) -> None:
        self.port, self.send_timeout_s, self.ussd_timeout_s = port, send_timeout_s, ussd_timeout_s
        self._meanwhile = meanwhile
        self._process: subprocess.Popen[str] | None = None
        self._ids = itertools.count(1)
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._unasked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._rings: queue.SimpleQueue[tuple[dict[str, Any], float]] = queue.SimpleQueue()
        self._watch = RingWatch()
        self._asked_until: float | None = None
        self._was_handed_over = False  # a text, to gammu: from then on it may have gone

    def open(self) -> None:
        """Starts the process, which takes the port."""
        self.close()
        self._answers, self._unasked, self._rings = queue.SimpleQueue(), queue.SimpleQueue(), queue.SimpleQueue()
        self._watch, self._asked_until = RingWatch(), None
        self._process = subprocess.Popen([sys.executable, "-m", "hw.gammu_process", self.port], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self._listen, args=(self._process,), name=f"gammu {self.port}", daemon=True).start()
        try:
            self._ask("open", timeout_s=OPEN_TIMEOUT_S)
        except GsmRejected as no:
            self.close()
            raise GsmGone(self.port, no.words) from no

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for end in (process.stdin, process.stdout):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()

    def status(self) -> Status:
        """SIM, network and signal."""
        told = self._ask("status")
        if told["asks"] is not None:
            return Status(ASKS.get(told["asks"], State.PUK))
        return Status(STATES.get(told["state"], State.SEARCHING), told["operator"] or None, told["signal_dbm"],
                      "SM" if told["is_full"] else None)

    def send(self, pdu: Pdu) -> int:
        """TP-MR of the segment. gammu does not say why a text failed, so all it says after the prompt is unknown."""
        try:
            return int(self._ask("send", pdu.hex, timeout_s=self.send_timeout_s)) % 256
        except GsmGone as gone:
            if not self._was_handed_over:
                raise
            raise GsmUnknown(self.port, "gammu did not say whether the network took the text.") from gone

    def events(self) -> list[Event]:
        """What came since the last call. Raises GsmGone once the process or the port is gone."""
        found: list[Event] = []
        if self._asked_until is not None and time.monotonic() >= self._asked_until:
            self._asked_until = None
            found.append(UssdAnswer(None, f"the network did not answer within {self.ussd_timeout_s:.0f} s"))
        with contextlib.suppress(queue.Empty):
            while len(found) < EVENTS_AT_ONCE:
                found.append(self._event(self._unasked.get_nowait()))
        if not found and (self._process is None or self._process.poll() is not None):
            raise GsmGone(self.port, "the modem was unplugged, or gammu ended.")
        return found

    def calls(self) -> list[Ringing | RingingOver]:
        """Who called since the last time; gammu does not say why a number is missing."""
        news: list[Ringing | RingingOver] = []
        with contextlib.suppress(queue.Empty):
            while True:
                told, at = self._rings.get_nowait()
                news += self._watch.hear("RING" if told["is_ringing"] else "NO CARRIER", "", at)
                if told["is_ringing"] and told["number"]:
                    news += self._watch.hear("+CLIP", f'"{told["number"]}",129', at)
        return news + self._watch.tick(time.monotonic())

    def stored(self) -> list[Incoming]:
        """The texts in the SIM and the modem."""
        return [_incoming(told) for told in self._ask("stored")]

    def forget(self, incoming: Incoming) -> None:
        """Frees its place."""
        if incoming.place is not None:
            self._ask("forget", incoming.place)

    def card(self) -> str:
        """The SIM's IMSI: gammu cannot read the ICCID, and nothing at all before the PIN."""
        try:
            return str(self._ask("card"))
        except GsmRejected:
            return ""

    def own_number(self) -> str:
        """gammu does not say."""
        return ""

    def enter_pin(self, pin: str) -> None:
        """Tries this PIN once."""
        self._ask("enter_pin", pin)

    def pin_tries(self) -> int | None:
        """gammu does not say."""
        return None

    def ask(self, code: str) -> None:
        """Sends a USSD code."""
        if not ussd.is_code(code):
            raise GsmRejected(self.port, f"{code!r} is no USSD code; they look like *100#.")
        if self._asked_until is not None:
            raise GsmRejected(self.port, "another USSD answer is still awaited.")
        self._asked_until = time.monotonic() + self.ussd_timeout_s
        try:
            self._ask("ask", code)
        except GsmRejected:
            self._asked_until = None
            raise

    def at(self, command: str, timeout_s: float = 10.0) -> list[str]:
        """gammu takes no AT commands."""
        raise GsmRejected(self.port, "gammu drives this modem; it takes no AT commands.")

    def _ask(self, verb: str, *given: object, timeout_s: float = VERB_TIMEOUT_S) -> Any:
        """The answer of the process. One that hangs is killed: libgammu blocks for 100 s and cannot be called back."""
        self._was_handed_over = False
        if self._process is None or self._process.stdin is None:
            raise GsmGone(self.port, "the port is not open.")
        asked = next(self._ids)
        try:
            self._process.stdin.write(json.dumps({"id": asked, "verb": verb, "given": given}) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as dead:
            raise GsmGone(self.port, "gammu ended by itself.") from dead
        self._was_handed_over = verb == "send"
        until = time.monotonic() + timeout_s
        while True:
            try:
                told = self._answers.get(timeout=POLL_S)
            except queue.Empty:
                if time.monotonic() >= until:
                    self.close()
                    raise GsmGone(self.port, "gammu does not answer.") from None
                self._meanwhile()
                continue
            if told is None:
                raise GsmGone(self.port, "gammu ended by itself.")
            if told["id"] == asked:
                return self._said(verb, told)

    def _said(self, verb: str, told: dict[str, Any]) -> Any:
        if "refused" in told:
            raise GsmRejected(self.port, f"{told['refused']}.", is_passing=False)
        if "failed" not in told:
            return told["answer"]
        words = f"gammu said: {told['failed'].rstrip('.')} (code {told['code']})."
        if verb == "send" and told["code"] not in BEFORE_SENDING:
            raise GsmUnknown(self.port, words)
        raise GsmRejected(self.port, words)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        answers, unasked, rings = self._answers, self._unasked, self._rings
        assert process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in process.stdout:
                told = json.loads(line)
                if "id" in told:
                    answers.put(told)
                elif told["event"] == "call":
                    rings.put((told, time.monotonic()))
                else:
                    unasked.put(told)
        answers.put(None)

    def _event(self, told: dict[str, Any]) -> Event:
        if told["event"] == "report":
            return DeliveryReport(told["reference"], told["number"], told["status"], None, None)
        if told["event"] == "text":
            return _incoming(told)
        self._asked_until = None
        if not told["text"]:
            return UssdAnswer(None, "the network answered without words")
        return UssdAnswer(told["text"].strip('"'), is_menu=told["status"] == "ActionNeeded")


def _incoming(told: dict[str, Any]) -> Incoming:
    at = datetime.fromisoformat(told["at"]) if told["at"] else None
    return Incoming(Delivered(told["number"], told["text"], at, told["concatenation"], told["part"], told["parts"]),
                    "SM", told["place"])
