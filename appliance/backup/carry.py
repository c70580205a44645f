"""What of the live store outlives a restore: what this box is and is doing now is not what it was then.

Runs inside the swap, while nobody else can write. `main` is the restored store, `live` the one of now.
"""
from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from appliance.store.db import iso

AGAIN = "It was waiting when the backup was made, and may have gone since, so it is not sent."
HALTED = "The box was restored from a backup, which does not know what went since. Look, then press Resume."
# What the machine knows of itself and of Asterisk: as it is now, whole.
OF_THE_BOX = ("ledger_cursor", "ledger_event", "directory_copy", "modem", "backup_secret", "backup_restore", "errand",
              "bundle")
# Rows of now beside those of then: who wants no texts; who changed what.
BESIDE = ("opt_out", "change")
USERS = "SELECT id, name, role = 'owner' AND password_hash <> '', is_on FROM {}.user"


class BusyError(Exception):
    """Now is no moment for it: a text is on the air, or somebody was just forgotten. Try again in a second."""


def carry(db: sqlite3.Connection, restore_id: int, now: datetime) -> None:
    """Makes the restored store the next one of this box. Raises BusyError while a text is being sent, and for one
    who was forgotten after forget.again had looked."""
    if db.execute("SELECT 1 FROM live.sms WHERE state = 'sending' UNION ALL SELECT 1 FROM live.forgotten AS now_ "
                  "LEFT JOIN main.forgotten AS known USING (hash, key_id) WHERE known.at IS NULL OR known.at < now_.at "
                  "LIMIT 1").fetchone():
        raise BusyError
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("BEGIN")                        # IMMEDIATE would want to write in `live` too
    try:
        for table in OF_THE_BOX:
            db.execute(f"DELETE FROM main.{table}")                                      # noqa: S608
            _insert(db, table)
        for table in BESIDE:
            _insert(db, table)
        _live_calls(db)
        _sessions(db)
        _shut_out(db)
        _recordings(db)
        _backups(db)
        nothing_goes_twice(db, now)
        _ids_go_on(db)
        db.execute("UPDATE backup_restore SET state = 'restored', reason = NULL, passphrase = NULL, ended_at = ? "
                   "WHERE id = ?", (iso(now), restore_id))
        if orphan := db.execute("PRAGMA main.foreign_key_check").fetchone():
            raise sqlite3.IntegrityError(f"a row of {orphan[0]} belongs to none")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _insert(db: sqlite3.Connection, table: str, where: str = "", how: str = "OR IGNORE") -> None:
    names = ", ".join(f'"{row[1]}"' for row in db.execute(f"PRAGMA live.table_info({table})"))
    db.execute(f"INSERT {how} INTO main.{table} ({names}) SELECT {names} FROM live.{table} {where}")   # noqa: S608


def _live_calls(db: sqlite3.Connection) -> None:
    """Who talks now goes on talking: their rows go along, and what the desks were told of them."""
    living = "SELECT id FROM live.call WHERE ended_at IS NULL AND id NOT IN (SELECT id FROM main.call)"
    db.execute("UPDATE main.call SET ended_at = started_at, outcome = 'interrupted' WHERE ended_at IS NULL "
               "AND NOT EXISTS (SELECT 1 FROM live.call AS now WHERE now.box = call.box AND now.boot = call.boot "
               "AND now.linkedid = call.linkedid AND now.ended_at IS NULL)")
    db.execute("CREATE TEMP TABLE living AS " + living)
    _insert(db, "call", "WHERE id IN (SELECT id FROM temp.living)")
    db.execute("UPDATE main.call SET contact_id = NULL WHERE id IN (SELECT id FROM temp.living) "
               "AND contact_id NOT IN (SELECT id FROM main.contact)")
    _insert(db, "leg", "WHERE call_id IN (SELECT id FROM main.call WHERE id IN (SELECT id FROM temp.living))")
    db.execute("DELETE FROM main.event")
    _insert(db, "event", "WHERE call_id IN (SELECT id FROM main.call WHERE id IN (SELECT id FROM temp.living))")
    db.execute("DROP TABLE temp.living")


def _sessions(db: sqlite3.Connection) -> None:
    """Nobody is logged in by an old cookie; who is logged in now stays so while the user is still one."""
    db.execute("DELETE FROM main.session")
    _insert(db, "session", """
        WHERE EXISTS (SELECT 1 FROM main.user AS then_, live.user AS now_
                      WHERE then_.id = live.session.user_id AND now_.id = then_.id AND now_.name = then_.name)""")


def _shut_out(db: sqlite3.Connection) -> None:
    """A door closed since stays closed: keys and desks taken back, users switched off, codes that were used."""
    for table in ("api_token", "desk"):
        db.execute(f"UPDATE main.{table} SET revoked_at = now_.revoked_at FROM live.{table} AS now_ "        # noqa: S608
                   f"WHERE now_.token_hash = {table}.token_hash AND now_.revoked_at IS NOT NULL")
    for table in ("pairing", "invitation"):
        db.execute(f"DELETE FROM main.{table}")                                          # noqa: S608
    off = shut_out(db.execute(USERS.format("main")).fetchall(), db.execute(USERS.format("live")).fetchall())
    db.executemany("UPDATE main.user SET is_on = 0 WHERE id = ?", [(user_id,) for user_id in off])
    db.execute("""
        DELETE FROM main.recovery_code
        WHERE code_hash NOT IN (SELECT code_hash FROM live.recovery_code)
          AND user_id IN (SELECT user.id FROM main.user JOIN live.user AS now_ USING (id, name))""")


