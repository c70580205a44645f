"""The radio parts of a text: gammu's codec between words and PDUs (3GPP TS 23.040)."""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import gammu

from hw import gsm7

Validity = Literal["1H", "6H", "24H", "3D", "7D", "Max"]
SMSC_OF_THE_SIM = "00"
MAX_PARTS = 255
DATA = "No words came but {bytes} bytes of data, such as the notice of a picture message or settings for a telephone."
_NUMBER = re.compile(r"\+?[0-9]{3,20}", re.ASCII)  # TP-DA holds 20 digits: 3GPP TS 23.040 §9.1.2.5
_UNSENDABLE = re.compile("[\x00-\x09\x0b\x0e-\x1f\x7f\ud800-\udfff]")


class PduError(ValueError):
    """The number or the bytes cannot be a text; the message says why."""


class OwnPdu(PduError):
    """The bytes are a text that we sent or keep, none that came."""


@dataclass(frozen=True)
class Pdu:
    """One SMS-SUBMIT in hex, SMSC address first."""

    hex: str

    @property
    def length(self) -> int:
        """The octets after the SMSC address, as +CMGS counts them."""
        return len(self.hex) // 2 - 1 - int(self.hex[:2], 16)


@dataclass(frozen=True)
class DeliveryReport:
    """What became of one segment. `status` is TP-ST: 0..31 done, 32..63 still trying, 64 and up given up."""

    reference: int
    number: str
    status: int
    sent_at: datetime | None
    discharged_at: datetime | None


@dataclass(frozen=True)
class Delivered:
    """One SMS-DELIVER: a segment somebody sent us. `part` of `parts` of `concatenation`; alone: 1 of 1 of None."""

    number: str
    text: str
    sent_at: datetime | None
    concatenation: int | None = None
    part: int = 1
    parts: int = 1


def sendable(text: str) -> str:
    """The text without what no telephone shows: control characters and halves of surrogate pairs."""
    return _UNSENDABLE.sub("", text.replace("\x09", " "))


def encode(number: str, text: str, reference: int = 0, report: bool = True, validity: Validity = "24H") -> list[Pdu]:
    """The segments of a text in order: GSM-7 when every character is in that alphabet, else UCS-2.

    `reference` (0..255) joins the parts of a long text in the receiver's telephone; it is not TP-MR.
    `validity` is how long the network keeps trying. gammu's own default of TP-VP 0 would be five minutes.
    Raises PduError for a number that is no number, an empty text and one of more than MAX_PARTS parts.
    """
    if not _NUMBER.fullmatch(number):
        raise PduError(f"A number of {len(number)} characters cannot be texted: 3 to 20 digits are needed.")
    if not (text := sendable(text)):
        raise PduError("There is nothing to send: the text is empty.")
    is_ucs2 = not gsm7.fits(text)
    plain = text.replace("~", "-") if is_ucs2 else text  # gammu 1.45 makes ~ Nokia's blinking code in UCS-2
    try:
        parts = gammu.EncodeSMS({"Class": -1, "Unicode": is_ucs2,
                                 "Entries": [{"ID": "ConcatenatedTextLong", "Buffer": plain}]})
    except gammu.GSMError as refused:
        raise PduError(f"The text cannot be split into segments: {_words(refused)}") from refused
    if len(parts) > MAX_PARTS or "".join(part["Text"] for part in parts) != plain:
        raise PduError(f"The text is too long: {len(text)} characters.")
    pdus, place = [], 0
    for part in parts:
        written = text[place:(place := place + len(part["Text"]))]
        pdus.append(_submit(part, number, reference % 256, report, validity, written if is_ucs2 else None))
    return pdus


