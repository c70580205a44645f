"""Orders to the telephone: dial, hold, pass on, park, hang up. Another program asks, the calls daemon does."""
from __future__ import annotations

from typing import Any

from appliance.calls import phone
from appliance.calls.phone import OrderError
from appliance.store import db as store
from web.api import answers
from web.api.operation import Asked, Operation
from web.api.problems import Problem
from web.api.shapes import Schema

ORDER: Schema = {
    "type": "object", "required": ["kind", "extension"], "additionalProperties": False, "properties": {
        "kind": {"type": "string", "enum": ["dial", *phone.ON_A_CALL]},
        "extension": {"type": "string", "minLength": 1, "maxLength": 20,
                      "description": "The desk phone: it rings first, or it is the one that talks."},
        "call_id": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1, "description": "Of every kind but dial."},
        "target": {"type": "string", "maxLength": 40,
                   "description": "Whom to dial, transfer to or consult: a number, or another extension."}}}


def _order(asked: Asked) -> dict[str, Any]:
    given, box = asked.body, asked.office.box
    target = given.get("target", "")
    if given["kind"] != "dial" and "call_id" not in given:
        raise Problem(422, "Say which call: call_id.")
    try:
        with store.write(asked.office.db) as db:
            if given["kind"] == "dial":
                made = phone.dial(db, box, given["extension"], target, asked.by, asked.now)
            else:
                made = phone.ask(db, box, given["kind"], given["call_id"], given["extension"], target, asked.by,
                                 asked.now)
    except OrderError as refused:
        raise Problem(422, str(refused)) from None
    return answers.order(_one(asked, made))


def _get(asked: Asked) -> dict[str, Any]:
    return answers.order(_one(asked, asked.id("order_id")))


def _one(asked: Asked, order_id: int) -> phone.Order:
    found = phone.order(asked.office.db, order_id)
    if found is None:
        raise Problem(404)
    return found


OPERATIONS = (
    Operation("POST", "/phone/orders", "orderPhone", "Asks something of the telephone; ask again what became of it",
              "staff", _order, "Order", 202, body=ORDER, is_costly=True),
    Operation("GET", "/phone/orders/{order_id}", "getOrder", "An order and what became of it", "staff", _get, "Order"),
)
