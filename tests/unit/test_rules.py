"""Whether a call earns a text. Pure: no store, no clock."""
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.texts.conditions import KNOWN, NEW_CALLER, Conditions, RuleError, dump, parse
from appliance.texts.guards import Back, Recent, Refusal, Shortage
from appliance.texts.rules import CallFacts, Draft, Rule, decide

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 9, 40, tzinfo=BERLIN)          # a Monday
CALLER = "+491701234567"
MISSED = CallFacts("in", "missed", CALLER, "allowed", Kind.MOBILE, ring_s=12, trunk="line1",
                   groups=frozenset({KNOWN, "VIP"}), at=NOW - timedelta(seconds=12), ended_at=NOW)
SHOP = Settings(shop_name="Café Müller", opening_hours="Mon-Fri 09:00-18:00")
TEXT = "{shop}: sorry we missed your call."
RULE = Rule("missed", "Missed call", TEXT, Conditions(outcomes=("missed",)), delay_s=0)
NIGHT = NOW.replace(hour=22)
NOTHING = Recent()


def decided(call: CallFacts = MISSED, *rules: Rule, recent: Recent = NOTHING, settings: Settings = SHOP,
            now: datetime = NOW) -> Draft | Refusal:
    return decide(call, rules or (RULE,), recent, settings, now)


def which(call: CallFacts, *rules: Rule, settings: Settings = SHOP, now: datetime = NOW) -> str | None:
    """The key of the rule that wrote the draft."""
    decision = decided(call, *rules, settings=settings, now=now)
    return decision.rule if isinstance(decision, Draft) else None


def rule(key: str = "missed", **wanted: object) -> Rule:
    return replace(RULE, key=key, conditions=Conditions(**wanted))


def at(moment: datetime) -> CallFacts:
    """The missed call, then."""
    return replace(MISSED, at=moment, ended_at=moment)


# -- the draft

def test_a_missed_mobile_gets_the_shops_text() -> None:
    assert decided() == Draft(CALLER, "Café Müller: sorry we missed your call.", "missed", NOW,
                              NOW + timedelta(minutes=15))


def test_the_text_waits_as_long_as_the_rule_says_and_then_has_its_quarter_of_an_hour() -> None:
    draft = decided(MISSED, replace(RULE, delay_s=90))
    assert isinstance(draft, Draft)
    assert draft.due_at == NOW + timedelta(seconds=90)
    assert draft.expires_at == draft.due_at + timedelta(minutes=15)


def test_a_rule_waits_15_seconds_unless_somebody_says_otherwise() -> None:
    assert (Rule("k", "n", "t").delay_s, Rule("k", "n", "t").expiry_min) == (15, 15)


@pytest.mark.parametrize(("passed", "is_texted"), [(14, True), (15, True), (16, False)])
def test_a_call_that_the_box_comes_to_too_late_is_not_answered(passed: int, is_texted: bool) -> None:
    late = decided(now=NOW + timedelta(minutes=passed))
    assert isinstance(late, Draft) is is_texted
    assert isinstance(late, Draft) or late.code == "late"
    assert isinstance(late, Refusal) or late.due_at == NOW + timedelta(minutes=passed), "now, not in the past"


def test_a_call_from_before_the_clock_was_set_is_answered_by_the_time_of_now() -> None:
    draft = decided(replace(MISSED, at=None, ended_at=None))
    assert isinstance(draft, Draft) and draft.due_at == NOW


def test_an_empty_text_is_how_a_rule_says_no() -> None:
    refusal = decided(MISSED, replace(RULE, key="suppliers", text="  "), RULE)
    assert isinstance(refusal, Refusal) and (refusal.code, refusal.rule) == ("no_text", "suppliers")


# -- which rule

def test_the_first_rule_that_fits_wins() -> None:
    assert which(MISSED, rule("busy", outcomes=("busy",)), rule("vip", groups=("VIP",)), rule("all")) == "vip"


def test_a_rule_that_is_off_lets_the_next_one_decide() -> None:
    assert which(MISSED, replace(rule("vip"), is_on=False), rule("all")) == "all"


def test_when_only_a_switched_off_rule_fits_that_is_the_reason() -> None:
    assert decided(MISSED, replace(RULE, is_on=False)) == Refusal(
        "off", "Not texted: the rule for such calls is switched off.", "missed")


