"""What keeps an automatic text from going, asked of a real store, when it is queued and again when it is due."""
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appliance.people.numbers import Kind
from appliance.settings import Settings
from appliance.store import db as store
from appliance.texts import guards, outbox
from appliance.texts.guards import Later, Purpose, Recent, Refusal, Shortage
from tests.unit.texting import CALLER, NOW, OTHER, SIM, Office, office

__all__ = ["office"]
PATIENT = Settings(text_pause_min=0)


def test_a_missed_mobile_is_queued_once_however_often_the_ledger_says_so(office: Office) -> None:
    call_id = office.call()
    with store.write(office.db):
        outbox.after_call(office.db, office.box, call_id, Settings(), NOW)
    assert office.states() == ["queued"]
    assert office.refusals() == []


def test_a_refusal_is_kept_once(office: Office) -> None:
    call_id = office.call("+498912345679")
    with store.write(office.db):
        outbox.after_call(office.db, office.box, call_id, Settings(), NOW)
    assert office.refusals() == ["Not texted: a landline cannot take texts."]
    assert office.states() == []


@pytest.mark.parametrize(("number", "presentation", "words"), [
    (None, "withheld", "withheld"), (None, "unavailable", "no number"), (None, "allowed", "too short"),
    ("+498912345678", "allowed", "our own"), ("+491510000001", "allowed", "our own"),
])
def test_who_cannot_or_must_not_be_texted_is_not(
        office: Office, number: str | None, presentation: str, words: str) -> None:
    office.call(number, presentation=presentation)
    assert office.states() == []
    assert words in office.refusals()[0]


def test_second_missed_call_within_the_hour_is_not_texted_again(office: Office) -> None:
    office.call(at=NOW)
    office.call(at=NOW + timedelta(minutes=40))
    assert office.states() == ["queued"]
    assert office.refusals() == ["texted 40 min ago"]


def test_a_text_that_failed_does_not_use_up_the_hour(office: Office) -> None:
    office.call()
    office.refused(is_passing=False)
    office.call(at=NOW + timedelta(minutes=5))
    assert office.states() == ["failed", "queued"]


def test_a_text_of_unknown_outcome_does_use_up_the_hour(office: Office) -> None:
    office.call()
    office.unknown()
    office.call(at=NOW + timedelta(minutes=5))
    assert office.states() == ["unknown"]


@pytest.mark.parametrize(("outcome", "direction"), [("answered", "in"), ("missed", "out"), ("missed", "internal")])
def test_answered_and_outgoing_calls_leave_neither_text_nor_refusal(
        office: Office, outcome: str, direction: str) -> None:
    office.call(outcome=outcome, direction=direction)
    assert (office.states(), office.refusals()) == ([], [])


def test_a_text_too_long_for_the_network_is_a_refusal_and_not_a_crash(office: Office) -> None:
    office.db.execute("UPDATE rule SET text = ?", ("ж" * 20000,))
    office.call()
    assert office.states() == []
    assert office.refusals()[0].startswith("Not texted: The text")


# -- what was before

def test_the_fourth_text_within_a_day_is_one_too_many(office: Office) -> None:
    for hour in range(0, 8, 2):
        office.call(at=NOW + timedelta(hours=hour))
        if hour < 6:
            office.sent(hour, at=NOW + timedelta(hours=hour))
    assert office.states() == ["sent"] * 3
    assert office.refusals() == ["texted 3 times within a day"]
    office.call(at=NOW + timedelta(hours=24, seconds=1))
    assert office.states()[3:] == ["queued"], "the first of them is a day ago"


def test_a_box_whose_clock_fell_back_to_1970_still_texts_by_day_and_night(office: Office) -> None:
    """Everything it ever sent lies ahead of its clock: none of it is of this hour, day or month."""
    for caller in range(5):
        office.call(f"+4917012345{caller:02}")
        office.sent(caller)
    limited(office, allowance=4)
    office.call(OTHER, at=datetime(1970, 1, 1, 0, 5, tzinfo=UTC), settings=replace(Settings(), breaker_an_hour=2))
    row = office.db.execute("SELECT due_at, expires_at FROM sms WHERE number = ?", (OTHER,)).fetchone()
    assert tuple(row) == ("1970-01-01T00:05:00.000Z", None), "its hour is not known, and the clock is about to jump"
    office.call("+491701234500", at=datetime(1970, 1, 1, 3, tzinfo=UTC), settings=replace(PATIENT, texts_a_day=1))
    assert office.states()[-2:] == ["queued", "queued"], "that one text was not of this day"


def test_a_caller_who_opted_out_is_not_texted(office: Office) -> None:
    office.opted_out(NOW - timedelta(days=300))
    office.call()
    assert (office.states(), office.refusals()) == ([], ["Not texted: they asked not to be texted."])


