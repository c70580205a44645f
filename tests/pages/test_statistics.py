"""The statistics page, its sheet, and the week's slip of saved customers."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from appliance import settings
from appliance.calls import periods
from appliance.calls.stats import Bar
from appliance.people import contacts
from appliance.store import db as store
from tests.desk import Browser, Office
from web import charts, statistics

ANN, BEN = "+4915123456701", "+4915123456702"
DAY = "from=2026-11-16&to=2026-11-16"


def rang(office: Office, at: str, number: str | None = ANN, talk_s: float | None = None, ring_s: float = 10,
         trunk: str = "line1", direction: str = "in", disposition: str | None = None, outcome: str = "missed") -> int:
    """A call that has ended; `at` is a time of the shop's clock."""
    started = datetime.fromisoformat(at).replace(tzinfo=office.box.zone).astimezone(UTC)
    answered = started + timedelta(seconds=ring_s) if talk_s else None
    with store.write(office.db) as db:
        return int(db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, extension,
                              started_at, answered_at, ended_at, ring_ms, talk_ms, outcome, disposition, is_clock_set)
            VALUES ('box1', 1, (SELECT coalesce(max(id), 0) + 1 FROM call), ?, ?, ?, ?, 'allowed', ?, ?, ?, ?, ?, ?, ?,
                    ?, 1)""",
            (trunk, direction, number or "", number, "101" if talk_s or direction == "out" else None,
             store.iso(started), store.iso(answered) if answered else None,
             store.iso(started + timedelta(seconds=ring_s + (talk_s or 0))), round(ring_s * 1000),
             round(talk_s * 1000) if talk_s else None, "answered" if talk_s else outcome, disposition)).lastrowid or 0)


def a_day(office: Office) -> None:
    with store.write(office.db) as db:
        contacts.add(db, "Ann Osei", [ANN], "DE", datetime(2026, 1, 1, tzinfo=UTC))
    rang(office, "2026-11-16 09:05", talk_s=100, ring_s=8, disposition="Price")
    rang(office, "2026-11-16 09:20", talk_s=200, ring_s=30)
    rang(office, "2026-11-16 10:00", number=BEN, ring_s=3)
    rang(office, "2026-11-16 10:30", number=BEN, ring_s=25, trunk="sim1")
    rang(office, "2026-11-16 11:00", talk_s=50, direction="out")
    rang(office, "2026-11-09 09:00", talk_s=100)


def tile(page: str, name: str) -> tuple[str, str]:
    found = re.search(rf'<dt>{name}</dt><dd class="v">([^<]*)</dd>.*?<dd class="d">(.*?)</dd>', page, re.DOTALL)
    assert found, f"no tile {name}"
    return found[1], re.sub("<svg.*?</svg>", "", found[2], flags=re.DOTALL)


def seen(amy: Browser, address: str) -> str:
    answer = amy.get(address)
    assert answer.status == 200, address
    return html.unescape(answer.text).replace("\N{NO-BREAK SPACE}", " ")


def test_a_day_is_told_against_the_same_day_of_the_week_before(office: Office, amy: Browser) -> None:
    a_day(office)
    page = seen(amy, f"/statistics?{DAY}")
    assert "Monday, 16 November, against Sunday, 15 November" in page            # days given are against those before
    assert tile(page, "Calls in") == ("4", "none before")
    assert tile(page, "Answered") == ("50 %", "nothing to compare with")
    assert tile(page, "Answered in 20 s") == ("33 %", "47 under your goal")
    assert tile(page, "Talk time")[0] == "2:30" and tile(page, "Time to answer")[0] == "0:19"
    assert tile(page, "Calls out")[0] == "1" and tile(page, "Answered there")[0] == "100 %"
    week = seen(amy, "/statistics?from=2026-11-15&to=2026-11-21")
    assert "against 8 to 14 November" in week and tile(week, "Calls in") == ("4", "3 more, 300 %")
    assert tile(week, "Talk time")[1] == "50 s longer"


def test_the_formula_stands_where_the_number_stands(office: Office, amy: Browser) -> None:
    a_day(office)
    page = seen(amy, f"/statistics?{DAY}")
    assert "Calls answered within 20 s ÷ (all calls in − those who hung up within 5 s)." in page
    assert "1 ÷ (4 − 1) = 33 %" in page and "Your goal is 80 %." in page
    with store.write(office.db) as db:
        settings.put(db, "service_level_s", 30)
        settings.put(db, "abandon_under_s", 0)
    page = seen(amy, f"/statistics?{DAY}")
    assert "Calls answered within 30 s ÷ all calls in." in page and "2 ÷ 4 = 50 %" in page


def test_lines_extensions_callers_reasons_and_new_callers_are_counted(office: Office, amy: Browser) -> None:
    a_day(office)
    page = seen(amy, f"/statistics?{DAY}")
    for name in ("Line 1", "sim1", "Counter", "Ann Osei", "Price"):
        assert f"<bdi>{name}</bdi>" in page
    assert re.search(r"First call ever</dt><dd><b>1</b></dd><dt>Known</dt><dd>3</dd>", page)
    one = seen(amy, f"/statistics?{DAY}&of=line:sim1")
    assert tile(one, "Calls in")[0] == "1" and 'value="line:sim1" selected' in one and "By line" not in one
    assert tile(seen(amy, f"/statistics?{DAY}&of=disposition:Price"), "Calls in")[0] == "1"


def test_each_chart_has_its_table_and_no_style_of_its_own(office: Office, amy: Browser) -> None:
    a_day(office)
    for first in ("2026-11-16", "2026-11-01", "2026-06-01", "2025-12-01"):
        page = seen(amy, f"/statistics?from={first}&to=2026-11-16")
        charts_of_bars = 1 if first == "2026-11-16" else 2           # a day's hours are its bars already
        assert page.count('<svg class="chart"') == charts_of_bars and page.count('<svg class="heat"') == 1
        assert page.count("Every number as a table") == charts_of_bars + 1 and "style=" not in page
        assert page.count('url(#hatched)"') >= 2 and "The table below has every number." in page


def test_names_of_callers_are_text_wherever_they_stand(office: Office, amy: Browser) -> None:
    bad = "<script>alert(1)</script>"
    with store.write(office.db) as db:
        contacts.add(db, bad, [ANN], "DE", datetime(2026, 1, 1, tzinfo=UTC))
    rang(office, "2026-11-16 09:05", disposition=bad, trunk=bad)
    for address in (f"/statistics?{DAY}", "/statistics/saved?week=2026-W47"):
        assert bad not in amy.get(address).text


def test_days_without_a_call_say_what_will_stand_here(office: Office, amy: Browser) -> None:
    page = seen(amy, "/statistics")
    assert "No call in these days." in page and 'class="tile"' not in page
    for name, _ in statistics.PERIODS:
        assert f'href="/statistics?period={name}"' in page and amy.get(f"/statistics?period={name}").status == 200


@pytest.mark.parametrize("address", [
    "/statistics?period=century", "/statistics?from=yesterday", "/statistics?from=0001-01-01&to=0001-01-02",
    "/statistics?from=1971-01-01&to=2990-01-01", "/statistics?of=line:nothing", "/statistics?of=call:1",
    "/statistics?of=line", "/statistics/export?format=pdf", "/statistics/saved?week=2026-W54",
    "/statistics/saved?week=2026-W00", "/statistics/saved?week=x", "/statistics/saved?week=9999-W52",
    "/statistics/saved?week=0000-W01"])
def test_an_address_that_makes_no_sense_is_no_page(office: Office, amy: Browser, address: str) -> None:
    assert amy.get(address).status == 404


def test_days_given_the_wrong_way_round_are_turned(office: Office, amy: Browser) -> None:
    assert "9 to 16 November" in seen(amy, "/statistics?from=2026-11-16&to=2026-11-09")


def sheet(amy: Browser, address: str) -> list[list[str]]:
    answer = amy.get(address)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig")), delimiter=";"))


def test_the_sheet_has_every_figure_and_both_numbers_of_asterisk(office: Office, amy: Browser) -> None:
    a_day(office)
    lines = sheet(amy, f"/statistics/export?{DAY}&format=csv")
    assert {len(line) for line in lines} == {len(lines[0])}
    of = {(line[0], line[1]): dict(zip(lines[0], line, strict=True)) for line in lines[1:]}
    its = of["All", "These days"]
    assert (its["Calls in"], its["Answered"], its["Missed"], its["Calls out"]) == ("4", "2", "2", "1")
    assert (its["Answered within 20 s"], its["Hung up in under 5 s"], its["Talk time, s"]) == ("1", "1", "150,0")
    shares = {name.split(":")[0]: row["Per cent"] for (part, name), row in of.items() if part == "These days"}
    assert shares == {"Service level": "33,3", "Asterisk ServicelevelPerf": "50,0",
                      "Asterisk ServicelevelPerf2": "50,0", "Gave up": "33,3"}
    assert of["Caller", "Ann Osei"]["Number"] == "\t" + ANN and of["Monday", "09:00"]["Calls in"] == "2"
    assert amy.get(f"/statistics/export?{DAY}&format=xlsx").body[:2] == b"PK"


def test_the_slip_of_a_week_says_what_was_saved_and_what_it_may_be_worth(office: Office, amy: Browser) -> None:
    call_id = rang(office, "2026-11-16 10:00")
    rang(office, "2026-11-17 10:00", number=BEN)
    sent = "2026-11-16T09:01:00.000Z"
    with store.write(office.db) as db:
        contacts.add(db, "Ann Osei", [ANN], "DE", datetime(2026, 1, 1, tzinfo=UTC))
        db.execute("""
            INSERT INTO sms (direction, number, text, state, call_id, rule, created_at, due_at, sent_at, updated_at)
            VALUES ('out', ?1, 'Sorry', 'sent', ?2, 'missed', ?3, ?3, ?3, ?3)""", (ANN, call_id, sent))
    rang(office, "2026-11-16 10:20", talk_s=60)
    page = seen(amy, "/statistics/saved?week=2026-W47")
    assert "16 to 22 November" in page and "Rang within the hour" in page and "Ann Osei" in page
    assert re.search(r"Came back within the hour</dt><dd class=\"v\">1<", page) and page.count("Still owed</span>") == 1
    assert "Say what a sale brings on average" in page
    with store.write(office.db) as db:
        settings.put(db, "average_sale", "48,50 €")
    assert "At your average sale of 48.50 €, about 48.50 € that" in seen(amy, "/statistics/saved?week=2026-W47")
    assert "Nobody rang in vain in this week." in seen(amy, "/statistics/saved?week=2026-W46")
    assert 'week=2026-W46"' in page and seen(amy, "/statistics/saved")


# --- the shapes ---


@pytest.mark.parametrize(("most", "step", "highest"), [
    (0, 1, 1), (1, 1, 1), (4, 1, 4), (5, 2, 6), (53, 20, 60), (61, 20, 80), (100, 50, 100),
    (333_000, 100_000, 400_000)])
def test_the_lines_of_a_chart_are_round_numbers(most: int, step: int, highest: int) -> None:
    assert charts.scale(most) == (step, highest)


def test_the_bars_stand_on_the_base_and_reach_what_they_count() -> None:
    chart = charts.bars([Bar(40, 30, 10), Bar()], [("Mon",), ("Tue",)], [20, 40, 99])
    full, empty = chart.stacks
    assert full.answered_y + full.answered_h == chart.base and full.lost_y == charts.TOP
    assert (empty.answered_h, empty.lost_h, empty.otherwise_h) == (0, 0, 0) and chart.before.count("L") == 1


def test_an_hour_is_framed_when_over_a_third_of_it_was_missed() -> None:
    week = [[Bar()] * 24 for _ in range(7)]
    week[0][9], week[0][10], week[5][11], week[6][0] = Bar(9, 5, 4), Bar(9, 6, 3), Bar(90, 90, 0), Bar(1, 0, 1)
    squares = charts.heat(week)
    assert squares[0][9].is_framed and not squares[0][10].is_framed and not squares[6][0].is_framed
    assert (squares[5][11].step, squares[0][9].step, squares[6][0].step, squares[3][3].step) == (5, 1, 1, 0)


def test_a_running_period_is_measured_up_to_the_same_hour(office: Office, amy: Browser) -> None:
    now = datetime.now(office.box.zone)
    later = now.replace(tzinfo=None) - periods.WEEK + timedelta(minutes=40)
    rang(office, f"{now.replace(tzinfo=None) - timedelta(seconds=1):%Y-%m-%d %H:%M:%S}")
    rang(office, f"{now.replace(tzinfo=None) - periods.WEEK - timedelta(minutes=20):%Y-%m-%d %H:%M:%S}")
    rang(office, f"{later:%Y-%m-%d %H:%M:%S}")
    page = seen(amy, "/statistics?period=today")
    assert ", so far, against " in page and " up to the same hour" in page
    if later.date() == (now - periods.WEEK).date() and (now - timedelta(minutes=20)).date() == now.date():
        assert tile(page, "Calls in") == ("1", "as many as before")
