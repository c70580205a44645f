"""What is asked from the screen is done by the real telephone exchange."""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from appliance.calls import phone
from appliance.store import db as store
from tests.pbx.box import wait
from tests.pbx.office import Office
from tests.sip import RING, Leg, State, answer


def asked(office: Office, order_id: int) -> phone.Order:
    """The order once it is settled."""
    def settled() -> phone.Order | None:
        found = phone.order(office.db, order_id)
        return found if found and found.state in ("done", "refused") else None
    found = wait(settled, 10, f"order {order_id} settled")
    assert found is not None
    return found


def order(office: Office, kind: str, call_id: int, target: str = "", extension: str = "101") -> phone.Order:
    with store.write(office.db):
        order_id = phone.ask(office.db, office.box, kind, call_id, extension, target, "Amy", datetime.now(UTC))
    return asked(office, order_id)


def dial(office: Office, number: str, extension: str = "101") -> phone.Order:
    with store.write(office.db):
        order_id = phone.dial(office.db, office.box, extension, number, "Amy", datetime.now(UTC))
    return asked(office, order_id)


def answered(office: Office) -> sqlite3.Row:
    """The row of the call that lives, once the two sides were joined."""
    return wait(lambda: office.db.execute(
        "SELECT * FROM call WHERE answered_at IS NOT NULL AND ended_at IS NULL").fetchone(), 5, "answered in the store")


def talking(office: Office) -> tuple[Leg, Leg, sqlite3.Row]:
    """A customer who speaks with the counter (440 and 1000 Hz), and the call's row."""
    office.phones_will(answer(tone_hz=1000), RING)
    caller = office.line.call(office.mobile(), tone_hz=440).until(State.TALKING)
    staff = office.counter.next_leg().until(State.TALKING)
    return caller, staff, answered(office)


def test_a_number_that_is_clicked_rings_the_desk_phone_first_then_the_customer(office: Office) -> None:
    office.phones_will(RING)
    office.line.manner = answer()
    number = office.mobile()
    assert dial(office, number).state == "done"
    desk = office.counter.next_leg().until(State.RINGING)
    assert desk.number == number and not office.line.legs, "the customer hears nothing before the desk picked up"
    assert office.live()["number"] == number
    desk.pick_up()
    line = office.line.next_leg().until(State.TALKING)
    assert line.invite.start.startswith(b"INVITE sip:0" + number[3:].encode() + b"@"), "as the line is dialled here"
    answered(office)
    desk.until(State.TALKING).hang_up()
    call = office.call()
    assert (call["direction"], call["outcome"], call["number"], call["extension"], call["trunk"]) == (
        "out", "answered", number, "101", "line1")
    assert not office.desk.legs


def test_a_desk_phone_nobody_picks_up_calls_nobody(office: Office) -> None:
    number = office.mobile()
    dial(office, number)
    office.counter.next_leg().until(State.RINGING).refuse(603)
    call = office.call()
    assert (call["number"], call["direction"], call["answered_at"]) == (number, "out", None)
    assert not office.line.legs


def test_a_desk_phone_that_is_not_connected_is_said(office: Office) -> None:
    office.counter.register(expires_s=0)
    refused = dial(office, office.mobile())
    office.counter.register()
    assert refused.state == "refused" and "101 is not connected" in (refused.reason or "")


def test_a_colleague_is_dialled_by_his_extension(office: Office) -> None:
    office.phones_will(answer(), answer())
    assert dial(office, "102").state == "done"
    office.counter.next_leg().until(State.TALKING)
    colleague = office.desk.next_leg().until(State.TALKING)
    answered(office)
    colleague.hang_up()
    call = office.call()
    assert (call["direction"], call["extension"], call["outcome"]) == ("internal", "101", "answered")


def test_hold_and_back(office: Office) -> None:
    caller, staff, call = talking(office)
    assert order(office, "hold", call["id"]).state == "done"
    assert phone.standing(office.db, call["id"]) == "held"
    assert order(office, "resume", call["id"]).state == "done"
    assert phone.standing(office.db, call["id"]) == "talking"
    assert caller.state is State.TALKING and staff.state is State.TALKING
    staff.hang_up()
    caller.until(State.ENDED)
    assert office.call()["outcome"] == "answered"


def test_a_customer_on_hold_who_leaves_frees_the_desk(office: Office) -> None:
    caller, staff, call = talking(office)
    order(office, "hold", call["id"])
    caller.hang_up()
    staff.until(State.ENDED)
    assert office.call()["outcome"] == "answered"


