"""A shop with rows worth keeping, and a worker of its backups that needs no daemon."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.backup import rows, secrets
from appliance.backup.worker import Worker
from appliance.config import Box
from appliance.people import contacts
from appliance.store import db as store

NOW = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
WORDS = "four words in a row"


class Backing:
    """The office of a box, told in the words of the trade; `now` stands still until it is moved."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.box, self.now = db, box, NOW
        self.alive: Callable[[], None] = lambda: None
        self.worker = self.another_worker()

    def another_worker(self) -> Worker:
        return Worker(self.box, lambda: self.now, lambda: self.alive(), log_n=10)

    def close(self) -> None:
        self.worker.close()

    def fill(self, calls: int = 3) -> None:
        """So many missed calls of Margaret, each with a recording, and a text."""
        with store.write(self.db):
            contacts.add(self.db, "Margaret Osei", ["+491701234567"], "DE", self.now)
        for _ in range(calls):
            self.call()
        with store.write(self.db):
            self.db.execute("INSERT INTO user (name, password_hash, created_at) VALUES ('Amy', 'x', ?)",
                            (store.iso(self.now),))

    def call(self, recorded: bool = True, at: datetime | None = None) -> int:
        at = at or self.now
        with store.write(self.db):
            count = self.db.execute("SELECT count(*) FROM call").fetchone()[0]
            call_id = int(self.db.execute("""
                INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, ended_at,
                                  outcome, is_clock_set)
                VALUES ('box1', 1, ?, 'in', '01701234567', '+491701234567', 'allowed', ?, ?, 'missed', 1)
                RETURNING id""", (f"{at.timestamp()}.{count}", store.iso(at), store.iso(at))).fetchone()["id"])
            if recorded:
                file = Path("2026-11") / f"{call_id}.wav"
                (self.box.recordings / file).parent.mkdir(exist_ok=True)
                (self.box.recordings / file).write_bytes(b"RIFF" + bytes([call_id % 251]) * 3000)
                self.db.execute("""
                    INSERT INTO recording (call_id, file, started_at, duration_ms, size_bytes, is_cut, is_starred)
                    VALUES (?, ?, ?, 1000, 3004, 0, ?)""", (call_id, str(file), store.iso(at), call_id == 1))
        return call_id

    def text(self, state: str, words: str = "Back soon") -> int:
        with store.write(self.db):
            return int(self.db.execute("""
                INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at)
                VALUES ('out', '+491701234567', ?, ?, ?, ?, ?) RETURNING id""",
                (words, state, *[store.iso(self.now)] * 3)).fetchone()["id"])

    @property
    def here(self) -> rows.Place:
        return next(at for at in rows.places(self.db) if at.kind == "box")

    def passphrase(self, words: str = WORDS) -> None:
        with store.write(self.db):
            secrets.keep_passphrase(self.db, words)

    def back_up(self, place_id: int | None = None, recordings: str = "none") -> rows.Backup:
        """A backup as a person asks for it, served to its end."""
        with store.write(self.db):
            backup_id = rows.ask(self.db, place_id or self.here.id, "Amy", self.now, recordings=recordings)
        assert backup_id is not None
        self.serve()
        return rows.backup(self.db, backup_id)

    def serve(self, at_night: bool = False) -> None:
        for _ in range(50):
            if not self.worker.serve(is_clock_set=at_night):
                return
        raise AssertionError("the worker comes to no end")

    def read(self, *, passphrase: str = WORDS, backup_id: int | None = None,
             upload: Path | None = None) -> rows.Restore:
        """A restore up to its preview."""
        if upload:
            folder = self.box.state / "backups/upload"
            folder.mkdir(exist_ok=True, parents=True)
            (folder / upload.name).write_bytes(upload.read_bytes())
        restore_id = rows.ask_restore(self.db, "Amy", self.now, passphrase, backup_id=backup_id,
                                      upload=upload.name if upload else None)
        self.serve()
        return rows.restore(self.db, restore_id)

    def restore(self, **given: object) -> rows.Restore:
        seen = self.read(**given)  # type: ignore[arg-type]
        assert seen.state == "ready", seen.reason
        assert rows.agree(self.db, seen.id, "Amy", self.now)
        self.serve()
        return rows.restore(self.db, seen.id)

    def file(self, one: rows.Backup) -> Path:
        return self.box.state / "backups" / str(one.file)

    def count(self, table: str) -> int:
        return int(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

