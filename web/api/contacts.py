"""Contacts and groups."""
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from bottle import HTTPResponse

from appliance.people import before, cards, groups, links, search
from appliance.people.cards import Card, ContactError, Wish
from appliance.people.groups import GroupError
from appliance.people.transfer_vcard import write
from appliance.store import db as store
from web.api import answers
from web.api.calls import LIMIT, _next
from web.api.operation import Asked, Operation
from web.api.problems import Problem
from web.api.shapes import Schema
from web.office import header

LINE = {name: {"type": ["string", "null"], "maxLength": most} for name, most in cards.LONGEST.items()}
NUMBERS: Schema = {"type": "array", "maxItems": cards.MOST_NUMBERS, "items": {
    "type": "object", "required": ["number"], "additionalProperties": False, "properties": {
        "number": {"type": "string", "minLength": 1, "maxLength": 40}, "label": LINE["label"]}},
    "description": "E.164, or as it is dialled here. The first is the one to ring."}
FIELDS: Schema = {"type": "array", "maxItems": cards.MOST_FIELDS, "items": {
    "type": "object", "required": ["name", "value"], "additionalProperties": False, "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": cards.LONGEST["field"]},
        "value": {"type": "string", "maxLength": cards.LONGEST["value"]}}}}
CARD: dict[str, Schema] = {
    "name": {"type": "string", "minLength": 1, "maxLength": cards.LONGEST["name"]}, "other_name": LINE["other_name"],
    "company": LINE["company"], "address": LINE["address"],
    "birthday": {"type": ["string", "null"], "maxLength": 40, "description": "1984-06-03, or --06-03."},
    "is_vip": {"type": "boolean"}, "is_blocked": {"type": "boolean"}, "blocked_reason": LINE["blocked_reason"],
    "numbers": NUMBERS, "fields": FIELDS,
    "tags": {"type": "array", "maxItems": cards.MOST_TAGS,
             "items": {"type": "string", "minLength": 1, "maxLength": cards.LONGEST["tag"]}},
    "groups": {"type": "array", "maxItems": 100, "items": {"type": "integer", "minimum": 1, "maximum": 2**53},
               "description": "Their ids."}}
NEW: Schema = {"type": "object", "required": ["name"], "properties": CARD, "additionalProperties": False}
CHANGED: Schema = {"type": "object", "minProperties": 1, "properties": CARD, "additionalProperties": False}


def _list(asked: Asked) -> dict[str, Any]:
    given, db = asked.query, asked.office.db
    wanted = search.Filter(given.get("search", "").strip(), group=given.get("group"), tag=given.get("tag", ""))
    found = search.page(db, asked.office.box.country, wanted, given.get("after"), given.get("limit", 50))
    theirs = [card for one in found.found if (card := cards.card(db, one.id))]
    return answers.page([answers.contact(card) for card in theirs],
                        _next("/contacts", given, found.after) if found.after else None)


def _card(asked: Asked) -> Card:
    found = cards.card(asked.office.db, asked.path["contact_id"])
    if found is None:
        raise Problem(404)
    return found


def etag(card: Card) -> str:
    return f'"{store.iso(card.updated_at)}"'


def _told(card: Card, status: int = 200) -> HTTPResponse:
    return HTTPResponse(json.dumps(answers.contact(card), ensure_ascii=False), status,
                        {"Content-Type": "application/json", "ETag": etag(card)})


def _one(asked: Asked) -> HTTPResponse:
    card = _card(asked)
    if header("If-None-Match") == etag(card):
        return HTTPResponse(status=304, headers={"ETag": etag(card)})
    return _told(card)


def _vcard(asked: Asked) -> HTTPResponse:
    return HTTPResponse(b"".join(write([_card(asked)])), headers={"Content-Type": "text/vcard; charset=utf-8"})


def _new(asked: Asked) -> HTTPResponse:
    return _save(asked, Wish(""), None, 201)


