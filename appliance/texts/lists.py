"""Lists that somebody pastes or brings as a file: CSV of any program, whatever its encoding and comma."""
from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping

from appliance.people import numbers

LARGEST_BYTES = 8 * 1024 * 1024
NUMBER_HEADS = {"number", "phone", "mobile", "cell", "tel", "telephone", "sms", "handy", "telefon", "nummer",
                "rufnummer", "numéro", "numero", "téléphone", "телефон", "номер", "мобильный",
                "手机", "手机号", "电话", "号码"}
LEGACY = {"RU": "cp1251", "BY": "cp1251", "UA": "cp1251", "BG": "cp1251", "CN": "gb18030", "TW": "big5",
          "PL": "cp1250", "CZ": "cp1250", "HU": "cp1250", "GR": "cp1253"}   # what Excel writes there; else cp1252
NUMBER = "number"
_LETTERS = re.compile(r"[^\W\d_]")
_SHORTENED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
Row = dict[str, str]


class ListError(Exception):
    """The list cannot be read; the sentence says why, and that nobody was texted."""


def pasted(text: str) -> list[Row]:
    """A row for each number of what somebody pasted: by lines, commas, semicolons or tabs."""
    return [{NUMBER: part.strip()} for part in re.split(r"[\n\r,;\t]+", text) if part.strip()]


def read_csv(content: bytes, country: str) -> list[Row]:
    """A row for each line, the number under "number" as it was written, the other columns by their heads in lower case.

    Without a line of heads the column that looks most like numbers is taken. Raises ListError.
    """
    if len(content) > LARGEST_BYTES:
        raise ListError("The list is larger than 8 MB. Bring it in parts.")
    text = decode(content, country)
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines(), delimiter=_comma(text))]
    except csv.Error as broken:
        raise ListError(f"The list is no CSV ({broken}). Nobody was texted.") from broken
    lines = [line for line in lines if any(line)]
    if not lines:
        raise ListError("The list is empty. Nobody was texted.")
    heads = [head.strip("\ufeff ").lower() for head in lines[0]]
    if any(numbers.e164(_plain(cell), country) for cell in lines[0]):
        heads = [""] * max(len(line) for line in lines)
    else:
        del lines[0]
    place = next((place for place, head in enumerate(heads) if head in NUMBER_HEADS), None)
    if place is None:
        place = _likeliest(lines, country)
    if place is None:
        raise ListError("No column of the list holds telephone numbers. Name one \"number\". Nobody was texted.")
    return list(_rows(lines, heads, place))


def decode(content: bytes, country: str) -> str:
    """The text of a file in UTF-8, UTF-16 or the code page Excel uses in `country`.

    Raises ListError for one that mixes them, naming the lines: guessing would text people by a wrong name.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content.count(0) > len(content) // 8:
        even = content[::2].count(0) > content[1::2].count(0)
        named = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-16-be" if even else "utf-16-le"
        return _decoded(content, named)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    foreign = [(place, line) for place, line in enumerate(content.splitlines(), 1) if not line.isascii()]
    odd = [place for place, line in foreign if not _is_utf8(line)]
    if len(odd) < len(foreign):
        where = ", ".join(map(str, odd[:3])) + (" …" if len(odd) > 3 else "")
        raise ListError(f"The list mixes encodings: line {where} is written otherwise than the rest. "
                        "Save it once more as \"CSV UTF-8\". Nobody was texted.")
    return _decoded(content, LEGACY.get(country, "cp1252"))


def why_no_number(raw: str) -> str:
    """Why what stands there is no number, in words."""
    if _SHORTENED.fullmatch(raw.strip()):
        return f"{raw!r} was shortened by the spreadsheet. Format the column as text and save it again."
    if _LETTERS.search(raw):
        return f"{raw!r} holds letters, so it is no telephone number."
    if not any(letter.isdigit() for letter in raw):
        return f"{raw!r} is no telephone number."
    return f"{raw!r} is no telephone number here. Write it as you would dial it, or with +."


def e164(raw: str, country: str) -> str | None:
    """The number in E.164, None when it is none: one with letters is none, although keys of telephones bear letters."""
    raw = _plain(raw)
    return None if _LETTERS.search(raw) else numbers.e164(raw, country)


def _plain(cell: str) -> str:
    """The cell without what spreadsheets put around numbers to keep them: '+49…, ="+49…"."""
    return cell.strip().removeprefix("=").strip("\"'\u200e\u202a\u202c ")


def _rows(lines: list[list[str]], heads: list[str], place: int) -> Iterator[Row]:
    for line in lines:
        named: Mapping[str, str] = dict(zip(heads, line, strict=False))
        row = {head: cell for head, cell in named.items() if head and cell and head not in NUMBER_HEADS}
        yield {**row, NUMBER: line[place] if place < len(line) else ""}


def _likeliest(lines: list[list[str]], country: str) -> int | None:
    found = [sum(e164(line[place], country) is not None for line in lines[:200] if place < len(line))
             for place in range(max((len(line) for line in lines), default=0))]
    best = max(found, default=0)
    return found.index(best) if best else None


def _comma(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max((";", "\t", ","), key=first.count) if any(mark in first for mark in ";\t,") else ","


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as wrong:
        raise ListError("The list is in no encoding we know. Save it as \"CSV UTF-8\". Nobody was texted.") from wrong
