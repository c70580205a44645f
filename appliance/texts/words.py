"""What a short text wants of us: no more texts, or texts again. Pure; only whole texts count.

"Stop!" is STOP; "Stop by at five?" is a customer.
"""
from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

STOP = frozenset({"stop", "stop all", "stopall", "stopp", "unsubscribe", "unsub", "стоп", "отписаться", "отписка",
                  "退订", "退訂", "td", "回复td"})
START = frozenset({"start", "unstop", "старт", "подписаться", "订阅", "訂閱"})
LOOKALIKES = str.maketrans("авекмнорстух", "abekmhopctyx")  # СТОП typed with the keys of another alphabet
PAINTED = re.compile("[\ufe00-\ufe0f\u20e3]")  # how a telephone draws the sign before, as with ⛔
POLITE = frozenset({"please", "pls", "thanks", "bitte", "danke", "пожалуйста", "спасибо", "请", "谢谢"})


class Wish(StrEnum):
    """What the sender wants of our texts."""

    STOP = "stop"
    START = "start"


def plain(text: str) -> str:
    """The words without case, width, punctuation and politeness: what two people mean when they type the same."""
    folded = unicodedata.normalize("NFKC", PAINTED.sub("", text)).casefold()
    kinds = [(c, unicodedata.category(c)) for c in folded]
    words = "".join(c if kind[0] in "LMN" else " " for c, kind in kinds if kind != "Cf").split()
    return " ".join([word for word in words if word not in POLITE] or words)


def listed(words: str) -> frozenset[str]:
    """The words of a setting that has them by commas, each as plain() sees it."""
    return frozenset(word for part in words.replace("，", ",").split(",") if (word := plain(part)))


def wish(text: str, own_stop_words: str = "") -> Wish | None:
    """STOP or START when the whole text is that word, or one of the office's own; else None."""
    said = plain(text)
    if _is_one_of(said, START):
        return Wish.START
    return Wish.STOP if _is_one_of(said, STOP | listed(own_stop_words)) else None


def _is_one_of(said: str, words: frozenset[str]) -> bool:
    """Whether it looks like one of the words, in whichever alphabet it was typed."""
    return said.translate(LOOKALIKES) in {word.translate(LOOKALIKES) for word in words}
