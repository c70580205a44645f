"""A gateway is asked whether it is there: it speaks, refuses, is silent, or has no such name."""
from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from hw import sip_probe
from tests.gateway import answering


@pytest.fixture
def gateway() -> Iterator[tuple[int, list[bytes]]]:
    """The port of a gateway, and what it was asked."""
    with answering(b"SIP/2.0 404 Not Found\r\nUser-Agent: Grandstream HT813 V1\r\n\r\n") as it:
        yield it


def test_a_gateway_that_answers_says_who_it_is(gateway: tuple[int, list[bytes]]) -> None:
    port, heard = gateway
    assert sip_probe.ask(f"127.0.0.1:{port}") == sip_probe.Answer("speaks", "Grandstream HT813 V1")
    assert heard[0].startswith(f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n".encode())
    assert b"\r\n\r\n" in heard[0] and b"Max-Forwards" in heard[0] and b"z9hG4bK" in heard[0]


def test_a_machine_without_sip_a_silent_one_and_a_name_nobody_knows_are_told_apart() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        assert sip_probe.ask(f"127.0.0.1:{port}", 0.3).state == "silent"
    assert sip_probe.ask(f"127.0.0.1:{port}", 0.5).state == "closed"
    assert sip_probe.ask("no.such.gateway.invalid:5060", 0.3).state == "unnamed"
    assert sip_probe.ask("127.0.0.1:70000", 0.3).state == "unnamed"


def test_a_network_is_asked_at_once_and_who_speaks_is_listed(gateway: tuple[int, list[bytes]]) -> None:
    port, heard = gateway
    found = sip_probe.sweep("127.0.0.1/32", timeout_s=1.0, ports=(port, 9))
    assert found == [sip_probe.Found(f"127.0.0.1:{port}", "Grandstream HT813 V1")] and len(heard) == 1
    assert sip_probe.sweep("127.0.0.1/32", but="127.0.0.1", timeout_s=0.2, ports=(port,)) == []


def test_a_gateway_at_the_usual_port_is_listed_without_it(monkeypatch: pytest.MonkeyPatch,
                                                          gateway: tuple[int, list[bytes]]) -> None:
    port, _ = gateway
    monkeypatch.setattr(sip_probe, "PORT", port)
    assert [it.address for it in sip_probe.sweep("127.0.0.1/32", timeout_s=1.0, ports=(port,))] == ["127.0.0.1"]