def test_a_refused_call_is_not_taken_up_by_a_later_rule() -> None:
    refusal = decided(replace(MISSED, kind=Kind.LANDLINE), rule("vip"), rule("all"))
    assert isinstance(refusal, Refusal) and refusal.rule == "vip"


@pytest.mark.parametrize(("wanted", "call", "fits"), [
    ({}, MISSED, True),
    ({}, replace(MISSED, direction="out"), False),
    ({"direction": "out"}, replace(MISSED, direction="out"), True),
    ({"outcomes": ("abandoned", "busy")}, replace(MISSED, outcome="busy"), True),
    ({"outcomes": ("abandoned", "busy")}, MISSED, False),
    ({"answered": True}, replace(MISSED, outcome="answered"), True),
    ({"answered": True}, MISSED, False),
    ({"answered": False}, replace(MISSED, outcome="rejected"), True),
    ({"answered": False}, replace(MISSED, outcome="answered"), False),
    ({"ring_longer_s": 11}, MISSED, True),
    ({"ring_longer_s": 12}, MISSED, False),
    ({"ring_shorter_s": 13}, MISSED, True),
    ({"ring_shorter_s": 12}, MISSED, False),
    ({"talk_longer_s": 60}, replace(MISSED, outcome="answered", talk_s=61), True),
    ({"talk_longer_s": 60}, replace(MISSED, outcome="answered", talk_s=60), False),
    ({"talk_shorter_s": 5}, replace(MISSED, outcome="answered", talk_s=4.9), True),
    ({"trunks": ("line2", "line1")}, MISSED, True),
    ({"trunks": ("line2",)}, MISSED, False),
    ({"trunks": ("line2",)}, replace(MISSED, trunk=None), False),
    ({"groups": ("Suppliers", "VIP")}, MISSED, True),
    ({"groups": ("Suppliers",)}, MISSED, False),
    ({"groups": (KNOWN,)}, MISSED, True),
    ({"groups": (NEW_CALLER,)}, MISSED, False),
    ({"groups": (NEW_CALLER,)}, replace(MISSED, groups=frozenset({NEW_CALLER})), True),
])
def test_a_rule_is_about_the_calls_its_conditions_name(wanted: dict[str, object], call: CallFacts, fits: bool) -> None:
    assert which(call, rule(**wanted)) == ("missed" if fits else None)


@pytest.mark.parametrize(("moment", "wanted", "fits"), [
    (NOW, {"days": ("mon",)}, True),
    (NOW, {"days": ("tue", "sun")}, False),
    (NOW, {"hours_from": "09:40", "hours_until": "10:00"}, True),
    (NOW, {"hours_from": "09:00", "hours_until": "09:40"}, False),
    (NOW.replace(hour=2), {"hours_from": "18:00", "hours_until": "08:00"}, True),
    (NOW, {"hours_from": "18:00", "hours_until": "08:00"}, False),
    (NOW, {"when": "open"}, True),
    (NOW, {"when": "after hours"}, False),
    (NOW.replace(hour=18, minute=0), {"when": "after hours"}, True),
    (NOW - timedelta(days=1), {"when": "after hours"}, True),
])
def test_a_rule_keeps_its_hours_in_shop_time(moment: datetime, wanted: dict[str, object], fits: bool) -> None:
    awake = replace(SHOP, quiet_until=SHOP.quiet_from)
    assert which(at(moment), rule(**wanted), settings=awake, now=moment) == ("missed" if fits else None)


def test_hours_are_those_at_which_the_call_began_not_those_at_which_it_is_decided() -> None:
    evening = NOW.replace(hour=17, minute=59, second=59)
    late = replace(MISSED, at=evening, ended_at=evening + timedelta(seconds=20))
    assert which(late, rule("open", when="open"), now=evening + timedelta(seconds=20)) == "open"


def test_a_shop_that_was_closed_by_text_is_after_hours() -> None:
    closed = replace(SHOP, closed_until="2026-11-23T14:00:00.000Z")
    assert which(MISSED, rule("day", when="open"), rule("closed", when="after hours"), settings=closed) == "closed"


# -- who gets none