def users(then: sqlite3.Connection, now: sqlite3.Connection) -> list[str]:
    """Who may log in after a restore, by name."""
    were = then.execute(USERS.format("main")).fetchall()
    off = shut_out(were, now.execute(USERS.format("main")).fetchall())
    return sorted(name for user_id, name, _, is_on in were if is_on and user_id not in off)


def shut_out(then: list[Any], now: list[Any]) -> set[int]:
    """The ids of users of then who are switched off now; nobody where no owner of then could log in any more."""
    is_on = {(user_id, name): is_on for user_id, name, _, is_on in now}
    off = {user_id for user_id, name, _, _ in then if not is_on.get((user_id, name), 1)}
    return off if any(is_owner and on and user_id not in off for user_id, _, is_owner, on in then) else set()


def _recordings(db: sqlite3.Connection) -> None:
    """The file of a recording may have been packed since: where the call is the same, its row is that of now."""
    _insert(db, "recording", """
        WHERE EXISTS (SELECT 1 FROM main.recording AS kept
                      JOIN main.call AS then_ ON then_.id = kept.call_id
                      JOIN live.call AS now_ ON now_.id = then_.id
                      WHERE kept.call_id = live.recording.call_id AND now_.box = then_.box
                        AND now_.boot = then_.boot AND now_.linkedid = then_.linkedid)""", "OR REPLACE")


def _backups(db: sqlite3.Connection) -> None:
    """A box that has made backups knows best which there are; a new one takes over the list and the places."""
    if db.execute("SELECT 1 FROM live.backup WHERE state = 'proven' AND reason IS NULL UNION ALL "
                  "SELECT 1 FROM live.backup_place WHERE kind <> 'box' LIMIT 1").fetchone():
        for table in ("backup", "backup_place"):
            db.execute(f"DELETE FROM main.{table}")                                      # noqa: S608
            _insert(db, table)
        return
    db.execute("UPDATE main.backup SET state = 'failed', reason = 'It was being made when this backup was.' "
               "WHERE state IN ('asked', 'making', 'copying', 'proving')")
    db.execute("UPDATE main.backup_place SET is_asked = 1")
    names = [row[1] for row in db.execute("PRAGMA live.table_info(backup)") if row[1] not in ("id", "place_id")]
    listed = ", ".join(names)
    for row in db.execute(f"SELECT id, {listed} FROM live.backup").fetchall():           # noqa: S608
        fresh = db.execute("SELECT max(coalesce((SELECT max(id) FROM main.backup), 0), "
                           "coalesce((SELECT max(id) FROM live.backup), 0)) + 1").fetchone()[0]
        db.execute(f"INSERT OR IGNORE INTO main.backup (id, place_id, {listed}) VALUES (?, (SELECT id FROM "   # noqa: S608
                   f"main.backup_place WHERE kind = 'box'), {', '.join('?' * len(names))})", (fresh, *row[1:]))
        db.execute("UPDATE backup_restore SET before_id = ? WHERE before_id = ?", (fresh, row[0]))
        db.execute("UPDATE backup_restore SET backup_id = NULL WHERE backup_id = ?", (row[0],))


def nothing_goes_twice(db: sqlite3.Connection, now: datetime) -> None:
    """What waited then may have gone since: no text is sent, no group text goes on, until a person says so."""
    waited = "SELECT id FROM sms WHERE state IN ('queued', 'held', 'sending')"
    db.execute(f"UPDATE segment SET state = 'failed' WHERE state IN ('queued', 'sending') AND sms_id IN ({waited})")
    db.execute("UPDATE sms SET state = 'cancelled', reason = ?, updated_at = ? "
               "WHERE state IN ('queued', 'held', 'sending')", (AGAIN, iso(now)))
    db.execute("UPDATE recipient SET state = 'cancelled', reason = ? WHERE state = 'waiting' AND occurrence_id IN "
               "(SELECT id FROM occurrence WHERE state = 'running')", (AGAIN,))
    db.execute("UPDATE campaign SET state = 'paused', reason = ? WHERE state IN ('scheduled', 'running')", (HALTED,))
    db.execute("DELETE FROM owner_question")
    for table in ("delivery", "slip"):
        db.execute(f"UPDATE {table} SET state = 'given_up', reason = ? WHERE state = 'waiting'", (AGAIN,))   # noqa: S608


def _ids_go_on(db: sqlite3.Connection) -> None:
    """No id is given twice: recordings are named by them, desks count by them."""
    for row in db.execute("SELECT name, seq FROM live.sqlite_sequence").fetchall():
        if not db.execute("UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE name = ?",
                          (row[1], row[0])).rowcount:
            db.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (row[0], row[1]))