def test_putting_the_telephone_down_with_somebody_on_hold_rings_the_office_again(office: Office) -> None:
    caller, staff, call = talking(office)
    order(office, "hold", call["id"])
    office.phones_will(RING, answer())
    staff.hang_up()
    office.desk.next_leg(1).until(State.TALKING)
    caller.hang_up()
    call = office.call()
    assert call["outcome"] == "answered"


def test_a_blind_transfer_rings_the_colleague_and_frees_the_desk(office: Office) -> None:
    caller, staff, call = talking(office)
    office.phones_will(RING, answer())
    assert order(office, "transfer", call["id"], "102").state == "done"
    office.desk.next_leg(1).until(State.TALKING)
    staff.until(State.ENDED)
    assert caller.state is State.TALKING
    caller.hang_up()
    assert office.call()["outcome"] == "answered"


def test_a_transfer_nobody_takes_rings_the_office(office: Office) -> None:
    caller, staff, call = talking(office)
    office.phones_will(answer(), RING)
    order(office, "transfer", call["id"], "102")
    office.desk.next_leg(1).until(State.RINGING).refuse(486)
    office.counter.next_leg(1).until(State.TALKING)
    assert caller.state is State.TALKING
    caller.hang_up()
    office.call()


def test_the_colleague_is_asked_first_and_then_has_the_caller(office: Office) -> None:
    caller, staff, call = talking(office)
    office.phones_will(RING, answer())
    assert order(office, "consult", call["id"], "102").state == "done"
    colleague = office.desk.next_leg(1).until(State.TALKING)
    completed = order(office, "complete", call["id"])
    assert completed.state == "done", completed.reason
    staff.until(State.ENDED)
    assert caller.state is State.TALKING and colleague.state is State.TALKING
    colleague.hang_up()
    caller.until(State.ENDED)
    assert office.call()["outcome"] == "answered"


def test_who_asked_a_colleague_may_take_the_caller_back(office: Office) -> None:
    caller, staff, call = talking(office)
    office.phones_will(RING, answer())
    order(office, "hold", call["id"])
    order(office, "consult", call["id"], "102")
    colleague = office.desk.next_leg(1).until(State.TALKING)
    assert order(office, "cancel", call["id"]).state == "done"
    colleague.until(State.ENDED)
    assert caller.state is State.TALKING and staff.state is State.TALKING
    caller.hang_up()
    staff.until(State.ENDED)
    office.call()


def test_a_parked_caller_is_fetched_from_another_desk_and_stays_one_call(office: Office) -> None:
    caller, staff, call = talking(office)
    office.phones_will(RING, answer())
    assert order(office, "park", call["id"]).state == "done"
    staff.until(State.ENDED)
    assert caller.state is State.TALKING
    assert order(office, "retrieve", call["id"], extension="102").state == "done"
    fetched = office.desk.next_leg(1).until(State.TALKING)
    fetched.hang_up()
    caller.until(State.ENDED)
    assert office.call()["outcome"] == "answered"


def test_hanging_up_from_the_screen_ends_the_call(office: Office) -> None:
    caller, staff, call = talking(office)
    assert order(office, "hangup", call["id"]).state == "done"
    caller.until(State.ENDED)
    staff.until(State.ENDED)
    office.call()


def test_nobody_moves_a_call_he_is_not_in(office: Office) -> None:
    caller, staff, call = talking(office)
    refused = order(office, "hold", call["id"], extension="102")
    assert refused.state == "refused" and "not in this call" in (refused.reason or "")
    caller.hang_up()
    office.call()


def test_an_order_from_before_a_break_is_not_done_late(office: Office) -> None:
    office.daemon.stop()
    with store.write(office.db):
        now = datetime.now(UTC)
        late = phone.dial(office.db, office.box, "101", office.mobile(), "Amy", now - timedelta(minutes=1))
        cut = phone.dial(office.db, office.box, "101", office.mobile(), "Amy", now)
        office.db.execute("UPDATE phone_order SET state = 'taken' WHERE id = ?", (cut,))
    office.daemon.start()
    assert asked(office, late).state == "refused" and asked(office, cut).state == "refused"
    assert not office.counter.legs


@pytest.mark.parametrize("number", ["0900 5 123456", "+33612345678", "12", "not a number", "101", "1;System(id)", ""])
def test_what_may_not_be_dialled_from_a_screen_is_refused_in_words(office: Office, number: str) -> None:
    with pytest.raises(phone.OrderError), store.write(office.db):
        phone.dial(office.db, office.box, "101", number, "Amy", datetime.now(UTC))


def test_one_ring_from_abroad_makes_no_number_one_of_ours(office: Office) -> None:
    office.missed("+33612345678")
    with pytest.raises(phone.OrderError, match="abroad"), store.write(office.db):
        phone.dial(office.db, office.box, "101", "+33612345678", "Amy", datetime.now(UTC))
