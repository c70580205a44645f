"""Who changed what, for the owner: newest first, by person, by kind, and as a sheet."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.people import changes
from appliance.people.changes import Change
from web import forms, settings_fields, sheets
from web.language import N_, Words
from web.office import Office
from web.textwords import Writer

PAGE = 50
KINDS = {"backup": N_("Backup"), "backup_place": N_("Place of backups"), "call": N_("Phone call"),
         "callback": N_("Call-back"), "campaign": N_("Group text"), "contact": N_("Customer"),
         "contacts": N_("Customers"), "group": N_("Group"), "keyword": N_("Keyword"), "list": N_("List to call"),
         "note": N_("Note"), "opt-out": N_("Opt-out"), "recording": N_("Recording"), "restore": N_("Restore"),
         "retention": N_("Clearing out"), "rule": N_("Rule"), "setting": N_("Setting"), "sim": N_("SIM"),
         "template": N_("Template"), "text": N_("Text"), "user": N_("User")}
FIELDS = {"name": N_("name"), "role": N_("role"), "language": N_("language"), "extension": N_("phone"),
          "text": N_("text"), "answer": N_("answer"), "is_on": N_("switched on"), "position": N_("place"),
          "sessions": N_("sessions"), "left": N_("left"), "state": N_("state"),
          "kind": N_("kind"), "address": N_("address")}

SETTINGS = {field.key: field.label for field in settings_fields.FIELDS}


@dataclass(frozen=True)
class Difference:
    """One field: what it was and is; None is nothing there, field "" when the row is a single value."""
    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Line:
    change: Change
    kind: str
    name: str
    differences: list[Difference]


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/changes", callback=lambda: _page(office), role="owner")
    app.get("/changes.<format:re:csv|xlsx>", callback=lambda format: _export(office, format), role="owner")


def _page(office: Office) -> str:
    by, what = _asked("by"), _asked("what")
    found = changes.page(office.db, forms.asked_id("before"), by, what, PAGE + 1)
    return office.render("changes.html", lines=[line(change, office.words) for change in found[:PAGE]],
                         older=found[PAGE - 1].id if len(found) > PAGE else None, by=by, what=what,
                         before=request.query.get("before"), people=changes.people(office.db),
                         kinds=[(kind, kind_word(kind, office.words)) for kind in changes.kinds(office.db)],
                         writer=Writer(office.box, office.words, office.clock()))


def _export(office: Office, format: str) -> HTTPResponse:
    words = office.words
    head = [words("When"), words("Who"), words("What"), words("Before"), words("After")]
    return sheets.answer(office, words("changes"), head, _rows(office, words), format)


def _rows(office: Office, words: Words) -> Iterator[tuple[Any, ...]]:
    for change in changes.every(office.db, _asked("by"), _asked("what")):
        it = line(change, words)
        yield (words.local(change.at).replace(tzinfo=None), _who(change.by, words), f"{it.kind} {it.name}".strip(),
               _one_line(it, "before", words), _one_line(it, "after", words))


def _one_line(it: Line, side: str, words: Words) -> str:
    given = [(one.field, getattr(one, side)) for one in it.differences]
    return "; ".join(words("%(what)s: %(it)s", what=field, it=value) if field else value
                     for field, value in given if value is not None)


def line(change: Change, words: Words) -> Line:
    """A row of the log in words of this language; what is not known is shown as it was written."""
    kind, _, name = change.what.partition(" ")
    if kind == "setting" and name in SETTINGS:
        name = words(SETTINGS[name])
    return Line(change, kind_word(kind, words), name, list(_differences(change.before, change.after, words)))


def kind_word(kind: str, words: Words) -> str:
    return words(KINDS[kind.rstrip(":")]) if kind.rstrip(":") in KINDS else kind


def _differences(before: Any, after: Any, words: Words) -> Iterator[Difference]:
    if not isinstance(before, Mapping) and not isinstance(after, Mapping):
        if before is not None or after is not None:
            yield Difference("", _value(before, words), _value(after, words))
        return
    old, new = (side if isinstance(side, Mapping) else {} for side in (before, after))
    for field in {**old, **new}:
        name = words(FIELDS[field]) if field in FIELDS else field.replace("_", " ")
        yield Difference(name, _value(old.get(field), words), _value(new.get(field), words))


def _value(value: Any, words: Words) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return words("yes") if value else words("no")
    if isinstance(value, list):
        return words(", ").join(str(_value(one, words)) for one in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{field}: {_value(one, words)}" for field, one in value.items())
    return str(value) or "–"


def _who(by: str, words: Words) -> str:
    return words("the box") if by == changes.THE_BOX else by


def _asked(name: str) -> str:
    text = request.query.getunicode(name, "") or ""
    if len(text) > 60:
        raise HTTPError(404)
    return text
