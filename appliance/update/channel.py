"""The clock's part of updates: what waits for the night is asked for then, and a channel is looked at.

A channel is an https address that serves {"version": "0.6.0", "url": "https://…raucb", "sha256": "…"}. It is never
asked unless the owner has set one. Who makes the file is proved by its signature; https only keeps others from knowing.
"""
from __future__ import annotations

import hashlib
import http.client
import json
import logging
import re
import shutil
import sqlite3
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from appliance import hours, settings
from appliance.config import Box
from appliance.people import changes
from appliance.store import db as store
from appliance.store.files import write_durably
from appliance.update import bundle, bundles, errands, installing
from appliance.update.bundle import BundleError, Ground

log = logging.getLogger("update")

WINDOW = timedelta(hours=2)
TIMEOUT_S = 30.0
MOST_JSON = 64 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")
ANSWERS_NOT = "The address of the updates does not answer ({0}). It is tried again tomorrow night."
MAKES_NO_SENSE = "The address of the updates serves something else. Check it on the page Update."


class ChannelError(Exception):
    """A channel gave nothing; the text says why."""


class Nightly:
    """What was done this night already, so that it is done once."""

    def __init__(self, box: Box, ground: Ground, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._box, self._ground, self._clock = box, ground, clock
        self._looked: datetime | None = None
        self._db: sqlite3.Connection | None = None

    def attend(self) -> None:
        """Each minute: in the night's hours it looks at the channel once, and lets install what waits."""
        try:
            self._db = self._db or store.connect(self._box.store)
            self.serve(self._db)
        except (sqlite3.Error, store.StoreError) as broken:
            log.error("Updates wait (%s). Calls go on.", broken)

    def serve(self, db: sqlite3.Connection) -> None:
        now, chosen = self._clock(), settings.read(db)
        began = window(chosen.update_at, now, self._box)
        if began is None or not self._ground.is_there:
            return
        if chosen.update_channel and self._looked != began:
            self._looked = began
            try:
                fetch(db, self._box, self._ground, chosen.update_channel, now,
                      "night" if chosen.update_by_itself else "ready")
            except (ChannelError, BundleError) as refused:
                log.warning("%s", refused)
        row = bundles.waiting(db)
        last = errands.latest(db, "update")
        if row and row.state == "night" and installing.is_quiet(db) and not (last and last.at >= began):
            try:
                errands.ask(db, self._box, changes.THE_BOX, "update", {"bundle": row.id}, now)
            except errands.ErrandError as refused:
                log.warning("The update waits: %s", refused)


def window(clock: str, now: datetime, box: Box) -> datetime | None:
    """When this night's hours began, None outside of them."""
    hour, minute = divmod(hours.minutes(clock) % (24 * 60), 60)
    local = now.astimezone(box.zone)
    for day in (local.date(), local.date() - timedelta(days=1)):
        began = datetime(day.year, day.month, day.day, hour, minute, tzinfo=box.zone)
        if timedelta() <= now - began < WINDOW:
            return began
    return None


def fetch(db: sqlite3.Connection, box: Box, ground: Ground, address: str, now: datetime, state: str) -> bool:
    """Whether a newer version came. Raises ChannelError, BundleError."""
    told = _told(address)
    if bundle.parts(told["version"]) <= bundle.parts(ground.version):
        return False
    waits = bundles.waiting(db)
    if waits and bundle.parts(waits.version) >= bundle.parts(told["version"]):
        return False
    target = bundles.folder(box) / f"channel-{told['sha256'][:16]}{bundle.SUFFIX}"
    _download(told["url"], told["sha256"], target)
    try:
        found = bundle.look(target, ground)
        bundle.prove(target, found)
    except BundleError:
        target.unlink(missing_ok=True)
        raise
    bundles.add(db, box, changes.THE_BOX, "channel", target.name, found, now, state)
    return True


def _told(address: str) -> dict[str, str]:
    with _open(address) as answer:
        try:
            told: Any = json.loads(answer.read(MOST_JSON))
            found = {key: str(told[key]) for key in ("version", "url", "sha256")}
        except (ValueError, KeyError, TypeError):
            raise ChannelError(MAKES_NO_SENSE) from None
    found["url"] = urllib.parse.urljoin(address, found["url"])
    if not bundle.VERSION.fullmatch(found["version"]) or not SHA256.fullmatch(found["sha256"]):
        raise ChannelError(MAKES_NO_SENSE)
    return found


def _download(url: str, sha256: str, target: Path) -> None:
    seen = hashlib.sha256()

    def keep(file: BinaryIO) -> None:
        size = 0
        with _open(url) as answer:
            while piece := answer.read(1024 * 1024):
                size += len(piece)
                if size > bundle.MOST_BYTES or shutil.disk_usage(target.parent).free < installing.ROOM_BYTES:
                    raise ChannelError("There is no room for the update. Delete recordings or backups nobody needs.")
                seen.update(piece)
                file.write(piece)
        if seen.hexdigest() != sha256:
            raise ChannelError(bundle.CUT_OFF)

    try:
        write_durably(target, keep)
    except (OSError, http.client.HTTPException) as broken:
        raise ChannelError(ANSWERS_NOT.format(broken)) from broken


def _open(address: str) -> http.client.HTTPResponse:
    """https alone, also where it sends us on."""
    if not address.startswith("https://"):
        raise ChannelError(MAKES_NO_SENSE)
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.HTTPSHandler(context=ssl.create_default_context()),
                    _Onward(), urllib.request.HTTPDefaultErrorHandler(),
                    urllib.request.HTTPErrorProcessor()):
        opener.add_handler(handler)
    try:
        answer: http.client.HTTPResponse = opener.open(address, timeout=TIMEOUT_S)
    except (OSError, http.client.HTTPException, ValueError) as silent:
        raise ChannelError(ANSWERS_NOT.format(silent)) from silent
    return answer


class _Onward(urllib.request.HTTPRedirectHandler):
    """Follows to https alone."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise ChannelError(MAKES_NO_SENSE)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
