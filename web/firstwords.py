"""The texts a new box begins with, in the language of who sets it up; what somebody has changed stays as it is."""
from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from appliance import settings
from appliance.box.places import FIRST_WORDS
from appliance.config import Box
from appliance.store import db as store
from appliance.texts import rulebook
from web.language import N_, Languages, Words

RULE_NAME = N_("Missed call")
RULE_TEXT = N_("{shop}: sorry we missed your call. We will ring you back soon.")
SETTINGS = {
    "stop_answer": N_("{shop}: you will get no more texts from us. Text START to undo this."),
    "start_answer": N_("{shop}: you will get our texts again. Text STOP to end them."),
    "dispositions": N_("Ordered, Price, Complaint, Wrong number, Spam"),
}


def settle(db: sqlite3.Connection, box: Box, words: Words, now: datetime, before: Collection[Words] = ()) -> None:
    """Call it inside write(). `before`: the languages it may have been settled in; English, as the store was made, is
    always one of them."""
    kept = settings.read(db)
    for key, text in SETTINGS.items():
        if getattr(kept, key) in _spellings(text, before) and words(text) != getattr(kept, key):
            settings.put(db, key, words(text))
    for rule in rulebook.rules(db):
        if rule.name in _spellings(RULE_NAME, before) and rule.text in _spellings(RULE_TEXT, before) \
                and words(RULE_TEXT) != rule.text:
            rulebook.save(db, replace(rule, name=words(RULE_NAME), text=words(RULE_TEXT)), now, rulebook.lines(box))


def at_start(db: sqlite3.Connection, box: Box, now: datetime) -> None:
    """Settles the language that deskbell.toml named for a new box, once; see appliance/box/firstboot_take.py."""
    note = box.state / FIRST_WORDS
    try:
        language = note.read_text("ascii", "replace").strip()
    except OSError:
        return
    words = Languages(box.zone, box.language).choose(language, "")
    with store.write(db):
        settle(db, box, words, now)
    note.unlink(missing_ok=True)


def _spellings(text: str, languages: Collection[Words]) -> set[str]:
    return {text, *(words(text) for words in languages)}
