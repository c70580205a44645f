"""The shop's rules as it keeps them: listed in order, saved, moved, switched on and off. Writes run inside write()."""
from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from appliance import settings
from appliance.config import Box
from appliance.store.db import iso
from appliance.texts import conditions, templates
from appliance.texts.conditions import RuleError
from appliance.texts.rules import Rule
from appliance.texts.templates import TemplateError

LOG = logging.getLogger(__name__)
LONGEST_TEXT = 1000
LONGEST_DELAY_S, LONGEST_EXPIRY_MIN = 24 * 3600, 24 * 60


def rules(db: sqlite3.Connection) -> list[Rule]:
    """All rules in their order, switched off ones too. One that cannot be read is passed over with a line in the log:
    a call must not fail because of it."""
    found = []
    for row in db.execute("SELECT * FROM rule ORDER BY position, id"):
        try:
            found.append(_rule(row))
        except RuleError as wrong:
            LOG.warning("The rule %r is passed over: %s", row["name"], wrong)
    return found


def rule(db: sqlite3.Connection, key: str) -> Rule | None:
    row = db.execute("SELECT * FROM rule WHERE key = ?", (key,)).fetchone()
    return _rule(row) if row else None


def save(db: sqlite3.Connection, wanted: Rule, now: datetime, trunks: Collection[str]) -> Rule:
    """Keeps a rule; one with an empty key is new, stands last and gets its key, which is never used again.

    trunks: lines(box). Raises RuleError in words for a rule that cannot work; nothing is kept then.
    """
    name, text = " ".join(wanted.name.split()), wanted.text.strip()
    _check(db, name, text, wanted)
    checked = conditions.parse(conditions.dump(wanted.conditions), trunks, group_names(db))
    values = (name, wanted.is_on, conditions.dump(checked), text, wanted.delay_s, wanted.expiry_min, iso(now))
    if not wanted.key:
        return _add(db, values, now)
    row = db.execute("""
        UPDATE rule
        SET name = ?, is_on = ?, conditions = ?, text = ?, delay_s = ?, expiry_min = ?, updated_at = ?
        WHERE key = ?
        RETURNING *""", (*values, wanted.key)).fetchone()
    if row is None:
        raise _gone(wanted.key)
    return _rule(row)


def switch(db: sqlite3.Connection, key: str, is_on: bool, now: datetime) -> None:
    """Switches one rule on or off. Raises RuleError when it is gone."""
    if not db.execute("UPDATE rule SET is_on = ?, updated_at = ? WHERE key = ?", (is_on, iso(now), key)).rowcount:
        raise _gone(key)


def move(db: sqlite3.Connection, key: str, place: int, now: datetime) -> None:
    """Puts a rule at `place`, 1 is first; the others close up. Raises RuleError when it is gone."""
    keys = [row["key"] for row in db.execute("SELECT key FROM rule ORDER BY position, id")]
    if key not in keys:
        raise _gone(key)
    keys.remove(key)
    keys.insert(max(0, place - 1), key)
    db.executemany("UPDATE rule SET position = ?, updated_at = ? WHERE key = ? AND position <> ?",
                   [(position, iso(now), moved, position) for position, moved in enumerate(keys, start=1)])


def remove(db: sqlite3.Connection, key: str) -> None:
    """Takes a rule away; the texts and refusals it caused keep its key. Raises RuleError when it is gone."""
    if not db.execute("DELETE FROM rule WHERE key = ?", (key,)).rowcount:
        raise _gone(key)


def troubles(db: sqlite3.Connection, box: Box) -> Iterator[str]:
    """A sentence for each rule that is on and does not do, or no longer does, what its owner thinks."""
    set_ = settings.read(db)
    has_hours = bool(set_.opening_hours or set_.special_days)
    for row in db.execute("SELECT * FROM rule WHERE is_on = 1 ORDER BY position, id").fetchall():
        try:
            wanted = conditions.parse(row["conditions"], lines(box), group_names(db))
        except RuleError as wrong:
            yield (f"The rule “{row['name']}” does not work as it stands. {wrong} Other rules do. "
                   "Open it and save it again.")
            continue
        if wanted.when == "after hours" and not has_hours:
            yield (f"The rule “{row['name']}” is about calls after hours and no opening hours are set, so it answers "
                   "none. Other rules work. Set opening_hours.")


def lines(box: Box) -> list[str]:
    """What a call's line may be: the keys of the trunks, and the names of the SIMs that can be called."""
    return [*(trunk.key for trunk in box.trunks), *(modem.name for modem in box.modems)]


def group_names(db: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in db.execute("SELECT name FROM contact_group ORDER BY name")]


def _add(db: sqlite3.Connection, values: tuple[object, ...], now: datetime) -> Rule:
    row_id = db.execute("""
        INSERT INTO rule (key, position, name, is_on, conditions, text, delay_s, expiry_min, updated_at, created_at)
        VALUES (lower(hex(randomblob(16))), (SELECT coalesce(max(position), 0) + 1 FROM rule),
                ?, ?, ?, ?, ?, ?, ?, ?)""", (*values, iso(now))).lastrowid
    return _rule(db.execute("UPDATE rule SET key = 'rule-' || id WHERE id = ? RETURNING *", (row_id,)).fetchone())


def instead(all_rules: Sequence[Rule], wanted: Rule) -> list[Rule]:
    """The rules as they would be once `wanted` was saved and on: what a rehearsal of an edited rule asks for."""
    wanted = replace(wanted, is_on=True)
    if wanted.key and any(other.key == wanted.key for other in all_rules):
        return [wanted if other.key == wanted.key else other for other in all_rules]
    return [*all_rules, wanted]


def _check(db: sqlite3.Connection, name: str, text: str, wanted: Rule) -> None:
    if not name:
        raise RuleError("A rule needs a name.")
    if len(text) > LONGEST_TEXT:
        raise RuleError(f"The text has {len(text)} characters; a rule's has at most {LONGEST_TEXT}.")
    try:
        (name + text).encode()
    except UnicodeEncodeError as half:
        raise RuleError("The text holds a character that is not whole. Type it again.") from half
    if text:
        try:
            templates.check(text, templates.known_fields(db))
        except TemplateError as wrong:
            raise RuleError(str(wrong)) from wrong
    if not 0 <= wanted.delay_s <= LONGEST_DELAY_S:
        raise RuleError(f"The delay goes from 0 to {LONGEST_DELAY_S} seconds.")
    if not 1 <= wanted.expiry_min <= LONGEST_EXPIRY_MIN:
        raise RuleError(f"The expiry goes from 1 to {LONGEST_EXPIRY_MIN} minutes.")


def _rule(row: sqlite3.Row) -> Rule:
    return Rule(row["key"], row["name"], row["text"], conditions.parse(row["conditions"]), bool(row["is_on"]),
                row["delay_s"], row["expiry_min"])


def _gone(key: str) -> RuleError:
    return RuleError(f"There is no rule {key!r} any more. Somebody may have removed it.")
