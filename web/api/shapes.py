"""The part of JSON Schema that the API speaks: the same words check what comes in and stand in its document."""
from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from typing import Any

Schema = dict[str, Any]

TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|z|[+ -]\d\d:\d\d)", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "array": (list,),
                                      "object": (dict,), "null": (type(None),)}
WORDS = {"string": "text", "integer": "a whole number", "boolean": "true or false", "array": "a list",
         "object": "an object", "null": "null"}


class ShapeError(Exception):
    """Something is not of the shape wanted; the text says where and what is wanted."""


def check(given: Any, schema: Schema, at: str = "The body") -> None:
    """Raises ShapeError for the first thing that does not fit."""
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type", "object")]
    if not any(type(given) in KINDS[kind] for kind in kinds):
        raise ShapeError(f"{at} is {' or '.join(WORDS[kind] for kind in kinds)}.")
    if "enum" in schema and given not in schema["enum"]:
        raise ShapeError(f"{at} is one of: {', '.join(map(_shown, schema['enum']))}.")
    if "const" in schema and given != schema["const"]:
        raise ShapeError(f"{at} is {_shown(schema['const'])} or left out.")
    if isinstance(given, str):
        _text(given, schema, at)
    elif isinstance(given, int) and not isinstance(given, bool):
        low, high = schema.get("minimum", -2**62), schema.get("maximum", 2**62)
        if not low <= given <= high:
            raise ShapeError(f"{at} goes from {low} to {high}.")
    elif isinstance(given, list):
        if len(given) > schema["maxItems"]:
            raise ShapeError(f"{at} has at most {schema['maxItems']} entries.")
        for place, item in enumerate(given):
            check(item, schema["items"], f"{at}[{place}]")
    elif isinstance(given, dict):
        _object(given, schema, at)


def from_text(raw: str, schema: Schema, at: str) -> Any:
    """A value of an address as what its schema says it is. Raises ShapeError."""
    given: Any = raw
    if schema["type"] == "integer" and WHOLE.fullmatch(raw):
        given = int(raw)
    elif schema["type"] == "boolean" and raw in ("true", "false"):
        given = raw == "true"
    check(given, schema, at)
    return time(raw) if schema.get("format") == "date-time" else given


def time(text: str) -> datetime | None:
    """A moment as RFC 3339 writes it, None when it is none. A + of an address that became a space is taken for one."""
    found = TIME.fullmatch(text)
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3].upper().replace(' ', '+')}").astimezone(UTC) \
            if found else None
    except (ValueError, OverflowError):
        return None


def near(name: str, names: list[str]) -> str:
    found = difflib.get_close_matches(name, names, 1)
    return f" Did you mean {found[0]!r}?" if found else ""


def _text(given: str, schema: Schema, at: str) -> None:
    if not schema.get("minLength", 0) <= len(given) <= schema.get("maxLength", 2000):
        raise ShapeError(f"{at} has {schema.get('minLength', 0)} to {schema.get('maxLength', 2000)} letters.")
    if any(letter < " " and letter not in "\n\r\t" or "\ud800" <= letter <= "\udfff" for letter in given):
        raise ShapeError(f"{at} holds a character that is not whole, or none that can be shown.")
    if schema.get("format") == "date-time" and time(given) is None:
        raise ShapeError(f"{at} is a time with its zone, such as 2026-11-21T20:00:00Z.")
    if schema.get("format") == "uuid" and not UUID.fullmatch(given):
        raise ShapeError(f"{at} is an id such as 00000000-0000-7000-8000-000000000001.")
    if "pattern" in schema and not re.search(schema["pattern"], given):
        raise ShapeError(f"{at} looks like {schema.get('example', schema['pattern'])}.")


def _object(given: dict[str, Any], schema: Schema, at: str) -> None:
    known = schema["properties"]
    for name in given:
        if name not in known:
            raise ShapeError(f"{at} has no field {name[:60]!r}.{near(name, list(known))}")
    for name in schema.get("required", ()):
        if name not in given:
            raise ShapeError(f"{at} lacks the field {name!r}.")
    if len(given) < schema.get("minProperties", 0):
        raise ShapeError(f"{at} is empty.")
    for name, value in given.items():
        check(value, known[name], name if at == "The body" else f"{at}.{name}")


def _shown(value: Any) -> str:
    return {True: "true", False: "false", None: "null"}.get(value, str(value)) if not isinstance(value, int | str) \
        or isinstance(value, bool) else str(value)
