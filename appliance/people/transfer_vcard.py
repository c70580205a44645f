"""vCards 2.1, 3.0 and 4.0 (RFC 2426, RFC 6350), read as telephones really write them, and written as 3.0 or 4.0.

One bad card never stops the rest: it becomes a line with its problem.
"""
from __future__ import annotations

import quopri
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from appliance.people import transfer_read
from appliance.people.cards import Card
from appliance.people.transfer import MOST_ROWS, Item, Line, TransferError

MOST_CARD_LINES = 20_000            # a photograph is some thousand folded lines
LONGEST_VALUE = 4000
PROPERTY = re.compile(r"(?:(?P<group>[\w-]+)\.)?(?P<name>[A-Za-z][\w-]*)(?P<parameters>(?:;(?:\"[^\"]*\"|[^\":;])*)*):"
                      r"(?P<value>.*)", re.DOTALL)
UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
SPLIT = {";": re.compile(r"(?:\\.|[^;\\])*", re.DOTALL), ",": re.compile(r"(?:\\.|[^,\\])*", re.DOTALL)}
LABELS = {"cell": "mobile", "home": "home", "work": "work", "fax": "fax", "main": "main", "pager": "pager",
          "iphone": "mobile"}
NOT_LABELS = {"voice", "pref", "text", "internet", "other", "type", "msg", "video", "uri"}
OURS = "X-DESKBELL-"


def lines(path: Path, encoding: str, progress: Callable[[float], None] | None = None) -> Iterator[Line]:
    """Each card of the file as a line; its number is the card's place in the file, from 1."""
    size, number = max(path.stat().st_size, 1), 0
    with transfer_read.text_of(path, encoding) as file:
        for raw in _cards(transfer_read.lines(file)):
            number += 1
            if number > MOST_ROWS:
                raise TransferError(f"This file has more than {MOST_ROWS:,} cards. Nothing was brought in. "
                                    "Send it in parts.")
            if progress and number % 200 == 0:
                progress(min(transfer_read.at(file) / size, 1))
            yield _line(number, raw)


def write(cards: Iterable[Card], version: str = "3.0") -> Iterator[bytes]:
    """The cards as one file, a piece a card. 3.0 is what telephones and Outlook read."""
    for card in cards:
        rows = ["BEGIN:VCARD", f"VERSION:{version}", f"UID:urn:uuid:{card.id}", f"FN:{_escaped(card.name)}",
                f"N:{';'.join(_escaped(part) for part in _name_parts(card.name))};;;"]
        if card.other_name:
            rows.append(f"NICKNAME:{_escaped(card.other_name)}")
        if card.company:
            rows.append(f"ORG:{_escaped(card.company)}")
        for place, one in enumerate(card.numbers, 1):
            kind = next((kind for kind, label in LABELS.items() if label == one.label), "")
            if one.label and not kind:
                rows.append(f"item{place}.TEL:{one.number}")
                rows.append(f"item{place}.X-ABLabel:{_escaped(one.label)}")
            else:
                rows.append(f"TEL{f';TYPE={kind.upper()}' if kind else ''}:{one.number}")
        if card.address:
            rows.append(f"ADR:;;{_escaped(card.address)};;;;")
        if card.birthday:
            rows.append(f"BDAY:{card.birthday}")
        names = [name for _, name in card.groups]
        if names:
            rows.append(f"CATEGORIES:{','.join(map(_escaped, names))}")
        if card.tags:
            rows.append(f"{OURS}TAGS:{','.join(map(_escaped, card.tags))}")
        if card.is_vip:
            rows.append(f"{OURS}VIP:yes")
        if card.is_blocked:
            rows.append(f"{OURS}BLOCKED:{_escaped(card.blocked_reason or 'yes')}")
        rows.extend(f"{OURS}FIELD:{_escaped(name)};{_escaped(value)}" for name, value in card.fields)
        yield "".join(_folded(row) + "\r\n" for row in [*rows, "END:VCARD"]).encode()


def _cards(source: Iterable[str]) -> Iterator[list[str]]:
    """The unfolded lines between BEGIN and END of each card; a card inside a card (an agent) stays with it."""
    card: list[str] = []
    depth, is_quoted, size = 0, False, 0
    for raw in source:
        line = raw.rstrip("\r\n")
        if not depth:
            if line.strip().lstrip("\ufeff").upper() == "BEGIN:VCARD":
                depth, card, size = 1, [], 0
            continue
        size += 1
        if card and line[:1] in (" ", "\t"):
            if size <= MOST_CARD_LINES:
                card[-1] += line[1:]
            continue
        if card and is_quoted:                       # a soft line break of quoted-printable (2.1)
            card[-1] = card[-1][:-1] + line
            is_quoted = card[-1].endswith("=")
            continue
        word = line.strip().upper()
        if word == "BEGIN:VCARD":
            if depth == 1 and any(name.upper().startswith(("TEL", "FN", "N:", "N;")) for name in card):
                yield card                           # the end of the one before is missing
                card, size = [], 0
                continue
            depth += 1
        elif word == "END:VCARD":
            depth -= 1
            if not depth:
                yield card
        elif depth == 1:
            card.append(line)
            is_quoted = line.endswith("=") and "QUOTED-PRINTABLE" in line.upper()
    if depth and card:
        yield card


