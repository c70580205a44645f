"""Another program at /api/v1: what it may, what it gets, and how it is refused."""
from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.doors import tokens
from appliance.store import db as store
from tests.desk import Answer, Browser, Office, eventually
from web import api
from web.api import gate

NOW = datetime.now(UTC)


class Program:
    """Another program with its token; what it asks for is below /api/v1."""

    def __init__(self, office: Office, role: str = "owner", name: str = "Till", **more: Any) -> None:
        with store.write(office.db) as db:
            self.id, self.token = tokens.add(db, name, role, "Amy", more.pop("now", NOW), **more)
        self.port = office.server.port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        browser = Browser(self.port)
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        raw = None
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return browser.ask(method, path if path.startswith("/api") else "/api/v1" + path, raw, sent)

    def get(self, path: str, **headers: str) -> Any:
        found = self.ask("GET", path, **headers)
        assert found.status == 200, found.text
        return json.loads(found.body)


def problem(found: Answer, status: int) -> str:
    """The sentence of a refusal."""
    assert found.status == status, (found.status, found.text)
    assert found.headers["Content-Type"] == "application/problem+json"
    said = json.loads(found.body)
    assert said["status"] == status and said["detail"].endswith((".", "?"))
    return str(said["detail"])


@pytest.fixture
def till(office: Office) -> Program:
    return Program(office)


def test_a_call_is_read_as_it_is(office: Office, till: Program) -> None:
    call_id = office.call(contact="Margaret Osei", name="OSEI M")
    office.answered(call_id)
    office.ended(call_id, "answered", talk_ms=61_000)
    office.recorded(call_id)
    call = till.get(f"/calls/{call_id}")
    assert (call["number"], call["contact_name"], call["outcome"], call["talk_ms"], call["recording_ms"]) \
        == ("+4915123456789", "Margaret Osei", "answered", 61_000, 2_000)
    assert call["started_at"].endswith("Z") and call["trunk"] == "line1" and call["extension"] == "101"


def test_calls_are_found_by_each_word_of_the_query(office: Office, till: Program) -> None:
    yesterday = NOW - timedelta(days=1)
    old = office.missed("+4930111222", at=yesterday)
    new = office.missed("+4915123456789", contact="Margaret Osei")
    out = office.call("+4940999888", direction="out")
    office.recorded(new)
    for query, found in ((f"from={store.iso(NOW - timedelta(hours=1))}", {new, out}),
                         (f"until={store.iso(NOW - timedelta(hours=1))}", {old}), ("direction=out", {out}),
                         ("outcome=missed", {old, new}), ("line=line1", {old, new, out}), ("extension=101", {out}),
                         ("number=%2B4930111222", {old}), ("number=015123456789", {new}), ("search=osei", {new}),
                         ("has_recording=true", {new}), ("", {old, new, out})):
        assert {call["id"] for call in till.get(f"/calls?{query}")["items"]} == found, query


def test_a_time_with_a_plus_that_became_a_space_is_understood(office: Office, till: Program) -> None:
    call_id = office.missed()
    at = (NOW - timedelta(hours=1)).astimezone().isoformat(timespec="seconds")
    assert [call["id"] for call in till.get(f"/calls?from={at}")["items"]] == [call_id]


def test_every_call_comes_once_over_the_pages(office: Office, till: Program) -> None:
    made = [office.missed(f"+49301112{n:02}", at=NOW - timedelta(minutes=n)) for n in range(23)]
    found, path = [], "/calls?limit=5"
    while path:
        page = till.get(path)
        found += [call["id"] for call in page["items"]]
        path = page["next"]
    assert found == made


def test_a_recording_is_played_in_ranges_and_written_down(office: Office, till: Program) -> None:
    call_id = office.missed()
    whole = office.recorded(call_id).read_bytes()
    part = till.ask("GET", f"/calls/{call_id}/recording", Range="bytes=10-19")
    assert (part.status, part.body) == (206, whole[10:20])
    assert till.ask("GET", f"/calls/{call_id}/recording").body == whole
    heard = office.db.execute("SELECT by_user FROM listening").fetchall()
    assert {row[0] for row in heard} == {"Till (API)"}
    problem(till.ask("GET", f"/calls/{office.missed()}/recording"), 404)


def test_a_note_a_mark_and_what_it_was_about_are_kept_and_logged(office: Office, till: Program) -> None:
    call_id = office.missed()
    till.ask("PUT", f"/calls/{call_id}/note", {"text": "wants two cakes"})
    till.ask("PUT", f"/calls/{call_id}/mark", {"mark": "complaint"})
    call = json.loads(till.ask("PUT", f"/calls/{call_id}/disposition", {"disposition": "Ordered"}).body)
    assert (call["note"], call["mark"], call["disposition"]) == ("wants two cakes", "complaint", "Ordered")
    by = {row[0] for row in office.db.execute("SELECT by_user FROM change WHERE row_id = ?", (str(call_id),))}
    assert "Till (API)" in by


