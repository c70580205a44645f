"""What follows from a text that came: no more texts, an owner's order, a keyword's answer, a copy to a mobile.

Everything is done in the transaction that keeps the text, so a crash repeats nothing and forgets nothing.
"""
from __future__ import annotations

import logging
import sqlite3
import traceback
from datetime import datetime, timedelta

from appliance import settings as shop
from appliance.config import Box
from appliance.people import numbers
from appliance.settings import Settings
from appliance.store import db as store
from appliance.store.db import iso, parse_time
from appliance.texts import arrivals, guards, keywords, lists, optouts, outbox, owner, words
from appliance.texts.guards import Purpose, Refusal
from appliance.texts.rules import Draft
from hw.pdu import Delivered, PduError

LOG = logging.getLogger(__name__)
STOPPED, STARTED, KEYWORD, FORWARD = "opt_out", "opt_in", "keyword", "forward"  # what sms.rule says
DAY = timedelta(days=1)
EXPIRY = timedelta(minutes=15)
LATE = timedelta(hours=12)  # as with owners: a keyword in a text that lay in the network for days wants no answer
CONFIRMED_A_DAY = 3  # of STOP and START together, to one number
BUSY_HOUR = 5000  # more texts than an hour of a few SIMs can have: what is looked at instead of all
FORWARD_LONGEST = 600  # characters: at most four segments of GSM-7


def received(db: sqlite3.Connection, box: Box, came: Delivered, sim: str | None, now: datetime) -> int | None:
    """The id of the sms kept; None when we have it already, or segments of it are awaited.

    Runs inside the caller's write(): forget it in the SIM only after the commit.
    """
    number = lists.e164(came.number, box.country) or came.number or arrivals.UNREADABLE
    sms_id = arrivals.keep(db, number, came, sim, now)
    if sms_id is not None and number != arrivals.UNREADABLE:
        _follow(db, box, sms_id, now)
    return sms_id


def attend(db: sqlite3.Connection, box: Box, now: datetime) -> int:
    """How many texts were due for the clock: torn ones to show, owners who asked for the STATUS.

    Not inside write(): without work it reads two short indexes; with an owner's question it looks at the whole box.
    """
    shown: list[int] = []
    if arrivals.is_any_torn(db, now):
        with store.write(db):
            shown = arrivals.show_torn(db, now)
            for sms_id in shown:
                _follow(db, box, sms_id, now)
    asked = owner.questions(db)
    if asked:
        from appliance.box import health  # it knows Asterisk and the ledger, which the radio's daemon never needs
        owner.answer_questions(db, box, health.findings(box), now)
    return len(shown) + len(asked)


def _follow(db: sqlite3.Connection, box: Box, sms_id: int, now: datetime) -> None:
    """Does what a whole text asks for; a mistake of ours there must not stop the radio again and again.

    The text stays in the SIM until it is kept, so one that we cannot follow is kept alone and left to a person.
    """
    db.execute("SAVEPOINT follow")
    try:
        _obey(db, box, sms_id, now)
    except sqlite3.Error:
        raise
    except Exception as mistake:
        db.execute("ROLLBACK TO follow")
        at = traceback.extract_tb(mistake.__traceback__)[-1]
        LOG.error("sms %d is kept, but what it asks for could not be done: %s at %s:%d", sms_id,
                  type(mistake).__name__, at.name, at.lineno)
        db.execute("UPDATE sms SET reason = ? WHERE id = ?",
                   ("The box could not do what this text may ask for. Read it and answer it yourself.", sms_id))
    db.execute("RELEASE follow")


def _obey(db: sqlite3.Connection, box: Box, sms_id: int, now: datetime) -> None:
    sms = db.execute("SELECT * FROM sms WHERE id = ?", (sms_id,)).fetchone()
    settings, number = shop.read(db), sms["number"]
    if number in guards.own_numbers(db, box):
        return
    wish = words.wish(sms["text"], settings.stop_words)
    if wish is not None:
        _wish(db, sms, wish, settings, now)
        mark_read(db, sms_id, now)
    elif number in owner.numbers_of(settings, box.country):
        owner.heard(db, box, sms_id, settings, now)
        mark_read(db, sms_id, now)
    elif _answered(db, box, sms, settings, now):
        mark_read(db, sms_id, now)
    else:
        _forward(db, box, sms, settings, now)


def mark_read(db: sqlite3.Connection, sms_id: int, now: datetime) -> None:
    """Nobody needs to look at this one: it said no more than what was done."""
    db.execute("UPDATE sms SET read_at = ? WHERE id = ? AND read_at IS NULL", (iso(now), sms_id))


