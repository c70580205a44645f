"""Who heard or took a recording, for the owner to see."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.store import db as store

ONE_HEARING = timedelta(minutes=30)      # a player asks for a recording in many parts


@dataclass(frozen=True)
class Listening:
    by: str
    at: datetime
    is_download: bool


def heard(db: sqlite3.Connection, call_id: int, by: str, is_download: bool, now: datetime) -> None:
    """Writes down that somebody asked for the sound of a call; again only after a while, each download always."""
    since = store.iso(now - ONE_HEARING)
    if not is_download and db.execute("SELECT 1 FROM listening WHERE call_id = ? AND at > ? AND by_user = ? "
                                      "AND is_download = 0", (call_id, since, by)).fetchone():
        return
    with store.write(db):
        db.execute("INSERT INTO listening (call_id, by_user, at, is_download) VALUES (?, ?, ?, ?)",
                   (call_id, by, store.iso(now), is_download))


def of(db: sqlite3.Connection, call_id: int, limit: int = 50) -> list[Listening]:
    """Who listened to a call, the latest first."""
    rows = db.execute("""
        SELECT by_user, at, is_download FROM listening WHERE call_id = ? ORDER BY at DESC, id DESC LIMIT ?""",
        (call_id, limit))
    return [Listening(row["by_user"], store.parse_time(row["at"]), bool(row["is_download"])) for row in rows]
