"""Lists to call: designed by the owner, worked through one number at a time by whoever is free."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import settings
from appliance.calls import callform, calllist
from appliance.calls.callform import FormError, Question
from appliance.calls.calllist import CallList, CallListError, Entry
from appliance.people import groups
from appliance.store import db as store
from appliance.texts import audience, guards, lists, optouts, templates
from appliance.texts.audience import AudienceError
from web import forms, sheets
from web.language import N_
from web.office import Office, go
from web.textwords import Writer
from web.tocall import PAGE, local_time

OUTCOMES = {"reached": (N_("Reached"), "check", "good"), "no_answer": (N_("No answer"), "missed", ""),
            "refused": (N_("Does not want to"), "x", ""), "wrong_number": (N_("Wrong number"), "warn", "soon")}
STATES = {"open": (N_("Goes on"), "good"), "paused": (N_("Paused"), "soon"), "closed": (N_("Closed"), "")}
KINDS = {"text": N_("In words"), "choice": N_("Choice"), "yes_no": N_("Yes or no"), "number": N_("A number"),
         "date": N_("Date")}
YES_NO = {"yes": N_("Yes"), "no": N_("No")}
SPARE = 3             # empty rows below the questions there are
LONGEST_LIST = 900_000


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(f"{PAGE}/list", callback=lambda: _design(office, None), role="owner")
    app.post(f"{PAGE}/list", callback=lambda: _save(office, None), role="owner")
    app.get(f"{PAGE}/list/<list_id:int>", callback=lambda list_id: _one(office, _list(office, list_id)))
    app.get(f"{PAGE}/list/<list_id:int>/edit", callback=lambda list_id: _design(office, _list(office, list_id)),
            role="owner")
    app.post(f"{PAGE}/list/<list_id:int>/edit", callback=lambda list_id: _save(office, _list(office, list_id)),
             role="owner")
    app.post(f"{PAGE}/list/<list_id:int>/<what:re:open|paused|closed>",
             callback=lambda list_id, what: _turn(office, _list(office, list_id), what), role="owner")
    app.get(f"{PAGE}/list/<list_id:int>/answers.<format:re:csv|xlsx>",
            callback=lambda list_id, format: _export(office, _list(office, list_id), format), role="owner")
    app.post(f"{PAGE}/list/<list_id:int>/next", callback=lambda list_id: _next(office, _list(office, list_id)))
    app.get(f"{PAGE}/entry/<entry_id:int>", callback=lambda entry_id: _work(office, _mine(office, entry_id)))
    app.post(f"{PAGE}/entry/<entry_id:int>", callback=lambda entry_id: _finish(office, _mine(office, entry_id)))
    app.post(f"{PAGE}/entry/<entry_id:int>/back", callback=lambda entry_id: _give_back(office, _mine(office, entry_id)))


def _list(office: Office, list_id: int) -> CallList:
    found = calllist.get(office.db, list_id) if 0 < list_id < 2**63 else None
    if found is None:
        raise HTTPError(404)
    return found


def _one(office: Office, it: CallList) -> str:
    now = office.clock()
    excluded = office.db.execute("""
        SELECT number, name, reason FROM call_list_entry WHERE call_list_id = ? AND state = 'excluded' LIMIT 50""",
        (it.id,)).fetchall()
    assert office.session is not None
    holds = next((one for one in calllist.held(office.db, office.session.user, now) if one.call_list_id == it.id), None)
    return office.render("calllist.html", it=it, so_far=calllist.progress(office.db, it.id, now), outcomes=OUTCOMES,
                         state=STATES[it.state], lately=calllist.lately(office.db, it.id), excluded=excluded,
                         holds=holds, writer=Writer(office.box, office.words, now), kinds=KINDS)


def _design(office: Office, it: CallList | None, given: dict[str, Any] | None = None, problem: str = "",
            at: str = "") -> str:
    if problem:
        response.status = 400
    questions = list(it.form) if it else []
    if given is None:
        given = {"name": it.name if it else "", "script": it.script if it else "", "questions": questions, "list": "",
                 "groups": set(), "everyone": False, "rang_within_days": "", "company": "",
                 "max_tries": str(it.max_tries if it else 3), "pause_min": str(it.pause_min if it else 120),
                 "held_min": str(it.held_min if it else 20)}
    used = {one.key for one in given["questions"]}
    free = [f"q{n}" for n in range(1, 99) if f"q{n}" not in used]
    spare = [Question(key, "text", "") for key in free[:SPARE]]
    return office.render("calldesign.html", it=it, given=given, rows=given["questions"] + spare, problem=problem, at=at,
                         kinds=KINDS, groups=groups.listed(office.db))


def _save(office: Office, it: CallList | None) -> str | HTTPResponse:
    now = office.clock()
    given: dict[str, Any] = {key: forms.field(key, LONGEST_LIST if key == "list" else forms.LONGEST) for key in (
        "name", "script", "list", "rang_within_days", "company", "max_tries", "pause_min", "held_min")}
    given |= {"groups": set(forms.every("group")), "everyone": forms.ticked("everyone"), "questions": _questions()}
    try:
        numbers = tuple(forms.number_or(given[key], 0) for key in ("max_tries", "pause_min", "held_min"))
        wanted = _audience(office, given)
        people, excluded = [], []
        if it is None or set(wanted) & set(audience.CHOOSING):
            people, excluded = calllist.choose(office.db, wanted, office.box.country, now, _shop(office),
                                               set(guards.own_numbers(office.db, office.box)))
            if not people:
                why = f" {excluded[0].reason}" if excluded else ""
                raise AudienceError(f"Nobody of those can be rung.{why}")
        _check_script(given["script"], people)
        with store.write(office.db) as db:
            list_id = calllist.save(db, given["name"], given["script"], given["questions"], numbers, now,   # type: ignore
                                    it.id if it else None)
        added = _fill(office, list_id, people, now)
    except (CallListError, FormError, AudienceError, lists.ListError, templates.TemplateError) as refused:
        return _design(office, it, given, office.words(str(refused)), getattr(refused, "key", ""))
    said = office.words.plural("“%(name)s” is kept, %(n)s number is new in it.",
                               "“%(name)s” is kept, %(n)s numbers are new in it.", added, name=given["name"])
    return office.done(f"{PAGE}/list/{list_id}", said)


def _fill(office: Office, list_id: int, people: list[audience.Recipient], now: datetime) -> int:
    """In steps of 500: nobody's call waits for a long list."""
    added = 0
    for start in range(0, len(people), 500):
        with store.write(office.db) as db:
            added += calllist.fill(db, list_id, people[start:start + 500], now)
    return added


