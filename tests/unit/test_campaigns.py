"""One text to many, from the preview to the last of them."""
from __future__ import annotations

import csv
import io
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from appliance.config import Box
from appliance.people import groups
from appliance.store import db as store
from appliance.texts import campaigns, lists, occurrences, outbox, progress, reports
from appliance.texts.campaigns import CampaignError
from hw.pdu import DeliveryReport
from tests.unit.mailing import SIM, Mailing, mobile


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Mailing:
    """No pace and no limits, so that a test sends as fast as it asks."""
    made = Mailing(db, box)
    made.sim(pace_s=0, hourly=0, daily=0)
    return made


def test_a_campaign_goes_once_to_everyone_in_the_group(office: Mailing) -> None:
    office.people(3)
    one = office.start()
    assert sorted(office.sends()) == [mobile(place) for place in range(3)]
    assert (office.state(one)[0], office.stands(one).sent) == ("done", 3)


def test_a_preview_stores_nothing_and_sends_nothing(office: Mailing) -> None:
    office.people(3)
    before = office.db.total_changes
    assert len(office.preview().recipients) == 3
    assert office.db.total_changes == before


def test_what_was_not_seen_cannot_be_confirmed(office: Mailing) -> None:
    office.people(3)
    wish = office.wish()
    seen = campaigns.preview(office.db, office.box, wish, office.now)
    office.contact("Late Larry", mobile(9), "Riders")
    with pytest.raises(CampaignError, match="it would go to 4 now"):
        campaigns.confirm(office.db, office.box, seen.hash, wish, office.now)
    assert campaigns.listed(office.db) == []


def test_each_reads_his_own_name_and_one_without_is_left_out(office: Mailing) -> None:
    office.contact("Anna Schmidt", mobile(1), "Riders", bike="Gazelle")
    office.contact("Bob", mobile(2), "Riders")
    seen = office.preview("{first_name}, your {bike} is due.")
    assert seen.texts == ["Anna, your Gazelle is due."]
    assert [(left.name, left.reason) for left in seen.exclusions] == [
        ("Bob", "{bike} stays empty for this one. Write {bike|…} with what to say instead.")]


@pytest.mark.parametrize(("changes", "words"), [
    ({"text": "Hello {nmae}"}, r"no field \{nmae\}. Did you mean \{name\}"),
    ({"text": "Hello {}"}, "without a field's name"),
    ({"text": "  "}, "empty"),
    ({"schedule": {"kind": "at", "at": "2026-11-22T10:00"}}, "Sunday 22 November 2026 at 10:00 is past"),
    ({"schedule": {"kind": "weekly", "weekday": 9, "time": "10:00"}}, "a day of the week"),
    ({"schedule": {"kind": "hourly"}}, "no schedule 'hourly'"),
    ({"audience": {}}, "Choose a group"),
    ({"audience": {"groups": [99]}}, "deleted meanwhile"),
    ({"audience": {"friends": True}}, "'friends'"),
    ({"sim": "SIM7"}, "no SIM 'SIM7'"),
    ({"name": " "}, "needs a name"),
    ({"canary_percent": 101}, "0 to 100"),
], ids=str)
def test_what_cannot_be_sent_is_refused_in_a_sentence(office: Mailing, changes: dict[str, object], words: str) -> None:
    office.people(1)
    with pytest.raises(CampaignError, match=words):
        office.preview(**changes)  # type: ignore[arg-type]


def test_nobody_to_text_is_refused(office: Mailing) -> None:
    office.contact("Landline Lou", "+498912345678", "Riders")
    with pytest.raises(CampaignError, match="Nobody would get this text"):
        office.start()


def test_a_group_emptied_after_it_was_scheduled_texts_nobody_and_says_so(office: Mailing) -> None:
    office.people(2)
    one = office.start(schedule={"kind": "after", "delay_min": 5})
    with store.write(office.db):
        office.db.execute("DELETE FROM contact_group_member")
    office.pass_(minutes=6)
    assert office.sends(5) == []
    assert office.state(one) == ("done", "Nobody is in it any more who may be texted, so nobody was.")