def test_a_caller_who_is_through_on_the_other_line_is_not_texted(office: Office) -> None:
    talking = office.call(outcome="answered", at=NOW + timedelta(seconds=60), talk_s=60)
    office.db.execute("UPDATE call SET outcome = NULL, ended_at = NULL WHERE id = ?", (talking,))
    office.call(at=NOW)
    assert office.refusals() == ["Not texted: the caller got through in another call."]


def test_a_caller_who_got_through_while_the_first_call_still_rang_is_not_texted(office: Office) -> None:
    office.call(outcome="answered", at=NOW + timedelta(seconds=60), talk_s=65)
    began = NOW - timedelta(seconds=10)
    with store.write(office.db):
        office.db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, ended_at,
                              outcome, is_clock_set)
            VALUES ('box1', 1, 'first', 'in', '', ?, 'allowed', ?, ?, 'missed', 1)""",
            (CALLER, store.iso(began), store.iso(NOW)))
        outbox.after_call(office.db, office.box, 2, Settings(), NOW)
    assert office.refusals() == ["Not texted: the caller got through in another call."]


def test_a_caller_who_only_rings_again_has_not_got_through(office: Office) -> None:
    ringing = office.call(at=NOW + timedelta(seconds=5))
    office.db.execute("DELETE FROM sms")
    office.db.execute("UPDATE call SET outcome = NULL, ended_at = NULL WHERE id = ?", (ringing,))
    office.call(at=NOW)
    assert office.states() == ["queued"]


def test_what_a_person_wrote_to_the_caller_does_not_stop_the_shops_text(office: Office) -> None:
    with store.write(office.db):
        outbox.queue(office.db, outbox.Draft(CALLER, "Your bike is ready.", None, NOW, priority=5), None, NOW)
    office.call()
    assert len(office.states()) == 2


def test_a_conversation_before_the_missed_call_is_no_reason(office: Office) -> None:
    office.call(outcome="answered", at=NOW - timedelta(minutes=1), talk_s=30)
    office.call(at=NOW)
    assert office.states() == ["queued"]


def test_the_breaker_stops_the_box_and_not_for_ever(office: Office) -> None:
    three = replace(Settings(), breaker_an_hour=3)
    for caller in range(4):
        office.call(f"+4917012345{caller:02}", settings=three)
    assert len(office.states()) == 3
    assert office.refusals()[0].startswith("Not texted: too many automatic texts went out within the hour.")
    office.call("+491701234510", at=NOW + timedelta(hours=1, seconds=1), settings=three)
    assert len(office.states()) == 4


def test_campaigns_and_people_do_not_trip_the_breaker(office: Office) -> None:
    for caller in range(5):
        with store.write(office.db):
            outbox.queue(office.db, outbox.Draft(f"+4917012345{caller:02}", "Sale", None, NOW), None, NOW)
    office.call(settings=replace(Settings(), breaker_an_hour=1))
    assert office.refusals() == []


@pytest.mark.parametrize(("seconds", "text", "is_loop"), [
    (4, "We are closed.", True), (10, "We are closed.", True), (11, "Yes please, at five.", False),
    (600, "Our shop: sorry we missed your call. We will ring you back soon. ", True),
    (-4, "Are you open?", False)])
def test_two_boxes_that_text_each_other_are_told_from_a_person(
        office: Office, seconds: int, text: str, is_loop: bool) -> None:
    office.call()
    office.sent(1)
    office.came(text, NOW + timedelta(seconds=seconds))
    office.call(at=NOW + timedelta(hours=2), settings=PATIENT)
    assert office.refusals() == [guards.BOUNCING.reason] * is_loop
    assert len(office.states()) == (2 if is_loop else 3)


def test_a_loop_is_forgotten_after_a_day(office: Office) -> None:
    office.call()
    office.sent(1)
    office.came("We are closed.", NOW + timedelta(seconds=3))
    office.call(at=NOW + timedelta(hours=25))
    assert office.refusals() == []


# -- what the SIM can pay

def limited(office: Office, **limits: object) -> None:
    """The shop's only SIM with limits, as the radio and a person wrote them."""
    balance = limits.pop("balance", None)
    with store.write(office.db):
        office.db.execute("INSERT INTO modem (name, state, updated_at, balance) VALUES ('SIM', 'registered', ?, ?)",
                          (store.iso(NOW), balance))
        office.db.execute("INSERT INTO sim (name, allowance, least_balance) VALUES ('SIM', ?, ?)",
                          (limits.get("allowance"), limits.get("least_balance")))


