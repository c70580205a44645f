"""The first run, log in, log out and what the store keeps of it."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import settings
from appliance.people import users
from appliance.store import db as store
from appliance.texts import rulebook
from tests.desk import PASSWORD, Browser, Office, box_at, eventually
from web import auth
from web.language import Languages


def test_before_the_first_run_every_page_leads_to_it(office: Office) -> None:
    stranger = office.browser(logged_in=False)
    assert stranger.get("/").headers["Location"] == "/setup"
    assert stranger.get("/login").headers["Location"] == "/setup"
    assert "Code of this box" in stranger.get("/setup").text


def test_the_code_of_the_sticker_lets_the_first_user_in_once(office: Office) -> None:
    code = (
        users.sticker(office.box).read_text().strip()
        if users.sticker(office.box).exists()
        else users.first_run_code(office.box)
    )
    amy = office.browser(logged_in=False)
    assert amy.set_up(office.box, code=code.lower().replace("-", " ")).status == 303
    assert amy.get("/").status == 200
    late = office.browser(logged_in=False)
    assert late.set_up(office.box, name="Eve").headers["Location"] == "/login"
    assert late.get("/").status == 303


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"code": "AAAA-BBBB-CCCC"}, "not the code of this box"),
        ({"code": ""}, "not the code of this box"),
        ({"password": "short", "again": "short"}, "at least 12 characters"),
        ({"again": "something else"}, "two passwords differ"),
        ({"name": "   "}, "A name has"),
    ],
)
def test_a_first_run_that_does_not_fit_is_said_in_a_sentence(office: Office, given: dict[str, str], said: str) -> None:
    page = office.browser(logged_in=False).set_up(office.box, **given)
    assert page.status in (400, 403) and said in page.text
    assert users.is_first_run(office.db)


def test_the_code_cannot_be_guessed_on(office: Office) -> None:
    eve = office.browser(logged_in=False)
    for _ in range(auth.FREE_TRIES):
        assert eve.set_up(office.box, code="AAAA-BBBB-CCCC").status == 403
    page = eve.set_up(office.box)
    assert page.status == 429 and "Wait" in page.text and int(page.headers["Retry-After"]) > 0
    assert users.is_first_run(office.db)


def test_a_wrong_password_is_locked_out_after_a_few_tries(office: Office, amy: Browser) -> None:
    eve = office.browser(logged_in=False)
    for _ in range(auth.FREE_TRIES):
        assert eve.log_in(password="wrong wrong wrong").status == 403
    assert eve.log_in().status == 429  # even the right one waits
    assert amy.get("/").status == 200  # who is in stays in


def test_a_lockout_ends_and_grows() -> None:
    lockout, now_s = auth.Lockout(), 1000.0
    for _ in range(auth.FREE_TRIES):
        assert lockout.wait_s("Amy", "10.0.0.5", now_s) == 0
        lockout.wrong("Amy", "10.0.0.5", now_s)
    assert lockout.wait_s("Amy", "10.0.0.5", now_s) in (30, 31)
    assert lockout.wait_s("Amy", "10.0.0.6", now_s) == 0, "another desk is not punished"
    assert lockout.wait_s("Amy", "10.0.0.5", now_s + 31) == 0
    lockout.wrong("Amy", "10.0.0.5", now_s + 31)
    assert lockout.wait_s("Amy", "10.0.0.5", now_s + 31) > 50


def test_many_names_from_one_address_are_locked_out_too() -> None:
    lockout = auth.Lockout()
    for n in range(auth.FREE_TRIES_ADDRESS):
        lockout.wrong(f"user{n}", "10.0.0.5", 0.0)
    assert lockout.wait_s("Amy", "10.0.0.5", 0.0) > 0


def test_an_unknown_name_and_a_wrong_password_read_the_same(office: Office, amy: Browser) -> None:
    one, other = office.browser(False).log_in("Nobody"), office.browser(False).log_in(password="wrong wrong wrong")
    assert one.status == other.status == 403
    assert "do not belong together" in one.text and "do not belong together" in other.text


def test_log_out_ends_the_session_for_good(office: Office, amy: Browser) -> None:
    cookie = dict(amy.cookies)
    assert amy.post("/logout").headers["Location"] == "/login"
    thief = office.browser(logged_in=False)
    thief.cookies = cookie
    assert thief.get("/").status == 303
    assert office.db.execute("SELECT count(*) FROM session").fetchone()[0] == 0


def test_each_log_in_has_a_new_session(office: Office, amy: Browser) -> None:
    before = amy.cookies[auth.COOKIE]
    other = office.browser()
    assert other.cookies[auth.COOKIE] != before


def test_a_session_cookie_from_before_is_not_adopted(office: Office, amy: Browser) -> None:
    victim = office.browser(logged_in=False)
    victim.cookies[auth.COOKIE] = "chosen-by-the-attacker"
    victim.log_in()
    assert victim.cookies[auth.COOKIE] != "chosen-by-the-attacker" and victim.get("/").status == 200


def test_the_store_holds_neither_password_nor_cookie(office: Office, amy: Browser) -> None:
    office.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = office.box.store.read_bytes()
    assert PASSWORD.encode() not in content and amy.cookies[auth.COOKIE].encode() not in content
    assert b"$argon2id$" in content


def test_an_idle_session_ends_and_a_used_one_lives(office: Office, amy: Browser) -> None:
    key = auth.key_of(amy.cookies[auth.COOKIE])
    set_seen(office.db, key, timedelta(minutes=29))
    assert amy.get("/").status == 200
    assert office.db.execute("SELECT seen_at FROM session").fetchone()[0] > store.iso(
        datetime.now(UTC) - timedelta(minutes=1)
    )
    set_seen(office.db, key, timedelta(minutes=31))
    assert amy.get("/").status == 303


def test_the_sticker_is_not_for_everyone(office: Office) -> None:
    users.first_run_code(office.box)
    assert users.sticker(office.box).stat().st_mode & 0o007 == 0
    assert users.first_run_code(office.box) == users.first_run_code(office.box)


def set_seen(db: sqlite3.Connection, key: str, ago: timedelta) -> None:
    db.execute("UPDATE session SET seen_at = ? WHERE token_hash = ?", (store.iso(datetime.now(UTC) - ago), key))


def test_a_full_disk_does_not_shut_anyone_out(office: Office, amy: Browser) -> None:
    key = auth.key_of(amy.cookies[auth.COOKIE])
    set_seen(office.db, key, auth.SEEN_EVERY * 2)
    read_only = sqlite3.connect(f"file:{office.box.store}?mode=ro", uri=True, isolation_level=None)
    read_only.row_factory = sqlite3.Row
    found = auth.session(read_only, amy.cookies[auth.COOKIE], datetime.now(UTC))
    read_only.close()
    assert found is not None and found.user == "Amy"


def test_an_open_page_keeps_its_session(office: Office, amy: Browser) -> None:
    desk = amy.listen()
    desk.next("now")
    sessions = eventually(lambda: office.server.hub.sessions)
    set_seen(office.db, *sessions, timedelta(minutes=29))
    auth.mark_seen(office.db, sessions, datetime.now(UTC))
    assert auth.session(office.db, amy.cookies[auth.COOKIE], datetime.now(UTC) + timedelta(minutes=28))


def test_logging_in_again_ends_the_session_of_before(office: Office, amy: Browser) -> None:
    old = Browser(amy.port, cookies=dict(amy.cookies))
    assert old.get("/").status == 200
    assert amy.log_in().status == 303
    assert amy.get("/").status == 200 and amy.cookies["deskbell"] != old.cookies["deskbell"]
    assert old.get("/").status == 303


def test_many_first_readers_of_the_sticker_read_one_code(tmp_path: Path) -> None:
    box = box_at(tmp_path)
    box.state.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: users.first_run_code(box), range(64)))) == 1
    assert [file.name for file in box.state.iterdir() if "sticker" in file.name] == ["sticker.txt"]


def test_a_box_that_is_set_up_in_french_begins_with_french_texts(office: Office) -> None:
    browser = office.browser(logged_in=False)
    browser.cookies["language"] = "fr"
    browser.set_up(office.box)
    kept = settings.read(office.db)
    (rule,) = rulebook.rules(office.db)
    words = Languages(office.box.zone).all["fr"]
    assert rule.name == words("Missed call") != "Missed call" and rule.text.startswith("{shop}") and rule.is_on
    assert kept.stop_answer == words(settings.DEFAULTS.stop_answer) != settings.DEFAULTS.stop_answer
    assert kept.dispositions.count(",") == settings.DEFAULTS.dispositions.count(",")


def test_a_box_that_is_set_up_in_english_keeps_the_words_it_was_made_with(office: Office) -> None:
    office.browser(logged_in=False).set_up(office.box)
    assert settings.read(office.db) == settings.DEFAULTS and rulebook.rules(office.db)[0].name == "Missed call"


def rows(office: Office) -> dict[str, list[dict[str, object]]]:
    """All that the store has, but for what differs at every log-in: secrets and times, and the waiting first steps."""
    tables = [row[0] for row in office.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    chance = ("token_hash", "csrf", "password_hash")
    return {table: [{name: value for name, value in dict(row).items()
                     if name not in chance and not name.endswith("_at")}
                    for row in office.db.execute(f"SELECT * FROM {table}")
                    if (table, row[0]) != ("setting", "wizard")] for table in tables}


def test_the_office_that_the_other_tests_open_is_as_the_first_steps_leave_it(office: Office, tmp_path: Path) -> None:
    other = Office(box_at(tmp_path / "other"))
    try:
        assert office.browser(logged_in=False).set_up(office.box).status == 303
        opened = other.browser()
        assert rows(other) == rows(office) and rows(office)["user"] and rows(office)["session"]
        assert opened.get("/").status == 200 and other.browser().get("/").status == 200
    finally:
        other.close()
