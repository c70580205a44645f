"""The stream of a desk, at a raw client."""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime

import pytest

from appliance.store import db as store
from tests.desk import Browser, Office, eventually
from web import auth, events


def test_a_ringing_call_is_told_with_all_a_desk_shows(office: Office, amy: Browser) -> None:
    office.missed("+4915123456789", contact="Margaret Osei")
    desk = amy.listen()
    assert desk.status == 200 and desk.next()["kind"] == "now"
    call_id = office.call("+4915123456789", contact="Margaret Osei", name="OSEI M")
    event = desk.next()
    assert (event["kind"], event["call_id"], event["state"]) == ("ringing", call_id, "ringing")
    assert (event["name"], event["contact"], event["shown"], event["trunk"]) == (
        "Margaret Osei",
        "Margaret Osei",
        "01512 3456789",
        "Line 1",
    )
    assert event["presentation"] == "allowed" and 0 <= event["age_ms"] < 5000
    assert [(past["outcome"], past["ring_ms"]) for past in event["last"]] == [("missed", 24_000)]


def test_a_call_is_followed_to_its_text(office: Office, amy: Browser) -> None:
    desk = amy.listen()
    desk.next("now")
    call_id = office.call()
    office.ended(call_id, "missed")
    office.texted(call_id)
    told = [desk.next() for _ in range(3)]
    assert [event["kind"] for event in told] == ["ringing", "ended", "text"]
    assert told[1]["outcome"] == "missed" and told[2]["text"] == "delivered"


def test_ids_of_the_stream_are_the_ids_of_the_events(office: Office, amy: Browser) -> None:
    desk = amy.listen()
    desk.next("now")
    office.missed()
    desk.next("ringing")
    assert desk.last_id == office.db.execute("SELECT id FROM event WHERE kind = 'ringing'").fetchone()[0]


def test_after_a_break_a_desk_gets_what_it_missed(office: Office, amy: Browser) -> None:
    desk = amy.listen()
    desk.next("now")
    office.call()
    desk.next("ringing")
    desk.close()
    call_id = office.call("+4917655555551")
    office.ended(call_id, "missed")
    again = amy.listen(after=desk.last_id)
    assert [(event["kind"], event["call_id"]) for event in (again.next(), again.next())] == [
        ("ringing", call_id),
        ("ended", call_id),
    ]
    assert again.next()["kind"] == "now"


def test_a_break_loses_and_doubles_nothing_while_calls_go_on(office: Office, amy: Browser) -> None:
    seen: list[int] = []
    desk = amy.listen(after=0)
    for _ in range(8):
        office.missed()
        for _ in range(2):
            event = desk.next()
            while event["kind"] == "now":
                event = desk.next()
            seen.append(desk.last_id)
        last = desk.last_id
        desk.close()
        office.missed()
        desk = amy.listen(after=last)
    desk.next("now")
    all_ids = [row[0] for row in office.db.execute("SELECT id FROM event ORDER BY id")]
    assert len(seen) == len(set(seen)) and set(seen) <= set(all_ids)


