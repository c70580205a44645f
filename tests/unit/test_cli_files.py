"""`deskbell contact import|export` and `deskbell recording`: what the pages do, from the command line."""
from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import cli_contact_files
from appliance.config import Box
from appliance.people import cards, transfer_work
from appliance.people.cards import Wish
from appliance.store import db as store
from tests.unit.test_cli import add_call, office, run

__all__ = ["office"]
THREE = "Name,Number\nMargaret Osei,0170 1234567\nJosé Peña,0170 7654321\nNobody,pizza\n"


@pytest.fixture
def clock(box: Box) -> Iterator[None]:
    """What the clock's daemon does for files."""
    over = threading.Event()

    def work() -> None:
        db = store.connect(box.store)
        while not over.wait(0.02):
            transfer_work.attend(db, box, datetime.now(UTC))
        db.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def names(db: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in db.execute("SELECT name FROM contact ORDER BY name")]


def shown(db: sqlite3.Connection) -> dict[str, object]:
    """The only card, but for when it was last touched."""
    card = cards.card(db, db.execute("SELECT id FROM contact").fetchone()["id"])
    assert card is not None
    return {name: value for name, value in vars(card).items() if name != "updated_at"}


def test_a_file_is_only_read_until_it_is_meant(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection, clock: None, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(THREE)
    code, out, _ = run(capsys, "contact", "import", str(file))
    assert code == 0 and out.startswith("3 rows: ") and "Nothing was brought in" in out and names(office) == []
    code, out, _ = run(capsys, "contact", "import", str(file), "--yes")
    assert code == 0 and "Brought in: " in out
    assert "Margaret Osei" in names(office) and "José Peña" in names(office)


def test_what_goes_out_comes_in_equal(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection, clock: None, tmp_path: Path) -> None:
    with store.write(office):
        cards.save(office, Wish("Margaret Osei", company="Joinery", tags=["e-bike"], is_vip=True,
                                numbers=[("0170 1234567", "mobile")]), "DE", "Amy", datetime.now(UTC))
    for ending in ("csv", "xlsx", "vcf"):
        file = tmp_path / f"out.{ending}"
        assert run(capsys, "contact", "export", str(file))[0] == 0
        assert file.stat().st_mode & 0o777 == 0o600
        before = shown(office)
        assert "0 new, 1 " in run(capsys, "contact", "import", str(file), "--yes")[1], ending
        assert shown(office) == before, ending
    code, _, err = run(capsys, "contact", "export", str(tmp_path / "out.csv"))
    assert code == 2 and "was not written" in err, "nothing is overwritten"
    assert run(capsys, "contact", "export", str(tmp_path / "out.pdf"))[0] == 2


def test_a_file_that_cannot_be_read_and_a_clock_that_sleeps_are_said(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(capsys, "contact", "import", str(tmp_path / "none.csv"))[0] == 2
    (tmp_path / "customers.csv").write_text(THREE)
    monkeypatch.setattr(cli_contact_files, "ASLEEP_S", 0.3)
    code, _, err = run(capsys, "contact", "import", str(tmp_path / "customers.csv"))
    assert code == 2 and "Start deskbell-clock" in err


def test_recordings_are_listed_and_copied_out_and_who_did_is_written_down(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection, box: Box, tmp_path: Path) -> None:
    assert run(capsys, "recording", "list")[1] == "Nothing was recorded yet.\n"
    add_call(office, outcome="answered")
    box.recordings.mkdir(parents=True, exist_ok=True)
    (box.recordings / "1.wav").write_bytes(b"RIFFsound")
    with store.write(office):
        office.execute("INSERT INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut) "
                       "VALUES (1, '1.wav', '2026-11-21T20:10:23.000Z', 9000, 9, 0)")
    code, out, _ = run(capsys, "recording", "list")
    assert code == 0 and "     1  2026-11-21 21:10  0170 1234567  9 s" in out
    assert json.loads(run(capsys, "recording", "list", "--json")[1])["call"] == 1
    file = tmp_path / "call.wav"
    assert run(capsys, "recording", "export", "1", str(file))[0] == 0 and file.read_bytes() == b"RIFFsound"
    assert "(command line)" in office.execute("SELECT * FROM listening").fetchone()["by_user"]
    code, _, err = run(capsys, "recording", "export", "2", str(tmp_path / "two.wav"))
    assert code == 2 and "no recording" in err
