"""Forgetting a person: every row and file that holds the name, a number or a word of theirs. It cannot be undone.

It runs in steps that hold the store for some milliseconds each; killed in between, the card is still there and asking
once more does the rest. The card itself goes last, together with the receipt.
"""
from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance.config import Box
from appliance.people import numbers as telephone
from appliance.people import tombstones, traces
from appliance.people.tombstones import is_forgotten
from appliance.store.db import iso, parse_time, write

__all__ = ["ForgetError", "Receipt", "again", "forget", "is_forgotten", "preview", "receipt", "receipts"]

log = logging.getLogger("forget")

LOCK_S, PAUSE_S = 0.010, 0.003
# Where a number stands, and what the receipt counts it as ("": not counted). What hangs on a call, a text or a card
# goes with it. tests/unit/test_forget.py reads the schema and fails for a table that is missing here.
NUMBERED = {"sms": ("number", "texts"), "long_text": ("number", ""), "conversation": ("number", ""),
            "recipient": ("number", "group texts"), "note": ("number", "notes"), "opt_out": ("number", "opt-outs"),
            "settled": ("number", ""), "callback": ("number", "call-backs"),
            "call_list_entry": ("number", "lists to call"), "phone_order": ("target", ""), "text_echo": ("number", ""),
            "caller": ("number", ""), "caller_year": ("number", ""), "relink": ("number", "")}
BY_CARD = ("note", "recipient", "callback", "call_list_entry")
ORDER = ("cards", "calls", "recordings", "texts", "group texts", "notes", "call-backs", "lists to call", "opt-outs",
         "changes")


class ForgetError(Exception):
    """It cannot be done now; the sentence says why. Nothing was removed."""


@dataclass(frozen=True)
class Receipt:
    """What was removed, without saying of whom. swept_at None: the last traces are written over at night."""
    id: int
    at: datetime
    by: str
    counts: dict[str, int]
    swept_at: datetime | None


def preview(db: sqlite3.Connection, country: str, contact_id: str | None, numbers: Sequence[str]) -> dict[str, int]:
    """How much there is, by what; empty when there is nothing."""
    found: Counter[str] = Counter()
    found["cards"] = 1 if contact_id else 0
    calls = _calls(db, country, contact_id, numbers)
    found["calls"] = len(calls)
    found["recordings"] = sum(db.execute("SELECT 1 FROM recording WHERE call_id = ?", (call,)).fetchone() is not None
                              for call in calls)
    for table, (column, word) in NUMBERED.items():
        if word:
            found[word] += len(_rows(db, table, column, contact_id, numbers))
    return {word: found[word] for word in ORDER if found[word]}


def forget(db: sqlite3.Connection, box: Box, contact_id: str | None, numbers: Sequence[str], by: str,
           now: datetime) -> int:
    """The id of the receipt. numbers: those of the card, or of somebody who has none. Never call it inside write().

    Raises ForgetError while they are on the telephone or a text to them is on its way.
    """
    contact = db.execute("SELECT name FROM contact WHERE id = ?", (contact_id,)).fetchone()
    theirs = list(dict.fromkeys([*numbers, *(row["number"] for row in db.execute(
        "SELECT number FROM contact_number WHERE contact_id = ?", (contact_id,)))]))
    _may_now(db, contact_id, theirs)
    with write(db):
        tombstones.mark(db, [*theirs, contact_id] if contact_id else theirs, now)
    counts = _remove(db, box, contact_id, theirs, contact["name"] if contact else None)
    with write(db):
        if contact_id:
            counts["cards"] += db.execute("DELETE FROM contact WHERE id = ?", (contact_id,)).rowcount
        db.executemany("DELETE FROM relink WHERE number = ?", [(number,) for number in theirs])
        made = db.execute("INSERT INTO forget_receipt (at, by_user, counts) VALUES (?, ?, ?) RETURNING id", (
            iso(now), by, json.dumps({word: counts[word] for word in ORDER if counts[word]}))).fetchone()
    log.info("A person was forgotten: %s.", json.dumps(counts))
    words = traces.words_of(theirs, contact["name"] if contact else None)
    traces.wipe(db)
    traces.wait_for_directory(db, theirs)
    if not traces.left(db, words):
        with write(db):
            db.execute("UPDATE forget_receipt SET swept_at = ? WHERE id = ?", (iso(now), made["id"]))
    return int(made["id"])