def test_a_used_up_allowance_stops_automatic_texts_until_the_month_is_over(office: Office) -> None:
    limited(office, allowance=1)
    office.call()
    office.sent(1)
    office.call(OTHER)
    assert office.refusals() == ["Not texted: the SIM's allowance for this month is used up."]
    office.call(OTHER, at=NOW + timedelta(days=10))
    assert len(office.states()) == 2


@pytest.mark.parametrize(("balance", "is_low"), [("0.99", True), ("1.00", False), ("-3", True), (None, False)])
def test_a_low_balance_stops_automatic_texts(office: Office, balance: str | None, is_low: bool) -> None:
    limited(office, balance=balance, least_balance="1.00")
    assert guards.shortage(office.db, NOW) == (Shortage.BALANCE if is_low else None)


def test_one_sim_that_can_pay_is_enough(office: Office) -> None:
    limited(office, allowance=0)
    assert guards.shortage(office.db, NOW) is Shortage.ALLOWANCE
    office.db.execute("INSERT INTO modem (name, state, updated_at) VALUES ('SIM2', 'registered', ?)", (store.iso(NOW),))
    assert guards.shortage(office.db, NOW) is None


@pytest.mark.parametrize(("day", "now", "first"), [
    (1, datetime(2026, 11, 21, 9), datetime(2026, 11, 1)), (21, datetime(2026, 11, 21, 0), datetime(2026, 11, 21)),
    (22, datetime(2026, 11, 21, 9), datetime(2026, 10, 22)), (28, datetime(2026, 3, 1, 9), datetime(2026, 2, 28)),
    (15, datetime(2027, 1, 3), datetime(2026, 12, 15))])
def test_an_allowance_begins_on_its_day_of_the_month(day: int, now: datetime, first: datetime) -> None:
    assert guards.month_start(day, now) == first


# -- asked again when the text is due

def test_a_text_is_called_off_when_somebody_called_back_meanwhile(office: Office) -> None:
    office.rule(delay_s=60)
    office.call()
    office.call(direction="out", outcome="answered", at=NOW + timedelta(seconds=40), talk_s=30)
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=60)) is None
    assert (office.states(), office.reason()) == (["cancelled"], "Not texted: somebody here has called back.")


def test_a_text_is_called_off_when_the_caller_got_through_meanwhile(office: Office) -> None:
    office.rule(delay_s=60)
    office.call()
    office.call(outcome="answered", at=NOW + timedelta(seconds=40), talk_s=30)
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=60)) is None
    assert (office.states(), office.reason()) == (
        ["cancelled"], "Not texted: the caller got through in another call.")


def test_an_attempt_to_call_back_that_nobody_answered_leaves_the_text_alone(office: Office) -> None:
    office.call()
    office.call(direction="out", outcome="missed", at=NOW + timedelta(seconds=40))
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=60)) is not None


def test_an_opt_out_calls_off_what_was_queued_before_it_and_not_what_came_after(office: Office) -> None:
    office.call()
    assert guards.recheck(office.db, 1, NOW) is None
    office.opted_out(NOW + timedelta(seconds=1))
    assert guards.recheck(office.db, 1, NOW) == guards.OPTED_OUT
    with store.write(office.db):
        later = outbox.queue(office.db, outbox.Draft(CALLER, "You get no more texts.", None, NOW), None,
                             NOW + timedelta(seconds=1))
    assert guards.recheck(office.db, later, NOW) is None


def test_a_text_that_is_gone_is_asked_about_without_harm(office: Office) -> None:
    assert guards.recheck(office.db, 99, NOW) is None


# -- what each kind of text is asked

SHOP_TIME = datetime(2026, 11, 21, 23, 0, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(("why", "recent", "code"), [
    (Purpose.ANSWER, Recent(last_text_at=SHOP_TIME), None),
    (Purpose.ANSWER, Recent(texts_today=3), "a_day"),
    (Purpose.ANSWER, Recent(is_bouncing=True), "loop"),
    (Purpose.ANSWER, Recent(is_opted_out=True), "opted_out"),
    (Purpose.CAMPAIGN, Recent(texts_today=3, texts_this_hour=99, is_bouncing=True), "later"),
    (Purpose.CAMPAIGN, Recent(is_opted_out=True), "opted_out"),
    (Purpose.CALL, Recent(), "later"),
])
def test_an_answer_to_a_text_goes_at_night_and_a_campaign_is_no_bounce(
        why: Purpose, recent: Recent, code: str | None) -> None:
    verdict = guards.check(CALLER, Kind.MOBILE, why, recent, Settings(), SHOP_TIME)
    if isinstance(verdict, Later):
        assert code == "later" and verdict.due_at == SHOP_TIME.replace(day=22, hour=8)
    else:
        assert (verdict.code if isinstance(verdict, Refusal) else None) == code
