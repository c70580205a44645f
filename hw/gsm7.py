"""The GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1)."""
from __future__ import annotations

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
EXTENSION = frozenset("\f^{}\\[~]|€")  # two septets each: §6.2.1.1


def fits(text: str) -> bool:
    """Whether every character has a code in it. We decide, not gammu: its table takes "¹" for the escape code."""
    return all(letter in BASIC or letter in EXTENSION for letter in text)
