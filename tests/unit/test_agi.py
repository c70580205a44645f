"""The adapter over pyst2's AGI, and the server: what Asterisk, a caller's name or a stranger may send."""
from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asterisk import agi as pyst2

from appliance.calls import agi
from appliance.calls.agi import Agi, Hangup, Refused, Server

ENV = {"agi_network": "yes", "agi_network_script": "ringing", "agi_channel": "PJSIP/line1-00000000",
       "agi_callerid": "+491701234567", "agi_calleridname": "Foo", "agi_uniqueid": "1795291823.0", "agi_arg_1": "7"}


def environment(**changed: str) -> bytes:
    return "".join(f"{key}: {value}\n" for key, value in (ENV | changed).items()).encode() + b"\n"


def conversation(answers: bytes = b"", env: bytes | None = None) -> tuple[Agi, io.BytesIO]:
    """An AGI that Asterisk has given its environment and these answers, and what it writes."""
    sent = io.BytesIO()
    return Agi(io.BytesIO((environment() if env is None else env) + answers), sent), sent


def answered(line: bytes) -> str:
    """What comes of one command that Asterisk answers with this."""
    conversation_, _ = conversation(line)
    try:
        conversation_.set_variable("RECORD", "no")
    except (Hangup, pyst2.AGIException, Refused) as said:
        return type(said).__name__
    return "done"


@pytest.mark.parametrize(("line", "outcome"), [
    (b"200 result=1\n", "done"),
    (b"200 result=1\r\n", "done"),
    (b"200 result=0\n", "done"),
    (b"200 result=1 (some text)\n", "done"),
    (b"200 result=\n", "done"),
    (b"200 result=-1\n", "AGIHangup"),
    (b"200 result=1 (hangup)\n", "AGIHangup"),
    (b"HANGUP\n", "AGIHangup"),
    (b"", "AGIHangup"),                                       # the socket was closed
    (b"511 Command Not Permitted on a dead channel or intercept routine\n", "AGIHangup"),
    (b"510 Invalid or unknown command\n", "AGIInvalidCommand"),
    (b"520-Invalid command syntax.  Proper usage follows:\n Usage: SET VARIABLE <name> <value>\n"
     b"520 End of proper usage.\n", "AGIUsageError"),
    (b"520-Invalid command syntax.\n", "AGIHangup"),            # cut off in the middle
    (b"garbage\n", "AGIUnknownError"),
    (b"\xff\xfe\x00\n", "AGIUnknownError"),
    (b"\n", "AGIUnknownError"),
    (b"200 result=1", "Refused"),                             # a torn line
    (b"2" * 5000 + b"\n", "Refused"),
], ids=lambda value: repr(value)[:40])
def test_each_answer_has_one_outcome(line: bytes, outcome: str) -> None:
    assert answered(line) == outcome


def test_the_answer_after_a_refusal_of_many_lines_belongs_to_the_next_command() -> None:
    asked, sent = conversation(b"520-Invalid command syntax.\n 200 result=9\n520 End of proper usage.\n200 result=1\n")
    with pytest.raises(pyst2.AGIUsageError):
        asked.set_variable("A", "1")
    asked.set_variable("B", "2")
    assert sent.getvalue() == b'SET VARIABLE "A" "1"\nSET VARIABLE "B" "2"\n'


def test_it_speaks_bytes_over_a_socket_in_a_thread_that_is_not_the_main_one() -> None:
    """pyst2 0.5.1 writes text into a byte stream and sets signals, which only the main thread may."""
    ours, theirs = socket.socketpair()
    told: list[str] = []

    def serve() -> None:
        with ours, ours.makefile("rb") as reader, ours.makefile("wb") as writer:
            asked = Agi(reader, writer)
            asked.set_variable("CALLERID(name)", "Frühling")
            told.append(asked.env["agi_callerid"])

    thread = threading.Thread(target=serve)
    thread.start()
    with theirs, theirs.makefile("rb") as reader:
        theirs.sendall(environment())
        assert reader.readline() == 'SET VARIABLE "CALLERID(name)" "Frühling"\n'.encode()
        theirs.sendall(b"200 result=1\n")
        thread.join(5)
    assert told == ["+491701234567"]