def test_a_desk_that_was_away_for_days_gets_the_truth_and_no_flood(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        call_id = db.execute("""INSERT INTO call (box, boot, linkedid, direction, caller_id,
            presentation, started_at, is_clock_set)
            VALUES ('box1', 1, 'x', 'in', '', 'allowed', '2026-01-01T00:00:00.000Z', 1)""").lastrowid
        db.executemany(
            "INSERT INTO event (at, kind, call_id) VALUES ('2026-01-01T00:00:00.000Z', 'text', ?)",
            [(call_id,)] * (events.REPLAY_LIMIT + 5),
        )
    assert amy.listen(after=1).next()["kind"] == "now"


@pytest.mark.parametrize("after", [10**9, 0])
def test_an_id_of_another_store_does_no_harm(office: Office, amy: Browser, after: int) -> None:
    desk = amy.listen(after=after)
    desk.next("now")
    call_id = office.call()
    assert desk.next("ringing")["call_id"] == call_id


def test_a_new_page_is_told_what_rings_now(office: Office, amy: Browser) -> None:
    ringing, over = office.call(), office.missed()
    talking = office.call("+4917655555551")
    office.answered(talking)
    calls = amy.listen().next()["calls"]
    assert [(call["call_id"], call["state"]) for call in calls] == [(ringing, "ringing"), (talking, "talking")]
    assert over not in [call["call_id"] for call in calls]


def test_a_restarted_box_tells_it_again(office: Office, amy: Browser) -> None:
    call_id = office.call()
    office.restart()
    assert amy.listen().next()["calls"][0]["call_id"] == call_id


def test_log_out_ends_the_streams_of_that_session_only(office: Office, amy: Browser) -> None:
    other = office.browser()
    mine, also_mine, theirs = amy.listen(), amy.listen(), other.listen()
    for desk in (mine, also_mine, theirs):
        desk.next("now")
    amy.post("/logout")
    assert mine.has_ended() and also_mine.has_ended()
    office.call()
    assert theirs.next()["kind"] == "ringing"


def test_a_session_deleted_elsewhere_ends_its_stream(office: Office, amy: Browser) -> None:
    desk = amy.listen()
    desk.next("now")
    auth.log_out(office.db, auth.key_of(amy.cookies[auth.COOKIE]))
    assert desk.has_ended()


def test_without_a_session_there_is_no_stream(office: Office, amy: Browser) -> None:
    assert office.browser(logged_in=False).listen().status == 401


def test_fifty_desks_and_pages_need_few_threads(office: Office, amy: Browser) -> None:
    amy.get("/")
    before = set(threading.enumerate())
    desks = [amy.listen() for _ in range(50)]
    for desk in desks:
        desk.next("now")
    call_id = office.call()
    assert {desk.next()["call_id"] for desk in desks} == {call_id}
    new = set(threading.enumerate()) - before
    assert len(new) <= 1, new            # one of the house may just have started; none is a desk's
    assert amy.get("/").status == 200


def test_a_desk_that_never_reads_is_dropped_and_delays_nobody(office: Office, amy: Browser) -> None:
    good = amy.listen()
    good.next("now")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.connect(("127.0.0.1", office.server.port))
    slow.sendall(f"GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: {amy.cookie()}\r\n\r\n".encode())
    eventually(lambda: office.server.hub.desks == 2)
    call_id = office.call(name="x" * 200)
    good.next("ringing")
    told = 0
    while office.server.hub.desks == 2:
        with store.write(office.db) as db:
            db.executemany(
                "INSERT INTO event (at, kind, call_id) VALUES (?, 'text', ?)",
                [(store.iso(datetime.now(UTC)), call_id)] * 50,
            )
        for _ in range(50):
            good.next("text")
        told += 50
        assert told < 20_000, "the slow desk was never dropped"
    office.ended(call_id, "missed")
    assert good.next("ended")["call_id"] == call_id


def test_browsers_that_open_connections_ahead_hold_up_nobody(office: Office, amy: Browser) -> None:
    ahead = [socket.create_connection(("127.0.0.1", office.server.port)) for _ in range(30)]
    assert amy.get("/").status == 200
    for connection in ahead:
        connection.close()


def test_closed_desks_are_forgotten_and_their_sockets_closed(office: Office, amy: Browser) -> None:
    for _ in range(20):
        desk = amy.listen()
        desk.next("now")
        desk.close()
    eventually(lambda: office.server.hub.desks == 0)


def test_evil_names_stay_inside_their_json(office: Office, amy: Browser) -> None:
    desk = amy.listen()
    desk.next("now")
    name = 'a\n\ndata: {"kind":"ended"}\r\nid: 9999\n\u2028<script>'
    office.call(name=name)
    event = desk.next()
    assert event["kind"] == "ringing" and event["name"] == name and desk.last_id != 9999
    assert json.dumps(event)
