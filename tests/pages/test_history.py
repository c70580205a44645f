"""What the history and a call's page say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from appliance.calls import history
from appliance.store import db as store
from tests.desk import Browser, Office

S = "\N{NO-BREAK SPACE}s"
EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}",
    "{% raw %}",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "\u202eevil",
    "a" * 300,
    "&lt;b&gt;",
    "${7*7}",
]


def test_history_shows_a_missed_call_with_its_text(office: Office, amy: Browser) -> None:
    office.texted(office.missed("+4915123456789", name="Margaret Osei"))
    page = amy.get("/history").text
    assert "Margaret Osei" in page and "01512 3456789" in page
    assert f"Missed, rang 24{S}" in page and "Texted, delivered" in page


def test_an_empty_history_says_what_will_appear(amy: Browser) -> None:
    assert "The first one appears here while it rings" in amy.get("/history").text


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("busy", "Busy"),
        ("rejected", "Rejected"),
        ("failed", "Failed"),
        ("blocked", "Blocked"),
        ("abandoned", "Left the queue"),
        ("interrupted", "Cut off"),
        ("voicemail", "Voicemail"),
    ],
)
def test_every_outcome_has_its_word_and_its_sentence(office: Office, amy: Browser, outcome: str, said: str) -> None:
    call_id = office.call()
    office.ended(call_id, outcome)
    assert said in amy.get("/history").text and f"<b>{said}.</b>" in amy.get(f"/call/{call_id}").text


def test_an_outgoing_call_says_so(office: Office, amy: Browser) -> None:
    call_id = office.call(direction="out")
    office.ended(call_id, "missed")
    assert "Outgoing, not answered" in amy.get("/history").text
    page = amy.get(f"/call/{call_id}").text
    assert "Counter called" in page and "Nobody answered there." in page


def test_the_chain_of_a_missed_call_has_every_step_with_its_time(office: Office, amy: Browser) -> None:
    at = datetime(2026, 11, 17, 10, 42, 7, tzinfo=UTC)
    call_id = office.call(at=at)
    office.ended(call_id, "missed", ring_ms=24_000)
    office.texted(call_id)
    page = amy.get(f"/call/{call_id}").text
    steps = re.findall(r'<time datetime="[^"]+">([\d:]+)</time>.*?<p>(.*?)</p>', page)
    assert [(when, re.sub(r"<[^>]+>", "", what)) for when, what in steps] == [
        ("11:42:07", "Rang on Line 1"),
        ("11:42:07", f"Counter and Workshop rang for 24{S}"),
        ("11:42:31", "Missed. Nobody had answered."),
        ("11:42:31", "Text queued"),
        ("11:42:34", "Text sent by the SIM"),
        ("11:42:38", "Delivered to the caller’s phone"),
    ]


def test_a_refused_text_gives_its_reason(office: Office, amy: Browser) -> None:
    call_id = office.missed("+4930901820")
    office.not_texted(call_id, "landline", "Not texted: a landline cannot take texts.")
    assert "Not texted: a landline cannot take texts." in amy.get("/history").text
    assert amy.get(f"/call/{call_id}").text.count("Not texted: a landline cannot take texts.") == 2
    second = office.missed("+4915123456789")
    office.not_texted(second, "pause", "texted 40 min ago")
    assert "Not texted: texted 40 min ago." in amy.get("/history").text


def test_an_answered_call_does_not_explain_why_it_was_not_texted(office: Office, amy: Browser) -> None:
    call_id = office.call()
    office.answered(call_id)
    office.ended(call_id, "answered", talk_ms=192_000)
    office.not_texted(call_id, "answered", "Not texted: the call was answered.")
    page = amy.get("/history").text
    assert "Answered, 3\N{NO-BREAK SPACE}min 12" in page and "Not texted" not in page + amy.get(f"/call/{call_id}").text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("failed", "The network refused it."),
        ("unknown", "The SIM never answered."),
        ("expired", "Not delivered."),
        ("held", "Held back."),
    ],
)
def test_a_text_that_did_not_arrive_says_why(office: Office, amy: Browser, state: str, said: str) -> None:
    call_id = office.missed()
    office.texted(call_id, state)
    assert said in amy.get(f"/call/{call_id}").text


def test_withheld_and_unavailable_numbers_have_words(office: Office, amy: Browser) -> None:
    office.missed(None, presentation="withheld", name="Anonymous")
    office.missed(None, presentation="unavailable")
    page = amy.get("/history").text
    assert "Number withheld" in page and "No number came with the call" in page and "Anonymous" not in page


@pytest.mark.parametrize("name", EVIL)
def test_what_a_caller_wrote_is_only_ever_text(office: Office, amy: Browser, name: str) -> None:
    call_id = office.missed("+4915123456789", name=name)
    office.texted(call_id, text=name)
    for path in ("/history", f"/call/{call_id}", f"/history?open={call_id}"):
        page = amy.get(path).text
        assert (
            "<script>" not in page
            and "<img" not in page
            and "<svg onload" not in page
            and "49" not in page.split("<title>")[1].split("</title>")[0]
        )
        if "<" in name:
            assert (
                name not in page
                and name.replace("<", "&lt;").split(">")[0].replace('"', "&#34;").replace("'", "&#39;") in page
            )


def test_times_are_the_shops_over_the_change_of_clocks(office: Office, amy: Browser) -> None:
    summer = office.missed(at=datetime(2026, 7, 1, 21, 30, tzinfo=UTC))
    winter = office.missed(at=datetime(2026, 12, 1, 21, 30, tzinfo=UTC))
    assert "23:30:00" in amy.get(f"/call/{summer}").text and "22:30:00" in amy.get(f"/call/{winter}").text


def test_pages_follow_each_other_without_gap_or_repeat(office: Office, amy: Browser) -> None:
    same = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
    ids = [office.missed(at=same + timedelta(minutes=n // 3)) for n in range(130)]
    seen: list[int] = []
    path = "/history"
    while path:
        page = amy.get(path).text
        seen += [int(found) for found in re.findall(r'<li id="call-(\d+)"', page)]
        older = re.search(r'href="(/history\?[^"]*before=[^"]+)">Older', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == sorted(ids, reverse=True)


def test_filters_keep_what_they_say(office: Office, amy: Browser) -> None:
    missed = office.missed()
    answered = office.call()
    office.answered(answered)
    office.ended(answered, "answered", talk_ms=1000)
    out = office.call(direction="out")
    office.ended(out, "missed")
    for show, expected in (("missed", [missed]), ("answered", [answered]), ("outgoing", [out])):
        page = amy.get(f"/history?show={show}").text
        assert [int(found) for found in re.findall(r'<li id="call-(\d+)"', page)] == expected


def test_a_row_opens_without_script(office: Office, amy: Browser) -> None:
    call_id = office.missed()
    page = amy.get(f"/history?open={call_id}").text
    assert 'aria-expanded="true"' in page and "Nobody had answered." in page


def test_a_page_never_walks_the_table(office: Office) -> None:
    for before in (None, history.Key("2026-01-01T00:00:00.000Z", 5)):
        edge = before or history.Key("9999", history.LARGEST_ID)
        rows = office.db.execute(
            f"""EXPLAIN QUERY PLAN {history.CALL} WHERE (call.started_at, call.id) < (?, ?)
            ORDER BY call.started_at DESC, call.id DESC LIMIT 51""",
            (edge.started_at, edge.id),
        ).fetchall()
        assert any("call_started" in row["detail"] for row in rows)
        assert not any(row["detail"].startswith("SCAN") for row in rows)
        assert not any("TEMP B-TREE" in row["detail"] for row in rows if row["parent"] == 0)


def test_a_live_call_rings_in_the_history(office: Office, amy: Browser) -> None:
    call_id = office.call(contact="Margaret Osei")
    page = amy.get("/history").text
    assert 'class="ring"' in page and "Ringing" in page
    office.answered(call_id)
    assert "Talking" in amy.get("/history").text


def test_rows_from_before_the_clock_was_set_say_so(office: Office, amy: Browser) -> None:
    call_id = office.missed()
    office.db.execute("UPDATE call SET is_clock_set = 0 WHERE id = ?", (call_id,))
    assert "did not know the time yet" in amy.get(f"/call/{call_id}").text
    assert store.data_version(office.db)
