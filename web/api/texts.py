"""Texts: what came and went, and one more to send."""
from __future__ import annotations

from typing import Any

from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import conversations, listing, optouts
from hw import pdu
from web.api import answers
from web.api.calls import LIMIT, _next
from web.api.operation import Asked, Operation
from web.api.problems import Problem
from web.api.shapes import ShapeError

LONGEST = 1000


def _list(asked: Asked) -> dict[str, Any]:
    given, db = asked.query, asked.office.db
    before, limit = given.get("after"), given.get("limit", 50)
    if "number" in given:
        number = numbers.e164(given["number"], asked.office.box.country)
        if number is None:
            raise ShapeError("number is a telephone number: E.164, or as it is dialled here.")
        thread = conversations.thread(db, number, before, limit)
        ids, older = [text.id for text in reversed(thread.texts)], thread.older
    else:
        page = listing.page(db, given.get("show", "all"), before, limit)
        ids, older = [text.id for text in page.texts], page.older
    return answers.page([text for sms_id in ids if (text := answers.text(db, sms_id))],
                        _next("/texts", given, str(older)) if older else None)


def _one(asked: Asked) -> dict[str, Any]:
    found = answers.text(asked.office.db, asked.id("text_id"))
    if found is None:
        raise Problem(404)
    return found


def _send(asked: Asked) -> dict[str, Any]:
    """As a person sends one: at once, by the SIM they wrote to last. Who wants no texts gets none from a program."""
    office, text = asked.office, asked.body["text"].strip()
    number = numbers.e164(asked.body["number"].strip(), office.box.country)
    if number is None or not text:
        raise Problem(422, "A telephone number is wanted, as E.164 or as it is dialled here, and a text.")
    if optouts.has(office.db, number):
        raise Problem(409, "This number wants no texts from you. Nothing was sent.")
    try:
        with store.write(office.db) as db:
            sms_id = conversations.reply(db, office.box, number, text, asked.now)
    except (conversations.ConversationError, pdu.PduError) as refused:
        raise Problem(422, str(refused)) from None
    found = answers.text(office.db, sms_id)
    assert found is not None
    return found


OPERATIONS = (
    Operation("GET", "/texts", "listTexts", "Texts, the latest first", "staff", _list, "TextPage", query={
        "number": {"type": "string", "maxLength": 40}, "show": {"type": "string", "enum": list(listing.SHOWS)},
        "limit": LIMIT, "after": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}}),
    Operation("POST", "/texts", "sendText", "Sends a text; ask for it again to see what became of it", "staff", _send,
              "Text", 202, is_costly=True, body={
                  "type": "object", "required": ["number", "text"], "additionalProperties": False, "properties": {
                      "number": {"type": "string", "minLength": 1, "maxLength": 40},
                      "text": {"type": "string", "minLength": 1, "maxLength": LONGEST}}}),
    Operation("GET", "/texts/{text_id}", "getText", "One text and its state", "staff", _one, "Text"),
)