def test_a_contact_is_made_changed_found_and_deleted(office: Office, till: Program) -> None:
    group = json.loads(till.ask("POST", "/groups", {"name": "Regulars"}).body)["id"]
    made = till.ask("POST", "/contacts", {"name": "Zoë Müller", "numbers": [{"number": "0151 23456789"}],
                                         "groups": [group], "tags": ["cake"]})
    assert made.status == 201
    card = json.loads(made.body)
    assert card["numbers"][0]["number"] == "+4915123456789" and card["groups"][0]["name"] == "Regulars"
    changed = till.ask("PATCH", f"/contacts/{card['id']}", {"company": "Müller & Co"}, If_Match=made.headers["ETag"])
    assert json.loads(changed.body)["company"] == "Müller & Co" and json.loads(changed.body)["tags"] == ["cake"]
    assert "meanwhile" in problem(till.ask("PATCH", f"/contacts/{card['id']}", {"company": "X"}, If_Match='"old"'), 412)
    assert till.get("/contacts?search=müll".replace("ü", "%C3%BC"))["items"][0]["id"] == card["id"]
    assert till.ask("GET", f"/contacts/{card['id']}", If_None_Match=changed.headers["ETag"]).status == 304
    assert "BEGIN:VCARD" in till.ask("GET", f"/contacts/{card['id']}.vcf").text
    taken = till.ask("POST", "/contacts", {"name": "Other", "numbers": [{"number": "+4915123456789"}]})
    assert "belongs to another" in problem(taken, 409)
    assert till.ask("DELETE", f"/contacts/{card['id']}").status == 204
    problem(till.ask("GET", f"/contacts/{card['id']}"), 404)


def test_a_text_is_queued_once_and_its_state_is_told(office: Office, till: Program) -> None:
    sent = till.ask("POST", "/texts", {"number": "0151 23456789", "text": "Your cake is ready."})
    text = json.loads(sent.body)
    assert sent.status == 202 and (text["state"], text["number"]) == ("queued", "+4915123456789")
    assert till.get(f"/texts/{text['id']}") == text
    assert [one["id"] for one in till.get("/texts?number=%2B4915123456789")["items"]] == [text["id"]]
    assert "mobile" in problem(till.ask("POST", "/texts", {"number": "+4930111222", "text": "Hello"}), 422)
    with store.write(office.db) as db:
        db.execute("INSERT INTO opt_out (number, at, source) VALUES ('+4915123456789', ?, 'person')", (store.iso(NOW),))
    assert "wants no texts" in problem(till.ask("POST", "/texts", {"number": "+4915123456789", "text": "More"}), 409)


def test_who_is_owed_a_call_is_told_and_settled(office: Office, till: Program) -> None:
    office.missed()
    office.missed()
    owed = till.get("/owed")["items"]
    assert [(one["number"], one["times"]) for one in owed] == [("+4915123456789", 2)]
    assert till.ask("POST", "/owed/settle", {"number": "+4915123456789"}).status == 204
    assert till.get("/owed")["items"] == []


def test_a_call_back_is_promised_and_kept(office: Office, till: Program) -> None:
    due = store.iso(datetime.now(UTC) + timedelta(hours=2))
    made = json.loads(till.ask("POST", "/callbacks", {"number": "+4930111222", "due_at": due, "about": "cake"}).body)
    assert [one["id"] for one in till.get("/callbacks")["items"]] == [made["id"]]
    assert till.ask("PATCH", f"/callbacks/{made['id']}", {"state": "done"}).status == 200
    problem(till.ask("PATCH", f"/callbacks/{made['id']}", {"state": "done"}), 409)
    assert "over" in problem(till.ask("POST", "/callbacks", {"number": "+4930111222",
                                                             "due_at": "2020-01-01T00:00:00Z"}), 422)


def test_the_telephone_is_ordered_and_says_why_not(office: Office, till: Program) -> None:
    made = till.ask("POST", "/phone/orders", {"kind": "dial", "extension": "101", "target": "+4930111222"})
    order = json.loads(made.body)
    assert made.status == 202 and order["state"] == "asked" and till.get(f"/phone/orders/{order['id']}") == order
    problem(till.ask("POST", "/phone/orders", {"kind": "dial", "extension": "999", "target": "+4930111222"}), 422)
    problem(till.ask("POST", "/phone/orders", {"kind": "hold", "extension": "101"}), 422)
    problem(till.ask("POST", "/phone/orders", {"kind": "hold", "extension": "101", "call_id": 7}), 422)


