"""The form that is filled in while talking: plain fields that the owner chose, kept as JSON. Pure."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

KINDS = ("text", "choice", "yes_no", "number", "date")
MOST_FIELDS = 20
MOST_CHOICES = 12
LONGEST = 1000
NUMBER = re.compile(r"-?\d{1,12}([.,]\d{1,6})?", re.ASCII)


class FormError(Exception):
    """A field or an answer does not fit; the sentence says what is wanted. key: of which field."""

    def __init__(self, sentence: str, key: str = "") -> None:
        super().__init__(sentence)
        self.key = key


@dataclass(frozen=True)
class Question:
    """One field of a form. key stays when its label changes, so that answers keep their question."""
    key: str
    kind: str
    label: str
    choices: tuple[str, ...] = ()


def checked(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The form as it is kept; questions without a label are left out. Raises FormError."""
    kept = tuple(one for one in questions if one.label)
    if len(kept) > MOST_FIELDS:
        raise FormError(f"There is room for {MOST_FIELDS} questions.")
    for one in kept:
        if one.kind not in KINDS:
            raise FormError("Choose one of the list.", one.key)
        if one.kind == "choice" and not 2 <= len(one.choices) <= MOST_CHOICES:
            raise FormError(f"“{one.label}” needs 2 to {MOST_CHOICES} answers to choose from, with commas between.",
                            one.key)
        if [other.key for other in kept].count(one.key) > 1 or not re.fullmatch(r"[a-z0-9]{1,20}", one.key):
            raise FormError("That did not arrive whole.", one.key)
    return kept


def written(questions: Sequence[Question]) -> str:
    return json.dumps([asdict(one) for one in questions], ensure_ascii=False)


def read(text: str) -> tuple[Question, ...]:
    return tuple(Question(one["key"], one["kind"], one["label"], tuple(one.get("choices", ())))
                 for one in json.loads(text))


def answers(questions: Sequence[Question], given: Mapping[str, str]) -> dict[str, str]:
    """The answers as they are kept, only those that were given. Raises FormError for one that does not fit."""
    kept = {}
    for one in questions:
        text = given.get(one.key, "").strip()
        if text:
            kept[one.key] = _answer(one, text)
    return kept


def _answer(one: Question, text: str) -> str:
    if one.kind == "choice" and text not in one.choices:
        raise FormError("Choose one of the list.", one.key)
    if one.kind == "yes_no" and text not in ("yes", "no"):
        raise FormError("Choose one of the list.", one.key)
    if one.kind == "number" and not NUMBER.fullmatch(text):
        raise FormError(f"{text[:40]!r} is no number. Write digits alone, such as 12 or 12.50.", one.key)
    if one.kind == "date":
        try:
            date.fromisoformat(text)
        except ValueError:
            raise FormError(f"{text[:40]!r} is no day. Write it like 2026-12-31.", one.key) from None
    return text[:LONGEST]
