"""The GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1)."""
from __future__ import annotations

ESCAPE = 0x1B
ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")  # by code
EXTENDED = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
            0x65: "€"}  # after the escape: §6.2.1.1
BASIC = frozenset(ALPHABET) - {"\x1b"}
EXTENSION = frozenset(EXTENDED.values())  # two septets each
LETTERS = BASIC | EXTENSION


def fits(text: str) -> bool:
    """Whether every character has a code in it. We decide, not gammu: its table takes "¹" for the escape code."""
    return LETTERS.issuperset(text)
