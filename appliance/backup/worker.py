"""What the clock does for backups: whatever a row asks for, one thing at a time, however often it is stopped."""
from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

from appliance import hours, settings
from appliance.backup import age, archive, making, places, proving, restoring, rotation, rows, secrets
from appliance.backup.job import Job, LeavingError, StoppedError, upload_folder, work_folder
from appliance.backup.places import PlaceError
from appliance.backup.secrets import SecretError
from appliance.config import Box
from appliance.people import changes
from appliance.store import db as store
from appliance.store.db import iso, write

log = logging.getLogger("backup")

EXPECTED = (archive.ArchiveError, age.AgeError, PlaceError, SecretError, rows.BackupError)
PLAIN_ONLY_HERE = ("Without a passphrase nothing leaves this box: whoever finds the copy could read it. "
                   "Set a passphrase on the page Backups.")
CUT_OFF = "The box was switched off in the middle of it."
BEFORE = "As it was before a restore."


class Worker:
    """Serves the rows of one box.

    now reads the clock, alive is called often while it works (see Job), log_n is what a passphrase costs to try.
    """

    def __init__(self, box: Box, now: Callable[[], datetime], alive: Callable[[], None] = lambda: None,
                 log_n: int = age.LOG_N) -> None:
        self.box, self._now, self._alive, self._log_n = box, now, alive, log_n
        self.db = store.connect(box.store)
        self.key = secrets.prepare(self.db, box)
        self._mend()

    def close(self) -> None:
        self.db.close()

    def serve(self, is_clock_set: bool = True) -> bool:
        """Whether there was something to do: the next place to try, backup to make or restore to go on with."""
        if is_clock_set:
            ask_nightly(self.db, self.box, self._now())
        return self._try_place() or self._restore() or self._backup()

    def _mend(self) -> None:
        """What was cut off: a night's backup is begun once more, anything else is said."""
        with write(self.db):
            self.db.execute("UPDATE backup SET state = 'asked', reason = ? WHERE state IN ('making', 'copying', "
                            "'proving') AND night IS NOT NULL AND reason IS NULL", (CUT_OFF,))
            self.db.execute("UPDATE backup SET state = 'failed', reason = ? WHERE state IN ('making', 'copying', "
                            "'proving')", (CUT_OFF,))
            self.db.execute("UPDATE backup_restore SET state = 'asked' WHERE state = 'reading'")
            self.db.execute("UPDATE backup_restore SET state = 'failed', reason = ?, ended_at = ? "
                            "WHERE state = 'restoring'", (CUT_OFF + " Nothing was changed.", iso(self._now())))
        self._tidy()

    def _tidy(self) -> None:
        """Copies of nobody: they hold the office's calls."""
        current = rows.open_restore(self.db)
        for left in work_folder(self.box).iterdir():
            if current is None or left != restoring.aside(self.box, current.id):
                shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            for left in upload_folder(self.box).iterdir():
                is_new = left.stat().st_mtime > self._now().timestamp() - timedelta(days=1).total_seconds()
                if not (current and current.upload == left.name) and not is_new:
                    left.unlink()

    # places

    def _try_place(self) -> bool:
        at = next((one for one in rows.places(self.db) if one.is_asked), None)
        if at is None:
            return False
        trouble, free, found = None, None, {}
        try:
            with self._at(at) as there:
                free, found = there.free_bytes(), there.names()
        except EXPECTED as refused:
            trouble = str(refused)
        with write(self.db):
            self.db.execute("UPDATE backup_place SET is_asked = 0, seen_at = ?, trouble = ?, free_bytes = ? "
                            "WHERE id = ?", (iso(self._now()), trouble, free, at.id))
            for name, size in found.items():
                self._found(at, name, size)
        return True

    def _found(self, at: rows.Place, name: str, size: int) -> None:
        """A row for a file that this box has none for: a stick that came from another one."""
        if self.db.execute("SELECT 1 FROM backup WHERE place_id = ? AND file = ?", (at.id, name)).fetchone():
            return
        stamp = next(part for part in name.split(".")[0].split("-")[::-1] if part.endswith("Z"))
        with contextlib.suppress(ValueError):
            taken = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            self.db.execute("""
                INSERT INTO backup (place_id, place, state, by_user, recordings, asked_at, taken_at, file, size_bytes,
                                    is_encrypted) VALUES (?, ?, 'found', ?, 'none', ?, ?, ?, ?, ?)""",
                (at.id, at.name, changes.THE_BOX, iso(self._now()), iso(taken), name, size, name.endswith(".age")))

    @contextmanager
    def _at(self, at: rows.Place) -> Iterator[places.Place]:
        """The place, reached. Raises PlaceError."""
        there: places.Place
        if at.kind == "box":
            there = places.Folder(self.box.state / "backups", "The disk of this box")
        elif at.kind == "usb":
            there = places.stick(at.address, at.name)
        else:
            row = self.db.execute("SELECT secret FROM backup_place WHERE id = ?", (at.id,)).fetchone()
            password = secrets.unseal(self.key, row["secret"])
            if row["secret"] and password is None:
                raise PlaceError(f"The password of {at.name} can no longer be read. Remove the place and add it again.")
            from appliance.backup import network
            if at.kind == "sftp":
                there = reached = network.Sftp(at.address, at.user_name or "", password or "", at.host_key or "")
                if not at.host_key:
                    with write(self.db):
                        self.db.execute("UPDATE backup_place SET host_key = ? WHERE id = ?", (reached.host_key, at.id))
            else:
                there = network.Smb(at.address, at.user_name or "", password or "")
        try:
            yield there
        finally:
            there.close()

    # backups

    def _backup(self) -> bool:
        row = self.db.execute("SELECT id FROM backup WHERE state = 'asked' ORDER BY id LIMIT 1").fetchone()
        if row is None:
            return False
        self.run(row["id"])
        return True

    def run(self, backup_id: int) -> None:
        """Makes a backup, or proves one again that has a file already; its row says how it went."""
        job, one = Job(self.db, self.box, "backup", backup_id, self._alive), rows.backup(self.db, backup_id)
        try:
            if one.is_cancelled:
                raise StoppedError
            if one.place_id is None:
                raise PlaceError(f"{one.place} is no longer in the list.")
            at = rows.place(self.db, one.place_id)
            if one.file is None or one.proven_at is None and one.night is not None and one.reason == CUT_OFF:
                self._make(job, at, one)
            else:
                self._prove(job, at, one)
            job.put(state="proven", proven_at=iso(self._now()), reason=BEFORE if one.reason == BEFORE else None)
            self._rotate(at)
        except LeavingError:
            job.put(state="asked")
            raise
        except StoppedError:
            job.put(state="proven" if one.proven_at else "cancelled")
        except EXPECTED as refused:
            job.put(state="failed", reason=str(refused))
        except (OSError, sqlite3.Error) as broken:
            job.put(state="failed", reason=said(broken))

    def _make(self, job: Job, at: rows.Place, one: rows.Backup) -> None:
        passphrase = secrets.passphrase(self.db, self.key) or ""
        if not passphrase and at.kind != "box":
            raise PlaceError(PLAIN_ONLY_HERE)
        try:
            with self._at(at) as there:
                making.make(job, there, one.recordings, passphrase, self._now(), self._log_n)
                free = there.free_bytes()
        except PlaceError as gone:
            self._seen(at, str(gone), None)
            raise
        self._seen(at, None, free)

    def _prove(self, job: Job, at: rows.Place, one: rows.Backup) -> None:
        wanted = self.db.execute("SELECT manifest_sha256, file_sha256 FROM backup WHERE id = ?", (one.id,)).fetchone()
        assert one.file is not None
        passphrase = secrets.passphrase(self.db, self.key) if one.is_encrypted else ""
        with self._at(at) as there, there.get(one.file) as back:
            proving.prove(job, back, passphrase or "", wanted["manifest_sha256"], wanted["file_sha256"])

    def _seen(self, at: rows.Place, trouble: str | None, free: int | None) -> None:
        with write(self.db):
            self.db.execute("UPDATE backup_place SET seen_at = ?, trouble = ?, free_bytes = ? WHERE id = ?",
                            (iso(self._now()), trouble, free, at.id))

    def _rotate(self, at: rows.Place) -> None:
        made = [rotation.Kept(one["id"], store.parse_time(one["taken_at"]), one["kind"]) for one in self.db.execute("""
            SELECT id, taken_at, recordings || coalesce(reason, '') AS kind
            FROM backup
            WHERE place_id = ? AND state = 'proven'""", (at.id,))]
        gone = rotation.to_remove(made, at.daily, at.weekly, at.monthly, self.box.zone)
        if not gone:
            return
        with self._at(at) as there:
            for backup_id in gone:
                there.remove(str(rows.backup(self.db, backup_id).file))
                with write(self.db):
                    self.db.execute("UPDATE backup SET state = 'removed' WHERE id = ?", (backup_id,))

    # restores

    def _restore(self) -> bool:
        one = rows.open_restore(self.db)
        if one is None or one.state not in ("asked", "agreed"):
            return False
        job = Job(self.db, self.box, "backup_restore", one.id, self._alive)
        try:
            if one.state == "asked":
                self._read(job, one)
            else:
                self._apply(job, one)
        except LeavingError:
            job.put(state=one.state)
            raise
        except StoppedError:
            self._end(job, "cancelled", None)
        except EXPECTED as refused:
            self._end(job, "failed", f"{refused} Nothing was changed.")
        except (OSError, sqlite3.Error) as broken:
            self._end(job, "failed", f"{said(broken)} Nothing was changed.")
        self._tidy()
        return True

    def _read(self, job: Job, one: rows.Restore) -> None:
        sealed = self.db.execute("SELECT passphrase FROM backup_restore WHERE id = ?", (one.id,)).fetchone()[0]
        passphrase = secrets.unseal(self.key, sealed) or ""
        job.begin("reading")
        if one.upload:
            with open(upload_folder(self.box) / one.upload, "rb") as source:
                seen = restoring.read(job, source, passphrase)
        else:
            from_ = rows.backup(self.db, one.backup_id or 0)
            if from_.place_id is None or from_.file is None:
                raise PlaceError(f"{from_.place} is no longer in the list.")
            wanted = self.db.execute("SELECT manifest_sha256 FROM backup WHERE id = ?", (from_.id,)).fetchone()[0]
            if not passphrase and from_.is_encrypted:
                passphrase = secrets.passphrase(self.db, self.key) or ""
            with self._at(rows.place(self.db, from_.place_id)) as there, there.get(from_.file) as source:
                seen = restoring.read(job, source, passphrase, wanted or "")
        job.put(state="ready", preview=restoring.as_json(seen), passphrase=None)

    def _apply(self, job: Job, one: rows.Restore) -> None:
        """First the state of now is kept, proved; only then is anything changed."""
        here = next(at for at in rows.places(self.db) if at.kind == "box")
        with write(self.db):
            before_id = rows.ask(self.db, here.id, one.by_user, self._now(), recordings="none", reason=BEFORE)
        assert before_id is not None
        job.begin("restoring")
        job.put(before_id=before_id)
        self.run(before_id)
        before = rows.backup(self.db, before_id)
        if before.state != "proven":
            raise archive.ArchiveError(f"What is here now could not be kept first: {before.reason}")
        restoring.apply(job, self._now)
        self.key = secrets.prepare(self.db, self.box)
        log.info("The store was restored from a backup.")

    def _end(self, job: Job, state: str, reason: str | None) -> None:
        job.put(state=state, reason=reason, passphrase=None, ended_at=iso(self._now()))


