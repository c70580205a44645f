"""Webhooks: addresses of other programs that want to hear of calls and texts.

What happened writes one row a target (`delivery`) in its own transaction, by triggers of the store: nothing is lost
when a program or this box is down. postman.py carries them.
"""
from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from appliance.store.db import iso, parse_time, write

KINDS = ("call.ringing", "call.ended", "sms.received", "sms.sent", "sms.delivered")
MOST = 20
LONGEST_URL, LONGEST_NAME = 500, 60
KEPT = timedelta(days=30)          # of what was delivered or given up; the log can be replayed so long
PIECE, PAUSE_S = 1000, 0.005
GIVE_UP = timedelta(days=7)
PAUSES_S = (1, 5, 15, 60)          # then every LONGEST_PAUSE_S: who was down a day is told soon after he is back
LONGEST_PAUSE_S = 300


class WebhookError(Exception):
    """A webhook was refused; the text says why."""


@dataclass(frozen=True)
class Webhook:
    """A target. waiting: letters it has not taken yet; reason: what its last attempt met, None when it was taken."""
    id: int
    name: str
    url: str
    kinds: tuple[str, ...]
    is_on: bool
    waiting: int
    reason: str | None


@dataclass(frozen=True)
class Delivery:
    """One letter. state: waiting, delivered or given_up."""
    id: int
    webhook_id: int
    kind: str
    call_id: int | None
    sms_id: int | None
    at: datetime
    state: str
    attempts: int
    next_at: datetime | None
    status: int | None
    reason: str | None
    delivered_at: datetime | None


def add(db: sqlite3.Connection, name: str, url: str, kinds: list[str], now: datetime) -> tuple[int, str]:
    """The id of a new target and its secret, which is shown this once. Call it inside write(). Raises WebhookError."""
    name, url = name.strip(), url.strip()
    if not name or len(name) > LONGEST_NAME:
        raise WebhookError(f"A name has 1 to {LONGEST_NAME} letters.")
    _check_url(url)
    chosen = [kind for kind in KINDS if kind in kinds]
    if not chosen:
        raise WebhookError("Choose what it shall be told.")
    if db.execute("SELECT count(*) FROM webhook").fetchone()[0] >= MOST:
        raise WebhookError(f"There are {MOST} targets already. Remove one first.")
    secret = secrets.token_urlsafe(32)
    row = db.execute("INSERT INTO webhook (name, url, secret, kinds, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
                     (name, url, secret, json.dumps(chosen), iso(now))).fetchone()
    return int(row["id"]), secret


def switch(db: sqlite3.Connection, webhook_id: int, is_on: bool) -> None:
    """While a target is off nothing new is kept for it; what waits, waits on. Call it inside write()."""
    db.execute("UPDATE webhook SET is_on = ? WHERE id = ?", (is_on, webhook_id))


def remove(db: sqlite3.Connection, webhook_id: int) -> None:
    """Its log goes with it. Call it inside write()."""
    db.execute("DELETE FROM webhook WHERE id = ?", (webhook_id,))


def empty(db: sqlite3.Connection, webhook_id: int) -> None:
    """Lets go of a target's log a piece at a time: a month of letters in one stroke would hold up a call. Not inside
    write()."""
    while True:
        with write(db):
            gone = db.execute("DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE webhook_id = ? LIMIT ?)",
                              (webhook_id, PIECE)).rowcount
        if gone < PIECE:
            return
        time.sleep(PAUSE_S)


def take_away(db: sqlite3.Connection, webhook_id: int) -> Mapping[str, object]:
    """Removes it, empty() first; what put_back wants to undo that. What waited is lost. Call it inside write()."""
    row = db.execute("SELECT * FROM webhook WHERE id = ?", (webhook_id,)).fetchone()
    remove(db, webhook_id)
    return dict(row)


def put_back(db: sqlite3.Connection, gone: Mapping[str, object]) -> None:
    """The target with its secret as it was, with an empty log. Call it inside write()."""
    db.execute("INSERT OR IGNORE INTO webhook (id, name, url, secret, kinds, is_on, created_at) "
               "VALUES (:id, :name, :url, :secret, :kinds, :is_on, :created_at)", gone)


def send_test(db: sqlite3.Connection, webhook_id: int, now: datetime) -> int:
    """The id of a letter about the last call, or about nothing where there was none. Call it inside write()."""
    call = db.execute("SELECT max(id) FROM call").fetchone()[0]
    row = db.execute("INSERT INTO delivery (webhook_id, kind, call_id, at, state) VALUES (?, 'test', ?, ?, 'waiting') "
                     "RETURNING id", (webhook_id, call, iso(now))).fetchone()
    return int(row["id"])


