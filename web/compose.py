"""A group text is composed: the form, what would happen, and the confirmation of exactly that."""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import bottle
from bottle import HTTPResponse, request, response

from appliance import hours, settings
from appliance.people import changes, groups
from appliance.store import db as store
from appliance.texts import alphabet, campaigns, lists, schedule, templates
from appliance.texts.campaigns import CampaignError, Preview, Wish
from web import forms
from web.office import Office
from web.textwords import Writer
from web.write import measures

FIELDS = ("name", "text", "list", "company", "rang_within_days", "not_texted_within_days", "kind", "day", "hour",
          "delay_min", "weekday", "weekly_hour", "month_day", "monthly_hour", "birthday_hour", "until",
          "late_limit_min", "a_day", "sim", "person")
NUMBERS = ("rang_within_days", "not_texted_within_days", "delay_min", "month_day", "late_limit_min", "a_day")
FIRST_PERCENT = 5        # of the people, when the first go ahead
LONGEST_LIST = 900_000
NAME_LENGTH = 40         # of the text, when nobody gave a name
MOST_SHOWN = 200         # exclusions on the page; the count is of all


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/campaigns/new", callback=lambda: _page(office, _empty(office)))
    app.post("/campaigns/new", callback=lambda: _compose(office))


def _empty(office: Office) -> dict[str, Any]:
    tomorrow = office.words.local(office.clock()) + timedelta(days=1)
    given: dict[str, Any] = dict.fromkeys(FIELDS, "")
    template = forms.asked_id("template")
    kept = next((kept for kept in templates.listed(office.db) if kept.id == template), None)
    return given | {"name": kept.name if kept else "", "text": kept.text if kept else "", "kind": "now",
                    "day": f"{tomorrow:%Y-%m-%d}", "hour": "10:00", "delay_min": "60", "weekday": "0",
                    "weekly_hour": "10:00", "month_day": "1", "monthly_hour": "10:00", "birthday_hour": "10:00",
                    "late_limit_min": "60", "groups": set(), "everyone": False, "first": False, "rows": ""}


def _compose(office: Office) -> str | HTTPResponse:
    given = {name: forms.field(name, LONGEST_LIST if name == "list" else forms.LONGEST) for name in FIELDS}
    given |= {"groups": set(forms.every("group")), "everyone": forms.ticked("everyone"), "first": forms.ticked("first"),
              "rows": forms.field("rows", LONGEST_LIST)}
    do, problem = forms.field("do"), ""
    if do == "plain" and (plainer := alphabet.replacements(given["text"])):
        given["text"] = plainer.text
    try:
        given["rows"] = _file(office) or given["rows"]
        if forms.ticked("drop_rows"):
            given["rows"] = ""
        wish = _wish(office, given)
        if do == "confirm":
            try:
                campaign_id = campaigns.confirm(office.db, office.box, forms.field("hash"), wish, office.clock())
                with store.write(office.db) as db:
                    changes.record(db, office.by, f"campaign {wish.name}", None,
                                   {"text": wish.text, "when": schedule.words(wish.schedule)}, office.clock(),
                                   campaign_id)
                return office.done(f"/campaign/{campaign_id}", office.words("Confirmed. It goes as you saw it."))
            except CampaignError as changed:
                response.status, problem = 409, office.words(str(changed))
        preview = campaigns.preview(office.db, office.box, wish, office.clock())
    except (CampaignError, lists.ListError) as refused:
        if do == "look":                # asked by the script while somebody still writes
            return _page(office, given, hint=office.words(str(refused)))
        response.status = 400
        return _page(office, given, office.words(str(refused)))
    return _page(office, given, problem, preview)


def _page(office: Office, given: dict[str, Any], problem: str = "", preview: Preview | None = None,
          hint: str = "") -> str:
    reasons = Counter(_reason(exclusion.reason) for exclusion in preview.exclusions).most_common() if preview else []
    return office.render("compose.html", given=given, problem=problem, hint=hint, preview=preview, reasons=reasons,
                         seen=_seen(preview, given["person"]) if preview else None, most=MOST_SHOWN,
                         row_count=len(_rows(given["rows"])), groups=groups.listed(office.db),
                         templates=[kept for kept in templates.listed(office.db) if not kept.is_canned],
                         fields=sorted(templates.known_fields(office.db)), sims=[m.name for m in office.box.modems],
                         weekdays=schedule.WEEKDAYS, writer=Writer(office.box, office.words, office.clock()),
                         done_by=_done_by(office, preview), **measures(office, given["text"]))


