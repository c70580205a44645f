"""`deskbell run modem`: one radio a modem, each its own thread; the daemon lives while every one of them does."""
from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from appliance.box.notify import Notify
from appliance.config import Box, Modem
from appliance.store import db as store
from appliance.texts import control, outbox, sims
from appliance.texts.radio import TEXTS_WAIT, Radio
from hw.gammu_backend import GammuGsm
from hw.gsm import AtGsm, Gsm
from hw.ports import Finder

LOG = logging.getLogger(__name__)
WATCH_S = 0.5
STUCK_S = 30.0               # a radio that showed no life for so long starves the watchdog
STOP_S = 14.0


def run(box: Box, stop: threading.Event, notify: Notify) -> None:
    """Serves every modem of box.toml until `stop`; their ports may come and go."""
    db = store.connect(box.store)
    store.migrate(db)
    with store.write(db):
        sims.make_rows(db, box)
        if cut := outbox.recover(db, datetime.now(UTC)):
            LOG.warning("%d texts were being sent when we stopped: unknown, to be settled by a report or a person", cut)
    db.close()
    notify.ready()
    if not box.modems:
        return _without_modem(stop, notify)
    finder = Finder()
    radios = [Radio(box, modem, stop, driver, finder) for modem in box.modems]
    with control.serving(box, {radio.name: radio for radio in radios}):
        _watch(radios, stop, notify)


def driver(modem: Modem, port: str, meanwhile: Callable[[], None]) -> Gsm:
    """What speaks to this modem: our own engine, or gammu where box.toml says so."""
    if modem.engine == "gammu":
        return GammuGsm(port, meanwhile=meanwhile)
    return AtGsm(port, meanwhile=meanwhile)


def _watch(radios: list[Radio], stop: threading.Event, notify: Notify) -> None:
    """Until stop. Raises RuntimeError when a radio died: systemd starts us afresh, the others finish their text."""
    threads = [threading.Thread(target=radio.run, name=radio.name, daemon=True) for radio in radios]
    for thread in threads:
        thread.start()
    said = ""
    while not stop.wait(WATCH_S) and all(thread.is_alive() for thread in threads):
        if all(time.monotonic() - radio.alive_at < STUCK_S for radio in radios):
            notify.alive()
        if (now_said := " ".join(radio.said for radio in radios)) != said:
            said = now_said
            notify.status(said)
    died = [thread.name for thread in threads if not thread.is_alive()] if not stop.is_set() else []
    stop.set()
    until = time.monotonic() + STOP_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if died:
        raise RuntimeError(f"the radio of {', '.join(died)} ended by a mistake of ours; the journal says which")


def _without_modem(stop: threading.Event, notify: Notify) -> None:
    notify.status(f"No modem in box.toml. {TEXTS_WAIT}")
    while not stop.wait(5):
        notify.alive()
