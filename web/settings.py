"""The settings: a page a section, its fields from one table, saved together, effective at once, and the way back."""
from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache

import bottle
from bottle import HTTPError, HTTPResponse, response

from appliance import chosen, settings
from web import forms, settings_hours
from web import settings_fields as table
from web.office import Office, go
from web.settings_fields import SECTIONS, Field, Wrong
from web.settings_keep import keep

AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/settings", callback=lambda: _first(office), role="installer")
    for name, (*_, role) in SECTIONS.items():
        app.get(f"/settings/{name}", callback=_bound(_page, office, name), role=role)
        app.post(f"/settings/{name}", callback=_bound(_save, office, name), role=role)
    settings_hours.routes(app, office, lambda **given: _page(office, "hours", **given))


def _bound(act: Callable[[Office, str], str | HTTPResponse], office: Office, name: str) -> Callable[[], object]:
    return lambda: act(office, name)


def _first(office: Office) -> HTTPResponse:
    return go(f"/settings/{table.sections(office.may)[0]}")


def _page(office: Office, section: str, given: Mapping[str, str] | None = None,
          problems: Mapping[str, str] | None = None, **more: object) -> str:
    """The section as it stands, or as it was typed, each wrong field with its sentence."""
    rail = table.sections(office.may)
    if section not in rail:
        raise HTTPError(404)
    set_, box = settings.read(office.db), office.box
    stands = {field.key: table.shown(field, set_, box) for field in table.of(section)}
    stands |= {f"line_{trunk.key}": trunk.name for trunk in box.trunks}
    stands |= {f"phone_{phone.number}": phone.name for phone in box.extensions}
    silent = {number.strip() for number in set_.silent_phones.split(",")}
    stands |= {f"rings_{phone.number}": "" if phone.number in silent else "1" for phone in box.extensions}
    if problems:
        response.status = 400
    hours = settings_hours.view(office, set_) if section == "hours" else {}
    choices = {field.key: table.choices(field) for field in table.of(section)}
    return office.render(
        "settings.html", section=section, sections=rail, all_sections=SECTIONS, fields=table.of(section),
        values=forms.Given(stands | dict(given or {})), problems=forms.Given(problems or {}), choices=choices,
        countries=countries(), zones=zones(), ranges=settings.RANGES, **(hours | more))


def _save(office: Office, section: str) -> str | HTTPResponse:
    given: dict[str, str] = {}
    values: dict[str, object] = {}
    problems: dict[str, str] = {}
    for field in table.of(section):
        given[field.key] = forms.field(field.key, field.longest + 1)
        try:
            if len(given[field.key]) > field.longest:
                raise Wrong(office.words("That is too long: %(n)s letters at most.", n=field.longest))
            values[field.key] = kept(office, field, given[field.key])
        except Wrong as wrong:
            problems[field.key] = str(wrong)
    if section == "lines":
        values |= _names(office, given) | _ringing(office, given, problems)
    if section == "hours":
        values |= settings_hours.week(office, given, problems)
    if problems:
        return _page(office, section, given, problems)
    return keep(office, values, f"/settings/{section}")


def kept(office: Office, field: Field, raw: str) -> object:
    """The value to keep; "" for what is as box.toml has it, so that a new box.toml counts."""
    value = table.value_of(field, raw, office.box, office.words)
    if field.key not in chosen.KEYS:
        return value
    given = ", ".join(office.given.own_numbers) if field.key == "own_numbers" else getattr(office.given, field.key)
    return "" if value == given else value


def _names(office: Office, given: dict[str, str]) -> dict[str, object]:
    lines, phones = {}, {}
    for prefix, names, rows in (("line_", lines, [(t.key, t.name) for t in office.given.trunks]),
                                ("phone_", phones, [(e.number, e.name) for e in office.given.extensions])):
        for key, name in rows:
            given[prefix + key] = forms.field(prefix + key, chosen.LONGEST_NAME)
            typed = " ".join(given[prefix + key].split())
            if typed and typed != name:
                names[key] = typed
    return {"line_names": chosen.written(lines), "extension_names": chosen.written(phones)}


def _ringing(office: Office, given: dict[str, str], problems: dict[str, str]) -> dict[str, object]:
    """Which telephones calls from outside do not ring; one has to."""
    if not forms.ticked("rings"):
        return {}
    phones = [phone.number for phone in office.box.extensions]
    given |= {f"rings_{number}": forms.field(f"rings_{number}", 1) for number in phones}
    silent = [number for number in phones if given[f"rings_{number}"] != "1"]
    if phones and len(silent) == len(phones):
        problems["rings"] = office.words("At least one telephone has to ring.")
    return {"silent_phones": ", ".join(silent)}


@cache
def countries() -> list[tuple[str, int]]:
    """Each country's two letters and its code; the browser writes the names in its reader's language."""
    import phonenumbers

    return sorted((code, phonenumbers.country_code_for_region(code)) for code in phonenumbers.SUPPORTED_REGIONS)


@cache
def zones() -> list[tuple[str, list[str]]]:
    found = sorted(zoneinfo.available_timezones())
    return [(area, [name for name in found if name.startswith(area + "/")]) for area in AREAS] + [("UTC", ["UTC"])]
