"""The store crosses versions: forward with a snapshot, back with every row, and nothing is texted twice."""
from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.config import Box
from appliance.store import db as store
from appliance.update import crossing
from appliance.update.crossing import CrossingError
from tests.unit.spool import SpoolFile
from tests.unit.test_store import REPO, house_with, python
from tests.unit.texting import CALLER, Office

NOW = datetime(2026, 11, 22, 2, 40, tzinfo=UTC)
CROSS = """if True:
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from appliance.config import Box
    from appliance.update import crossing
    print(crossing.cross(Box(state=Path(sys.argv[1]), spool=Path(sys.argv[2])), datetime.now(UTC)))
"""
ADDS = """ALTER TABLE call ADD COLUMN mood TEXT;
CREATE TABLE mood (id INTEGER PRIMARY KEY, word TEXT) STRICT;
"""
SEARCHES_ANEW = """DROP TABLE contact_search;
CREATE VIRTUAL TABLE contact_search USING fts5 (name, other_name, company, content = '', contentless_delete = 1);
"""
TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect", "shutil.copyfile", "os.scandir",
           "os.listdir"}


@pytest.fixture
def office(db: sqlite3.Connection, box: Box, spool: SpoolFile) -> Office:
    """With a rule that texts who was missed, one text that waits and one that went."""
    made = Office(db, box)
    made.rule(is_on=True)
    made.call("+491701111111")
    with store.write(db):
        db.execute("UPDATE sms SET state = 'sent'")
        db.execute("UPDATE segment SET state = 'sent'")
        db.execute("INSERT INTO webhook (name, url, secret, kinds, created_at) VALUES "
                   "('till', 'https://till', 's', '[\"sms.received\"]', ?)", (store.iso(NOW),))
    made.call(CALLER)
    assert states(box) == {"+491701111111": "sent", CALLER: "queued"}
    return made


def states(box: Box) -> dict[str, str]:
    """What became of the texts, by number."""
    with contextlib.closing(sqlite3.connect(box.store)) as db:
        return dict(db.execute("SELECT number, state FROM sms ORDER BY id"))


def calls(box: Box) -> list[str]:
    with contextlib.closing(sqlite3.connect(box.store)) as db:
        return [row[0] for row in db.execute("SELECT linkedid FROM call ORDER BY linkedid")]


def next_version(tmp_path: Path, sql: str) -> Path:
    """Our code with one schema step more."""
    house = house_with(tmp_path, "0099_newer", sql)
    (house / "hw").symlink_to(REPO / "hw")
    return house


def newer_version_runs(box: Box, tmp_path: Path, sql: str) -> None:
    """The next version starts: it takes the store forward."""
    process = python(CROSS, box.state, box.spool, house=next_version(tmp_path, sql))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "0099_newer" in out) == (0, True), err