def decode(pdu: str) -> Delivered | DeliveryReport:
    """What a modem's +CMT, +CMGR or +CDS line holds. Raises PduError when it is neither a text nor a report."""
    try:
        raw = bytes.fromhex(pdu)
        if not _is_whole(raw):
            raise ValueError("cut short")
        sms = gammu.DecodePDU(raw, True)
    except (ValueError, gammu.GSMError) as broken:
        raise PduError(f"The modem gave a text that cannot be read ({len(pdu)} characters).") from broken
    if sms["Type"] == "Status_Report":
        return DeliveryReport(sms["MessageReference"], sms["Number"], sms["DeliveryStatus"],
                              _aware(sms["DateTime"]), _aware(sms["SMSCDateTime"]))
    if sms["Type"] != "Deliver":
        raise OwnPdu("The modem gave a text that we sent, not one that we got.")
    return _delivered(sms, raw)


def _is_whole(raw: bytes) -> bool:
    """Whether a PDU, SMSC address first, is as long as it says it is (3GPP TS 23.040 §9.2.2); gammu trusts it."""
    tpdu = raw[1 + raw[0]:] if raw else b""
    kind = tpdu[0] & 3 if tpdu else -1
    if kind == 1:                                          # one of ours: never decoded further
        return True
    if kind == 2 and len(tpdu) > 2:                        # a report: address, two times, status
        return len(tpdu) >= 4 + (tpdu[2] + 1) // 2 + 15
    if kind != 0 or len(tpdu) < 2:
        return False
    coding = 4 + (tpdu[1] + 1) // 2                        # its place: after the address and the protocol
    if len(tpdu) < coding + 9:
        return False
    is_septets = tpdu[coding] & 0xCC in (0x00, 0xC0) or tpdu[coding] & 0xF4 in (0xD0, 0xF0)
    units = tpdu[coding + 8]
    return len(tpdu) - coding - 9 >= ((units * 7 + 7) // 8 if is_septets else units)


def _submit(part: dict[str, Any], number: str, reference: int, report: bool, validity: Validity,
            ucs2: str | None) -> Pdu:
    part["Number"] = number
    part["SMSC"] = {"Number": "", "Validity": validity}
    part["Type"] = "Status_Report" if report else "Submit"
    if part["UDH"]["Type"] != "NoUDH":
        place = part["UDH"]["AllParts"], part["UDH"]["PartNumber"]
        part["UDH"]["Text"] = bytes([5, 0, 3, reference, *place])  # 3GPP TS 23.040 §9.2.3.24.1
    try:
        raw = gammu.EncodePDU(part)
    except gammu.GSMError as refused:
        raise PduError(f"The text cannot be encoded: {_words(refused)}") from refused
    if ucs2 is not None:
        body = ucs2.encode("utf-16-be")
        raw = raw[:-len(body)] + body
    return Pdu(SMSC_OF_THE_SIM + raw[1 + raw[0]:].hex().upper())  # gammu writes an empty SMSC as 01 80; modems want 00


def _delivered(sms: dict[str, Any], raw: bytes) -> Delivered:
    if isinstance(sms["Text"], bytes):
        return Delivered(sms["Number"], DATA.format(bytes=len(sms["Text"])), _aware(sms["DateTime"]))
    udh, text = sms["UDH"], sms["Text"].split("\x00")[0]  # gammu 1.45 leaves NULs and rubbish after €
    if sms["Coding"] == "Unicode_No_Compression" and "~" in text:  # gammu 1.45 doubles it and loses the end
        text = raw[-2 * sms["Length"]:].decode("utf-16-be", "replace")
    if udh["PartNumber"] < 1 or udh["AllParts"] < 2:
        return Delivered(sms["Number"], text, _aware(sms["DateTime"]))
    joint = udh["ID16bit"] if udh["ID16bit"] >= 0 else udh["ID8bit"]
    return Delivered(sms["Number"], text, _aware(sms["DateTime"]), joint, udh["PartNumber"], udh["AllParts"])


def _aware(at: datetime | None) -> datetime | None:
    return at if at is not None and at.tzinfo is not None else None


def _words(refused: gammu.GSMError) -> str:
    return str(refused.args[0]["Text"]) if refused.args and isinstance(refused.args[0], dict) else str(refused)
