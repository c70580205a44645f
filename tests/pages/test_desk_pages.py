"""The page Desks, the program's pairing, and what its token opens: the stream, its own mute, and nothing else."""
from __future__ import annotations

import hashlib
import http.client
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.people import seats
from appliance.store import db as store
from tests.bench.bench_desks import Tokened, coming_and_going
from tests.desk import Browser, Office, eventually
from tests.pages.people import somebody, user_id
from tests.pages.walk import routes


def asked(office: Office, method: str, path: str, token: str = "", scheme: str = "Bearer", form: str | None = None,
          **more: str) -> tuple[int, str]:
    """The answer to a program."""
    line = http.client.HTTPConnection("127.0.0.1", office.server.port, timeout=10)
    headers = {"Authorization": f"{scheme} {token}", **{name.replace("_", "-"): given for name, given in more.items()}}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    line.request(method, path, form, headers)
    answer = line.getresponse()
    said = answer.read().decode()
    line.close()
    return answer.status, said


def shown_code(browser: Browser) -> str:
    found = re.search(r'class="big">(\d{3}) (\d{3})<', browser.post("/desks/code").text)
    assert found
    return found[1] + found[2]


def paired(office: Office, browser: Browser, name: str = "Counter") -> str:
    status, said = asked(office, "POST", "/desk/pair", shown_code(browser), "Pairing", f"name={name}")
    assert status == 200, said
    return str(json.loads(said)["token"])


def test_a_desk_is_paired_by_the_code_of_the_page_and_hears_of_calls(office: Office, amy: Browser) -> None:
    token = paired(office, amy)
    assert ">Counter</bdi>" in amy.get("/desks").text and token not in amy.get("/desks").text
    stream = Tokened(office.server.port, token)
    assert stream.status == 200 and stream.next("now")["is_muted"] is False
    call = office.call(contact="Margaret Osei")
    told = stream.next("ringing")
    assert (told["call_id"], told["name"]) == (call, "Margaret Osei") and "is_muted" not in told
    status, said = asked(office, "GET", "/desk/me", token)
    assert status == 200 and json.loads(said)["user"] == "Amy" and json.loads(said)["lines"] == ["Line 1"]


def test_a_wrong_code_is_refused_in_words_and_the_address_waits_after_five(office: Office, amy: Browser) -> None:
    code = shown_code(amy)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    answers = [asked(office, "POST", "/desk/pair", wrong, "Pairing", "name=x") for _ in range(7)]
    assert [status for status, _ in answers] == [403] * 5 + [429] * 2
    assert "ten minutes" in answers[0][1] and "Wait" in answers[6][1]
    assert asked(office, "POST", "/desk/pair", code, "Pairing", "name=x")[0] == 429
    assert office.db.execute("SELECT count(*) FROM desk").fetchone()[0] == 0


@pytest.mark.parametrize("more", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"},
                                  {"Sec_Fetch_Site": "same-origin"}])
def test_a_page_in_a_browser_can_pair_nothing(office: Office, amy: Browser, more: dict[str, str]) -> None:
    assert asked(office, "POST", "/desk/pair", shown_code(amy), "Pairing", "name=x", **more)[0] == 404
    assert amy.post("/desk/pair", {"code": shown_code(amy)}).status == 404
    assert office.browser(logged_in=False).post("/desk/pair").status in (303, 401, 403)
    assert office.db.execute("SELECT count(*) FROM desk").fetchone()[0] == 0


def test_a_token_opens_its_own_settings_and_no_page(office: Office, amy: Browser, tmp_path: Path) -> None:
    office.missed(contact="Margaret Osei")
    token, opened = paired(office, amy), set()
    for one in routes(tmp_path):
        if one.path in ("/events", "/desk/mute") or one.path.startswith("/demo/"):     # only a demo has those
            continue
        status, said = asked(office, one.method, one.path, token)
        if status != 403:
            opened.add(one.path)
        assert "Margaret" not in said, one.path
    assert opened == {"/desk/me"}


def test_a_token_beside_a_cookie_does_not_widen_it(office: Office, amy: Browser) -> None:
    token = paired(office, amy)
    assert asked(office, "GET", "/history", token, Cookie=amy.cookie())[0] == 403
    assert asked(office, "GET", "/history", "wrong", Cookie=amy.cookie())[0] == 401
    assert amy.get("/history", Authorization="Basic QW15OnNlY3JldA==").status == 200     # a proxy's own


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é", "a b c", "' OR 1=1 --"])
def test_a_token_that_is_none_opens_nothing(office: Office, amy: Browser, token: str) -> None:
    paired(office, amy)
    assert asked(office, "GET", "/events", token.encode().decode("latin-1"))[0] == 401
    assert asked(office, "GET", "/desk/me", token.encode().decode("latin-1"))[0] == 401


def test_a_revoked_token_ends_the_stream_at_once_and_undo_lets_it_come_again(office: Office, amy: Browser) -> None:
    token = paired(office, amy)
    stream = Tokened(office.server.port, token)
    stream.next("now")
    done = amy.post("/desks/1/revoke").headers["Location"]
    assert stream.has_ended()
    assert Tokened(office.server.port, token).status == 401
    assert ">Counter</bdi>" not in amy.get("/desks").text
    amy.post("/undo", {"done": done.split("done=")[1].split("#")[0]})
    assert Tokened(office.server.port, token).status == 200


