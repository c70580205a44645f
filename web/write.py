"""What a page with a text box needs: the size of a text in words, its bar, and plainer spellings that cost less."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from appliance import settings
from appliance.texts import alphabet
from hw import gsm7
from web.office import Office

# What the script counts with: the same tables as alphabet.py, so that both say the same.
TABLES = json.dumps({"basic": "".join(sorted(gsm7.BASIC)), "extension": "".join(sorted(gsm7.EXTENSION)),
                     "plain": alphabet.PLAIN, "alone": [alphabet.ALONE[alphabet.Alphabet.GSM7],
                                                        alphabet.ALONE[alphabet.Alphabet.UCS2]],
                     "joined": [alphabet.JOINED[alphabet.Alphabet.GSM7], alphabet.JOINED[alphabet.Alphabet.UCS2]]},
                    ensure_ascii=False)
BAR = 400        # how wide the drawing of the bar is


@dataclass(frozen=True)
class Part:
    """One segment as the bar shows it: where, how wide, how much of it is full."""
    x: int
    width: int
    full: int


@dataclass(frozen=True)
class Measure:
    """A text's size: segments, characters of how many, those left before one more segment."""
    segments: int
    units: int
    room: int
    left: int
    is_plain: bool
    parts: tuple[Part, ...]


def measure(text: str) -> Measure:
    size = alphabet.size(text)
    is_plain = size.alphabet is alphabet.Alphabet.GSM7
    one = alphabet.ALONE[size.alphabet] if size.segments <= 1 else alphabet.JOINED[size.alphabet]
    count = max(size.segments, 1)
    gap = 5 if count > 1 else 0
    width = (BAR - gap * (count - 1)) // count
    last = one - size.left
    parts = tuple(Part(place * (width + gap), width, width if place < count - 1 else round(width * last / one))
                  for place in range(count)) if count <= 20 else ()
    return Measure(size.segments, size.units, one * count, size.left, is_plain, parts)


def measures(office: Office, text: str) -> dict[str, Any]:
    """What a template with the text box needs. {shop} counts as the shop's name: everybody reads that."""
    shop = settings.read(office.db).shop_name
    read = text.replace("{shop}", shop)
    return {"size": measure(read), "plainer": alphabet.replacements(text), "tables": TABLES, "bar": BAR}
