"""What goes on the air, read back by gammu, and what comes from it."""
from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime

import gammu
import pytest

from hw import pdu
from hw.gsm_sim_air import write_deliver
from hw.pdu import Delivered, DeliveryReport, PduError

MOBILE = "+491701234567"


def on_air(part: pdu.Pdu) -> dict[str, object]:
    read: dict[str, object] = gammu.DecodePDU(bytes.fromhex(part.hex), True)
    return read


def words(parts: list[pdu.Pdu]) -> str:
    return "".join(str(on_air(part)["Text"]).split("\x00")[0] for part in parts)  # gammu leaves rubbish behind €


@pytest.mark.parametrize(("text", "segments"), [
    ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3),
    ("€" * 80, 1), ("€" * 81, 2), ("a" * 152 + "€" + "b" * 10, 2),
    ("ж" * 70, 1), ("ж" * 71, 2), ("ж" * 134, 2), ("ж" * 135, 3),
    ("😀" * 35, 1), ("😀" * 36, 2), ("ж" * 66 + "😀" + "ж" * 3, 2), ("`", 1), ("ç", 1), ("line\nline", 1), ("¹e", 1),
], ids=repr)
def test_a_text_is_cut_where_the_network_cuts_it_and_nothing_is_lost(text: str, segments: int) -> None:
    parts = pdu.encode(MOBILE, text)
    assert len(parts) == segments
    assert words(parts) == text


def test_the_segments_of_a_text_are_numbered_for_the_telephone_that_joins_them() -> None:
    parts = pdu.encode(MOBILE, "ж" * 100, reference=333)
    headers = [on_air(part)["UDH"] for part in parts]
    assert [header["Text"] for header in headers] == [  # type: ignore[index]
        bytes([5, 0, 3, 77, 2, place]) for place in (1, 2)]


def test_a_text_is_tried_for_a_day_and_not_for_gammus_five_minutes() -> None:
    assert on_air(pdu.encode(MOBILE, "Hello")[0])["SMSC"]["Validity"] == "1440M"  # type: ignore[index]


def test_the_text_centre_is_left_to_the_sim_and_a_report_is_asked_for() -> None:
    part = pdu.encode(MOBILE, "Hello")[0]
    assert part.hex.startswith("0031")  # no SMSC; SUBMIT with relative validity and status report request
    assert pdu.encode(MOBILE, "Hello", report=False)[0].hex.startswith("0011")


def test_the_length_counts_the_octets_after_the_text_centre() -> None:
    part = pdu.encode(MOBILE, "Hello")[0]
    assert part.length == len(part.hex) // 2 - 1
    assert pdu.Pdu("07919471016700001100").length == 2


@pytest.mark.parametrize("number", ["1", "", "12", "abc", "+49 170 1234567", "+" + "4" * 21, "+4917\n0123", "٠١٢٣٤"])
def test_what_is_no_number_is_refused_with_a_sentence(number: str) -> None:
    with pytest.raises(PduError, match="digits are needed"):
        pdu.encode(number, "Hello")


@pytest.mark.parametrize("text", ["", "\x00", "\ud83d"])
def test_a_text_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(PduError, match="empty"):
        pdu.encode(MOBILE, text)


def test_control_characters_and_half_letters_do_not_cut_a_text_short() -> None:
    assert words(pdu.encode(MOBILE, "Sorry\x00 we\tmissed\x1b you\ud83d.")) == "Sorry we missed you."


def test_a_text_of_a_book_is_refused() -> None:
    with pytest.raises(PduError, match=r"too long|cannot be split"):
        pdu.encode(MOBILE, "ж" * 67 * 256)


def test_a_delivery_report_tells_which_when_and_what() -> None:
    told = pdu.decode("00062A0C91947110325476621112915500406211129155704000")
    assert isinstance(told, DeliveryReport)
    assert (told.reference, told.number, told.status) == (42, MOBILE, 0)
    assert told.sent_at is not None and told.sent_at.isoformat() == "2026-11-21T19:55:00+01:00"
    assert told.discharged_at is not None and told.discharged_at.isoformat() == "2026-11-21T19:55:07+01:00"


@pytest.mark.parametrize("text", ["ж~b", "~~", "😀~x", "5 €"])
def test_what_somebody_wrote_us_is_read_to_the_letter(text: str) -> None:
    told = pdu.decode(write_deliver(MOBILE, text, datetime(2026, 11, 21, tzinfo=UTC)))
    assert isinstance(told, Delivered) and told.text == text


def test_a_received_euro_sign_brings_no_rubbish_with_it() -> None:
    septets = 0
    for place, code in enumerate([0x35, 0x20, 0x1B, 0x65]):  # "5 €": the euro is ESC e in the GSM alphabet
        septets |= code << (7 * place)
    told = pdu.decode("00040C9194711032547600006211129155004004" + septets.to_bytes(4, "little").hex())
    assert isinstance(told, Delivered) and told.text == "5 €"


def test_a_part_of_a_long_text_says_which_part_it_is() -> None:
    told = pdu.decode("00440C919471103254760008621112915500400A0500034D020104360437")
    assert told == Delivered(MOBILE, "жз", told.sent_at, 77, 1, 2)  # type: ignore[union-attr]


@pytest.mark.parametrize("broken", ["", "zz", "00", "0004", "00040C91", "FF" * 30, "0" * 401,
                                    pdu.encode(MOBILE, "Hi")[0].hex])
def test_what_a_modem_garbles_is_refused_and_never_kills_the_reader(broken: str) -> None:
    with pytest.raises(PduError):
        pdu.decode(broken)


@pytest.mark.parametrize("whole", [
    write_deliver(MOBILE, "Danke, bis später!", datetime(2026, 11, 21, tzinfo=UTC)),
    "00040C9194711032547600006211129155004004B5D0", "00062A0C91947110325476621112915500406211129155704000",
    "00440C919471103254760008621112915500400A0500034D020104360437",
])
def test_a_text_cut_anywhere_is_refused_and_never_read_as_a_shorter_one(whole: str) -> None:
    for octets in range(len(whole) // 2 - 1):
        with pytest.raises(PduError):
            pdu.decode(whole[:2 * octets])


def test_data_for_a_telephone_is_said_to_be_no_words() -> None:
    """The notice of an MMS, settings by air: 8-bit data, which gammu gives as bytes."""
    came = pdu.decode("00040C91947101325476000462111291550040050102030405")
    assert isinstance(came, Delivered) and came.text.startswith("No words came but 5 bytes of data")


def test_whatever_a_modem_garbles_is_a_text_or_refused() -> None:
    dice = random.Random(3)
    whole = bytes.fromhex(write_deliver(MOBILE, "Привет, как дела? " * 3, datetime(2026, 11, 21, tzinfo=UTC)))
    for _ in range(5000):
        garbled = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            garbled[dice.randrange(len(whole))] = dice.randrange(256)
        with suppress(PduError):
            assert isinstance(pdu.decode(garbled[:dice.randint(0, len(whole))].hex()), (Delivered, DeliveryReport))
