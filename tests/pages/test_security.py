"""What a role must not reach, what a stranger must not steal: every route, every role, every answer."""
from __future__ import annotations

import random
import sqlite3
import string
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from appliance.store import db as store
from tests.desk import Office, box_at
from tests.pages.people import somebody, token_of
from tests.pages.walk import routes
from web import auth, roles

OWN = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
NOT_YOURS = "This page is not for you"


def content(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    """All rows of the store but the sessions: what a refused request must leave alone."""
    tables = [row[0] for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%search%' AND name <> 'session'")]
    return [tuple(row) for table in tables for row in db.execute(f'SELECT * FROM "{table}"')]


@pytest.mark.parametrize("role", ["staff", "installer"])
def test_no_role_gets_what_is_not_its_own_by_any_method(office: Office, tmp_path: Path, role: str) -> None:
    office.browser()
    office.texted(office.missed(contact="Margaret Osei"))
    eve = somebody(office, "Eve", role)
    token, before = token_of(eve), content(office.db)
    refused = [one for one in routes(tmp_path) if role not in one.who
               and not one.path.startswith("/demo/")]          # only a demo has it
    assert len(refused) > 20
    for one in refused:
        own = OWN | {"Origin": f"http://127.0.0.1:{eve.port}", "X-Deskbell-Token": token}
        for method in {one.method, "HEAD"} if one.method == "GET" else {one.method}:
            page = eve.ask(method, one.path, b"" if method == "POST" else None, own)
            if (method, one.path) == ("GET", "/"):
                assert page.headers["Location"] == roles.HOME[role]
                continue
            assert page.status in ((303, 403) if one.path == "/" else (403,)), (method, one.path)
            assert method == "HEAD" or NOT_YOURS in page.text, (method, one.path)
            assert b"Margaret" not in page.body
    assert content(office.db) == before


@pytest.mark.parametrize("role", ["owner", "staff", "installer"])
def test_each_role_opens_what_is_its_own(office: Office, tmp_path: Path, role: str) -> None:
    office.missed(contact="Margaret Osei")
    who = somebody(office, "Ben", role)
    for one in [one for one in routes(tmp_path) if role in one.who and one.method == "GET"]:
        if one.path in ("/events", "/login", "/login/code", "/setup"):
            continue
        page = who.get(one.path)
        assert page.status in (200, 204, 303, 404), (one.path, page.status)
        assert NOT_YOURS not in page.body.decode(errors="replace"), one.path


def test_the_marks_of_the_routes_are_words_that_are_known(tmp_path: Path) -> None:
    for mark in ("owners", "Owner", "", "public"):
        assert not any(roles.may(role, mark or None) for role in roles.NAMES), mark
    assert roles.may("owner", "owner") and not roles.may("nobody", "any")
    for one in routes(tmp_path):
        assert one.who                             # fails for a route that the table does not know


def test_an_installer_hears_no_call(office: Office) -> None:
    assert somebody(office, "Ivo", "installer").listen().status == 403


def test_a_role_that_was_taken_away_ends_the_sessions_and_the_stream(office: Office) -> None:
    amy, ben = office.browser(), somebody(office, "Ben", "staff")
    stream = ben.listen()
    stream.next("now")
    ben_id = office.db.execute("SELECT id FROM user WHERE name = 'Ben'").fetchone()[0]
    amy.post(f"/users/{ben_id}", {"name": "Ben", "role": "installer"})
    assert ben.get("/history").status == 303
    stream.close()


@pytest.mark.parametrize("seed", range(5))
def test_no_path_leads_out_of_the_folders(office: Office, seed: int) -> None:
    """A hundred made-up addresses a seed; each way up is tried at files, recordings and exports."""
    amy, rng = office.browser(), random.Random(seed)
    secret = office.box.state / "secret.txt"
    secret.write_text("not for you")
    ups = ["..", "%2e%2e", "..%2f", "%2e%2e%2f", "..%5c", "%252e%252e", "....//", "..;", "%c0%ae%c0%ae", "%00", "."]
    bases = ["/static/", "/recording/", "/recording/1/", "/campaign/1/export/", "/changes.", "/ca.crt/", "/call/", "/"]
    ends = ["secret.txt", "office.db", "tls/box.pem", "sticker.txt", "etc/passwd", "proc/self/environ", "app.py"]
    for _ in range(100):
        middle = "/".join(rng.choice(ups) for _ in range(rng.randrange(1, 7)))
        noise = quote("".join(rng.choice(string.punctuation) for _ in range(rng.randrange(3))))
        path = rng.choice(bases) + middle + "/" + noise + rng.choice(ends)
        page = amy.ask("GET", path, headers={"Accept": "text/html"})
        assert page.status in (303, 400, 404), path
        for stolen in (b"not for you", b"SQLite format", b"PRIVATE KEY", b"root:", b"PATH=", b"import bottle"):
            assert stolen not in page.body, path


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", "../office.db"])
def test_a_recording_that_is_a_link_or_has_a_way_up_in_its_name_is_not_played(office: Office, target: str) -> None:
    amy = office.browser()
    (office.box.state / "secret.txt").write_text("not for you")
    linked, named = office.missed(), office.missed()
    file = office.recorded(linked)
    file.unlink()
    file.symlink_to(target)
    office.recorded(named)
    with store.write(office.db) as db:
        db.execute("UPDATE recording SET file = ? WHERE call_id = ?", (target, named))
    for call_id in (linked, named):
        for address in (f"/recording/{call_id}", f"/recording/{call_id}?download"):
            page = amy.get(address)
            assert page.status in (404, 410), address
            assert b"not for you" not in page.body and b"root:" not in page.body and b"SQLite" not in page.body


def test_every_answer_of_every_route_has_the_headers(office: Office, tmp_path: Path) -> None:
    office.missed()
    amy, stranger = office.browser(), office.browser(logged_in=False)
    for one in routes(tmp_path):
        if one.path in ("/events", "/logout"):
            continue
        for who in (amy, stranger):
            page = who.ask(one.method, one.path, headers={"Accept": "text/html"})
            policy = page.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy and "unsafe" not in policy and "data:" not in policy, one.path
            assert page.headers["X-Content-Type-Options"] == "nosniff", one.path
            assert page.headers["X-Frame-Options"] == "DENY", one.path
            assert one.path.startswith("/static/") or page.headers["Cache-Control"] == "no-store", one.path


@pytest.mark.parametrize("cell", ["=1+2", "+1-2", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_no_export_of_changes_holds_a_formula(office: Office, cell: str) -> None:
    amy = office.browser()
    amy.post("/users", {"name": cell.strip() + " Ben", "role": "staff"})
    content = amy.get("/changes.csv").body.decode("utf-8-sig")
    for line in content.split("\r\n"):
        for given in line.replace(";", ",").split(","):
            assert not given.strip('"').startswith(("=", "@", "-2", "+1", "\t", "\r")), line


def tls_office(folder: Path) -> Office:
    box = box_at(folder)
    return Office(replace(box, web=replace(box.web, tls=True)))


@pytest.mark.parametrize(("version", "is_let_in"), [("-tls1_1", False), ("-tls1", False), ("-tls1_2", True),
                                                    ("-tls1_3", True)])
def test_only_tls_1_2_and_newer_is_spoken(tmp_path: Path, version: str, is_let_in: bool) -> None:
    office = tls_office(tmp_path)
    try:
        said = subprocess.run(["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect",
                               f"127.0.0.1:{office.server.port}"], input=b"", capture_output=True, timeout=20)
    finally:
        office.close()
    assert (said.returncode == 0) is is_let_in
    assert is_let_in or b"alert protocol version" in said.stderr


def test_a_desk_that_is_idle_logs_in_again_and_staff_stay_the_day(office: Office) -> None:
    amy, ben = office.browser(), somebody(office, "Ben", "staff")
    now = datetime.now(UTC)
    for browser, minutes, is_in in ((amy, 29, True), (amy, 31, False), (ben, 60, True), (ben, 13 * 60, False)):
        found = auth.session(office.db, browser.cookies[auth.COOKIE], now)
        assert found is not None
        with store.write(office.db) as db:
            db.execute("UPDATE session SET seen_at = ? WHERE token_hash = ?",
                       (store.iso(now - timedelta(minutes=minutes)), found.key))
        assert (auth.session(office.db, browser.cookies[auth.COOKIE], now) is not None) is is_in, (minutes, is_in)
        with store.write(office.db) as db:
            db.execute("UPDATE session SET seen_at = ?", (store.iso(now),))
