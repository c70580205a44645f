"""Our own count of segments, checked against gammu's encoder."""
from __future__ import annotations

import random

import gammu
import pytest

from appliance.texts.alphabet import Alphabet, Size, size
from hw import pdu
from hw.gsm7 import BASIC, EXTENSION

MOBILE = "+491701234567"
COMMON = sorted(BASIC | EXTENSION)
RARE = ["¹", "ж", "ç", "😀", "“", "中", "`", "\u00a0", "𝄞"]


def read(part: pdu.Pdu) -> str:
    if part.hex[22:].startswith("0008"):  # read by hand: gammu 1.45 doubles a ~ in UCS-2
        tpdu = bytes.fromhex(part.hex)[1:]
        data = tpdu[14:]
        return data[1 + data[0]:].decode("utf-16-be") if tpdu[0] & 0x40 else data.decode("utf-16-be")
    text = gammu.DecodePDU(bytes.fromhex(part.hex), True)["Text"]
    return str(text).split("\x00")[0]  # gammu 1.45 leaves NULs and rubbish behind a text with €


def gammus_choice(text: str) -> Alphabet:
    parts = gammu.EncodeSMS({"Class": -1, "Entries": [{"ID": "ConcatenatedAutoTextLong", "Buffer": text}]})
    return Alphabet.UCS2 if parts[0]["Coding"].startswith("Unicode") else Alphabet.GSM7


@pytest.mark.parametrize(("text", "expected"), [
    ("", Size(Alphabet.GSM7, 0, 0)),
    ("Grüße", Size(Alphabet.GSM7, 5, 1)),
    ("5 €", Size(Alphabet.GSM7, 4, 1)),
    ("a" * 160, Size(Alphabet.GSM7, 160, 1)),
    ("a" * 161, Size(Alphabet.GSM7, 161, 2)),
    ("a" * 152 + "€€", Size(Alphabet.GSM7, 156, 1)),
    ("a" * 152 + "€" * 5, Size(Alphabet.GSM7, 162, 2)),
    ("ж" * 70, Size(Alphabet.UCS2, 70, 1)),
    ("ж" * 71, Size(Alphabet.UCS2, 71, 2)),
    ("a" * 70 + "ç", Size(Alphabet.UCS2, 71, 2)),
    ("ж" * 66 + "😀" + "ж" * 67, Size(Alphabet.UCS2, 135, 3)),
])
def test_the_cost_of_a_text(text: str, expected: Size) -> None:
    assert size(text) == expected


@pytest.mark.deep
def test_thousands_of_random_texts_cost_what_gammu_makes_of_them() -> None:
    dice = random.Random(27005)
    for _ in range(3000):
        letters = COMMON if dice.random() < 0.6 else COMMON + RARE * 6
        text = "".join(dice.choices(letters, k=dice.randint(1, 480)))
        parts = pdu.encode(MOBILE, text)
        assert "".join(read(part) for part in parts) == text
        ours = size(text)
        assert ours.segments == len(parts), repr(text)
        is_ucs2 = parts[0].hex[22:].startswith("0008")  # TP-PID and TP-DCS after SMSC, flags, reference and address
        assert (ours.alphabet is Alphabet.UCS2) == is_ucs2, repr(text)


def test_each_letter_alone_goes_out_as_itself_in_the_alphabet_we_count() -> None:
    for code in [*range(0x20, 0x500), *range(0x2000, 0x2100), 0x4E2D, 0x1F600]:
        if letter := pdu.sendable(chr(code)):
            part = pdu.encode(MOBILE, letter)[0]
            assert read(part) == letter
            assert (size(letter).alphabet is Alphabet.UCS2) == part.hex[22:].startswith("0008"), repr(letter)
            assert (gammus_choice(letter) == size(letter).alphabet) or letter == "¹", repr(letter)
