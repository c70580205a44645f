"""What the first page says: who calls, who is owed, what comes next, and that it weighs little."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta

import pytest

from appliance import settings
from appliance.calls import today
from appliance.people import seats
from appliance.people.seats import Seat
from appliance.store import db as store
from tests.desk import Browser, Office

NOW = datetime.now(UTC)
MOST_BYTES = 100_000
NUMBER = "+4915123456789"


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def card(office: Office, number: str, name: str) -> None:
    with store.write(office.db) as db:
        key = f"00000000-0000-7000-8000-{number[-12:]:0>12}"
        db.execute("INSERT INTO contact (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)",
                   (key, name, store.iso(NOW), store.iso(NOW)))
        db.execute("INSERT INTO contact_number (number, contact_id) VALUES (?, ?)", (number, key))


def slips(page: str) -> list[str]:
    return re.findall(r'<li class="slip".*?</li>', page, re.S)


def test_an_empty_day_says_what_will_appear(amy: Browser) -> None:
    page = amy.get("/").text
    assert "Nobody is owed a call." in page and "The first one appears here while it rings" in page
    assert "Every text is read." in page and "Nothing is scheduled." in page
    assert "The box has not looked at itself yet." in page


def test_who_rings_and_who_talks_stands_there_with_a_timer(office: Office, amy: Browser) -> None:
    office.call(name="Margaret Osei", at=ago(0.2))
    talk = office.call("+4915123456702", name="Tomasz Wilk", at=ago(3))
    office.answered(talk, "102", at=ago(2))
    page = amy.get("/").text
    live = page.split('id="live"')[1].split("</section>")[0]
    assert "Margaret Osei" in live and "rings at Counter and Workshop" in live and "talks with Workshop" in live
    seconds = [int(found) for found in re.findall(r'data-since-s="(\d+)"', live)]
    assert len(seconds) == 2 and {12 <= one <= 60 for one in seconds} == {True, False}
    office.ended(talk, "answered", talk_ms=120_000)
    assert "Tomasz Wilk" not in amy.get("/").text.split('id="live"')[1].split("</section>")[0]


def test_who_sees_one_line_is_not_shown_who_rings_on_another(office: Office, amy: Browser) -> None:
    ours, other = office.call(name="Margaret Osei"), office.call("+4915123456702", name="Tomasz Wilk")
    with store.write(office.db) as db:
        db.execute("UPDATE call SET trunk = 'line2' WHERE id = ?", (other,))
        seats.put(db, 1, Seat(lines=frozenset({"line1"})))
    live = amy.get("/").text.split('id="live"')[1].split("</section>")[0]
    assert f"live-{ours}" in live and f"live-{other}" not in live and "Tomasz Wilk" not in live
    with store.write(office.db) as db:
        seats.put(db, 1, Seat())
    assert f"live-{other}" in amy.get("/").text


def test_a_caller_is_one_slip_with_how_often_and_what_we_texted(office: Office, amy: Browser) -> None:
    card(office, NUMBER, "Halima Yusuf")
    for minutes in (50, 40, 30):
        last = office.missed(NUMBER, at=ago(minutes))
    office.texted(last)
    [slip] = slips(amy.get("/").text)
    assert "Halima Yusuf" in slip and "3×" in slip
    assert "Rang 3 times, last at" in slip and "30\N{NO-BREAK SPACE}min ago" in slip
    assert "Texted, delivered." in slip and f'href="tel:{NUMBER}"' in slip
    assert "1 caller is still owed a call." in amy.get("/").text


def test_what_they_wrote_since_stands_on_the_slip(office: Office, amy: Browser) -> None:
    office.missed(NUMBER, at=ago(50))
    with store.write(office.db) as db:
        at = store.iso(ago(40))
        db.execute("INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at) "
                   "VALUES ('in', ?, 'Is my <b>wheel</b> ready?', 'received', ?, ?, ?)", (NUMBER, at, at, at))
    page = amy.get("/").text
    assert "Replied “Is my &lt;b&gt;wheel&lt;/b&gt; ready?”" in slips(page)[0]
    assert "<b>wheel" not in page and "Unread replies" in page


def test_a_slip_of_who_rings_now_offers_no_call_back(office: Office, amy: Browser) -> None:
    office.missed(NUMBER, at=ago(50))
    rings = office.call(NUMBER)
    [slip] = slips(amy.get("/").text)
    assert "Rings now." in slip and "Call back" not in slip and f"/call/{rings}" in slip


def test_the_tick_closes_it_and_undo_brings_it_back(office: Office, amy: Browser) -> None:
    card(office, NUMBER, "Halima Yusuf")
    office.missed(NUMBER, at=ago(50))
    done = amy.post("/owed/settle", {"number": NUMBER})
    assert done.status == 303
    page = amy.get(done.headers["Location"]).text
    assert "Halima Yusuf is settled." in page and slips(page) == []
    key = re.search(r'name="done" value="([^"]+)"', page)
    assert key and amy.post("/undo", {"done": key[1]}).status == 303
    assert len(slips(amy.get("/").text)) == 1


@pytest.mark.parametrize("number", ["", "007", "+0", "'; DROP TABLE call", "+49" + "1" * 40])
def test_only_a_number_is_settled(amy: Browser, number: str) -> None:
    assert amy.post("/owed/settle", {"number": number}).status == 400


def test_the_rail_counts_who_is_owed(office: Office, amy: Browser) -> None:
    office.missed(NUMBER, at=ago(5))
    office.missed("+4915123456702", at=ago(4))
    for path in ("/", "/history", "/texts"):
        assert ", 2 callers are owed" in amy.get(path).text, path


def test_the_day_is_compared_with_the_same_weekday_up_to_this_hour(office: Office, amy: Browser) -> None:
    week = 7 * 24 * 60
    for minutes in (0.02, 0.03, 0.04):
        office.ended(office.call("+4915123456702", at=ago(minutes)), "blocked")
    office.ended(office.call("+4915123456702", at=ago(week + 0.5)), "blocked")
    office.ended(office.call("+4915123456702", at=ago(week - 60)), "blocked")        # later in the day: not yet
    tile = amy.get("/").text.split("Calls today")[1].split("</div>")[0]
    assert '<dd class="v">3</dd>' in tile and "2 more than a week ago" in tile and "#i-up" in tile
    assert re.search(r'<path class="sp" d="M4\.0 [\d. ]+"/>', tile)


def test_what_is_scheduled_and_promised_stands_there(office: Office, amy: Browser) -> None:
    at = store.iso(NOW)
    with store.write(office.db) as db:
        db.execute("INSERT INTO campaign (name, text, audience, schedule, state, created_at, updated_at) "
                   "VALUES ('Winter service', 'x', '{}', '{}', 'scheduled', ?, ?)", (at, at))
        db.execute("INSERT INTO occurrence (campaign_id, due_key, due_at, state) VALUES (1, 'k', ?, 'waiting')",
                   (store.iso(NOW + timedelta(days=2)),))
        db.execute("INSERT INTO callback (number, about, due_at, by_user, created_at, updated_at) "
                   "VALUES (?, 'Price of the red one', ?, 'Ben', ?, ?)", (NUMBER, store.iso(ago(5)), at, at))
    page = amy.get("/").text
    assert "Group text “Winter service”" in page and "Price of the red one" in page and ", 1 is due" in page


def test_the_box_in_one_line_the_worst_first(office: Office, amy: Browser) -> None:
    with store.write(office.db) as db:
        today.keep_look(db, [], datetime.now(UTC))
    assert "All well." in amy.get("/").text
    with store.write(office.db) as db:
        found = ["The SIM sim1: no signal.", "Only 3 MB are free on the disk. Calls ring."]
        today.keep_look(db, found, datetime.now(UTC))
    page = amy.get("/").text
    assert '<span class="tag">DB-DISK-1</span>' in page, "the code by which the installer's table knows it"
    assert "<b>The SIM sim1: no signal.</b>" in page and "1 more to see to" in page and "All well." not in page
    with store.write(office.db) as db:
        today.keep_look(db, [], ago(60))
    assert "It has not looked since" in amy.get("/").text


def test_the_head_says_until_when_the_shop_is_open(office: Office, amy: Browser) -> None:
    assert "Open until" not in amy.get("/").text
    closes = datetime.now(office.box.zone) + timedelta(hours=2)
    with store.write(office.db) as db:
        settings.put(db, "opening_hours", f"Mon-Sun {(closes - timedelta(hours=4)):%H}:00-{closes:%H}:07")
    assert f"Open until {closes:%H}:07" in amy.get("/").text
    with store.write(office.db) as db:
        settings.put(db, "closed_until", store.iso(datetime.now(UTC) + timedelta(hours=1)))
    assert "Closed until" in amy.get("/").text


def test_today_weighs_little_and_asks_nobody_else(office: Office, amy: Browser) -> None:
    for n in range(30):
        office.texted(office.missed(f"+49151234560{n:02d}", name=f"Caller number {n}", at=ago(10 + n)))
    page = amy.get("/")
    asked = re.findall(r'(?:href|src|data-worker|data-icons)="(/static/[^"#]+)', page.text)
    files = {path: amy.get(path, accept_encoding="gzip").body for path in asked}
    for name in ("pop.js", "desk.js"):
        for other in re.findall(r'from "\./([a-z_]+\.js)"', next(
                gzip.decompress(body).decode() for path, body in files.items() if f"/{name}?" in path)):
            files[f"/static/{other}"] = amy.get(f"/static/{other}", accept_encoding="gzip").body
    assert len(files) >= 5
    sent = len(page.body) + sum(len(body) for body in files.values())
    print(f"Today with 20 slips: {sent} bytes as sent, {len(gzip.compress(page.body))} the page alone if packed")
    assert sent <= MOST_BYTES, {path: len(body) for path, body in files.items()} | {"page": len(page.body)}
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page.text)


def test_each_role_sees_its_places_only(office: Office, amy: Browser) -> None:
    rail = amy.get("/").text.split('id="rail"')[1].split("</nav>")[0]
    assert re.findall(r'<a href="(/[^"]*)"', rail)[:4] == ["/", "/history", "/tocall", "/customers"]
    assert "/users" in rail and "/backups" in rail
    office.db.execute("UPDATE user SET role = 'staff'")
    rail = amy.get("/").text.split('id="rail"')[1].split("</nav>")[0]
    assert "/users" not in rail and "/backups" not in rail and "/customers" in rail
    office.db.execute("UPDATE user SET role = 'installer'")
    page = amy.get("/sims").text
    rail = page.split('id="rail"')[1].split("</nav>")[0]
    assert "/sims" in rail and "/history" not in rail and "/customers" not in rail and "Search calls" not in page


def test_the_phone_has_its_five_tabs_and_the_rest_behind_the_last(amy: Browser) -> None:
    page = amy.get("/more").text
    tabs = page.split('id="tabbar"')[1].split("</nav>")[0]
    assert re.findall(r'<a href="(/[^"]*)"', tabs) == ["/", "/history", "/texts", "/customers", "/more"]
    further = page.split('<ul class="list">')[1].split("</ul>")[0]
    for place in ("/tocall", "/recordings", "/statistics", "/rules", "/backups", "/settings", "/help", "/about"):
        assert f'href="{place}"' in further, place