@pytest.mark.parametrize(("call", "code", "words"), [
    (replace(MISSED, outcome="answered"), "answered", "answered"),
    (replace(MISSED, outcome="busy"), "busy", "busy"),
    (replace(MISSED, outcome="rejected"), "rejected", "rejected"),
    (replace(MISSED, outcome="abandoned"), "abandoned", "left the menu"),
    (replace(MISSED, outcome="blocked"), "blocked", "blocked"),
    (replace(MISSED, outcome="interrupted"), "interrupted", "restart"),
    (replace(MISSED, outcome="voicemail"), "voicemail", "voice mail"),
    (replace(MISSED, direction="out"), "not_inbound", "not from outside"),
    (replace(MISSED, presentation="withheld", number=None), "withheld", "withheld the number"),
    (replace(MISSED, presentation="withheld"), "withheld", "withheld the number"),
    (replace(MISSED, presentation="unavailable", number=None), "unavailable", "no number"),
    (replace(MISSED, number=None, kind=Kind.SHORT), "short", "too short"),
    (replace(MISSED, number="+498912345", kind=Kind.LANDLINE), "landline", "a landline cannot take texts"),
    (replace(MISSED, number="+498001234567", kind=Kind.OTHER), "other", "service number"),
])
def test_every_other_call_is_refused_with_its_reason(call: CallFacts, code: str, words: str) -> None:
    refusal = decided(call)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert words in refusal.reason and refusal.reason.startswith("Not texted: ") and refusal.reason.endswith(".")


@pytest.mark.parametrize(("recent", "code", "words"), [
    (Recent(is_own=True), "own", "our own"),
    (Recent(is_opted_out=True), "opted_out", "asked not to be texted"),
    (Recent(back=Back.CALLED_BACK), "called_back", "has called back"),
    (Recent(back=Back.CAME_THROUGH), "came_through", "got through"),
    (Recent(is_bouncing=True), "loop", "automatic system"),
    (Recent(texts_today=3), "a_day", "texted 3 times within a day"),
    (Recent(texts_this_hour=30), "breaker", "too many automatic texts"),
    (Recent(shortage=Shortage.ALLOWANCE), "allowance", "allowance"),
    (Recent(shortage=Shortage.BALANCE), "balance", "Top it up"),
])
def test_each_guard_refuses_with_its_code_and_a_sentence(recent: Recent, code: str, words: str) -> None:
    refusal = decided(recent=recent)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.rule) == (code, "missed")
    assert words in refusal.reason


@pytest.mark.parametrize("recent", [Recent(texts_today=2), Recent(texts_this_hour=29)])
def test_one_below_the_limit_is_texted(recent: Recent) -> None:
    assert isinstance(decided(recent=recent), Draft)


def test_a_thank_you_for_an_answered_call_is_not_stopped_by_that_very_call() -> None:
    thanks = rule("thanks", answered=True, talk_longer_s=60)
    answered = replace(MISSED, outcome="answered", talk_s=90)
    assert isinstance(decided(answered, thanks, recent=Recent(back=Back.CAME_THROUGH)), Draft)


@pytest.mark.parametrize(("minutes", "words"), [(0, "0 min"), (40, "40 min"), (59, "59 min")])
def test_second_missed_call_within_the_hour_is_not_texted_again(minutes: int, words: str) -> None:
    recent = Recent(NOW - timedelta(minutes=minutes))
    assert decided(recent=recent) == Refusal("pause", f"texted {words} ago", "missed")


def test_a_missed_call_an_hour_later_is_texted_again() -> None:
    assert isinstance(decided(recent=Recent(NOW - timedelta(minutes=60))), Draft)


def test_a_clock_set_back_does_not_text_twice() -> None:
    assert decided(recent=Recent(NOW + timedelta(minutes=5))) == Refusal("pause", "texted 0 min ago", "missed")


# -- the quiet hours

def test_a_call_in_the_quiet_hours_is_answered_in_the_morning() -> None:
    draft = decided(at(NIGHT), now=NIGHT)
    assert isinstance(draft, Draft)
    assert draft.due_at == datetime(2026, 11, 24, 8, 0, tzinfo=BERLIN)
    assert draft.expires_at == draft.due_at + timedelta(minutes=15)


def test_or_not_at_all_when_the_shop_wants_it_so() -> None:
    refusal = decided(at(NIGHT), settings=replace(SHOP, quiet_does="drop"), now=NIGHT)
    assert isinstance(refusal, Refusal) and refusal.code == "quiet"