def _line(number: int, raw: list[str]) -> Line:
    try:
        items = list(_items(raw))
    except (ValueError, LookupError) as wrong:
        return Line(number, (), _shown(raw), f"This card is damaged ({wrong}).")
    return Line(number, items, _shown(raw))


def _items(raw: list[str]) -> Iterator[Item]:
    found = [parsed for parsed in map(_property, raw) if parsed]
    labels = {group: value for group, name, _, value in found if group and name == "X-ABLABEL"}
    formatted = next((_plain(value) for _, name, _, value in found if name == "FN" and _plain(value).strip()), "")
    if formatted:
        yield Item("name", formatted)
    for group, name, types, value in found:
        if name == "N" and not formatted:
            family, given, middle, *_ = [*_parts(value, ";"), "", "", ""]
            yield from (Item("first", given), Item("middle", middle), Item("last", family))
        elif name == "TEL":
            raw_number = _plain(value).removeprefix("tel:")
            yield Item("number", raw_number.partition(";")[0], _label(types, labels.get(group, "")))
        elif name == "ORG":
            yield Item("company", _parts(value, ";")[0])
        elif name == "NICKNAME":
            yield Item("other_name", _plain(value))
        elif name == "ADR":
            yield Item("address", _address(_parts(value, ";")))
        elif name == "BDAY":
            yield Item("birthday", _day(_plain(value)))
        elif name == "NOTE":
            yield Item("note", _plain(value))
        elif name == "CATEGORIES":
            yield from (Item("groups", f'"{part.replace(chr(34), chr(34) * 2)}"') for part in _parts(value, ","))
        elif name.startswith(OURS):
            yield from _own(name.removeprefix(OURS), value)


def _own(name: str, value: str) -> Iterator[Item]:
    if name == "TAGS":
        yield from (Item("tags", f'"{part.replace(chr(34), chr(34) * 2)}"') for part in _parts(value, ","))
    elif name == "VIP":
        yield Item("vip", _plain(value))
    elif name == "BLOCKED":
        yield Item("blocked", "yes")
        if _plain(value) != "yes":
            yield Item("blocked_reason", _plain(value))
    elif name == "FIELD":
        field, told, *_ = [*_parts(value, ";"), ""]
        yield Item("field", told, field)


def _property(line: str) -> tuple[str, str, list[str], str] | None:
    """Group, name, its types in lower case, value; None for a line that is none."""
    match = PROPERTY.fullmatch(line)
    if not match:
        return None
    types: list[str] = []
    charset, is_quoted = "", False
    for parameter in match["parameters"].split(";")[1:]:
        key, _, value = parameter.rpartition("=")
        value = value.strip('" ')
        if key.strip().upper() == "CHARSET":
            charset = value
        elif value.upper() == "QUOTED-PRINTABLE":
            is_quoted = True
        elif key.strip().upper() in ("TYPE", ""):
            types += value.lower().split(",")
    value = match["value"]
    if is_quoted:
        value = quopri.decodestring(value.encode("latin-1", "replace")).decode(charset or "utf-8", "replace")
    return match["group"] or "", match["name"].upper(), types, value[:LONGEST_VALUE]


def _plain(value: str) -> str:
    return UNESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def _parts(value: str, separator: str) -> list[str]:
    found, at = [], 0
    while at <= len(value):
        match = SPLIT[separator].match(value, at)
        assert match
        found.append(_plain(match[0]).strip())
        at = max(match.end(), at) + 1
    return found


def _label(types: list[str], own: str) -> str:
    if own:
        own = _plain(own)
        return LABELS.get(own[4:-4].lower(), own[4:-4].lower()) if own.startswith("_$!<") else own
    named = [LABELS.get(kind, kind) for kind in types if kind not in NOT_LABELS]
    return next((label for label in named if label in ("mobile", "fax")), named[0] if named else "")


def _address(parts: list[str]) -> str:
    """Street, then postcode and town, then country; a part that holds lines of its own keeps them."""
    box, more, street, city, state, code, land = [*parts, *[""] * 7][:7]
    return "\n".join(line for line in (box, more, street, " ".join(filter(None, (code, city))), state, land) if line)


def _day(value: str) -> str:
    """YYYY-MM-DD or --MM-DD of the forms that vCards have: 19840603, 1984-06-03T00:00:00Z, --0603, 1604-06-03."""
    day = value.strip().partition("T")[0]
    if match := re.fullmatch(r"(\d{4}|--)-?(\d\d)-?(\d\d)", day):
        year = match[1] if match[1] not in ("--", "1604") else "--"       # Apple writes 1604 for no year
        return f"--{match[2]}-{match[3]}" if year == "--" else f"{year}-{match[2]}-{match[3]}"
    return day


def _shown(raw: list[str]) -> list[str]:
    return [line[:200] for line in raw[:12] if not line.upper().startswith(("PHOTO", "LOGO", "KEY", "SOUND"))]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(";", "\\;").replace(",", "\\,")


def _name_parts(name: str) -> tuple[str, str]:
    """Family name and given name, as telephones sort by; our own reader takes FN."""
    first, _, last = name.rpartition(" ")
    return (last, first) if first else (name, "")


def _folded(line: str) -> str:
    """At most 75 bytes a line, never inside a letter (RFC 6350, 3.2)."""
    pieces, piece, size = [], "", 0
    for letter in line:
        width = len(letter.encode())
        if size + width > 74:
            pieces.append(piece)
            piece, size = "", 0
        piece, size = piece + letter, size + width
    return "\r\n ".join([*pieces, piece])
