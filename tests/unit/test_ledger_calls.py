"""Asterisk's rows in, calls out. The rows are what Asterisk 22 wrote for such calls; times are shortened."""
from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from appliance.calls.ledger import Entry, LedgerError, call_from
from appliance.calls.records import Call
from tests.unit.spool import MISSED, entries

START = datetime(2026, 11, 21, 20, 10, 23, tzinfo=UTC)
TRUNKS = {"line1"}


def call(table: str, **of: bool) -> Call:
    return call_from(entries(table), TRUNKS, **of)


def told(table: str, **of: bool) -> str:
    """A call in one line: direction outcome other-side name extension ring talk cause."""
    found = call(table, **of)
    ring = "-" if found.ring_ms is None else found.ring_ms
    talk = "-" if found.talk_ms is None else found.talk_ms
    return (f"{found.direction} {found.outcome or 'live'} {found.caller_id or '-'} {found.caller_name or '-'} "
            f"ext={found.extension or '-'} ring={ring} talk={talk} cause={found.hangup_cause or '-'}")


RINGING = """
    CHAN_START   | 1.0 | 0 | PJSIP/line1-00000000 | +491701234567 | Foo
    CALLER       | 1.0 |   | | | | | {"extra":"allowed_not_screened"}
    APP_START    | 1.0 |
    CHAN_START   | 1.1 |   | PJSIP/101-00000001 | 101 | Counter
    CHAN_START   | 1.2 |   | PJSIP/102-00000002 | 102 | Workshop
"""
CALLS = {
    "answered by 101, the caller hangs up": (RINGING + """
    ANSWER       | 1.1 | 3
    HANGUP       | 1.2 |   | | | | | {"hangupcause":26,"hangupsource":"","dialstatus":""}
    CHAN_END     | 1.2 |
    ANSWER       | 1.0 | 3.001
    BRIDGE_ENTER | 1.1 |
    BRIDGE_ENTER | 1.0 |
    BRIDGE_EXIT  | 1.0 | 63
    HANGUP       | 1.0 |   | | | | | {"hangupcause":16,"hangupsource":"PJSIP/line1-00000000","dialstatus":"ANSWER"}
    CHAN_END     | 1.0 |
    BRIDGE_EXIT  | 1.1 |
    HANGUP       | 1.1 |   | | | | | {"hangupcause":16,"hangupsource":"PJSIP/line1-00000000","dialstatus":""}
    CHAN_END     | 1.1 |
    LINKEDID_END | 1.1 |
    """, "in answered +491701234567 Foo ext=101 ring=3000 talk=60000 cause=16"),

    "nobody answers until Dial's time is over": (RINGING + """
    HANGUP       | 1.2 | 30 | | | | | {"hangupcause":0,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.1 |    | | | | | {"hangupcause":0,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |    | | | | | {"hangupcause":16,"hangupsource":"dialplan/builtin","dialstatus":"NOANSWER"}
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=30000 talk=- cause=16"),

    "the caller gives up while it rings": (RINGING + """
    HANGUP       | 1.1 | 9 | | | | | {"hangupcause":127,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.2 |   | | | | | {"hangupcause":127,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":127,"hangupsource":"PJSIP/line1-00000000","dialstatus":"CANCEL"}
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=9000 talk=- cause=127"),

    "the caller gives up after one phone had rejected": (RINGING + """
    HANGUP       | 1.2 | 2 | | | | | {"hangupcause":21,"hangupsource":"PJSIP/102-00000002","dialstatus":""}
    HANGUP       | 1.1 | 9 | | | | | {"hangupcause":21,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":21,"hangupsource":"PJSIP/line1-00000000","dialstatus":"NOANSWER"}
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=9000 talk=- cause=21"),

    "one phone busy, the other rings until the caller gives up": (RINGING + """
    HANGUP       | 1.2 | 0 | | | | | {"hangupcause":17,"hangupsource":"PJSIP/102-00000002","dialstatus":""}
    HANGUP       | 1.1 | 9 | | | | | {"hangupcause":17,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":17,"hangupsource":"PJSIP/line1-00000000","dialstatus":"BUSY"}
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=9000 talk=- cause=17"),

    "the caller leaves in the bell, nothing was dialled": ("""
    CHAN_START   | 1.0 | 0   | PJSIP/line1-00000000 | +491701234567 | Foo
    HANGUP       | 1.0 | 0.3 | | | | | {"hangupcause":127,"hangupsource":"PJSIP/line1-00000000","dialstatus":""}
    CHAN_END     | 1.0 |
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=300 talk=- cause=127"),

    "all phones busy": (RINGING + """
    HANGUP       | 1.1 | 0.1 | | | | | {"hangupcause":17,"hangupsource":"PJSIP/101-00000001","dialstatus":""}
    HANGUP       | 1.0 |     | | | | | {"hangupcause":17,"hangupsource":"dialplan/builtin","dialstatus":"BUSY"}
    HANGUP       | 1.2 |     | | | | | {"hangupcause":17,"hangupsource":"PJSIP/102-00000002","dialstatus":""}
    LINKEDID_END | 1.2 |
    """, "in busy +491701234567 Foo ext=- ring=100 talk=- cause=17"),

    "both phones reject, which CEL's dialstatus calls NOANSWER": (RINGING + """
    HANGUP       | 1.1 | 2 | | | | | {"hangupcause":21,"hangupsource":"PJSIP/101-00000001","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":21,"hangupsource":"dialplan/builtin","dialstatus":"NOANSWER"}
    HANGUP       | 1.2 |   | | | | | {"hangupcause":21,"hangupsource":"PJSIP/102-00000002","dialstatus":""}
    LINKEDID_END | 1.2 |
    """, "in rejected +491701234567 Foo ext=- ring=2000 talk=- cause=21"),

    "one phone busy, the other rejects": (RINGING + """
    HANGUP       | 1.1 | 1 | | | | | {"hangupcause":17,"hangupsource":"PJSIP/101-00000001","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":21,"hangupsource":"dialplan/builtin","dialstatus":"BUSY"}
    HANGUP       | 1.2 |   | | | | | {"hangupcause":21,"hangupsource":"PJSIP/102-00000002","dialstatus":""}
    LINKEDID_END | 1.2 |
    """, "in rejected +491701234567 Foo ext=- ring=1000 talk=- cause=21"),

    "one phone busy, the other rings out": (RINGING + """
    HANGUP       | 1.1 | 0  | | | | | {"hangupcause":17,"hangupsource":"PJSIP/101-00000001","dialstatus":""}
    HANGUP       | 1.2 | 30 | | | | | {"hangupcause":17,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |    | | | | | {"hangupcause":17,"hangupsource":"dialplan/builtin","dialstatus":"BUSY"}
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=30000 talk=- cause=17"),

    "a phone answers a caller who had just gone": (RINGING + """
    ANSWER       | 1.1 | 3
    HANGUP       | 1.1 |   | | | | | {"hangupcause":127,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":127,"hangupsource":"PJSIP/line1-00000000","dialstatus":"CANCEL"}
    LINKEDID_END | 1.0 |
    """, "in missed +491701234567 Foo ext=- ring=3000 talk=- cause=127"),

    "a blocked caller": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/line1-00000000 | +491701234567 | Foo
    BLOCKED      | 1.0 |
    HANGUP       | 1.0 |   | | | | | {"hangupcause":21,"hangupsource":"dialplan/builtin","dialstatus":""}
    LINKEDID_END | 1.0 |
    """, "in blocked +491701234567 Foo ext=- ring=0 talk=- cause=21"),

    "a call out, answered": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | 030111222
    APP_START    | 1.0 |
    CHAN_START   | 1.1 |   | PJSIP/line1-00000001
    ANSWER       | 1.1 | 4
    ANSWER       | 1.0 |
    BRIDGE_ENTER | 1.1 |
    BRIDGE_ENTER | 1.0 |
    HANGUP       | 1.0 | 14 | | | | | {"hangupcause":16,"hangupsource":"PJSIP/101-00000000","dialstatus":"ANSWER"}
    HANGUP       | 1.1 |    | | | | | {"hangupcause":16,"hangupsource":"PJSIP/101-00000000","dialstatus":""}
    LINKEDID_END | 1.1 |
    """, "out answered 030111222 - ext=101 ring=4000 talk=10000 cause=16"),

    "a call out that we give up": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | 030111222
    CHAN_START   | 1.1 |   | PJSIP/line1-00000001
    HANGUP       | 1.1 | 9 | | | | | {"hangupcause":127,"hangupsource":"","dialstatus":""}
    HANGUP       | 1.0 |   | | | | | {"hangupcause":127,"hangupsource":"PJSIP/101-00000000","dialstatus":"CANCEL"}
    LINKEDID_END | 1.0 |
    """, "out missed 030111222 - ext=101 ring=9000 talk=- cause=127"),

    "a call out that nobody answers": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | 030111222
    CHAN_START   | 1.1 |   | PJSIP/line1-00000001
    HANGUP       | 1.1 | 45 | | | | | {"hangupcause":19,"hangupsource":"PJSIP/line1-00000001","dialstatus":""}
    HANGUP       | 1.0 |    | | | | | {"hangupcause":19,"hangupsource":"dialplan/builtin","dialstatus":"NOANSWER"}
    LINKEDID_END | 1.0 |
    """, "out missed 030111222 - ext=101 ring=45000 talk=- cause=19"),

    "a call out to somebody busy": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | 030111222
    CHAN_START   | 1.1 |   | PJSIP/line1-00000001
    HANGUP       | 1.0 | 1 | | | | | {"hangupcause":17,"hangupsource":"dialplan/builtin","dialstatus":"BUSY"}
    HANGUP       | 1.1 |   | | | | | {"hangupcause":17,"hangupsource":"PJSIP/line1-00000001","dialstatus":""}
    LINKEDID_END | 1.1 |
    """, "out busy 030111222 - ext=101 ring=1000 talk=- cause=17"),

    "a call out to a number that is not in use": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | 030111222
    CHAN_START   | 1.1 |   | PJSIP/line1-00000001
    HANGUP       | 1.0 | 1 | | | | | {"hangupcause":1,"hangupsource":"dialplan/builtin","dialstatus":"CHANUNAVAIL"}
    HANGUP       | 1.1 |   | | | | | {"hangupcause":1,"hangupsource":"PJSIP/line1-00000001","dialstatus":""}
    LINKEDID_END | 1.1 |
    """, "out failed 030111222 - ext=101 ring=1000 talk=- cause=1"),

    "from one desk to another": ("""
    CHAN_START   | 1.0 | 0 | PJSIP/101-00000000 | 101 | Counter | 102
    CHAN_START   | 1.1 |   | PJSIP/102-00000001 | 102 | Workshop | s
    ANSWER       | 1.1 | 2
    BRIDGE_ENTER | 1.1 |
    HANGUP       | 1.0 | 5 | | | | | {"hangupcause":16,"hangupsource":"PJSIP/101-00000000","dialstatus":"ANSWER"}
    LINKEDID_END | 1.0 |
    """, "internal answered 102 - ext=101 ring=2000 talk=3000 cause=16"),

    "still ringing": (RINGING, "in live +491701234567 Foo ext=- ring=- talk=- cause=-"),

    "still talking": (RINGING + """
    ANSWER       | 1.2 | 4
    BRIDGE_ENTER | 1.2 |
    """, "in live +491701234567 Foo ext=102 ring=4000 talk=- cause=-"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_rows_tell_the_call(name: str) -> None:
    table, expected = CALLS[name]
    assert told(table) == expected


def test_a_call_that_was_cut_while_it_rang_is_interrupted_at_its_last_row() -> None:
    assert told(RINGING, is_cut=True) == "in interrupted +491701234567 Foo ext=- ring=0 talk=- cause=-"


def test_a_call_that_was_cut_in_the_talk_is_interrupted_and_keeps_who_talked() -> None:
    table = RINGING + """
        ANSWER       | 1.1 | 3
        BRIDGE_ENTER | 1.1 |
        BRIDGE_ENTER | 1.0 | 3.5
    """
    assert told(table, is_cut=True) == "in interrupted +491701234567 Foo ext=101 ring=3000 talk=500 cause=-"


def test_a_call_that_had_ended_is_not_interrupted() -> None:
    assert call(MISSED, is_cut=True).outcome == "missed"


def test_only_the_phone_that_hung_up_by_itself_has_a_cause() -> None:
    table, _ = CALLS["the caller gives up after one phone had rejected"]
    assert [(leg.party, leg.is_caller, leg.hangup_cause) for leg in call(table).legs] == [
        ("line1", True, 21), ("101", False, None), ("102", False, 21)]


def test_each_leg_has_its_own_times() -> None:
    table, _ = CALLS["answered by 101, the caller hangs up"]
    assert [((leg.answered_at or START) - START, (leg.ended_at or START) - START) for leg in call(table).legs] == [
        (timedelta(seconds=3.001), timedelta(seconds=63)), (timedelta(seconds=3), timedelta(seconds=63)),
        (timedelta(0), timedelta(seconds=3))]


def test_a_bell_that_was_cut_is_marked() -> None:
    assert not call(MISSED).was_bell_cut
    assert call(MISSED + "BELL_CUT | 1.0 | 9").was_bell_cut


@pytest.mark.parametrize(("caller_id", "said", "presentation"), [
    ("+491701234567", "allowed_not_screened", "allowed"),
    ("+491701234567", "allowed", "allowed"),
    ("+491701234567", "prohib_not_screened", "withheld"),
    ("+491701234567", "prohib", "withheld"),
    ("anonymous", "allowed_not_screened", "withheld"),
    ("Anonymous", "", "withheld"),
    ("Restricted", "", "withheld"),
    ("unavailable", "allowed_not_screened", "unavailable"),
    ("-", "unavailable", "unavailable"),
    ("-", "", "unavailable"),
    ("s", "", "unavailable"),
])
def test_what_the_line_said_of_the_number(caller_id: str, said: str, presentation: str) -> None:
    found = call(f"""
        CHAN_START | 1.0 | 0 | PJSIP/line1-00000000 | {caller_id}
        CALLER     | 1.0 |   | | | | | {{"extra":"{said}"}}
    """)
    assert found.presentation == presentation


@pytest.mark.parametrize(("given", "name"), [
    ("Margaret Osei", "Margaret Osei"),
    ("  Frühling   &  Söhne ", "Frühling & Söhne"),
    ("a\nb\tc\x00d\x1b[31m", "a b c d [31m"),
    ("\ufffd\ufffd\ufffd", None),                 # CP1251 on the line: no letter is left
    ("Iv\ufffdn", None),
    ("+491701234567", None),                      # the number again
    ("anonymous", None),
    ("", None),
    ("x" * 300, "x" * 80),
    ('"; EXEC System "id', '"; EXEC System "id'),
])
def test_a_name_is_one_line_fit_to_show(given: str, name: str | None) -> None:
    first = dataclasses.replace(entries(MISSED)[0], caller_name=given)
    assert call_from([first], TRUNKS).caller_name == name


@pytest.mark.parametrize(("given", "kept"), [
    ("+491701234567", "+491701234567"), ("1" * 300, "1" * 80), ("01\n7\x000\ufffd", "0170"), ("7", "7")])
def test_a_caller_id_is_kept_as_the_line_wrote_it_but_fit_to_keep(given: str, kept: str) -> None:
    first = dataclasses.replace(entries(MISSED)[0], caller_id=given)
    assert call_from([first], TRUNKS).caller_id == kept


def test_rows_that_came_in_another_order_tell_the_same_call() -> None:
    """Two channels write at once; only the caller's first row and the last one have their places."""
    rows = entries(CALLS["answered by 101, the caller hangs up"][0])
    mixed = [rows[0], *reversed(rows[1:-1]), rows[-1]]
    assert call_from(mixed, TRUNKS).outcome == "answered"
    assert call_from(mixed, TRUNKS).extension == "101"


@pytest.mark.parametrize("lost", ["the only row", "the caller's, not the phones'"])
def test_rows_without_the_callers_first_one_are_no_call(lost: str) -> None:
    rows = entries(RINGING)[1:]
    with pytest.raises(LedgerError, match=r"1\.0 has no CHAN_START"):
        call_from(rows[:1] if lost == "the only row" else rows, TRUNKS)


@pytest.mark.parametrize("extra", [
    "{", "[]", "17", "null", '{"hangupcause":null}', '{"hangupcause":"²"}', '{"hangupcause":99999999999999999999}',
    '{"extra":{"a":[1]}}', "\x00", pytest.param("[" * 100_000, id="deep")])
def test_an_extra_that_is_broken_costs_only_itself(extra: str) -> None:
    rows = [dataclasses.replace(row, extra=extra) if row.extra else row for row in entries(MISSED)]
    assert call_from(rows, TRUNKS).outcome == "missed"


def test_a_clock_that_was_set_back_in_the_call_gives_no_negative_time() -> None:
    rows = entries(CALLS["answered by 101, the caller hangs up"][0])
    back = [*rows[:-1], dataclasses.replace(rows[-1], at_us=rows[0].at_us - 3_600_000_000)]
    assert call_from(back, TRUNKS).talk_ms == 0


@pytest.mark.parametrize(("channel", "party"), [
    ("PJSIP/101-0000001a", "101"), ("PJSIP/line1-00000000", "line1"), ("Local/s@office-1;2", "s@office"), ("", ""),
    ("PJSIP", ""), ("PJSIP/101", "")])
def test_the_party_of_a_channel(channel: str, party: str) -> None:
    row: Entry = dataclasses.replace(entries(MISSED)[0], channel=channel)
    assert row.party == party
