"""Settings are kept: only what differs, with a line in the log of changes, and a way back."""
from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from bottle import HTTPError, HTTPResponse

from appliance import settings
from appliance.people import changes
from appliance.store import db as store
from web.office import Office
from web.undo import Back


def keep(office: Office, values: Mapping[str, object], page: str, said: str = "") -> HTTPResponse:
    """Keeps what differs, writes down who changed it, and offers the way back."""
    changed, back = put(office, values)
    if not changed:
        return office.done(page, office.words("Nothing was different."))
    return office.done(page, said or office.words("Saved. It holds from now on."), back)


def put(office: Office, values: Mapping[str, object]) -> tuple[dict[str, object], Back]:
    """What of it was different and is kept now, and the way back."""
    assert office.session is not None
    by, now = office.session.user, office.clock()
    with store.write(office.db) as db:
        before = {key: value for key, value in vars(settings.read(db)).items() if key in values}
        stored = {row["key"] for row in db.execute("SELECT key FROM setting")}
        changed = {key: value for key, value in values.items() if value != before[key]}
        try:
            for key, value in changed.items():
                settings.put(db, key, value)
                changes.record(db, by, f"setting {key}", before[key], value, now, key)
        except settings.SettingError as refused:      # a range that the page does not know: nothing is kept
            raise HTTPError(400) from refused

    def back(db: sqlite3.Connection) -> None:
        for key, value in changed.items():
            if key in stored:
                settings.put(db, key, before[key])
            else:
                settings.drop(db, key)
            changes.record(db, by, f"setting {key}", value, before[key], office.clock(), key)
    return changed, back
