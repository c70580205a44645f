"""Campaigns, one text to many: looked at first, confirmed by what was seen, paused, stopped, resumed.

What a person does is here; what the clock does when one is due is in occurrences.py. Functions that change something
open their own write(), in batches short enough to delay no call.
"""
from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appliance import settings
from appliance.box.wallclock import EARLIEST
from appliance.config import Box
from appliance.store.db import iso, parse_time, write
from appliance.texts import alphabet, audience, canary, cost, guards, lists, outbox, pace, schedule, templates
from appliance.texts.audience import Exclusion, Recipient

BATCH = 500
MOST_A_DAY = 1_000_000
PAUSED = "Paused by a person."
STOPPED = "The campaign was stopped."
HALF = "The campaign was stopped when a part of this text had gone and the rest had not."
NO_DATE = "The box does not know the date yet, so it sends no group texts. It goes on by itself once the clock is set."


class CampaignError(Exception):
    """It cannot be done; the sentence says why and what to do."""


@dataclass(frozen=True)
class Wish:
    """A campaign as somebody composes it. audience and schedule: see audience.py and schedule.py.

    late_limit_min: missed by more than this it is not sent. canary_percent: above 0 it goes to the owner's numbers
    first, then to so many, then to the rest. a_day: at most so many people a day. sim None: any.
    """

    name: str
    text: str
    audience: Mapping[str, Any]
    schedule: Mapping[str, Any] = field(default_factory=lambda: {"kind": "now"})
    late_limit_min: int = 60
    canary_percent: int = 0
    a_day: int | None = None
    sim: str | None = None


@dataclass(frozen=True)
class Preview:
    """What would happen; nothing is stored. texts: each recipient's own, in the order of recipients.

    hash: what confirm() wants, so that nobody sends what he did not see. first_at: UTC, None when it is never due.
    plainer: a spelling that costs less, None when there is none. notes: sentences worth reading before the button.
    """

    hash: str
    recipients: list[Recipient]
    exclusions: list[Exclusion]
    texts: list[str]
    cost: cost.Cost
    when: str
    first_at: datetime | None
    plainer: alphabet.Replacement | None
    notes: list[str]


@dataclass(frozen=True)
class Campaign:
    """One as it is kept; next_at: the next time it is due, None when there is none."""

    id: int
    wish: Wish
    state: str
    reason: str | None
    created_at: datetime
    next_at: datetime | None


def preview(db: sqlite3.Connection, box: Box, wish: Wish, now: datetime) -> Preview:
    """Who would get what, at which cost. Raises CampaignError for what cannot be sent, in one sentence."""
    wish = _checked(db, box, wish, now)
    set_ = settings.read(db)
    is_birthday = wish.schedule["kind"] == "birthday"
    chosen, exclusions = audience.select(db, wish.audience, box.country, now, set_.shop_name,
                                         guards.own_numbers(db, box), only_with_birthday=is_birthday)
    recipients, texts, unfilled = written(wish.text, chosen)
    sim = pace.sim(db, wish.sim or (box.modems[0].name if box.modems else ""))
    costs = cost.estimate(texts, sim, cost.left(db, sim, box.zone, now), cost.days_left(sim, box.zone, now))
    due = schedule.following(wish.schedule, now, now, box.zone)
    first_at = now if wish.schedule["kind"] == "now" else due.at if due else None
    return Preview(_hash(wish, recipients, texts), recipients, exclusions + unfilled, texts, costs,
                   schedule.words(wish.schedule), first_at, alphabet.replacements(wish.text),
                   _notes(wish, set_, costs, bool(owners(set_, box.country))))


def written(text: str, chosen: list[Recipient]) -> tuple[list[Recipient], list[str], list[Exclusion]]:
    """Those the text can be written for, what each will read, and those for whom a field stays empty."""
    recipients, texts, unfilled = [], [], []
    for one in chosen:
        try:
            texts.append(templates.render(text, one.fields))
            recipients.append(one)
        except templates.TemplateError as empty:
            unfilled.append(Exclusion(one.number, str(empty), one.name))
    return recipients, texts, unfilled


