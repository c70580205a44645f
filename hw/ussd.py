"""USSD: the codes such as *100# and what the network answers, whichever way the modem writes it.

Seen in the field: plain text, UCS-2 in hex (data coding 72 or 17), packed septets in hex (Huawei), and plain text that
a modem set to UCS2 wrote in hex all the same.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from hw import gsm7

CODE = re.compile(r"[*#][0-9*#]{0,30}#|[0-9]{1,20}")
ANSWER = re.compile(r'(\d)(?:, *"(.*)"(?:, *(\d+))?)?', re.DOTALL)
HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){2,}")
SHORTEST_PACKED = 8  # digits; fewer are rather a word of a to f
ENDED = {2: "the network ended it without an answer", 3: "another program got the answer",
         4: "the network knows no such code", 5: "the network did not answer"}


@dataclass(frozen=True)
class UssdAnswer:
    """What came back. text None: nothing, and `trouble` says why; is_menu: the network waits for a choice."""

    text: str | None
    trouble: str = ""
    is_menu: bool = False


def is_code(code: str) -> bool:
    """Whether this can be asked: digits, * and # ending in #, or the number of a menu's line."""
    return CODE.fullmatch(code) is not None


def parse(rest: str) -> UssdAnswer:
    """What follows "+CUSD:" (3GPP TS 27.007 §7.15)."""
    found = ANSWER.match(rest)
    if found is None:
        return UssdAnswer(None, "the modem gave an answer that cannot be read")
    kind = int(found[1])
    text = decode(found[2] or "", int(found[3] or 15)).strip()
    if kind in ENDED and not text:
        return UssdAnswer(None, ENDED[kind])
    if not text:
        return UssdAnswer(None, "the network answered without words")
    return UssdAnswer(text, is_menu=kind == 1)


def decode(given: str, coding: int) -> str:
    """The words of an answer; coding is its data coding scheme (3GPP TS 23.038 §5)."""
    if not HEX.fullmatch(given) or given.isdecimal() and not _is_ucs2(coding):
        return given
    raw = bytes.fromhex(given)
    if _is_ucs2(coding) and len(raw) % 2 == 0:
        return raw.decode("utf-16-be", "replace")
    if len(raw) % 2 == 0 and all(high == 0 for high in raw[::2]):
        return raw.decode("utf-16-be", "replace")
    if len(given) < SHORTEST_PACKED:
        return given
    words = unpack(raw)
    return words if words.isprintable() or "\n" in words else given


def _is_ucs2(coding: int) -> bool:
    return coding == 17 or coding & 0xCC in (0x08, 0x48)


def unpack(raw: bytes) -> str:
    """Septets packed into octets, back in letters (3GPP TS 23.038 §6.1.2.3); a last CR only fills up."""
    bits = int.from_bytes(raw, "little")
    septets = [bits >> 7 * place & 0x7F for place in range(len(raw) * 8 // 7)]
    letters, is_escaped = "", False
    for septet in septets:
        if septet == gsm7.ESCAPE:
            is_escaped = True
            continue
        letters += gsm7.EXTENDED.get(septet, " ") if is_escaped else gsm7.ALPHABET[septet]
        is_escaped = False
    return letters.removesuffix("\r").removesuffix("@") if len(septets) % 8 == 0 else letters


def pack(code: str) -> str:
    """The code as packed septets in hex, for modems that take no other."""
    septets = [gsm7.ALPHABET.index(letter) for letter in code]
    if len(septets) % 8 == 7:
        septets.append(0x0D)  # else the last seven bits would read as @
    bits = sum(septet << 7 * place for place, septet in enumerate(septets))
    return bits.to_bytes((len(septets) * 7 + 7) // 8, "little").hex().upper()