@pytest.mark.parametrize("name", [b"\xc8\xe2\xe0\xed", b"\xff", b"Fr\xc3", b"\xed\xa0\xbd"])
def test_a_name_that_is_not_utf_8_stops_nothing(name: bytes) -> None:
    asked, _ = conversation(env=b"agi_calleridname: " + name + b"\nagi_callerid: 7\n\n")
    assert "\ufffd" in asked.env["agi_calleridname"]
    assert asked.env["agi_callerid"] == "7"


@pytest.mark.parametrize(("name", "line"), [
    ("Margaret Osei", b'"Margaret Osei"'),
    ('evil" \nEXEC System "id', rb'"evil\"  EXEC System \"id"'),
    ("back\\slash", rb'"back\\slash"'),
    ("ends with \\", rb'"ends with \\"'),
    ('\\"', rb'"\\\""'),
    ("a\r\nHANGUP\r\n", b'"a  HANGUP  "'),
    ("a\x00b\x1bc\x85d\u2028e", b'"a b c d e"'),
    ("", b'""'),
    ("${SHELL(id)}", b'"${SHELL(id)}"'),                      # AGI puts it in as it is, unread
    ("x" * 300, b'"' + b"x" * 300 + b'"'),
], ids=lambda value: repr(value)[:30])
def test_a_name_is_one_quoted_word_and_never_a_command(name: str, line: bytes) -> None:
    asked, sent = conversation(b"200 result=1\n")
    asked.set_variable("CALLERID(name)", name)
    assert sent.getvalue() == b'SET VARIABLE "CALLERID(name)" ' + line + b"\n"
    assert sent.getvalue().count(b"\n") == 1


def test_a_command_of_two_lines_is_never_sent() -> None:
    asked, sent = conversation()
    for command in ("NOOP\nEXEC System id", "NOOP\rEXEC System id"):
        with pytest.raises(ValueError, match="one line"):
            asked.send_command(command)
    assert sent.getvalue() == b""


def test_nothing_is_dumped_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """pyst2 writes every command and the caller's number there, which is the journal."""
    asked, _ = conversation(b"200 result=1\n")
    asked.set_variable("CALLERID(name)", "Margaret Osei")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("env", [
    b"no colon\n\n", b"other_key: 1\n\n", b"agi_x: " + b"y" * 5000 + b"\n\n", b"agi_x: torn",
    b"".join(b"agi_%d: 1\n" % number for number in range(10_000)) + b"\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 99,
], ids=["no colon", "no agi_", "a long line", "torn", "10,000 lines", "a browser", "noise"])
def test_what_is_no_environment_is_refused_in_words(env: bytes) -> None:
    with pytest.raises(Refused, match="line"):
        conversation(env=env)


# --- the server ---------------------------------------------------------------------------------


@contextmanager
def serving(served: list[str], patience_s: float = agi.TIMEOUT_S) -> Iterator[Server]:
    """A server on a free port; `served` tells by the callers' numbers whom its script served to the end."""
    def ringing(asked: Agi) -> None:
        asked.set_variable("RECORD", "no")
        asked.close()
        served.append(asked.env["agi_callerid"])

    def broken(_asked: Agi) -> None:
        raise ZeroDivisionError

    scripts = {"ringing": ringing, "broken": broken}
    with Server(scripts, ("127.0.0.1", 0), patience_s) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def served() -> list[str]:
    return []


@pytest.fixture
def server(served: list[str], caplog: pytest.LogCaptureFixture) -> Iterator[Server]:
    caplog.set_level(logging.INFO)
    with serving(served) as running:
        yield running


def call(server: Server, sent: bytes, answer: bytes = b"200 result=1\n") -> bytes:
    """Everything the server says to one caller until it closes."""
    with socket.create_connection(server.server_address[:2], 5) as line:
        line.sendall(sent)
        heard = b""
        while more := line.recv(4096):
            heard += more
            line.sendall(answer)
        return heard


