"""The owner by text, from listed numbers only: each order is answered by one text, wrong words by a short help.

STATUS looks at the whole box, which may take seconds: the clock answers it. All else is done in the transaction that
keeps the text.
"""
from __future__ import annotations

import logging
import sqlite3
from datetime import datetime, timedelta

from appliance import holidays, hours
from appliance import settings as shop
from appliance.calls import owed
from appliance.config import Box
from appliance.people import numbers
from appliance.settings import Settings
from appliance.store import db as store
from appliance.store.db import iso, parse_time
from appliance.texts import outbox
from appliance.texts.owner_words import HELP, Order, OrderError, Verb, read
from appliance.texts.rules import Draft

LOG = logging.getLogger(__name__)
RULE = "owner"  # what sms.rule says of our answers
LATE = timedelta(hours=12)  # networks' clocks are wrong by hours, so less would refuse some owners for ever
EXPIRY = timedelta(minutes=15)
ANSWERS_AN_HOUR, HELPS_AN_HOUR = 20, 3  # two boxes that own each other fall silent
LISTED = 8
FINDINGS_LENGTH = 300


def numbers_of(settings: Settings, country: str) -> set[str]:
    """The listed numbers in E.164; what is none in `country` is no owner."""
    given = (numbers.e164(raw.strip(), country) for raw in settings.owner_numbers.split(","))
    return {number for number in given if number}


def heard(db: sqlite3.Connection, box: Box, sms_id: int, settings: Settings, now: datetime) -> None:
    """Does what an owner's text asks and queues the answer. Runs inside the write() that kept the text."""
    sms = db.execute("SELECT * FROM sms WHERE id = ?", (sms_id,)).fetchone()
    number, local = sms["number"], now.astimezone(box.zone)
    if now - parse_time(sms["created_at"]) > LATE:
        return _answer(db, sms, "Your text came too late; nothing was done. " + HELP, now)
    try:
        order = read(sms["text"], local)
    except OrderError as wrong:
        if _answers(db, number, now, str(wrong)) < HELPS_AN_HOUR:
            _answer(db, sms, str(wrong), now)
        return
    if order.verb is Verb.STATUS:
        db.execute("INSERT INTO owner_question (sms_id) VALUES (?)", (sms_id,))
    elif order.verb is Verb.MISSED:
        _answer(db, sms, missed(db, box, now), now)
    else:
        _answer(db, sms, _close_or_open(db, order, settings, local), now)


def questions(db: sqlite3.Connection) -> list[int]:
    """The texts that ask for the STATUS and have no answer yet."""
    return [row["sms_id"] for row in db.execute("SELECT sms_id FROM owner_question ORDER BY sms_id")]


def answer_questions(db: sqlite3.Connection, box: Box, findings: list[str], now: datetime) -> None:
    """Answers every STATUS that waits; what is older than the answer would live gets none."""
    waiting = db.execute("""
        SELECT sms.*
        FROM owner_question JOIN sms ON sms.id = owner_question.sms_id
        ORDER BY sms.id""").fetchall()
    said = status(db, box, findings, now)
    with store.write(db):
        for sms in waiting:
            if now - parse_time(sms["updated_at"]) <= EXPIRY:
                _answer(db, sms, said, now)
            db.execute("DELETE FROM owner_question WHERE sms_id = ?", (sms["id"],))


def status(db: sqlite3.Connection, box: Box, findings: list[str], now: datetime) -> str:
    """How the box stands, in a few sentences."""
    local = now.astimezone(box.zone)
    calls = db.execute("""
        SELECT count(*) AS calls, coalesce(sum(direction = 'in' AND outcome IN ('missed', 'abandoned')), 0) AS missed
        FROM call
        WHERE started_at >= ? AND direction IN ('in', 'out')""",
        (iso(local.replace(hour=0, minute=0, second=0, microsecond=0)),)).fetchone()
    still = len(owed.owed(db, now - owed.OWED_FOR))
    texts = db.execute("""
        SELECT (SELECT count(*) FROM sms WHERE state IN ('queued', 'sending') AND direction = 'out') AS waiting,
          (SELECT count(*) FROM sms WHERE state = 'unknown' AND sent_again_as IS NULL) AS unknown,
          (SELECT count(*) FROM sms WHERE direction = 'in' AND read_at IS NULL) AS unread""").fetchone()
    modems = [f"{row['name']} {row['state']}" + (f" {row['signal_dbm']} dBm" if row["signal_dbm"] else "")
              for row in db.execute("SELECT name, state, signal_dbm FROM modem ORDER BY name")]
    said = [f"Today {calls['calls']} calls, {calls['missed']} missed; {still} still owed.",
            f"Texts: {texts['waiting']} waiting, {texts['unknown']} unknown, {texts['unread']} unread.",
            f"Modem: {', '.join(modems)}." if modems else "No modem."]
    closed = hours.until(shop.read(db).closed_until)
    if closed is not None and now < closed:
        said.insert(0, f"Closed till {_when(closed.astimezone(box.zone))}.")
    return " ".join([*said, _findings(findings)])


def missed(db: sqlite3.Connection, box: Box, now: datetime) -> str:
    """Who is still owed a call, the last ones first."""
    callers = owed.owed(db, now - owed.OWED_FOR)
    if not callers:
        return "Nobody is owed a call."
    lines = [f"{_when(caller.at.astimezone(box.zone))} {caller.name or ''} {numbers.shown(caller.number, box.country)}"
             + (f" ({caller.times} times)" if caller.times > 1 else "") for caller in callers[:LISTED]]
    more = len(callers) - LISTED
    return "\n".join([f"Still owed a call: {len(callers)}.", *(" ".join(line.split()) for line in lines),
                      *([f"and {more} more."] if more > 0 else [])])


def _close_or_open(db: sqlite3.Connection, order: Order, settings: Settings, local: datetime) -> str:
    if order.until is not None:
        shop.put(db, "closed_until", iso(order.until))
        return f"Closed till {_when(order.until)}. Text OPEN to open before."
    shop.put(db, "closed_until", "")
    if hours.is_open(settings.opening_hours, local, special=holidays.special(settings.special_days)):
        return "Open."
    return "No longer closed by text. By the opening hours the shop is closed now."


def _answer(db: sqlite3.Connection, sms: sqlite3.Row, text: str, now: datetime) -> None:
    if _answers(db, sms["number"], now) >= ANSWERS_AN_HOUR:
        LOG.warning("an owner's text gets no answer: %d went to the number within the hour", ANSWERS_AN_HOUR)
        return
    outbox.queue(db, Draft(sms["number"], text, RULE, now, now + EXPIRY), None, now, sim=sms["sim"])


def _answers(db: sqlite3.Connection, number: str, now: datetime, text: str | None = None) -> int:
    """How many answers went to an owner within the hour; with a text, only those that said it."""
    return int(db.execute("""
        SELECT count(*)
        FROM sms
        WHERE number = ? AND direction = 'out' AND rule = ? AND created_at > ? AND text = coalesce(?, text)""",
        (number, RULE, iso(now - timedelta(hours=1)), text)).fetchone()[0])


def _findings(findings: list[str]) -> str:
    if not findings:
        return "All well."
    said = f"{len(findings)} to see to: {' '.join(findings)}"
    return said if len(said) <= FINDINGS_LENGTH else said[:FINDINGS_LENGTH - 3].rstrip() + "..."


def _when(at: datetime) -> str:
    return f"{at:%a %d %b %H:%M}"
