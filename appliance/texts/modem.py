"""The daemon that owns the radio: it hands due texts to the modem and keeps what became of them."""
from __future__ import annotations

import logging
import sqlite3
import threading
import time
from datetime import UTC, datetime

from appliance.box.notify import Notify
from appliance.config import Box
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import outbox, reports
from hw import cms
from hw.gsm import AtGsm, Gsm, GsmError, GsmGone, GsmRejected, GsmUnknown, Incoming, Status, StatusChanged
from hw.pdu import DeliveryReport

LOG = logging.getLogger(__name__)
REOPEN_S = 1.0
IDLE_S = 0.1
FEED_S = 1.0
LOOK_READY_S, LOOK_WAITING_S = 10.0, 1.0
STOP_WAIT_S = 10.0
SAY_AGAIN_S = 60.0
TEXTS_WAIT = "Calls are logged; texts wait."


class Stopping(Exception):
    """The daemon shall end and the modem's answer is not in sight: its text becomes unknown at the next start."""


def run(box: Box, stop: threading.Event, notify: Notify) -> None:
    """Serves the first modem of box.toml until `stop`; its port may come and go."""
    db = store.connect(box.store)
    store.migrate(db)
    with store.write(db):
        if cut := outbox.recover(db, _now()):
            LOG.warning("%d texts were being sent when we stopped: unknown, to be settled by a report or a person", cut)
    notify.ready()
    try:
        if box.modems:
            radio = Radio(db, box, stop, notify)
            radio.serve(AtGsm(box.modems[0].port, meanwhile=radio.meanwhile))
        else:
            _without_modem(stop, notify)
    finally:
        db.close()


def _without_modem(stop: threading.Event, notify: Notify) -> None:
    notify.status(f"No modem in box.toml. {TEXTS_WAIT}")
    while not stop.wait(5):
        notify.alive()


class Radio:
    """One modem's work from open to gone, again and again."""

    def __init__(self, db: sqlite3.Connection, box: Box, stop: threading.Event, notify: Notify) -> None:
        self.db, self.box, self.stop, self.notify = db, box, stop, notify
        self.name = box.modems[0].name
        self._status: Status | None = None
        self._look_at = self._feed_at = 0.0
        self._stopping_at: float | None = None
        self._said, self._say_at = "", 0.0
        self._is_swept = False

    def serve(self, gsm: Gsm) -> None:
        """Until stop; a modem that is missing, mute or pulled out is tried again each second."""
        while not self.stop.is_set():
            self._feed()
            try:
                gsm.open()
                self._status, self._look_at, self._is_swept = None, 0.0, False
                while not self.stop.is_set():
                    self._turn(gsm)
            except GsmError as gone:
                self._say(gone.words.rstrip("."))
                self.stop.wait(REOPEN_S)
            except Stopping:
                LOG.warning("stopped while the modem was sending")
            finally:
                gsm.close()
        self._say("stopped")

    def meanwhile(self) -> None:
        """Feeds the watchdog while the modem works. Raises Stopping when we must end before it answers."""
        self._feed()
        if self.stop.is_set():
            self._stopping_at = self._stopping_at or time.monotonic()
            if time.monotonic() - self._stopping_at > STOP_WAIT_S:
                raise Stopping

    def _feed(self) -> None:
        if time.monotonic() >= self._feed_at:
            self.notify.alive()
            self._feed_at = time.monotonic() + FEED_S

    def _turn(self, gsm: Gsm) -> None:
        self._feed()
        seen = store.data_version(self.db)
        self._hear(gsm)
        if time.monotonic() >= self._look_at:
            self._look(gsm)
        if self._status is not None and self._status.state.can_send:
            due = outbox.next_due(self.db, self.name, _now())
            if due is not None:
                return self._send(gsm, due)
        store.wait_for_change(self.db, seen, IDLE_S)

    def _look(self, gsm: Gsm) -> None:
        self._status = status = gsm.status()
        self._look_at = time.monotonic() + (LOOK_READY_S if status.state.can_send else LOOK_WAITING_S)
        self._say(status.state.value, status.operator, status.signal_dbm, status.state.can_send)
        if status.state.can_send and not self._is_swept:
            for incoming in gsm.stored():
                self._keep(gsm, incoming)
            self._is_swept = True

    def _hear(self, gsm: Gsm) -> None:
        for event in gsm.events():
            if isinstance(event, DeliveryReport):
                with store.write(self.db):
                    sms_id = reports.report(self.db, event, _now(), self.name)
                LOG.info("report %d for %s: status %d, %s", event.reference, numbers.short(event.number), event.status,
                         f"sms {sms_id}" if sms_id else "nobody's")
            elif isinstance(event, Incoming):
                self._keep(gsm, event)
            elif isinstance(event, StatusChanged):
                self._look_at = 0.0

    def _keep(self, gsm: Gsm, incoming: Incoming) -> None:
        with store.write(self.db):
            sms_id = reports.received(self.db, incoming.text, self.box.country, _now())
        gsm.forget(incoming)
        LOG.info("a text from %s: %s", numbers.short(incoming.text.number), f"sms {sms_id}" if sms_id else "known")

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
                outbox.refused(self.db, due, gone.words, None, True, _now())
            raise
        else:
            with store.write(self.db):
                outbox.accepted(self.db, due, reference, _now())
            LOG.info("%s sent, reference %d", whose, reference)

    def _refused(self, due: outbox.Due, no: GsmRejected) -> None:
        self._look_at = 0.0
        with store.write(self.db):
            if no.cms_code in cms.NOT_READY:
                outbox.not_ready(self.db, due, no.words, no.cms_code, _now())
            else:
                outbox.refused(self.db, due, no.words, no.cms_code, no.is_passing, _now())

    def _say(self, words: str, operator: str | None = None, signal_dbm: int | None = None,
             can_send: bool = False) -> None:
        """The modem's row, its status line and a line in the log: on every change, the row also once a minute."""
        is_news = words != self._said
        if not is_news and time.monotonic() < self._say_at:
            return
        self._said, self._say_at = words, time.monotonic() + SAY_AGAIN_S
        with store.write(self.db):
            self.db.execute("""
                INSERT INTO modem (name, state, operator, signal_dbm, updated_at)
                VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET state = excluded.state, operator = excluded.operator,
                  signal_dbm = excluded.signal_dbm, updated_at = excluded.updated_at""",
                (self.name, words, operator, signal_dbm, store.iso(_now())))
        if is_news:
            self.notify.status(f"{self.name}: {words}." if can_send else f"{self.name}: {words}. {TEXTS_WAIT}")
            LOG.info("modem %s at %s: %s", self.name, self.box.modems[0].port, words)


def _now() -> datetime:
    return datetime.now(UTC)