def owners(set_: settings.Settings, country: str) -> list[str]:
    """The owner's numbers that are numbers here: who gets a campaign first when it has canaries."""
    return [number for row in lists.pasted(set_.owner_numbers) if (number := lists.e164(row["number"], country))]


def confirm(db: sqlite3.Connection, box: Box, preview_hash: str, wish: Wish, now: datetime) -> int:
    """The id of the campaign, now scheduled; one that was confirmed already and is not over yet is not made again.

    Raises CampaignError when what was seen is no longer what would happen.
    """
    if now < EARLIEST:
        raise CampaignError("The box does not know the date yet, so nothing can be planned. Try again in a minute.")
    seen = preview(db, box, wish, now)
    if seen.hash != preview_hash:
        raise CampaignError(f"Something changed since you looked: it would go to {len(seen.recipients)} now. "
                            "Look once more and confirm again. Nothing was sent.")
    if not seen.recipients and wish.schedule.get("kind") not in schedule.REPEATING:
        raise CampaignError("Nobody would get this text. See why each one is left out, and choose again.")
    wish = _checked(db, box, wish, now)
    wanted = (wish.name, wish.text, json.dumps(wish.audience), json.dumps(wish.schedule), wish.late_limit_min,
              wish.canary_percent, wish.a_day, wish.sim)
    with write(db):
        if same := db.execute("""
                SELECT id
                FROM campaign
                WHERE state IN ('scheduled', 'running', 'paused')
                  AND (name, text, audience, schedule, late_limit_min, canary_percent) = (?, ?, ?, ?, ?, ?)
                  AND a_day IS ? AND sim IS ?""", wanted).fetchone():
            return int(same["id"])
        campaign_id = int(db.execute("""
            INSERT INTO campaign (name, text, audience, schedule, late_limit_min, canary_percent, a_day, sim, state,
                                  created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'scheduled', ?, ?)""", (*wanted, iso(now), iso(now))).lastrowid or 0)
        if seen.first_at and (first := schedule.following(wish.schedule, now, _just_before(now), box.zone)):
            db.execute("""
                INSERT INTO occurrence (campaign_id, due_key, due_at, state)
                VALUES (?, ?, ?, 'waiting')""", (campaign_id, first.key, iso(first.at)))
        tell(db, now)
    return campaign_id


def listed(db: sqlite3.Connection) -> list[Campaign]:
    """Every campaign, newest first."""
    return [_campaign(row) for row in db.execute(f"{_SELECT} ORDER BY campaign.id DESC")]


def get(db: sqlite3.Connection, campaign_id: int) -> Campaign:
    """Raises CampaignError when there is none of this number."""
    row = db.execute(f"{_SELECT} WHERE campaign.id = ?", (campaign_id,)).fetchone()
    if row is None:
        raise CampaignError(f"There is no campaign {campaign_id}.")
    return _campaign(row)


def pause(db: sqlite3.Connection, campaign_id: int, now: datetime, reason: str = PAUSED) -> None:
    """From the next text on nothing goes. Raises CampaignError when it is over."""
    with write(db):
        _turn(db, campaign_id, ("scheduled", "running"), "paused", reason, now)


def resume(db: sqlite3.Connection, campaign_id: int, now: datetime) -> None:
    """It goes on; if the canaries had stopped it, the person has looked and the next ones follow."""
    with write(db):
        db.execute("UPDATE campaign SET sends_from = NULL, sends_until = NULL WHERE id = ?", (campaign_id,))
        running = db.execute("""
            SELECT id, stage
            FROM occurrence
            WHERE campaign_id = ? AND state = 'running'""", (campaign_id,)).fetchall()
        _turn(db, campaign_id, ("paused",), "running" if running else "scheduled", None, now)
        for row in running:
            if row["stage"] < canary.REST and canary.verdict(db, row["id"], row["stage"], now).reason:
                db.execute("UPDATE occurrence SET stage = stage + 1 WHERE id = ?", (row["id"],))


