"""What a short text wants: tables of what people really type, and of what must not be taken for it."""
from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from appliance.texts import owner_words, words
from appliance.texts.owner_words import Order, OrderError, Verb
from appliance.texts.words import Wish

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAY = datetime(2026, 11, 21, 13, 40, tzinfo=BERLIN)


@pytest.mark.parametrize("text", [
    "STOP", "stop", "Stop!", " stop. \n", "„Stop“", "ＳＴＯＰ", "Stop please", "Bitte stop", "STOP ALL", "stopall",
    "UNSUBSCRIBE", "Unsubscribe.", "СТОП", "стоп!", "退订", "退訂", "TD", "td", "回复TD", "请 退订", "STOP 🙏",
    "st\u00adop", "STOP ⛔\ufe0f", "STOP ❤\ufe0f", "CTO\u041f", "S\u0422\u041eP", "\u0421\u0422O\u041f",
])
def test_who_writes_stop_in_any_spelling_wants_no_texts(text: str) -> None:
    assert words.wish(text) is Wish.STOP


@pytest.mark.parametrize("text", ["START", "start", "Unstop", "СТАРТ", "ста\u0070т", "订阅"])
def test_start_undoes_it(text: str) -> None:
    assert words.wish(text) is Wish.START


@pytest.mark.parametrize("text", [
    "", " ", "!", "Stop by at five?", "Please don't stop", "non-stop", "The bus stop", "STOP" * 20, "stop " + "x" * 60,
    "TDI", "started", "T D", "Can you start at 9?", "HOURS", "please", "Danke",
])
def test_a_sentence_with_such_a_word_in_it_is_a_customers(text: str) -> None:
    assert words.wish(text) is None


def test_the_offices_own_words_stop_too() -> None:
    own = "Ende, keine SMS mehr，arrêt,"
    assert [words.wish(text, own) for text in ("ENDE!", "Keine SMS mehr", "Arrêt", "arre\u0302t")] == [Wish.STOP] * 4
    assert words.wish("sms", own) is None and words.wish("", own) is None


@pytest.mark.parametrize(("text", "wanted"), [
    ("STATUS", Order(Verb.STATUS)), ("status?", Order(Verb.STATUS)), ("Status please", Order(Verb.STATUS)),
    ("Missed", Order(Verb.MISSED)), ("OPEN", Order(Verb.OPEN)),
    ("CLOSED TILL 15", Order(Verb.CLOSED, datetime(2026, 11, 21, 15, tzinfo=BERLIN))),
    ("closed til 15:30", Order(Verb.CLOSED, datetime(2026, 11, 21, 15, 30, tzinfo=BERLIN))),
    ("Closed until 15.30!", Order(Verb.CLOSED, datetime(2026, 11, 21, 15, 30, tzinfo=BERLIN))),
    ("closed till 1530", Order(Verb.CLOSED, datetime(2026, 11, 21, 15, 30, tzinfo=BERLIN))),
    ("closed to 3pm", Order(Verb.CLOSED, datetime(2026, 11, 21, 15, tzinfo=BERLIN))),
    ("closed till 3:15 PM", Order(Verb.CLOSED, datetime(2026, 11, 21, 15, 15, tzinfo=BERLIN))),
    ("closed till 24", Order(Verb.CLOSED, datetime(2026, 11, 22, tzinfo=BERLIN))),
    ("CLOSED TILL TOMORROW", Order(Verb.CLOSED, datetime(2026, 11, 22, tzinfo=BERLIN))),
    ("closed till monday", Order(Verb.CLOSED, datetime(2026, 11, 23, tzinfo=BERLIN))),
    ("closed till Sat", Order(Verb.CLOSED, datetime(2026, 11, 28, tzinfo=BERLIN))),
])
def test_an_owners_order_is_read_in_shop_time(text: str, wanted: Order) -> None:
    assert owner_words.read(text, SATURDAY) == wanted


@pytest.mark.parametrize(("text", "answer"), [
    ("", "Text STATUS, MISSED"), ("Hallo?", "Text STATUS, MISSED"), ("status of Anna", "Text STATUS, MISSED"),
    ("STATUS " * 20, "Text STATUS, MISSED"),
    ("CLOSED", "Till when?"), ("closed today", "Till when?"),
    ("closed till 13", "13:00 is past today"), ("closed till 13:40", "13:40 is past today"),
    ("closed till 25", "no time of day"), ("closed till 15:75", "no time of day"),
    ("closed till 13pm", "no time of day"), ("closed till 0am", "no time of day"),
    ("closed till then", "no time of day"), ("closed till 15000", "no time of day"),
])
def test_wrong_words_get_a_help_that_fits_one_text(text: str, answer: str) -> None:
    with pytest.raises(OrderError) as refused:
        owner_words.read(text, SATURDAY)
    assert answer in str(refused.value) and len(str(refused.value)) <= 160


def test_closed_till_tomorrow_on_the_long_night_of_autumn_is_the_next_midnight() -> None:
    before = datetime(2026, 10, 24, 18, 0, tzinfo=BERLIN)
    until = owner_words.read("closed till tomorrow", before).until
    assert until == datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN)


def test_an_hour_that_the_spring_night_skips_is_taken_when_it_would_have_been() -> None:
    until = owner_words.read("closed till 2:30", datetime(2026, 3, 29, 0, 30, tzinfo=BERLIN)).until
    assert until is not None and until.timestamp() == datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN).timestamp()