def test_a_group_deleted_after_it_was_scheduled_texts_nobody(office: Mailing) -> None:
    office.people(2)
    one = office.start(schedule={"kind": "after", "delay_min": 5})
    with store.write(office.db):
        groups.delete(office.db, 1)
    office.pass_(minutes=6)
    assert (office.sends(5), office.state(one)[0]) == ([], "done")


def test_who_joins_before_it_goes_gets_it_too(office: Mailing) -> None:
    office.people(1)
    office.start(schedule={"kind": "after", "delay_min": 5})
    office.contact("New Nora", mobile(7), "Riders")
    office.pass_(minutes=6)
    assert sorted(office.sends(5)) == [mobile(0), mobile(7)]


def test_a_stop_that_comes_while_it_runs_is_heeded_at_the_moment_of_sending(office: Mailing) -> None:
    office.people(3)
    one = office.start()
    office.tick()
    office.opt_out(mobile(2))
    assert sorted(office.sends(5)) == [mobile(0), mobile(1)]
    assert (office.stands(one).cancelled, office.stands(one).stops) == (1, 1)


def test_a_stop_between_the_turn_and_the_modem_is_heeded(office: Mailing) -> None:
    office.people(1)
    office.start()
    office.tick()
    due = outbox.next_due(office.db, "SIM", office.now)
    assert due is not None
    office.opt_out(mobile(0))
    with store.write(office.db):
        assert not outbox.mark_sending(office.db, due, "SIM", office.now)


def test_a_missed_call_text_overtakes_a_running_campaign(office: Mailing) -> None:
    office.people(5)
    office.start()
    office.tick()
    first = office.radio()
    office.answer(mobile(99))
    assert first != mobile(99)
    assert office.radio() == mobile(99)


def test_paused_nothing_goes_and_resumed_it_goes_on(office: Mailing) -> None:
    office.people(4)
    one = office.start()
    office.tick()
    first = office.radio()
    campaigns.pause(office.db, one, office.now)
    assert office.sends(90) == []
    assert (office.state(one), office.stands(one).waiting) == (("paused", "Paused by a person."), 3)
    office.pass_(hours=1)
    campaigns.resume(office.db, one, office.now)
    assert sorted([first or "", *office.sends(5)]) == [mobile(place) for place in range(4)]


def test_paused_in_the_last_moment_it_does_not_reach_the_modem(office: Mailing) -> None:
    office.people(1)
    one = office.start()
    office.tick()
    due = outbox.next_due(office.db, "SIM", office.now)
    assert due is not None
    campaigns.pause(office.db, one, office.now)
    with store.write(office.db):
        assert not outbox.mark_sending(office.db, due, "SIM", office.now)


def test_paused_while_its_texts_are_made_no_more_are_queued(office: Mailing) -> None:
    office.people(3)
    one = office.start(canary_percent=1)
    office.tick()
    office.db.execute("UPDATE occurrence SET stage = 2")
    seen = occurrences._occurrence(office.db, 1)
    campaigns.pause(office.db, one, office.now)
    assert occurrences._queue_some(office.db, office.box, seen, office.now) == 0


def test_two_clocks_at_once_make_each_text_once(office: Mailing) -> None:
    office.people(300)
    office.start()

    def clock() -> int:
        db = store.connect(office.box.store)
        try:
            return occurrences.expand_due(db, office.box, office.now)
        finally:
            db.close()

    office.db.execute("UPDATE campaign SET state = 'running'")
    with ThreadPoolExecutor(4) as clocks:
        queued = sum(running.result() for running in [clocks.submit(clock) for _ in range(4)])
    assert (queued, len(set(office.texted()))) == (300, len(office.texted()))


def test_stopped_the_rest_is_cancelled_for_good(office: Mailing) -> None:
    office.people(100)
    one = office.start()
    office.tick()
    office.radio()
    campaigns.stop(office.db, one, office.now)
    stands = office.stands(one)
    assert (office.sends(60), stands.sent, stands.cancelled, stands.waiting) == ([], 1, 99, 0)
    with pytest.raises(CampaignError, match="stopped for good"):
        campaigns.resume(office.db, one, office.now)


def test_stopped_while_killed_the_clock_cancels_what_waits(office: Mailing) -> None:
    office.people(3)
    one = office.start()
    office.tick()
    office.db.execute("UPDATE campaign SET state = 'stopped'")
    assert office.sends(3) == []
    assert office.stands(one).cancelled == 3


