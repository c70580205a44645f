"""A shop with something on every page, and the address of each: made once for the tests that walk them all."""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.backup.worker import Worker
from appliance.calls import packing
from appliance.people import contacts
from appliance.store import db as store
from tests.desk import Browser, Office
from tests.pages.test_import import PEOPLE, bring_in, chosen, upload, work
from tests.pages.textshop import GARAGE, HALIMA, MARGARET, PIET, came, running, shop, unknown
from web.settings_fields import SECTIONS
from web.wizard_steps import STEPS

PUBLIC = ["/login", "/welcome"]


class Night:
    """The clock's part in backups, without the clock."""

    def __init__(self, office: Office) -> None:
        self.worker = Worker(office.box, lambda: datetime.now(UTC), log_n=10)

    def serve(self) -> None:
        while self.worker.serve(is_clock_set=False):
            pass


@dataclass
class Whole:
    office: Office
    owner: Browser
    night: Night
    talk: int
    margaret: str
    pages: list[str]


def whole(folder: Path) -> Whole:
    """Calls of every outcome, a recording, texts, a campaign, an import at each step, a backup, users, a list."""
    office = shop(folder)
    try:
        return _filled(office)
    except BaseException:
        office.close()                     # its threads would keep a test that failed here from ending
        raise


def _filled(office: Office) -> Whole:
    amy = office.browser()
    now = datetime.now(UTC)
    night = Night(office)
    night.serve()
    talk = _calls(office, now)
    came(office, MARGARET, "Are you open on Saturday?")
    came(office, PIET, "STOP")
    unknown(office, HALIMA)
    campaign = running(office)
    ids = {row["name"]: row["id"] for row in office.db.execute("SELECT id, name FROM contact")}
    margaret = ids["Margaret Osei"]
    amy.post("/users", {"name": "Ben", "role": "staff", "extension": "101"})
    amy.post("/optouts", {"number": HALIMA})
    amy.post("/templates", {"name": "Hours", "text": "We are open until six."})
    webhook = _found(r"/doors/webhook/\d+", amy.post("/doors/webhook", {
        "name": "Till", "url": "http://127.0.0.1:9/hook", "kind": "call.ended"}).text)
    amy.post("/doors/token", {"name": "Till", "role": "staff", "lasts": "30"})
    amy.post("/backups/now")
    night.serve()
    listed = _found(r"/tocall/list/\d+", amy.post("/tocall/list", {
        "name": "Autumn", "script": "Hello {first_name}, your bike is due.", "list": f"{MARGARET}\n{GARAGE}",
        "max_tries": "2", "pause_min": "60", "held_min": "20", "label_q1": "Which day?", "kind_q1": "choice",
        "choices_q1": "Mon, Tue", "q": "q1"}).headers["Location"])
    amy.post("/tocall/new", {"number": MARGARET, "about": "the brake pads", "day": "2099-01-02", "hour": "15:00"})
    columns = upload(amy, PEOPLE)
    looked = upload(amy, PEOPLE)
    amy.post(looked + "/plan", {**chosen(amy.get(looked).text), "go": "1"})
    work(office)
    done = bring_in(office, amy, "Name;Number\nOlu Adeyemi;0151 23456791\n")
    amy.post("/customers/forget", {"number": "+4915199887766", "typed": "+4915199887766"})
    group = office.db.execute("SELECT min(id) FROM contact_group").fetchone()[0]
    card = f"/customer/{margaret}"
    pages = [
        "/", "/history", f"/history?open={talk}", "/history?q=nobody-has-this-name", f"/call/{talk}", "/call/2",
        "/tocall", "/tocall/new", "/tocall/list", listed, listed + "/edit",
        "/customers", card, card + "/edit", card + "/merge", card + "/forget", "/customers/new", "/customers/deleted",
        "/customers/groups", f"/customers/group/{group}", "/customers/forget?number=%2B4915123456700",
        "/customers/forgotten",
        "/customers/import", columns, looked, done,
        "/texts", f"/texts/with?number=%2B{MARGARET[1:]}", "/texts/new", "/texts/list", "/campaigns", "/campaigns/new",
        f"/campaign/{campaign}", "/recordings", f"/recordings?open={talk}", "/statistics", "/statistics/saved",
        "/rules", "/rule", "/rule/missed?rehearse", "/templates", "/optouts", "/sims", "/backups", "/backups/card",
        "/backups/restore", *(f"/settings/{name}" for name in SECTIONS), "/doors", "/doors/api", webhook,
        "/users", "/users/2", "/changes", "/desks", "/account", "/account/second", "/help", "/help/first-day",
        "/about", "/about/licences", "/more", "/box", *(f"/wizard/{step.key}" for step in STEPS),
    ]
    return Whole(office, amy, night, talk, margaret, pages)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, pattern
    return found[0]


def _calls(office: Office, now: datetime) -> int:
    for hours, outcome in enumerate(
            ("busy", "rejected", "failed", "blocked", "voicemail", "abandoned", "interrupted"), 2):
        office.ended(office.call(GARAGE, name=outcome, at=now - timedelta(hours=9 * hours)), outcome)
    office.texted(office.missed("+4916090000001", at=now - timedelta(minutes=50)), "failed")
    office.texted(office.missed(PIET, at=now - timedelta(minutes=40)))
    office.missed(None, presentation="withheld", at=now - timedelta(minutes=30))
    at = now - timedelta(minutes=20)
    office.ended(office.call(HALIMA, direction="out", at=at), "answered", talk_ms=20_000)
    talk = office.call(MARGARET, at=at)
    with store.write(office.db) as db:
        db.execute("UPDATE call SET contact_id = ? WHERE id = ?", (contacts.find(db, MARGARET), talk))
    office.answered(talk, at=at + timedelta(seconds=8))
    office.ended(talk, "answered", talk_ms=20_000)
    office.recorded(talk, 20)
    while tape := packing.next_tape(office.db):
        assert packing.pack(office.db, office.box, tape)
    return talk
