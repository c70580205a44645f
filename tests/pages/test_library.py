"""Recordings on the pages: the list, the player, stars, marks, notes, who listened, deleting."""

from __future__ import annotations

import io
import os
import re
import wave
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import settings
from appliance.calls import packing, retention
from appliance.people import changes
from appliance.store import db as store
from tests.desk import Browser, Office, hashed
from tests.unit.conftest import small_disk  # noqa: F401
from web import decoded

HOUR = timedelta(hours=1)


@pytest.fixture
def staff(office: Office, amy: Browser) -> Browser:
    return other(office, "Ben", "staff")


def other(office: Office, name: str, role: str) -> Browser:
    with store.write(office.db) as db:
        db.execute(
            "INSERT INTO user (name, password_hash, created_at, role) VALUES (?, ?, ?, ?)",
            (name, hashed(), store.iso(datetime.now(UTC)), role),
        )
    browser = Browser(office.server.port)
    assert browser.log_in(name).status == 303
    return browser


def taped(
    office: Office, number: str = "+4915123456789", age: timedelta = HOUR, seconds: int = 2, **given: object
) -> int:
    at = datetime.now(UTC) - age
    call_id = office.missed(number, at=at, **given)
    office.recorded(call_id, seconds)
    with store.write(office.db) as db:
        db.execute("UPDATE recording SET started_at = ? WHERE call_id = ?", (store.iso(at), call_id))
    return call_id


def packed(office: Office, call_id: int) -> Path:
    """The Opus that the clock made of a recording."""
    tape = packing.next_tape(office.db)
    assert tape and tape.call_id == call_id and packing.pack(office.db, office.box, tape)
    return office.box.recordings / f"{call_id}.opus"