def test_stopped_between_two_parts_of_a_text_it_is_failed_and_says_so(office: Mailing) -> None:
    office.people(1)
    one = office.start("a" * 200)
    office.tick()
    office.radio()
    with store.write(office.db):
        outbox.recover(office.db, office.now)           # the daemon was killed between the parts
    campaigns.stop(office.db, one, office.now)
    assert (office.radio(), office.stands(one).failed) == (None, 1)
    assert progress.troubles(office.db, one)[0].reason == campaigns.HALF
    office.reports()
    assert office.radio() is None, "a report of the first part wakes no second one"


def test_the_failed_get_it_again_and_the_unknown_never(office: Mailing) -> None:
    office.people(3)
    one = office.start()
    office.tick()
    failed, unknown = office.radio(fails=1), office.radio(silent=True)
    office.sends(3)
    assert office.state(one)[0] == "done"
    assert {line.number for line in progress.troubles(office.db, one)} == {failed, unknown}
    assert campaigns.resend_failed(office.db, one, office.now) == 1
    assert office.sends(3) == [failed]
    assert (office.state(one)[0], office.stands(one).unknown, office.stands(one).sent) == ("done", 1, 2)
    assert campaigns.resend_failed(office.db, one, office.now) == 0


def test_a_number_that_no_calendar_has_halts_its_campaign_and_no_other(office: Mailing) -> None:
    office.people(1)
    broken, other = office.start(), office.start("Other words.")
    with store.write(office.db):
        office.db.execute("UPDATE campaign SET late_limit_min = 1000000000000000 WHERE id = ?", (broken,))
    assert office.sends(3) == [mobile(0)]
    assert (office.state(broken)[0], office.state(other)[0]) == ("paused", "done")


def test_two_people_who_confirm_the_same_group_text_start_it_once(office: Mailing) -> None:
    office.people(3)
    first, second = office.start(), office.start()
    assert (first, office.sends(60)) == (second, [mobile(0), mobile(1), mobile(2)])
    third = office.start()
    assert third != first, "once it is over it may go again"
    campaigns.stop(office.db, third, office.now)
    assert office.start() != third


def test_what_a_person_sent_again_is_not_sent_once_more_with_the_failed_ones(office: Mailing) -> None:
    office.people(1)
    one = office.start()
    office.tick()
    office.radio(silent=True)
    with store.write(office.db):
        outbox.send_again(office.db, 1, office.now)
        reports.report(office.db, DeliveryReport(7, mobile(0), 0x41, office.now, office.now), office.now, SIM)
    assert office.stands(one).failed == 1
    assert campaigns.resend_failed(office.db, one, office.now) == 0
    assert office.sends(3) == [mobile(0)]


def test_what_goes_again_with_the_failed_ones_is_not_sent_once_more_by_its_button(office: Mailing) -> None:
    office.people(1)
    one = office.start()
    office.tick()
    office.radio(fails=1)
    assert campaigns.resend_failed(office.db, one, office.now) == 1
    with store.write(office.db):
        assert outbox.send_again(office.db, 1, office.now) is None
    assert office.sends(3) == [mobile(0)]


def test_a_text_of_a_running_campaign_is_never_made_twice_however_often_the_clock_looks(office: Mailing) -> None:
    office.people(100)
    office.start()
    for _ in range(20):
        office.tick()
    assert sorted(office.texted()) == [mobile(place) for place in range(100)]


def test_cut_off_in_the_middle_of_the_recipients_it_begins_them_anew(office: Mailing) -> None:
    office.people(5)
    office.start()
    office.db.execute("UPDATE campaign SET state = 'running'")
    office.db.execute("UPDATE occurrence SET state = 'running'")
    office.db.execute("""INSERT INTO recipient (occurrence_id, number, state, text)
                         VALUES (1, ?, 'waiting', 'half')""", (mobile(3),))
    office.tick()
    assert office.db.execute("SELECT count(*), count(DISTINCT text) FROM recipient").fetchone()[:] == (5, 1)