def _wish(office: Office, given: Mapping[str, Any]) -> Wish:
    """The campaign as it was filled in. Raises CampaignError for a number that is none."""
    counts: dict[str, int | None] = {}
    for name in NUMBERS:
        try:
            counts[name] = forms.number(given[name])
        except ValueError:
            raise CampaignError(office.words("“%(given)s” is no whole number. Write digits, such as 30.",
                                             given=given[name])) from None
    audience: dict[str, Any] = {
        "everyone": given["everyone"],
        "groups": sorted(int(group) for group in given["groups"] if forms.ID.fullmatch(group)),
        "rang_within_days": counts["rang_within_days"], "not_texted_within_days": counts["not_texted_within_days"],
        "company": given["company"], "rows": [*lists.pasted(given["list"]), *_rows(given["rows"])]}
    if len(audience["groups"]) < len(given["groups"]):
        raise CampaignError("A group you chose was deleted meanwhile. Choose again.")
    percent = FIRST_PERCENT if given["first"] else 0
    late = counts["late_limit_min"]
    name = given["name"] or " ".join(given["text"].split())[:NAME_LENGTH] or office.words("Group text")
    return Wish(name, given["text"], audience, _schedule(given, counts), 60 if late is None else late, percent,
                counts["a_day"], given["sim"] or None)


def _schedule(given: Mapping[str, Any], counts: Mapping[str, int | None]) -> dict[str, Any]:
    kind, until = given["kind"], given["until"]
    if kind == "at":
        return {"kind": kind, "at": f"{given['day']}T{given['hour']}" if given["day"] or given["hour"] else ""}
    if kind == "after":
        return {"kind": kind, "delay_min": counts["delay_min"]}
    if kind == "weekly":
        weekday = int(given["weekday"]) if given["weekday"] in set("0123456") else None
        return {"kind": kind, "weekday": weekday, "time": given["weekly_hour"], "until": until}
    if kind == "monthly":
        return {"kind": kind, "day": counts["month_day"], "time": given["monthly_hour"], "until": until}
    if kind == "birthday":
        return {"kind": kind, "time": given["birthday_hour"], "until": until}
    return {"kind": kind or "now"}


def _file(office: Office) -> str:
    """The rows of a list that came as a file, as the form carries them on; "" when none came."""
    upload = request.files.get("file")
    content = upload.file.read(lists.LARGEST_BYTES + 1) if upload is not None else b""
    return json.dumps(lists.read_csv(content, office.box.country), ensure_ascii=False) if content else ""


def _rows(text: str) -> list[dict[str, str]]:
    """The rows that the form carried; none of a text that is not ours."""
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return []
    if not isinstance(rows, list):
        return []
    return [{str(key): str(value) for key, value in row.items()} for row in rows if isinstance(row, dict)]


def _seen(preview: Preview, person: str) -> dict[str, Any] | None:
    """The text as one named person sees it, and which one comes next."""
    if not preview.recipients:
        return None
    place = (forms.number_or(person, 0)) % len(preview.recipients)
    one = preview.recipients[place]
    return {"name": one.name, "number": one.number, "text": preview.texts[place],
            "next": (place + 1) % len(preview.recipients)}


def _reason(reason: str) -> str:
    """Reasons that name the number or the field count as one."""
    if "stays empty" in reason:
        return "A field of the text stays empty."
    return "Is no telephone number." if "number" in reason and "'" in reason else reason


def _done_by(office: Office, preview: Preview | None) -> str:
    """When the last one goes, if that lies inside the hours of group texts: beyond them nobody can promise it."""
    if preview is None or preview.first_at is None or preview.cost.minutes > 24 * 60:
        return ""
    at, set_ = preview.first_at + timedelta(minutes=preview.cost.minutes), settings.read(office.db)
    for moment in (preview.first_at, at):
        if set_.broadcast_from != set_.broadcast_until and not hours.is_between(
                set_.broadcast_from, set_.broadcast_until, office.words.local(moment)):
            return ""
    return Writer(office.box, office.words, office.clock()).when(at)
