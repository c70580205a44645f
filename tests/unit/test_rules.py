"""Whether a call earns a text. Pure: no store, no clock."""
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.texts.rules import CallFacts, Draft, Recent, Refusal, decide

NOW = datetime(2026, 11, 21, 9, 40, tzinfo=UTC)
CALLER = "+491701234567"
MISSED = CallFacts("in", "missed", CALLER, "allowed", Kind.MOBILE)
SHOP = Settings(shop_name="Café Müller")


def test_a_missed_mobile_gets_the_shops_text_at_once() -> None:
    assert decide(MISSED, Recent(), SHOP, NOW) == Draft(
        CALLER, "Café Müller: sorry we missed your call. We will ring you back soon.", "missed", NOW)


def test_the_text_waits_as_long_as_the_settings_say() -> None:
    draft = decide(MISSED, Recent(), replace(SHOP, missed_text_delay_s=90), NOW)
    assert isinstance(draft, Draft) and draft.due_at == NOW + timedelta(seconds=90)


@pytest.mark.parametrize(("call", "code", "words"), [
    (replace(MISSED, outcome="answered"), "answered", "answered"),
    (replace(MISSED, outcome="busy"), "busy", "busy"),
    (replace(MISSED, outcome="rejected"), "rejected", "rejected"),
    (replace(MISSED, outcome="blocked"), "blocked", "blocked"),
    (replace(MISSED, outcome="interrupted"), "interrupted", "restart"),
    (replace(MISSED, outcome="voicemail"), "voicemail", "voice mail"),
    (replace(MISSED, direction="out"), "not_inbound", "not from outside"),
    (replace(MISSED, direction="internal"), "not_inbound", "not from outside"),
    (replace(MISSED, presentation="withheld", number=None), "withheld", "withheld the number"),
    (replace(MISSED, presentation="withheld"), "withheld", "withheld the number"),
    (replace(MISSED, presentation="unavailable", number=None), "unavailable", "no number"),
    (replace(MISSED, number=None, kind=Kind.SHORT), "short", "too short"),
    (replace(MISSED, number="+498912345", kind=Kind.LANDLINE), "landline", "a landline cannot take texts"),
    (replace(MISSED, number="+498001234567", kind=Kind.OTHER), "other", "service number"),
    (replace(MISSED, number="+491510000001"), "own", "our own"),
])
def test_every_other_call_is_refused_with_its_reason(call: CallFacts, code: str, words: str) -> None:
    refusal = decide(call, Recent(), SHOP, NOW, own_numbers={"+491510000001"})
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert words in refusal.reason and refusal.reason.startswith("Not texted: ") and refusal.reason.endswith(".")


@pytest.mark.parametrize(("minutes", "words"), [(0, "0 min"), (40, "40 min"), (59, "59 min")])
def test_second_missed_call_within_the_hour_is_not_texted_again(minutes: int, words: str) -> None:
    recent = Recent(NOW - timedelta(minutes=minutes))
    assert decide(MISSED, recent, SHOP, NOW) == Refusal("pause", f"texted {words} ago")


def test_a_missed_call_an_hour_later_is_texted_again() -> None:
    assert isinstance(decide(MISSED, Recent(NOW - timedelta(minutes=60)), SHOP, NOW), Draft)


def test_a_clock_set_back_does_not_text_twice() -> None:
    assert decide(MISSED, Recent(NOW + timedelta(minutes=5)), SHOP, NOW) == Refusal("pause", "texted 0 min ago")


def test_switched_off_means_no_text() -> None:
    refusal = decide(MISSED, Recent(), replace(SHOP, missed_text_on=False), NOW)
    assert isinstance(refusal, Refusal) and refusal.code == "off"


def test_an_empty_text_is_not_sent() -> None:
    refusal = decide(MISSED, Recent(), replace(SHOP, missed_text="  "), NOW)
    assert isinstance(refusal, Refusal) and refusal.code == "no_text"


def test_braces_in_the_text_are_only_braces() -> None:
    draft = decide(MISSED, Recent(), replace(SHOP, missed_text="{shop} {0} {shop.__class__} {"), NOW)
    assert isinstance(draft, Draft) and draft.text == "Café Müller {0} {shop.__class__} {"