def test_a_campaign_that_cannot_be_read_is_halted_and_stops_no_other(office: Mailing) -> None:
    office.people(1)
    bad, good = office.start(schedule={"kind": "after", "delay_min": 1}), office.start()
    office.db.execute("UPDATE campaign SET schedule = '{\"kind\": \"weekly\"}' WHERE id = ?", (bad,))
    assert office.sends(3) == [mobile(0)]
    assert office.state(bad)[0] == "paused" and "Stop it and write it anew" in str(office.state(bad)[1])
    assert office.state(good)[0] == "done"


def test_the_first_text_does_not_wait_until_all_are_queued(office: Mailing) -> None:
    office.people(2)
    office.start()
    office.db.execute("""CREATE TRIGGER nobody_waits BEFORE INSERT ON sms WHEN new.campaign_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM campaign WHERE id = new.campaign_id AND sends_until IS NOT NULL)
        BEGIN SELECT RAISE(ABORT, 'queued before it may be sent'); END""")
    assert office.tick() == 2


def test_a_bad_one_never_stops_the_rest(office: Mailing) -> None:
    office.contact("Book Bert", mobile(1), "Riders", story="ж" * 20000)
    office.contact("Short Sue", mobile(2), "Riders", story="Hi")
    one = office.start("{story}")
    assert office.sends(5) == [mobile(2)]
    assert (office.state(one)[0], office.stands(one).excluded) == ("done", 1)


def test_progress_counts_everyone_once(office: Mailing) -> None:
    office.people(6)
    office.contact("Lou", "+498912345678", "Riders")
    one = office.start()
    office.sim(pace_s=60)
    office.tick()
    office.radio(), office.radio(fails=1), office.radio(silent=True)
    office.reports()
    stands = office.stands(one)
    assert (stands.people, stands.delivered, stands.failed, stands.unknown, stands.waiting, stands.excluded) == (
        6, 1, 1, 1, 3, 1)
    assert (stands.done, stands.minutes_left, stands.is_running) == (3, 3, True)


def test_the_export_runs_no_formula_and_keeps_numbers_text(office: Mailing) -> None:
    office.contact("=HYPERLINK(\"http://x\")", mobile(1), "Riders")
    office.contact("@sum Нина", mobile(2), "Riders")
    one = office.start("-10% today")
    office.sends(3)
    content = progress.export(office.db, office.box, one)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert content.startswith(b"\xef\xbb\xbf")
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert [row["number"] for row in lists.read_csv(content, "DE")] == [f"'{mobile(1)}", f"'{mobile(2)}"]
    assert [lists.e164(row["number"], "DE") for row in lists.read_csv(content, "DE")] == [mobile(1), mobile(2)]


def test_a_plainer_spelling_is_offered_when_one_character_doubles_the_cost(office: Mailing) -> None:
    office.people(1)
    seen = office.preview("Larkspur Cycles — the winter service is here, and it is cheaper than ever: come by any day.")
    assert seen.plainer is not None
    assert (seen.plainer.before.segments, seen.plainer.after.segments, seen.plainer.changes) == (2, 1, (("—", "-"),))


def test_cost_counts_segments_price_minutes_and_what_is_left(office: Mailing) -> None:
    office.people(10)
    office.sim(pace_s=6, price="0.04", allowance=15)
    costs = office.preview("a" * 161).cost
    assert (costs.texts, costs.segments, str(costs.price), costs.minutes, costs.left, costs.left_after) == (
        10, 20, "0.80", 2, 15, -5)
    assert costs.is_overrun


def test_cut_off_a_hundred_times_at_any_statement_each_still_gets_it_once(office: Mailing) -> None:
    office.people(120)
    one = office.start()
    dice, cuts = random.Random(3), 0
    while cuts < 100:
        steps = iter(range(dice.randint(1, 400)))
        office.db.set_progress_handler(lambda left=steps: next(left, None) is None, 200)  # type: ignore[misc]
        try:
            office.tick()
        except sqlite3.OperationalError as cut:
            assert "interrupted" in str(cut)
        office.db.close()
        office.db, cuts = store.connect(office.box.store), cuts + 1
    assert len(office.sends(5)) == 120
    assert sorted(office.texted()) == [mobile(place) for place in range(120)]
    assert office.state(one)[0] == "done"
