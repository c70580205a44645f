"""The texts a new box begins with, in the language of who sets it up; what somebody has changed stays as it is."""
from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime

from appliance import settings
from appliance.config import Box
from appliance.texts import rulebook
from web.language import N_, Words

RULE_NAME = N_("Missed call")
RULE_TEXT = N_("{shop}: sorry we missed your call. We will ring you back soon.")
SETTINGS = {
    "stop_answer": N_("{shop}: you will get no more texts from us. Text START to undo this."),
    "start_answer": N_("{shop}: you will get our texts again. Text STOP to end them."),
    "dispositions": N_("Ordered, Price, Complaint, Wrong number, Spam"),
}


def settle(db: sqlite3.Connection, box: Box, words: Words, now: datetime) -> None:
    """Call it inside write(). Nothing changes in English: those are the words the store was made with."""
    kept = settings.read(db)
    for key, text in SETTINGS.items():
        if getattr(kept, key) == text and words(text) != text:
            settings.put(db, key, words(text))
    for rule in rulebook.rules(db):
        if (rule.name, rule.text) == (RULE_NAME, RULE_TEXT) and words(RULE_TEXT) != RULE_TEXT:
            rulebook.save(db, replace(rule, name=words(RULE_NAME), text=words(RULE_TEXT)), now, rulebook.lines(box))
