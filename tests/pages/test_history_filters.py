"""What the history is narrowed by, kept in its address, remembered and exported."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest

from appliance.calls import find, narrow
from appliance.store import db as store
from tests.desk import Browser, Office

NOW = datetime.now(UTC)


def ids(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<li id="call-(\d+)"', page)]


def talked(office: Office, number: str = "+4915123456702", **given: object) -> int:
    call_id = office.call(number, **given)  # type: ignore[arg-type]
    office.answered(call_id, "102")
    office.ended(call_id, "answered", talk_ms=60_000)
    return call_id


@pytest.fixture
def calls(office: Office) -> dict[str, int]:
    """One call of each sort, by what is particular of it."""
    long_ago = NOW - timedelta(days=400)
    made = {"old": office.missed("+4915123450001", at=long_ago)}
    made["missed"] = office.missed("+4915123456789", contact="Margaret Osei")
    made["texted"] = office.missed("+4915123456790")
    office.texted(made["texted"])
    made["recorded"] = talked(office)
    office.recorded(made["recorded"])
    made["chinese"] = talked(office, "+4915123456711", contact="王丽")
    made["named"] = talked(office, "+4915123456712", name="Blumenhaus Meier")
    made["out"] = office.call("+4915123456713", direction="out")
    office.ended(made["out"], "missed")
    for outcome in ("voicemail", "blocked", "busy"):
        made[outcome] = office.call("+4915123456714")
        office.ended(made[outcome], outcome)
    made["inside"] = office.call(None, direction="internal")
    office.ended(made["inside"], "answered")
    at = store.iso(NOW)
    with store.write(office.db) as db:
        db.execute("UPDATE call SET mark = 'complaint' WHERE id = ?", (made["busy"],))
        db.execute("UPDATE call SET trunk = 'line2' WHERE id = ?", (made["voicemail"],))
        db.execute("INSERT INTO note (call_id, text, by_user, created_at, updated_at) "
                   "VALUES (?, 'Wants the front wheel trued, 50% off', 'Ben', ?, ?)", (made["recorded"], at, at))
        db.execute("INSERT INTO contact_group (name) VALUES ('Club riders')")
        db.execute("INSERT INTO contact_group_member SELECT 1, contact_id FROM call WHERE id = ?", (made["missed"],))
    return made


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("show=missed", "missed texted old"),
        ("show=missed&show=voicemail", "missed texted old voicemail"),
        ("show=answered", "recorded chinese named"),
        ("show=outgoing", "out"),
        ("show=blocked", "blocked"),
        ("show=internal", "inside"),
        ("direction=out", "out"),
        ("outcome=busy", "busy"),
        ("outcome=missed&direction=out", "out"),
        ("line=line2", "voicemail"),
        ("desk=102", "recorded chinese named"),
        ("group=1", "missed"),
        ("mark=complaint", "busy"),
        ("recorded=1", "recorded"),
        ("texted=1", "texted"),
        ("texted=1&show=answered", ""),
        ("q=margaret", "missed"),
        ("q=Osei+Margaret", "missed"),
        ("q=sei", "missed"),
        ("q=王丽", "chinese"),
        ("q=王", "chinese"),
        ("q=blumenhaus", "named"),
        ("q=front+wheel", "recorded"),
        ("q=50%25+off", "recorded"),
        ("q=%25%25%25", ""),
        ("q=6790", "texted"),
        ("q=456790", "texted"),
        ("q=01512+3456790", "texted"),
        ("q=%2B49+1512+3456790", "texted"),
        ("q=004915123456790", "texted"),
        ("q=01512345678", "missed"),
        ("q=nobody+at+all", ""),
        ("q=%22+OR+name%3A", ""),
        ("q=102", "recorded chinese named"),
    ],
)
def test_each_filter_keeps_what_it_says(
    office: Office, amy: Browser, calls: dict[str, int], query: str, wanted: str
) -> None:
    path = "/history?" + query.replace("王丽", "%E7%8E%8B%E4%B8%BD").replace("王", "%E7%8E%8B")
    assert sorted(ids(amy.get(path).text)) == sorted(calls[name] for name in wanted.split())


def test_days_are_the_shops(office: Office, amy: Browser, calls: dict[str, int]) -> None:
    everything = set(calls.values()) - {calls["old"]}
    assert set(ids(amy.get("/history?day=today").text)) == everything
    assert ids(amy.get("/history?day=yesterday").text) == []
    assert set(ids(amy.get("/history?day=week").text)) == everything
    long_ago = (NOW - timedelta(days=400)).astimezone(office.box.zone).date()
    assert ids(amy.get(f"/history?from={long_ago}&to={long_ago}").text) == [calls["old"]]
    assert ids(amy.get(f"/history?from={long_ago + timedelta(days=1)}&to={long_ago}").text) == [calls["old"]]
    assert ids(amy.get(f"/history?to={long_ago - timedelta(days=1)}").text) == []


@pytest.mark.parametrize("query", ["show=all", "day=never", "direction=up", "outcome=x", "mark=x", "group=x",
                                   "line=a b", "from=2026-13-01", "to=0001-01-01", "before=now"])
def test_what_no_chip_links_to_is_no_page(amy: Browser, query: str) -> None:
    assert amy.get("/history?" + query.replace(" ", "%20")).status == 404


def test_every_chip_keeps_the_other_filters(amy: Browser, calls: dict[str, int]) -> None:
    page = amy.get("/history?q=0151&show=missed&line=line1&day=week").text
    chips = [link.replace("&amp;", "&") for link in re.findall(r'<a class="chip" href="([^"]+)"', page)]
    assert "/history?q=0151&show=missed&line=line1" in chips                    # this week again: any day
    assert "/history?q=0151&day=week&show=missed&show=voicemail&line=line1" in chips
    assert "/history?q=0151&day=week&line=line1" in chips and "/history?all=1" in page
    form = page.split("filter")[1]
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z]+)" value="([^"]+)"', form))
    assert {"day": "week", "show": "missed"}.items() <= hidden.items()


def test_the_filters_are_remembered_for_the_session(office: Office, amy: Browser, calls: dict[str, int]) -> None:
    amy.get("/history?show=missed")
    back = amy.get("/history")
    assert back.status == 303 and back.headers["Location"] == "/history?show=missed"
    amy.get("/history?all=1")
    assert amy.get("/history").status == 200
    amy.get("/history?show=missed")
    assert office.browser().get("/history").status == 200, "another session has its own"


def test_the_journey_opens_in_its_filtered_list_without_a_script(amy: Browser, calls: dict[str, int]) -> None:
    page = amy.get(f"/history?show=missed&open={calls['missed']}").text
    assert page.count('aria-expanded="true"') == 1 and "Nobody had answered." in page
    assert set(ids(page)) == {calls[name] for name in ("missed", "texted", "old")}


def test_the_sheet_has_what_the_page_shows_and_nothing_runs_in_excel(office: Office, amy: Browser) -> None:
    office.missed("+4915123456789", name='=HYPERLINK("http://evil")')
    answered = talked(office, "+79001234567")
    office.missed(None, presentation="withheld")
    answer = amy.get("/history.csv?show=missed")
    lines = answer.body.decode("utf-8-sig").splitlines()
    assert answer.body.startswith(b"\xef\xbb\xbf") and len(lines) == 3
    assert "attachment" in answer.headers["Content-Disposition"] and "+79001234567" not in answer.text
    assert not re.search(r'(?m)(?:^|[;,])"?=', answer.text) and "Number withheld" in answer.text
    sheet = openpyxl.load_workbook(io.BytesIO(amy.get("/history.xlsx?show=answered").body)).active
    assert sheet is not None
    rows = list(sheet.values)
    assert len(rows) == 2 and rows[1][4] == "+79001234567" and rows[1][8] == 60
    assert answered and rows[1][2] == "Answered"


def test_a_list_without_end_is_paged_and_exported_whole(office: Office, amy: Browser) -> None:
    made = [office.missed(at=NOW - timedelta(minutes=n)) for n in range(120)]
    seen: list[int] = []
    path = "/history?show=missed&texted=&q=0151"
    while path:
        page = amy.get(path).text
        seen += ids(page)
        older = re.search(r'href="(/history\?[^"]*before=[^"]+)">Older', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == made
    assert len(amy.get("/history.csv?q=0151").body.decode("utf-8-sig").splitlines()) == 121


@pytest.mark.parametrize("few", [0, 3_000])
def test_both_ways_of_looking_find_the_same(
    office: Office, calls: dict[str, int], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget is a number of ours, turned down so that a small store is looked at as a large one is."""
    monkeypatch.setattr(find, "FEW", few)
    for wish in (narrow.Wish(text="wheel"), narrow.Wish(shows=("missed", "voicemail")), narrow.Wish(group=1),
                 narrow.Wish(is_texted=True, shows=("missed",)), narrow.Wish(text="6790", direction="in")):
        found = find.page(office.db, wish, "DE")
        exact = {row[0] for row in office.db.execute(
            "SELECT id FROM call WHERE " + " AND ".join(filled(part) for part in narrow.parts(wish, "DE")))}
        assert {call.id for call in found.calls} == exact and exact, wish
        assert found.count == (len(exact) if few else None)


def filled(part: narrow.Part) -> str:
    test = part.test
    for value in part.given:
        test = test.replace("?", "'" + str(value).replace("'", "''") + "'", 1)
    return f"({test})"


def test_a_page_that_looked_long_enough_says_how_far_and_goes_on(
    office: Office, amy: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "FEW", 0)
    monkeypatch.setattr(find, "MOST_FACETS", 20)
    rare = office.call(at=NOW - timedelta(days=3))
    office.ended(rare, "blocked")
    for n in range(50):
        office.missed(at=NOW - timedelta(minutes=n))
    page = amy.get("/history?outcome=blocked&line=line1").text
    assert ids(page) == [] and "No such call back to" in page
    for _ in range(3):
        further = re.search(r'href="(/history\?[^"]*before=[^"]+)">Look further back', page)
        if not further:
            break
        page = amy.get(further[1].replace("&amp;", "&")).text
    assert ids(page) == [rare]
