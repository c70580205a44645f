"""What the history can be narrowed to, as conditions of SQL: each as a test of a call and, where an index has it, as
the ids of the calls that fit. appliance/calls/find.py takes the smallest of them and tests the others.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from phonenumbers import country_code_for_region

from appliance.people import numbers
from appliance.store.db import iso

# What the index call_outcome is made for; SQLite takes it only where this stands word by word.
RARE = "call.outcome IN ('abandoned', 'busy', 'rejected', 'failed', 'voicemail', 'blocked', 'interrupted')"
SHOWS = {    # kinds of calls as a reader names them: their test, and the index that walks them
    "missed": ("call.direction = 'in' AND call.outcome IN ('missed', 'abandoned')", "call_missed"),
    "answered": ("call.direction = 'in' AND call.answered_at IS NOT NULL", "call_answered"),
    "voicemail": (f"call.outcome = 'voicemail' AND {RARE}", "call_outcome"),
    "outgoing": ("call.direction = 'out'", "call_outgoing"),
    "blocked": (f"call.outcome = 'blocked' AND {RARE}", "call_outcome"),
    "internal": ("call.direction = 'internal'", "call_internal"),
}
DIRECTIONS = ("in", "out", "internal")
OUTCOMES = ("answered", "missed", "abandoned", "busy", "rejected", "failed", "voicemail", "blocked", "interrupted")
MARKS = ("good", "complaint", "training")
INDEXED_OUTCOMES = frozenset(OUTCOMES) - {"answered", "missed"}
SHORTEST = 3                       # letters that a trigram needs
TAIL = 4
LONGEST_TEXT = 80
DIALLED = re.compile(r"[+0-9][0-9 ()./\-\u00a0]*", re.ASCII)


@dataclass(frozen=True)
class Wish:
    """What a reader wants to see; empty: everything. since and until are moments, the last one left out."""
    since: datetime | None = None
    until: datetime | None = None
    shows: tuple[str, ...] = ()    # any of SHOWS: one of them is enough
    direction: str = ""
    outcome: str = ""
    trunk: str = ""
    extension: str = ""
    group: int | None = None       # id of a contact_group
    mark: str = ""
    is_recorded: bool = False
    is_texted: bool = False
    text: str = ""                 # part of a number, a name, a company or a note


@dataclass(frozen=True)
class Part:
    """One condition. ids: a SELECT of call ids, "" when no index has them; `{when}` in it takes the stretch of time.

    is_facet: the test needs nothing beside what the index call_facets holds.
    """
    test: str
    given: tuple[object, ...] = ()
    ids: str = ""
    ids_given: tuple[object, ...] = ()
    index: str = ""                # walks just these calls in the order of time
    is_facet: bool = True


def parts(wish: Wish, country: str) -> list[Part]:
    """The conditions of a wish beside its stretch of time; each must hold."""
    found = [_shows(wish.shows)] if wish.shows else []
    if wish.direction:
        found.append(Part("call.direction = ?", (wish.direction,)))
    if wish.outcome:
        found.append(Part("call.outcome = ?", (wish.outcome,), _of("call_outcome", f"call.outcome = ? AND {RARE}"),
                          (wish.outcome,))
                     if wish.outcome in INDEXED_OUTCOMES else Part("call.outcome = ?", (wish.outcome,)))
    for column, value in (("trunk", wish.trunk), ("extension", wish.extension)):
        if value:
            test = f"call.{column} = ?"
            found.append(Part(test, (value,), _of(f"call_{column}", test), (value,), f"call_{column}"))
    if wish.mark:
        found.append(Part("call.mark = ?", (wish.mark,), _of("call_marked", "call.mark = ?"), (wish.mark,)))
    if wish.group is not None:
        found.append(_group(wish.group))
    if wish.is_recorded:
        found.append(Part("EXISTS (SELECT 1 FROM recording WHERE recording.call_id = call.id)", (),
                          "SELECT recording.call_id AS id FROM recording"))
    if wish.is_texted:
        found.append(Part("EXISTS (SELECT 1 FROM sms WHERE sms.call_id = call.id AND sms.direction = 'out')", (),
                          "SELECT sms.call_id AS id FROM sms WHERE sms.call_id > 0"))
    if wish.text.strip():
        found.append(_text(wish.text.strip()[:LONGEST_TEXT], country))
    return found


def stretch(wish: Wish) -> tuple[str, str]:
    """The first and the last moment, both meant, as the store writes them."""
    return iso(wish.since) if wish.since else "", iso(wish.until - timedelta(milliseconds=1)) if wish.until else "9999"


def _of(index: str, test: str) -> str:
    return f"SELECT call.id FROM call INDEXED BY {index} WHERE {test} AND {{when}}"


def _shows(shows: tuple[str, ...]) -> Part:
    chosen = [SHOWS[show] for show in shows]
    test = " OR ".join(f"({test})" for test, _ in chosen)
    ids = " UNION ALL ".join(_of(index, test) for test, index in chosen)
    return Part(f"({test})", (), ids, (), chosen[0][1] if len(chosen) == 1 else "")


def _group(group: int) -> Part:
    return Part("EXISTS (SELECT 1 FROM contact_group_member AS member WHERE member.contact_id = call.contact_id "
                "AND member.contact_group_id = ?)", (group,),
                "SELECT call.id FROM contact_group_member AS member CROSS JOIN call INDEXED BY call_contact "
                "ON call.contact_id = member.contact_id AND {when} WHERE member.contact_group_id = ?", (group,),
                is_facet=False)


def _text(text: str, country: str) -> Part:
    """Calls with a number, a name, a company or a note that has these letters or digits in it."""
    digits = re.sub(r"\D", "", text)
    is_dialled = bool(DIALLED.fullmatch(text)) and len(digits) >= TAIL
    chosen = [_named(text), _lined(text), *_noted(text)] if not is_dialled or _long(text) else []
    if is_dialled:
        chosen += _numbered(text, digits, country)
    elif text.isdigit():
        chosen.append(Part("call.extension = ?", (text,), _of("call_extension", "call.extension = ?"), (text,)))
    return Part("(" + " OR ".join(part.test for part in chosen) + ")",
                tuple(value for part in chosen for value in part.given),
                " UNION ALL ".join(part.ids for part in chosen),
                tuple(value for part in chosen for value in part.ids_given), is_facet=False)


def _numbered(text: str, digits: str, country: str) -> list[Part]:
    """By the last digits, by the whole number however it is written, and by the first digits as people dial them."""
    tail = digits.lstrip("0") if len(digits.lstrip("0")) >= TAIL else digits
    test = "(substr(call.number, -4) = ? AND call.number LIKE ?)"
    found = [Part(test, (tail[-TAIL:], "%" + tail), _of("call_tail", test), (tail[-TAIL:], "%" + tail))]
    if whole := numbers.e164(text, country):
        found.append(Part("call.number = ?", (whole,), _of("call_number", "call.number = ?"), (whole,)))
    elif start := _start(text, digits, country):
        test = "(call.number >= ? AND call.number < ?)"
        found.append(Part(test, (start, start + ":"), _of("call_number", test), (start, start + ":")))
    return found


def _start(text: str, digits: str, country: str) -> str:
    """The first digits in the international form, "" when they can be no beginning."""
    if text.startswith("+"):
        return "+" + digits
    if digits.startswith("00"):
        return "+" + digits[2:]
    return f"+{country_code_for_region(country)}{digits[1:]}" if digits.startswith("0") else ""


def _named(text: str) -> Part:
    test, given = _like(text, ("contact.name", "contact.other_name", "contact.company"))
    long = _long(text)
    if long:
        people = ("SELECT contact_id FROM contact_search_key WHERE id IN "
                  "(SELECT rowid FROM contact_search WHERE contact_search MATCH ?)")
        wanted: tuple[object, ...] = (long,)
    else:
        people, wanted = f"SELECT id FROM contact WHERE {test}", given
    return Part(f"EXISTS (SELECT 1 FROM contact WHERE contact.id = call.contact_id AND {test})", given,
                "SELECT call.id FROM call INDEXED BY call_contact WHERE call.contact_id IN "
                f"({people}) AND {{when}}", wanted)


def _lined(text: str) -> Part:
    test, given = _like(text, ("call.caller_name",))
    if long := _long(text):
        names = ("SELECT name FROM line_name WHERE id IN "
                 "(SELECT rowid FROM line_name_search WHERE line_name_search MATCH ?)")
        wanted: tuple[object, ...] = (long,)
    else:
        plain, wanted = _like(text, ("line_name.name",))
        names = f"SELECT name FROM line_name WHERE {plain}"
    return Part(f"(call.caller_name IS NOT NULL AND {test})", given,
                "SELECT call.id FROM call INDEXED BY call_caller_name "
                f"WHERE call.caller_name IN ({names}) AND {{when}}", wanted)


def _noted(text: str) -> list[Part]:
    """By a note on the call, on the card and on the number."""
    test, given = _like(text, ("note.text",))
    long = _long(text)
    found, wanted = ("note.id IN (SELECT rowid FROM note_search WHERE note_search MATCH ?)", (long,)) if long \
        else (test, given)
    return [
        Part(f"EXISTS (SELECT 1 FROM note WHERE note.call_id = call.id AND {test})", given,
             f"SELECT note.call_id AS id FROM note WHERE note.call_id IS NOT NULL AND {found}", wanted),
        Part("EXISTS (SELECT 1 FROM note INDEXED BY note_contact "
             f"WHERE note.contact_id = call.contact_id AND {test})", given,
             f"SELECT call.id FROM note CROSS JOIN call INDEXED BY call_contact ON call.contact_id = note.contact_id "
             f"AND {{when}} WHERE {found}", wanted),
        Part("EXISTS (SELECT 1 FROM note INDEXED BY note_number "
             f"WHERE note.number = call.number AND {test})", given,
             f"SELECT call.id FROM note CROSS JOIN call INDEXED BY call_number ON call.number = note.number "
             f"AND {{when}} WHERE {found}", wanted),
    ]


def _long(text: str) -> str:
    """What the trigram index is asked: every word of three letters or more; "" when a word is shorter."""
    words = text.split()
    if any(len(word) < SHORTEST for word in words):
        return ""
    return " AND ".join('"' + word.replace('"', '""') + '"' for word in words)


def _like(text: str, columns: tuple[str, ...]) -> tuple[str, tuple[object, ...]]:
    """Every word stands in one of the columns. LIKE folds the case of ASCII alone: other words are tried both ways."""
    tests, given = [], []
    for word in text.split():
        forms = sorted({word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()})
        tests.append("(" + " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns for _ in forms) + ")")
        given += ["%" + re.sub(r"([\\%_])", r"\\\1", form) + "%" for _ in columns for form in forms]
    return "(" + " AND ".join(tests) + ")", tuple(given)
