"""People who may open the pages, beside the first one."""
from __future__ import annotations

from datetime import UTC, datetime

from appliance.people import users
from appliance.store import db as store
from tests.desk import PASSWORD, Browser, Office, hashed


def somebody(office: Office, name: str, role: str, password: str = PASSWORD) -> Browser:
    """A user of this role, logged in; the first user is made when there is none."""
    if users.is_first_run(office.db):
        office.browser()
    with store.write(office.db) as db:
        user_id = users.add(db, name, role, datetime.now(UTC))
        users.set_password(db, user_id, hashed(password))
    browser = office.browser(logged_in=False)
    assert browser.log_in(name, password).status == 303
    return browser


def token_of(browser: Browser) -> str:
    """The token of this session's forms, from the one page that every role has."""
    return browser.get("/account").text.split('data-token="')[1].split('"')[0]


def user_id(office: Office, name: str) -> int:
    return int(office.db.execute("SELECT id FROM user WHERE name = ?", (name,)).fetchone()[0])
