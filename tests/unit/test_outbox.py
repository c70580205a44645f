"""The states of a text, in a real store, without a modem."""
from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from appliance.store import db as store
from appliance.texts import outbox, reports
from hw.pdu import DeliveryReport
from tests.unit.texting import CALLER, NOW, OTHER, SIM, Office, office

__all__ = ["office"]
SECOND = "SIM2"
LONG = "Привет. " * 15


def test_a_delayed_text_is_not_due_before_its_time(office: Office) -> None:
    office.rule(delay_s=60)
    office.call()
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=59)) is None
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=60)) is not None


def test_a_text_queued_while_the_clock_was_years_ahead_goes_out(office: Office) -> None:
    office.call(at=NOW + timedelta(days=1500))
    assert office.due().number == CALLER
    office.refused(is_passing=True)
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=9)) is None, "the pause of the right clock holds"
    assert outbox.next_due(office.db, SIM, NOW + timedelta(seconds=10)) is not None


def test_what_the_radio_asks_ten_times_a_second_walks_no_table(office: Office) -> None:
    office.call()
    office.sent(7)
    asked: list[str] = []
    office.db.set_trace_callback(asked.append)
    outbox.next_due(office.db, SIM, NOW)
    office.report(7)
    office.db.set_trace_callback(None)
    plans = [row["detail"] for query in asked if "SELECT" in query.upper() and "segment" in query
             for row in office.db.execute("EXPLAIN QUERY PLAN " + query)]
    assert any("segment_queued" in plan for plan in plans) and any("segment_reference" in plan for plan in plans)
    partial = ("segment_queued", "sms_queued", "sms_sending", "sms_campaign_queued")  # hold only what waits
    assert not [plan for plan in plans if re.match("SCAN (segment|sms|every)", plan) and not plan.endswith(partial)]


def test_sending_is_written_down_and_then_nobody_else_takes_it(office: Office) -> None:
    office.call()
    due = office.sending()
    assert (office.states(), office.segments()) == (["sending"], ["sending"])
    with store.write(office.db):
        assert not outbox.mark_sending(office.db, due, SIM, NOW)
    assert outbox.next_due(office.db, SIM, NOW) is None


def test_a_text_called_off_in_the_last_moment_is_not_sent(office: Office) -> None:
    office.call()
    due = office.due()
    office.db.execute("UPDATE sms SET state = 'cancelled'")
    with store.write(office.db):
        assert not outbox.mark_sending(office.db, due, SIM, NOW)
    assert office.states() == ["cancelled"]


def test_accepted_then_reported_is_delivered_with_its_times(office: Office) -> None:
    office.call()
    office.sent(7, NOW + timedelta(seconds=3))
    assert office.states() == ["sent"]
    assert office.report(7, at=NOW + timedelta(seconds=9)) == 1
    row = office.db.execute("SELECT state, sent_at, delivered_at FROM sms").fetchone()
    assert tuple(row) == ("delivered", "2026-11-21T09:00:03.000Z", "2026-11-21T09:00:09.000Z")


def test_every_change_is_told_to_the_desks(office: Office) -> None:
    office.call()
    office.sent(7)
    office.report(7)
    assert office.told() == 4  # queued, sending, sent, delivered