def ask_nightly(db: sqlite3.Connection, box: Box, now: datetime) -> None:
    """A row for each place and night that is due; the shop's date is its key, so autumn's second 02:15 is none."""
    night = due_night(settings.read(db).backup_at, now, box)
    late = [row["id"] for row in db.execute("""
        SELECT id FROM backup_place
        WHERE is_nightly AND NOT EXISTS (SELECT 1 FROM backup WHERE place_id = backup_place.id AND night = ?)""",
        (night.isoformat(),))] if night else []
    if night and late:
        with write(db):
            for place_id in late:
                rows.ask(db, place_id, changes.THE_BOX, now, night=night.isoformat())


def due_night(clock: str, now: datetime, box: Box) -> date | None:
    """Today in the shop once its clock has shown `clock`; before it None, for last night's has its own row."""
    hour, minute = divmod(hours.minutes(clock) % (24 * 60), 60)
    today = now.astimezone(box.zone).date()
    due = datetime.combine(today, time(hour, minute), box.zone)      # in spring's gap: an hour on; in autumn: the first
    return today if now.timestamp() >= due.timestamp() else None


def said(broken: Exception) -> str:
    """What a disk or the store refused, in words."""
    if isinstance(broken, OSError):
        return places.why("The disk of this box", broken)
    if getattr(broken, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return "The disk of this box is full. Remove old recordings or backups."
    return f"The store could not be read ({broken})."


