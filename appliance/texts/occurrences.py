"""What the clock does for campaigns: a row for each time one is due, its recipients, their texts, and when to stop.

The unique key of a row decides that nothing is sent twice, however often we are woken, killed or given another time.
Everything is prepared outside the write lock and kept in short batches; each batch asks again whether it may.
"""
from __future__ import annotations

import json
import random
import sqlite3
from datetime import date, datetime, timedelta
from itertools import batched
from math import ceil

from appliance import settings
from appliance.box.wallclock import EARLIEST
from appliance.config import Box
from appliance.settings import Settings
from appliance.store.db import iso, parse_time, write
from appliance.texts import audience, campaigns, canary, guards, lease, outbox, schedule
from hw import pdu

BATCH = 100                         # texts in a write(): their fsync must not delay a call
OFF = "The box was off then, or did not know the time."
# What only a foreign hand can have written.
UNREADABLE = (schedule.ScheduleError, LookupError, TypeError, ValueError, OverflowError)
UNREADABLE_WORDS = "It cannot be read ({0}), so nothing of it goes. Stop it and write it anew."
NOBODY = "Nobody is in it any more who may be texted, so nobody was."


def expand_due(db: sqlite3.Connection, box: Box, now: datetime, is_clock_set: bool = True) -> int:
    """How many texts were queued. Plans, begins, goes on with and ends what is due at `now`.

    While the clock is not set nothing happens, and each campaign that waits says why.
    """
    if db.execute("SELECT 1 FROM campaign WHERE state <> 'done' LIMIT 1").fetchone() is None:
        return 0
    if now < EARLIEST or not is_clock_set:
        _say(db, ("scheduled", "running"), campaigns.NO_DATE, now)
        return 0
    _unsay(db, campaigns.NO_DATE, now)
    for row in db.execute("""
            SELECT id
            FROM campaign
            WHERE state = 'stopped' AND EXISTS (SELECT 1 FROM sms WHERE campaign_id = campaign.id AND state = 'queued'
                                                AND campaign_id IS NOT NULL)""").fetchall():
        campaigns.cancel_waiting(db, row["id"], now)
    set_, queued = settings.read(db), 0
    for row in db.execute("""
            SELECT id
            FROM campaign
            WHERE state IN ('scheduled', 'running', 'paused')
            ORDER BY id""").fetchall():
        try:
            queued += _serve(db, box, set_, row["id"], now)
        except UNREADABLE as broken:
            lease.halt(db, row["id"], UNREADABLE_WORDS.format(f"{type(broken).__name__}: {broken}"), now)
    return queued


def _serve(db: sqlite3.Connection, box: Box, set_: Settings, campaign_id: int, now: datetime) -> int:
    """How many texts of one campaign were queued, whatever of it was due."""
    _plan(db, box, _campaign(db, campaign_id), now)
    queued = 0
    for row in db.execute("""
            SELECT id
            FROM occurrence
            WHERE campaign_id = ? AND (state = 'running' OR state = 'waiting' AND due_at <= ?)
            ORDER BY due_at, id""", (campaign_id, iso(now))).fetchall():
        if _campaign(db, campaign_id)["state"] in ("scheduled", "running"):
            queued += _go_on(db, box, set_, row["id"], now)
    if (campaign := _campaign(db, campaign_id))["state"] == "running":
        lease.renew(db, box, set_, campaign, now)
    return queued