def _wish(db: sqlite3.Connection, sms: sqlite3.Row, wish: words.Wish, settings: Settings, now: datetime) -> None:
    """Notes it, and confirms what changed, once: a second STOP changes nothing and is not answered."""
    number = sms["number"]
    if wish is words.Wish.STOP:
        is_changed = optouts.add(db, number, "reply", now, sms["text"].strip())
        rule, said = STOPPED, settings.stop_answer
    else:
        is_changed = optouts.remove(db, number)
        rule, said = STARTED, settings.start_answer
    if is_changed and numbers.kind(number) is numbers.Kind.MOBILE and _may_confirm(db, number, settings, now):
        _queue(db, Draft(number, _filled(said, settings), rule, now, now + EXPIRY), sms["sim"], now)


def _may_confirm(db: sqlite3.Connection, number: str, settings: Settings, now: datetime) -> bool:
    """Neither this number was confirmed to too often today nor all of them within the hour."""
    to_them: int = db.execute("""
        SELECT count(*)
        FROM sms
        WHERE number = ? AND created_at > ? AND direction = 'out' AND rule IN (?, ?)""",
        (number, iso(now - DAY), STOPPED, STARTED)).fetchone()[0]
    to_all: int = db.execute("""
        SELECT count(*)
        FROM sms
        WHERE id > (SELECT max(id) FROM sms) - ? AND created_at > ? AND direction = 'out' AND rule IN (?, ?)""",
        (BUSY_HOUR, iso(now - timedelta(hours=1)), STOPPED, STARTED)).fetchone()[0]
    return to_them < CONFIRMED_A_DAY and to_all < settings.breaker_an_hour


def _answered(db: sqlite3.Connection, box: Box, sms: sqlite3.Row, settings: Settings, now: datetime) -> bool:
    """Whether the text was a keyword and got its answer; why not stands in its reason."""
    answer = keywords.answer(db, sms["text"])
    if answer is None:
        return False
    number, refusal = sms["number"], None
    if now - parse_time(sms["created_at"]) > LATE:
        refusal = Refusal("late", "Not answered: the text came hours late.")
    else:
        recent = guards.recent(db, number, now, own=guards.own_numbers(db, box))
        checked = guards.check(number, numbers.kind(number), Purpose.ANSWER, recent, settings,
                               now.astimezone(box.zone))
        refusal = checked if isinstance(checked, Refusal) else None
    if refusal is None and _queue(db, Draft(number, _filled(answer, settings), KEYWORD, now, now + EXPIRY),
                                  sms["sim"], now, is_automatic=True):
        return True
    reason = refusal.reason if refusal else "Not answered: the keyword's answer cannot be a text."
    db.execute("UPDATE sms SET reason = ? WHERE id = ?", (reason, sms["id"]))
    return False


def _forward(db: sqlite3.Connection, box: Box, sms: sqlite3.Row, settings: Settings, now: datetime) -> None:
    """A copy to the owner's mobile, forward_a_day of them within 24 hours; the last one says that it is the last."""
    to = numbers.e164(settings.forward_texts, box.country)
    if to is None or to == sms["number"] or to in guards.own_numbers(db, box) or optouts.has(db, to):
        return
    left: int = settings.forward_a_day - db.execute("""
        SELECT count(*)
        FROM sms
        WHERE number = ? AND direction = 'out' AND rule = ? AND created_at > ?""",
        (to, FORWARD, iso(now - DAY))).fetchone()[0]
    if left <= 0:
        return
    known = db.execute("""
        SELECT contact.name
        FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact_number.number = ?""", (sms["number"],)).fetchone()
    who = " ".join([*([known["name"]] if known else []), numbers.shown(sms["number"], box.country)])
    text = f"{who}: {sms['text']}"
    if len(text) > FORWARD_LONGEST:
        text = text[:FORWARD_LONGEST].rstrip() + "... (the rest is on the page)"
    if left == 1:
        text += " (No more texts are forwarded for now: the limit of a day is reached.)"
    _queue(db, Draft(to, text, FORWARD, now, now + DAY, priority=1), None, now)


def _queue(db: sqlite3.Connection, draft: Draft, sim: str | None, now: datetime, *, is_automatic: bool = False) -> bool:
    """False when it cannot be a text: what somebody wrote into a setting must not stop the radio."""
    try:
        outbox.queue(db, draft, None, now, sim=sim, is_automatic=is_automatic)
    except PduError as unsendable:
        LOG.warning("the answer to %s is not sent: %s", numbers.short(draft.number), unsendable)
        return False
    return True


def _filled(text: str, settings: Settings) -> str:
    return text.replace("{shop}", settings.shop_name).strip()
