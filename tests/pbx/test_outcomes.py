"""How a call ended, proved on real calls through the real Asterisk."""
from __future__ import annotations

from tests.pbx.office import Office
from tests.sip import BUSY, DEAF, REJECT, RING, Manner, State, answer

EVENTS_OF_A_MISSED_CALL = ["ringing", "ended"]


def test_an_answered_call_says_who_answered_and_how_long_they_spoke(office: Office) -> None:
    number = office.mobile()
    office.phones_will(answer(after_s=0.2, tone_hz=1000), RING)
    caller = office.line.call(number, "Anna", tone_hz=440).until(State.TALKING)
    staff = office.counter.next_leg()
    caller.hang_up()
    staff.until(State.ENDED)
    call = office.call()
    assert (call["direction"], call["outcome"], call["number"], call["extension"]) == ("in", "answered", number, "101")
    assert call["trunk"] == "line1" and call["caller_name"] == "Anna" and call["presentation"] == "allowed"
    assert call["ring_ms"] >= 150 and call["talk_ms"] >= 0
    assert call["hangup_cause"] == 16
    assert [kind for kind in office.events(call["id"]) if kind != "text"] == ["ringing", "answered", "ended"]
    assert office.legs(call["id"]).keys() == {"line1", "101", "102"}


def test_the_staff_may_hang_up_first(office: Office) -> None:
    number = office.mobile()
    office.phones_will(RING, answer())
    caller = office.line.call(number).until(State.TALKING)
    office.desk.next_leg().hang_up()
    assert caller.until(State.ENDED).ended_by == "them"
    call = office.call()
    assert (call["outcome"], call["extension"]) == ("answered", "102")


def test_nobody_answers_and_the_call_is_missed(office: Office) -> None:
    office.set(ring_s=5)
    caller = office.line.call(office.mobile()).until(State.RINGING)
    caller.until(State.ENDED, 15)
    office.set(ring_s=30)
    call = office.call()
    assert call["outcome"] == "missed" and caller.ended_by == "them"
    assert 4000 <= call["ring_ms"] <= 8000
    assert [kind for kind in office.events(call["id"]) if kind != "text"] == EVENTS_OF_A_MISSED_CALL


def test_the_caller_gives_up_and_the_call_is_missed(office: Office) -> None:
    call = office.missed(office.mobile())
    assert call["outcome"] == "missed" and call["answered_at"] is None and call["talk_ms"] is None
    assert [leg.until(State.ENDED).ended_by for leg in office.rung()] == ["cancel", "cancel"]


def test_a_caller_who_leaves_before_anything_was_dialled_is_missed(office: Office) -> None:
    """He leaves while the bell hangs: Asterisk then knows no dialstatus at all."""
    number = office.mobile()
    office.daemon.freeze()
    caller = office.line.call(number)
    caller.cancel()
    caller.until(State.ENDED)
    office.daemon.thaw()
    call = office.call()
    assert call["outcome"] == "missed" and call["number"] == number
    assert not office.counter.legs, "a phone rang"


def test_all_phones_busy_is_busy(office: Office) -> None:
    office.phones_will(BUSY)
    assert office.line.call(office.mobile()).until(State.ENDED).final == 486
    call = office.call()
    assert (call["outcome"], call["hangup_cause"]) == ("busy", 17)


def test_all_phones_rejecting_is_rejected_though_asterisk_calls_it_noanswer(office: Office) -> None:
    office.phones_will(REJECT)
    office.line.call(office.mobile()).until(State.ENDED)
    call = office.call()
    assert (call["outcome"], call["hangup_cause"]) == ("rejected", 21)


def test_one_phone_busy_and_one_rejecting_is_rejected(office: Office) -> None:
    """A person pressed the button: that says more than a phone in use."""
    office.phones_will(BUSY, REJECT)
    office.line.call(office.mobile()).until(State.ENDED)
    call = office.call()
    assert call["outcome"] == "rejected"
    causes = {party: leg["hangup_cause"] for party, leg in office.legs(call["id"]).items() if party != "line1"}
    assert causes == {"101": 17, "102": 21}


