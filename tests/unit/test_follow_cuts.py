"""The same call comes out of the ledger wherever its rows are cut into batches, and whoever was killed between."""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.calls import follow
from appliance.calls.bell import Ring, write_ring
from appliance.calls.records import Presentation
from appliance.config import Box
from appliance.store import db as store
from tests.unit.spool import entries
from tests.unit.test_ledger_calls import CALLS

NOW = datetime(2026, 11, 21, 20, 10, 30, tzinfo=UTC)
COLUMNS = ("direction, trunk, caller_id, caller_name, number, presentation, extension, started_at, answered_at, "
           "ended_at, ring_ms, talk_ms, outcome, hangup_cause")


def came_out(db: sqlite3.Connection) -> dict[str, object]:
    """What the office sees of the calls; which events a desk was told depends on when it looked."""
    ended = [tuple(row) for row in db.execute("SELECT call_id FROM event WHERE kind = 'ended'")]
    return {"ended": ended, **{name: [tuple(row) for row in db.execute(sql)] for name, sql in {
        "call": f"SELECT {COLUMNS} FROM call",
        "leg": "SELECT uniqueid, channel, party, is_caller, started_at, answered_at, ended_at, hangup_cause "
               "FROM leg ORDER BY uniqueid",
        "sms": "SELECT number, text, state, rule, call_id FROM sms",
        "refusal": "SELECT call_id, rule, code FROM refusal"}.items()}}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_the_same_wherever_its_rows_are_cut(
        name: str, box: Box, db: sqlite3.Connection, new_store: Path) -> None:
    rows = entries(CALLS[name][0])
    follow.apply(db, box, "5b00", rows, len(rows), NOW)
    expected = came_out(db)
    for cut in range(1, len(rows)):
        path = box.state / f"cut-{cut}.db"
        path.write_bytes(new_store.read_bytes())
        other = store.connect(path)
        if cut % 2 and "line1" in rows[0].channel:
            write_ring(other, box, Ring(1, "1.0", rows[0].channel, rows[0].caller_id, "Foo", rows[0].caller_id,
                                        Presentation.ALLOWED), None, NOW)
        follow.apply(other, box, "5b00", rows[:cut], cut, NOW)
        follow.apply(other, box, "5b00", rows[cut - 1:], len(rows), NOW)
        assert came_out(other) == expected, f"cut after row {cut}"
        other.close()