def test_the_parts_of_a_long_text_keep_their_own_fate(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    office.sent(1)
    assert (office.states(), office.segments()) == (["sending"], ["sent", "queued"])
    office.sent(2)
    assert office.states() == ["sent"]
    office.report(2)
    assert (office.states(), office.segments()) == (["sent"], ["sent", "delivered"])
    office.report(1)
    assert office.states() == ["delivered"]


def test_a_text_begun_is_finished_before_the_next_one(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    office.call(OTHER)
    office.sent(1)
    assert (office.due().number, office.due().part) == (CALLER, 2)


def test_a_second_part_refused_fails_the_text_and_names_the_part(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    office.sent(1)
    office.refused(is_passing=False)
    assert (office.states(), office.segments()) == (["failed"], ["sent", "failed"])
    assert office.reason() == "Part 2 of 2: The network is busy (CMS 42)."


def test_a_lasting_refusal_is_failed_in_words(office: Office) -> None:
    office.call()
    office.refused(is_passing=False)
    assert (office.states(), office.reason()) == (["failed"], "The network is busy (CMS 42).")
    assert outbox.next_due(office.db, SIM, NOW + timedelta(days=1)) is None


def test_a_passing_refusal_waits_and_does_not_delay_the_next_text(office: Office) -> None:
    office.call()
    office.call(OTHER)
    office.refused(is_passing=True)
    assert office.states() == ["queued", "queued"]
    assert office.due().number == OTHER
    assert office.sent(1).number == OTHER
    assert outbox.next_due(office.db, SIM, NOW) is None
    assert office.due(NOW + timedelta(seconds=10)).number == CALLER


def test_five_passing_refusals_are_enough(office: Office) -> None:
    office.rule(expiry_min=120)
    office.call()
    at = NOW
    for _ in range(outbox.MAX_ATTEMPTS):
        office.refused(is_passing=True, at=at)
        at += timedelta(minutes=20)
    assert office.states() == ["failed"]
    assert office.reason() == "Given up after 5 tries: The network is busy (CMS 42)."


def test_a_radio_without_network_costs_a_text_none_of_its_tries(office: Office) -> None:
    office.call()
    at = NOW
    for _ in range(20):
        due = office.sending(at)
        with store.write(office.db):
            outbox.not_ready(office.db, due, "no network", 331, at)
        at += timedelta(seconds=10)
    assert (office.states(), office.due(at).attempts) == (["queued"], 0)


def test_unknown_is_never_sent_again_by_itself(office: Office) -> None:
    office.call()
    office.unknown()
    assert office.states() == ["unknown"]
    assert office.reason() == "The modem did not say. It may have been sent."
    assert outbox.next_due(office.db, SIM, NOW + timedelta(days=365)) is None


def test_what_was_in_the_modems_hands_when_we_died_is_unknown(office: Office) -> None:
    office.call()
    office.call(OTHER)
    office.sending()
    with store.write(office.db):
        assert outbox.recover(office.db, NOW) == 1
    assert office.states() == ["unknown", "queued"]
    assert "may have been sent" in str(office.db.execute("SELECT reason FROM sms").fetchone()[0])


def test_dying_between_two_parts_loses_neither(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    office.sent(1)
    with store.write(office.db):
        assert outbox.recover(office.db, NOW) == 0
    assert office.states() == ["queued"]
    assert office.due().part == 2


def test_a_report_settles_an_unknown_one(office: Office) -> None:
    office.call()
    office.unknown()
    assert office.report(200, at=NOW + timedelta(seconds=20)) == 1
    assert office.states() == ["delivered"]
    assert office.db.execute("SELECT reference FROM segment").fetchone()[0] == 200


def test_a_report_that_settles_the_first_part_lets_the_rest_go(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    office.unknown()
    office.report(5)
    assert office.sent(6).part == 2
    assert office.states() == ["sent"]


def test_the_rest_of_a_text_that_was_sent_again_goes_no_more_when_its_first_part_arrived(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    old = office.unknown().sms_id
    with store.write(office.db):
        new = outbox.send_again(office.db, old, NOW)
    office.sent(6)
    office.report(5)
    due = office.due()
    assert (due.sms_id, due.part) == (new, 2), "the second one alone is finished"
    office.sent(7)
    assert outbox.next_due(office.db, SIM, NOW) is None


def test_a_text_from_before_a_power_cut_waits_until_the_box_knows_how_old_it_is(office: Office) -> None:
    office.call()
    assert outbox.next_due(office.db, SIM, datetime(1970, 1, 1, 0, 1, tzinfo=UTC)) is None
    assert outbox.next_due(office.db, SIM, NOW + timedelta(days=3)) is None
    assert office.states() == ["expired"]


@pytest.mark.parametrize(("reference", "number", "hours"), [(8, CALLER, 0), (7, OTHER, 0), (7, CALLER, 49)])
def test_a_report_of_another_text_settles_nothing(office: Office, reference: int, number: str, hours: int) -> None:
    office.call()
    office.sent(7)
    assert office.report(reference, number=number, at=NOW + timedelta(hours=hours)) is None
    assert office.states() == ["sent"]


def test_a_second_report_of_a_delivered_text_does_not_settle_an_unknown_one(office: Office) -> None:
    office.call()
    office.sent(7)
    office.report(7)
    office.call(at=NOW + timedelta(hours=2))
    office.unknown(NOW + timedelta(hours=2))
    assert office.report(7) is None
    assert office.states() == ["delivered", "unknown"]


def test_of_two_texts_with_one_reference_the_nearer_is_meant(office: Office) -> None:
    office.call()
    office.sent(7)
    later = NOW + timedelta(hours=30)
    office.call(at=later)
    office.sent(7, later)
    office.report(7, at=later + timedelta(seconds=5))
    assert office.states() == ["sent", "delivered"]


def test_a_report_on_a_box_whose_clock_was_never_set_finds_its_text(office: Office) -> None:
    unset = datetime(1970, 1, 1, 9, 5, tzinfo=UTC)
    office.call(at=unset)
    office.sent(7, unset)
    with store.write(office.db):
        told = DeliveryReport(7, CALLER, 0, sent_at=NOW, discharged_at=NOW)
        assert reports.report(office.db, told, unset + timedelta(seconds=9), SIM) == 1
    assert office.states() == ["delivered"]


@pytest.mark.parametrize("spelling", ["01701234567", "00491701234567", "491701234567"])
def test_a_report_may_write_the_number_the_national_way(office: Office, spelling: str) -> None:
    office.call()
    office.sent(7)
    assert office.report(7, number=spelling) == 1


@pytest.mark.parametrize(("status", "state"), [
    (0x00, "delivered"), (0x02, "delivered"), (0x20, "sent"), (0x30, "sent"),
    (0x43, "failed"), (0x46, "expired"), (0x62, "failed"),
])
def test_what_the_network_reports_becomes_the_texts_state(office: Office, status: int, state: str) -> None:
    office.call()
    office.sent(7)
    office.report(7, status)
    assert office.states() == [state]
    assert state not in ("failed", "expired") or office.reason().startswith("The network took the text but")


def test_a_text_begun_by_one_sim_is_not_finished_by_another(office: Office) -> None:
    office.rule(text=LONG)
    office.call()
    first = office.sent(reference=1)
    assert outbox.next_due(office.db, SECOND, NOW) is None
    with store.write(office.db):
        assert not outbox.mark_sending(office.db, office.due(), SECOND, NOW)
    assert office.due().part == first.part + 1


def test_a_text_refused_by_one_sim_for_now_may_go_by_another(office: Office) -> None:
    office.call()
    office.refused(is_passing=True)
    assert outbox.next_due(office.db, SECOND, NOW + timedelta(minutes=1)) is not None


def test_the_same_reference_from_another_sim_settles_nothing(office: Office) -> None:
    office.call()
    office.sent(reference=7)
    told = DeliveryReport(7, CALLER, 0, NOW, NOW)
    with store.write(office.db):
        assert reports.report(office.db, told, NOW, SECOND) is None
        assert reports.report(office.db, told, NOW, SIM) is not None
    assert office.states() == ["delivered"]


def test_two_sims_that_ask_at_once_take_each_text_once_and_neither_stumbles(office: Office) -> None:
    numbers = [f"+4917012345{place:02d}" for place in range(24)]
    for number in numbers:
        office.call(number)
    taken: list[str] = []
    file = office.db.execute("PRAGMA database_list").fetchone()["file"]

    def take(sim: str) -> None:
        db = store.connect(file)
        while (due := outbox.next_due(db, sim, NOW)) is not None:
            with store.write(db):
                if outbox.mark_sending(db, due, sim, NOW):
                    taken.append(due.number)
                    outbox.accepted(db, due, len(taken), NOW)
        db.close()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(take, f"SIM{place}") for place in range(4)]:
            done.result()
    assert sorted(taken) == numbers
