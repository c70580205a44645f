"""The rules as sentences with fields in them, and the rehearsal of one over the last 30 days."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import hours, settings
from appliance.people import changes
from appliance.store import db as store
from appliance.texts import conditions, pace, rehearsal, rulebook, templates
from appliance.texts.conditions import KNOWN, NEW_CALLER, Conditions, RuleError
from appliance.texts.rehearsal import Rehearsal
from appliance.texts.rules import Rule
from web import forms
from web.language import N_, Words
from web.office import Office
from web.textwords import Writer
from web.write import measures

# What happens to the call: the word of the field, the direction and the outcomes it stands for.
HAPPENS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "missed": (N_("is missed"), "in", ("missed",)),
    "answered": (N_("was answered"), "in", ("answered",)),
    "abandoned": (N_("left the menu or the queue"), "in", ("abandoned",)),
    "busy": (N_("found every phone busy"), "in", ("busy",)),
    "rejected": (N_("was turned down"), "in", ("rejected",)),
    "voicemail": (N_("went to the machine"), "in", ("voicemail",)),
    "blocked": (N_("was blocked"), "in", ("blocked",)),
    "unanswered": (N_("came in and nobody answered"), "in", ("missed", "abandoned", "busy")),
    "in": (N_("came in"), "in", ()),
    "out-answered": (N_("went out and was answered"), "out", ("answered",)),
    "out-missed": (N_("went out and nobody answered"), "out", ("missed",)),
    "out": (N_("went out"), "out", ()),
}
WHENS = {"": N_("at any hour"), "open": N_("in opening hours"), "after hours": N_("after hours"),
         "between": N_("between")}
WHOM = {"": N_("anyone with a mobile"), NEW_CALLER: N_("a new caller"), KNOWN: N_("somebody in the book")}
FIELDS = ("name", "text", "happens", "when", "hours_from", "hours_until", "whom", "trunk", "delay_s", "expiry_min",
          "talk_longer_s", "talk_shorter_s", "ring_longer_s", "ring_shorter_s")
SECONDS = ("talk_longer_s", "talk_shorter_s", "ring_longer_s", "ring_shorter_s")
NEW = Rule("", "", N_("{shop}: sorry we missed your call. We will ring you back soon."),
           Conditions(outcomes=("missed",)))
MOST_SHOWN = 60


@dataclass(frozen=True)
class Line:
    rule: Rule
    sentence: str


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/rules", callback=lambda: _list(office), role="owner")
    app.post("/rules/move", callback=lambda: _move(office), role="owner")
    app.post("/rules/switch", callback=lambda: _switch(office), role="owner")
    app.post("/rules/remove", callback=lambda: _remove(office), role="owner")
    app.get("/rule", callback=lambda: _page(office, _new(office)), role="owner")
    app.get("/rule/<key:re:[a-z0-9-]{1,40}>", callback=lambda key: _page(office, _rule(office, key)), role="owner")
    app.post("/rule", callback=lambda: _save(office, NEW), role="owner")
    app.post("/rule/<key:re:[a-z0-9-]{1,40}>", callback=lambda key: _save(office, _rule(office, key)), role="owner")


def _list(office: Office) -> str:
    lines = [Line(rule, sentence(rule, office)) for rule in rulebook.rules(office.db)]
    return office.render("rules.html", lines=lines, settings=settings.read(office.db))


def _move(office: Office) -> HTTPResponse:
    key, place, now = forms.field("key"), forms.number_or(forms.field("place"), 1), office.clock()
    return _changed(office, lambda db: rulebook.move(db, key, place, now), key, office.words("Moved."))


def _switch(office: Office) -> HTTPResponse:
    key, is_on, now = forms.field("key"), forms.ticked("on"), office.clock()
    return _changed(office, lambda db: rulebook.switch(db, key, is_on, now), key,
                    office.words("Switched on.") if is_on else office.words("Switched off."),
                    lambda db: rulebook.switch(db, key, not is_on, now))


def _remove(office: Office) -> HTTPResponse:
    """The row itself is what Undo puts back: with its old key, so that the history keeps its name."""
    key = forms.field("key")
    row = office.db.execute("SELECT * FROM rule WHERE key = ?", (key,)).fetchone()
    kept = dict(row) if row else {}

    def back(db: Any) -> None:
        db.execute(f"INSERT OR IGNORE INTO rule ({', '.join(kept)}) VALUES ({', '.join('?' * len(kept))})",
                   tuple(kept.values()))

    return _changed(office, lambda db: rulebook.remove(db, key), key,
                    office.words("“%(name)s” removed.", name=kept.get("name", "")), back)


def _changed(office: Office, change: Any, key: str, said: str, back: Any = None) -> HTTPResponse:
    """Does it and writes it down, and so for the way back."""
    def noted(db: Any, act: Any) -> None:
        before = _told(db, key)
        act(db)
        after = _told(db, key)
        name = (after or before or {"name": key})["name"]
        if before != after:
            changes.record(db, office.by, f"rule {name}", before, after,
                           office.clock(), key)

    try:
        with store.write(office.db) as db:
            noted(db, change)
    except RuleError as gone:
        return office.done("/rules", office.words(str(gone)))
    return office.done("/rules", said, back and (lambda db: noted(db, back)))


def _told(db: Any, key: str) -> dict[str, Any] | None:
    """A rule as the log of changes has it."""
    row = db.execute("SELECT name, is_on, text, conditions, delay_s, expiry_min, position FROM rule WHERE key = ?",
                     (key,)).fetchone()
    return dict(row) | {"is_on": bool(row["is_on"])} if row else None


def _rule(office: Office, key: str) -> Rule:
    try:
        found = rulebook.rule(office.db, key)
    except RuleError:
        found = None
    if found is None:
        raise HTTPError(404)
    return found


def _new(office: Office) -> Rule:
    """A rule to begin with; its text is in the shop's language, whoever writes it."""
    return replace(NEW, text=office.languages.choose(office.box.language, "")(NEW.text))


