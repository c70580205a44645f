"""The manager client at wire level: a scripted Asterisk on a free port."""
from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.calls.ami import Ami, AmiError, from_secret
from tests.unit.manager import BANNER, Asterisk, Request


@pytest.fixture
def asterisk() -> Iterator[Callable[..., Asterisk]]:
    made: list[Asterisk] = []

    def start(script: Callable[[Request], str | None], banner: bytes = BANNER) -> Asterisk:
        made.append(Asterisk(script, banner))
        return made[-1]

    yield start
    for each in made:
        each.close()


Start = Callable[..., Asterisk]
PONG = "Response: Success\r\nActionID: {id}\r\nPing: Pong\r\n\r\n"


def test_an_answer_is_matched_by_its_action_id(asterisk: Start) -> None:
    """Late answers to a question given up, and events, come in between."""
    there = asterisk(lambda request: (
        "Response: Success\r\nActionID: 999\r\nPing: of somebody else\r\n\r\n"
        "Event: FullyBooted\r\nPrivilege: system,all\r\n\r\n"
        "Response: Error\r\nMessage: without any id\r\n\r\n" + PONG) if request["Action"] == "Ping" else "")
    with Ami("deskbell", "secret", there.address) as ami:
        assert ami.ask("Ping")["Ping"] == "Pong"
    assert there.heard[0]["Secret"] == "secret" and there.heard[0]["Events"] == "off"


def test_the_connection_is_made_at_the_first_question_and_kept(asterisk: Start) -> None:
    there = asterisk(lambda request: PONG if request["Action"] == "Ping" else "")
    with Ami("deskbell", "secret", there.address) as ami:
        assert there.connections == 0
        ami.ask("Ping")
        ami.ask("Ping")
    assert there.connections == 1
    assert there.asked() == ["Login", "Ping", "Ping"]


def test_a_broken_connection_is_said_and_made_again_at_the_next_question(asterisk: Start) -> None:
    answers = iter([None, PONG])
    there = asterisk(lambda request: next(answers) if request["Action"] == "Ping" else "")
    with Ami("deskbell", "secret", there.address) as ami:
        with pytest.raises(AmiError, match=r"does not answer on 127\.0\.0\.1:\d+ \(the connection was closed\)"):
            ami.ask("Ping")
        assert ami.ask("Ping")["Ping"] == "Pong"
    assert there.connections == 2


def test_nobody_there_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with Ami("deskbell", "secret", address) as ami, pytest.raises(AmiError, match="does not answer.*refused"):
        ami.ask("Ping")


def refused(request: Request) -> str:
    return "Response: Error\r\nActionID: {id}\r\nMessage: Authentication failed\r\n\r\n"


def test_a_refused_login_is_said_and_no_question_is_asked_there(asterisk: Start) -> None:
    there = asterisk(refused)
    with Ami("deskbell", "wrong", there.address) as ami:
        for _ in (1, 2):
            with pytest.raises(AmiError, match="refused Login: Authentication failed"):
                ami.ask("Ping")
    assert there.asked() == ["Login", "Login"]


def test_a_name_is_not_taken_for_deleted_when_the_login_was_refused(asterisk: Start) -> None:
    there = asterisk(refused)
    with Ami("deskbell", "wrong", there.address) as ami, pytest.raises(AmiError):
        ami.delete("name", "+491701234567")


def test_something_else_on_the_port_is_said(asterisk: Start) -> None:
    there = asterisk(lambda request: "", banner=b"SSH-2.0-OpenSSH_10.0\r\n")
    with Ami("deskbell", "secret", there.address) as ami, pytest.raises(AmiError, match="is not Asterisk"):
        ami.ask("Ping")


def test_a_silent_asterisk_is_said_after_the_time_out(asterisk: Start) -> None:
    there = asterisk(lambda request: "")
    with Ami("deskbell", "secret", there.address, timeout_s=0.05) as ami, pytest.raises(AmiError, match="timed out"):
        ami.ask("Ping")


def test_events_do_not_put_off_the_time_out(asterisk: Start) -> None:
    chatter = "Event: VarSet\r\nVariable: x\r\n\r\n"
    there = asterisk(lambda request: chatter * 200_000 + PONG if request["Action"] == "Ping" else "")
    with Ami("deskbell", "secret", there.address, timeout_s=0.05) as ami, pytest.raises(AmiError, match="timed out"):
        ami.ask("Ping")


def test_a_refusal_is_a_sentence_and_the_connection_goes_on(asterisk: Start) -> None:
    there = asterisk(lambda request: {
        "Ping": PONG, "DBPut": "Response: Error\r\nActionID: {id}\r\nMessage: Permission denied\r\n\r\n",
    }.get(request["Action"], ""))
    with Ami("deskbell", "secret", there.address) as ami:
        with pytest.raises(AmiError, match="refused DBPut: Permission denied"):
            ami.put("name", "1", "x")
        assert ami.ask("Ping")["Ping"] == "Pong"
    assert there.connections == 1


@pytest.mark.parametrize("name", [
    "a\r\nAction: Originate\r\nApplication: System\r\nData: id", "a\nb", "a\rb", "a\x00b\x85c", "a\u2028b"])
