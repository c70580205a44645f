"""Lists of numbers to call: one number to one person at a time, tried again when nobody answers, answers kept.

Handing out happens inside one writing transaction, so two who press at once never get the same number.
"""
from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance import hours
from appliance.box.wallclock import EARLIEST
from appliance.calls import callform
from appliance.calls.callform import Question
from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.store.db import iso, parse_time
from appliance.texts import audience, lists
from appliance.texts.audience import Recipient

OUTCOMES = ("reached", "no_answer", "refused", "wrong_number")
LONGEST = {"name": 60, "script": 4000, "note": 1000}
MOST_ENTRIES = 20_000
OPTED_OUT = "Asked not to be contacted."
BLOCKED = "Is blocked in the book."


class CallListError(Exception):
    """It cannot be done; the sentence says why."""


@dataclass(frozen=True)
class CallList:
    id: int
    name: str
    script: str
    form: tuple[Question, ...]
    state: str
    max_tries: int
    pause_min: int
    held_min: int


@dataclass(frozen=True)
class Entry:
    """One number of a list. fields: what the list brought with it; due_at: not before it."""
    id: int
    call_list_id: int
    number: str
    name: str
    contact_id: str | None
    fields: Mapping[str, str]
    state: str
    reason: str | None
    due_at: datetime
    tries: int
    taken_by: str | None
    taken_at: datetime | None
    outcome: str | None
    answers: Mapping[str, str]
    note: str
    by_user: str | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Progress:
    """How a list stands. now: could be rung at this moment; later: waits for its next try."""
    people: int
    now: int
    later: int
    taken: int
    excluded: int
    outcomes: Mapping[str, int]

    @property
    def done(self) -> int:
        return sum(self.outcomes.values())


def choose(db: sqlite3.Connection, wanted: Mapping[str, Any], country: str, now: datetime, shop: str,
           own: set[str]) -> tuple[list[Recipient], list[audience.Exclusion]]:
    """Who is to be rung, and who was chosen but is not, with why. A landline may be rung. Raises AudienceError."""
    wanted = audience.checked(db, wanted)
    people, excluded = audience.select(db, wanted, country, now, shop, own)
    known = {one.number for one in people}
    left = []
    for one in excluded:
        if one.reason == audience.KINDS[Kind.LANDLINE] and one.number not in known:
            row = db.execute("SELECT contact_id FROM contact_number WHERE number = ?", (one.number,)).fetchone()
            people.append(Recipient(one.number, row["contact_id"] if row else None, one.name,
                                    _fields(wanted, one.number, one.name, country)))
            known.add(one.number)
        else:
            left.append(one)
    if len(people) > MOST_ENTRIES:
        raise audience.AudienceError(f"There is room for {MOST_ENTRIES} numbers in a list. Choose fewer.")
    return people, left


def save(db: sqlite3.Connection, name: str, script: str, form: Sequence[Question], numbers: tuple[int, int, int],
         now: datetime, list_id: int | None = None) -> int:
    """The id of the list. numbers: max_tries, pause_min, held_min. Raises CallListError and callform.FormError."""
    name = " ".join(name.split())[:LONGEST["name"]]
    if not name:
        raise CallListError("The list needs a name.")
    for value, (low, high), said in zip(numbers, ((1, 20), (1, 10080), (1, 240)), (
            "A number is tried 1 to 20 times.", "Between two tries lie 1 to 10080 minutes.",
            "A number is held for 1 to 240 minutes."), strict=True):
        if not low <= value <= high:
            raise CallListError(said)
    kept = callform.written(callform.checked(form))
    values = (name, script[:LONGEST["script"]], kept, *numbers, iso(now))
    try:
        if list_id is None:
            return int(db.execute("""
                INSERT INTO call_list (name, script, form, max_tries, pause_min, held_min, updated_at, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id""", (*values, iso(now))).fetchone()[0])
        db.execute("""
            UPDATE call_list
            SET name = ?, script = ?, form = ?, max_tries = ?, pause_min = ?, held_min = ?, updated_at = ?
            WHERE id = ?""", (*values, list_id))
    except sqlite3.IntegrityError as twice:
        raise CallListError(f"There is a list called “{name}” already. Give this one another name.") from twice
    return list_id


def fill(db: sqlite3.Connection, list_id: int, people: Sequence[Recipient], now: datetime) -> int:
    """How many numbers are new in the list; those it has already stay as they are."""
    before = db.total_changes
    db.executemany("""
        INSERT OR IGNORE INTO call_list_entry (call_list_id, number, name, contact_id, fields, due_at)
        VALUES (?, ?, ?, ?, ?, ?)""",
        [(list_id, one.number, one.name, one.contact_id, json.dumps(dict(one.fields), ensure_ascii=False), iso(now))
         for one in people])
    return db.total_changes - before


