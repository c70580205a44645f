"""deskbell.toml as Notepad left it, line by line: a line that is wrong is told with its number and stops no other."""
from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass
from typing import Any

LARGEST_BYTES = 64 * 1024
LONGEST_VALUE = 20                   # lines of a list or of a text in three quotes
CURLY = "“”„‟«»‹›‘’‚‛`´"
BLANK = " \t\u00a0\ufeff"
LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
HEADER = re.compile(r"(\[\[?)\s*([^\[\]]*?)\s*\]\]?\s*(?:#.*)?", re.DOTALL)
PAIR = re.compile(r"""(?P<key>[\w.\- ]+?|"[^"]*"|'[^']*')\s*=[ \t\u00a0]*(?P<value>.*)""", re.DOTALL)
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|' + r"'[^']*'|[^#\s]+")


@dataclass(frozen=True)
class Remark:
    """What is wrong, in words. line: where, from 1; 0: with all of it."""
    line: int
    says: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.says}" if self.line else self.says


@dataclass(frozen=True)
class Line:
    """One `key = value`. part counts the sections of one name from 0; start and end: the value's place in the text."""
    number: int
    section: str
    part: int
    key: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True)
class Text:
    """The decoded file. mark: the bytes before the text; codec: what encodes the rest."""
    text: str
    mark: bytes
    codec: str

    def place(self, at: int) -> int:
        """The byte of the file at which a character begins."""
        return len(self.mark) + len(self.text[:at].encode(self.codec))


def decode(content: bytes) -> tuple[Text, list[Remark]]:
    """The text of the file in whatever Windows calls it: UTF-8 or UTF-16, with or without a mark, or ANSI."""
    if len(content) > LARGEST_BYTES:
        return Text("", b"", "utf-8"), [Remark(0, "The file is larger than 64 KB, so it is no deskbell.toml and was "
                                                  "not read. Begin again from the example.")]
    for mark, codec in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
                        (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            return _decoded(content.removeprefix(mark), mark, codec)
    halves = content[:200]
    if halves.count(0) * 3 > len(halves) > 1:          # every second byte is empty: UTF-16 that lost its mark
        return _decoded(content, b"", "utf-16-le" if halves[1:2] == b"\0" else "utf-16-be")
    return _decoded(content, b"", "utf-8")


def _decoded(content: bytes, mark: bytes, codec: str) -> tuple[Text, list[Remark]]:
    for tried in (codec, "cp1252"):
        try:
            text = Text(content.decode(tried), mark if tried == codec else b"", tried)
        except UnicodeDecodeError:
            continue
        return text, [] if tried == codec else [_ANSI]
    return Text(content.decode("latin-1"), b"", "latin-1"), [_ANSI]


_ANSI = Remark(0, "The file is not saved as UTF-8; its letters were read as older Windows programs write them. "
                  "If umlauts or accents look wrong on the page, save it with the encoding UTF-8.")


def lines(text: str, secret: frozenset[str] = frozenset()) -> tuple[list[Line], list[Remark]]:
    """Every `key = value` that can be read, and what is wrong with the others; values of `secret` are not repeated."""
    return _Reading(text, secret).all()


class _Reading:
    def __init__(self, text: str, secret: frozenset[str]) -> None:
        self._text, self._secret = text, secret
        self._rows = [(found.start(), found[0].rstrip("\r\n")) for found in LINE.finditer(text)]
        self._section, self._parts = "", {"": 0}
        self._found: list[Line] = []
        self._remarks: list[Remark] = []

    def all(self) -> tuple[list[Line], list[Remark]]:
        at = 0
        while at < len(self._rows):
            at += self._take(at)
        return self._found, self._remarks

    def _take(self, at: int) -> int:
        """How many lines were read."""
        start, row = self._rows[at]
        plain = row.strip(BLANK)
        if not plain or plain.startswith("#"):
            return 1
        if header := HEADER.fullmatch(plain):
            self._section = header[2].strip("\"'").strip().lower()
            self._parts[self._section] = self._parts.get(self._section, -1) + 1
            return 1
        pair = PAIR.fullmatch(plain)
        if pair is None:
            self._say(at, f"{_shown(plain)} cannot be understood. A line is written as  name = \"value\"  "
                          "and a remark begins with #." if not self._holds_secret(plain) else
                          "this cannot be understood. A line is written as  name = \"value\".")
            return 1
        section, key = self._section, pair["key"].strip("\"'").strip().lower()
        if not section and "." in key:
            section, _, key = key.partition(".")
            self._parts.setdefault(section, 0)
        value_at = start + row.index(plain) + pair.start("value")
        return self._value(at, section, key, value_at, pair["value"])

    def _value(self, at: int, section: str, key: str, value_at: int, written: str) -> int:
        for more in range(LONGEST_VALUE if written[:1] == "[" or written[:3] in ('"""', "'''") else 1):
            row = at + more
            if row >= len(self._rows):
                break
            end = self._rows[row][0] + len(self._rows[row][1])
            literal = self._text[value_at:end].strip(BLANK)
            try:
                value = tomllib.loads("v = " + literal.replace("\r\n", "\n").replace("\r", "\n"))["v"]
            except tomllib.TOMLDecodeError:
                continue
            one = LITERAL.match(literal)
            if not isinstance(value, list) and one and not literal.startswith(('"""', "'''")):
                end = value_at + one.end()
            self._found.append(Line(at + 1, section, self._parts[section], key, value, value_at, end))
            return more + 1
        self._say(at, _slip(key, written, f"{section}.{key}" in self._secret or key in self._secret))
        return 1

    def _holds_secret(self, plain: str) -> bool:
        first = re.match(r"\w+", plain)
        return bool(first and any(name.endswith(f".{first[0].lower()}") for name in self._secret))

    def _say(self, at: int, says: str) -> None:
        self._remarks.append(Remark(at + 1, says))


def _slip(key: str, written: str, is_secret: bool) -> str:
    """What is wrong with a value that TOML does not know, and how it would be right."""
    bare = re.split(r"\s#", written)[0].strip(BLANK + CURLY + "\"'")
    better = "" if is_secret or not bare or '"' in bare else f"  {key} = \"{bare}\""
    if not written or written.startswith("#"):
        return f"{key} has no value. Write it in quotes after the =, or put a # before the line."
    if any(sign in written for sign in CURLY):
        return f"the quotation marks of {key} are curly ones. Only the straight \" is known; write{better or ' it so'}."
    if "\\" in written:
        return (f"in {key} a backslash stands in \"…\", where it has a meaning of its own. "
                "Put the value in single quotes: '…'.")
    if written[:1] in "\"'" and written.count(written[:1]) == 1:
        return f"the second quotation mark of {key} is missing; write{better or '  \"…\"'}."
    if written[:1] in "\"'":
        return f"{key} has something more behind its value, or a quotation mark in it. Write{better or '  \"…\"'}."
    return f"{key} lacks its quotation marks; write{better or '  \"…\"'}."


def _shown(plain: str) -> str:
    return f"\"{plain[:30]}{'…' if len(plain) > 30 else ''}\""
