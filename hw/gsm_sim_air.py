"""The simulated network: what becomes of a text, and PDUs read and written without the codec under test."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

OUTCOMES = ("ok", "cms", "noanswer", "unplug", "late", "noreport", "latereport", "undelivered", "garbage")


@dataclass(frozen=True)
class Outcome:
    """What becomes of one send. `value` is the code of cms and the seconds of late and latereport."""

    kind: str = "ok"
    value: float = 0


def script(text: str) -> list[Outcome]:
    """The outcomes of the next sends: "ok, cms 38, late 2". ValueError names what is not known."""
    outcomes = []
    for words in (step.split() for step in text.split(",") if step.strip()):
        if words[0] not in OUTCOMES or len(words) > 2:
            raise ValueError(f"{' '.join(words)!r} is no outcome; they are: {', '.join(OUTCOMES)}")
        outcomes.append(Outcome(words[0], float(words[1]) if len(words) == 2 else 0))
    return outcomes


@dataclass(frozen=True)
class Submit:
    """What the network needs of an SMS-SUBMIT: `length` octets without the SMSC address."""

    number: str
    wants_report: bool
    length: int


def read_submit(pdu: str) -> Submit:
    """The SMS-SUBMIT in a PDU, SMSC address first (3GPP TS 23.040 §9.2.2.2). ValueError when it is none."""
    raw = bytes.fromhex(pdu)
    tpdu = raw[1 + raw[0]:] if raw else b""
    if len(tpdu) < 7 or tpdu[0] & 0x03 != 0x01:
        raise ValueError("not an SMS-SUBMIT")
    digits = tpdu[2]
    if not 1 <= digits <= 20 or len(tpdu) < 4 + (digits + 1) // 2 + 3:
        raise ValueError("the destination is malformed")
    number = "".join(f"{octet & 15:X}{octet >> 4:X}" for octet in tpdu[4:4 + (digits + 1) // 2])[:digits]
    if not number.isdecimal():
        raise ValueError("the destination is malformed")
    return Submit(("+" if tpdu[3] & 0x70 == 0x10 else "") + number, bool(tpdu[0] & 0x20), len(tpdu))


def write_report(reference: int, number: str, status: int, sent_at: datetime, discharged_at: datetime) -> str:
    """An SMS-STATUS-REPORT (3GPP TS 23.040 §9.2.2.3) in hex, no SMSC address."""
    return f"0006{reference:02X}{_address(number)}{_time(sent_at)}{_time(discharged_at)}{status:02X}"


def write_deliver(number: str, text: str, sent_at: datetime) -> str:
    """An SMS-DELIVER (3GPP TS 23.040 §9.2.2.1) in hex, UCS-2, no SMSC address. ValueError beyond 70 UTF-16 units."""
    body = text.encode("utf-16-be")
    if len(body) > 140:
        raise ValueError("the simulated network carries one segment: at most 70 characters")
    return f"0004{_address(number)}0008{_time(sent_at)}{len(body):02X}{body.hex().upper()}"


def _address(number: str) -> str:
    digits = number.removeprefix("+")
    kind = 0x91 if number.startswith("+") else 0x81
    return f"{len(digits):02X}{kind:02X}{_swapped(digits)}"


def _time(at: datetime) -> str:
    return _swapped(at.astimezone(UTC).strftime("%y%m%d%H%M%S") + "00")


def _swapped(digits: str) -> str:
    padded = digits + "F" * (len(digits) % 2)
    return "".join(padded[i + 1] + padded[i] for i in range(0, len(padded), 2))
