"""The lines an NCID client reads (NCID API 1.5, feature set 1): who rings, who is called, and when ringing stopped."""
from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

GREETING = b"200 Server: ncidd (NCID) Deskbell\r\n210 API 1.5 Feature Set 1\r\n"
NO_LOG = b"251 Call log not sent\r\n"
LOG_END = b"250 End of call log\r\n"
LOG_EMPTY = b"252 Call log empty\r\n"
STARTED = b"300 End of connection startup\r\n"
LONGEST_NAME, LONGEST_NUMBER, LONGEST_LINE = 50, 30, 15
LONG_RUN = re.compile(r"\d{7,}", re.ASCII)
ANSWERED, UNANSWERED, HUNG_UP = 0, -1, -2            # the RING counts that end a ringing line


def call(call: dict[str, Any], at: datetime, zone: ZoneInfo, kind: str = "") -> bytes:
    """CID: for a call that comes in, OUT: for one that goes out, HUP: for one that was blocked; kind such as "CIDLOG"
    overrules. The date is MMDDYYYY, which the stock client turns about as its user likes."""
    label = kind or ("OUT" if call["direction"] == "out" else "HUP" if call["outcome"] == "blocked" else "CID")
    local = at.astimezone(zone)
    return _line(f"{label}: *DATE*{local:%m%d%Y}*TIME*{local:%H%M}*LINE*{line(call)}*NMBR*{number(call)}*MESG*NONE"
                 f"*NAME*{name(call)}*")


def info(call: dict[str, Any], ring: int, at: datetime, zone: ZoneInfo) -> bytes:
    """CIDINFO: that clears a line's ringing: ANSWERED, UNANSWERED, or HUNG_UP after an answer."""
    return _line(f"CIDINFO: *LINE*{line(call)}*RING*{ring}*TIME*{at.astimezone(zone):%H:%M:%S}*")


def line(call: dict[str, Any]) -> str:
    """The trunk as one word; "-" for a call without one."""
    return "".join(c for c in call["trunk"] or "" if c.isalnum())[:LONGEST_LINE] or "-"


def number(call: dict[str, Any]) -> str:
    """As people write it here, in groups of six at most: the stock client 1.6 hyphenates longer ones."""
    if call["presentation"] == "withheld":
        return "PRIVATE"
    if call["presentation"] == "unavailable":
        return "OUT-OF-AREA"
    return _bare(LONG_RUN.sub(_grouped, call["shown"] or ""), LONGEST_NUMBER) or "NO-NUMBER"


def _grouped(run: re.Match[str]) -> str:
    """12345678 as 1234 5678."""
    digits, first = run[0], len(run[0]) % 4
    return " ".join(filter(None, [digits[:first], *(digits[i:i + 4] for i in range(first, len(digits), 4))]))


def name(call: dict[str, Any]) -> str:
    if call["name"]:
        return _bare(call["name"], LONGEST_NAME) or "NO NAME"
    return {"withheld": "PRIVATE", "unavailable": "OUT-OF-AREA"}.get(call["presentation"], "NO NAME")


def _bare(text: str, longest: int) -> str:
    """Without what would be a field or a line of its own."""
    return " ".join("".join(c if c.isprintable() and c != "*" else " " for c in text).split())[:longest].strip()


def _line(text: str) -> bytes:
    return text.encode("utf-8", "replace") + b"\r\n"