def test_the_quiet_hours_count_when_the_text_would_go_not_when_the_call_ended() -> None:
    evening = NOW.replace(hour=20, minute=59, second=50)
    draft = decided(at(evening), replace(RULE, delay_s=15), now=evening)
    assert isinstance(draft, Draft) and draft.due_at.hour == 8


def test_a_text_that_waits_for_the_radio_expires_when_the_quiet_hours_begin() -> None:
    evening = NOW.replace(hour=20, minute=58, second=0)
    draft = decided(at(evening), now=evening)
    assert isinstance(draft, Draft)
    assert (draft.due_at, draft.expires_at) == (evening, NOW.replace(hour=21, minute=0))


def test_a_shop_without_quiet_hours_texts_at_night() -> None:
    draft = decided(at(NIGHT), settings=replace(SHOP, quiet_from="08:00"), now=NIGHT)
    assert isinstance(draft, Draft) and draft.due_at == NIGHT


@pytest.mark.parametrize(("night", "morning_utc"), [
    (datetime(2027, 3, 27, 23, tzinfo=BERLIN), datetime(2027, 3, 28, 6, tzinfo=UTC)),
    (datetime(2027, 10, 30, 23, tzinfo=BERLIN), datetime(2027, 10, 31, 7, tzinfo=UTC)),
])
def test_the_morning_after_the_clocks_change_is_at_eight_too(night: datetime, morning_utc: datetime) -> None:
    draft = decided(at(night), now=night)
    assert isinstance(draft, Draft) and draft.due_at.astimezone(UTC) == morning_utc


# -- the conditions as they are written

def test_conditions_survive_being_written_down() -> None:
    wanted = Conditions("in", ("missed", "busy"), False, None, None, 5, 60, ("line1",), (NEW_CALLER,), ("mon", "sat"),
                        "18:00", "08:00", "after hours")
    assert parse(dump(wanted)) == wanted
    assert dump(Conditions()) == '{"direction": "in"}'


@pytest.mark.parametrize(("written", "sentence"), [
    ("{", "The conditions are not JSON"),
    ("[]", "The conditions are an object such as"),
    ('{"outcome": ["missed"]}', "There is no condition 'outcome'. Did you mean 'outcomes'?"),
    ('{"outcomes": ["mised"]}', "There is no outcome 'mised'. Did you mean 'missed'?"),
    ('{"outcomes": "missed"}', "outcomes is a list of words, not 'missed'."),
    ('{"direction": "inn"}', "There is no direction 'inn'. Did you mean 'in'?"),
    ('{"direction": ["in"]}', "direction is a word, not ['in']."),
    ('{"answered": 1}', "answered is true or false, not 1."),
    ('{"talk_longer_s": "60"}', "talk_longer_s is a whole number of seconds from 0 to 86400, not '60'."),
    ('{"ring_shorter_s": -1}', "ring_shorter_s is a whole number of seconds from 0 to 86400, not -1."),
    ('{"ring_longer_s": true}', "ring_longer_s is a whole number of seconds from 0 to 86400, not True."),
    ('{"talk_longer_s": 60, "talk_shorter_s": 60}', "No call can talk longer than 60 s and shorter than 60 s."),
    ('{"answered": true, "outcomes": ["missed"]}', "No call can have that outcome and that answer."),
    ('{"days": ["monday"]}', "There is no day 'monday'. Did you mean 'mon'?"),
    ('{"trunks": ["line2"]}', "There is no line 'line2'. Did you mean 'line1'?"),
    ('{"groups": ["VIPs"]}', "There is no group 'VIPs'. Did you mean 'VIP'?"),
    ('{"groups": ["new callers"]}', "There is no group 'new callers'. Did you mean 'new caller'?"),
    ('{"when": "afterhours"}', "There is no choice 'afterhours'. Did you mean 'after hours'?"),
    ('{"hours_from": "09:00"}', "hours_from and hours_until belong together."),
    ('{"hours_from": "9 am", "hours_until": "10:00"}', "'9 am' is no time of day. Write it like 09:00."),
    ('{"hours_from": "09:00", "hours_until": "09:00"}', "From 09:00 until 09:00 is no time at all."),
])
def test_a_wrong_condition_is_refused_in_words(written: str, sentence: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(written, trunks=["line1"], groups=["VIP"])
    assert str(refused.value).startswith(sentence)