@pytest.mark.parametrize("change", ["is_on = 0", "role = 'installer'"])
def test_the_stream_ends_when_its_user_may_hear_no_more(office: Office, amy: Browser, change: str) -> None:
    ben = somebody(office, "Ben", "staff")
    stream = Tokened(office.server.port, paired(office, ben))
    stream.next("now")
    with store.write(office.db) as db:
        db.execute(f"UPDATE user SET {change} WHERE name = 'Ben'")
    assert stream.has_ended()


def test_an_event_that_is_committed_with_the_revocation_is_not_told(office: Office, amy: Browser) -> None:
    stream = Tokened(office.server.port, paired(office, amy))
    stream.next("now")
    call = office.call()
    stream.next("ringing")
    with store.write(office.db) as db:
        db.execute("UPDATE desk SET revoked_at = ?", (store.iso(datetime.now(UTC)),))
        office.event("note", call)
    with pytest.raises(ConnectionError):
        stream.next()


def test_a_muted_desk_is_told_so_and_others_are_not(office: Office, amy: Browser) -> None:
    token = paired(office, amy)
    desk, page = Tokened(office.server.port, token), amy.listen()
    desk.next("now")
    page.next("now")
    status, said = asked(office, "POST", "/desk/mute", token, form="is_muted=1")
    assert status == 200 and json.loads(said)["is_muted"] is True
    assert desk.next("now")["is_muted"] is True           # it hears of its own mute, whoever set it
    office.call()
    assert desk.next("ringing")["is_muted"] is True and "is_muted" not in page.next("ringing")
    amy.post("/desks/1/mute")
    assert desk.next("now")["is_muted"] is False


def test_a_desk_sees_its_lines_and_a_change_is_heard_at_once(office: Office, amy: Browser) -> None:
    desk, page = Tokened(office.server.port, paired(office, amy)), amy.listen()
    desk.next("now")
    page.next("now")
    office.call()
    desk.next("ringing")
    amy.post("/desks/1", {"name": "Counter"})             # no line ticked
    assert desk.next("now")["calls"] == []
    office.call("+493012345678")
    page.next("ringing")
    page.next("ringing")
    with store.write(office.db) as db:
        db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (store.iso(datetime.now(UTC)),))
    assert desk.next()["kind"] == "text"                  # the call before it was of a line it does not see
    amy.post("/desks/1", {"name": "Counter", "line": "line1"})
    assert len(desk.next("now")["calls"]) == 2
    assert office.db.execute("SELECT lines FROM desk").fetchone()[0] is None      # all of them, also later ones


def test_after_a_break_a_program_gets_what_it_missed_of_its_lines(office: Office, amy: Browser) -> None:
    token = paired(office, amy)
    stream = Tokened(office.server.port, token)
    stream.next("now")
    last = stream.last_id
    stream.close()
    call = office.missed()
    again = Tokened(office.server.port, token, after=last)
    assert [(told["kind"], told.get("call_id")) for told in (again.next(), again.next())] == [
        ("ringing", call), ("ended", call)]
    again.close()
    with store.write(office.db) as db:
        seats.put(db, user_id(office, "Amy"), seats.Seat(None, frozenset()))
    assert Tokened(office.server.port, token, after=last).next()["kind"] == "now"


def test_staff_see_and_change_their_own_desks_and_the_owner_all(office: Office, amy: Browser) -> None:
    ben = somebody(office, "Ben", "staff")
    paired(office, amy, "Amys+PC")
    paired(office, ben, "Bens+PC")
    assert "Amys PC" not in ben.get("/desks").text and "Bens PC" in ben.get("/desks").text
    assert "Amys PC" in amy.get("/desks").text and "Bens PC" in amy.get("/desks").text
    for path in ("/desks/1", "/desks/1/mute", "/desks/1/revoke"):
        assert ben.post(path, {"name": "x"}).status == 404
    assert amy.post("/desks/2", {"name": "Workshop", "line": "line1"}).status == 303
    assert "Workshop" in ben.get("/desks").text
    assert amy.post("/desks/2", {"name": ""}).status == 400 and amy.post("/desks/99/revoke").status == 404
    changed = "".join(row[0] for row in office.db.execute("SELECT what FROM change"))
    assert "desk Amys PC" in changed and "desk Bens PC" in changed


def test_the_program_is_given_out_whole_with_its_sum(office: Office, amy: Browser) -> None:
    for name in ("deskbell_desk.py", "deskbell_desk.pyw"):
        got = amy.get(f"/desks/{name}")
        assert got.status == 200 and name in got.headers["Content-Disposition"]
        assert hashlib.sha256(got.body).hexdigest() in amy.get("/desks").text
    assert office.browser(logged_in=False).get("/desks/deskbell_desk.py").status == 303


def test_a_desk_with_a_hundred_wrong_tokens_delays_nobody(office: Office, amy: Browser) -> None:
    stream = Tokened(office.server.port, paired(office, amy))
    stream.next("now")
    for n in range(100):
        assert asked(office, "GET", "/events", f"guess-{n}")[0] == 401
    office.call()
    assert stream.next("ringing")
    assert eventually(lambda: office.server.hub.desks == 1)


def test_desks_that_come_and_go_hear_every_event_once(office: Office, amy: Browser) -> None:
    tokens = [paired(office, amy, f"Desk+{n}") for n in range(4)]
    coming_and_going(office.db, office.server.port, tokens, 1000)