def listed(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<li id="call-(\d+)"', page)]


# --- the file -----------------------------------------------------------------------------------
def test_a_recording_that_became_opus_is_served_so_and_as_wav_to_who_asks(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    before = amy.get(f"/recording/{call_id}?as=wav").body
    opus = packed(office, call_id)
    kept = amy.get(f"/recording/{call_id}")
    assert kept.headers["Content-Type"] == "audio/ogg; codecs=opus" and kept.body == opus.read_bytes()
    assert amy.get(f"/recording/{call_id}?as=opus").body == kept.body
    wav = amy.get(f"/recording/{call_id}?as=wav")
    assert wav.headers["Content-Type"] == "audio/wav" and len(wav.body) == len(before)
    with wave.open(io.BytesIO(wav.body)) as sound:
        assert sound.getparams()[:4] == (2, 2, 8000, 16000)


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
def test_a_decoded_copy_answers_ranges_and_is_made_once(
    office: Office, amy: Browser, asked: str, start: int, end: int | None
) -> None:
    call_id = taped(office)
    packed(office, call_id)
    whole = amy.get(f"/recording/{call_id}?as=wav")
    part = amy.get(f"/recording/{call_id}?as=wav", Range=asked, If_Range=whole.headers["ETag"])
    assert part.status == 206 and part.body == whole.body[start:end]
    assert len(list(office.box.decoded.iterdir())) == 1
    assert amy.get(f"/recording/{call_id}?as=wav", If_None_Match=whole.headers["ETag"]).status == 304


def test_a_download_is_named_after_what_it_is(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    packed(office, call_id)
    assert f'-{call_id}.opus"' in amy.get(f"/recording/{call_id}?download").headers["Content-Disposition"]
    assert f'-{call_id}.wav"' in amy.get(f"/recording/{call_id}?as=wav&download").headers["Content-Disposition"]


def test_an_opus_that_cannot_be_played_is_a_sentence_and_leaves_no_crumb(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    packed(office, call_id).write_bytes(b"OggS and rubbish")
    assert amy.get(f"/recording/{call_id}?as=wav").status == 503
    assert list(office.box.decoded.iterdir()) == []
    assert amy.get(f"/recording/{call_id}?as=mp3").status == 404


def test_copies_are_let_go_before_they_fill_the_disk(office: Office) -> None:
    for _ in range(4):
        call_id = taped(office)
        with packed(office, call_id).open("rb") as opus:
            os.close(decoded.copy_of(office.box, call_id, opus.fileno(), most_bytes=100_000))
    assert sorted(int(file.name.split("-")[0]) for file in office.box.decoded.iterdir()) == [3, 4]


def test_a_full_disk_decodes_nothing_more(office: Office, small_disk: Path) -> None:  # noqa: F811
    call_id = taped(office)
    box = replace(office.box, state=small_disk)
    os.posix_fallocate(os.open(small_disk / "filler", os.O_CREAT | os.O_WRONLY), 0, 20_300_000)
    with packed(office, call_id).open("rb") as opus, pytest.raises(OSError, match="no room"):
        decoded.copy_of(box, call_id, opus.fileno())
    assert list(box.decoded.iterdir()) == []


# --- the list -----------------------------------------------------------------------------------
def test_the_list_is_newest_first_a_page_at_a_time(office: Office, amy: Browser) -> None:
    made = [taped(office, age=HOUR * n, seconds=0) for n in range(1, 104)]
    seen, address = [], "/recordings"
    while address:
        page = amy.get(address).text
        seen += listed(page)
        older = re.search(r'href="(/recordings\?before=[^"]+)">Older', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == made


@pytest.fixture
def shelf(office: Office) -> dict[str, int]:
    """Four recordings that differ in everything one can look for."""
    shelf = {
        "halima": taped(office, "+447700900318", HOUR, contact="Halima Yusuf"),
        "line name": taped(office, "+493012345678", HOUR * 2, name="WEBER T"),
        "old": taped(office, "+4915123456789", timedelta(days=45)),
        "noted": taped(office, "+4915199999999", timedelta(days=100), contact="Al"),
    }
    with store.write(office.db) as db:
        db.execute("UPDATE call SET mark = 'complaint', extension = '102' WHERE id = ?", (shelf["old"],))
        db.execute("UPDATE call SET trunk = 'line2', mark = 'good' WHERE id = ?", (shelf["line name"],))
        db.execute("UPDATE recording SET is_starred = 1 WHERE call_id = ?", (shelf["noted"],))
        db.execute(
            "INSERT INTO note (call_id, text, by_user, created_at, updated_at) VALUES (?, ?, 'Amy', ?, ?)",
            (shelf["noted"], "The 50% \"loan\" bike", "2026-11-21T00:00:00.000Z", "2026-11-21T00:00:00.000Z"),
        )
    return shelf


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"halima", "line name", "old", "noted"}),
        ("q=halima", {"halima"}),
        ("q=YUSU", {"halima"}),
        ("q=eber", {"line name"}),
        ("q=loan", {"noted"}),
        ("q=50%25+%22loan", {"noted"}),
        ("q=Al", {"noted", "halima"}),
        ("q=0318", {"halima"}),
        ("q=01512+345", {"old"}),
        ("q=%25", {"noted"}),
        ("q=zzz", set()),
        ("q='", set()),
        ("mark=complaint", {"old"}),
        ("mark=good", {"line name"}),
        ("mark=wrong", {"halima", "line name", "old", "noted"}),
        ("star=1", {"noted"}),
        ("line=line2", {"line name"}),
        ("ext=102", {"old"}),
        ("until=2000-01-01", set()),
        ("since=2000-01-01&star=1", {"noted"}),
        ("since=not-a-day", {"halima", "line name", "old", "noted"}),
        ("q=halima&mark=good", set()),
    ],
)
def test_the_list_is_narrowed_by_what_its_address_says(
    amy: Browser, shelf: dict[str, int], query: str, found: set[str]
) -> None:
    assert set(listed(amy.get("/recordings?" + query).text)) == {shelf[name] for name in found}


def test_a_day_of_the_list_is_a_day_of_the_shop(office: Office, amy: Browser) -> None:
    """Berlin's 2 June begins at 22:00 UTC of the day before."""
    ids = []
    for moment in ("01T21:59:59.999", "01T22:00:00.000", "02T21:59:59.999", "02T22:00:00.000"):
        ids.append(taped(office))
        office.db.execute("UPDATE recording SET started_at = ? WHERE call_id = ?", (f"2026-06-{moment}Z", ids[-1]))
    assert sorted(listed(amy.get("/recordings?since=2026-06-02&until=2026-06-02").text)) == ids[1:3]


@pytest.mark.parametrize("query", ["before=x", "before=2026-11-21T00:00:00.000Z,99999999999999999999"])
def test_a_page_that_cannot_be_is_404(amy: Browser, query: str) -> None:
    assert amy.get("/recordings?" + query).status == 404


def test_one_player_is_open_at_a_time(office: Office, amy: Browser, shelf: dict[str, int]) -> None:
    page = amy.get(f"/recordings?open={shelf['old']}").text
    assert page.count("<desk-player") == page.count("<audio") == 1
    assert f'src="/recording/{shelf["old"]}?as=wav"' in page


def test_an_empty_list_says_what_will_appear_and_a_narrow_one_leads_back(office: Office, amy: Browser) -> None:
    assert "The first one appears here" in amy.get("/recordings").text
    page = amy.get("/recordings?q=nobody").text
    assert "No recording fits." in page and 'href="/recordings"' in page and "All recordings" in page


def test_the_list_says_how_long_they_are_kept_and_whether_calls_are_recorded(office: Office, amy: Browser) -> None:
    assert "Calls are not recorded now." in amy.get("/recordings").text
    with store.write(office.db) as db:
        settings.put(db, "record_calls", True)
        settings.put(db, "recording_keep_days", 1)
    page = amy.get("/recordings").text
    assert "Kept for 1 day, starred" in page and "not recorded now" not in page


# --- the player ---------------------------------------------------------------------------------
def test_the_player_offers_opus_first_and_wav_to_who_cannot(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    assert "<source" in amy.get(f"/call/{call_id}").text and "as=opus" not in amy.get(f"/call/{call_id}").text
    packed(office, call_id)
    sources = re.findall(r'<source src="([^"]+)" type="([^"]+)">', amy.get(f"/call/{call_id}").text)
    assert sources == [
        (f"/recording/{call_id}?as=opus", "audio/ogg; codecs=opus"),
        (f"/recording/{call_id}?as=wav", "audio/wav"),
    ]


def test_the_picture_has_a_bar_a_side_for_each_peak_and_weighs_little(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    packed(office, call_id)
    page = amy.get(f"/call/{call_id}").text
    caller, staff = re.findall(r'<path class="[ab]" d="([^"]+)"', page)[:2]
    assert caller.count("M") == staff.count("M") == 200 and "v-" in caller and "v-" not in staff
    assert len(page) < 40_000


def test_a_recording_whose_file_is_gone_says_so_and_has_no_player(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    (office.box.recordings / f"{call_id}.wav").unlink()
    retention.Sweeper(office.box).look(office.db, datetime.now(UTC))
    page = amy.get(f"/call/{call_id}").text
    assert "not on the disk any more" in page and "<desk-player" not in page
    assert "Gone" in amy.get("/recordings").text


# --- who listened -------------------------------------------------------------------------------
def test_the_owner_sees_who_listened_and_who_took_a_copy(office: Office, amy: Browser, staff: Browser) -> None:
    call_id = taped(office)
    for _ in range(3):
        assert staff.get(f"/recording/{call_id}", Range="bytes=0-").status == 206
    staff.get(f"/recording/{call_id}?download")
    staff.ask("HEAD", f"/recording/{call_id}")
    rows = [tuple(row) for row in office.db.execute("SELECT by_user, is_download FROM listening ORDER BY id")]
    assert rows == [("Ben", 0), ("Ben", 1)]
    assert "Who listened" in amy.get(f"/call/{call_id}").text
    assert "Who listened" not in staff.get(f"/call/{call_id}").text


def test_looking_at_a_page_is_not_listening(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    amy.get(f"/call/{call_id}"), amy.get(f"/recordings?open={call_id}"), amy.ask("HEAD", f"/recording/{call_id}")
    assert not office.db.execute("SELECT 1 FROM listening").fetchone()
    assert "Nobody yet." in amy.get(f"/call/{call_id}").text
    assert 'preload="none"' in amy.get(f"/call/{call_id}").text


def test_what_the_browser_still_has_is_listened_to_as_well(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    etag = amy.get(f"/recording/{call_id}").headers["ETag"]
    office.db.execute("DELETE FROM listening")
    assert amy.get(f"/recording/{call_id}", If_None_Match=etag).status == 304
    assert office.db.execute("SELECT count(*) FROM listening").fetchone()[0] == 1


def test_an_installer_hears_nothing_and_sees_no_list(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    installer = other(office, "Ines", "installer")
    for path in (f"/recording/{call_id}", f"/recording/{call_id}?as=wav", "/recordings", f"/call/{call_id}"):
        assert installer.get(path).status == 403, path


# --- star, mark, note, delete -------------------------------------------------------------------
def undone(browser: Browser, answer_to: str) -> None:
    """Presses Undo in the toast of the page one was sent to."""
    page = browser.get(answer_to).text
    key = re.search(r'name="done" value="([^"]+)"', page)
    assert key, "there is no way back"
    assert browser.post("/undo", {"done": key[1]}).status == 303


def test_a_star_keeps_a_recording_and_can_be_taken_back(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    starred = "SELECT is_starred FROM recording"
    answer = amy.post(f"/recording/{call_id}/star", {"star": "1"})
    assert answer.status == 303 and office.db.execute(starred).fetchone()[0] == 1
    undone(amy, answer.headers["Location"])
    assert office.db.execute(starred).fetchone()[0] == 0
    assert amy.post("/recording/999/star", {"star": "1"}).status == 404


def test_a_mark_is_kept_changed_and_taken_back(office: Office, amy: Browser, staff: Browser) -> None:
    call_id = taped(office)
    mark = "SELECT mark FROM call"
    for wanted in ("good", "complaint", "training"):
        answer = staff.post(f"/call/{call_id}/mark", {"mark": wanted})
        assert office.db.execute(mark).fetchone()[0] == wanted
    undone(staff, answer.headers["Location"])
    assert office.db.execute(mark).fetchone()[0] == "complaint"
    staff.post(f"/call/{call_id}/mark", {"mark": ""})
    assert office.db.execute(mark).fetchone()[0] is None
    assert staff.post(f"/call/{call_id}/mark", {"mark": "nonsense"}).status == 400
    assert staff.post("/call/999/mark", {"mark": "good"}).status == 404
    assert {line.by for line in changes.page(office.db, what="call")} == {"Ben"}


def test_a_note_is_kept_changed_emptied_and_taken_back(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    note = "SELECT text FROM note"
    amy.post(f"/call/{call_id}/note", {"note": "Brakes"})
    answer = amy.post(f"/call/{call_id}/note", {"note": "Brakes, both <ends>"})
    assert "Brakes, both &lt;ends&gt;</textarea>" in amy.get(f"/call/{call_id}").text
    undone(amy, answer.headers["Location"])
    assert office.db.execute(note).fetchone()[0] == "Brakes"
    emptied = amy.post(f"/call/{call_id}/note", {"note": "  "})
    assert office.db.execute(note).fetchone() is None
    undone(amy, emptied.headers["Location"])
    assert office.db.execute(note).fetchone()[0] == "Brakes"
    assert amy.post("/call/999/note", {"note": "x"}).status == 404


def test_the_owner_deletes_a_recording_and_may_change_his_mind(office: Office, amy: Browser, staff: Browser) -> None:
    call_id = taped(office)
    assert staff.post(f"/recording/{call_id}/delete").status == 403
    assert "Delete the recording" not in staff.get(f"/call/{call_id}").text
    answer = amy.post(f"/recording/{call_id}/delete")
    assert amy.get(f"/recording/{call_id}").status == 404 and listed(amy.get("/recordings").text) == []
    undone(amy, answer.headers["Location"])
    assert amy.get(f"/recording/{call_id}").status == 200
    amy.post(f"/recording/{call_id}/delete")
    retention.take_away(office.db, office.box, datetime.now(UTC) + timedelta(minutes=16))
    assert not (office.box.recordings / f"{call_id}.wav").exists()
    assert amy.post(f"/recording/{call_id}/delete").status == 404


def test_every_form_of_the_call_page_needs_its_token(office: Office, amy: Browser) -> None:
    assert taped(office) == 1
    for path in ("/call/1/note", "/call/1/mark", "/recording/1/star", "/recording/1/delete"):
        assert amy.post(path, {"note": "x", "mark": "good", "star": "1"}, token="").status == 403
    assert not office.db.execute("SELECT 1 FROM note").fetchone()


def test_the_decoder_is_never_run_on_a_wav(office: Office, amy: Browser) -> None:
    call_id = taped(office)
    assert amy.get(f"/recording/{call_id}?as=opus").headers["Content-Type"] == "audio/wav"
    assert not office.box.decoded.exists()
