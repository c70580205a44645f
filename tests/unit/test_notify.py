"""Telling systemd that we live, over a real datagram socket."""
from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.box.notify import Notify


@pytest.fixture(params=["a file", "an abstract name"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """What systemd listens on, and how it writes that into $NOTIFY_SOCKET."""
    address = str(tmp_path / "notify") if request.param == "a file" else f"@deskbell-test-{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.settimeout(5)
        yield listening, address


def test_each_word_is_one_datagram(systemd: tuple[socket.socket, str]) -> None:
    listening, address = systemd
    notify = Notify(address)
    notify.ready()
    notify.alive()
    notify.status("Three texts wait:\nno SIM")
    notify.stopping()
    assert [listening.recv(999) for _ in range(4)] == [
        b"READY=1", b"WATCHDOG=1", b"STATUS=Three texts wait: no SIM", b"STOPPING=1"]


def test_the_address_comes_from_the_environment(systemd: tuple[socket.socket, str],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    listening, address = systemd
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    Notify().ready()
    assert listening.recv(999) == b"READY=1"


def test_started_by_hand_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    for notify in (Notify(), Notify("")):
        notify.ready()
        notify.alive()
        notify.stopping()


def test_a_systemd_that_is_away_for_a_moment_stops_nobody(tmp_path: Path) -> None:
    notify = Notify(str(tmp_path / "notify"))
    notify.alive()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as back:
        back.bind(str(tmp_path / "notify"))
        back.settimeout(5)
        notify.alive()
        assert back.recv(999) == b"WATCHDOG=1"
