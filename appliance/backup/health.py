"""What is wrong with the backups, in sentences."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta

from appliance.backup import rows
from appliance.config import Box
from appliance.store.db import parse_time

OLDEST = timedelta(days=2)


def findings(db: sqlite3.Connection, box: Box, now: datetime) -> Iterator[str]:
    """No proven backup for two days; a place that is gone; a backup that failed since the last good one."""
    nightly = [at for at in rows.places(db) if at.is_nightly]
    last = rows.last_proven(db)
    if last is None or last.taken_at is None:
        began = db.execute("SELECT min(created_at) FROM user").fetchone()[0]
        if began and now - parse_time(began) > OLDEST:
            yield "There is no proven backup yet. Calls go on. Open Backups and press Back up now."
    elif now - last.taken_at > OLDEST:
        days = (now - last.taken_at).days
        yield (f"The last proven backup is {days} days old. Calls go on. Open Backups: it says why, and what to do.")
    for at in nightly:
        if at.trouble:
            yield f"Backups do not reach {at.name}. {at.trouble}"
    failed = db.execute("""
        SELECT place, reason
        FROM backup
        WHERE state = 'failed' AND night IS NOT NULL
          AND place_id NOT IN (SELECT id FROM backup_place WHERE trouble <> '')
          AND asked_at > coalesce((SELECT max(asked_at) FROM backup AS good WHERE good.state = 'proven'
                                   AND good.place_id = backup.place_id), '')
        ORDER BY id DESC LIMIT 1""").fetchone()
    if failed:
        yield f"The last nightly backup to {failed['place']} was not good. {failed['reason']}"
