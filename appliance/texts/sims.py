"""What belongs to a SIM besides texts: its PIN, tried once and never twice, and what is left on it."""
from __future__ import annotations

import hashlib
import re
import sqlite3
from datetime import datetime, timedelta
from decimal import Decimal

from appliance.config import Box
from appliance.store.db import iso, parse_time

PIN = re.compile("[0-9]{4,8}", re.ASCII)
BALANCE_EVERY = timedelta(hours=24)
MONEY = re.compile(r"(?<![\d.,:])[-+]?\d{1,3}(?:[ .,'’\u00a0]\d{3})+(?:[.,]\d{1,2})?(?![\d:])|"
                   r"(?<![\d.,:])[-+]?\d+(?:[.,]\d{1,2})?(?![\d:])")
DATE = re.compile(r"\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\b\d{1,2}:\d{2}(:\d{2})?\b")
CURRENCY = re.compile(r"[€$£¥₽₴]|\b(?:EUR|USD|GBP|CHF|RUB|CNY|UAH|PLN|CZK|р(?:уб)?|元)\b\.?|руб|元", re.IGNORECASE)


def make_rows(db: sqlite3.Connection, box: Box) -> None:
    """A row of `sim` for each modem of box.toml, with the defaults. Runs inside the caller's write()."""
    db.executemany("INSERT OR IGNORE INTO sim (name) VALUES (?)", [(modem.name,) for modem in box.modems])


def pin(box: Box, name: str) -> str | None:
    """The PIN in the secret file sim-NAME.pin; None when there is none, or it cannot be one."""
    try:
        written = (box.secrets / f"sim-{name}.pin").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return written if PIN.fullmatch(written) else None


def was_tried(db: sqlite3.Connection, name: str, card: str, secret: str) -> bool:
    """Whether this PIN was tried on this SIM already and did not open it, or nobody knows whether it did.

    card: the ICCID. A PIN that was tried on a SIM that did not say its own was tried on every SIM.
    """
    return not _marks(db, name).isdisjoint({_mark(card, secret), _mark("", secret)})


def note_try(db: sqlite3.Connection, name: str, card: str, secret: str, now: datetime) -> None:
    """Commit this before the PIN is entered. Other SIMs that were in this modem keep their marks."""
    _keep_marks(db, name, _marks(db, name) | {_mark(card, secret)}, now)


def forget_tries(db: sqlite3.Connection, name: str, card: str, now: datetime) -> None:
    """The SIM is open, which sets its count of tries back: its marks go, and those of an unnamed one."""
    opened = {_card(card), _card("")}
    _keep_marks(db, name, {mark for mark in _marks(db, name) if mark.partition(":")[0] not in opened}, now)


def _marks(db: sqlite3.Connection, name: str) -> set[str]:
    row = db.execute("SELECT pin_tried FROM modem WHERE name = ?", (name,)).fetchone()
    return set((row["pin_tried"] or "").split()) if row else set()


def _keep_marks(db: sqlite3.Connection, name: str, marks: set[str], now: datetime) -> None:
    db.execute("""
        INSERT INTO modem (name, state, updated_at, pin_tried)
        VALUES (?, '', ?, ?)
        ON CONFLICT (name) DO UPDATE SET pin_tried = excluded.pin_tried""",
        (name, iso(now), " ".join(sorted(marks)) or None))


def _mark(card: str, secret: str) -> str:
    return f"{_card(card)}:{hashlib.sha256(f'{card}:{secret}'.encode()).hexdigest()}"


def _card(card: str) -> str:
    return hashlib.sha256(card.encode()).hexdigest()[:16]


def balance_code(db: sqlite3.Connection, name: str, now: datetime) -> str | None:
    """The USSD code to ask the balance with, when it is due: once a day, and when somebody emptied balance_at."""
    row = db.execute("""
        SELECT sim.balance_ussd, modem.balance_at
        FROM sim JOIN modem ON modem.name = sim.name
        WHERE sim.name = ? AND sim.balance_ussd <> ''""", (name,)).fetchone()
    if row is None or row["balance_at"] and now - parse_time(row["balance_at"]) < BALANCE_EVERY:
        return None
    return str(row["balance_ussd"])


def keep_balance(db: sqlite3.Connection, name: str, answer: str | None, now: datetime) -> str | None:
    """The balance kept, None when the answer names none; then the last one stays, and it is asked again tomorrow."""
    left = amount(answer or "")
    db.execute("UPDATE modem SET balance = coalesce(?, balance), balance_at = ? WHERE name = ?",
               (str(left) if left is not None else None, iso(now), name))
    return str(left) if left is not None else None


def amount(words: str) -> Decimal | None:
    """The sum of money in an operator's answer: the one beside a currency, else the first with cents, else the first.

    "Ihr Guthaben: 12,34 EUR. Gültig bis 31.12.2026" is 12.34.
    """
    plain = DATE.sub(" ", words)
    found = list(MONEY.finditer(plain))
    if not found:
        return None
    beside = [one for one in found if CURRENCY.match(plain[one.end():].lstrip(" \u00a0"))
              or CURRENCY.search(plain[max(0, one.start() - 4):one.start()])]
    cents = [one for one in found if re.search(r"[.,]\d{1,2}$", one[0])]
    return _decimal((beside or cents or found)[0][0])


def _decimal(written: str) -> Decimal:
    found = re.fullmatch(r"([-+]?[\d.,]*?)(?:[.,](\d{1,2}))?", re.sub("[ '’\u00a0]", "", written))
    assert found is not None
    return Decimal(re.sub("[.,]", "", found[1]) + (f".{found[2]}" if found[2] else ""))
