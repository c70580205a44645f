"""The baked areas are libphonenumber's own, and no daemon pays for its tables."""
from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import NumberParseException, PhoneNumberType, geocoder
from phonenumbers.geodata import GEOCODE_DATA

from appliance.people import regions
from appliance.people.numbers import Kind
from web import origins

LANGUAGES = ("en", "zh", "ru", "fr", "de", "ja", "pt", "xx")
DAEMONS = ("appliance.calls.daemon", "appliance.box.clock", "appliance.texts.modem", "web.server", "web.app")
SEED = 20261121


def numbers() -> Iterator[str]:
    """Examples of every country and kind, numbers of many areas, and what is none."""
    for code in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in PhoneNumberType.values():
            if example := phonenumbers.example_number_for_type(code, kind):
                yield phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    dice = random.Random(SEED)
    for prefix in dice.sample(sorted(GEOCODE_DATA), 12_000):
        yield "+" + prefix + "".join(str(dice.randrange(10)) for _ in range(dice.choice((11, 10, 12)) - len(prefix)))
    yield from ("+5491123456789", "+542234567890", "+521234567890", "+882161234567", "+80012345678", "+1", "+", "",
                "112", "02079460000", "+99912345678", "+390612345678", "+7800", "x", "+442079460000")


def of_the_library(number: str, language: str) -> str:
    try:
        return str(geocoder.description_for_number(phonenumbers.parse(number, None), language))
    except NumberParseException:
        return ""


@pytest.mark.deep
def test_every_region_is_the_one_of_the_library() -> None:
    asked = list(numbers())
    assert len(asked) > 13_000
    dice, found = random.Random(SEED), 0
    for number in asked:
        for language in ("en", "zh", *dice.sample(LANGUAGES, 2)):
            wanted = of_the_library(number, language)
            assert regions.region(number, language) == wanted, (number, language)
            found += bool(wanted)
    assert found > 14_000


@pytest.mark.parametrize(("number", "language", "wanted"), [
    ("+4930123456", "en", "Berlin"), ("+4989123456", "en", "Munich"), ("+4989123456", "de", "München"),
    ("+861012345678", "zh", "北京市"), ("+861012345678", "fr", "Beijing"),
    ("+78121234567", "ru", "г. Санкт-Петербург"),
    ("+442079460000", "zh", "英国"), ("+4915123456789", "en", "Germany"), ("+80012345678", "en", ""),
    ("112", "en", "")])
def test_a_region_is_told_in_the_readers_language(number: str, language: str, wanted: str) -> None:
    assert regions.region(number, language) == wanted


def test_at_home_the_own_country_is_not_said() -> None:
    assert regions.origin("+4915123456789", "en", "DE") == regions.Origin("", Kind.MOBILE, False)
    assert regions.origin("+4915123456789", "en", "FR") == regions.Origin("Germany", Kind.MOBILE, False)
    assert regions.origin("+4930123456", "en", "DE") == regions.Origin("Berlin", Kind.LANDLINE, False)
    assert regions.origin("+12125551234", "en", "DE") == regions.Origin("New York, NY", Kind.MOBILE, True)
    assert regions.origin("11833", "en", "DE") == regions.Origin("", Kind.SHORT, False)


def test_many_threads_ask_at_once() -> None:
    wrong: list[str] = []
    asked = [f"+49{area}{n:06}" for n in range(100) for area in (30, 89, 40, 221)]

    def ask() -> None:
        wrong.extend(number for number in asked if regions.region(number, "en") not in
                     ("Berlin", "Munich", "Hamburg", "Cologne"))
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.deep
def test_no_daemon_imports_the_librarys_own_tables() -> None:
    told = subprocess.run([sys.executable, "-c", f"""
import sys
import {", ".join(DAEMONS)}
from appliance.people import regions
assert regions.region("+4930123456", "en") == "Berlin"
print([name for name in sys.modules if name.startswith("phonenumbers.") and ("geo" in name or "carrier" in name)])"""],
                          capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_without_the_file_a_region_is_unknown_and_the_log_says_so(caplog: pytest.LogCaptureFixture, tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    regions.region.cache_clear()
    monkeypatch.setattr(regions, "BAKED", tmp_path / "none.db")
    assert regions.region("+4930123456", "en") == ""
    assert "without their region" in caplog.text
    regions.region.cache_clear()


def test_the_body_of_a_pop_has_the_region_in_every_language() -> None:
    assert origins.everywhere("+861012345678", "DE") == {
        "region": {"en": "Beijing", "fr": "Beijing", "ru": "Beijing", "zh": "北京市"}, "number_kind": "landline"}
    assert origins.everywhere("+4915123456789", "DE") == {"region": {}, "number_kind": "mobile"}
    assert origins.everywhere("+12125551234", "US")["number_kind"] == "either"
    assert origins.everywhere(None, "DE") == origins.everywhere("112", "DE") == {"region": {}, "number_kind": None}