def test_one_phone_busy_and_one_left_ringing_is_missed(office: Office) -> None:
    office.phones_will(BUSY, RING)
    caller = office.line.call(office.mobile()).until(State.RINGING)
    caller.cancel()
    assert office.call()["outcome"] == "missed"


def test_one_phone_rejecting_and_the_other_answering_is_answered(office: Office) -> None:
    office.phones_will(REJECT, answer(after_s=0.2))
    office.line.call(office.mobile()).until(State.TALKING).hang_up()
    call = office.call()
    assert (call["outcome"], call["extension"]) == ("answered", "102")


def test_without_any_telephone_the_caller_hears_it_ring_and_is_missed(office: Office) -> None:
    """Nothing is plugged in yet, or the switch lost its power: the desks still see who rings."""
    for phone in (office.counter, office.desk):
        phone.register(expires_s=0)
    try:
        caller = office.line.call(office.mobile()).until(State.RINGING)
        caller.cancel()
        assert caller.until(State.ENDED).final == 487
    finally:
        for phone in (office.counter, office.desk):
            phone.register()
    call = office.call()
    assert call["outcome"] == "missed" and office.legs(call["id"]).keys() == {"line1"}
    assert [kind for kind in office.events(call["id"]) if kind != "text"] == EVENTS_OF_A_MISSED_CALL


def test_phones_that_are_dead_leave_a_missed_call(office: Office) -> None:
    office.phones_will(DEAF)
    caller = office.line.call(office.mobile())
    office.rung()
    caller.cancel()
    assert office.call()["outcome"] == "missed"


def test_an_outgoing_call_that_is_answered(office: Office) -> None:
    office.line.manner = answer(after_s=0.2)
    call_out = office.counter.call("03012345678").until(State.TALKING)
    assert office.line.next_leg().invite.start.startswith(b"INVITE sip:03012345678@")
    call_out.hang_up()
    call = office.call()
    assert (call["direction"], call["outcome"], call["number"]) == ("out", "answered", "+493012345678")
    assert (call["extension"], call["trunk"]) == ("101", "line1")
    assert not office.texts("+493012345678")


def test_an_outgoing_call_that_nobody_answers(office: Office) -> None:
    call_out = office.desk.call("01701111111").until(State.RINGING)
    call_out.cancel()
    call = office.call()
    assert (call["direction"], call["outcome"], call["extension"]) == ("out", "missed", "102")
    assert not office.texts("+491701111111"), "an outgoing call was texted"


def test_an_outgoing_call_to_a_busy_line(office: Office) -> None:
    office.line.manner = BUSY
    assert office.counter.call("03012345678").until(State.ENDED).final == 486
    assert office.call()["outcome"] == "busy"


def test_an_outgoing_call_the_network_refuses(office: Office) -> None:
    office.line.manner = Manner(503)
    office.counter.call("03012345678").until(State.ENDED)
    assert office.call()["outcome"] == "failed"


def test_an_inside_call_is_no_trunk_call_and_rings_no_bell(office: Office) -> None:
    office.phones_will(RING, answer())
    office.counter.call("102").until(State.TALKING).hang_up()
    call = office.call()
    assert (call["direction"], call["outcome"], call["trunk"]) == ("internal", "answered", None)
    assert "ringing" not in office.events(call["id"])


def test_two_calls_at_once_are_two_rows_with_their_own_outcome(office: Office) -> None:
    first, second = office.mobile(), office.mobile()
    office.phones_will(answer(), RING)
    talking = office.line.call(first).until(State.TALKING)
    office.phones_will(RING)
    waiting = office.line.call(second).until(State.RINGING)
    waiting.cancel()
    waiting.until(State.ENDED)
    talking.hang_up()
    rows = {row["number"]: row["outcome"] for row in office.calls(2)}
    assert rows == {first: "answered", second: "missed"}