def _save(office: Office, old: Rule) -> str | HTTPResponse:
    given, do = {name: forms.field(name) for name in FIELDS}, forms.field("do")
    given["days"] = [day for day in forms.every("days") if day in hours.WEEKDAYS]
    try:
        wanted = _wanted(office, old, given)
        if do == "save":
            with store.write(office.db) as db:
                before = _told(db, old.key) if old.key else None
                kept = rulebook.save(db, wanted, office.clock(), _lines(office))
                changes.record(db, office.by, f"rule {kept.name}", before,
                               _told(db, kept.key), office.clock(), kept.key)
            return office.done("/rules", office.words("“%(name)s” is kept.", name=kept.name))
        checked = replace(wanted, conditions=conditions.parse(conditions.dump(wanted.conditions), _lines(office),
                                                              rulebook.group_names(office.db)))
        if wanted.text:
            templates.check(wanted.text, templates.known_fields(office.db))
    except (RuleError, templates.TemplateError) as refused:
        response.status = 400
        return _page(office, old, given, office.words(str(refused)))
    return _page(office, checked, given, rehearsed=_rehearse(office, checked))


def _page(office: Office, rule: Rule, given: Mapping[str, Any] | None = None, problem: str = "",
          rehearsed: Rehearsal | None = None) -> str:
    if given is None and "rehearse" in request.query:
        rehearsed = _rehearse(office, rule)
    given = given or _given(rule)
    lines = sorted((*rehearsed.texted, *rehearsed.refused), key=lambda line: line.at, reverse=True)[:MOST_SHOWN] \
        if rehearsed else []
    days = [(day, list(its)) for day, its in groupby(lines, lambda line: line.at.date())]
    sim = pace.sim(office.db, office.box.modems[0].name if office.box.modems else "")
    return office.render("rule.html", rule=rule, given=given, problem=problem, rehearsed=rehearsed, days=days,
                         most=MOST_SHOWN, happens=HAPPENS, whens=WHENS, whom=WHOM,
                         groups=rulebook.group_names(office.db),
                         weekdays=list(hours.WEEKDAYS), day_names=DAY_NAMES, price=sim.price_of_one,
                         lines=_lines(office), writer=Writer(office.box, office.words, office.clock()),
                         seen=given["text"].replace("{shop}", settings.read(office.db).shop_name),
                         settings=settings.read(office.db), **measures(office, given["text"]))


def _rehearse(office: Office, rule: Rule) -> Rehearsal:
    book = rulebook.instead(rulebook.rules(office.db), rule)
    return rehearsal.rehearse(office.db, office.box, book, settings.read(office.db), office.clock())


