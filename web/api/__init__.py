"""The API for other programs, /api/v1: one table of operations drives its routes, its checks and its document."""
from __future__ import annotations

from functools import partial

import bottle
from bottle import HTTPError, HTTPResponse

from web.api import book, calls, contacts, document, figures, gate, phone, problems, promises, texts
from web.api.operation import Operation, rule
from web.office import Office

START = "/api/"
OPERATIONS: tuple[Operation, ...] = (
    *calls.OPERATIONS, *contacts.OPERATIONS, *texts.OPERATIONS, *promises.OPERATIONS, *phone.OPERATIONS,
    *figures.OPERATIONS)


def routes(app: bottle.Bottle, office: Office) -> None:
    for it in (*OPERATIONS, document.operation(OPERATIONS)):
        app.route(rule(it), it.method, partial(gate.answer, office, it), token="api")
    book.routes(app, office)


def problem(error: HTTPError) -> HTTPResponse:
    """What a program is told where a page would show a sentence."""
    return problems.of_error(error)


def refused(status: int) -> str:
    """The body of a refusal that the server itself gives."""
    return problems.text(status)