def stop(db: sqlite3.Connection, campaign_id: int, now: datetime) -> None:
    """For good: nothing of it goes any more, what waits is cancelled. Texts already on their way stay as they are."""
    with write(db):
        _turn(db, campaign_id, ("scheduled", "running", "paused"), "stopped", STOPPED, now)
        db.execute("""
            UPDATE occurrence
            SET state = 'done', reason = ?
            WHERE campaign_id = ? AND state IN ('waiting', 'running')""", (STOPPED, campaign_id))
    while cancel_waiting(db, campaign_id, now):
        pass


def cancel_waiting(db: sqlite3.Connection, campaign_id: int, now: datetime) -> int:
    """How many recipients and queued texts of a stopped campaign were cancelled in this batch; 0: none are left."""
    with write(db):
        cancelled = db.execute("""
            UPDATE recipient
            SET state = 'cancelled', reason = ?
            WHERE id IN (SELECT recipient.id
                         FROM recipient JOIN occurrence ON occurrence.id = recipient.occurrence_id
                         WHERE occurrence.campaign_id = ? AND recipient.state = 'waiting' LIMIT ?)""",
            (STOPPED, campaign_id, BATCH)).rowcount
        cancelled += db.execute("""
            UPDATE sms
            SET state = 'cancelled', reason = ?, updated_at = ?
            WHERE id IN (SELECT id FROM sms
                         WHERE campaign_id = ? AND state = 'queued' AND campaign_id IS NOT NULL LIMIT ?)
              AND NOT EXISTS (SELECT 1 FROM segment WHERE sms_id = sms.id AND state <> 'queued')""",
            (STOPPED, iso(now), campaign_id, BATCH)).rowcount
        halves = [row["id"] for row in db.execute("""
            SELECT id
            FROM sms
            WHERE campaign_id = ? AND state = 'queued' AND campaign_id IS NOT NULL
              AND EXISTS (SELECT 1 FROM segment WHERE sms_id = sms.id AND state <> 'queued')
            LIMIT ?""", (campaign_id, BATCH))]
        for sms_id in halves:
            db.execute("UPDATE segment SET state = 'failed' WHERE sms_id = ? AND state = 'queued'", (sms_id,))
            outbox.settle(db, sms_id, now, HALF)
        cancelled += len(halves)
        if cancelled:
            tell(db, now)
    return cancelled


def resend_failed(db: sqlite3.Connection, campaign_id: int, now: datetime) -> int:
    """How many go once more: those the network refused or could not deliver; never what is unknown or cancelled.

    Nor what a person sent again meanwhile.
    """
    with write(db):
        again = db.execute("""
            UPDATE recipient
            SET state = 'waiting', sms_id = NULL
            WHERE id IN (SELECT recipient.id
                         FROM recipient JOIN occurrence ON occurrence.id = recipient.occurrence_id
                         JOIN sms ON sms.id = recipient.sms_id
                         WHERE occurrence.campaign_id = ? AND sms.state IN ('failed', 'expired')
                           AND sms.sent_again_as IS NULL)""",
            (campaign_id,)).rowcount
        if again:
            db.execute("""
                UPDATE occurrence
                SET state = 'running', reason = NULL
                WHERE campaign_id = ? AND state = 'done'
                  AND EXISTS (SELECT 1 FROM recipient WHERE occurrence_id = occurrence.id AND state = 'waiting')""",
                (campaign_id,))
            db.execute("UPDATE campaign SET sends_from = NULL, sends_until = NULL WHERE id = ?", (campaign_id,))
            state = db.execute("SELECT state FROM campaign WHERE id = ?", (campaign_id,)).fetchone()["state"]
            if state != "paused":
                _turn(db, campaign_id, ("scheduled", "running", "done"), "running", None, now)
    return again


def tell(db: sqlite3.Connection, now: datetime) -> None:
    """The desks look again."""
    db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (iso(now),))


