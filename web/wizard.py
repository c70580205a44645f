"""The first steps, once the password is set: one question a page, each can wait, a closed browser goes on."""
from __future__ import annotations

from dataclasses import replace

import bottle
from bottle import HTTPError, HTTPResponse

from appliance import hours as shop_hours
from appliance import settings
from appliance.calls import today
from appliance.people import users
from appliance.store import db as store
from web import firstwords, forms, settings_hours, wizard_backup, wizard_guess, wizard_line, wizard_sim
from web import settings as settings_pages
from web import settings_fields as table
from web import wizard_steps as steps
from web.office import Office, go, header
from web.settings_fields import Field, Wrong
from web.settings_keep import put
from web.wizard_frame import onward, progress, show
from web.wizard_steps import DONE, LATER

YEAR_S = 365 * 24 * 3600
PLACE = ("shop_name", "country", "time_zone")
USUAL_WEEK = "Mon-Fri 09:00-18:00"        # shown to who has never said any hours; kept only if they agree


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/wizard", callback=lambda: go(f"/wizard/{_at(office)}"), role="installer")
    app.post("/wizard/later", callback=lambda: _later(office), role="installer")
    app.get("/wizard/language", callback=lambda: show(office, "language"), role="installer")
    app.post("/wizard/language", callback=lambda: _language(office), role="installer")
    app.get("/wizard/shop", callback=lambda: _shop_page(office), role="owner")
    app.post("/wizard/shop", callback=lambda: _shop(office), role="owner")
    app.get("/wizard/hours", callback=lambda: _hours_page(office), role="owner")
    app.post("/wizard/hours", callback=lambda: _hours(office), role="owner")
    for step in (wizard_line, wizard_sim, wizard_backup):
        step.routes(app, office)
    app.get("/wizard/end", callback=lambda: _end_page(office), role="installer")
    app.post("/wizard/end", callback=lambda: _end(office), role="installer")


def is_waiting(office: Office, role: str) -> bool:
    """Whether somebody of this role who comes in is led here: they were begun and never finished."""
    now = steps.read(office.db)
    return now is not None and not now.is_over and role in ("owner", "installer")


def _at(office: Office) -> str:
    keys, now = [step.key for step in steps.mine(office.may)], progress(office)
    return now.at if now.at in keys and not now.is_over else keys[0]


def _later(office: Office) -> HTTPResponse:
    key = forms.field("step", 20)
    if key not in {step.key for step in steps.mine(office.may) if step.key != "end"}:
        raise HTTPError(400)
    done = progress(office).steps.get(key) == DONE
    return onward(office, key, DONE if done else LATER)


def _language(office: Office) -> HTTPResponse:
    """The reader's language; an owner's is the box's too, and its first texts are in it."""
    wanted = forms.field("language", 10)
    if wanted not in office.languages.all:
        raise HTTPError(400)
    assert office.session is not None
    office.set_cookie("language", wanted, max_age=YEAR_S)
    with store.write(office.db) as db:
        users.set_language(db, office.session.user_id, wanted)
    if office.may("owner"):
        put(office, {"language": "" if wanted == office.given.language else wanted})
        with store.write(office.db) as db:
            firstwords.settle(db, office.box, office.languages.all[wanted], office.clock(),
                              tuple(office.languages.all.values()))
    return onward(office, "language", DONE)


# the shop and where it is


def _shop_page(office: Office, given: dict[str, str] | None = None, problems: dict[str, str] | None = None) -> str:
    set_, box = settings.read(office.db), office.box
    stands = {field.key: table.shown(field, set_, box) for field in _fields()}
    guess = _guess(office, set_)
    if not given and guess:
        zones = wizard_guess.zones().get(guess)
        stands |= {"country": guess, "time_zone": zones[0] if zones else box.time_zone}
    if not given and set_.shop_name == settings.DEFAULTS.shop_name:
        stands["shop_name"] = ""
    return show(office, "shop", 400 if problems else 200, fields=_fields(), guess=guess,
                values=forms.Given(stands | (given or {})), problems=forms.Given(problems or {}),
                countries=settings_pages.countries(), zones=settings_pages.zones(), zones_of=wizard_guess.zones(),
                is_guessed=not _is_said(office, set_))


def _is_said(office: Office, set_: settings.Settings) -> bool:
    """Whether somebody said the place already: here, in the settings or in deskbell.toml."""
    return bool(progress(office).steps.get("shop") == DONE or set_.country or set_.time_zone
                or wizard_guess.is_said(office.given))


def _guess(office: Office, set_: settings.Settings) -> str:
    if _is_said(office, set_):
        return ""
    row = office.db.execute("SELECT number FROM modem WHERE number <> '' LIMIT 1").fetchone()
    return wizard_guess.country(row["number"] if row else None, header("Accept-Language"))


def _fields() -> list[Field]:
    return [field for key in PLACE for field in table.FIELDS if field.key == key]


def _shop(office: Office) -> str | HTTPResponse:
    given = {field.key: forms.field(field.key, field.longest) for field in _fields()}
    values: dict[str, object] = {}
    problems: dict[str, str] = {}
    for field in _fields():
        try:
            values[field.key] = settings_pages.kept(office, field, given[field.key])
        except Wrong as wrong:
            problems[field.key] = str(wrong)
    if problems:
        return _shop_page(office, given, problems)
    put(office, values)
    return onward(office, "shop", DONE)


# the week


def _hours_page(office: Office, given: dict[str, str] | None = None, problems: dict[str, str] | None = None) -> str:
    set_ = settings.read(office.db)
    is_new = not set_.opening_hours and progress(office).steps.get("hours") != DONE
    shown = replace(set_, opening_hours=USUAL_WEEK) if is_new else set_
    return show(office, "hours", 400 if problems else 200, values=forms.Given(given or {}),
                problems=forms.Given(problems or {}), is_new=is_new, **settings_hours.view(office, shown))


def _hours(office: Office) -> str | HTTPResponse:
    given: dict[str, str] = {}
    problems: dict[str, str] = {}
    values = settings_hours.week(office, given, problems)
    if not problems:
        try:
            shop_hours.parse(str(values["opening_hours"]))
        except shop_hours.HoursError as wrong:
            problems["week"] = office.words(str(wrong))
    if problems:
        return _hours_page(office, given, problems)
    put(office, values)
    return onward(office, "hours", DONE)


# what is left


def _end_page(office: Office) -> str:
    look = today.look(office.db)
    return show(office, "end", left=steps.left(progress(office), office.may),
                findings=list(look.findings) if look and office.may("owner") else [])


def _end(office: Office) -> HTTPResponse:
    with store.write(office.db) as db:
        steps.keep(db, replace(progress(office), at="language", is_over=True))
    return go("/")