def test_figures_and_health_are_told(office: Office, till: Program) -> None:
    office.missed()
    figures = till.get("/statistics")
    assert (figures["calls"], figures["missed"]) == (1, 1)
    problem(till.ask("GET", "/statistics?from=2030-01-01T00:00:00Z"), 422)
    health = till.get("/health")
    assert health["version"] and health["looked_at"] is None


@pytest.mark.parametrize("token", ["", "x", "dbk_" + "A" * 43, "é" * 10, "x" * 8000])
def test_a_wrong_token_opens_nothing(office: Office, till: Program, token: str) -> None:
    till.token = token
    assert "token is wanted" in problem(till.ask("GET", "/calls"), 401)


def test_a_token_that_expired_or_was_taken_back_opens_nothing(office: Office, till: Program) -> None:
    past = Program(office, name="Old", now=NOW - timedelta(days=9), expires_at=NOW - timedelta(seconds=1))
    problem(past.ask("GET", "/calls"), 401)
    found = tokens.one(office.db, till.id)
    assert found is not None and till.get("/calls")
    with store.write(office.db) as db:
        tokens.revoke(db, found, "Amy", NOW)
    problem(till.ask("GET", "/calls"), 401)
    with store.write(office.db) as db:
        tokens.put_back(db, found, "Amy", NOW)
    assert till.get("/calls")


def test_every_operation_is_refused_to_a_token_of_less(office: Office) -> None:
    books, reader, staff = (Program(office, role) for role in (tokens.PHONEBOOK, "reader", "staff"))
    assert all(it.role in tokens.ROLES for it in api.OPERATIONS)
    for it in api.OPERATIONS:
        path = it.path.replace("{contact_id}", "00000000-0000-7000-8000-000000000001")
        for name in ("call_id", "text_id", "callback_id", "order_id"):
            path = path.replace("{" + name + "}", "1")
        assert books.ask(it.method, path).status == 401, it.name
        assert (reader.ask(it.method, path).status == 403) is (it.role != "reader"), it.name
        assert (staff.ask(it.method, path).status == 403) is (it.role == "owner"), it.name
        assert it.method == "GET" or it.role != "reader", f"{it.name} changes something"


def test_a_session_opens_no_operation_and_a_token_opens_no_page(office: Office, till: Program) -> None:
    amy = office.browser()
    for it in api.OPERATIONS:
        path = "/api/v1" + it.path.replace("{contact_id}", "00000000-0000-7000-8000-000000000001")
        for name in ("call_id", "text_id", "callback_id", "order_id"):
            path = path.replace("{" + name + "}", "1")
        found = amy.get(path) if it.method == "GET" else amy.ask(it.method, path, b"{}", {
            "Content-Type": "application/json", "Origin": f"http://127.0.0.1:{amy.port}",
            "Sec-Fetch-Site": "same-origin", "X-Deskbell-Token": amy.token()})
        problem(found, 401)
    for path in ("/", "/history", "/users", "/events", "/settings", "/session", "/backups"):
        page = Browser(till.port).ask("GET", path, headers={"Authorization": f"Bearer {till.token}"})
        assert page.status == 403, path


@pytest.mark.parametrize(("body", "status", "said"), [
    (b"{", 400, "JSON"), (b"[" * 60_000, 400, "deep"), (b'{"name": NaN}', 400, "JSON"), (b"\xff", 400, "JSON"),
    (b'{"name":"a","name":"b"}', 400, "JSON"), (b"[]", 422, "object"), (b"{}", 422, "name"),
    (b'{"name": 7}', 422, "text"), (b'{"name": "a", "numbers": "x"}', 422, "list"),
    (b'{"name": "a", "nam": 1}', 422, "Did you mean 'name'"), (b'{"name": "\\ud800"}', 422, "whole"),
    (b'{"name": "a", "is_vip": 1}', 422, "true or false"), (b'{"name": ""}', 422, "1 to 120"),
    (b'{"name": "a", "numbers": [{"number": "12"}]}', 422, "telephone number"),
    (b'{"name": "a", "groups": [' + b"9" * 5000 + b"]}", 400, "JSON")])
def test_a_body_that_does_not_fit_is_refused_in_words(office: Office, till: Program, body: bytes, status: int,
                                                     said: str) -> None:
    before = office.db.execute("SELECT count(*) FROM contact").fetchone()[0]
    assert said in problem(till.ask("POST", "/contacts", body), status)
    assert office.db.execute("SELECT count(*) FROM contact").fetchone()[0] == before


