"""A missed call from a mobile is answered by one text; everything else by a reason."""
from __future__ import annotations

from tests.pbx.office import Office
from tests.sip import RING, State, answer


def test_a_missed_call_from_a_mobile_queues_exactly_one_text(office: Office) -> None:
    number = office.mobile()
    call = office.missed(number)
    (sms,) = office.texts(number)
    assert (sms["state"], sms["direction"], sms["call_id"]) == ("queued", "out", call["id"])
    assert office.db.execute("SELECT count(*) FROM segment WHERE sms_id = ?", (sms["id"],)).fetchone()[0] >= 1
    assert office.events(call["id"]) == ["ringing", "ended", "text"] and not office.refusal(call["id"])


def test_a_second_missed_call_within_the_hour_is_not_texted_again(office: Office) -> None:
    number = office.mobile()
    office.missed(number)
    second = office.missed(number)
    assert len(office.texts(number)) == 1
    assert office.refusal(second["id"])


def test_a_landline_is_not_texted(office: Office) -> None:
    number = office.landline()
    call = office.missed(number)
    assert not office.texts(number) and office.refusal(call["id"]) == "landline"


def test_our_own_number_is_not_texted(office: Office) -> None:
    call = office.missed("+4930900900")
    assert not office.texts("+4930900900") and office.refusal(call["id"])


def test_an_answered_call_is_not_texted(office: Office) -> None:
    number = office.mobile()
    office.phones_will(answer(), RING)
    office.line.call(number).until(State.TALKING).hang_up()
    assert office.call()["outcome"] == "answered" and not office.texts(number)


def test_no_text_when_the_office_turned_them_off(office: Office) -> None:
    number = office.mobile()
    office.answers_missed_calls(False)
    call = office.missed(number)
    office.answers_missed_calls(True)
    assert not office.texts(number) and office.refusal(call["id"])
