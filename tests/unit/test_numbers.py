"""Telephone numbers of a dozen countries, as their lines and their people write them."""
from __future__ import annotations

import pytest

from appliance.people import numbers

HOME = """
    DE | 01701234567          | +491701234567   | mobile   | 0170 1234567
    DE | 0170/123 45 67       | +491701234567   | mobile   | 0170 1234567
    DE | +49 (0)170 1234567   | +491701234567   | mobile   | 0170 1234567
    DE | 00491701234567       | +491701234567   | mobile   | 0170 1234567
    DE | 491701234567         | +491701234567   | mobile   | 0170 1234567
    DE | 030 23125222         | +493023125222   | landline | 030 23125222
    DE | 0491 701234          | +49491701234    | landline | 0491 701234
    DE | 0800 3301000         | +498003301000   | other    | 0800 3301000
    DE | 0900 1234567         | +499001234567   | other    | 0900 1 234567
    DE | +79161234567         | +79161234567    | mobile   | +7 916 123-45-67
    RU | +79161234567         | +79161234567    | mobile   | 8 (916) 123-45-67
    RU | 89161234567          | +79161234567    | mobile   | 8 (916) 123-45-67
    RU | 79161234567          | +79161234567    | mobile   | 8 (916) 123-45-67
    RU | 9161234567           | +79161234567    | mobile   | 8 (916) 123-45-67
    RU | 8 (495) 123-45-67    | +74951234567    | landline | 8 (495) 123-45-67
    RU | 8 800 555 35 35      | +78005553535    | other    | 8 (800) 555-35-35
    UA | 0501234567           | +380501234567   | mobile   | 050 123 4567
    US | (415) 555-2671       | +14155552671    | mobile   | (415) 555-2671
    US | 14155552671          | +14155552671    | mobile   | (415) 555-2671
    US | 1-800-FLOWERS        | +18003569377    | other    | (800) 356-9377
    GB | 07911 123456         | +447911123456   | mobile   | 07911 123456
    GB | 020 7946 0018        | +442079460018   | landline | 020 7946 0018
    FR | 06 12 34 56 78       | +33612345678    | mobile   | 06 12 34 56 78
    FR | 01 23 45 67 89       | +33123456789    | landline | 01 23 45 67 89
    CN | 13800138000          | +8613800138000  | mobile   | 138 0013 8000
    CN | 010 6552 9988        | +861065529988   | landline | 010 6552 9988
    IT | 391 1234567          | +393911234567   | mobile   | 391 123 4567
    IT | 06 698 12345         | +390669812345   | landline | 06 6981 2345
    JP | 090-1234-5678        | +819012345678   | mobile   | 090-1234-5678
    AU | 0412 345 678         | +61412345678    | mobile   | 0412 345 678
    CH | 079 123 45 67        | +41791234567    | mobile   | 079 123 45 67
    AT | 436641234567         | +436641234567   | mobile   | 0664 1234567
    BR | 55991234567          | +5555991234567  | mobile   | (55) 99123-4567
    IN | 9123456789           | +919123456789   | mobile   | 091234 56789
    PL | 600123456            | +48600123456    | mobile   | 600 123 456
"""
TABLE = [[cell.strip() for cell in line.split("|")] for line in HOME.strip().splitlines()]


@pytest.mark.parametrize(("country", "written", "number", "kind", "shown"), TABLE,
                         ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_a_number_has_one_form_one_kind_and_one_look(
        country: str, written: str, number: str, kind: str, shown: str) -> None:
    found = numbers.e164(written, country)
    assert found == number
    assert numbers.kind(number) == kind
    assert numbers.shown(number, country) == shown


@pytest.mark.parametrize(("country", "written"), [
    ("DE", "110"), ("DE", "112"), ("DE", "22833"), ("RU", "02"), ("US", "911"), ("US", "5552671"), ("GB", "999"),
    ("FR", "3639"), ("CN", "10086"), ("DE", "7"), ("DE", ""), ("DE", "abc"), ("DE", "+"), ("DE", "+49"),
    ("DE", "017012"), ("DE", "+4917012345671234"), ("DE", "1" * 300), ("DE", "+49" + "1" * 300), ("DE", "anonymous"),
    ("DE", "\ufffd"), ("DE", "\x00\x1b[2J"), ("DE", "*21*01701234567#"), ("DE", "#31#01701234567"),
    ("DE", "sip:01701234567@x"), ("ZZ", "01701234567"), ("", "01701234567"), ("DE", "😀" * 9), ("DE", "\n"),
], ids=lambda value: repr(value)[:24])
def test_what_no_subscriber_has_is_no_number(country: str, written: str) -> None:
    assert numbers.e164(written, country) is None


@pytest.mark.parametrize("number", ["", "7", "110", "22833", "017012", "abc", "+49", "+4917012345671234567", "x" * 300])
def test_what_is_no_number_can_take_no_text(number: str) -> None:
    assert numbers.kind(number) == "short"


@pytest.mark.parametrize(("number", "country", "written"), [
    ("+491701234567", "DE", ["+491701234567", "491701234567", "00491701234567", "01701234567"]),
    ("+79161234567", "RU", ["+79161234567", "79161234567", "0079161234567", "89161234567"]),
    ("+14155552671", "US", ["+14155552671", "14155552671", "0014155552671", "4155552671"]),
    ("+14155552671", "DE", ["+14155552671", "14155552671", "0014155552671"]),
])
def test_the_spellings_a_line_may_use(number: str, country: str, written: list[str]) -> None:
    assert numbers.spellings(number, country) == written


@pytest.mark.parametrize(("country", "number"), sorted({(row[0], row[2]) for row in TABLE if row[1][0] != "+"}))
def test_every_spelling_leads_back_to_the_number(country: str, number: str) -> None:
    """What Asterisk's own database knows by a spelling, the bell must know by it too."""
    home = [written for written in numbers.spellings(number, country) if not written.startswith("00")]
    assert {numbers.e164(written, country) for written in home} == {number}


@pytest.mark.parametrize(("number", "shown"), [
    ("+491701234567", "+4917…567"), ("0301234567", "03…67"), ("12345", "1…5"), ("1234", "1…4"), ("110", "110"),
    (None, "no number"), ("", "no number"), ("Max Müller", "Ma…er")])
def test_a_log_shows_enough_to_find_the_call(number: str | None, shown: str) -> None:
    assert numbers.short(number) == shown


@pytest.mark.parametrize("digits", range(4, 40))
def test_a_log_shows_no_whole_number(digits: int) -> None:
    number = "1234567890" * 4
    assert len(numbers.short(number[:digits]).replace("…", "")) <= max(digits - 2, 2)


@pytest.mark.parametrize(("code", "known"), [
    ("DE", True), ("GB", True), ("UK", False), ("ZZ", False), ("de", False), ("", False)])
def test_a_country_is_one_with_a_numbering_plan(code: str, known: bool) -> None:
    assert numbers.is_country(code) is known


@pytest.mark.parametrize(("number", "country", "home"), [
    ("+4930123456", "DE", True), ("+33123456789", "DE", False), ("+12125551234", "US", True),
    ("+12505551212", "US", True), ("+18005551234", "JM", True), ("+18095551234", "US", False),
    ("+18765551234", "US", False), ("+18765551234", "JM", True), ("+12125551234", "JM", False),
    ("+77012345678", "RU", True), ("+441534123456", "GB", True), ("abc", "DE", False)])
def test_an_island_with_our_calling_code_is_abroad_all_the_same(number: str, country: str, home: bool) -> None:
    assert numbers.is_home(number, country) is home
