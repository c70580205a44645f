"""The OpenAPI 3.1 document, written from the table of operations."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.box import licences
from web.api.answers import SCHEMAS
from web.api.operation import BASE, ID, IDS, NAME, Operation
from web.api.problems import KIND

ABOUT = """Calls, contacts, texts and the telephone of this office, for other programs.
Numbers are E.164, times UTC (RFC 3339), lengths milliseconds. Lists come in pages: follow `next` until it is null.
Each request carries `Authorization: Bearer dbk_…`; the owner makes such a token on the page Programs.
A request that is refused is answered by a problem (RFC 9457) whose `detail` says why in a sentence."""
MEDIA: dict[str, Any] = {"audio/*": {"schema": {}}, "text/vcard": {"schema": {"type": "string"}}}


def operation(operations: Iterable[Operation]) -> Operation:
    """The operation that gives the document itself."""
    table = tuple(operations)
    return Operation("GET", "/openapi.json", "getDocument", "This document", "reader", lambda _: document(table))


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for it in operations:
        paths.setdefault(it.path, {})[it.method.lower()] = _told(it)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Deskbell", "version": licences.version(), "description": ABOUT},
        "servers": [{"url": BASE}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}}


def _told(it: Operation) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": IDS.get(name, ID)[1]}
                  for name in NAME.findall(it.path)]
    parameters += [{"name": name, "in": "query", "schema": {
        key: value for key, value in schema.items() if key != "description"},
        **({"description": schema["description"]} if "description" in schema else {})}
        for name, schema in it.query.items()]
    told: dict[str, Any] = {
        "operationId": it.name, "summary": it.summary, "tags": [it.path.split("/")[1]],
        "description": f"For a token that may as a {it.role}.", "x-role": it.role,
        "responses": {str(it.status): _answer(it), "default": {
            "description": "It was refused; detail says why.",
            "content": {KIND: {"schema": {"$ref": "#/components/schemas/Problem"}}}}}}
    if it.kind == "audio/*":
        told["responses"]["206"] = {**_answer(it), "description": "The range that was asked for"}
    if it.name in ("getRecording", "getContact"):
        told["responses"]["304"] = {"description": "It is as you have it"}
    if parameters:
        told["parameters"] = parameters
    if it.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": it.body}}}
    return told


def _answer(it: Operation) -> dict[str, Any]:
    if it.gives:
        return {"description": it.summary,
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{it.gives}"}}}}
    return {"description": it.summary, **({"content": {it.kind: MEDIA[it.kind]}} if it.kind in MEDIA else {})}
