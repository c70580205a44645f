"""The one gate: who may ask for what, and what every answer carries."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import ConfigError
from appliance.store import db as store
from tests.desk import Browser, Office, box_at
from tests.pages.walk import routes
from web import auth, server


def test_no_route_but_the_public_ones_opens_without_a_session(office: Office, tmp_path: Path) -> None:
    amy, stranger = office.browser(), office.browser(logged_in=False)
    office.recorded(office.missed())
    walked = [one for one in routes(tmp_path) if not one.is_public]
    assert len(walked) > 60
    for one in walked:
        method, path = one.method, one.path
        page = stranger.ask(method, path, headers={"Accept": "text/html"})
        assert page.status in (303, 401, 403), (method, path)
        assert page.headers.get("Location") in (None, "/login")
        assert b"Margaret" not in page.body and b"RIFF" not in page.body
        assert stranger.ask(method, path).status in (401, 403)
    assert amy.get("/").status == 200


def test_the_public_list_is_short() -> None:
    assert {"/login", "/login/code", "/setup", "/welcome", "/certificate", "/ca.crt", "/ping"} == auth.PUBLIC


def test_no_post_works_without_its_token(office: Office, amy: Browser, tmp_path: Path) -> None:
    posts = [one.path for one in routes(tmp_path) if one.method not in ("GET", "HEAD") and not one.is_upload]
    assert len(posts) >= 40
    stranger, token = office.browser(logged_in=False), amy.token()
    for path in posts:
        assert amy.post(path, {"story": "miss"}, token="").status == 403, path
        assert amy.post(path, {"story": "miss"}, token="guessed").status == 403, path
        assert stranger.post(path, token="").status == 403, path
        for evil in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "null"}):
            assert amy.post(path, {"story": "miss"}, token=token, **evil).status == 403, path
    assert amy.get("/").status == 200  # nobody was logged out


def test_no_file_is_taken_without_its_token(office: Office, amy: Browser, tmp_path: Path) -> None:
    token = amy.token()

    def body(token: str) -> bytes:
        return (f'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token}\r\n--x\r\nContent-Disposition: '
                'form-data; name="file"; filename="a.csv"\r\n\r\nName,Number\r\n--x--\r\n').encode()

    for one in [one for one in routes(tmp_path) if one.is_upload]:
        for given, evil in (("", {}), ("guessed", {}), (token, {"Origin": "https://evil.example"}),
                            (token, {"Sec-Fetch-Site": "cross-site"})):
            own = {"Accept": "text/html", "Origin": f"http://127.0.0.1:{amy.port}", "Sec-Fetch-Site": "same-origin",
                   "Content-Type": "multipart/form-data; boundary=x", **evil}
            assert amy.ask("POST", one.path, body(given), own).status == 403, one.path
    assert not [file for file in office.box.state.rglob("*") if file.is_file() and b"Name,Number" in file.read_bytes()]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_a_token(amy: Browser, headers: dict[str, str]) -> None:
    assert amy.post("/logout", **headers).status == 403
    assert amy.get("/").status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("deskbell.local", 303),
        ("DESKBELL.local:8080", 303),
        ("localhost", 303),
        ("192.168.1.20:8080", 303),
        ("[::1]:8080", 303),
        ("2130706433", 421),
    ],
)
def test_a_name_that_is_not_ours_is_refused(office: Office, host: str, status: int) -> None:
    assert office.browser(logged_in=False).get("/", Host=host).status == (303 if status == 303 else 421)


def test_every_answer_forbids_foreign_code_frames_and_keeping(office: Office, amy: Browser) -> None:
    for page in (
        amy.get("/"),
        amy.get("/call/999"),
        amy.get("/no/such/page"),
        office.browser(False).get("/login"),
        amy.post("/logout", token=""),
    ):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src=\"/static/)|\son\w+=|https?://", page.text)


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(office: Office) -> None:
    line = office.browser(False).set_up(office.box).headers["Set-Cookie"].lower()
    assert "httponly" in line and "samesite=strict" in line


@pytest.mark.parametrize(
    "path",
    [
        "/call/999",
        "/call/-1",
        "/call/99999999999999999999",
        "/call/x",
        "/recording/999",
        "/history?before=yesterday",
        "/history?show=everything",
        "/static/none",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/favicon.ico",
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(amy: Browser, path: str) -> None:
    page = amy.get(path)
    assert page.status == 404 and "There is no such page" in page.text


def test_a_wrong_method_is_said_in_a_sentence(amy: Browser) -> None:
    assert "That cannot be done here" in amy.post("/call/1").text


def test_pages_leave_the_box_only_encrypted(tmp_path: Path) -> None:
    box = box_at(tmp_path)
    with pytest.raises(ConfigError, match="only encrypted"):
        server.check(replace(box, web=replace(box.web, listen="0.0.0.0")))
    server.check(replace(box, web=replace(box.web, listen="0.0.0.0", tls=True)))
    server.check(replace(box, web=replace(box.web, listen="::1")))


def test_a_store_that_is_held_too_long_is_a_sentence_and_nothing_was_changed(office: Office, amy: Browser) -> None:
    amy.get("/templates")
    with store.write(office.db):                    # as the swap of a restore does
        page = amy.post("/templates", {"name": "Hours", "text": "We are open until six."}, Accept="text/html")
        assert amy.get("/").status == 200, "who only reads waits for nobody"
    assert (page.status, "The box is too busy for this page" in page.text) == (503, True)
    assert "We are open until six" not in amy.get("/templates").text