def _change(asked: Asked) -> HTTPResponse:
    """What is left out stays. With If-Match only if nobody changed the card meanwhile."""
    card = _card(asked)
    if header("If-Match") not in ("", "*", etag(card)):
        raise Problem(412, "Somebody changed this card meanwhile. Read it again.")
    as_it_is = Wish(card.name, card.other_name or "", card.company or "", card.address or "", card.birthday or "",
                    card.is_vip, card.is_blocked, card.blocked_reason or "",
                    [(one.number, one.label or "") for one in card.numbers], card.fields, card.tags,
                    [group for group, _ in card.groups])
    return _save(asked, as_it_is, card.id, 200)


def _save(asked: Asked, wish: Wish, contact_id: str | None, status: int) -> HTTPResponse:
    given = {name: value if value is not None else "" for name, value in asked.body.items()}
    if "numbers" in given:
        given["numbers"] = [(one["number"], one.get("label") or "") for one in given["numbers"]]
    if "fields" in given:
        given["fields"] = [(one["name"], one["value"]) for one in given["fields"]]
    try:
        with store.write(asked.office.db) as db:
            kept = cards.save(db, replace(wish, **given), asked.office.box.country, asked.by, asked.now, contact_id)
    except ContactError as refused:
        raise Problem(409 if refused.owner else 422, str(refused)) from None
    links.settle(asked.office.db, 0.5)
    card = cards.card(asked.office.db, kept)
    assert card is not None
    return _told(card, status)


def _delete(asked: Asked) -> None:
    """As on the page: it can be brought back for 90 days, calls and texts stay."""
    try:
        before.delete(asked.office.db, _card(asked).id, asked.by, asked.now)
    except ContactError:
        raise Problem(404) from None
    links.settle(asked.office.db, 0.5)


def _groups(asked: Asked) -> dict[str, Any]:
    return answers.page([vars(group) for group in groups.listed(asked.office.db)])


def _new_group(asked: Asked) -> dict[str, Any]:
    try:
        with store.write(asked.office.db) as db:
            group_id = groups.add(db, asked.body["name"])
            name = " ".join(asked.body["name"].split())
            groups.told(db, asked.by, None, name, asked.now, group_id)
    except GroupError as refused:
        raise Problem(409 if "already" in str(refused) else 422, str(refused)) from None
    return {"id": group_id, "name": name, "members": 0}


OPERATIONS = (
    Operation("GET", "/contacts", "listContacts", "Contacts by name", "reader", _list, "ContactPage", query={
        "search": {"type": "string", "maxLength": 80, "description": "A part of a name, a company or a number."},
        "group": {"type": "integer", "minimum": 1, "maximum": 2**53}, "tag": {"type": "string", "maxLength": 40},
        "limit": LIMIT, "after": {"type": "string", "format": "uuid", "maxLength": 36}}),
    Operation("POST", "/contacts", "addContact", "A new contact", "staff", _new, "Contact", 201, body=NEW),
    Operation("GET", "/contacts/{contact_id}", "getContact", "One contact, with its ETag", "reader", _one, "Contact"),
    Operation("PATCH", "/contacts/{contact_id}", "changeContact", "Changes what is given; If-Match is minded", "staff",
              _change, "Contact", body=CHANGED),
    Operation("DELETE", "/contacts/{contact_id}", "deleteContact", "Deletes a contact; calls and texts stay", "staff",
              _delete, status=204),
    Operation("GET", "/contacts/{contact_id}.vcf", "getContactCard", "One contact as a vCard", "reader", _vcard,
              kind="text/vcard"),
    Operation("GET", "/groups", "listGroups", "Every group", "reader", _groups, "GroupPage"),
    Operation("POST", "/groups", "addGroup", "A new group", "staff", _new_group, "Group", 201, body={
        "type": "object", "required": ["name"], "additionalProperties": False, "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": groups.LONGEST_NAME}}}),
)
