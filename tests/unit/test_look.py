"""What the clock sees of the box reaches the page Today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.box import health
from appliance.box.look import Eye
from appliance.calls import today
from appliance.config import Box
from appliance.store import db as store


def box_at(folder: Path) -> Box:
    box = Box(state=folder / "state", spool=folder / "spool", run=folder / "run")
    box.state.mkdir()
    store.migrate(store.connect(box.store))
    return box


def test_what_is_found_is_kept_with_its_time(tmp_path: Path) -> None:
    box = box_at(tmp_path)
    Eye(box).look()
    kept = today.look(store.connect(box.store))
    assert kept is not None and kept.findings == health.findings(box)
    assert any("No line is set up" in finding for finding in kept.findings)
    assert datetime.now(UTC) - kept.at < timedelta(minutes=1)


def test_a_second_look_replaces_the_first(tmp_path: Path) -> None:
    box = box_at(tmp_path)
    db = store.connect(box.store)
    with store.write(db):
        today.keep_look(db, ["Something was wrong."], datetime.now(UTC))
    eye = Eye(box)
    eye.look()
    eye.look()
    kept = today.look(db)
    assert kept is not None and "Something was wrong." not in kept.findings
    assert db.execute("SELECT count(*) FROM health_look").fetchone()[0] == 1


def test_a_box_without_a_store_keeps_nothing_and_goes_on(tmp_path: Path) -> None:
    box = Box(state=tmp_path / "none" / "state", spool=tmp_path / "spool", run=tmp_path / "run")
    Eye(box).look()
    assert not box.store.exists()