def listed(db: sqlite3.Connection) -> list[Webhook]:
    rows = db.execute("""
        SELECT id, name, url, kinds, is_on,
          (SELECT count(*) FROM delivery WHERE webhook_id = webhook.id AND state = 'waiting') AS waiting,
          (SELECT reason FROM delivery WHERE webhook_id = webhook.id AND attempts > 0
           ORDER BY id DESC LIMIT 1) AS reason
        FROM webhook
        ORDER BY id""").fetchall()
    return [Webhook(row["id"], row["name"], row["url"], tuple(json.loads(row["kinds"])), bool(row["is_on"]),
                    row["waiting"], row["reason"]) for row in rows]


def log(db: sqlite3.Connection, webhook_id: int, before: int | None = None, limit: int = 50) -> list[Delivery]:
    """The letters of a target, newest first, those before an id."""
    rows = db.execute("SELECT * FROM delivery WHERE webhook_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
                      (webhook_id, before or 2**63 - 1, limit)).fetchall()
    return [_delivery(row) for row in rows]


def replay(db: sqlite3.Connection, delivery_id: int, now: datetime, webhook_id: int | None = None) -> int | None:
    """The id of a letter that tells the same once more, last in its target's order; None when there is none such
    (of this target).

    Call it inside write().
    """
    row = db.execute("""
        INSERT INTO delivery (webhook_id, kind, call_id, sms_id, at, state)
        SELECT webhook_id, kind, call_id, sms_id, at, 'waiting' FROM delivery
        WHERE id = ?1 AND state <> 'waiting' AND (?2 IS NULL OR webhook_id = ?2)
        RETURNING id""", (delivery_id, webhook_id)).fetchone()
    return int(row["id"]) if row else None


def first(db: sqlite3.Connection, webhook_id: int) -> Delivery | None:
    """The letter that is next for a target: nothing overtakes it."""
    row = db.execute("SELECT * FROM delivery WHERE webhook_id = ? AND state = 'waiting' ORDER BY id LIMIT 1",
                     (webhook_id,)).fetchone()
    return _delivery(row) if row else None


def delivered(db: sqlite3.Connection, letter: Delivery, status: int, now: datetime) -> None:
    db.execute("""
        UPDATE delivery
        SET state = 'delivered', attempts = attempts + 1, status = ?, reason = NULL, delivered_at = ?, next_at = NULL
        WHERE id = ?""", (status, iso(now), letter.id))


def refused(db: sqlite3.Connection, letter: Delivery, status: int | None, reason: str, now: datetime) -> None:
    """It is tried again after a pause, for a week; then given up, so that the next has its turn."""
    pause_s = PAUSES_S[letter.attempts] if letter.attempts < len(PAUSES_S) else LONGEST_PAUSE_S
    is_over = now - letter.at > GIVE_UP
    db.execute("""
        UPDATE delivery SET state = ?, attempts = attempts + 1, status = ?, reason = ?, next_at = ? WHERE id = ?""",
        ("given_up" if is_over else "waiting", status, reason,
         None if is_over else iso(now + timedelta(seconds=pause_s)), letter.id))


def findings(db: sqlite3.Connection, now: datetime) -> list[str]:
    """For the page Today: programs that have taken nothing for an hour."""
    return [f"The webhook {row['name']} has taken nothing since {row['at'][:10]}: {row['reason']} Calls and texts go "
            "on; what it misses is kept for a week." for row in db.execute("""
        SELECT webhook.name, delivery.at, delivery.reason
        FROM webhook JOIN delivery ON delivery.id = (
          SELECT min(id) FROM delivery WHERE webhook_id = webhook.id AND state = 'waiting')
        WHERE webhook.is_on AND delivery.at < ? AND delivery.reason IS NOT NULL
        ORDER BY webhook.id""", (iso(now - timedelta(hours=1)),))]


def forget(db: sqlite3.Connection, now: datetime) -> int:
    """How many letters that are long settled were let go. Call it inside write()."""
    return db.execute("DELETE FROM delivery WHERE state <> 'waiting' AND at < ?", (iso(now - KEPT),)).rowcount


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as broken:
        raise WebhookError(f"{url!r} is no address.") from broken
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise WebhookError("The address is too long, or has a space in it.")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise WebhookError("An address begins with https:// or http:// and names a computer.")
    if parts.username or parts.password:
        raise WebhookError("No password in the address: it would stand in the log. The letters are signed instead.")


def _delivery(row: sqlite3.Row) -> Delivery:
    def at(name: str) -> datetime | None:
        return parse_time(row[name]) if row[name] else None
    return Delivery(row["id"], row["webhook_id"], row["kind"], row["call_id"], row["sms_id"], parse_time(row["at"]),
                    row["state"], row["attempts"], at("next_at"), row["status"], row["reason"], at("delivered_at"))