def meanwhile(box: Box, spool: SpoolFile) -> None:
    """The newer version sends what waited, takes a call and texts its caller."""
    began = time.time() - 30
    for kind, after_s in (("CHAN_START", 0), ("CHAN_END", 20), ("LINKEDID_END", 20)):
        spool.raw(kind=kind, at=f"{began + after_s:.6f}", caller_id="+491702222222", caller_name="", extension="s",
                  context="from-trunk", channel="PJSIP/line1-01", application="", uniqueid="9.0", linkedid="9.0",
                  extra="", boot="2")
    with contextlib.closing(sqlite3.connect(box.store)) as db, db:
        db.execute("UPDATE sms SET state = 'sent', sent_at = ? WHERE number = ?", (store.iso(NOW), CALLER))
        db.execute("UPDATE segment SET state = 'sent' WHERE sms_id IN (SELECT id FROM sms WHERE number = ?)", (CALLER,))
        call_id = db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, number, presentation, started_at,
                              ended_at, outcome, is_clock_set)
            VALUES ('box1', 2, '9.0', 'line1', 'in', '0170', '+491702222222', 'allowed', ?, ?, 'missed', 1)""",
            (store.iso(NOW), store.iso(NOW))).lastrowid
        db.execute("""
            INSERT INTO sms (direction, number, text, state, call_id, rule, created_at, due_at, updated_at)
            VALUES ('out', '+491702222222', 'Sorry', 'sending', ?, 'missed', ?, ?, ?)""",
            (call_id, *[store.iso(NOW)] * 3))
        db.execute("INSERT INTO opt_out (number, at, source) VALUES ('+491703333333', ?, 'reply')", (store.iso(NOW),))
        db.execute("""
            INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at)
            VALUES ('in', '+491705555555', 'Thanks', 'received', ?, ?, ?)""", [store.iso(NOW)] * 3)
        db.execute("INSERT INTO ledger_cursor (spool, position) VALUES (?, 3)", (spool.id,))


def columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def whole(box: Box) -> None:
    """A store of this version, without a row that belongs to none."""
    db = store.connect(box.store)
    assert crossing.applied_steps(db) == crossing.steps() and not store.migrate(db)
    assert not db.execute("PRAGMA foreign_key_check").fetchall()
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    db.close()


def test_a_store_of_this_version_is_left_alone(office: Office, box: Box) -> None:
    assert crossing.cross(box, NOW) == ""
    assert not list(crossing.snapshots(box).iterdir())


def test_forward_a_snapshot_is_kept_and_it_is_the_store_of_before(office: Office, box: Box, tmp_path: Path) -> None:
    office.db.close()
    newer_version_runs(box, tmp_path, ADDS)
    kept = crossing.snapshots(box) / f"{max(crossing.steps())}.db"
    before = store.connect(kept)
    assert crossing.applied_steps(before) == crossing.steps()
    assert dict(before.execute("SELECT number, state FROM sms").fetchall()) == states(box)
    with contextlib.closing(sqlite3.connect(box.store)) as db:
        assert "mood" in columns(db, "call")


def test_no_snapshot_no_migration(office: Office, box: Box, tmp_path: Path) -> None:
    """A full disk: the store stays that of the version before, which can read it."""
    office.db.close()
    full = CROSS.replace("    print(", "    import shutil\n    shutil.disk_usage = lambda path: "
                         "type('', (), {'free': 1000})\n    print(")
    process = python(full, box.state, box.spool, house=next_version(tmp_path, ADDS))
    assert "There is no room for a copy of the store" in process.communicate(timeout=60)[1]
    whole(box)


def test_back_with_every_row_of_the_newer_version(office: Office, box: Box, spool: SpoolFile, tmp_path: Path) -> None:
    office.db.close()
    newer_version_runs(box, tmp_path, ADDS)
    meanwhile(box, spool)
    said = crossing.cross(box, NOW)
    assert said == "The store went back from 0099_newer with all its rows."
    whole(box)
    assert states(box) == {"+491701111111": "sent", CALLER: "sent", "+491702222222": "sending",
                           "+491705555555": "received"}
    assert "9.0" in calls(box)
    db = store.connect(box.store)
    assert db.execute("SELECT position FROM ledger_cursor").fetchone()[0] == 3, "nothing is read twice"
    assert db.execute("SELECT 1 FROM opt_out WHERE number = '+491703333333'").fetchone()
    newer = sqlite3.connect(crossing.snapshots(box) / "newer-0099_newer.db")
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")]
    for table in set(tables) - {"_sqlite_migrations"}:
        count = f'SELECT count(*) FROM "{table}"'
        assert db.execute(count).fetchone()[0] == newer.execute(count).fetchone()[0], table
    assert db.execute("SELECT sum(calls) FROM call_tally").fetchone()[0] == newer.execute(
        "SELECT sum(calls) FROM call_tally").fetchone()[0], "what triggers keep up is not counted twice"
    assert crossing.cross(box, NOW) == ""


def test_back_to_the_snapshot_where_rows_do_not_fit_and_nothing_goes_twice(
        office: Office, box: Box, spool: SpoolFile, tmp_path: Path) -> None:
    office.db.close()
    newer_version_runs(box, tmp_path, SEARCHES_ANEW)
    meanwhile(box, spool)
    said = crossing.cross(box, NOW)
    assert said == ("The store went back to the copy from before 0099_newer. 1 calls since then were read again from "
                    "Asterisk's ledger.")
    whole(box)
    # what waited, and what the call that is read again would have caused: a person decides
    assert states(box)["+491701111111"] == "sent" and states(box)[CALLER] == "unknown" and "9.0" in calls(box)
    assert states(box)["+491702222222"] == "unknown", "its caller was texted by the newer version, for all we know"
    assert set(states(box).values()) == {"sent", "unknown"}
    db = store.connect(box.store)
    assert not db.execute("SELECT 1 FROM segment WHERE state IN ('queued', 'sending')").fetchone()
    assert db.execute("SELECT 1 FROM opt_out WHERE number = '+491703333333'").fetchone()
    assert db.execute("SELECT reason FROM sms WHERE number = ?", (CALLER,)).fetchone()[0] == crossing.MAY_HAVE_GONE


def test_a_newer_store_without_a_snapshot_is_left_as_it_is(office: Office, box: Box, tmp_path: Path) -> None:
    office.db.close()
    newer_version_runs(box, tmp_path, ADDS)
    for file in crossing.snapshots(box).glob("*.db"):
        file.unlink()
    before = box.store.read_bytes()
    with pytest.raises(CrossingError, match="no copy from before is kept"):
        crossing.cross(box, NOW)
    assert box.store.read_bytes() == before


def cut_at(box: Box, count: int) -> bool:
    """Crosses in a process of its own, which is killed when it touches a file for the count-th time; whether it was."""
    child = os.fork()
    if child == 0:
        seen = [0]

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event in TOUCHES:
                seen[0] += 1
                if seen[0] == count:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            crossing.cross(box, NOW)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("sql", [ADDS, SEARCHES_ANEW], ids=["every row", "the snapshot"])
def test_cut_at_every_step_back_it_ends_the_same(office: Office, box: Box, spool: SpoolFile, tmp_path: Path,
                                                 sql: str) -> None:
    office.db.close()
    newer_version_runs(box, tmp_path, sql)
    meanwhile(box, spool)
    before = tmp_path / "before"
    shutil.copytree(box.state, before)
    count, ends = 0, set()
    while True:
        count += 1
        shutil.rmtree(box.state)
        shutil.copytree(before, box.state)
        was_cut = cut_at(box, count)
        crossing.cross(box, NOW)
        whole(box)
        ends.add((tuple(states(box).items()), tuple(calls(box))))
        assert not list(crossing.snapshots(box).glob("*.tmp*"))
        if not was_cut:
            break
    assert count > 10 and len(ends) == 1


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_cut_at_every_step_forward_it_ends_the_same(office: Office, box: Box, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    office.db.close()
    before = tmp_path / "before"
    shutil.copytree(box.state, before)
    schema = tmp_path / "schema"
    shutil.copytree(store.SCHEMA, schema)
    (schema / "0099_newer.sql").write_text(ADDS)
    monkeypatch.setattr(store, "SCHEMA", schema)          # a folder, not code: what this version would know
    count = 0
    while True:
        count += 1
        shutil.rmtree(box.state)
        shutil.copytree(before, box.state)
        was_cut = cut_at(box, count)
        crossing.cross(box, NOW)
        whole(box)
        kept = list(crossing.snapshots(box).glob("[0-9]*.db"))
        assert len(kept) == 1
        with contextlib.closing(sqlite3.connect(kept[0])) as db:
            assert "0099_newer" not in crossing.applied_steps(db), "the snapshot is of before"
        if not was_cut:
            break
    assert count > 8


def test_only_the_last_two_snapshots_are_kept(office: Office, box: Box, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    office.db.close()
    schema = tmp_path / "schema"
    shutil.copytree(store.SCHEMA, schema)
    monkeypatch.setattr(store, "SCHEMA", schema)
    for number in (97, 98, 99):
        (schema / f"00{number}_newer.sql").write_text(f"CREATE TABLE newer{number} (id INTEGER PRIMARY KEY) STRICT;\n")
        assert crossing.cross(box, NOW)
        os.utime(max(crossing.snapshots(box).glob("*.db")), (NOW.timestamp() + number, NOW.timestamp() + number))
    assert sorted(file.stem for file in crossing.snapshots(box).iterdir()) == ["0097_newer", "0098_newer"]
