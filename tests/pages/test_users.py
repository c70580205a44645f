"""The owner's page of users, one's own account, the second step at log in, and the log of changes."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from appliance.people import changes, invitations, totp, users
from appliance.store import db as store
from tests.desk import PASSWORD, Answer, Browser, Office
from tests.pages.people import somebody, token_of, user_id
from web import agents, auth
from web.waiting import KEPT_S, Waiting

NEW = "five words in a row"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"


def code_in(page: Answer) -> str:
    return re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}", page.text)[0]  # type: ignore[index]


def with_second_step(office: Office, browser: Browser, name: str = "Amy") -> tuple[str, list[str]]:
    """The secret on the telephone and the recovery codes of a user who has just switched it on."""
    page = browser.get("/account/second")
    secret = re.search(r'class="num secret">([A-Z2-7 ]+)<', page.text)[1].replace(" ", "")  # type: ignore[index]
    assert browser.get("/account/second.svg").headers["Content-Type"] == "image/svg+xml"
    shown = browser.post("/account/second", {"code": pyotp.TOTP(secret).now()}, token_of(browser))
    assert shown.status == 200
    later(office, name)
    return secret, re.findall(r"<bdi>([A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4})</bdi>", shown.text)


def later(office: Office, name: str = "Amy") -> None:
    """A minute goes by: the code of now is a new one."""
    office.db.execute("UPDATE user SET totp_step = totp_step - 3 WHERE name = ?", (name,))


def past_password(office: Office, name: str = "Amy", password: str = PASSWORD) -> Browser:
    browser = office.browser(logged_in=False)
    assert browser.log_in(name, password).headers["Location"] == "/login/code"
    return browser


def form_token(browser: Browser, path: str) -> str:
    return re.search(r'name="token" value="([^"]+)"', browser.get(path).text)[1]  # type: ignore[index]


def give(browser: Browser, code: str) -> Answer:
    return browser.post("/login/code", {"code": code}, form_token(browser, "/login/code"))


def test_somebody_new_sets_a_password_with_a_code_that_is_good_once(office: Office, amy: Browser) -> None:
    shown = amy.post("/users", {"name": "Ben", "role": "staff", "extension": "101", "language": "en"})
    code = code_in(shown)
    assert f"/welcome?code={code}" in shown.text
    ben = office.browser(logged_in=False)
    assert "Welcome, Ben" in ben.get(f"/welcome?code={code}").text
    given = {"code": code.lower(), "password": NEW, "again": NEW}
    assert ben.post("/welcome", given).headers["Location"] == "/"
    assert ben.get("/history").status == 200 and ben.get("/users").status == 403
    late = office.browser(logged_in=False)
    assert late.post("/welcome", given | {"password": "other words here", "again": "other words here"}).status == 403
    assert late.log_in("Ben", "other words here").status == 403
    assert users.named(office.db, "Ben").extension == "101"  # type: ignore[union-attr]


def test_nobody_logs_in_before_the_code_was_used(office: Office, amy: Browser) -> None:
    amy.post("/users", {"name": "Ben", "role": "staff"})
    for guess in ("", " ", users.NOT_SET, "Ben", "password"):
        assert office.browser(logged_in=False).log_in("Ben", guess).status in (403, 429)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"password": "short", "again": "short"}, "at least 12"), ({"again": "others words here"}, "two passwords differ"),
     ({"code": "AAAA-BBBB-CCCC"}, "This code is not good")],
)
def test_a_code_stays_good_when_the_password_does_not_fit(office: Office, amy: Browser, given: dict, said: str) -> None:
    code = code_in(amy.post("/users", {"name": "Ben", "role": "staff"}))
    ben = office.browser(logged_in=False)
    page = ben.post("/welcome", {"code": code, "password": NEW, "again": NEW, **given})
    assert page.status in (400, 403) and said in page.text
    assert ben.post("/welcome", {"code": code, "password": NEW, "again": NEW}).status == 303


def test_a_code_ends_after_three_days_and_when_another_is_made(office: Office, amy: Browser) -> None:
    first = code_in(amy.post("/users", {"name": "Ben", "role": "staff"}))
    second = code_in(amy.post(f"/users/{user_id(office, 'Ben')}/invite"))
    now = datetime.now(UTC)
    assert invitations.whose(office.db, first, now) is None
    assert invitations.whose(office.db, second, now + timedelta(days=2, hours=23)) is not None
    assert invitations.whose(office.db, second, now + timedelta(days=3, minutes=1)) is None


def test_codes_cannot_be_guessed_on(office: Office, amy: Browser) -> None:
    code = code_in(amy.post("/users", {"name": "Ben", "role": "staff"}))
    eve = office.browser(logged_in=False)
    for _ in range(auth.FREE_TRIES):
        assert eve.post("/welcome", {"code": "AAAA-BBBB-CCCC", "password": NEW, "again": NEW}).status == 403
    assert eve.post("/welcome", {"code": code, "password": NEW, "again": NEW}).status == 429


def test_a_new_password_by_code_ends_the_sessions_and_leaves_the_second_step(office: Office, amy: Browser) -> None:
    ben = somebody(office, "Ben", "staff")
    secret, _ = with_second_step(office, ben, "Ben")
    code = code_in(amy.post(f"/users/{user_id(office, 'Ben')}/invite"))
    assert ben.get("/history").status == 200, "until it is used the old password and its sessions are good"
    again = office.browser(logged_in=False)
    assert again.post("/welcome", {"code": code, "password": NEW, "again": NEW}).headers["Location"] == "/login"
    assert ben.get("/history").status == 303
    assert give(past_password(office, "Ben", NEW), pyotp.TOTP(secret).now()).headers["Location"] == "/"


@pytest.mark.parametrize("act", ["remove", "switch"])
def test_the_last_owner_who_can_log_in_stays(office: Office, amy: Browser, act: str) -> None:
    amy.post("/users", {"name": "Ben", "role": "owner"})          # has set no password yet: does not count
    said = amy.get(amy.post(f"/users/{user_id(office, 'Amy')}/{act}").headers["Location"]).text
    assert "needs an owner" in said and users.named(office.db, "Amy").is_on  # type: ignore[union-attr]
    page = amy.post(f"/users/{user_id(office, 'Amy')}", {"name": "Amy", "role": "staff"})
    assert page.status == 400 and "needs an owner" in page.text and amy.get("/users").status == 200


def test_who_is_removed_is_out_at_once_and_comes_back_as_they_were(office: Office, amy: Browser) -> None:
    ben = somebody(office, "Ben", "staff")
    with_second_step(office, ben, "Ben")
    before = dict(office.db.execute("SELECT * FROM user WHERE name = 'Ben'").fetchone())
    gone = amy.post(f"/users/{user_id(office, 'Ben')}/remove")
    assert ben.get("/history").status == 303 and ben.log_in("Ben").status == 403
    undo = re.search(r'name="done" value="([^"]+)"', amy.get(gone.headers["Location"]).text)[1]  # type: ignore[index]
    amy.post("/undo", {"done": undo})
    assert dict(office.db.execute("SELECT * FROM user WHERE name = 'Ben'").fetchone()) == before
    assert totp.recovery_codes_left(office.db, before["id"]) == totp.RECOVERY_CODES
    assert ben.get("/history").status == 303, "the old session stays ended"


def test_a_removed_name_that_was_taken_meanwhile_cannot_be_brought_back(office: Office, amy: Browser) -> None:
    somebody(office, "Ben", "staff")
    gone = amy.post(f"/users/{user_id(office, 'Ben')}/remove")
    undo = re.search(r'name="done" value="([^"]+)"', amy.get(gone.headers["Location"]).text)[1]  # type: ignore[index]
    amy.post("/users", {"name": "ben", "role": "staff"})
    assert amy.post("/undo", {"done": undo}).status == 410
    assert office.db.execute("SELECT count(*) FROM user").fetchone()[0] == 2


def test_who_is_switched_off_is_out_at_once_and_may_come_again(office: Office, amy: Browser) -> None:
    ben = somebody(office, "Ben", "staff")
    amy.post(f"/users/{user_id(office, 'Ben')}/switch")
    assert ben.get("/history").status == 303 and ben.log_in("Ben").status == 403
    amy.post(f"/users/{user_id(office, 'Ben')}/switch")
    assert ben.log_in("Ben").status == 303 and ben.get("/history").status == 200


def test_another_role_ends_the_sessions_of_before(office: Office, amy: Browser) -> None:
    ben = somebody(office, "Ben", "owner")
    assert ben.get("/users").status == 200
    amy.post(f"/users/{user_id(office, 'Ben')}", {"name": "Ben", "role": "staff"})
    assert ben.get("/history").status == 303
    ben.log_in("Ben")
    assert ben.get("/users").status == 403


def test_an_owner_who_steps_down_goes_on_under_a_new_id(office: Office, amy: Browser) -> None:
    somebody(office, "Ben", "owner")
    old = Browser(amy.port, cookies=dict(amy.cookies))
    assert amy.post(f"/users/{user_id(office, 'Amy')}", {"name": "Amy", "role": "staff"}).status == 303
    assert amy.cookies[auth.COOKIE] != old.cookies[auth.COOKIE]
    assert old.get("/history").status == 303 and amy.get("/history").status == 200 and amy.get("/users").status == 403


@pytest.mark.parametrize(("name", "said"), [("", "A name has"), ("amy", "has that name already"), ("x" * 70, "")])
def test_a_name_that_does_not_fit_is_said_in_a_sentence(office: Office, amy: Browser, name: str, said: str) -> None:
    page = amy.post("/users", {"name": name, "role": "staff"})
    assert (page.status == 400 and said in page.text) if said else page.status == 200
    assert amy.post("/users", {"name": "Ben", "role": "admin"}).status == 400


def test_the_own_password_is_changed_with_the_old_one_and_ends_the_other_sessions(office: Office, amy: Browser) -> None:
    other, old = office.browser(), Browser(amy.port, cookies=dict(amy.cookies))
    refused = amy.post("/account/password", {"old": "wrong wrong wrong", "password": NEW, "again": NEW})
    assert refused.status == 403 and "not your password" in refused.text
    assert amy.post("/account/password", {"old": PASSWORD, "password": NEW, "again": NEW}).status == 303
    assert amy.get("/").status == 200 and amy.cookies[auth.COOKIE] != old.cookies[auth.COOKIE]
    assert other.get("/").status == 303 and old.get("/").status == 303
    assert office.browser(logged_in=False).log_in("Amy", PASSWORD).status == 403
    assert office.browser(logged_in=False).log_in("Amy", NEW).status == 303


def test_the_own_password_cannot_be_guessed_from_an_open_desk(office: Office, amy: Browser) -> None:
    wrong = {"old": "wrong wrong wrong", "password": NEW, "again": NEW}
    for _ in range(auth.FREE_TRIES):
        assert amy.post("/account/password", wrong).status == 403
    assert amy.post("/account/password", wrong | {"old": PASSWORD}).status == 429
    assert amy.post("/account/second/off", {"old": PASSWORD}).status == 429


def test_sessions_are_told_apart_and_ended_one_by_one_or_all(office: Office, amy: Browser) -> None:
    phone, pc = office.browser(logged_in=False), office.browser(logged_in=False)
    token = form_token(pc, "/login")
    pc.post("/login", {"name": "Amy", "password": PASSWORD}, token, User_Agent=FIREFOX)
    phone.log_in()
    page = amy.get("/account").text
    assert "Firefox on Windows" in page and "127.0.0.1" in page and page.count("This one") == 1
    key = auth.short_key(auth.key_of(pc.cookies[auth.COOKIE]))
    amy.post("/account/sessions", {"session": key})
    assert pc.get("/").status == 303 and phone.get("/").status == 200
    amy.post("/account/sessions")
    assert phone.get("/").status == 303 and amy.get("/").status == 200


def test_nobody_ends_the_session_of_somebody_else(office: Office, amy: Browser) -> None:
    ben = somebody(office, "Ben", "staff")
    ben.post("/account/sessions", {"session": auth.short_key(auth.key_of(amy.cookies[auth.COOKIE]))})
    ben.post("/account/sessions")
    assert amy.get("/").status == 200


def test_with_the_second_step_the_password_alone_opens_nothing(office: Office, amy: Browser) -> None:
    secret, codes = with_second_step(office, amy)
    assert len(codes) == totp.RECOVERY_CODES
    browser = past_password(office)
    assert browser.get("/").status == 303 and browser.get("/history").headers["Location"] == "/login"
    assert auth.COOKIE not in browser.cookies
    assert give(browser, pyotp.TOTP(secret).now()).headers["Location"] == "/"
    assert browser.get("/history").status == 200


def test_a_code_is_good_once_even_at_two_desks(office: Office, amy: Browser) -> None:
    secret, _ = with_second_step(office, amy)
    code = pyotp.TOTP(secret).now()
    first, second = past_password(office), past_password(office)
    assert give(first, code).status == 303
    page = give(second, code)
    assert page.status == 403 and "was used already" in page.text


@pytest.mark.parametrize(("off_s", "is_good"), [(0, True), (-30, True), (30, True), (-90, False), (90, False)])
def test_a_telephone_whose_clock_is_half_a_minute_off_still_lets_in(office: Office, amy: Browser, off_s: int,
                                                                     is_good: bool) -> None:
    now = datetime.now(UTC)
    secret = totp.new_secret()
    with store.write(office.db) as db:
        at = now - timedelta(hours=1)
        assert totp.switch_on(db, 1, secret, pyotp.TOTP(secret).at(at), at) is not None
        assert (totp.use(db, 1, pyotp.TOTP(secret).at(now + timedelta(seconds=off_s)), now) is not None) is is_good


def test_a_recovery_code_lets_in_once_and_is_written_down(office: Office, amy: Browser) -> None:
    _, codes = with_second_step(office, amy)
    assert give(past_password(office), codes[0].lower()).status == 303
    assert give(past_password(office), codes[0]).status == 403
    assert totp.recovery_codes_left(office.db, 1) == totp.RECOVERY_CODES - 1
    assert any("recovery code" in line.what for line in changes.page(office.db))


def test_codes_cannot_be_guessed_after_the_password(office: Office, amy: Browser) -> None:
    secret, codes = with_second_step(office, amy)
    eve = past_password(office)
    for _ in range(auth.FREE_TRIES - 1):
        assert give(eve, "000000").status == 403
    assert "Begin with the password" in give(eve, "ABCD-EFGH-JKMN").text
    assert eve.get("/login/code").headers["Location"] == "/login"
    assert eve.log_in().status == 429, "the password step waits too"
    assert amy.get("/").status == 200


def test_a_right_password_in_between_does_not_begin_the_count_anew(office: Office, amy: Browser) -> None:
    with_second_step(office, amy)
    for _ in range(auth.FREE_TRIES):
        eve = past_password(office)
        give(eve, "000000")
    assert eve.log_in().status == 429


@pytest.mark.parametrize("code", ["", "abcdef", "12345", "1234567", "٠١٢٣٤٥", "0x1234", "-12345"])
def test_what_is_no_code_switches_nothing_on(office: Office, amy: Browser, code: str) -> None:
    amy.get("/account/second")
    assert amy.post("/account/second", {"code": code}, token_of(amy)).status == 400
    assert not totp.is_on(office.db, 1)


def test_switching_the_second_step_on_and_off_renews_the_session(office: Office, amy: Browser) -> None:
    other, old = office.browser(), Browser(amy.port, cookies=dict(amy.cookies))
    with_second_step(office, amy)
    assert old.get("/").status == 303 and other.get("/").status == 303 and amy.get("/").status == 200
    on = amy.cookies[auth.COOKIE]
    assert amy.post("/account/second/off", {"old": "wrong wrong wrong"}).status == 403 and totp.is_on(office.db, 1)
    assert amy.post("/account/second/off", {"old": PASSWORD}).status == 303 and not totp.is_on(office.db, 1)
    assert amy.cookies[auth.COOKIE] != on and totp.recovery_codes_left(office.db, 1) == 0


def test_new_recovery_codes_end_the_old_ones(office: Office, amy: Browser) -> None:
    _, old = with_second_step(office, amy)
    new = code_in(amy.post("/account/second/codes", {"old": PASSWORD}))
    assert give(past_password(office), old[0]).status == 403
    assert give(past_password(office), new).status == 303


def test_the_owner_switches_a_lost_telephone_off(office: Office, amy: Browser) -> None:
    with_second_step(office, somebody(office, "Ben", "staff"), "Ben")
    amy.post(f"/users/{user_id(office, 'Ben')}/factor")
    assert office.browser(logged_in=False).log_in("Ben").headers["Location"] == "/"


def test_the_store_holds_no_code_in_clear(office: Office, amy: Browser) -> None:
    _, codes = with_second_step(office, amy)
    invited = code_in(amy.post("/users", {"name": "Ben", "role": "staff"}))
    office.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = office.box.store.read_bytes()
    for code in (*codes, invited):
        assert code.encode() not in content and code.replace("-", "").encode() not in content


def test_what_waits_for_a_second_step_is_forgotten_after_ten_minutes() -> None:
    now_s = 0.0
    waiting: Waiting[str] = Waiting(lambda: now_s)
    key = waiting.keep("Amy")
    now_s = KEPT_S - 1
    assert waiting.find(key) == "Amy"
    now_s = KEPT_S + 1
    assert waiting.find(key) is None and waiting.find(None) is None


def test_the_language_goes_with_the_user_not_with_the_desk(office: Office, amy: Browser) -> None:
    language = next((key for key in re.findall(r'<option value="([a-z]{2})"', amy.get("/account").text) if key != "en"),
                    "en")
    amy.post("/account/language", {"language": language})
    assert f'<html lang="{language}"' in amy.get("/account").text
    other = office.browser()
    assert f'<html lang="{language}"' in other.get("/account").text


@pytest.mark.parametrize(
    ("agent", "said"),
    [(FIREFOX, "Firefox on Windows"),
     ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 Version/18.4 Mobile/15E148 "
      "Safari/604.1", "Safari on iPhone"),
     ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
      "Chrome on Android"),
     ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
     ("curl/8.5", "A browser that does not say which"), ("", "A browser that does not say which")],
)
def test_a_browser_is_called_by_a_name_people_know(agent: str, said: str) -> None:
    def words(message: str, **given: object) -> str:
        return message % given if given else message

    assert agents.named(agent, words) == said  # type: ignore[arg-type]


def test_who_changed_what_is_on_the_page_and_in_the_sheet(office: Office, amy: Browser) -> None:
    somebody(office, "Ben", "staff")
    amy.post(f"/users/{user_id(office, 'Ben')}", {"name": "Benjamin", "role": "owner"})
    amy.post("/optouts", {"number": "+4915123456789"})
    page = amy.get("/changes").text
    assert "Benjamin" in page and "<del>staff</del>" in page and "by Amy" in page
    assert "15123456789" not in page.replace(" ", "")
    only = amy.get("/changes?what=opt-out&by=Amy").text
    assert "Benjamin" not in only and "+4915…789" in only
    sheet = amy.get("/changes.csv")
    assert sheet.body.startswith(b"\xef\xbb\xbf") and "Benjamin" in sheet.body.decode() and PASSWORD not in sheet.text
    assert amy.get("/changes.xlsx").body[:2] == b"PK" and amy.get("/changes.pdf").status == 404


def test_the_log_is_paged_by_key(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        for n in range(120):
            changes.record(db, "Amy", f"rule r{n}", {"n": n}, {"n": n + 1}, datetime.now(UTC))
    first = amy.get("/changes").text
    older = re.search(r"/changes\?before=\d+&amp;by=&amp;what=", first)[0].replace("&amp;", "&")  # type: ignore[index]
    second = amy.get(older).text
    assert "r119<" in first and "r70<" in first and "r69<" not in first
    assert "r69<" in second and "r70<" not in second
    assert amy.get("/changes?before=x").status == 404
