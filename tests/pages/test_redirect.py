"""The port of the clear: it sends on to the pages with encryption, and serves nothing."""
from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import Box, ConfigError
from appliance.config import read as read_config
from tests.desk import box_at, free_port
from web.redirect import Redirect


@pytest.fixture
def box(tmp_path: Path) -> Box:
    box = box_at(tmp_path)
    return replace(box, web=replace(box.web, tls=True, redirect_from=free_port()))


@pytest.fixture
def door(box: Box) -> Iterator[Redirect]:
    door = Redirect(box)
    door.start()
    yield door
    door.stop()


def asked(door: Redirect, path: str, host: str = "deskbell.local", method: str = "GET") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    return connection.getresponse()


def test_the_same_page_is_offered_with_encryption(door: Redirect, box: Box) -> None:
    answer = asked(door, "/history?outcome=missed&q=%D0%90")
    assert (answer.status, answer.headers["Location"]) == (
        307, f"https://deskbell.local:{box.web.port}/history?outcome=missed&q=%D0%90")


def test_port_443_is_not_written_out(box: Box) -> None:
    door = Redirect(replace(box, web=replace(box.web, port=443)))
    door.start()
    try:
        assert asked(door, "/", f"127.0.0.1:{door.port}").headers["Location"] == "https://127.0.0.1/"
    finally:
        door.stop()


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "http://evil.example/x", "*"])
def test_nobody_is_sent_to_another_site(door: Redirect, box: Box, path: str) -> None:
    answer = asked(door, path)
    assert answer.status >= 400 or answer.headers["Location"].startswith(f"https://deskbell.local:{box.web.port}/")


def test_a_foreign_name_is_told_in_a_sentence(door: Redirect) -> None:
    answer = asked(door, "/", "evil.example")
    assert answer.status == 421 and b"not the address of this box" in answer.read()


def test_no_form_is_taken_in_the_clear(door: Redirect) -> None:
    answer = asked(door, "/login", method="POST")
    assert answer.status == 307 and answer.read() == b""


def test_a_port_that_is_taken_leaves_the_door_shut_and_nothing_falls(box: Box) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", box.web.redirect_from))
        other.listen()
        door = Redirect(box)
        door.start()
        assert door.port is None and door.is_alive()


def test_the_pages_own_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text("[web]\nport = 8080\nredirect_from = 8080\n")
    with pytest.raises(ConfigError, match="redirect_from = 8080"):
        read_config(file)
