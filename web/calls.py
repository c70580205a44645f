"""The history with its filters and its export, and a call's own page."""
from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import batched, groupby

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.calls import find, history
from appliance.calls.history import Call
from appliance.calls.narrow import DIRECTIONS, MARKS, OUTCOMES
from appliance.people.sheets import Cell
from web import filters, journey, sheets
from web.filters import Remembered
from web.journey import Teller
from web.language import N_, Words
from web.office import Office, go

PAGE = 50
MOST_EXPORTED = 100_000
KEY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z),(\d{1,18})", re.ASCII)
SHOW_NAMES = {"missed": N_("Missed"), "answered": N_("Answered"), "voicemail": N_("Voicemail"),
              "outgoing": N_("Outgoing"), "blocked": N_("Blocked"), "internal": N_("Internal")}
DIRECTION_NAMES = {"in": N_("Came in"), "out": N_("Went out"), "internal": N_("Internal")}
MARK_NAMES = {"good": N_("Good"), "complaint": N_("Complaint"), "training": N_("For training")}
HEAD = (N_("When"), N_("Direction"), N_("Outcome"), N_("Name"), N_("Number"), N_("Line"), N_("Desk"),
        N_("Rang, seconds"), N_("Talked, seconds"), N_("Recorded"), N_("Text"), N_("Note"))


def routes(app: bottle.Bottle, office: Office) -> None:
    remembered = Remembered()
    app.get("/history", callback=lambda: _history(office, remembered))
    app.get("/history.csv", callback=lambda: _export(office, "csv"), role="owner")
    app.get("/history.xlsx", callback=lambda: _export(office, "xlsx"), role="owner")


def _history(office: Office, remembered: Remembered) -> str | HTTPResponse:
    assert office.session is not None
    if not request.query_string and (last := remembered.last(office.session.key)):
        return go(f"/history?{last}")
    wanted, before = filters.asked(), request.query.get("before", "")
    match = KEY.fullmatch(before)
    if before and not match:
        raise HTTPError(404)
    if request.query_string:
        remembered.keep(office.session.key, wanted.query)
    words = office.words
    found = find.page(office.db, wanted.wish(words.local(office.clock())), office.box.country,
                      history.Key(match[1], int(match[2])) if match else None, PAGE)
    teller = Teller(office.box, words)
    days = [(words.local(calls[0].call.started_at), calls) for _, calls in (
        (day, list(rows)) for day, rows in groupby(
            (teller.row(call) for call in found.calls), lambda row: words.local(row.call.started_at).date()))]
    opened = request.query.get("open", "")
    story = history.story(office.db, int(opened)) if re.fullmatch(r"[0-9]{1,18}", opened) else None
    return office.render(
        "history.html", days=days, found=found, before=before, wanted=wanted, choices=_choices(office),
        opened=story.call.id if story else None, steps=teller.steps(story) if story else [], most=MOST_EXPORTED,
        day_names=filters.DAYS, show_names=SHOW_NAMES)


def _choices(office: Office) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """The folded filters: name of the field, its label, "anything", and what can be chosen."""
    words = office.words
    groups = office.db.execute("SELECT id, name FROM contact_group ORDER BY name").fetchall()
    return [
        ("direction", words("Direction"), words("Both ways"),
         [(key, words(DIRECTION_NAMES[key])) for key in DIRECTIONS]),
        ("outcome", words("Outcome"), words("Any outcome"), [(key, words(journey.OUTCOMES[key])) for key in OUTCOMES]),
        ("line", words("Line"), words("Every line"), [(trunk.key, trunk.name) for trunk in office.box.trunks]),
        ("desk", words("Desk"), words("Every desk"), [(one.number, one.name) for one in office.box.extensions]),
        ("group", words("Group"), words("Everybody"), [(str(group["id"]), group["name"]) for group in groups]),
        ("mark", words("Mark"), words("Marked or not"), [(key, words(MARK_NAMES[key])) for key in MARKS]),
    ]


def _export(office: Office, format: str) -> HTTPResponse:
    """What the same address shows as pages, as one file."""
    words, wanted = office.words, filters.asked()
    calls = find.every(office.db, wanted.wish(words.local(office.clock())), office.box.country, MOST_EXPORTED)
    rows = _lines(office, Teller(office.box, words), calls)
    return sheets.answer(office, words("calls"), [words(name) for name in HEAD], rows, format)


def _lines(office: Office, teller: Teller, calls: Iterator[Call]) -> Iterator[list[Cell]]:
    words = teller.words
    for some in batched(calls, find.BATCH, strict=False):
        notes = history.notes(office.db, [call.id for call in some])
        for call in some:
            yield _line(words, teller, call, notes.get(call.id))


def _line(words: Words, teller: Teller, call: Call, note: str | None) -> list[Cell]:
    ring, talk = (round(ms / 1000) if ms is not None else None for ms in (call.ring_ms, call.talk_ms))
    outcome = words(journey.OUTCOMES[call.outcome]) if call.outcome in journey.OUTCOMES else teller.word(call)
    number = (call.number or call.caller_id or None) if call.presentation == "allowed" else None
    return [words.local(call.started_at).replace(tzinfo=None, microsecond=0), words(DIRECTION_NAMES[call.direction]),
            outcome, call.name or (None if number else teller.who(call)), number, teller.trunk(call.trunk),
            teller.extension(call.extension), ring, talk, words("Yes") if call.recording_ms is not None else None,
            teller.row(call).text or None, note]
