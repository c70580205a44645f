"""What a text costs before it is sent: its alphabet and how many segments the network will carry."""
from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hw import gsm7
from hw.pdu import sendable


class Alphabet(StrEnum):
    """GSM-7 counts septets, UCS-2 counts UTF-16 units."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


ALONE = {Alphabet.GSM7: 160, Alphabet.UCS2: 70}
JOINED = {Alphabet.GSM7: 153, Alphabet.UCS2: 67}


@dataclass(frozen=True)
class Size:
    """units: septets or UTF-16 units in all; an empty text has 0 segments. left: units before it costs one more."""

    alphabet: Alphabet
    units: int
    segments: int
    left: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Replacement:
    """A plainer spelling that costs less: `changes` are (written, plain), each once, in order."""

    text: str
    changes: tuple[tuple[str, str], ...]
    before: Size
    after: Size


PLAIN = {
    "«": '"', "»": '"', "„": '"', "“": '"', "”": '"', "‟": '"', "‹": "'", "›": "'", "‚": "'", "‘": "'", "’": "'",
    "‛": "'", "`": "'", "´": "'", "′": "'", "″": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-",
    "…": "...", "•": "-", "·": "-", "×": "x", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "\ufeff": "",
    "№": "No.", "™": "(TM)", "©": "(C)", "®": "(R)",
}


def size(text: str) -> Size:
    """How the network will carry this text. No character is ever cut in two."""
    text = sendable(text)
    alphabet = Alphabet.GSM7 if gsm7.fits(text) else Alphabet.UCS2
    widths = [_width(letter, alphabet) for letter in text]
    if sum(widths) <= ALONE[alphabet]:
        return Size(alphabet, sum(widths), 1 if widths else 0, ALONE[alphabet] - sum(widths))
    segments, room = 1, JOINED[alphabet]
    for width in widths:
        if width > room:
            segments, room = segments + 1, JOINED[alphabet]
        room -= width
    return Size(alphabet, sum(widths), segments, room)


def replacements(text: str) -> Replacement | None:
    """The same words in plainer characters, when that costs fewer segments. None when it would not.

    Where one foreign letter keeps the text in UCS-2, « and … cost nothing: then only what shortens it is offered.
    """
    before = size(text)
    changes = tuple((letter, PLAIN[letter]) for letter in dict.fromkeys(text)
                    if letter in PLAIN and not gsm7.fits(letter))
    plain = text
    for written, instead in changes:
        plain = plain.replace(written, instead)
    after = size(plain)
    return Replacement(plain, changes, before, after) if after.segments < before.segments else None


def _width(letter: str, alphabet: Alphabet) -> int:
    if alphabet is Alphabet.GSM7:
        return 2 if letter in gsm7.EXTENSION else 1
    return 2 if ord(letter) > 0xFFFF else 1
