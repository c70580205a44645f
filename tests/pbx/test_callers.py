"""Callers as lines really bring them: hidden, unknown, misspelt, hostile."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.pbx.office import Office
from tests.sip import Leg, State

EVIL = Path("/tmp/deskbell-was-here")


def gives_up(caller: Leg) -> None:
    caller.until(State.RINGING).cancel()
    caller.until(State.ENDED)


def test_a_withheld_number_is_kept_secret_and_gets_no_text(office: Office) -> None:
    gives_up(office.line.call_withheld())
    call = office.call()
    assert (call["presentation"], call["number"], call["outcome"]) == ("withheld", None, "missed")
    assert office.refusal(call["id"]) == "withheld"


def test_a_withheld_number_the_network_told_us_gets_no_text_and_is_on_no_phone(office: Office) -> None:
    number = office.mobile()
    caller = office.line.call_withheld(number)
    shown = [leg.invite.first("from") for leg in office.rung()]
    gives_up(caller)
    call = office.call()
    assert call["presentation"] == "withheld" and number not in (call["number"] or "")
    assert not office.texts(number) and office.refusal(call["id"]) == "withheld"
    assert not any(number.encode() in line for line in shown)


def test_a_line_without_caller_id_is_unavailable_and_gets_no_text(office: Office) -> None:
    gives_up(office.line.call(""))
    call = office.call()
    assert (call["presentation"], call["number"], call["outcome"]) == ("unavailable", None, "missed")
    assert office.refusal(call["id"]) == "unavailable"


def test_a_name_in_cp1251_rings_and_is_not_shown_as_rubbish(office: Office) -> None:
    """Asterisk 22 has already lost its letters (U+FFFD each): no name is better than that one."""
    number = office.mobile()
    gives_up(office.line.call(number, '"Иван"'.encode("cp1251")))
    call = office.call_of(number)
    assert (call["outcome"], call["bell"], call["caller_name"]) == ("missed", "rang", None)


def test_a_name_in_chinese_and_russian_is_kept_letter_by_letter(office: Office) -> None:
    number = office.mobile()
    gives_up(office.line.call(number, "王小明 Иван Žofie"))
    assert office.call_of(number)["caller_name"] == "王小明 Иван Žofie"


@pytest.mark.parametrize("name", [
    pytest.param(b'"Anna \\"Bell\\" O\'Hara"', id="quotes"),
    pytest.param(b'"x\\" EXEC System \\"touch /tmp/deskbell-was-here"', id="quotes round a command"),
    pytest.param(b'"200 result=1 (evil)"', id="an AGI answer"),
    pytest.param(b'"${SHELL(touch /tmp/deskbell-was-here)}"', id="a dialplan function"),
    pytest.param(b'"' + b"N" * 300 + b'"', id="300 characters"),
    pytest.param(b'"\x01\x02\x07\x1b[31mRed"', id="control bytes"),
    pytest.param(b'"<b>&amp;\'--"', id="markup"),
])
def test_a_strange_name_is_only_a_name(office: Office, name: bytes) -> None:
    number = office.mobile()
    gives_up(office.line.call(number, name))
    call = office.call_of(number)
    assert call["outcome"] == "missed" and call["bell"] == "rang"
    assert not EVIL.exists(), "a caller's name was run as a command"
    assert not any(ord(letter) < 32 for letter in call["caller_name"] or "")


@pytest.mark.parametrize("caller", [
    pytest.param("49170%0AEXEC%20System%20touch%20/tmp/deskbell-was-here", id="a newline and a command"),
    pytest.param("49170%0Aagi_uniqueid%3A%20evil%0Aagi_network_script%3A%20other", id="lines of the AGI environment"),
    pytest.param("49170%0A%0A200%20result%3D1", id="the end of the environment and an answer"),
    pytest.param("%01%02%07", id="control bytes"),
    pytest.param("9" * 300, id="300 digits"),
    pytest.param("7", id="one digit"),
    pytest.param("%22%3B%27--", id="quotes"),
])
def test_a_strange_number_rings_is_logged_once_and_runs_nothing(office: Office, caller: str) -> None:
    gives_up(office.line.call(caller))
    call = office.call()
    assert (call["outcome"], call["number"], call["bell"]) == ("missed", None, "rang")
    assert not EVIL.exists(), "a caller's number was run as a command"
    assert office.refusal(call["id"])
    assert not any(ord(letter) < 32 for letter in call["caller_id"])


def test_a_name_with_a_real_newline_is_refused_by_asterisk_and_the_next_call_rings(office: Office) -> None:
    torn = office.line.call(office.mobile(), b'"a\r\nEXEC System id"')
    number = office.mobile()
    gives_up(office.line.call(number))
    assert office.call()["number"] == number and not torn.codes


def test_a_number_written_the_national_way_is_the_same_person(office: Office) -> None:
    gives_up(office.line.call("01701999888"))
    assert office.call()["number"] == "+491701999888"


def test_a_short_code_is_logged_and_not_texted(office: Office) -> None:
    gives_up(office.line.call("110"))
    call = office.call()
    assert (call["caller_id"], call["number"]) == ("110", None)
    assert office.refusal(call["id"]) == "short"
