"""What belongs to a SIM besides texts: its PIN, tried once and never twice, and what is left on it."""
from __future__ import annotations

import hashlib
import logging
import os
import re
import sqlite3
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from appliance.config import Box
from appliance.store.db import iso, parse_time, write
from appliance.store.files import write_durably
from hw.at import GsmRejected
from hw.gsm import Gsm, State

LOG = logging.getLogger(__name__)
PIN = re.compile("[0-9]{4,8}", re.ASCII)
LAST_TRY = 1         # never made from here: a telephone opens the card and counts from three again
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


def proved(box: Box, name: str, card: str) -> str | None:
    """The PIN that a person gave on a page and that opened this very card; None for any other card."""
    try:
        opened, _, written = _kept_pin(box, name).read_text().strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        return None
    return written if card and opened == _card(card) and PIN.fullmatch(written) else None


def given(db: sqlite3.Connection, box: Box, name: str, gsm: Gsm, pin: str, now: datetime) -> list[str]:
    """Tries the PIN a person typed, and says "open", "wrong", "tried", "last", "odd" or "free", then the tries left.

    It is kept, for the daemon's eyes alone and beside the store, once it has opened the card: the box opens it after
    each power cut. "tried": it was wrong before; "last": one try is left; "free": no PIN is asked for.
    """
    if not PIN.fullmatch(pin):
        return ["odd"]
    if gsm.status().state is not State.PIN:
        return ["free"]
    card, left = gsm.card(), gsm.pin_tries()
    count = [] if left is None else [str(left)]
    if was_tried(db, name, card, pin):
        return ["tried", *count]
    if left is not None and left <= LAST_TRY:
        return ["last", *count]
    if not enter(db, name, gsm, card, pin, now):
        left = gsm.pin_tries()
        return ["wrong"] if left is None else ["wrong", str(left)]
    _keep_pin(_kept_pin(box, name), f"{_card(card)} {pin}")
    return ["open"]


def enter(db: sqlite3.Connection, name: str, gsm: Gsm, card: str, pin: str, now: datetime) -> bool:
    """Whether this PIN opened the card; that it was tried is committed before."""
    with write(db):
        note_try(db, name, card, pin, now)
    try:
        gsm.enter_pin(pin)
    except GsmRejected:
        return False
    with write(db):
        forget_tries(db, name, card, now)
    return True


def _keep_pin(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        os.chmod(file.parent, 0o700)
        write_durably(file, text.encode())
    except OSError as full:
        LOG.warning("The PIN could not be kept (%s): it will be asked for after the next power cut.", full)


def _kept_pin(box: Box, name: str) -> Path:
    return box.state / "sim" / f"{name}.pin"


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
