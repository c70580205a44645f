"""What a form brought, read with care: a browser may send anything."""
from __future__ import annotations

import re

from bottle import HTTPError, request

LONGEST = 4000
WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
ID = re.compile(r"[0-9]{1,18}", re.ASCII)


class Given(dict[str, str]):
    """What a form was given, or what is wrong with it; "" for a field that nothing is said of."""

    def __missing__(self, key: str) -> str:
        return ""


def field(name: str, longest: int = LONGEST) -> str:
    """The text of a field without space around it; "" when it was not sent or is not text."""
    given: str = request.forms.getunicode(name, "").replace("\r\n", "\n").strip()[:longest]
    return "".join(letter for letter in given if letter.isprintable() or letter == "\n")


def every(name: str, most: int = 500) -> list[str]:
    """The values of a field that may be there several times, such as ticked boxes."""
    found = []
    for raw in request.forms.getall(name)[:most]:
        try:
            found.append(raw.encode("latin1").decode() if request.forms.recode_unicode else raw)
        except UnicodeError:
            continue
    return [value for value in found if value]


def ticked(name: str) -> bool:
    return field(name) == "1"


def row_id(name: str = "id") -> int:
    """The id of a row that a button of ours carries; 400 when it is none."""
    text = field(name)
    if not ID.fullmatch(text):
        raise HTTPError(400)
    return int(text)


def asked_id(name: str) -> int | None:
    """An id from the address, None when it is not there; 404 when it is none."""
    text = request.query.get(name, "")
    if text and not ID.fullmatch(text):
        raise HTTPError(404)
    return int(text) if text else None


def number(text: str) -> int | None:
    """A whole number, None for an empty text. Raises ValueError for anything else."""
    if not text:
        return None
    if not WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def number_or(text: str, otherwise: int) -> int:
    return int(text) if WHOLE.fullmatch(text) else otherwise