def _campaign(db: sqlite3.Connection, campaign_id: int) -> sqlite3.Row:
    row: sqlite3.Row = db.execute("SELECT * FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
    return row


def _plan(db: sqlite3.Connection, box: Box, campaign: sqlite3.Row, now: datetime) -> None:
    """A row for each time it was due since the last one and for the next; too late ones are marked missed."""
    plan, created = json.loads(campaign["schedule"]), parse_time(campaign["created_at"])
    past = db.execute("SELECT max(due_at) AS at FROM occurrence WHERE campaign_id = ? AND due_at <= ?",
                      (campaign["id"], iso(now))).fetchone()["at"]
    wanted = schedule.dues(plan, created, parse_time(past) if past else created - schedule.INSTANT, now, box.zone)
    if following := schedule.following(plan, created, now, box.zone):
        wanted.append(following)
    edge = iso(now - timedelta(minutes=campaign["late_limit_min"]))
    known = {row["due_key"]: row for row in db.execute(f"""
        SELECT id, due_key, due_at, state
        FROM occurrence
        WHERE campaign_id = ? AND (state IN ('waiting', 'running') OR due_at >= ?
                                   OR due_key IN ({', '.join('?' * len(wanted))}))""",
        (campaign["id"], edge, *(due.key for due in wanted)))}
    new = [due for due in wanted if due.key not in known]
    moved = [due for due in wanted if due.key in known and known[due.key]["state"] == "waiting"
             and known[due.key]["due_at"] != iso(due.at)]
    late = [row for row in known.values() if row["state"] == "waiting" and row["due_at"] < edge]
    ahead = [row for row in known.values() if row["state"] == "missed" and row["due_at"] >= edge]
    is_over = campaign["state"] == "scheduled" and not new and not any(
        row["state"] in ("waiting", "running") for row in known.values())
    if not (new or moved or late or ahead or is_over):
        return
    why = "The campaign was paused then." if campaign["state"] == "paused" else OFF
    missed = f"{why} It would have gone more than {campaign['late_limit_min']} min late."
    with write(db):
        db.executemany("""
            INSERT OR IGNORE INTO occurrence (campaign_id, due_key, due_at, state, reason)
            VALUES (?, ?, ?, ?, ?)""",
            [(campaign["id"], due.key, iso(due.at), *(("missed", missed) if iso(due.at) < edge else ("waiting", None)))
             for due in new])
        db.executemany("UPDATE occurrence SET due_at = ? WHERE campaign_id = ? AND due_key = ? AND state = 'waiting'",
                       [(iso(due.at), campaign["id"], due.key) for due in moved])
        db.executemany("UPDATE occurrence SET state = 'missed', reason = ? WHERE id = ? AND state = 'waiting'",
                       [(missed, row["id"]) for row in late])
        db.executemany("UPDATE occurrence SET state = 'waiting', reason = NULL WHERE id = ? AND state = 'missed'",
                       [(row["id"],) for row in ahead])   # the clock had run ahead and was put right
        _rest_or_end(db, campaign["id"], now)
        campaigns.tell(db, now)


def _go_on(db: sqlite3.Connection, box: Box, set_: Settings, occurrence_id: int, now: datetime) -> int:
    """Does for one occurrence whatever can be done now. How many texts were queued."""
    row = _occurrence(db, occurrence_id)
    if row["state"] == "waiting":
        with write(db):
            db.execute("UPDATE occurrence SET state = 'running' WHERE id = ? AND state = 'waiting'", (occurrence_id,))
            db.execute("""
                UPDATE campaign
                SET state = 'running', reason = NULL, updated_at = ?
                WHERE id = ? AND state = 'scheduled'""", (iso(now), row["campaign_id"]))
            campaigns.tell(db, now)
        lease.renew(db, box, set_, _campaign(db, row["campaign_id"]), now)
    if not row["is_expanded"]:
        _expand(db, box, set_, row, now)
    queued = 0
    while (row := _occurrence(db, occurrence_id))["state"] == "running":
        queued += (some := _queue_some(db, box, row, now))
        if some:
            continue
        if row["stage"] < canary.REST:
            verdict = canary.verdict(db, occurrence_id, row["stage"], now)
            if verdict.reason:
                lease.halt(db, row["campaign_id"], verdict.reason, now)
            if not verdict.may_go:
                break
            with write(db):
                db.execute("UPDATE occurrence SET stage = stage + 1 WHERE id = ? AND stage = ?",
                           (occurrence_id, row["stage"]))
            continue
        _end_if_done(db, row, now)
        break
    return queued


def _occurrence(db: sqlite3.Connection, occurrence_id: int) -> sqlite3.Row:
    row: sqlite3.Row = db.execute("""
        SELECT occurrence.*, campaign.text, campaign.audience, campaign.schedule, campaign.canary_percent,
               campaign.a_day, campaign.sim, campaign.state AS campaign_state
        FROM occurrence JOIN campaign ON campaign.id = occurrence.campaign_id
        WHERE occurrence.id = ?""", (occurrence_id,)).fetchone()
    return row


def _expand(db: sqlite3.Connection, box: Box, set_: Settings, row: sqlite3.Row, now: datetime) -> None:
    """The recipients of this time, as the groups and opt-outs are now, each with its own text; in batches."""
    birthday = date.fromisoformat(row["due_key"][:10]) if json.loads(row["schedule"])["kind"] == "birthday" else None
    chosen, exclusions = audience.select(db, json.loads(row["audience"]), box.country, now, set_.shop_name,
                                         guards.own_numbers(db, box), birthday)
    recipients, texts, unfilled = campaigns.written(row["text"], chosen)
    few = _canaries(len(recipients), row["canary_percent"], row["id"])
    mine = campaigns.owners(set_, box.country) if row["canary_percent"] and recipients else []
    rows: dict[str, tuple[object, ...]] = {
        number: (row["id"], number, None, canary.ME, "waiting", texts[0], None) for number in mine}
    for place, (one, text) in enumerate(zip(recipients, texts, strict=True)):
        stage = canary.ME if one.number in mine else canary.FEW if place in few else canary.REST
        rows[one.number] = (row["id"], one.number, one.contact_id, stage, "waiting", text, None)
    for left_out in exclusions + unfilled:
        who = left_out.number or left_out.name
        rows.setdefault(who, (row["id"], who, None, canary.REST, "excluded", None, left_out.reason))
    if db.execute("SELECT 1 FROM recipient WHERE occurrence_id = ? LIMIT 1", (row["id"],)).fetchone():
        with write(db):      # what a start that was cut off left behind; nothing of it was queued yet
            db.execute("""
                DELETE FROM recipient
                WHERE occurrence_id = ? AND (SELECT is_expanded FROM occurrence WHERE id = occurrence_id) = 0""",
                (row["id"],))
    for some in batched(rows.values(), BATCH * 10, strict=False):
        with write(db):
            db.executemany("""
                INSERT OR IGNORE INTO recipient (occurrence_id, number, contact_id, stage, state, text, reason)
                VALUES (?, ?, ?, ?, ?, ?, ?)""", some)
    with write(db):
        db.execute("UPDATE occurrence SET is_expanded = 1, stage = ?, reason = ? WHERE id = ?",
                   (canary.ME if row["canary_percent"] else canary.REST, None if recipients else NOBODY, row["id"]))


def _canaries(people: int, percent: int, seed: int) -> set[int]:
    """Which of them are the first few: drawn, not the oldest customers each time; the same for the same occurrence."""
    few = min(ceil(people * percent / 100), people)
    return set(random.Random(seed).sample(range(people), few))


def _queue_some(db: sqlite3.Connection, box: Box, row: sqlite3.Row, now: datetime) -> int:
    """How many texts of the stage whose turn it is were queued: one batch, within what a day may have."""
    room = BATCH
    if row["a_day"]:
        midnight = now.astimezone(box.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        today = db.execute("SELECT count(*) FROM sms WHERE campaign_id = ? AND created_at >= ?",
                           (row["campaign_id"], iso(midnight))).fetchone()[0]
        room = min(room, row["a_day"] - today)
    some = db.execute("""
        SELECT id, number, text
        FROM recipient
        WHERE occurrence_id = ? AND stage <= ? AND state = 'waiting'
        ORDER BY stage, id
        LIMIT ?""", (row["id"], row["stage"], max(room, 0))).fetchall()
    if not some:
        return 0
    encoded = [(one, _encoded(one)) for one in some]
    queued = 0
    with write(db):
        if db.execute("""
                SELECT 1
                FROM occurrence JOIN campaign ON campaign.id = occurrence.campaign_id
                WHERE occurrence.id = ? AND occurrence.state = 'running' AND campaign.state = 'running'""",
                (row["id"],)).fetchone() is None:
            return 0
        still = {left["id"] for left in db.execute(f"""
            SELECT id
            FROM recipient
            WHERE state = 'waiting' AND id IN ({', '.join('?' * len(some))})""", [one["id"] for one in some])}
        for one, parts in encoded:
            if one["id"] not in still:
                continue
            if isinstance(parts, str):
                db.execute("UPDATE recipient SET state = 'excluded', reason = ? WHERE id = ?", (parts, one["id"]))
                continue
            sms_id = outbox.queue_of_campaign(db, row["campaign_id"], one["number"], one["text"], parts, row["sim"],
                                              row["due_at"], now)
            db.execute("UPDATE recipient SET state = 'queued', sms_id = ? WHERE id = ?", (sms_id, one["id"]))
            queued += 1
        campaigns.tell(db, now)
    return queued


def _encoded(one: sqlite3.Row) -> list[pdu.Pdu] | str:
    try:
        return pdu.encode(one["number"], one["text"], reference=one["id"] % 256)
    except pdu.PduError as refused:
        return str(refused)


def _end_if_done(db: sqlite3.Connection, row: sqlite3.Row, now: datetime) -> None:
    with write(db):
        ended = db.execute("""
            UPDATE occurrence
            SET state = 'done'
            WHERE id = ? AND state = 'running'
              AND NOT EXISTS (SELECT 1 FROM recipient WHERE occurrence_id = occurrence.id AND state = 'waiting')
              AND NOT EXISTS (SELECT 1 FROM recipient JOIN sms ON sms.id = recipient.sms_id
                              WHERE recipient.occurrence_id = occurrence.id AND sms.state IN ('queued', 'sending'))""",
            (row["id"],)).rowcount
        if ended:
            _rest_or_end(db, row["campaign_id"], now)
            campaigns.tell(db, now)


def _rest_or_end(db: sqlite3.Connection, campaign_id: int, now: datetime) -> None:
    """Nothing of it runs any more: it waits for its next time, or it is done."""
    open_ = [row["state"] for row in db.execute(
        "SELECT state FROM occurrence WHERE campaign_id = ? AND state IN ('waiting', 'running')", (campaign_id,))]
    if "running" in open_:
        return
    last = db.execute("""
        SELECT state, reason FROM occurrence WHERE campaign_id = ? AND state IN ('done', 'missed')
        ORDER BY due_at DESC LIMIT 1""", (campaign_id,)).fetchone()
    db.execute("""
        UPDATE campaign
        SET state = ?, reason = ?, sends_from = NULL, sends_until = NULL, updated_at = ?
        WHERE id = ? AND state IN ('scheduled', 'running')""",
        ("scheduled" if open_ else "done", last["reason"] if last else None, iso(now), campaign_id))


def _say(db: sqlite3.Connection, states: tuple[str, ...], reason: str, now: datetime) -> None:
    where = f"state IN ({', '.join('?' * len(states))}) AND reason IS NOT ?"
    if db.execute(f"SELECT 1 FROM campaign WHERE {where}", (*states, reason)).fetchone():
        with write(db):
            db.execute(f"UPDATE campaign SET reason = ? WHERE {where}", (reason, *states, reason))
            campaigns.tell(db, now)


def _unsay(db: sqlite3.Connection, reason: str, now: datetime) -> None:
    if db.execute("SELECT 1 FROM campaign WHERE reason = ?", (reason,)).fetchone():
        with write(db):
            db.execute("UPDATE campaign SET reason = NULL WHERE reason = ?", (reason,))
            campaigns.tell(db, now)