def _questions() -> list[Question]:
    found = []
    for key in [key for key in forms.every("q") if forms.ID.fullmatch(key[1:]) and key[0] == "q"]:
        choices = tuple(dict.fromkeys(part.strip()[:60] for part in forms.field(f"choices_{key}", 800).split(",")
                                      if part.strip()))
        kind = forms.field(f"kind_{key}", 10)
        label = " ".join(forms.field(f"label_{key}", 120).split())
        if label:
            found.append(Question(key, kind, label, choices if kind == "choice" else ()))
    return found


def _audience(office: Office, given: dict[str, Any]) -> dict[str, Any]:
    rows = lists.pasted(given["list"])
    upload = request.files.get("file")
    if upload and upload.filename:
        rows = lists.read_csv(upload.file.read(lists.LARGEST_BYTES + 1), office.box.country)
    known = {str(group.id): group.id for group in groups.listed(office.db)}
    days = forms.number_or(given["rang_within_days"], 0)
    wanted = {"everyone": given["everyone"], "groups": [known[key] for key in given["groups"] if key in known],
              "company": given["company"], "rang_within_days": days or None, "rows": rows}
    return {key: value for key, value in wanted.items() if value not in (None, "", [], False)}


def _check_script(script: str, people: list[audience.Recipient]) -> None:
    if script:
        fields = {key for one in people[:200] for key in one.fields}
        templates.check(script, {*templates.BUILT_IN, *fields, *templates.used(script)} if not people
                        else {*templates.BUILT_IN, *fields})


def _turn(office: Office, it: CallList, state: str) -> HTTPResponse:
    with store.write(office.db) as db:
        calllist.turn(db, it.id, state, office.clock())
    said = {"open": office.words("It goes on."), "paused": office.words("Paused: nobody is handed a number of it."),
            "closed": office.words("Closed. Its answers stay.")}[state]
    return office.done(f"{PAGE}/list/{it.id}", said,
                       lambda db: calllist.turn(db, it.id, it.state, office.clock()))


def _next(office: Office, it: CallList) -> HTTPResponse:
    assert office.session is not None
    try:
        with store.write(office.db) as db:
            taken = calllist.hand_out(db, it.id, office.session.user, settings.read(db),
                                      office.words.local(office.clock()))
    except CallListError as none:
        return office.done(f"{PAGE}/list/{it.id}", office.words(str(none)))
    return go(f"{PAGE}/entry/{taken.id}")


def _mine(office: Office, entry_id: int) -> Entry:
    """The entry that who is asking holds. Another one's, or one that went back, is none of his."""
    found = calllist.entry(office.db, entry_id) if 0 < entry_id < 2**63 else None
    if found is None:
        raise HTTPError(404)
    assert office.session is not None
    if found.state != "taken" or found.taken_by != office.session.user:
        raise office.done(f"{PAGE}/list/{found.call_list_id}", office.words(
            "That number is not in your hands (any more). Press Next for another."))
    return found


