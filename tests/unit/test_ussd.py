"""What a network answers to *100#, whichever way the modem writes it down."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw import gsm7, ussd
from hw.gsm_sim_at import USSD
from hw.ussd import UssdAnswer


@pytest.mark.parametrize(("rest", "answer"), [
    (USSD["plain"], UssdAnswer("Your balance is 12.34 EUR.")),
    (USSD["ucs2"], UssdAnswer("Ваш баланс: 12.34")),
    (USSD["packed"], UssdAnswer("Your balance is 12.34 EUR.")),
    (USSD["menu"], UssdAnswer("1 Balance\r\n2 Top up", is_menu=True)),
    (USSD["broken"], UssdAnswer(None, "the network ended it without an answer")),
    (USSD["unknown"], UssdAnswer(None, "the network knows no such code")),
    ('+CUSD: 0,"1234567890",15', UssdAnswer("1234567890")),
    ('+CUSD: 0,"00310032002E00330034",15', UssdAnswer("12.34")),
    ('+CUSD: 0,"041204300448",17', UssdAnswer("Ваш")),
    ('+CUSD: 0,"ABBA",15', UssdAnswer("ABBA")),
    ('+CUSD: 2,"Danke",15', UssdAnswer("Danke")),
    ('+CUSD: 0,"",15', UssdAnswer(None, "the network answered without words")),
    ("+CUSD: what?", UssdAnswer(None, "the modem gave an answer that cannot be read")),
])
def test_an_answer_is_read_as_it_was_meant(rest: str, answer: UssdAnswer) -> None:
    assert ussd.parse(rest.partition(":")[2].strip()) == answer


@given(st.text(st.sampled_from(sorted(gsm7.BASIC - {"\r", "@"})), max_size=60))
def test_what_is_packed_unpacks_to_the_same(words: str) -> None:
    assert ussd.unpack(bytes.fromhex(ussd.pack(words))) == words


@pytest.mark.parametrize(("code", "is_one"), [
    ("*100#", True), ("#102#", True), ("*#06#", True), ("1", True), ("*100", False), ("balance", False), ("", False),
    ('*100#",15\rATD112;', False),
])
def test_only_codes_are_asked(code: str, is_one: bool) -> None:
    assert ussd.is_code(code) is is_one
