"""One modem's work, by one thread with a connection of its own: texts out, texts and calls in, how it stands."""
from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from appliance.box import network_time, wallclock
from appliance.config import Box, Modem
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import inbox, lines, outbox, reports, sims
from hw import cms, usb_power
from hw.at import GsmError, GsmGone, GsmRejected, GsmUnknown
from hw.gsm import Gsm, Incoming, State, Status, StatusChanged
from hw.pdu import DeliveryReport
from hw.ports import Finder
from hw.rings import Ringing
from hw.ussd import UssdAnswer

LOG = logging.getLogger(__name__)
REOPEN_S = 1.0
IDLE_S = 0.1
LOOK_READY_S, LOOK_WAITING_S = 10.0, 1.0
STOP_WAIT_S = 10.0
SAY_AGAIN_S = 60.0
MUTE_OPENS = 3               # so often in vain, then its USB port is switched off and on
POWER_EVERY_S = 120.0
BALANCE_LOOK_S = 5.0
TIME_EVERY_S = 300.0         # while nobody vouches for the clock, or a call alone
TEXTS_WAIT = "Calls are logged; texts wait."
Driver = Callable[[Modem, str, Callable[[], None]], Gsm]


class Stopping(Exception):
    """The daemon shall end and the modem's answer is not in sight: its text becomes unknown at the next start."""


@dataclass
class Question:
    """What a person asks of the modem: "at" a command, "ussd" a code, "pin" to try one, "tries" how many are left.

    The answer's lines, or a GsmError.
    """

    verb: str
    words: str
    answer: Future[list[str]] = field(default_factory=Future)


