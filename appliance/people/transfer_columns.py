"""What the columns of a table mean: guessed from their headings in five languages, then from what stands in them."""
from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from appliance.people import numbers
from appliance.people.transfer import TARGETS, Item, Line, Plan

HERE = Path(__file__).parent
EXCLUDED = ("e-mail", "email", "mail", "photo", "id", "uid")
NUMBERED = re.compile(r"(?:^| )\d{1,2}(?: - (?:value|wert|значение|valeur))?$")
OWN = "field:"
PHONE = re.compile(r"[+(]?[\d(][\d\s()./+-]{5,24}")


def _key(heading: str) -> str:
    return re.sub(r"[\s._:*#]+", " ", heading.replace("\ufeff", "").casefold()).strip()


def _read() -> Iterator[tuple[str, str]]:
    for line in (HERE / "transfer_headings.txt").read_text(encoding="utf-8").splitlines():
        target, _, told = line.partition(": ")
        if told and not line.startswith("#"):
            yield from ((target, _key(word)) for word in told.split(", "))


HEADINGS = {word: target for target, word in _read() if target != "telephone"}
TELEPHONE = {word for target, word in _read() if target == "telephone"}


def known(heading: str, more: Mapping[str, str] | None = None) -> str:
    """The target that a heading names, "" when it names none. more: what the pages write in their languages."""
    key = _key(heading)
    if heading.strip().casefold().startswith(OWN):
        return OWN + heading.strip()[len(OWN):].strip()
    bare = NUMBERED.sub("", key).strip()
    for one in (key, bare):
        if found := (more or {}).get(one) or HEADINGS.get(one):
            return found
    if re.fullmatch(r"(?:phone|telefon|tel|телефон|téléphone|电话)(?: \d+)? - (?:type|label|typ)", key):
        return "label"
    return ""


def is_numbered(name: str, headings: set[str]) -> bool:
    """Whether a name reads as one of these headings, also with a number behind it."""
    return bool({_key(name), NUMBERED.sub("", _key(name)).strip()} & headings)


def head_key(heading: str) -> str:
    """A heading in the form that `known` and `guess` compare by."""
    return _key(heading)


def guess(rows: Sequence[Sequence[str]], country: str, more: Mapping[str, str] | None = None) -> Plan:
    """Whether the first row is a head, and a target for each column; `rows` is the beginning of the table."""
    width = max((len(row) for row in rows), default=0)
    first = [*rows[0], *[""] * width][:width] if rows else []
    named = [known(heading, more) for heading in first]
    has_head = any(named) and not any(_is_number(cell, country) for cell in first)
    if not has_head and rows and len(rows) > 1:
        has_head = not any(_is_number(cell, country) for cell in first) and any(
            _is_number(cell, country) for row in rows[1:] for cell in row) and all(first)
    body = rows[1:] if has_head else rows
    if not has_head:
        named = [""] * width
    columns: list[str] = []
    for place in range(width):
        cells = [row[place].strip() for row in body if place < len(row) and row[place].strip()]
        columns.append(_target(named[place], first[place] if has_head else "", cells, country, columns))
    for place, column in enumerate(columns):
        if column == "label" and "number" not in (columns[place - 1:place] + columns[place + 1:place + 2]):
            columns[place] = _target("", first[place], ["x"], country, ())
    if not has_head and not {"name", "first", "last"} & set(columns):
        for place, column in enumerate(columns):
            if column == "skip" and any(place < len(row) and row[place].strip() for row in body):
                columns[place] = "name"
                break
    return Plan(has_head=has_head, columns=tuple(columns))


def _target(named: str, heading: str, cells: list[str], country: str, before: Sequence[str]) -> str:
    if named and (named in ("number", "label", "groups", "tags", "note", "address") or named.startswith(OWN)
                  or named not in before):
        return named
    if cells and sum(_is_number(cell, country) for cell in cells) > len(cells) * 0.6:
        return "number"
    if heading.strip() and not any(word == _key(heading) for word in EXCLUDED) and cells:
        return OWN + heading.strip()[:60]
    return "skip"


def _is_number(cell: str, country: str) -> bool:
    return bool(PHONE.fullmatch(cell.strip())) and (
        numbers.e164(cell.strip(), country) is not None or numbers.e164("+" + cell.strip(), country) is not None)


def labels(plan: Plan, head: Sequence[str]) -> list[str]:
    """The label of each number column: what its heading says, unless it only says "telephone"."""
    said = []
    for place, target in enumerate(plan.columns):
        heading = head[place].strip() if plan.has_head and place < len(head) else ""
        is_plain = _key(NUMBERED.sub("", _key(heading))) in TELEPHONE
        said.append("" if target != "number" or is_plain else heading[:40])
    return said


def lines(rows: Iterator[list[str]], plan: Plan) -> Iterator[Line]:
    """Each row of the table, the head left out, as what it says by this plan; numbered as the file's rows are."""
    head: list[str] = []
    own: list[str] | None = None
    for number, row in enumerate(rows, 1):
        if number == 1 and plan.has_head:
            head = row
            continue
        if own is None:
            own = labels(plan, head)
        yield Line(number, list(_items(row, plan, own)), row)


def _items(row: Sequence[str], plan: Plan, own: Sequence[str]) -> Iterator[Item]:
    columns = plan.columns
    step = -1 if "label" in columns and columns.index("label") < (
        columns.index("number") if "number" in columns else len(columns)) else 1
    for place, (target, cell) in enumerate(zip(columns, row, strict=False)):
        cell = cell.strip()
        if target in ("skip", "label") or not cell:
            continue
        if target == "number":
            beside = place + step
            has_label = 0 <= beside < len(columns) and columns[beside] == "label"
            label = row[beside].strip().lstrip("* ") if has_label and beside < len(row) else ""
            yield Item("number", cell, label if has_label else own[place])
        elif target.startswith(OWN):
            yield Item("field", cell, target[len(OWN):])
        else:
            yield Item(target, cell)


def listed(cell: str) -> list[str]:
    """The names in a cell that holds several: by ; or | or lines or commas, one with such a sign in quotation marks."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", cell).replace(":::", ";")
    cell = cell.replace(":::", ";")
    separator = next((sign for sign in (";", "|", "\n", ",") if sign in bare), ";")
    cell = cell if separator == "\n" else cell.replace("\n", " ")
    found = [part.strip() for row in csv.reader(cell.split("\n"), delimiter=separator if separator != "\n" else ";",
                                                skipinitialspace=True) for part in row]
    return [name.lstrip("* ") if name.startswith("* ") else name for name in found if name]


def joined(names: Sequence[str]) -> str:
    """The names as `listed` reads them back."""
    return "; ".join('"' + name.replace('"', '""') + '"' if re.search(r'[;|,"\n]|^\*|:::', name) else name
                     for name in names)


def is_target(column: str) -> bool:
    """Whether a form may name this column so."""
    return column in TARGETS or (column.startswith(OWN) and bool(column[len(OWN):].strip()))