def test_a_name_of_two_lines_is_never_a_second_header(asterisk: Start, name: str) -> None:
    there = asterisk(lambda request: PONG)
    with Ami("deskbell", "secret", there.address) as ami:
        ami.put("name", "+491701234567", name)
    put = there.heard[1]
    assert set(put) == {"Action", "ActionID", "Family", "Key", "Val"}
    assert put["Action"] == "DBPut" and put["Val"].isprintable()


@pytest.mark.parametrize("name", ["Frühling & Söhne", "Иван", "張", 'quo"te', "back\\slash", "a: b"])
def test_a_name_arrives_as_it_was_written(asterisk: Start, name: str) -> None:
    there = asterisk(lambda request: PONG)
    with Ami("deskbell", "secret", there.address) as ami:
        ami.put("name", "1", name)
    assert there.heard[1]["Val"] == name


CHANNELS = ("Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n"
            "Event: CoreShowChannel\r\nActionID: {id}\r\nLinkedid: 1.0\r\n\r\n"
            "Event: Newchannel\r\nLinkedid: 9.9\r\n\r\n"
            "Event: CoreShowChannel\r\nActionID: {id}\r\nLinkedid: 1.0\r\n\r\n"
            "Event: CoreShowChannel\r\nActionID: {id}\r\nLinkedid: 2.0\r\n\r\n"
            "Event: CoreShowChannelsComplete\r\nActionID: {id}\r\nListItems: 3\r\n\r\n")
NO_CHANNELS = ("Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n"
               "Event: CoreShowChannelsComplete\r\nActionID: {id}\r\nListItems: 0\r\n\r\n")


@pytest.mark.parametrize(("answer", "live"), [(CHANNELS, {"1.0", "2.0"}), (NO_CHANNELS, set())])
def test_the_live_calls_are_those_of_the_list(asterisk: Start, answer: str, live: set[str]) -> None:
    there = asterisk(lambda request: answer if request["Action"] == "CoreShowChannels" else "")
    with Ami("deskbell", "secret", there.address) as ami:
        assert ami.live_linkedids() == live


def test_a_list_that_names_no_call_is_no_reason_to_end_calls(asterisk: Start) -> None:
    there = asterisk(lambda request: CHANNELS.replace("Linkedid: 2.0", "Linked: 2.0")
                     if request["Action"] == "CoreShowChannels" else "")
    with Ami("deskbell", "secret", there.address) as ami, pytest.raises(AmiError, match="without its call"):
        ami.live_linkedids()


def test_a_list_that_breaks_off_is_no_list(asterisk: Start) -> None:
    half = CHANNELS[:CHANNELS.index("Event: Newchannel")]
    there = asterisk(lambda request: half if request["Action"] == "CoreShowChannels" else "")
    with Ami("deskbell", "secret", there.address, timeout_s=0.05) as ami, pytest.raises(AmiError, match="timed out"):
        ami.live_linkedids()


def test_malformed_lines_are_passed_over(asterisk: Start) -> None:
    there = asterisk(lambda request: (
        "no colon here\r\n: no key\r\nResponse: Success\r\nActionID: {id}\r\nName: \udcc8\udce2\r\nTime: 12:30:05\r\n"
        "Empty:\r\n\r\n") if request["Action"] == "Ping" else "")
    with Ami("deskbell", "secret", there.address) as ami:
        answer = ami.ask("Ping")
    assert (answer["Name"], answer["Time"], answer["Empty"]) == ("\ufffd\ufffd", "12:30:05", "")


def test_a_line_without_end_is_given_up(asterisk: Start) -> None:
    there = asterisk(lambda request: "x" * 70_000 if request["Action"] == "Ping" else "")
    with Ami("deskbell", "secret", there.address) as ami, pytest.raises(AmiError, match="does not answer"):
        ami.ask("Ping")


NOT_THERE = "Response: Error\r\nActionID: {id}\r\nMessage: Database entry not found\r\n\r\n"


def test_what_is_not_in_asterisks_database_is_none_and_deleted_already(asterisk: Start) -> None:
    there = asterisk(lambda request: NOT_THERE if request["Action"].startswith("DB") else "")
    with Ami("deskbell", "secret", there.address) as ami:
        assert ami.get("name", "1") is None
        ami.delete("name", "1")


def test_a_value_of_asterisks_database_is_read(asterisk: Start) -> None:
    there = asterisk(lambda request: (
        "Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n"
        "Event: DBGetResponse\r\nActionID: {id}\r\nFamily: name\r\nKey: 1\r\nVal: Margaret\r\n\r\n"
        "Event: DBGetComplete\r\nActionID: {id}\r\nListItems: 1\r\n\r\n") if request["Action"] == "DBGet" else "")
    with Ami("deskbell", "secret", there.address) as ami:
        assert ami.get("name", "1") == "Margaret"


@pytest.mark.parametrize("ask", [lambda ami: ami.get("name", "1"), lambda ami: ami.delete("name", "1")])
def test_a_broken_connection_is_no_answer_about_a_value(asterisk: Start, ask: Callable[[Ami], object]) -> None:
    there = asterisk(lambda request: None if request["Action"].startswith("DB") else "")
    with Ami("deskbell", "secret", there.address) as ami, pytest.raises(AmiError, match="does not answer"):
        ask(ami)


def test_a_missing_secret_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="No such file.*deskbell provision"):
        from_secret(tmp_path / "ami")
