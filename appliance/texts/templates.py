"""Texts with fields: {name}, {company}, {shop} or a contact's own, and {name|there} for those who have none."""
from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

BUILT_IN = ("name", "first_name", "company", "number", "shop")
_FIELD = re.compile(r"\{([^{}]*)\}")


class TemplateError(Exception):
    """The text cannot be filled in; the sentence names the field."""


@dataclass(frozen=True)
class Template:
    """A text kept for use; a canned one is a quick answer in a conversation."""

    id: int
    name: str
    text: str
    is_canned: bool


def used(text: str) -> list[str]:
    """The fields the text names, each once, in lower case and in order."""
    return list(dict.fromkeys(_parted(match[1])[0] for match in _FIELD.finditer(text)))


def check(text: str, known: Collection[str]) -> None:
    """Raises TemplateError for {} and for a field that is not in `known`, with the nearest one that is."""
    if not text.strip():
        raise TemplateError("The text is empty. Write what they shall read.")
    names = sorted({name.lower() for name in known})
    for name in used(text):
        if not name:
            raise TemplateError("The text holds {} without a field's name. Write {name}, or leave the braces out.")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"Did you mean {{{near[0]}}}?" if near else f"There are {', '.join(f'{{{n}}}' for n in names)}."
            raise TemplateError(f"There is no field {{{name}}}. {hint}")


def render(text: str, fields: Mapping[str, str], fallbacks: Mapping[str, str] | None = None) -> str:
    """The text with every field filled in: the person's value, else what stands behind | in it, else `fallbacks`.

    Field names are read in any case. Raises TemplateError naming the field that stays without a value.
    """
    values = {name.lower(): value.strip() for name, value in fields.items()}

    def value(match: re.Match[str]) -> str:
        name, fallback = _parted(match[1])
        if found := values.get(name):
            return found
        if fallback is None:
            fallback = (fallbacks or {}).get(name)
        if fallback is None:
            written = f"{{{match[1].strip()}}}"
            raise TemplateError(f"{written} stays empty for this one. Write {{{name}|…}} with what to say instead."
                                if name else "The text holds {} without a field's name.")
        return fallback

    return _FIELD.sub(value, text).strip()


def listed(db: sqlite3.Connection) -> list[Template]:
    """Every template by name."""
    return [Template(row["id"], row["name"], row["text"], bool(row["is_canned"])) for row in db.execute("""
        SELECT id, name, text, is_canned
        FROM template
        ORDER BY name COLLATE NOCASE""")]


def save(db: sqlite3.Connection, name: str, text: str, known: Collection[str], is_canned: bool = False,
         template_id: int | None = None) -> int:
    """The id of the template kept, a new one or `template_id`. Runs inside the caller's write().

    Raises TemplateError for an empty or taken name and for a text with unknown fields.
    """
    name = " ".join(name.split())
    if not name:
        raise TemplateError("A template needs a name.")
    check(text, known)
    try:
        if template_id is None:
            row = db.execute("INSERT INTO template (name, text, is_canned) VALUES (?, ?, ?)", (name, text, is_canned))
            return int(row.lastrowid or 0)
        if not db.execute("UPDATE template SET name = ?, text = ?, is_canned = ? WHERE id = ?",
                          (name, text, is_canned, template_id)).rowcount:
            raise TemplateError("This template was deleted meanwhile. Save it as a new one.")
    except sqlite3.IntegrityError as taken:
        raise TemplateError(f"There is a template {name!r} already.") from taken
    return template_id


def delete(db: sqlite3.Connection, template_id: int) -> None:
    """Campaigns and rules keep the words they took from it."""
    db.execute("DELETE FROM template WHERE id = ?", (template_id,))


def known_fields(db: sqlite3.Connection) -> set[str]:
    """The fields a text may name: the built-in ones and every one that some contact has."""
    return {*BUILT_IN, *(row["name"].lower() for row in db.execute("SELECT DISTINCT name FROM contact_field"))}


def _parted(inner: str) -> tuple[str, str | None]:
    name, bar, fallback = inner.partition("|")
    return name.strip().lower(), fallback.strip() if bar else None
