"""The pages of backups: what an owner sees, asks for, adds, takes away and brings back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.backup import rows
from appliance.backup.worker import Worker
from tests.desk import Answer, Browser, Office

WORDS = "larkspur kettle orange bridge"


class Night:
    """The clock's part, without the clock: it serves what the pages asked for."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.worker = Worker(office.box, lambda: datetime.now(UTC), log_n=10)

    def serve(self) -> None:
        while self.worker.serve(is_clock_set=False):
            pass


@pytest.fixture
def night(office: Office) -> Iterator[Night]:
    made = Night(office)
    made.serve()
    yield made
    made.worker.close()


def send_file(browser: Browser, file: Path, passphrase: str, token: str | None = None) -> Answer:
    """The form of a file, as a browser sends it."""
    mark = "----" + secrets.token_hex(8)
    fields = {"token": browser.token() if token is None else token, "passphrase": passphrase}
    body = b"".join(
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    body += (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += file.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    return browser.ask(
        "POST",
        "/backups/upload",
        body,
        {
            "Accept": "text/html",
            "Origin": f"http://{browser.host}:{browser.port}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": f"multipart/form-data; boundary={mark}",
        },
    )


def made(office: Office, night: Night, amy: Browser) -> rows.Backup:
    amy.post("/backups/now")
    night.serve()
    one = rows.last_proven(office.db)
    assert one is not None
    return one


def test_backup_now_is_made_proved_and_stands_first(office: Office, amy: Browser, night: Night) -> None:
    office.missed()
    assert "If this box is stolen tonight, you lose everything" in amy.get("/backups").text
    amy.post("/backups/now")
    assert "A backup to “This box” is being made" in amy.get("/backups").text
    night.serve()
    page = amy.get("/backups").text
    assert "Last backup: Today" in page and "stamp big" in page and "being made" not in page
    assert '<dt>Calls</dt><dd class="v">1</dd>' in page


def test_one_that_is_asked_for_can_be_called_off(office: Office, amy: Browser, night: Night) -> None:
    amy.post("/backups/now")
    amy.post("/backups/cancel", {"id": "1"})
    night.serve()
    assert "Called off" in amy.get("/backups").text and rows.last_proven(office.db) is None


def test_the_file_of_this_box_is_downloaded_whole(office: Office, amy: Browser, night: Night) -> None:
    one = made(office, night, amy)
    answer = amy.get(f"/backups/file/{one.id}")
    assert answer.body == (office.box.state / "backups" / str(one.file)).read_bytes()
    assert f'filename="{one.file}"' in answer.headers["Content-Disposition"]
    assert amy.get("/backups/file/999").status == 404


def test_a_link_in_the_place_of_a_backup_is_not_followed(office: Office, amy: Browser, night: Night) -> None:
    one = made(office, night, amy)
    file = office.box.state / "backups" / str(one.file)
    file.unlink()
    file.symlink_to("/etc/passwd")
    assert amy.get(f"/backups/file/{one.id}").status == 404


def test_a_passphrase_is_typed_twice_and_never_shown(office: Office, amy: Browser, night: Night) -> None:
    page = amy.post("/backups/passphrase", {"passphrase": WORDS, "again": "something else"})
    assert page.status == 400 and "The two are not the same" in page.text
    page = amy.post("/backups/passphrase", {"passphrase": "short", "again": "short"})
    assert "12 to 256 characters" in page.text
    assert amy.post("/backups/passphrase", {"passphrase": WORDS, "again": WORDS}).status == 303
    one = made(office, night, amy)
    assert one.is_encrypted and WORDS not in amy.get("/backups").text + amy.get("/backups/card").text
    assert "Encrypted. Only your passphrase opens them." in amy.get("/backups").text


def test_a_place_is_added_tried_changed_removed_and_put_back(office: Office, amy: Browser, night: Night) -> None:
    amy.post("/backups/place", {"kind": "usb", "address": "KINGFISHER", "name": "Stick", "recordings": "all"})
    night.serve()
    page = amy.get("/backups").text
    assert "Stick is not plugged in. Plug it in and press Try." in page
    place = next(at for at in rows.places(office.db) if at.kind == "usb")
    amy.post("/backups/place/save", {"id": str(place.id), "daily": "3", "weekly": "2", "monthly": "1",
                                     "recordings": "none"})
    kept = rows.place(office.db, place.id)
    assert (kept.daily, kept.weekly, kept.monthly, kept.is_nightly, kept.recordings) == (3, 2, 1, False, "none")
    answer = amy.post("/backups/place/remove", {"id": str(place.id)})
    assert len(rows.places(office.db)) == 1
    key = re.search(r"done=([^#&]+)", answer.headers["Location"])
    assert key and amy.post("/undo", {"done": key[1]}).status == 303
    assert rows.place(office.db, place.id).address == "KINGFISHER"


@pytest.mark.parametrize(("form", "told"), [
    ({"kind": "sftp", "address": "nas.local", "user": "amy", "name": "NAS"}, "is no network folder"),
    ({"kind": "sftp", "address": "nas.local/b", "name": "NAS"}, "wants a user name"),
    ({"kind": "smb", "address": "nas.local/../b", "user": "amy", "name": "NAS"}, "is no network folder"),
    ({"kind": "box", "address": "x", "name": "X"}, "A place is a USB stick or a network folder."),
    ({"kind": "usb", "address": "x", "name": "This box"}, "There is a place called This box already."),
])
def test_a_place_that_cannot_be_is_said_in_words(office: Office, amy: Browser, night: Night, form: dict[str, str],
                                                 told: str) -> None:
    page = amy.post("/backups/place", form)
    assert page.status == 400 and told in page.text and len(rows.places(office.db)) == 1


def test_this_box_cannot_be_taken_off_the_list(office: Office, amy: Browser) -> None:
    amy.post("/backups/place/remove", {"id": "1"})
    assert len(rows.places(office.db)) == 1


def test_a_restore_shows_what_would_change_and_asks_before(office: Office, amy: Browser, night: Night) -> None:
    office.missed()
    one = made(office, night, amy)
    office.missed("+4915199999999")
    amy.post("/backups/restore", {"backup": str(one.id), "passphrase": ""})
    night.serve()
    page = amy.get("/backups/restore").text
    assert "1 call since then would go." in page and "Restore it" in page
    assert office.db.execute("SELECT count(*) FROM call").fetchone()[0] == 2
    answer = amy.post("/backups/restore/agree", {"id": "1"})
    night.serve()
    assert office.db.execute("SELECT count(*) FROM call").fetchone()[0] == 1
    page = amy.get(answer.headers["Location"])
    assert page.status == 200 and "Restored. Every row was checked before." in page.text
    assert "Bring back what was here before" in page.text


def test_a_restore_that_is_left_changes_nothing(office: Office, amy: Browser, night: Night) -> None:
    office.missed()
    one = made(office, night, amy)
    office.missed("+4915199999999")
    amy.post("/backups/restore", {"backup": str(one.id), "passphrase": ""})
    night.serve()
    amy.post("/backups/restore/leave", {"id": "1"})
    amy.post("/backups/restore/agree", {"id": "1"})
    night.serve()
    assert office.db.execute("SELECT count(*) FROM call").fetchone()[0] == 2


def test_a_file_that_is_sent_is_restored_with_its_passphrase(office: Office, amy: Browser, night: Night,
                                                             tmp_path: Path) -> None:
    amy.post("/backups/passphrase", {"passphrase": WORDS, "again": WORDS})
    office.missed()
    one = made(office, night, amy)
    kept = tmp_path / "kept.tar.zst.age"
    kept.write_bytes((office.box.state / "backups" / str(one.file)).read_bytes())
    office.missed("+4915199999999")
    assert send_file(amy, kept, "not these four words").status == 303
    night.serve()
    page = amy.get("/backups/restore?of=1").text
    assert "The passphrase does not open it. Nothing was changed." in page
    assert send_file(amy, kept, WORDS).status == 303
    night.serve()
    amy.post("/backups/restore/agree", {"id": "2"})
    night.serve()
    assert rows.restore(office.db, 2).state == "restored"
    assert office.db.execute("SELECT count(*) FROM call").fetchone()[0] == 1


def test_what_is_no_backup_is_refused_in_words(office: Office, amy: Browser, night: Night, tmp_path: Path) -> None:
    (tmp_path / "cat.zst").write_bytes(b"a picture of a cat" * 100)
    send_file(amy, tmp_path / "cat.zst", "")
    night.serve()
    assert "It is not a backup of Deskbell. Nothing was changed." in amy.get("/backups/restore?of=1").text


def test_a_file_without_the_token_is_not_kept(office: Office, amy: Browser, night: Night, tmp_path: Path) -> None:
    (tmp_path / "cat.zst").write_bytes(b"a picture of a cat" * 100)
    assert send_file(amy, tmp_path / "cat.zst", "", token="guessed").status == 403
    assert rows.last_restore(office.db) is None


def test_the_card_says_what_to_do_and_no_secret(office: Office, amy: Browser, night: Night) -> None:
    amy.post("/backups/place", {"kind": "sftp", "address": "nas.local/backups", "user": "amy",
                                "password": "sekret-password", "name": "NAS"})
    page = amy.get("/backups/card").text
    assert "bring a new box to life" in page and "nas.local/backups" in page and "sekret" not in page
    picture = amy.get("/backups/card.svg")
    assert picture.headers["Content-Type"] == "image/svg+xml" and b"<script" not in picture.body


def test_what_was_asked_and_fetched_stands_in_the_log(office: Office, amy: Browser, night: Night) -> None:
    one = made(office, night, amy)
    amy.get(f"/backups/file/{one.id}")
    what = [row["what"] for row in office.db.execute("SELECT what FROM change")]
    assert "backup" in what and "backup download" in what
