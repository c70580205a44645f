"""Other programs hear of calls and texts: signed, in order, none lost while they or we are down."""
from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import json
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.calls.events import announce
from appliance.config import Box
from appliance.doors import posting, postman, webhooks
from appliance.doors.webhooks import WebhookError
from appliance.store import db as store

pytestmark = pytest.mark.xdist_group("webhooks")
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HERE = "192.0.2.7"                      # RFC 5737; on this machine's own loopback interface, yet no loopback address


@pytest.fixture(scope="module", autouse=True)
def address() -> None:
    subprocess.run(["ip", "address", "replace", f"{HERE}/32", "dev", "lo"], check=True)


def wait(until: Callable[[], object], limit_s: float = 15.0) -> None:
    end = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


class Target:
    """Another program: it notes what it is told and answers as it is bidden."""

    def __init__(self, port: int = 0) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.location = ""
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = target.answers.pop(0) if target.answers else 204
                target.heard.append((dict(self.headers), body))
                self.send_response(status)
                if target.location:
                    self.send_header("Location", target.location)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer((HERE, port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}/hook?x=1"

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


@pytest.fixture
def carrying(box: Box, db: sqlite3.Connection) -> Iterator[None]:
    man = postman.Postman(box)
    man.start()
    yield
    man.stop()


def hook(db: sqlite3.Connection, url: str, kinds: tuple[str, ...] = webhooks.KINDS) -> tuple[int, str]:
    with store.write(db):
        return webhooks.add(db, "Cash desk", url, list(kinds), datetime.now(UTC))


def ring(db: sqlite3.Connection, linkedid: str, kind: str = "ringing") -> int:
    now = datetime.now(UTC)
    with store.write(db):
        row = db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, is_clock_set)
            VALUES ('box1', 1, ?, 'in', '+491701234567', '+491701234567', 'allowed', ?, 1) RETURNING id""",
            (linkedid, store.iso(now))).fetchone()
        announce(db, kind, row["id"], now)
    return int(row["id"])


def text(db: sqlite3.Connection, direction: str, state: str) -> int:
    at = store.iso(datetime.now(UTC))
    with store.write(db):
        return int(db.execute("""
            INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at)
            VALUES (?, '+491701234567', 'Grüße', ?, ?, ?, ?) RETURNING id""",
            (direction, state, at, at, at)).fetchone()["id"])


def test_a_letter_is_signed_over_its_time_and_body(db: sqlite3.Connection, target: Target, carrying: None) -> None:
    _, secret = hook(db, target.url)
    call_id = ring(db, "1")
    wait(lambda: target.heard)
    headers, body = target.heard[0]
    told = json.loads(body)
    assert (told["kind"], told["call"]["id"], told["call"]["number"]) == ("call.ringing", call_id, "+491701234567")
    at, said = headers["Deskbell-Signature"].removeprefix("t=").split(",v1=")
    assert abs(int(at) - time.time()) < 60
    assert hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest() == said
    assert hmac.new(secret.encode(), b"1." + body, hashlib.sha256).hexdigest() != said


def test_each_kind_is_told_to_whoever_asked_for_it(db: sqlite3.Connection, target: Target, carrying: None) -> None:
    hook(db, target.url)
    ring(db, "1")
    ring(db, "2", "ended")
    text(db, "in", "received")
    sent = text(db, "out", "queued")
    for state in ("sending", "sent", "delivered"):
        with store.write(db):
            db.execute("UPDATE sms SET state = ? WHERE id = ?", (state, sent))
    wait(lambda: len(target.heard) >= 5)
    told = target.told()
    assert [it["kind"] for it in told] == ["call.ringing", "call.ended", "sms.received", "sms.sent", "sms.delivered"]
    assert told[2]["sms"]["text"] == "Grüße" and told[4]["sms"]["state"] == "delivered"


def test_who_did_not_ask_hears_nothing(db: sqlite3.Connection, target: Target) -> None:
    hook_id, _ = hook(db, target.url, ("sms.received",))
    ring(db, "1")
    with store.write(db):
        webhooks.switch(db, hook_id, False)
    text(db, "in", "received")
    assert not webhooks.log(db, hook_id)


def test_a_target_that_was_down_hears_everything_in_order_once_it_is_back(
        box: Box, db: sqlite3.Connection, target: Target) -> None:
    hook_id, _ = hook(db, target.url)
    calls = [ring(db, str(n)) for n in range(100)]
    target.answers = [500, 503, 500]
    with store.write(db):                    # it has been down for a day: the pauses are long over
        db.execute("UPDATE delivery SET attempts = 400, next_at = ?", (store.iso(datetime.now(UTC)),))
    first = webhooks.first(db, hook_id)
    assert first
    man = postman.Postman(box)
    man.start()
    wait(lambda: (now := webhooks.first(db, hook_id)) and now.attempts == 401)
    assert len(target.heard) == 1, "nobody overtakes the first"
    for tries in (402, 403):
        with store.write(db):
            db.execute("UPDATE delivery SET next_at = NULL WHERE id = ?", (first.id,))
        wait(lambda tries=tries: (now := webhooks.first(db, hook_id)) and now.attempts == tries)  # type: ignore[misc]
    with store.write(db):
        db.execute("UPDATE delivery SET next_at = NULL WHERE id = ?", (first.id,))
    wait(lambda: webhooks.first(db, hook_id) is None)
    man.stop()
    assert [it["call"]["id"] for it in target.told()] == [calls[0]] * 3 + calls


def test_a_slow_target_delays_only_itself(
        db: sqlite3.Connection, target: Target, carrying: None) -> None:
    with socket.create_server((HERE, 0)) as silent:
        slow, _ = hook(db, f"http://{HERE}:{silent.getsockname()[1]}/")
        hook(db, target.url)
        for n in range(20):
            ring(db, str(n))
        wait(lambda: len(target.heard) == 20, 5)
        assert webhooks.first(db, slow)


def test_who_answers_a_letter_at_a_time_is_cut_off() -> None:
    with socket.create_server((HERE, 0)) as server:
        def drip() -> None:
            line, _ = server.accept()
            with line, contextlib.suppress(OSError):
                for letter in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                    line.sendall(bytes([letter]))
                    time.sleep(0.02)
        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(posting.PostError, match="in time"):
            posting.post(f"http://{HERE}:{server.getsockname()[1]}/", "s", 1, b"{}", 1, answer_s=0.5)
        assert time.monotonic() - began < 5


def test_a_redirect_is_not_followed(db: sqlite3.Connection, target: Target) -> None:
    target.answers, target.location = [302], "http://127.0.0.1:5038/"
    with pytest.raises(posting.PostError, match="Redirects") as told:
        posting.post(target.url, "s", 1, b"{}", 1)
    assert told.value.status == 302 and len(target.heard) == 1


def test_an_address_with_letters_of_any_script_is_reached_as_browsers_reach_it(target: Target) -> None:
    heard: list[str] = []
    target.server.RequestHandlerClass.log_message = lambda it, *_: heard.append(it.path)  # type: ignore[attr-defined]
    assert posting.post(f"http://{HERE}:{target.port}/Größe/%41?wer=李&x=a+b", "s", 1, b"{}", 1) == 204
    assert heard == ["/Gr%C3%B6%C3%9Fe/%41?wer=%E6%9D%8E&x=a+b"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.1.1", "[::ffff:127.0.0.1]",
                                  "127.1", "224.0.0.1", "2130706433"])
def test_a_letter_never_knocks_at_this_boxs_inner_doors(host: str) -> None:
    with pytest.raises(posting.PostError, match="this box itself|Nobody knows"):
        posting.post(f"http://{host}:5038/", "s", 1, b"{}", 1)


@pytest.mark.parametrize("url", ["", "ftp://x/", "javascript:alert(1)", "http://", "https://a b/", "http://user:pw@x/",
                                 "http://x:99999/", "http://x/" + "y" * 600, "http://x\n/", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused_in_words(db: sqlite3.Connection, url: str) -> None:
    with pytest.raises(WebhookError), store.write(db):
        webhooks.add(db, "x", url, ["call.ended"], NOW)


def test_the_log_can_be_replayed(db: sqlite3.Connection, target: Target, carrying: None) -> None:
    hook_id, _ = hook(db, target.url)
    ring(db, "1")
    wait(lambda: webhooks.log(db, hook_id)[0].state == "delivered")
    with store.write(db):
        again = webhooks.replay(db, webhooks.log(db, hook_id)[0].id, datetime.now(UTC))
    wait(lambda: len(target.heard) == 2)
    assert again and target.told()[0]["call"] == target.told()[1]["call"]


def test_after_a_week_the_next_has_its_turn(db: sqlite3.Connection) -> None:
    hook_id, _ = hook(db, f"http://{HERE}:1/")
    ring(db, "1")
    ring(db, "2")
    first = webhooks.first(db, hook_id)
    assert first
    with store.write(db):
        webhooks.refused(db, first, None, "It does not answer.", first.at + timedelta(days=8))
    after = webhooks.first(db, hook_id)
    assert after and after.id > first.id
    assert webhooks.log(db, hook_id)[-1].state == "given_up"


def test_pauses_grow_and_stay_short_enough_to_notice_that_it_is_back(db: sqlite3.Connection) -> None:
    hook_id, _ = hook(db, f"http://{HERE}:1/")
    ring(db, "1")
    pauses = []
    for _ in range(7):
        letter = webhooks.first(db, hook_id)
        assert letter
        with store.write(db):
            webhooks.refused(db, letter, 500, "It answered 500.", letter.at)
        now = webhooks.first(db, hook_id)
        assert now and now.next_at
        pauses.append((now.next_at - letter.at).total_seconds())
    assert pauses == [1, 5, 15, 60, 300, 300, 300]


def test_what_was_settled_long_ago_is_let_go_and_what_waits_stays(db: sqlite3.Connection) -> None:
    hook_id, _ = hook(db, f"http://{HERE}:1/")
    ring(db, "1")
    ring(db, "2")
    first = webhooks.first(db, hook_id)
    assert first
    with store.write(db):
        webhooks.delivered(db, first, 200, NOW)
        assert webhooks.forget(db, datetime.now(UTC) + timedelta(days=40)) == 1
    assert len(webhooks.log(db, hook_id)) == 1


def test_a_long_log_goes_a_piece_at_a_time(db: sqlite3.Connection) -> None:
    hook_id, _ = hook(db, f"http://{HERE}:1/")
    other, _ = hook(db, f"http://{HERE}:1/")
    with store.write(db):
        db.executemany("INSERT INTO delivery (webhook_id, kind, at, state) VALUES (?, 'test', ?, 'delivered')",
                       [(hook_id, store.iso(NOW))] * 5500 + [(other, store.iso(NOW))])
    said: list[str] = []
    db.set_trace_callback(said.append)
    webhooks.empty(db, hook_id)
    db.set_trace_callback(None)
    assert said.count("COMMIT") == 6
    assert webhooks.log(db, hook_id) == [] and len(webhooks.log(db, other)) == 1