def again(known: sqlite3.Connection, restored: sqlite3.Connection, box: Box, now: datetime) -> int:
    """How many cards and numbers were forgotten once more in a store restored from a backup that still had them.

    known: the store before the restore. box: where the recordings of the restored store lie. No receipt is written.
    """
    with write(restored):
        news = tombstones.carry_over(known, restored)
        restored.executemany(
            "INSERT OR IGNORE INTO forget_receipt (id, at, by_user, counts, swept_at) VALUES (?, ?, ?, ?, ?)",
            [tuple(row) for row in known.execute("SELECT id, at, by_user, counts, swept_at FROM forget_receipt")])
    if not news:
        return 0
    columns = {("contact", "id"), ("contact_number", "number"), ("call", "number"),
               *((table, column) for table, (column, _) in NUMBERED.items())}
    every = {row[0] for table, column in columns
             for row in restored.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")}
    found = tombstones.among(restored, sorted(every, reverse=True), news)       # "+…" last: cards know more numbers
    for number in found:
        owner = restored.execute("""
            SELECT id, name FROM contact
            WHERE id = ?1 OR id = (SELECT contact_id FROM contact_number WHERE number = ?1)""", (number,)).fetchone()
        card, name = (owner["id"], owner["name"]) if owner else (None, None)
        theirs = [number] if number != card else [row["number"] for row in restored.execute(
            "SELECT number FROM contact_number WHERE contact_id = ?", (card,))]          # also what left it since
        _remove(restored, box, card, theirs, name)
        with write(restored):
            restored.execute("DELETE FROM contact WHERE id = ?", (card,))
            restored.executemany("DELETE FROM relink WHERE number = ?", [(one,) for one in theirs])
    if found:
        traces.wipe(restored)
    return len(found)


def receipt(db: sqlite3.Connection, receipt_id: int) -> Receipt | None:
    row = db.execute("SELECT * FROM forget_receipt WHERE id = ?", (receipt_id,)).fetchone()
    return _receipt(row) if row else None


def receipts(db: sqlite3.Connection, limit: int = 100) -> list[Receipt]:
    """The latest first."""
    return [_receipt(row) for row in db.execute("SELECT * FROM forget_receipt ORDER BY id DESC LIMIT ?", (limit,))]


def _may_now(db: sqlite3.Connection, contact_id: str | None, numbers: Sequence[str]) -> None:
    places = ", ".join("?" * len(numbers))
    if db.execute(f"SELECT 1 FROM call WHERE ended_at IS NULL AND (contact_id = ? OR number IN ({places}))",
                  (contact_id, *numbers)).fetchone():
        raise ForgetError("They are on the telephone now. Nothing was removed; try again when the call has ended.")
    if db.execute(f"SELECT 1 FROM sms WHERE state = 'sending' AND number IN ({places})", tuple(numbers)).fetchone():
        raise ForgetError("A text to them is being sent just now. Nothing was removed; try again in a minute.")


def _remove(db: sqlite3.Connection, box: Box, contact_id: str | None, numbers: Sequence[str],
            name: str | None) -> Counter[str]:
    """All but the card itself, in steps; how many of what."""
    counts: Counter[str] = Counter()
    calls = _calls(db, box.country, contact_id, numbers)
    said = [(row["boot"], row["linkedid"]) for call in calls
            if (row := db.execute("SELECT boot, linkedid FROM call WHERE id = ?", (call,)).fetchone())]
    counts["recordings"] = sum(_remove_recording(db, box, call) for call in calls)
    for table, (column, word) in NUMBERED.items():
        if table not in ("caller", "caller_year", "text_echo"):   # the store's own triggers keep these
            counts[word] += _in_steps(db, table, _rows(db, table, column, contact_id, numbers))
    counts["calls"] = _in_steps(db, "call", calls)
    _remove_ledger(db, box.country, said, numbers)
    for table in ("caller", "caller_year", "text_echo"):
        _in_steps(db, table, numbers, "number")
    _remove_pasted(db, numbers)
    _remove_imported(db, contact_id, numbers, name)
    counts["changes"] = _in_steps(db, "change", _changes(db, contact_id, name))
    _in_steps(db, "contact_before", [row["id"] for row in db.execute(
        "SELECT id FROM contact_before WHERE kept_id = :card OR gone_id = :card", {"card": contact_id})])
    _in_steps(db, "contact_before", [row["id"] for number in numbers for row in db.execute(
        "SELECT id FROM contact_before WHERE instr(before, ?) > 0", (number,))])
    del counts[""]
    return counts


def _in_steps(db: sqlite3.Connection, table: str, rows: Iterable[object], key: str = "rowid",
              given: tuple[object, ...] = ()) -> int:
    """Deletes these rows, some milliseconds at a time; how many were there."""
    left, gone = list(rows), 0
    while left:
        since = time.monotonic()
        with write(db):
            while left and time.monotonic() - since < LOCK_S:
                gone += db.execute(f"DELETE FROM {table} WHERE {key} = ?", (*given, left.pop())).rowcount
        time.sleep(PAUSE_S)
    return gone


def _calls(db: sqlite3.Connection, country: str, contact_id: str | None, numbers: Sequence[str]) -> list[int]:
    """Every call with the person, also one whose number the line wrote in a way that is none."""
    found = {row["id"] for row in db.execute("SELECT id FROM call WHERE contact_id = ?", (contact_id,))}
    for number in numbers:
        found |= {row["id"] for row in db.execute("SELECT id FROM call WHERE number = ?", (number,))}
        spelt = telephone.spellings(number, country)
        found |= {row["id"] for row in db.execute(
            f"SELECT id FROM call WHERE number IS NULL AND caller_id IN ({', '.join('?' * len(spelt))})", spelt)}
    return sorted(found)


def _rows(db: sqlite3.Connection, table: str, column: str, contact_id: str | None,
          numbers: Sequence[str]) -> list[object]:
    """What a table holds of the person, by rowid."""
    if table in ("caller", "caller_year"):
        return []
    found: dict[object, None] = {}
    for number in numbers:
        found.update((row[0], None) for row in db.execute(f"SELECT rowid FROM {table} WHERE {column} = ?", (number,)))
    if table in BY_CARD and contact_id:
        found.update((row[0], None) for row in db.execute(f"SELECT rowid FROM {table} WHERE contact_id = ?",
                                                          (contact_id,)))
    return list(found)


def _remove_recording(db: sqlite3.Connection, box: Box, call_id: int) -> bool:
    """True when there was one. The file goes before its row: a row without its file is shown as such."""
    row = db.execute("SELECT file FROM recording WHERE call_id = ?", (call_id,)).fetchone()
    files = [row["file"]] if row else []
    files += [gone["file"] for gone in db.execute("SELECT file FROM recording_gone WHERE call_id = ?", (call_id,))]
    for file in files:
        path = box.recordings / file
        if path.resolve().is_relative_to(box.recordings.resolve()):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    with write(db):
        db.execute("DELETE FROM recording WHERE call_id = ?", (call_id,))
        db.executemany("DELETE FROM recording_gone WHERE file = ?", [(file,) for file in files])
    return row is not None


def _remove_ledger(db: sqlite3.Connection, country: str, said: list[tuple[int, str]], numbers: Sequence[str]) -> None:
    rows = [row[0] for boot, linkedid in said for row in db.execute(
        "SELECT rowid FROM ledger_event WHERE boot = ? AND linkedid = ?", (boot, linkedid))]
    spelt = [spelling for number in numbers for spelling in telephone.spellings(number, country)]
    places = ", ".join("?" * len(spelt))
    rows += [row[0] for row in db.execute(
        f"SELECT rowid FROM ledger_event WHERE caller_id IN ({places}) OR extension IN ({places})", spelt * 2)]
    _in_steps(db, "ledger_event", rows)


def _remove_pasted(db: sqlite3.Connection, numbers: Sequence[str]) -> None:
    """Numbers out of the lists that group texts were sent to."""
    for row in db.execute("SELECT id, audience FROM campaign").fetchall():
        audience = json.loads(row["audience"])
        kept = _without(audience, set(numbers))
        if kept != audience:
            with write(db):
                db.execute("UPDATE campaign SET audience = ? WHERE id = ?",
                           (json.dumps(kept, ensure_ascii=False), row["id"]))


def _remove_imported(db: sqlite3.Connection, contact_id: str | None, numbers: Sequence[str], name: str | None) -> None:
    """What lists that were brought in remember of the card, and the rows of theirs that could not be used."""
    _in_steps(db, "import_change", [row["import_id"] for row in db.execute(
        "SELECT import_id FROM import_change WHERE contact_id = ?", (contact_id,))], "contact_id = ? AND import_id",
        (contact_id,))
    _in_steps(db, "import_remark", [row[0] for row in db.execute("SELECT rowid, reason, cells FROM import_remark")
                                    if _holds([row["reason"], json.loads(row["cells"])], set(numbers))
                                    or name and " " in name and name in row["reason"] + row["cells"]])


def _without(value: object, numbers: set[str]) -> object:
    """A list without what holds one of these numbers, however deep."""
    if isinstance(value, dict):
        return {key: _without(inner, numbers) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, numbers) for inner in value if not _holds(inner, numbers)]
    return value


def _holds(value: object, numbers: set[str]) -> bool:
    if isinstance(value, dict):
        return any(_holds(inner, numbers) for inner in value.values())
    if isinstance(value, list):
        return any(_holds(inner, numbers) for inner in value)
    if not isinstance(value, str):
        return False
    digits = "".join(letter for letter in value if letter.isdigit()).lstrip("0")
    return len(digits) > 6 and any(number.endswith(digits) for number in numbers)


def _changes(db: sqlite3.Connection, contact_id: str | None, name: str | None) -> list[int]:
    """Lines of the log that are about the card, or that name the person in full."""
    rows = db.execute("""
        SELECT id FROM change
        WHERE row_id = :card OR :name <> ''
          AND instr(what || char(10) || coalesce(before, '') || char(10) || coalesce(after, ''), :name) > 0""",
        {"card": contact_id, "name": name if name and " " in name else ""})
    return [row["id"] for row in rows]


def _receipt(row: sqlite3.Row) -> Receipt:
    return Receipt(row["id"], parse_time(row["at"]), row["by_user"], json.loads(row["counts"]),
                   parse_time(row["swept_at"]) if row["swept_at"] else None)