class Radio:
    """One modem's work from open to gone, again and again. `said` and `alive_at` may be read from other threads."""

    def __init__(self, box: Box, modem: Modem, stop: threading.Event, driver: Driver, finder: Finder) -> None:
        self.box, self.modem, self.stop, self.driver, self.finder = box, modem, stop, driver, finder
        self.name = modem.name
        self.said = ""
        self.alive_at = time.monotonic()  # fed only while it can do its work
        self.questions: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self.db: sqlite3.Connection
        self._port, self._number = modem.port, modem.number
        self._status: Status | None = None
        self._look_at = self._say_at = self._balance_look_at = self._time_at = 0.0
        self._stopping_at: float | None = None
        self._told: tuple[str, str | None] = "", None
        self._trouble = ""  # what a person should know although texts go
        self._is_swept = False
        self._call_id: int | None = None
        self._asked: Question | None = None  # None: the balance
        self._mutes, self._powered_at, self._power_words = 0, -POWER_EVERY_S, ""

    def run(self) -> None:
        """Until stop; a modem that is missing, mute or pulled out is tried again each second."""
        self.db = store.connect(self.box.store, self.meanwhile)    # what the modem told is told once: no write gives up
        try:
            self._lose_call()
            while not self.stop.is_set():
                self._serve()
            self._say("stopped")
        except Stopping:
            LOG.warning("stopped while somebody else wrote")
        finally:
            self.db.close()

    def meanwhile(self) -> None:
        """Lives on while the modem works or somebody else writes. Raises Stopping when we must end before that."""
        self.alive_at = time.monotonic()
        if self.stop.is_set():
            self._stopping_at = self._stopping_at or time.monotonic()
            if time.monotonic() - self._stopping_at > STOP_WAIT_S:
                raise Stopping

    def _serve(self) -> None:
        gsm: Gsm | None = None
        try:
            self.alive_at = time.monotonic()
            self._port = self.finder.take(self.name, self.modem.port)
            gsm = self.driver(self.modem, self._port, lambda: self._meanwhile(gsm))
            gsm.open()
            self._mutes, self._power_words = 0, ""
            self._status, self._look_at, self._is_swept, self._trouble, self._asked = None, 0.0, False, "", None
            while not self.stop.is_set():
                self._turn(gsm)
        except GsmError as gone:
            self._lose_call()
            self._power_cycle(gone)
            self._say(gone.words.rstrip(".") + self._power_words)
            self._refuse_questions(gone)
            self.stop.wait(REOPEN_S)
        except Stopping:
            LOG.warning("stopped while %s was sending", self.name)
        finally:
            if gsm is not None:
                gsm.close()

    def _meanwhile(self, gsm: Gsm | None) -> None:
        self.meanwhile()
        if gsm is not None:
            self._ring(gsm)

    def _turn(self, gsm: Gsm) -> None:
        self.alive_at = time.monotonic()
        seen = store.data_version(self.db)
        self._ring(gsm)
        has_more = self._hear(gsm)
        self._answer_installer(gsm)
        if time.monotonic() >= self._look_at:
            self._look(gsm)
        if self._status is not None and self._status.state.can_send:
            due = outbox.next_due(self.db, self.name, _now())
            if due is not None:
                return self._send(gsm, due)
            self._ask_balance(gsm)
        if not has_more:
            store.wait_for_change(self.db, seen, IDLE_S)

    def _look(self, gsm: Gsm) -> None:
        status = gsm.status()
        if status.state is State.PIN:
            status = self._enter_pin(gsm, status)
        if status.state.can_send and (self._status is None or not self._status.state.can_send):
            self._opened(gsm)
        self._status = status
        self._look_at = time.monotonic() + (LOOK_READY_S if status.state.can_send else LOOK_WAITING_S)
        if status.state.can_send and (not self._is_swept or status.full):
            for incoming in gsm.stored():
                self._keep(gsm, incoming)
            self._is_swept = True
        if status.state is not State.PIN:
            self._say(status.state.value, status)
        if (status.state.can_send and time.monotonic() >= self._time_at
                and (not wallclock.is_set(_now()) or wallclock.is_of_a_call())):
            self._time_at = time.monotonic() + TIME_EVERY_S
            network_time.offer(self.db, self.box, gsm, _now())

    # the SIM

    def _enter_pin(self, gsm: Gsm, status: Status) -> Status:
        """How it stands after the PIN of the secret file was tried; it is tried once, and never again when wrong."""
        card, file = gsm.card(), f"sim-{self.name}.pin"
        pin = sims.proved(self.box, self.name, card) or sims.pin(self.box, self.name)
        if pin is None:
            self._say(f"{State.PIN.value}: write it into the file {file} beside the other secrets", status)
            return status
        if sims.was_tried(self.db, self.name, card, pin):
            self._say(f"{State.PIN.value}: the one in {file} did not open it and is not tried again, three wrong ones "
                      "would lock the card. Write the right one there", status)
            return status
        LOG.info("%s: the PIN is tried once", self.name)
        if not sims.enter(self.db, self.name, gsm, card, pin, _now()):
            LOG.warning("%s: the PIN did not open the SIM card", self.name)
            return status
        return gsm.status()

    def _opened(self, gsm: Gsm) -> None:
        """The SIM works: should its PIN be asked for again after a power cut, it may be tried again."""
        self._number = self.modem.number or numbers.e164(gsm.own_number(), self.box.country)
        if self.db.execute("SELECT 1 FROM modem WHERE name = ? AND pin_tried <> ''", (self.name,)).fetchone():
            card = gsm.card()
            with store.write(self.db):
                sims.forget_tries(self.db, self.name, card, _now())

    def _ask_balance(self, gsm: Gsm) -> None:
        if self._asked is not None or time.monotonic() < self._balance_look_at:
            return
        self._balance_look_at = time.monotonic() + BALANCE_LOOK_S
        code = sims.balance_code(self.db, self.name, _now())
        if code is None:
            return
        self._balance_look_at = time.monotonic() + 10 * BALANCE_LOOK_S  # by then its answer or its time-out is here
        try:
            gsm.ask(code)
        except GsmRejected as no:
            self._balance(UssdAnswer(None, no.words.rstrip(".")))

    def _balance(self, told: UssdAnswer) -> None:
        with store.write(self.db):
            left = sims.keep_balance(self.db, self.name, told.text, _now())
        trouble = told.trouble or ("" if left else "the answer names no sum of money")
        self._trouble = f"The balance is not known: {trouble}." if trouble else ""
        self._say_at, self._balance_look_at = 0.0, time.monotonic() + BALANCE_LOOK_S
        LOG.info("%s: balance %s", self.name, left or f"not known: {trouble}")

    # what comes

    def _ring(self, gsm: Gsm) -> None:
        for told in gsm.calls():
            now = _now()
            at = now - timedelta(seconds=max(0.0, time.monotonic() - told.at))
            with store.write(self.db):
                if isinstance(told, Ringing):
                    self._call_id = lines.rang(self.db, self.box, self.name, told, at, now)
                elif self._call_id is not None:
                    lines.ended(self.db, self.box, self._call_id, at, now)
            if isinstance(told, Ringing):
                LOG.info("%s rings: %s", self.name, numbers.short(told.number))
            else:
                self._call_id = None

    def _lose_call(self) -> None:
        self._call_id = None
        with store.write(self.db):
            lines.cut(self.db, self.box, self.name, _now())

    def _hear(self, gsm: Gsm) -> bool:
        """Whether anything came; there may be more."""
        events = gsm.events()
        for event in events:
            if isinstance(event, DeliveryReport):
                with store.write(self.db):
                    sms_id = reports.report(self.db, event, _now(), self.name)
                LOG.info("report %d for %s: status %d, %s", event.reference, numbers.short(event.number), event.status,
                         f"sms {sms_id}" if sms_id else "nobody's")
            elif isinstance(event, Incoming):
                self._keep(gsm, event)
            elif isinstance(event, StatusChanged):
                self._look_at = 0.0
            elif self._asked is not None:
                self._answered(self._asked, event)
            else:
                self._balance(event)
        return bool(events)

    def _keep(self, gsm: Gsm, incoming: Incoming) -> None:
        """Committed first, then taken off the SIM: a crash between the two brings it again, and it is known."""
        with store.write(self.db):
            sms_id = inbox.received(self.db, self.box, incoming.text, self.name, _now())
        try:
            gsm.forget(incoming)
        except GsmRejected as stuck:
            LOG.warning("%s: a text stays in the SIM (%s)", self.name, stuck.words)
        LOG.info("a text from %s: %s", numbers.short(incoming.text.number),
                 f"sms {sms_id}" if sms_id else "known, or a part of one")

    # what goes

    def _send(self, gsm: Gsm, due: outbox.Due) -> None:
        with store.write(self.db):
            if not outbox.mark_sending(self.db, due, self.name, _now()):
                return
        whose = f"sms {due.sms_id} part {due.part} of {due.parts} to {numbers.short(due.number)}"
        try:
            reference = gsm.send(due.pdu)
        except GsmRejected as no:
            self._refused(due, no)
            LOG.warning("%s refused: %s", whose, no.words)
        except GsmUnknown as silence:
            with store.write(self.db):
                outbox.unknown(self.db, due, silence.words, silence.cms_code, _now())
            LOG.warning("%s unknown: %s", whose, silence.words)
        except GsmGone as gone:
            with store.write(self.db):
                outbox.take_back(self.db, due, gone.words, _now())
            raise
        else:
            with store.write(self.db):
                outbox.accepted(self.db, due, reference, _now())
            LOG.info("%s sent, reference %d, by %s", whose, reference, self.name)

    def _refused(self, due: outbox.Due, no: GsmRejected) -> None:
        self._look_at = 0.0
        with store.write(self.db):
            if no.cms_code in cms.NOT_READY:
                outbox.not_ready(self.db, due, no.words, no.cms_code, _now())
            else:
                outbox.refused(self.db, due, no.words, no.cms_code, no.is_passing, _now())

    # the installer's questions

    def _answer_installer(self, gsm: Gsm) -> None:
        try:
            question = self.questions.get_nowait()
        except queue.Empty:
            return
        try:
            if question.verb == "at":
                question.answer.set_result(gsm.at(question.words))
            elif question.verb == "tries":
                question.answer.set_result([str(left)] if (left := gsm.pin_tries()) is not None else [])
            elif question.verb == "pin":
                self._look_at = 0.0
                question.answer.set_result(sims.given(self.db, self.box, self.name, gsm, question.words, _now()))
            else:
                gsm.ask(question.words)
                self._asked = question
        except GsmError as refused:
            question.answer.set_exception(refused)
            if isinstance(refused, GsmGone):
                raise

    def _answered(self, question: Question, told: UssdAnswer) -> None:
        self._asked = None
        if told.text is None:
            question.answer.set_exception(GsmRejected(self._port, f"{told.trouble}."))
        else:
            question.answer.set_result([*told.text.splitlines(), *(["(The network waits for a choice.)"]
                                                                   if told.is_menu else [])])

    def _refuse_questions(self, gone: GsmError) -> None:
        waiting = [self._asked] if self._asked is not None else []
        self._asked = None
        while not self.questions.empty():
            waiting.append(self.questions.get())
        for question in waiting:
            question.answer.set_exception(gone)

    def _power_cycle(self, gone: GsmError) -> None:
        """A stick that is there but mute, again and again, is switched off and on where the hub can."""
        if "does not answer" not in gone.words:
            self._mutes, self._power_words = 0, ""
            return
        self._mutes += 1
        if self._mutes < MUTE_OPENS or time.monotonic() - self._powered_at < POWER_EVERY_S:
            return
        self._powered_at = time.monotonic()
        try:
            self._power_words = f"; {usb_power.cycle(self._port)}"
        except usb_power.UsbPowerError as cannot:
            self._power_words = f", and {cannot}: pull the modem out and put it in again"

    def _say(self, words: str, status: Status | None = None) -> None:
        """The modem's row, its status line and a line in the log: on every change, the row also once a minute."""
        trouble = self._trouble
        if status is not None and status.full:
            where = "SIM card" if status.full == "SM" else "modem"
            trouble = f"The {where} has no room for texts that come. Delete old ones with a telephone."
        is_news = (words, trouble) != self._told
        if not is_news and time.monotonic() < self._say_at:
            return
        can_send = status is not None and status.state.can_send
        self._told, self._say_at = (words, trouble), time.monotonic() + SAY_AGAIN_S
        with store.write(self.db):
            self.db.execute("""
                INSERT INTO modem (name, state, operator, signal_dbm, number, port, trouble, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET state = excluded.state, operator = excluded.operator,
                  signal_dbm = excluded.signal_dbm, number = coalesce(excluded.number, number), port = excluded.port,
                  trouble = excluded.trouble, updated_at = excluded.updated_at""",
                (self.name, words, status.operator if status else None, status.signal_dbm if status else None,
                 self._number, self._port if status else None, trouble or None, store.iso(_now())))
        self.said = f"{self.name}: {words}." if can_send else f"{self.name}: {words}. {TEXTS_WAIT}"
        if is_news:
            LOG.info("modem %s at %s: %s", self.name, self._port, " ".join(filter(None, (words, trouble))))


def _now() -> datetime:
    return datetime.now(UTC)
