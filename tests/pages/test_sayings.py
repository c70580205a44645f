"""Sentences made below the pages are found again in the catalogue, values and all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.texts import schedule
from web import messages
from web.language import Languages, Words

FRENCH = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\n"

msgid "texted {0} ago"
msgstr "déjà informé il y a {0}"

msgid "{0} of {1} answered STOP, more than {2} %. The rest waits."
msgstr "{1} textos, {0} réponses STOP, plus de {2} %. Le reste attend."

msgid "The SIM {0}: {1}"
msgstr "SIM {0} : {1}"

msgid "no such number"
msgstr "numéro inconnu"

msgid "Calls go on."
msgstr "Les appels continuent."

msgid "Each {0} at {1}"
msgstr "Chaque {0} à {1}"

msgid "{0}, until {1}"
msgstr "{0}, jusqu’au {1}"

msgid "Monday"
msgstr "lundi"

msgid "March"
msgstr "mars"

msgid "%(weekday)s, %(day)s %(month)s %(year)s"
msgstr "%(weekday)s %(day)s %(month)s %(year)s"
"""


@pytest.fixture
def french(tmp_path: Path) -> Words:
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "deskbell.po").write_text(FRENCH)
    return Languages(ZoneInfo("Europe/Paris"), locale=tmp_path).choose("fr", "")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("texted 40 min ago", "déjà informé il y a 40 min"),
        ("7 of 20 answered STOP, more than 10 %. The rest waits.",
         "20 textos, 7 réponses STOP, plus de 10 %. Le reste attend."),
        ("The SIM shop: no such number", "SIM shop : numéro inconnu"),
        ("The SIM a: 3 of 4 answered STOP, more than 10 %. The rest waits.",
         "SIM a : 4 textos, 3 réponses STOP, plus de 10 %. Le reste attend."),
        ("The SIM Monday: 3 of 4", "SIM lundi : 3 of 4"),
        ("The SIM March: no such number", "SIM March : numéro inconnu"),
        ("Something nobody translated. Calls go on.", "Something nobody translated. Les appels continuent."),
        ("Nobody translated this.", "Nobody translated this."),
        ("", ""),
        ("texted {0} ago", "déjà informé il y a {0}"),
    ],
)  # fmt: skip
def test_a_finished_sentence_is_said_with_its_values(french: Words, stored: str, said: str) -> None:
    assert french(stored) == french.said(stored) == said


def test_a_schedule_in_words_has_its_days_in_words_too(french: Words) -> None:
    weekly = {"kind": "weekly", "weekday": 0, "time": "10:00", "until": "2027-03-01"}
    assert french(schedule.words(weekly)) == "Chaque lundi à 10:00, jusqu’au lundi 1 mars 2027"


def test_english_is_said_as_it_was_written(french: Words) -> None:
    english = Languages(ZoneInfo("Europe/Paris")).choose("en", "")
    assert english("texted 40 min ago") == "texted 40 min ago"


def test_what_a_customer_wrote_is_no_pattern(french: Words) -> None:
    hostile = "(?P<x>" + "a" * 3000 + " ago {0} of {9}"
    assert french.said(hostile) == hostile


def test_the_catalogue_knows_the_sentences_with_values() -> None:
    known = {message for message, _, _ in messages.messages()}
    assert {"texted {0} ago", "The SIM {0}: {1}", "Each {0} at {1}", "{0}, until {1}", "no such number", "no SIM card",
            "Not texted: a landline cannot take texts."} <= known  # fmt: skip
    assert not [message for message in known if "SELECT" in message or "WHERE" in message]


def test_numbers_are_separated_as_the_language_does(french: Words) -> None:
    narrow = "\N{NARROW NO-BREAK SPACE}"
    assert french.number(1234567) == f"1{narrow}234{narrow}567"
    assert french.number(Decimal("1234.5"), 2) == f"1{narrow}234,50"
    assert Languages(ZoneInfo("UTC")).choose("en", "").number(1234.56, 1) == "1,234.6"


def test_a_day_with_its_year_is_the_languages_own(french: Words) -> None:
    assert french.day(datetime(2027, 3, 1, tzinfo=UTC)) == "lundi, 1 mars"
    assert french.said("Monday 1 March 2027") == "lundi 1 mars 2027"
