"""Sentences that are stored or raised below the pages, values and all, said in another language.

Below the pages everything is written in English: a reason in a row outlives the reader of that day. A catalogue has
such a sentence as a pattern, {0} {1}… where the values stand; here it is found again from the finished sentence.
"""
from __future__ import annotations

import gettext
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from functools import cached_property, lru_cache

PLACE = re.compile(r"\{(\d)\}")
END = re.compile(r"(?<=[.!?]) (?=[^a-z\d])")
DAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day (\d{1,2} [A-Z][a-z]+ \d{4})")
DAYS = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
LEAST = 4           # letters of its own that a pattern needs to be known by; one with fewer joins figures only
DEEPEST = 3         # a value may itself be such a sentence


class Sayings:
    """The sentences of one catalogue. named_day: how its language writes a day with its year."""

    def __init__(self, catalogue: gettext.NullTranslations, named_day: Callable[[date], str]) -> None:
        self._catalogue, self._named_day = catalogue, named_day
        self._cached = lru_cache(maxsize=2000)(self._said)

    def said(self, sentence: str) -> str:
        """The sentence in this language, or as it is where the catalogue does not have it."""
        return self._cached(sentence, 0) if self._patterns else sentence

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """Patterns and what they become; first those that begin with a word of their own, then those that say most."""
        known: dict[object, object] = getattr(self._catalogue, "_catalog", {})
        found = [(source, said) for source, said in known.items()
                 if isinstance(source, str) and isinstance(said, str) and PLACE.search(source)]
        found.sort(key=lambda pair: (pair[0].startswith("{"), -len(PLACE.sub("", pair[0]))))
        return [(_matcher(source), said) for source, said in found]

    def _said(self, sentence: str, depth: int) -> str:
        if not sentence:
            return sentence
        if " " not in sentence and depth and sentence not in DAYS:
            return sentence                # a value of one word is a name: Ms May is no month
        if (known := self._catalogue.gettext(sentence)) != sentence:
            return known
        if depth > DEEPEST:
            return sentence
        for pattern, said in self._patterns:
            if match := pattern.fullmatch(sentence):
                values = {name[1:]: self._said(value, depth + 1) for name, value in match.groupdict().items()}
                return _filled(said, values)
        parts = END.split(sentence)
        if len(parts) > 1:
            said = [self._said(part, depth + 1) for part in parts]
            return "".join(part if part.endswith("。") else part + " " for part in said).rstrip()
        return DAY.sub(self._day, sentence)

    def _day(self, match: re.Match[str]) -> str:
        with suppress(ValueError):
            return self._named_day(datetime.strptime(match[1], "%d %B %Y").date())
        return match[0]


def _filled(said: str, values: dict[str, str]) -> str:
    return PLACE.sub(lambda place: values.get(place[1], ""), said)


def _matcher(source: str) -> re.Pattern[str]:
    """What a sentence made from the pattern looks like; a value that stands twice is the same twice."""
    seen: set[str] = set()
    value = ".*?" if len(re.findall("[A-Za-z]", PLACE.sub("", source))) >= LEAST else r"[^\d]*\d.*?"
    written = ""
    for position, part in enumerate(PLACE.split(source)):
        if position % 2 == 0:
            written += re.escape(part)
        elif part in seen:
            written += f"(?P=v{part})"
        else:
            seen.add(part)
            written += f"(?P<v{part}>{value})"
    return re.compile(written, re.S)
