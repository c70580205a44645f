"""An answer that says no, as RFC 9457 has it: a status, a title, a sentence."""
from __future__ import annotations

import json
from http import HTTPStatus

from bottle import HTTPError, HTTPResponse, request

KIND = "application/problem+json"
SENTENCES = {
    400: "That did not arrive whole. Nothing was changed.",
    401: "A token is wanted: Authorization: Bearer dbk_… The owner makes one on the page Programs.",
    403: "This token may not do that. The owner gives one that may on the page Programs.",
    404: "There is no such thing. It may have been deleted.",
    405: "This address takes another method. The document /api/v1/openapi.json names it.",
    413: "That is too much at once: 64 kB at most. Nothing was changed.",
    421: "This box does not know that name. Use its address, or add the name to hosts under [web] in box.toml.",
    429: "Too many requests. Wait as long as Retry-After says.",
    500: "Something broke here. Calls still ring and are still written down.",
    503: "The box cannot do that now. Calls still ring. Try again in a minute.",
}


class Problem(Exception):
    """A request was refused; the text says why. headers: further ones of the answer."""

    def __init__(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(detail or SENTENCES.get(status, ""))
        self.status, self.headers = status, headers or {}


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    """A body that was not read is not waited for: the connection ends with this answer."""
    if float(request.environ.get("CONTENT_LENGTH") or 0) > 0 and not request.environ.get("deskbell.read") \
            or "HTTP_TRANSFER_ENCODING" in request.environ:
        request.environ["deskbell.request"].close_connection = True
    return HTTPResponse(text(status, detail), status, {
        "Content-Type": KIND, **({"WWW-Authenticate": "Bearer"} if status == 401 else {}), **(headers or {})})


def text(status: int, detail: str = "") -> str:
    title = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Refused"
    return json.dumps({"type": "about:blank", "title": title, "status": status,
                       "detail": detail or SENTENCES.get(status, SENTENCES[500 if status >= 500 else 400])},
                      ensure_ascii=False)


def of_error(error: HTTPError) -> HTTPResponse:
    """What a program is told where a page would show a sentence."""
    return answer(error.status_code, "", dict(error.headers.items()) if error.status_code == 405 else None)
