"""`deskbell run calls`: the bell, the follower of the ledger, and the copy of names for Asterisk."""
from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime

from appliance.box.notify import Notify
from appliance.calls import agi, ami, directory, follow, recordings
from appliance.calls.bell import Bell
from appliance.calls.switchboard import Switchboard
from appliance.config import Box
from appliance.store import db as store

log = logging.getLogger("calls")

LOOK_S = 1.0            # how long the follower waits for a change before it looks by itself
RETRY_S = 1.0
CUT_CHECK_S = 5.0      # how often open calls are held against Asterisk's own
DIRECTORY_S = 5.0
FEED_S = 1.0


def run(box: Box, stop: threading.Event, notify: Notify) -> None:
    """Serves until stop is set. The watchdog is fed only while every part lives and the bell answers.

    A ledger that cannot be read does not starve it: a restart would mend nothing and silence the bell each time.
    """
    db = store.connect(box.store)
    store.migrate(db)
    bell = Bell(box)
    bell.warm()
    server = agi.Server({"ringing": bell.ringing, "ping": lambda conversation: None})
    threading.Thread(target=server.serve_forever, name="bell", daemon=True).start()
    copier = threading.Thread(target=_copy_directory, args=(box, stop), name="directory", daemon=True)
    copier.start()
    keeper, orders = Keeper(box), Switchboard(box, stop)
    keeper.start()
    orders.start()
    notify.ready()
    try:
        follow_ledger(Follower(db, box, keeper), (keeper, copier, orders), stop, notify)
    finally:
        keeper.stop()
        server.shutdown()
        server.server_close()
        copier.join(timeout=2)
        orders.join(timeout=2)


def follow_ledger(follower: Follower, helpers: Collection[threading.Thread], stop: threading.Event,
                  notify: Notify) -> None:
    """Follows until stop is set; tells systemd that we live while the helpers do and the bell answers."""
    fed = -FEED_S
    while not stop.is_set():
        try:
            follower.step()
        except (sqlite3.Error, OSError) as broken:
            follower.reopen(f"Asterisk's ledger cannot be followed ({broken})")
            stop.wait(RETRY_S)
        if time.monotonic() - fed >= FEED_S and all(helper.is_alive() for helper in helpers) and _bell_answers():
            fed = time.monotonic()
            notify.alive()


class Follower:
    """Where we are in the ledger, and when open calls were last held against Asterisk's own."""

    def __init__(self, db: sqlite3.Connection, box: Box, keeper: Keeper, cut_check_s: float = CUT_CHECK_S) -> None:
        self._db, self._box, self._keeper, self._cut_check_s = db, box, keeper, cut_check_s
        self._spool: follow.Spool | None = None
        self._missing: set[tuple[int, str]] = set()
        self._seen = -1
        self._checked = -cut_check_s
        self._said = ""

    def step(self) -> None:
        """Applies what is new, or waits up to LOOK_S for it. Raises sqlite3.Error for an unreadable ledger."""
        if self._spool is None or self._spool.is_replaced():
            self._spool, self._seen, self._said = follow.Spool(self._box.ledger), -1, ""
            self._keeper.look()
        self._seen = store.wait_for_change(self._spool.db, self._seen, LOOK_S)
        ended = self.catch_up(self._spool)
        if time.monotonic() - self._checked >= self._cut_check_s:
            self._checked = time.monotonic()
            ended += self._finish_cut_calls(self._spool)
        if ended:
            self._keeper.look()

    def catch_up(self, spool: follow.Spool) -> list[int]:
        ended: list[int] = []
        while True:
            at = follow.cursor(self._db, spool.id)
            entries, position = spool.after(at)
            if position == at:
                return ended
            ended += follow.apply(self._db, self._box, spool.id, entries, position, datetime.now(UTC),
                                  spool.over_after(position))

    def reopen(self, why: str) -> None:
        """Says once why the ledger cannot be followed, and opens it anew at the next step."""
        if why != self._said:
            log.error("%s. Calls ring and Asterisk keeps their rows; the history follows later.", why)
        self._spool, self._said = None, why

    def _finish_cut_calls(self, spool: follow.Spool) -> list[int]:
        """Ids of the calls that Asterisk had lost already at the last check and whose end it never wrote."""
        suspects = follow.open_calls(self._db, self._box)
        if not suspects:
            return []
        try:
            with ami.from_secret(self._box.secrets / "ami") as asterisk:
                live = asterisk.live_linkedids()
        except ami.AmiError as silent:
            log.warning("%s: open calls cannot be checked now.", silent)
            return []
        newest = follow.newest_boot(self._db, self._box)
        missing = {call for call in suspects if call[0] < newest or call[1] not in live}
        # Twice missing, so that a call whose last rows are still on their way is not cut.
        cut, self._missing = missing & self._missing, missing
        ended = self.catch_up(spool)
        return ended + follow.finish_cut_calls(self._db, self._box, cut, datetime.now(UTC)) if cut else ended


class Keeper(threading.Thread):
    """Makes recordings playable, off the path of the calls: an hour of talk is 115 MB to copy."""

    def __init__(self, box: Box) -> None:
        super().__init__(name="recordings", daemon=True)
        self._box = box
        self._due = threading.Event()
        self._is_stopping = False

    def look(self) -> None:
        """A call has ended: there may be a recording to keep."""
        self._due.set()

    def stop(self) -> None:
        self._is_stopping = True
        self._due.set()
        self.join(timeout=10)

    def run(self) -> None:
        db = store.connect(self._box.store)
        while not self._is_stopping:
            self._due.wait()
            self._due.clear()
            try:
                recordings.keep_finished(db, self._box)
            except sqlite3.Error as broken:
                log.error("Recordings wait (%s). Calls go on.", broken)
            except Exception:
                log.exception("Recordings wait. Calls go on.")
        db.close()


def _bell_answers() -> bool:
    """True when the FastAGI port serves a conversation from end to end."""
    try:
        with socket.create_connection(agi.ADDRESS, 1) as line:
            line.sendall(b"agi_network_script: ping\n\n")
            return line.recv(1) == b""
    except OSError:
        return False


def _copy_directory(box: Box, stop: threading.Event) -> None:
    db = store.connect(box.store)
    seen, is_checked = -1, False
    while not stop.is_set():
        now = store.data_version(db)
        if now == seen and is_checked:
            stop.wait(DIRECTORY_S)
            continue
        try:
            with ami.from_secret(box.secrets / "ami") as asterisk:
                if not is_checked:
                    directory.check_mirror(db, asterisk)
                    is_checked = True
                while directory.copy_changes(db, box, asterisk) and not stop.is_set():
                    pass
            seen = now
        except (ami.AmiError, sqlite3.Error) as silent:
            log.info("%s: names are copied to Asterisk later.", silent)
            is_checked = False
        stop.wait(DIRECTORY_S)