def listed(db: sqlite3.Connection) -> list[CallList]:
    """Open ones first, the newest first."""
    return [_list(row) for row in db.execute("SELECT * FROM call_list ORDER BY state = 'closed', id DESC LIMIT 100")]


def get(db: sqlite3.Connection, list_id: int) -> CallList | None:
    row = db.execute("SELECT * FROM call_list WHERE id = ?", (list_id,)).fetchone()
    return _list(row) if row else None


def turn(db: sqlite3.Connection, list_id: int, state: str, now: datetime) -> None:
    db.execute("UPDATE call_list SET state = ?, updated_at = ? WHERE id = ?", (state, iso(now), list_id))


def entry(db: sqlite3.Connection, entry_id: int) -> Entry | None:
    row = db.execute("SELECT * FROM call_list_entry WHERE id = ?", (entry_id,)).fetchone()
    return _entry(row) if row else None


def entries(db: sqlite3.Connection, list_id: int) -> Iterator[Entry]:
    """All of a list, in steps, so that no writer waits."""
    after = 0
    while rows := db.execute("SELECT * FROM call_list_entry WHERE call_list_id = ? AND id > ? ORDER BY id LIMIT 500",
                             (list_id, after)).fetchall():
        yield from map(_entry, rows)
        after = rows[-1]["id"]


def lately(db: sqlite3.Connection, list_id: int, limit: int = 20) -> list[Entry]:
    """The latest outcomes, newest first."""
    return [_entry(row) for row in db.execute("""
        SELECT * FROM call_list_entry WHERE call_list_id = ? AND ended_at IS NOT NULL
        ORDER BY ended_at DESC, id DESC LIMIT ?""", (list_id, limit))]


def held(db: sqlite3.Connection, user: str, now: datetime) -> list[Entry]:
    """What this user was handed and has neither ended nor left lying for too long."""
    return [_entry(row) for row in db.execute("""
        SELECT call_list_entry.* FROM call_list_entry JOIN call_list ON call_list.id = call_list_id
        WHERE call_list_entry.state = 'taken' AND taken_by = ?
          AND unixepoch(taken_at) > unixepoch(?) - held_min * 60""", (user, iso(now)))]


def progress(db: sqlite3.Connection, list_id: int, now: datetime) -> Progress:
    rows = db.execute("""
        SELECT state, outcome, due_at <= ? AS is_now, count(*) AS n FROM call_list_entry
        WHERE call_list_id = ? GROUP BY state, outcome, is_now""", (iso(now), list_id)).fetchall()

    def count(state: str, *is_now: int) -> int:
        return sum(row["n"] for row in rows if row["state"] == state and (not is_now or row["is_now"] in is_now))
    outcomes = {name: sum(row["n"] for row in rows if row["state"] == "done" and row["outcome"] == name)
                for name in OUTCOMES}
    people = sum(row["n"] for row in rows if row["state"] != "excluded")
    return Progress(people, count("waiting", 1), count("waiting", 0), count("taken"), count("excluded"), outcomes)


def hand_out(db: sqlite3.Connection, list_id: int, user: str, settings: Settings, local: datetime) -> Entry:
    """The next number, this user's alone from now on; whoever holds one gets that again. Call it inside write().

    local: now, on the shop's clock. Raises CallListError when there is none now.
    """
    it = get(db, list_id)
    if it is None or it.state != "open":
        raise CallListError("The list is paused. Its owner lets it go on.")
    if local >= EARLIEST and hours.is_between(settings.quiet_from, settings.quiet_until, local):
        raise CallListError(f"These are the quiet hours. Ring from {settings.quiet_until} on.")
    release(db, local)
    mine = db.execute("SELECT * FROM call_list_entry WHERE call_list_id = ? AND state = 'taken' AND taken_by = ?",
                      (list_id, user)).fetchone()
    if mine:
        return _entry(mine)
    while row := db.execute("""
            SELECT * FROM call_list_entry WHERE call_list_id = ? AND state = 'waiting' AND due_at <= ?
            ORDER BY due_at, id LIMIT 1""", (list_id, iso(local))).fetchone():
        if reason := _refused(db, row["number"]):      # it may have been noted since the list was made
            db.execute("UPDATE call_list_entry SET state = 'excluded', reason = ? WHERE id = ?", (reason, row["id"]))
            continue
        db.execute("UPDATE call_list_entry SET state = 'taken', taken_by = ?, taken_at = ? WHERE id = ?",
                   (user, iso(local), row["id"]))
        taken = entry(db, row["id"])
        assert taken is not None
        return taken
    following = db.execute("SELECT min(due_at) FROM call_list_entry WHERE call_list_id = ? AND state = 'waiting'",
                           (list_id,)).fetchone()[0]
    if following:
        at = parse_time(following).astimezone(local.tzinfo)
        raise CallListError(f"Nobody is to be rung just now. The next one is due at {at:%H:%M}.")
    raise CallListError("Everybody of this list has been rung, or somebody is at it.")


