"""Groups of customers: made, renamed, deleted, who is in them."""
from __future__ import annotations

import re

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance.people import groups, search
from appliance.people.groups import Group, GroupError
from appliance.store import db as store
from web import forms
from web.customers import LONGEST_SEARCH
from web.office import Office
from web.textwords import Writer
from web.undo import InSteps

PAGE, FOUND = 50, 50
ID = re.compile(r"[0-9a-f-]{36}")
ONE = "/customers/group/<group_id:int>"


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/customers/groups", callback=lambda: _list(office))
    app.post("/customers/groups", callback=lambda: _add(office))
    app.get(ONE, callback=lambda group_id: _one(office, group_id))
    app.post(ONE, callback=lambda group_id: _rename(office, group_id))
    app.post(ONE + "/delete", callback=lambda group_id: _delete(office, group_id))
    app.post(ONE + "/put", callback=lambda group_id: _put(office, group_id))
    app.post(ONE + "/take", callback=lambda group_id: _take(office, group_id))


def _list(office: Office, problem: str = "", name: str = "") -> str:
    return office.render("groups.html", groups=groups.listed(office.db), problem=problem, name=name,
                         longest=groups.LONGEST_NAME)


def _add(office: Office) -> str | HTTPResponse:
    assert office.session is not None
    name = forms.field("name", 200)
    try:
        with store.write(office.db) as db:
            group_id = groups.add(db, name)
            groups.told(db, office.session.user, None, name, office.clock(), group_id)
    except GroupError as refused:
        response.status = 400
        return _list(office, office.words(str(refused)), name)
    return office.done(f"/customers/group/{group_id}", office.words("The group “%(name)s” is made.", name=name),
                       lambda db: groups.delete(db, group_id))


def _group(office: Office, group_id: int) -> Group:
    found = next((one for one in groups.listed(office.db) if one.id == group_id), None)
    if found is None:
        raise HTTPError(404)
    return found


def _one(office: Office, group_id: int, problem: str = "", name: str = "") -> str:
    group, after = _group(office, group_id), request.query.get("after", "")
    text = request.query.getunicode("q", "").strip()[:LONGEST_SEARCH]
    page = search.page(office.db, office.box.country, search.Filter(group=group_id), after or None, PAGE)
    found = search.search(office.db, text, FOUND, office.box.country) if text else []
    inside = groups.among(office.db, group_id, [one.id for one in found])
    return office.render("group.html", group=group, page=page, after=after, text=text, found=found, inside=inside,
                         problem=problem, name=name or group.name, longest=groups.LONGEST_NAME,
                         writer=Writer(office.box, office.words, office.clock()))


def _rename(office: Office, group_id: int) -> str | HTTPResponse:
    assert office.session is not None
    group, name = _group(office, group_id), forms.field("name", 200)
    try:
        with store.write(office.db) as db:
            groups.rename(db, group_id, name)
            groups.told(db, office.session.user, group.name, name, office.clock(), group_id)
    except GroupError as refused:
        response.status = 400
        return _one(office, group_id, office.words(str(refused)), name)
    return office.done(f"/customers/group/{group_id}",
                       office.words("“%(old)s” is called “%(new)s” now.", old=group.name, new=name),
                       lambda db: groups.rename(db, group_id, group.name))


def _delete(office: Office, group_id: int) -> HTTPResponse:
    assert office.session is not None
    group = _group(office, group_id)
    members = groups.members(office.db, group_id)
    groups.empty(office.db, group_id)
    with store.write(office.db) as db:
        groups.delete(db, group_id)
        groups.told(db, office.session.user, group.name, None, office.clock(), group_id)
    return office.done("/customers/groups",
                       office.words("The group “%(name)s” is deleted. Its people stay.", name=group.name),
                       InSteps(lambda db: groups.put_back(db, group_id, group.name, members)))


def _chosen() -> list[str]:
    return [one for one in forms.every("contact") if ID.fullmatch(one)]


def _put(office: Office, group_id: int) -> HTTPResponse:
    group, chosen = _group(office, group_id), _chosen()
    new = [one for one in chosen if one not in groups.among(office.db, group_id, chosen)]
    try:
        with store.write(office.db) as db:
            groups.put(db, group_id, new)
    except GroupError as refused:
        return office.done(f"/customers/group/{group_id}", office.words(str(refused)))
    return office.done(f"/customers/group/{group_id}", office.words.plural(
        "%(n)s person is in “%(name)s” now.", "%(n)s people are in “%(name)s” now.", len(new), name=group.name),
        lambda db: groups.take_out(db, group_id, new))


def _take(office: Office, group_id: int) -> HTTPResponse:
    group, chosen = _group(office, group_id), _chosen()
    had = [one for one in chosen if one in groups.among(office.db, group_id, chosen)]
    with store.write(office.db) as db:
        groups.take_out(db, group_id, had)
    return office.done(f"/customers/group/{group_id}", office.words.plural(
        "%(n)s person is out of “%(name)s”.", "%(n)s people are out of “%(name)s”.", len(had), name=group.name),
        lambda db: groups.put(db, group_id, had))