def _given(rule: Rule) -> dict[str, Any]:
    """The fields of the form as this rule fills them; what the form cannot say is kept by _wanted()."""
    it = rule.conditions
    given: dict[str, Any] = {name: "" if (value := getattr(it, name)) is None else str(value) for name in SECONDS}
    return given | {"name": rule.name, "text": rule.text, "happens": _happens(it),
                    "when": it.when or ("between" if it.hours_from else ""), "hours_from": it.hours_from or "18:00",
                    "hours_until": it.hours_until or "08:00", "whom": it.groups[0] if it.groups else "",
                    "trunk": it.trunks[0] if it.trunks else "", "days": list(it.days), "delay_s": str(rule.delay_s),
                    "expiry_min": str(rule.expiry_min)}


def _happens(it: Conditions) -> str:
    wanted = it.outcomes or {True: ("answered",), False: (), None: ()}[it.answered]
    return next((key for key, (_, direction, outcomes) in HAPPENS.items()
                 if direction == it.direction and set(outcomes) == set(wanted)), "other")


def _wanted(office: Office, old: Rule, given: Mapping[str, Any]) -> Rule:
    """The rule as the form has it. Raises RuleError for a number that is none."""
    it, whole = old.conditions, {name: _whole(office, given[name]) for name in (*SECONDS, "delay_s", "expiry_min")}
    if given["happens"] in HAPPENS:
        _, direction, outcomes = HAPPENS[given["happens"]]
        it = replace(it, direction=direction, outcomes=outcomes, answered=None)
    between = given["when"] == "between"
    it = replace(it, **{name: whole[name] for name in SECONDS}, days=tuple(given["days"]),
                 when="" if between else given["when"], hours_from=given["hours_from"] if between else "",
                 hours_until=given["hours_until"] if between else "",
                 groups=_first(it.groups, given["whom"]), trunks=_first(it.trunks, given["trunk"]))
    delay_s, expiry_min = whole["delay_s"], whole["expiry_min"]
    return replace(old, name=given["name"], text=given["text"], conditions=it,
                   delay_s=15 if delay_s is None else delay_s, expiry_min=15 if expiry_min is None else expiry_min)


def _first(before: tuple[str, ...], chosen: str) -> tuple[str, ...]:
    """What the field chose; several that were set elsewhere stay while the first of them is chosen."""
    if not chosen:
        return ()
    return before if before[:1] == (chosen,) else (chosen,)


def _whole(office: Office, text: str) -> int | None:
    try:
        return forms.number(text)
    except ValueError:
        raise RuleError(office.words("“%(given)s” is no whole number. Write digits, such as 30.", given=text)) from None


def _lines(office: Office) -> dict[str, str]:
    """The lines a call can come over, with their names: a SIM is one too."""
    names = {trunk.key: trunk.name for trunk in office.box.trunks}
    return {line: names.get(line, line) for line in rulebook.lines(office.box)}


DAY_NAMES = {"mon": N_("Mon"), "tue": N_("Tue"), "wed": N_("Wed"), "thu": N_("Thu"), "fri": N_("Fri"), "sat": N_("Sat"),
             "sun": N_("Sun")}


def sentence(rule: Rule, office: Office) -> str:
    """When a call is missed, in opening hours, from anyone with a mobile: text after 15 s."""
    it, words = rule.conditions, office.words
    happens = HAPPENS.get(_happens(it))
    parts = [words("When a call %(happens)s", happens=words(happens[0]) if happens else words("ends"))]
    if it.when:
        parts.append(words(WHENS[it.when]))
    if it.hours_from:
        parts.append(words("between %(first)s and %(last)s", first=it.hours_from, last=it.hours_until))
    if it.days:
        parts.append(words("on %(days)s", days=words.both([words(DAY_NAMES[day]) for day in it.days])))
    if it.groups:
        parts.append(words("from %(whom)s", whom=words.both([words(WHOM[group]) if group in WHOM else f"“{group}”"
                                                              for group in it.groups])))
    if it.trunks:
        names = _lines(office)
        parts.append(words("over %(lines)s", lines=words.both([names.get(trunk, trunk) for trunk in it.trunks])))
    parts += _spans(it, words)
    if not rule.text:
        return words("%(when)s: no text.", when=words(", ").join(parts))
    return words("%(when)s: wait %(seconds)s s, then text.", when=words(", ").join(parts), seconds=rule.delay_s)


def _spans(it: Conditions, words: Words) -> list[str]:
    said = {"talk_longer_s": N_("longer than %(n)s s"), "talk_shorter_s": N_("shorter than %(n)s s"),
            "ring_longer_s": N_("after ringing for more than %(n)s s"),
            "ring_shorter_s": N_("after ringing for less than %(n)s s")}
    return [words(message, n=value) for name, message in said.items() if (value := getattr(it, name)) is not None]
