"""The store keeps what it promised, whoever opens it and whatever happens to it."""
from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from appliance import settings
from appliance.config import Box
from appliance.store import db as store
from appliance.store import migrations
from appliance.texts import guards, rulebook
from appliance.texts.conditions import Conditions

REPO = Path(__file__).resolve().parents[2]
DUMPS = sorted((REPO / "tests/data").glob("[0-9]*.sql"))        # a store of each release, with rows
RELEASES = [dump.stem for dump in DUMPS]
STEPS = sorted(file.stem for file in store.SCHEMA.glob("[0-9]*.sql"))
NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
PROMISED = [   # HOUSE.md, promise 5; and the limits that keep it true
    ("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000), ("mmap_size", 0),
    ("trusted_schema", 0), ("cell_size_check", 1), ("journal_size_limit", 16777216), ("wal_autocheckpoint", 1000),
]


def schema_of(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in db.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name")]


def python(program: str, *arguments: object, house: Path = REPO) -> subprocess.Popen[str]:
    """Another process that runs the code of a house (a copy may hold another version)."""
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], text=True, cwd="/",
                            env={**os.environ, "PYTHONPATH": str(house)}, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def house_with(folder: Path, name: str, sql: str) -> Path:
    """A copy of our code that has one schema file more."""
    shutil.copytree(REPO / "appliance", folder / "house/appliance", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / f"house/appliance/store/schema/{name}.sql").write_text(sql)
    return folder / "house"


MIGRATE = "import sys; from appliance.store import db; print(db.migrate(db.connect(sys.argv[1])))"


@pytest.mark.parametrize(("pragma", "promised"), PROMISED)
def test_every_connection_keeps_the_promises(box: Box, db: sqlite3.Connection, pragma: str, promised: object) -> None:
    later = store.connect(box.store)
    for connection in (db, later):
        found = connection.execute(f"PRAGMA {pragma}").fetchone()
        assert found is None or found[0] == promised, "a build without mmap has no such row"
    later.close()


def test_sqlite_is_one_without_the_wal_reset_bug() -> None:
    assert sqlite3.sqlite_version_info >= (3, 51, 3)


def test_every_table_of_ours_is_strict(db: sqlite3.Connection) -> None:
    tables = {row["name"]: row["strict"] for row in db.execute("PRAGMA table_list")
              if row["schema"] == "main" and row["type"] != "view"}
    full_text = ("contact_search", "note_search", "line_name_search")     # virtual tables and their shadows cannot be
    loose = {name for name, strict in tables.items() if not strict and not name.startswith(("sqlite_", "_sqlite_"))
             and not (name.startswith(full_text) and name != "contact_search_key")}
    assert tables.keys() >= {"call", "leg", "event", "sms", "segment", "contact", "setting", "ledger_cursor"}
    assert not loose


FEW = {"session", "recovery_code", "forgotten", "backup_restore", "desk", "pairing"}     # tables of some dozen rows


def test_no_deletion_walks_a_long_table_for_what_points_to_it(db: sqlite3.Connection) -> None:
    bare = []
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        indexed = {row["name"] for row in db.execute(f"PRAGMA table_info({table})") if row["pk"] == 1}
        for index in db.execute(f"PRAGMA index_list({table})").fetchall():
            indexed.add(db.execute(f"PRAGMA index_info({index['name']})").fetchone()["name"])
        bare += [f"{table}.{key['from']}" for key in db.execute(f"PRAGMA foreign_key_list({table})")
                 if key["from"] not in indexed and table not in FEW]
    assert not bare


def test_a_number_is_no_time(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.write(db):
        db.execute("INSERT INTO event (at, kind) VALUES (x'00', 'text')")


def test_write_takes_the_lock_at_its_start(box: Box, db: sqlite3.Connection) -> None:
    other = store.connect(box.store)
    with store.write(db), pytest.raises(sqlite3.OperationalError, match="locked"), store.write(other, limit_s=0.01):
        pass
    with store.write(other):
        other.execute("INSERT INTO setting VALUES ('ring_s', '20')")
    assert other.execute("PRAGMA busy_timeout").fetchone()[0] == 5000
    other.close()


def test_who_waits_to_write_gets_in_at_the_first_pause_of_a_long_work(box: Box, db: sqlite3.Connection) -> None:
    """SQLite's own wait sleeps up to 100 ms between two looks and misses one short pause after the other."""
    over, turns = threading.Event(), list[float]()

    def work() -> None:
        mine = store.connect(box.store)
        while not over.is_set():
            with store.write(mine):
                turns.append(time.monotonic())
                over.wait(0.015)
            over.wait(0.002)
        mine.close()
    thread = threading.Thread(target=work)
    thread.start()
    waited = []
    for _ in range(25):
        before = len(turns)
        with store.write(db):
            waited.append(len(turns) - before)
        over.wait(0.003)
    over.set()
    thread.join()
    assert sorted(waited)[12] <= 1, f"it let so many turns go by: {waited}"


def test_an_exception_takes_back_the_whole_transaction(db: sqlite3.Connection) -> None:
    with pytest.raises(ZeroDivisionError), store.write(db):
        db.execute("INSERT INTO setting VALUES ('ring_s', '20')")
        db.execute("INSERT INTO event (at, kind) VALUES ('2026-11-21T20:10:00.000Z', 'text')")
        raise ZeroDivisionError
    assert not db.execute("SELECT 1 FROM setting UNION ALL SELECT 1 FROM event").fetchall()
    assert not db.in_transaction


def test_a_commit_that_fails_leaves_the_connection_fit_for_the_next(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.write(db):
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO refusal VALUES (99, 'missed', 'off', 'Off.', '2026-11-21T20:10:00.000Z')")
    with store.write(db):
        db.execute("INSERT INTO setting VALUES ('ring_s', '20')")
    assert [row["key"] for row in db.execute("SELECT key FROM setting")] == ["ring_s"]


def test_a_commit_of_another_process_is_seen(box: Box, db: sqlite3.Connection) -> None:
    seen = store.data_version(db)
    writer = python("""if True:
        import sys; from appliance.store import db
        house = db.connect(sys.argv[1])
        print("ready", flush=True); input()
        with db.write(house):
            house.execute("INSERT INTO setting VALUES ('ring_s', '20')")""", box.store)
    assert writer.stdout and writer.stdout.readline() == "ready\n"
    assert store.wait_for_change(db, seen, timeout_s=0) == seen
    threading.Thread(target=writer.communicate, args=("\n",)).start()
    assert store.wait_for_change(db, seen, timeout_s=10) != seen
    assert db.execute("SELECT value FROM setting").fetchone()["value"] == "20"
    assert writer.wait(10) == 0


def test_nothing_changed_is_said_after_the_time_out(db: sqlite3.Connection) -> None:
    seen = store.data_version(db)
    assert store.wait_for_change(db, seen, timeout_s=0.02) == seen


def test_an_empty_file_is_migrated_once(box: Box) -> None:
    db = store.connect(box.store)
    assert store.migrate(db) == STEPS
    assert store.migrate(db) == []
    db.close()


def from_dump(path: Path, dump: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path)
    raw.executescript(dump.read_text())
    raw.close()
    return store.connect(path)


@pytest.mark.parametrize("dump", DUMPS, ids=RELEASES)
def test_a_store_of_each_release_is_opened_twice_and_keeps_its_rows(box: Box, dump: Path) -> None:
    for _ in (1, 2):
        db = store.connect(box.store) if box.store.exists() else from_dump(box.store, dump)
        store.migrate(db)
        call = db.execute("SELECT * FROM call WHERE id = 2").fetchone()
        assert (call["number"], call["outcome"]) == ("+491701234567", "missed")
        assert db.execute("SELECT count(*) FROM event").fetchone()[0] == 3
        assert db.execute("SELECT state FROM sms WHERE id = 1").fetchone()[0] == "delivered"
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert not db.execute("PRAGMA foreign_key_check").fetchall()
        db.close()


@pytest.mark.parametrize("dump", DUMPS, ids=RELEASES)
def test_a_store_of_each_release_becomes_the_one_a_new_box_has(
        box: Box, db: sqlite3.Connection, dump: Path, tmp_path: Path) -> None:
    released = from_dump(tmp_path / "released.db", dump)
    assert store.migrate(released) == STEPS[STEPS.index(dump.stem) + 1:]
    assert schema_of(released) == schema_of(db)
    released.close()


@pytest.mark.parametrize("dump", DUMPS, ids=RELEASES)
def test_a_released_migration_is_frozen(dump: Path, tmp_path: Path) -> None:
    """Once a box may have it, a schema file is never edited: a change is a new file beside it."""
    released, made = from_dump(tmp_path / "released.db", dump), store.connect(tmp_path / "made.db")
    until = tmp_path / "schema"
    until.mkdir()
    for step in STEPS[:STEPS.index(dump.stem) + 1]:
        shutil.copy(store.SCHEMA / f"{step}.sql", until)
    with store.write(made):
        migrations.apply(made, until)
    assert schema_of(released) == schema_of(made)
    released.close()
    made.close()


def test_each_dump_is_of_a_migration_and_the_first_ones_have_theirs() -> None:
    """A release may bring several migrations: the dump is of its last."""
    assert set(RELEASES) <= set(STEPS) and RELEASES[:2] == STEPS[:2]


def test_the_words_and_habits_of_the_first_release_become_the_first_rule(box: Box) -> None:
    first = from_dump(box.store, DUMPS[0])
    with store.write(first):
        first.executemany("INSERT INTO setting VALUES (?, ?)", [
            ("missed_text_on", "false"), ("missed_text", '"Zurück bald: {shop}"'), ("missed_text_delay_s", "90"),
            ("missed_text_pause_min", "5")])
    store.migrate(first)
    (rule,) = rulebook.rules(first)
    assert (rule.key, rule.text, rule.is_on, rule.delay_s) == ("missed", "Zurück bald: {shop}", False, 90)
    assert rule.conditions == Conditions(outcomes=("missed",))
    assert settings.read(first).text_pause_min == 5
    assert not first.execute("SELECT 1 FROM setting WHERE key LIKE 'missed_text%'").fetchall()
    assert guards.recent(first, "+491701234567", NOW).last_text_at is not None, "the text of before is remembered"
    first.close()


def test_two_daemons_that_start_at_once_migrate_once(box: Box) -> None:
    both = [python("import sys; from appliance.store import db; print('up', flush=True); input();"
                   "print(db.migrate(db.connect(sys.argv[1])))", box.store) for _ in (1, 2)]
    for daemon in both:
        assert daemon.stdout and daemon.stdout.readline() == "up\n"
    for daemon in both:
        assert daemon.stdin
        daemon.stdin.write("\n")
        daemon.stdin.flush()
    told = sorted(daemon.communicate(timeout=20) for daemon in both)
    assert told == [(f"{STEPS}\n", ""), ("[]\n", "")]


def test_many_threads_open_a_new_store_at_once(box: Box) -> None:
    """SQLite does not wait while two turn a new file to WAL; several rounds, for it is a matter of luck."""
    refused: list[Exception] = []

    def start(path: Path, together: threading.Barrier) -> None:
        together.wait(10)
        try:
            db = store.connect(path)
            store.migrate(db)
            db.close()
        except Exception as wrong:
            refused.append(wrong)

    for number in range(8):
        together = threading.Barrier(8)
        threads = [threading.Thread(target=start, args=(box.state / f"{number}.db", together)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not refused


def test_a_migration_that_fails_half_way_leaves_nothing(box: Box, tmp_path: Path) -> None:
    house = house_with(tmp_path, "9999_next", "CREATE TABLE half (id INTEGER) STRICT;\nCREATE TABEL wrong (id);\n")
    _, told = python(MIGRATE, box.store, house=house).communicate(timeout=20)
    assert "syntax error" in told
    db = store.connect(box.store)
    assert schema_of(db) == []
    assert store.migrate(db) == STEPS
    db.close()


def test_the_last_statement_of_a_migration_counts_without_its_semicolon(box: Box, tmp_path: Path) -> None:
    two_tables = "CREATE TABLE a (id INTEGER) STRICT;\nCREATE TABLE b (id INTEGER) STRICT\n"
    house = house_with(tmp_path, "9999_next", two_tables)
    told, _ = python(MIGRATE, box.store, house=house).communicate(timeout=20)
    assert told == f"{[*STEPS, '9999_next']}\n"
    raw = sqlite3.connect(box.store)
    assert {"a", "b"} <= {name for name, _ in schema_of(raw)}
    raw.close()


def test_a_store_of_a_newer_version_is_refused_in_words_and_unchanged(box: Box, tmp_path: Path) -> None:
    house = house_with(tmp_path, "9999_next", "CREATE TABLE later (id INTEGER) STRICT;\n")
    assert python(MIGRATE, box.store, house=house).communicate(timeout=20)[0]
    before = hashlib.sha256(box.store.read_bytes()).digest()
    with pytest.raises(store.StoreError, match="newer Deskbell.*9999_next.*Nothing was changed.*Install"):
        store.connect(box.store)
    assert hashlib.sha256(box.store.read_bytes()).digest() == before


@pytest.mark.parametrize("content", [b"not a database at all, but longer than a header\n" * 9, os.urandom(5000)],
                         ids=["text", "noise"])
def test_a_file_that_is_no_database_is_refused_in_words_and_unchanged(box: Box, content: bytes) -> None:
    box.store.write_bytes(content)
    with pytest.raises(store.StoreError, match="is not a Deskbell store.*Calls still ring.*Restore"):
        store.connect(box.store)
    assert box.store.read_bytes() == content


def test_a_store_in_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(store.StoreError, match="cannot be made"):
        store.connect(tmp_path / "nowhere/office.db")


def test_a_store_that_is_a_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(store.StoreError, match="cannot be opened"):
        store.connect(tmp_path)


def test_the_group_may_write_the_store_and_nobody_else(box: Box) -> None:
    before = os.umask(0o022)
    try:
        db = store.connect(box.store)
        store.migrate(db)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in box.state.glob("office.db*")}
        db.close()
    finally:
        os.umask(before)
    assert modes == {"office.db": 0o660, "office.db-wal": 0o660, "office.db-shm": 0o660}


def test_the_id_of_an_event_is_never_given_again(db: sqlite3.Connection) -> None:
    def told() -> int:
        with store.write(db):
            return int(db.execute("INSERT INTO event (at, kind) VALUES (?, 'text') RETURNING id",
                                  (store.iso(NOW),)).fetchone()["id"])
    first = [told(), told()]
    with store.write(db):
        db.execute("DELETE FROM event")
    assert told() > max(first)


@pytest.mark.parametrize(("at", "written"), [
    (NOW, "2026-11-21T20:10:00.000Z"),
    (NOW + timedelta(microseconds=999_999), "2026-11-21T20:10:00.999Z"),
    (NOW.astimezone(timezone(timedelta(hours=5, minutes=45))), "2026-11-21T20:10:00.000Z"),
])
def test_a_time_has_one_written_form(at: datetime, written: str) -> None:
    assert store.iso(at) == written
    assert store.iso(store.parse_time(written)) == written
    assert store.parse_time(written).utcoffset() == timedelta(0)