_SELECT = """
    SELECT campaign.*, (SELECT min(due_at) FROM occurrence
                        WHERE campaign_id = campaign.id AND occurrence.state = 'waiting') AS next_at
    FROM campaign"""
_OVER = {"stopped": "was stopped for good", "done": "is done", "paused": "is paused", "running": "is running",
         "scheduled": "is not paused"}


def _turn(db: sqlite3.Connection, campaign_id: int, of: tuple[str, ...], state: str, reason: str | None,
          now: datetime) -> None:
    row = db.execute("SELECT state FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
    if row is None:
        raise CampaignError(f"There is no campaign {campaign_id}.")
    if row["state"] not in of:
        raise CampaignError(f"Campaign {campaign_id} {_OVER[row['state']]}. Nothing was changed.")
    db.execute("UPDATE campaign SET state = ?, reason = ?, updated_at = ? WHERE id = ?",
               (state, reason, iso(now), campaign_id))
    tell(db, now)


def _checked(db: sqlite3.Connection, box: Box, wish: Wish, now: datetime) -> Wish:
    name = " ".join(wish.name.split())
    if not name:
        raise CampaignError("A campaign needs a name, so that you find it again.")
    if wish.sim and wish.sim not in {modem.name for modem in box.modems}:
        raise CampaignError(f"There is no SIM {wish.sim!r} in this box.")
    if not 0 <= wish.canary_percent <= 100 or not 0 <= wish.late_limit_min <= schedule.LONGEST_DELAY_MIN or (
            wish.a_day is not None and not 1 <= wish.a_day <= MOST_A_DAY):
        raise CampaignError("The first part is 0 to 100 percent, the delay 0 minutes or more and a year at most, "
                            "a day's part 1 to 1000000.")
    try:
        who = audience.checked(db, wish.audience)
        templates.check(wish.text, templates.known_fields(db) | audience.fields_of(who))
        when = schedule.checked(wish.schedule, box.zone, now)
    except (audience.AudienceError, templates.TemplateError, schedule.ScheduleError) as refused:
        raise CampaignError(str(refused)) from refused
    return Wish(name, wish.text.strip(), who, when, wish.late_limit_min, wish.canary_percent, wish.a_day, wish.sim)


def _hash(wish: Wish, recipients: list[Recipient], texts: list[str]) -> str:
    seen = [wish.name, wish.text, wish.audience, wish.schedule, wish.late_limit_min, wish.canary_percent, wish.a_day,
            wish.sim, sorted(zip((one.number for one in recipients), texts, strict=True))]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _notes(wish: Wish, set_: settings.Settings, costs: cost.Cost, has_owner: bool) -> list[str]:
    notes = []
    if set_.broadcast_from != set_.broadcast_until:
        notes.append(f"Group texts go from {set_.broadcast_from} to {set_.broadcast_until}, shop time.")
    if costs.is_overrun and costs.a_day:
        notes.append(f"The SIM's allowance does not reach. {costs.a_day} a day would fit until it is renewed.")
    elif costs.is_overrun:
        notes.append("The SIM's allowance does not reach: text fewer people, or wait until it is renewed.")
    elif costs.a_day:
        notes.append(f"The SIM may not send so many on one day. It takes {costs.a_day} a day.")
    if wish.canary_percent and not has_owner:
        notes.append("Your own number is not in the settings (owner_numbers), so you get no copy first.")
    if wish.schedule["kind"] == "birthday":
        notes.append("The count is of everyone with a birthday in the book; each day it goes to those whose day it is.")
    return notes


def _campaign(row: sqlite3.Row) -> Campaign:
    wish = Wish(row["name"], row["text"], json.loads(row["audience"]), json.loads(row["schedule"]),
                row["late_limit_min"], row["canary_percent"], row["a_day"], row["sim"])
    return Campaign(row["id"], wish, row["state"], row["reason"], parse_time(row["created_at"]),
                    parse_time(row["next_at"]) if row["next_at"] else None)


def _just_before(now: datetime) -> datetime:
    return now.replace(microsecond=now.microsecond // 1000 * 1000) - schedule.INSTANT