def release(db: sqlite3.Connection, now: datetime) -> int:
    """How many numbers went back because whoever took them left them lying."""
    return db.execute("""
        UPDATE call_list_entry SET state = 'waiting', taken_by = NULL, taken_at = NULL
        WHERE state = 'taken' AND unixepoch(taken_at) <= unixepoch(?) - 60 * (
          SELECT held_min FROM call_list WHERE call_list.id = call_list_id)""", (iso(now),)).rowcount


def give_back(db: sqlite3.Connection, entry_id: int, user: str) -> bool:
    """True when this user held it; somebody else may have it now."""
    return db.execute("""
        UPDATE call_list_entry SET state = 'waiting', taken_by = NULL, taken_at = NULL
        WHERE id = ? AND state = 'taken' AND taken_by = ?""", (entry_id, user)).rowcount == 1


def finish(db: sqlite3.Connection, entry_id: int, user: str, outcome: str, answers: Mapping[str, str], note: str,
           now: datetime, again_at: datetime | None = None) -> Entry:
    """The entry as it is now. no_answer waits for its next try while there are any left; again_at: they asked for it.

    Raises CallListError when this user does not hold it (any more).
    """
    it = entry(db, entry_id)
    if it is None or it.state != "taken" or it.taken_by != user:
        raise CallListError("This number went back to the list, because it was left lying. Press Next for another.")
    if outcome not in OUTCOMES:
        raise CallListError("Choose what came of it.")
    its_list = get(db, it.call_list_id)
    assert its_list is not None
    tries = it.tries + 1
    is_again = outcome == "no_answer" and tries < its_list.max_tries or again_at is not None
    due_at = again_at or now + timedelta(minutes=its_list.pause_min)
    db.execute("""
        UPDATE call_list_entry
        SET state = ?, outcome = ?, due_at = ?, tries = ?, answers = ?, note = ?, by_user = ?, ended_at = ?,
            taken_by = NULL, taken_at = NULL
        WHERE id = ?""",
        ("waiting" if is_again else "done", outcome, iso(due_at if is_again else it.due_at), tries,
         json.dumps(dict(answers), ensure_ascii=False), note[:LONGEST["note"]], user, iso(now), entry_id))
    ended = entry(db, entry_id)
    assert ended is not None
    return ended


def put_back(db: sqlite3.Connection, was: Entry, now: datetime) -> None:
    """The entry as it was before it was finished: in the hands of the same user, or free when he has another by now."""
    busy = db.execute("SELECT 1 FROM call_list_entry WHERE call_list_id = ? AND state = 'taken' AND taken_by = ?",
                      (was.call_list_id, was.taken_by)).fetchone()
    mine = was.taken_by if was.state == "taken" and not busy else None
    db.execute("""
        UPDATE call_list_entry
        SET state = ?, outcome = ?, due_at = ?, tries = ?, answers = ?, note = ?, by_user = ?, ended_at = ?,
            taken_by = ?, taken_at = ?
        WHERE id = ? AND state IN ('done', 'waiting')""",
        ("taken" if mine else "waiting", was.outcome, iso(was.due_at), was.tries,
         json.dumps(dict(was.answers), ensure_ascii=False), was.note, was.by_user,
         iso(was.ended_at) if was.ended_at else None, mine, iso(now) if mine else None, was.id))


def _refused(db: sqlite3.Connection, number: str) -> str | None:
    if db.execute("SELECT 1 FROM opt_out WHERE number = ?", (number,)).fetchone():
        return OPTED_OUT
    blocked = db.execute("""
        SELECT contact.is_blocked FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
        WHERE contact_number.number = ?""", (number,)).fetchone()
    return BLOCKED if blocked and blocked["is_blocked"] else None


def _fields(wanted: Mapping[str, Any], number: str, name: str, country: str) -> dict[str, str]:
    """What a pasted row brought for a landline, which the texts leave out."""
    rows: Sequence[Mapping[str, str]] = wanted.get("rows", ())
    row: Mapping[str, str] = next((row for row in rows if lists.e164(row.get("number", ""), country) == number), {})
    return {"name": name, "number": number, **{key.lower(): value for key, value in row.items() if key != "number"}}


def _list(row: sqlite3.Row) -> CallList:
    return CallList(row["id"], row["name"], row["script"], callform.read(row["form"]), row["state"], row["max_tries"],
                    row["pause_min"], row["held_min"])


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(row["id"], row["call_list_id"], row["number"], row["name"], row["contact_id"],
                 json.loads(row["fields"]), row["state"], row["reason"], parse_time(row["due_at"]), row["tries"],
                 row["taken_by"],
                 parse_time(row["taken_at"]) if row["taken_at"] else None,
                 row["outcome"], json.loads(row["answers"]),
                 row["note"], row["by_user"], parse_time(row["ended_at"]) if row["ended_at"] else None)