def closed(server: Server, sent: bytes) -> bool:
    """True when the server ends the conversation without a word."""
    try:
        return call(server, sent) == b""
    except ConnectionError:
        return True


def test_a_script_is_found_by_its_name(server: Server, served: list[str]) -> None:
    assert call(server, environment()) == b'SET VARIABLE "RECORD" "no"\n'
    until(served, 1)


def until(served: list[str], many: int) -> None:
    """Waits for what a script does after close(): that keeps no caller waiting, so it may come a moment later."""
    limit = time.monotonic() + 5
    while len(served) < many:
        assert time.monotonic() < limit, f"{len(served)} of {many} served"
        time.sleep(0.005)


@pytest.mark.parametrize("script", ["", "unknown", "../ringing", "ringing?x", "x" * 3000, "\ufffd"])
def test_an_unknown_path_is_said_and_the_next_call_served(
        server: Server, served: list[str], caplog: pytest.LogCaptureFixture, script: str) -> None:
    assert closed(server, environment(agi_network_script=script))
    assert any("there is no script" in line and "The call goes on." in line for line in caplog.messages)
    assert call(server, environment())
    until(served, 1)


@pytest.mark.parametrize("sent", [
    b"\x00\xff garbage\n" * 3, b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000,
    b"".join(b"agi_%d: 1\n" % number for number in range(10_000)) + b"\n",
], ids=["garbage", "a browser", "an endless line", "10,000 lines"])
def test_a_stranger_is_hung_up_on_and_the_next_call_served(
        server: Server, served: list[str], caplog: pytest.LogCaptureFixture, sent: bytes) -> None:
    assert closed(server, sent)
    assert call(server, environment())
    until(served, 1)
    assert any(line.startswith("Not served: ") for line in caplog.messages)


def test_a_script_that_breaks_stops_no_other(
        server: Server, served: list[str], caplog: pytest.LogCaptureFixture) -> None:
    assert closed(server, environment(agi_network_script="broken"))
    assert call(server, environment())
    until(served, 1)
    assert any("the telephone rings on" in line for line in caplog.messages)


@pytest.mark.parametrize(("answer", "said"), [
    (b"HANGUP\n", "ended before the bell had answered"),
    (b"511 Command Not Permitted on a dead channel\n", "ended before the bell had answered"),
    (b"510 Invalid or unknown command\n", "Asterisk refused an answer of the bell"),
])
def test_a_caller_who_has_gone_is_not_served_further(
        server: Server, served: list[str], caplog: pytest.LogCaptureFixture, answer: bytes, said: str) -> None:
    call(server, environment(), answer)
    assert served == []
    assert any(said in line for line in caplog.messages)


def test_a_client_that_says_nothing_is_hung_up_on_and_keeps_nobody_waiting(served: list[str]) -> None:
    with serving(served, patience_s=0.3) as server, socket.create_connection(server.server_address[:2], 5) as silent:
        assert call(server, environment()) == b'SET VARIABLE "RECORD" "no"\n'
        assert silent.recv(1) == b""


def test_a_client_that_never_answers_is_hung_up_on(served: list[str]) -> None:
    with serving(served, patience_s=0.3) as server, socket.create_connection(server.server_address[:2], 5) as silent:
        silent.sendall(environment())
        with silent.makefile("rb") as heard:
            assert heard.read() == b'SET VARIABLE "RECORD" "no"\n'
    assert served == []


def test_a_hundred_calls_at_once_are_all_served(server: Server, served: list[str]) -> None:
    heard: list[bytes] = []
    callers = [threading.Thread(target=lambda: heard.append(call(server, environment()))) for _ in range(100)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert heard == [b'SET VARIABLE "RECORD" "no"\n'] * 100
    until(served, 100)


def test_the_bell_listens_on_loopback_only() -> None:
    assert agi.ADDRESS == ("127.0.0.1", 4573)
