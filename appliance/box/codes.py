"""A short code for each finding, the same in every language and release: image/INSTALL.md has a row for each.

A finding is stored and translated as its sentence, so it is known again by the words that do not change (as in
web/sayings.py). A code is never given to another finding; one that goes leaves its number empty.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache


class Weight(IntEnum):
    """What suffers, the worst last: the box's LED shows the worst."""
    WELL = 0
    SEE_TO = 1      # everything goes on; somebody should look
    TEXTS = 2       # texts wait
    CALLS = 3       # calls do not come in, or are not kept


ELSE = "DB-ELSE-0"
_SEE, _TEXTS, _CALLS = Weight.SEE_TO, Weight.TEXTS, Weight.CALLS
# Code, what suffers, and what the whole sentence looks like; the first that fits is it.
CODES: Sequence[tuple[str, Weight, str]] = (
    ("DB-STORE-1", _CALLS, r"Nothing was kept yet: .* does not exist\. .*"),
    ("DB-STORE-2", _CALLS, r"The store cannot be used\. .*"),
    ("DB-STORE-3", _CALLS, r"The store is damaged \(.*"),
    ("DB-LINE-1", _CALLS, r"No line is set up\. .*"),
    ("DB-PHONE-1", _CALLS, r"No telephone is set up, so nothing rings\. .*"),
    ("DB-PHONE-2", _SEE, r"The telephone .* has an emergency number of .*"),
    ("DB-ASTERISK-1", _CALLS, r".* No call can come in\. Restart asterisk\.service\."),
    ("DB-LEDGER-1", _CALLS, r"Asterisk's ledger cannot be read \(.*"),
    ("DB-LEDGER-2", _SEE, r"The history is \d+ rows behind Asterisk's ledger\. .*"),
    ("DB-MODEM-1", _TEXTS, r"The modem .* is not plugged in \(.*"),
    ("DB-MODEM-2", _TEXTS, r"The modem .* has said nothing for a while\. .*"),
    ("DB-SIM-1", _TEXTS, r"The modem .*: no SIM card\. Calls are logged; texts wait\."),
    ("DB-SIM-2", _TEXTS, r"The modem .*: the SIM card asks for its PIN\b.*"),
    ("DB-SIM-3", _TEXTS, r"The modem .*: the SIM card is locked and asks for its PUK\b.*"),
    ("DB-SIM-4", _TEXTS, r"The modem .*: searching for the network\..*"),
    ("DB-SIM-5", _TEXTS, r"The modem .*: the network refuses this SIM card\..*"),
    ("DB-SIM-6", _SEE, r"The modem .*: The (?:SIM card|modem) has no room for texts that come\. .*"),
    ("DB-SIM-7", _SEE, r"The modem .*: The balance is not known: .*"),
    ("DB-MODEM-3", _TEXTS, r"The modem .*: .* Calls are logged; texts wait\."),
    ("DB-MODEM-4", _SEE, r"The modem .*: .* Texts go\."),
    ("DB-TEXT-1", _TEXTS, r"The SIM .*: .* Group texts wait; .*"),
    ("DB-TEXT-2", _SEE, r'The group text ".*" is halted\. .*'),
    ("DB-TEXT-3", _SEE, r".* in the setting .+ is no number in .*"),
    ("DB-RULE-1", _SEE, r"The rule “.*” does not work as it stands\. .*"),
    ("DB-RULE-2", _SEE, r"The rule “.*” is about calls after hours and no opening hours are set, .*"),
    ("DB-DISK-1", _SEE, r"Only \d+ MB are free on the disk\. .*"),
    ("DB-DISK-2", _SEE, r"The disk is short, and every recording that is left is starred: .*"),
    ("DB-REC-1", _SEE, r"\d+ recordings? (?:is|are) not on the disk any more\. .*"),
    ("DB-BACKUP-1", _SEE, r"There is no proven backup yet\. .*"),
    ("DB-BACKUP-2", _SEE, r"The last proven backup is \d+ days old\. .*"),
    ("DB-BACKUP-3", _SEE, r"Backups do not reach .*"),
    ("DB-BACKUP-4", _SEE, r"The last nightly backup to .* was not good\. .*"),
    ("DB-HOOK-1", _SEE, r"The webhook .* has taken nothing since .*"),
    ("DB-PRINTER-1", _SEE, r".* Calls go on(?:\. Switch it on, look at its paper,|; the slip was given up\.) .*"),
    ("DB-MQTT-1", _SEE, r"The MQTT broker .* (?:refuses us|does not answer)\b.*"),
    ("DB-STICK-1", _SEE, r"The USB stick .*"),
    ("DB-CARD-1", _SEE, r"The card leaves only \d+ MB for calls and recordings\. .*"),
    ("DB-CARD-2", _CALLS, r"The card is smaller than the image that was written to it\. .*"),
    ("DB-CARD-3", _CALLS, r"The (?:data partition|card has no data partition|box does not stand on a card)\b.*"),
    ("DB-RESET-1", _SEE, r"The factory reset (?:could not take the passwords back|was not done)\b.*"),
    ("DB-TOML-1", _SEE, r".* on the card: .*"),
    ("DB-NET-1", _SEE, r"The box is in no network: .*"),
    ("DB-NET-2", _SEE, r"No router gave the box an address\. .*"),
    ("DB-NET-3", _SEE, r"The box could not take the address .*"),
    ("DB-NET-4", _SEE, r"Another box in this network is called .*"),
    ("DB-WIFI-1", _SEE, r"The box is not in the Wi-Fi .*"),
    ("DB-WIFI-2", _SEE, r"The box is to join the Wi-Fi .* and has no Wi-Fi of its own\. .*"),
    ("DB-CLOCK-1", _SEE, r"Nothing vouches for the clock: .*"),
    ("DB-BOX-1", _CALLS, r"\S*/box\.toml\b.*"),
)
_MATCHERS = tuple((code, weight, re.compile(pattern, re.DOTALL)) for code, weight, pattern in CODES)


@lru_cache(maxsize=500)
def _known(sentence: str) -> tuple[str, Weight]:
    return next(((code, weight) for code, weight, matcher in _MATCHERS if matcher.fullmatch(sentence)),
                (ELSE, Weight.SEE_TO))


def of(sentence: str) -> str:
    """The code of a finding, such as DB-LINE-1; DB-ELSE-0 for one that has none."""
    return _known(sentence)[0]


def coded(sentence: str) -> str:
    """The finding as the command line and the report print it: its code, two spaces, its sentence."""
    return f"{of(sentence)}  {sentence}"


def worst(sentences: Sequence[str]) -> Weight:
    """What suffers most by these findings."""
    return max((_known(sentence)[1] for sentence in sentences), default=Weight.WELL)