@pytest.mark.parametrize(("path", "status", "said"), [
    ("/calls?froom=1", 422, "Did you mean 'from'"), ("/calls?limit=0", 422, "1 to 200"),
    ("/calls?limit=x", 422, "whole number"), ("/calls?from=yesterday", 422, "zone"),
    ("/calls?from=2026-02-30T00:00:00Z", 422, "zone"), ("/calls?from=2026-02-01T00:00:00", 422, "zone"),
    ("/calls?from=0001-01-01T00:00:00%2B14:00", 422, "zone"), ("/calls?limit=1&limit=2", 422, "twice"),
    ("/calls?after=x", 422, "next"), ("/calls?search=%FF", 400, "no text"), ("/calls?number=1&search=2", 422, "both"),
    ("/calls/99999999999999999999", 404, ""), ("/calls/999999999999999999", 404, ""), ("/calls/x", 404, ""),
    ("/nothing", 404, ""), ("/contacts/00000000-0000-7000-8000-000000000009", 404, "")])
def test_an_address_that_does_not_fit_is_refused_in_words(till: Program, path: str, status: int, said: str) -> None:
    assert said in problem(till.ask("GET", path), status)


def test_another_method_another_type_and_a_body_where_none_belongs_are_refused(till: Program) -> None:
    problem(till.ask("DELETE", "/calls"), 405)
    problem(till.ask("POST", "/contacts", b"name=a", Content_Type="application/x-www-form-urlencoded"), 415)
    problem(till.ask("GET", "/calls", {"a": 1}), 400)


def raw(port: int, head: str, body: bytes = b"", wait_s: float = 10.0) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as line:
        line.sendall(head.encode() + body)
        found = b""
        while got := line.recv(65536):
            found += got
    return found


@pytest.mark.parametrize("size", [70_000, 900_000, 100_000_000, 10**15])
def test_a_hundred_megabytes_are_refused_before_they_are_read(office: Office, till: Program, size: int) -> None:
    head = (f"POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {till.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n")
    began = time.monotonic()
    found = raw(till.port, head, b'{"name": "')
    assert b" 413 " in found.split(b"\r\n")[0] and b"application/problem+json" in found and b"64 kB" in found
    assert time.monotonic() - began < 3


def test_a_body_without_a_length_is_refused(office: Office, till: Program) -> None:
    found = raw(till.port, "POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\n"
                           f"Authorization: Bearer {till.token}\r\n"
                           "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert b" 411 " in found.split(b"\r\n")[0]


def test_a_stranger_is_refused_before_the_body_comes(office: Office) -> None:
    began = time.monotonic()
    found = raw(office.server.port, "POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\n"
                                    "Authorization: Bearer x\r\nContent-Length: 60000\r\n\r\n")
    assert b" 401 " in found.split(b"\r\n")[0] and time.monotonic() - began < 3


def test_a_client_that_dribbles_its_body_delays_nobody(office: Office, till: Program) -> None:
    """Thirty requests that never end: four are at work, the others are told so, and the pages go on."""
    amy, lines = office.browser(), []
    head = (f"POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {till.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{").encode()
    try:
        for _ in range(30):
            line = socket.create_connection(("127.0.0.1", till.port), timeout=10)
            line.sendall(head)
            lines.append(line)
        eventually(lambda: sum(gate.PACE._busy.values()) == gate.MOST_TOGETHER)
        began = time.monotonic()
        other = Program(office, name="Other")
        assert other.get("/calls") and amy.get("/").status == 200
        assert time.monotonic() - began < 3
        assert "at work" in problem(till.ask("GET", "/calls"), 429)
    finally:
        for line in lines:
            line.close()


def test_a_token_that_asks_too_fast_waits_and_others_do_not(office: Office, till: Program) -> None:
    statuses = [till.ask("GET", "/health").status for _ in range(gate.AT_ONCE + 40)]
    assert statuses[:gate.AT_ONCE] == [200] * gate.AT_ONCE and 429 in statuses
    refused = next(found for _ in range(200) if (found := till.ask("GET", "/health")).status == 429)
    assert "Retry-After" in problem(refused, 429) and int(refused.headers["Retry-After"]) >= 1
    assert Program(office, name="Other").get("/health")


def test_the_document_is_of_the_table_and_wants_a_token(office: Office, till: Program) -> None:
    document = till.get("/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert sum(len(methods) for methods in document["paths"].values()) == len(api.OPERATIONS)
    problem(Browser(till.port).get("/api/v1/openapi.json"), 401)


def test_a_token_is_kept_as_its_hash_and_its_making_is_logged(office: Office, till: Program) -> None:
    kept = "".join(str(tuple(row)) for table in ("api_token", "change") for row in
                   office.db.execute(f"SELECT * FROM {table}"))
    assert till.token not in kept and tokens.hash_of(till.token) in kept and "access Till" in kept
