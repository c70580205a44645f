"""Why the network or the modem refused a text: +CMS ERROR codes in words.

3GPP TS 27.005 §3.2.5: 0..127 are the causes of TS 24.011 annex E-2, 128..255 those of TS 23.040 §9.2.3.22,
300..511 the modem's own, 512 and up its maker's.
"""
from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """What a code says of the text: never, not now, or nobody knows whether the network took it."""

    PERMANENT = "permanent"
    PASSING = "passing"
    UNSURE = "unsure"


_P, _N, _U = Outcome.PERMANENT, Outcome.PASSING, Outcome.UNSURE

CAUSES: dict[int, tuple[Outcome, str]] = {
    1: (_P, "no such number"),
    8: (_P, "the operator bars texts from this SIM"),
    10: (_P, "texts to this number are barred"),
    17: (_N, "the network failed"),
    21: (_P, "the text was rejected"),
    22: (_N, "the network is busy"),
    27: (_N, "the destination is out of service"),
    28: (_P, "the network does not know this subscriber"),
    29: (_P, "the network does not offer texts to this SIM"),
    30: (_P, "the network does not know this subscriber"),
    38: (_N, "the network is out of order"),
    41: (_N, "a passing failure of the network"),
    42: (_N, "the network is busy"),
    47: (_N, "the network has no room just now"),
    50: (_P, "this SIM's contract does not include texts"),
    69: (_P, "the network does not offer texts"),
    81: (_N, "the network lost the thread"),
    95: (_P, "the network did not understand the text"),
    96: (_P, "the network did not understand the text"),
    97: (_P, "the network did not understand the text"),
    98: (_N, "the network and the modem are out of step"),
    99: (_P, "the network did not understand the text"),
    111: (_N, "the network and the modem are out of step"),
    127: (_N, "the network gave no reason"),
    192: (_N, "the text centre is busy"),
    193: (_P, "this SIM has no text centre"),
    194: (_N, "the text centre failed"),
    195: (_P, "the text centre knows no such number"),
    196: (_P, "texts to this number are barred"),
    197: (_U, "the text centre says it has this text already"),
    300: (_N, "the modem failed"),
    301: (_N, "the modem keeps texts for itself"),
    302: (_N, "the modem does not allow it now"),
    303: (_P, "the modem cannot send texts"),
    304: (_P, "the modem found the text malformed"),
    305: (_P, "the modem found the text malformed"),
    310: (_N, "no SIM card in the modem"),
    311: (_N, "the SIM card asks for its PIN"),
    312: (_N, "the SIM card asks for its PIN"),
    313: (_N, "the SIM card failed"),
    314: (_N, "the SIM card is busy"),
    315: (_N, "the wrong SIM card"),
    316: (_N, "the SIM card asks for its PUK"),
    317: (_N, "the SIM card asks for its PIN2"),
    318: (_N, "the SIM card asks for its PUK2"),
    320: (_N, "the modem's memory failed"),
    321: (_N, "the modem's memory failed"),
    322: (_N, "the SIM card's memory is full"),
    330: (_N, "the SIM card does not know its text centre"),
    331: (_N, "the modem has no network"),
    332: (_U, "the network did not answer"),
    500: (_U, "the modem does not know why"),
}

NOT_READY = frozenset(range(310, 319)) | {331}  # no SIM, a PIN, no network: says nothing of the text itself


def outcome(code: int) -> Outcome:
    """Whether the same text may go later. Unnamed network causes are permanent, unnamed modem ones unsure."""
    if code in CAUSES:
        return CAUSES[code][0]
    return Outcome.PERMANENT if code < 300 else Outcome.UNSURE


def words(code: int) -> str:
    """The code for a shop owner, with its number for the one he telephones: "no such number (CMS 1)"."""
    return f"{CAUSES[code][1] if code in CAUSES else 'a reason without a name'} (CMS {code})"
