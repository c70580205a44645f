"""Who is owed a call, and the promised call-backs."""
from __future__ import annotations

from typing import Any

from appliance.calls import owed, tocall
from appliance.calls.tocall import Callback, CallbackError
from appliance.people import numbers
from appliance.store import db as store
from web.api import answers
from web.api.operation import Asked, Operation
from web.api.problems import Problem
from web.api.shapes import Schema, time

NUMBER: Schema = {"type": "string", "minLength": 1, "maxLength": 40}


def _owed(asked: Asked) -> dict[str, Any]:
    return answers.page([answers.owed(one) for one in owed.owed(asked.office.db, asked.now - owed.OWED_FOR)])


def _settle(asked: Asked) -> None:
    number = numbers.e164(asked.body["number"].strip(), asked.office.box.country)
    if number is None:
        raise Problem(422, "number is a telephone number: E.164, or as it is dialled here.")
    with store.write(asked.office.db) as db:
        owed.settle(db, number, asked.by, asked.now)


def _callbacks(asked: Asked) -> dict[str, Any]:
    db = asked.office.db
    return answers.page([answers.callback(one) for one in [*tocall.due(db, asked.now), *tocall.coming(db, asked.now)]])


def _promise(asked: Asked) -> dict[str, Any]:
    given = asked.body
    due_at = time(given["due_at"])
    assert due_at is not None
    try:
        with store.write(asked.office.db) as db:
            made = tocall.add(db, given["number"], given.get("about", ""), due_at, asked.by, asked.office.box.country,
                              asked.now, given.get("for_user"), given.get("call_id"))
    except CallbackError as refused:
        raise Problem(422, str(refused)) from None
    return answers.callback(_one(asked, made))


def _end(asked: Asked) -> dict[str, Any]:
    promise = _one(asked, asked.id("callback_id"))
    with store.write(asked.office.db) as db:
        if not tocall.end(db, promise.id, asked.body["state"], asked.now):
            raise Problem(409, "It was ended before.")
    return answers.callback(_one(asked, promise.id))


def _one(asked: Asked, callback_id: int) -> Callback:
    found = tocall.one(asked.office.db, callback_id)
    if found is None:
        raise Problem(404)
    return found


OPERATIONS = (
    Operation("GET", "/owed", "listOwed", "Who rang in vain and is still owed a call, the last first", "reader", _owed,
              "OwedPage"),
    Operation("POST", "/owed/settle", "settleOwed", "Nobody owes this caller a call any more", "staff", _settle,
              status=204, body={"type": "object", "required": ["number"], "additionalProperties": False,
                                "properties": {"number": NUMBER}}),
    Operation("GET", "/callbacks", "listCallbacks", "Promised call-backs that are open, the next first", "reader",
              _callbacks, "CallbackPage"),
    Operation("POST", "/callbacks", "addCallback", "Promises a call-back", "staff", _promise, "Callback", 201, body={
        "type": "object", "required": ["number", "due_at"], "additionalProperties": False, "properties": {
            "number": NUMBER, "due_at": {"type": "string", "format": "date-time"},
            "about": {"type": "string", "maxLength": tocall.LONGEST}, "for_user": {"type": "string", "maxLength": 60},
            "call_id": {"type": "integer", "minimum": 1, "maximum": 2**53}}}),
    Operation("PATCH", "/callbacks/{callback_id}", "endCallback", "Says that a promise is kept, or called off", "staff",
              _end, "Callback", body={
                  "type": "object", "required": ["state"], "additionalProperties": False, "properties": {
                      "state": {"type": "string", "enum": ["done", "cancelled"]}}}),
)
