"""Recordings over HTTP."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.desk import Browser, Office
from web.recordings import byte_range


@pytest.fixture
def wav(office: Office) -> tuple[int, bytes]:
    call_id = office.missed()
    return call_id, office.recorded(call_id).read_bytes()


def test_a_recording_is_served_whole(amy: Browser, wav: tuple[int, bytes]) -> None:
    answer = amy.get(f"/recording/{wav[0]}")
    assert answer.status == 200 and answer.body == wav[1] and answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=10-999999999", 10, None),
        ("bytes=0-0", 0, 1),
    ],
)
def test_a_player_gets_the_part_it_asks_for(
    amy: Browser, wav: tuple[int, bytes], asked: str, start: int, end: int | None
) -> None:
    answer = amy.get(f"/recording/{wav[0]}", Range=asked)
    part = wav[1][start:end]
    first = start if start >= 0 else len(wav[1]) + start
    assert answer.status == 206 and answer.body == part
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(wav[1])}"
    assert int(answer.headers["Content-Length"]) == len(part)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_part_outside_the_file_is_416(amy: Browser, wav: tuple[int, bytes], asked: str) -> None:
    answer = amy.get(f"/recording/{wav[0]}", Range=asked)
    assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{len(wav[1])}"


@pytest.mark.parametrize(
    "asked", ["bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "bytes=" + "9" * 5000 + "-"]
)
def test_a_range_that_is_none_gets_the_whole(amy: Browser, wav: tuple[int, bytes], asked: str) -> None:
    assert amy.get(f"/recording/{wav[0]}", Range=asked).body == wav[1]


def test_if_range_of_another_file_gets_the_whole(amy: Browser, wav: tuple[int, bytes]) -> None:
    etag = amy.get(f"/recording/{wav[0]}").headers["ETag"]
    assert amy.get(f"/recording/{wav[0]}", Range="bytes=0-9", If_Range=etag).status == 206
    assert amy.get(f"/recording/{wav[0]}", Range="bytes=0-9", If_Range='"other"').status == 200
    assert amy.get(f"/recording/{wav[0]}", If_None_Match=etag).status == 304


def test_head_has_no_body_and_a_download_has_a_name(amy: Browser, wav: tuple[int, bytes]) -> None:
    head = amy.ask("HEAD", f"/recording/{wav[0]}")
    assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) == len(wav[1])
    assert 'attachment; filename="call-' in amy.get(f"/recording/{wav[0]}?download").headers["Content-Disposition"]


@pytest.mark.parametrize(
    "file", ["../office.db", "/etc/passwd", "link.wav", "folder/../../office.db", "folder", "linked/x.wav", ""]
)
def test_no_name_in_the_store_leads_out_of_the_folder(
    office: Office, amy: Browser, wav: tuple[int, bytes], file: str
) -> None:
    folder = office.box.recordings
    os.symlink(office.box.store, folder / "link.wav")
    (folder / "folder").mkdir()
    os.symlink("/etc", folder / "linked")
    office.db.execute("UPDATE recording SET file = ? WHERE call_id = ?", (file, wav[0]))
    assert amy.get(f"/recording/{wav[0]}").status == 404


def test_a_row_without_its_file_is_404(office: Office, amy: Browser, wav: tuple[int, bytes]) -> None:
    (office.box.recordings / f"{wav[0]}.wav").unlink()
    assert amy.get(f"/recording/{wav[0]}").status == 404


@given(asked=some.text(max_size=40) | some.from_regex(r"bytes=\d*-\d*", fullmatch=True), size=some.integers(0, 10_000))
def test_any_range_header_stays_inside_the_file(asked: str, size: int) -> None:
    part = byte_range(asked, size)
    assert part is None or not part or 0 <= part.start < part.stop <= size
