"""Numbers are read as libphonenumber reads them, in every country, however they are written."""
from __future__ import annotations

import random

import phonenumbers
import pytest
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from appliance.people import numbers, plans

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
OF_EACH = 40                     # the same was seen of 1,000,000 by another seed before a release of the library


def by_the_library(raw: str, country: str) -> str:
    try:
        parsed = phonenumbers.parse(raw, country)
    except NumberParseException:
        return ""
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) if phonenumbers.is_valid_number(parsed) else ""


def examples(country: str) -> list[tuple[int, str]]:
    found = [phonenumbers.example_number_for_type(country, kind) for kind in PhoneNumberType.values()]
    return [(one.country_code, phonenumbers.national_significant_number(one)) for one in found if one]


class People:
    """Write numbers down: right ones, wrong ones, with and without what is dialled before them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.all = [one for country in COUNTRIES for one in examples(country)]

    def write(self, country: str) -> str:
        choose = self.random.choice
        code, national = choose(examples(country) if self.random.random() < 0.8 else self.all)
        digits = list(national)
        for _ in range(choose((0, 1, 2, 4))):
            digits[self.random.randrange(len(digits))] = choose("0123456789")
        national = "".join(digits)[:choose((20, 20, 20, -1))] + choose(("", "", "", "7"))
        if self.random.random() < 0.1:
            national = "".join(choose("0123456789") for _ in range(self.random.randrange(1, 18)))
        inside = f"{PhoneMetadata.metadata_for_region(country, None).national_prefix or ''}{national}"
        said = choose((f"+{code}{national}", inside, f"0{national}", national, f"{code}{national}",
                       f"00{code}{national}", f"011{code}{national}", f"+{code}0{national}", f"+{code} (0) {national}",
                       f"({inside[:3]}) {inside[3:]}"))
        for _ in range(choose((0, 0, 1, 3))):
            place = self.random.randrange(len(said) + 1)
            said = said[:place] + choose(" -/.()") + said[place:]
        return said


def test_a_number_is_what_the_library_says_in_every_country() -> None:
    people = People(seed=1)
    written = [(people.write(country), country) for country in COUNTRIES for _ in range(OF_EACH)]
    wrong = [(raw, country, found, said) for raw, country in written
             if (found := plans.e164(raw, country)) not in (None, said := by_the_library(raw, country))]
    assert not wrong, wrong[:10]
    own = sum(plans.e164(raw, country) is not None for raw, country in written)
    assert own > len(written) * 0.95, "nearly all of them are answered without the library"
    assert sum(bool(plans.e164(raw, country)) for raw, country in written) > len(written) / 4, "many are numbers"


@pytest.mark.parametrize("raw", ["1-800-FLOWERS", "030 123456 ext. 7", "tel:+4930123456", "٠٣٠١٢٣٤٥٦", "++4930123456",
                                 "+999123456", "+8707731000", "000000", "", "+", "030\u00a0123456"])
def test_what_is_written_in_another_way_is_the_librarys(raw: str) -> None:
    assert plans.e164(raw, "DE") is None
    assert (numbers.e164(raw, "DE") or "") == by_the_library(raw, "DE")
