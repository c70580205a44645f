"""A large office: a million calls of three years, a hundred thousand contacts, texts for half of the missed.

    python3 -m tests.bench.million FOLDER

Made in about two minutes. With DESKBELL_BENCH naming a folder, it is made once there and copied.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.config import Box, Extension, Trunk
from appliance.store import db as store
from tests.desk import box_at

ENDS_AT = datetime(2026, 11, 21, tzinfo=UTC)
FIRST = ("Margaret", "Tomasz", "Claire", "Halima", "Piet", "Ines", "Jonas", "Olga", "Wei", "Amara", "Luis", "Noor")
LAST = ("Osei", "Wilk", "Beaufils", "Yusuf", "Haverkamp", "Castellan", "Brandt", "Petrova", "Zhang", "Okafor", "Soto")
HOURS = (0, 0, 0, 0, 0, 0, 1, 3, 20, 60, 80, 70, 45, 40, 55, 75, 80, 60, 12, 4, 2, 1, 0, 0)      # how many ring when
WEEKDAYS = (10, 9, 9, 9, 11, 6, 0.4)
LINES = ("line1", "line1", "line1", "line2", "sim1")
EXTENSIONS = ("101", "102", "103", "104", "105")
REASONS = ("Ordered", "Price", "Complaint", None, None, None)
HEAVY = 500          # so many callers ring again and again
CALL = """
    INSERT INTO call (id, box, boot, linkedid, trunk, direction, caller_id, number, presentation, contact_id, extension,
                      started_at, answered_at, ended_at, ring_ms, talk_ms, outcome, hangup_cause, bell, is_clock_set,
                      disposition)
    VALUES (?, 'box1', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'rang', 1, ?)"""
TEXT = """
    INSERT INTO sms (direction, number, text, state, rule, call_id, created_at, due_at, sent_at, delivered_at,
                     updated_at, is_automatic, read_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def made(folder: Path, calls: int = 1_000_000, contacts: int = 100_000, years: int = 3) -> Box:
    """A box at `folder` whose store is full; the last call was at ENDS_AT."""
    trunks = (Trunk("line1", "Line 1", "127.0.0.1:5070"), Trunk("line2", "Line 2", "127.0.0.1:5071"))
    box = box_at(folder, trunks=trunks,
                 extensions=tuple(Extension(number, f"Desk {number}") for number in EXTENSIONS), country="DE")
    kept = _kept(calls, contacts, years)
    if kept and kept.exists():
        shutil.copyfile(kept, box.store)
        return box
    _fill(box, calls, contacts, years)
    if kept:
        shutil.copyfile(box.store, kept.with_suffix(".part"))
        kept.with_suffix(".part").rename(kept)
    return box


def _kept(*size: int) -> Path | None:
    if "DESKBELL_BENCH" not in os.environ:
        return None
    schema = b"".join(file.read_bytes() for file in sorted(store.SCHEMA.glob("*.sql"))) + Path(__file__).read_bytes()
    made_of = hashlib.sha256(schema + repr(size).encode()).hexdigest()
    return Path(os.environ["DESKBELL_BENCH"]) / f"million-{made_of[:12]}.db"


def _fill(box: Box, calls: int, contacts: int, years: int) -> None:
    db, chance = store.connect(box.store), random.Random(1)
    store.migrate(db)
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' "
                          "AND (tbl_name = 'call' OR tbl_name = 'sms' AND name LIKE 'text_echo%')").fetchall()
    numbers = [f"+4915{place:09d}" for place in chance.sample(range(10**9), contacts + contacts // 2)]
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(contacts)]
    db.execute("PRAGMA synchronous = OFF")
    with store.write(db):
        for trigger in triggers:
            db.execute(f"DROP TRIGGER {trigger['name']}")      # each figure is filled at once, below
        began = store.iso(ENDS_AT - timedelta(days=365 * years // 2))
        db.executemany("INSERT INTO contact (id, name, company, created_at, updated_at) VALUES (?, ?, ?, ?, ?)", (
            (key, f"{chance.choice(FIRST)} {chance.choice(LAST)} {place}",
             f"Company {place}" if place % 7 == 0 else None, began, began) for place, key in enumerate(ids)))
        db.executemany("INSERT INTO contact_number (number, contact_id) VALUES (?, ?)", zip(numbers, ids, strict=False))
        texts: list[tuple[object, ...]] = []
        db.executemany(CALL, _calls(chance, calls, years, numbers, ids, texts))
        db.executemany(TEXT, texts)
        for statement in _filling():
            db.execute(statement)
        for trigger in triggers:
            db.execute(trigger["sql"])
    db.execute("ANALYZE")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _filling() -> Iterator[str]:
    """What the schema of the statistics does for the calls there were before it."""
    sql = (store.SCHEMA / "0007_statistics.sql").read_text().split("-- What there was before.")[1]
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _calls(chance: random.Random, calls: int, years: int, numbers: list[str], ids: list[str],
           texts: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    days = [ENDS_AT - timedelta(days=day) for day in range(365 * years, 0, -1)]
    shares = [WEEKDAYS[day.weekday()] for day in days]
    chosen = sorted(chance.choices(range(len(days)), shares, k=calls))
    for call_id, day in enumerate(chosen, 1):
        at = days[day] + timedelta(hours=chance.choices(range(24), HOURS)[0], milliseconds=chance.randrange(3_600_000))
        yield _call(chance, call_id, at, numbers, ids, texts)


def _call(chance: random.Random, call_id: int, at: datetime, numbers: list[str], ids: list[str],
          texts: list[tuple[object, ...]]) -> tuple[object, ...]:
    place = chance.randrange(HEAVY) if chance.random() < 0.1 else chance.randrange(len(numbers))
    number: str | None = None if chance.random() < 0.04 else numbers[place]
    direction = "in" if chance.random() < 0.75 else "out"
    kind, ring = chance.random(), round(min(chance.expovariate(1 / 12_000), 90_000))
    outcome = "answered" if kind < 0.78 else "missed" if kind < 0.95 else "abandoned" if kind < 0.97 else "busy"
    talk = round(chance.expovariate(1 / 170_000)) if outcome == "answered" else None
    answered = at + timedelta(milliseconds=ring) if talk is not None else None
    ended = at + timedelta(milliseconds=ring + (talk or 0))
    if outcome == "missed" and direction == "in" and number and chance.random() < 0.5:
        sent = store.iso(ended + timedelta(seconds=20))
        texts.append(("out", number, "Sorry we missed your call.", "delivered", "missed", call_id, store.iso(ended),
                      sent, sent, sent, sent, 1, None))
        if chance.random() < 0.1:
            came = store.iso(ended + timedelta(minutes=chance.randrange(2, 90)))
            texts.append(("in", number, "Is my order ready?", "received", None, None, came, came, None, None, came, 0,
                          came))
    return (call_id, f"{call_id}.1", chance.choice(LINES), direction, number or "anonymous", number,
            "allowed" if number else "withheld", ids[place] if number and place < len(ids) else None,
            chance.choice(EXTENSIONS) if answered or direction == "out" else None, store.iso(at),
            store.iso(answered) if answered else None, store.iso(ended), ring, talk, outcome, 16,
            chance.choice(REASONS) if answered else None)


if __name__ == "__main__":
    print(made(Path(sys.argv[1])).store)
