"""A row of a file as a card that can be written, by the rules of a card that is typed; or why it cannot be used."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from appliance.people import cards, numbers
from appliance.people.cards import LONGEST, MOST_FIELDS, MOST_NUMBERS, MOST_TAGS, ContactError
from appliance.people.groups import LONGEST_NAME as LONGEST_GROUP
from appliance.people.transfer import Item, Line, Ready
from appliance.people.transfer_columns import listed

NO = {"", "0", "no", "n", "false", "off", "-", "否", "нет", "ложь", "non", "faux", "nein", "falsch", "f"}
SHORTENED = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
SPLIT = re.compile(r"\s*(?:[;,\n|]|:::)\s*")
EXTENSION = re.compile(r"\s*(?:ext\.?|x|#|доб\.?|poste|durchwahl)\s*\d{1,6}$", re.IGNORECASE)
LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0002ffff]")
LONGEST_NOTE = 4000


def clean(text: str, longest: int) -> str:
    """As a card cleans it, quickly: most cells are empty."""
    return cards.clean(text, longest) if text else ""


def ready(line: Line, country: str) -> Ready:
    """What this line would be written as. A part that cannot be used is left out and said in `remark`."""
    if line.problem:
        return Ready(line.number, left_out=line.problem, cells=tuple(line.cells))
    said = _Said(line.items)
    theirs, wrong = _numbers(line.items, country)
    name = clean(said.name(), LONGEST["name"])
    company = clean(said.first("company"), LONGEST["company"])
    remarks = wrong
    if not name:
        name, company = company, ""
    left_out = ""
    if not name and not theirs:
        left_out = wrong[0] if wrong else "Neither a name nor a number stands in this row."
    elif not name:
        left_out = "This row has a number and no name."
    elif not theirs and wrong:
        left_out = wrong[0]
    if left_out:
        return Ready(line.number, left_out=left_out, cells=tuple(line.cells))
    try:
        birthday = cards.birthday(said.first("birthday"))
    except ContactError as refused:
        birthday = None
        remarks.append(str(refused))
    is_blocked = said.is_yes("blocked")
    return Ready(
        line.number, name, clean(said.first("other_name"), LONGEST["other_name"]) or None, company or None,
        cards.clean_lines(said.address(), LONGEST["address"]) or None, birthday, said.is_yes("vip"), is_blocked,
        (clean(said.first("blocked_reason"), LONGEST["blocked_reason"]) or None) if is_blocked else None,
        tuple(theirs.items())[:MOST_NUMBERS], tuple(_fields(line.items).items())[:MOST_FIELDS],
        tuple(said.listed("tags", LONGEST["tag"]))[:MOST_TAGS], tuple(said.listed("groups", LONGEST_GROUP)),
        said.all("note")[:LONGEST_NOTE], remark=" ".join(remarks),
        cells=tuple(line.cells) if remarks else ())


class _Said:
    """What a row says, by target."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._of: dict[str, list[str]] = {}
        for item in items:
            self._of.setdefault(item.target, []).append(item.value)

    def first(self, target: str) -> str:
        return next((value for value in self._of.get(target, ()) if value.strip()), "")

    def all(self, target: str) -> str:
        return "\n".join(value.strip() for value in self._of.get(target, ()) if value.strip())

    def is_yes(self, target: str) -> bool:
        return self.first(target).strip().casefold() not in NO

    def listed(self, target: str, longest: int) -> Iterator[str]:
        seen = set()
        for value in self._of.get(target, ()):
            for name in (clean(raw, longest) for raw in listed(value)):
                if name and name.casefold() not in seen:
                    seen.add(name.casefold())
                    yield name

    def name(self) -> str:
        """The name as one; from its parts when it has only those, the family name first in Chinese."""
        if whole := self.first("name"):
            return whole
        first, middle, last = (self.first(part) for part in ("first", "middle", "last"))
        if CHINESE.search(first + last) and not LATIN.search(first + last):
            return last + middle + first
        return " ".join(part for part in (first, middle, last) if part)

    def address(self) -> str:
        """As lines: street, postcode and town, country; or what was given as one."""
        town = " ".join(part for part in (self.first("zip"), self.first("city")) if part)
        return "\n".join(part for part in (self.all("address"), self.all("street"), town, self.first("state"),
                                           self.first("land")) if part)


def _fields(items: Iterable[Item]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        if item.target == "field":
            name, value = clean(item.label, LONGEST["field"]), clean(item.value, LONGEST["value"])
            if name and value:
                found.setdefault(name, value)
    return found


def _numbers(items: Iterable[Item], country: str) -> tuple[dict[str, str], list[str]]:
    """E.164 → label of the numbers, and a sentence for each that is none."""
    theirs: dict[str, str] = {}
    wrong: list[str] = []
    for item in items:
        if item.target != "number":
            continue
        whole = _e164(item.value, country)
        for raw in [item.value] if whole else SPLIT.split(item.value):
            number = whole or _e164(raw, country)
            if number:
                theirs.setdefault(number, clean(item.label, LONGEST["label"]))
            elif raw.strip():
                wrong.append(_why_none(raw))
    return theirs, wrong


def _e164(raw: str, country: str) -> str | None:
    """The number; also one that lost its plus in Excel, or has an extension behind it."""
    raw = raw.strip().strip("'\"")
    found = numbers.e164(raw, country)
    if not found and raw.isascii() and raw.isdigit() and len(raw) >= 10:
        found = numbers.e164("+" + raw, country)
    if not found and (bare := EXTENSION.sub("", raw)) != raw:
        found = numbers.e164(bare, country)
    return found


def _why_none(raw: str) -> str:
    raw = clean(raw, 40)
    if SHORTENED.fullmatch(raw):
        return (f"Excel shortened this number to {raw}, its digits are lost. Make the column text in Excel and save "
                "it again.")
    return f"“{raw}” is not a telephone number here."