def _work(office: Office, it: Entry, given: dict[str, str] | None = None,
          problems: dict[str, str] | None = None) -> str:
    its_list, now = _list(office, it.call_list_id), office.clock()
    if problems:
        response.status = 400
    try:
        script = templates.render(its_list.script, _known(office, it), {"name": "…"}) if its_list.script else ""
    except templates.TemplateError:
        script = its_list.script
    before = office.db.execute("""
        SELECT id, started_at, direction, outcome FROM call WHERE number = ? ORDER BY started_at DESC LIMIT 3""",
        (it.number,)).fetchall()
    until = (it.taken_at or now) + timedelta(minutes=its_list.held_min)
    tomorrow = office.words.local(now) + timedelta(days=1)
    values = {f"a_{key}": value for key, value in it.answers.items()} | {"note": it.note, "again_day": "",
                                                                        "again_hour": f"{tomorrow:%H}:00"}
    return office.render("callentry.html", it=it, list=its_list, script=script, outcomes=OUTCOMES, yes_no=YES_NO,
                         values=forms.Given(values | (given or {})), problems=forms.Given(problems or {}), until=until,
                         before=[(row["id"], store.parse_time(row["started_at"]), row["direction"], row["outcome"])
                                 for row in before],
                         so_far=calllist.progress(office.db, its_list.id, now),
                         writer=Writer(office.box, office.words, now))


def _known(office: Office, it: Entry) -> dict[str, str]:
    return {"shop": _shop(office), **it.fields, "name": it.name, "number": it.number,
            "first_name": it.name.split()[0] if it.name.split() else ""}


def _finish(office: Office, it: Entry) -> str | HTTPResponse:
    assert office.session is not None
    its_list, now, user, words = _list(office, it.call_list_id), office.clock(), office.session.user, office.words
    given = {f"a_{one.key}": forms.field(f"a_{one.key}", callform.LONGEST) for one in its_list.form}
    given |= {key: forms.field(key, calllist.LONGEST["note"]) for key in ("note", "again_day", "again_hour", "outcome")}
    problems = {}
    answers: dict[str, str] = {}
    for one in its_list.form:
        try:
            answers |= callform.answers((one,), {one.key: given[f"a_{one.key}"]})
        except FormError as wrong:
            problems[f"a_{one.key}"] = words(str(wrong))
    again_at = None
    if given["again_day"] and given["outcome"] in ("reached", "no_answer"):
        again_at = local_time(office, given["again_day"], given["again_hour"] or "09:00")
        if again_at is None or again_at <= now:
            problems["again_day"] = words("That time is over. Choose one that is still to come.")
    if given["outcome"] not in OUTCOMES:
        problems["outcome"] = words("Choose what came of it.")
    if problems:
        return _work(office, it, given, problems)
    try:
        with store.write(office.db) as db:
            ended = calllist.finish(db, it.id, user, given["outcome"], answers, given["note"], now, again_at)
            is_new = given["outcome"] == "refused" and forms.ticked("no_texts") and optouts.add(db, it.number, "person",
                                                                                                now)
    except CallListError as lost:
        return office.done(f"{PAGE}/list/{its_list.id}", words(str(lost)))
    writer = Writer(office.box, words, now)
    said = words("%(who)s: %(outcome)s.", who=it.name or writer.number(it.number), outcome=words(
        OUTCOMES[given["outcome"]][0]))
    if ended.state == "waiting":
        said = words("%(who)s: again %(when)s.", who=it.name or writer.number(it.number),
                     when=writer.when(ended.due_at))

    def back(db: sqlite3.Connection) -> None:
        calllist.put_back(db, it, office.clock())
        if is_new:
            optouts.remove(db, it.number)
    return office.done(f"{PAGE}/list/{its_list.id}", said, back)


def _give_back(office: Office, it: Entry) -> HTTPResponse:
    assert office.session is not None
    with store.write(office.db) as db:
        calllist.give_back(db, it.id, office.session.user)
    return office.done(f"{PAGE}/list/{it.call_list_id}", office.words("Given back: whoever is next gets the number."))


def _export(office: Office, it: CallList, format: str) -> HTTPResponse:
    words = office.words
    head = [words("Number"), words("Name"), words("Outcome"), words("Tries"), words("When"), words("By"), words("Note"),
            *(one.label for one in it.form)]
    said: Callable[[Question, str], str] = lambda one, text: (     # noqa: E731
        words(YES_NO[text]) if one.kind == "yes_no" and text in YES_NO else text)

    def rows() -> Iterator[list[Any]]:
        db = store.connect(office.box.store)          # the answer is read while it is sent, after this request's own
        try:
            for one in calllist.entries(db, it.id):
                outcome = words(OUTCOMES[one.outcome][0]) if one.outcome else words(one.reason or "")
                at = words.local(one.ended_at).replace(tzinfo=None) if one.ended_at else None
                yield [one.number, one.name, outcome, one.tries, at, one.by_user or "", one.note,
                       *(said(question, one.answers.get(question.key, "")) for question in it.form)]
        finally:
            db.close()
    return sheets.answer(office, it.name, head, rows(), format)


def _shop(office: Office) -> str:
    return settings.read(office.db).shop_name
