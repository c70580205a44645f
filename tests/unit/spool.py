"""Asterisk's ledger for tests: a spool file made by the shipping code, and rows pasted as text."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from appliance.calls.ledger import Entry

FIRST_US = 1_795_291_823_000_000        # 2026-11-21 20:10:23 UTC
COLUMNS = ("kind", "at", "caller_name", "caller_id", "extension", "context", "channel", "application", "uniqueid",
           "linkedid", "extra", "boot")
SPOOL_SQL = f"CREATE TABLE cel (AcctId INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(COLUMNS)})"


def entries(table: str, boot: int = 1, linkedid: str = "1.0", first: int = 1) -> list[Entry]:
    """The rows of a table `kind | uniqueid | seconds | channel | caller_id | caller_name | extension | extra`.

    Only what a test is about is written: seconds count from 2026-11-21 20:10:23 UTC and stay as they were
    when left out, so do a channel's name, caller and extension; "" is said by "-".
    """
    found: list[Entry] = []
    at, of = 0.0, {}
    for number, line in enumerate(filter(None, (line.strip() for line in table.splitlines())), first):
        cells = [cell.strip() for cell in line.split("|", 7)]
        kind, uniqueid, seconds, *rest = cells + [""] * (8 - len(cells))
        at = float(seconds) if seconds else at
        known = of.setdefault(uniqueid, ["", "", "", "s"])
        of[uniqueid] = known = [given or before for given, before in zip(rest[:4], known, strict=True)]
        channel, caller_id, caller_name, extension = ("" if cell == "-" else cell for cell in known)
        context = "from-trunk" if "/line" in channel else "from-phone"
        found.append(Entry(number, boot, linkedid, uniqueid, kind, FIRST_US + round(at * 1_000_000), channel, context,
                           extension, caller_id, caller_name, "", rest[4]))
    return found


class SpoolFile:
    """A ledger as Asterisk's cel_sqlite3_custom keeps it, written by one connection as Asterisk does."""

    def __init__(self, path: Path, spool_id: str = "5b00") -> None:
        self.id = spool_id
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = wal")
        self.db.execute("CREATE TABLE spool (id TEXT NOT NULL)")
        self.db.execute("INSERT INTO spool VALUES (?)", (spool_id,))
        self.db.execute(SPOOL_SQL)

    def add(self, rows: str | Iterable[Entry], **of: object) -> None:
        """Adds the rows of a call; times go in as text, as Asterisk writes them."""
        for row in entries(rows, **of) if isinstance(rows, str) else rows:      # type: ignore[arg-type]
            self.raw(kind=row.kind, at=f"{row.at_us / 1_000_000:.6f}", caller_name=row.caller_name,
                     caller_id=row.caller_id, extension=row.extension, context=row.context, channel=row.channel,
                     application=row.application, uniqueid=row.uniqueid, linkedid=row.linkedid, extra=row.extra,
                     boot=str(row.boot))

    def raw(self, **columns: object) -> None:
        """Adds one row with exactly these values, NULL for the others."""
        self.db.execute(f"INSERT INTO cel ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                        tuple(columns.values()))

    def close(self) -> None:
        self.db.close()


MISSED = """
    CHAN_START   | 1.0 | 0    | PJSIP/line1-00000000 | +491701234567 | Foo
    CALLER       | 1.0 | 0.03 | | | | | {"extra":"allowed_not_screened"}
    APP_START    | 1.0 |
    CHAN_START   | 1.1 |      | PJSIP/101-00000001 | 101 | Counter
    HANGUP       | 1.1 | 9    | | | | | {"hangupcause":127,"hangupsource":"","dialstatus":""}
    CHAN_END     | 1.1 |
    HANGUP       | 1.0 |      | | | | | {"hangupcause":127,"hangupsource":"PJSIP/line1-00000000","dialstatus":"CANCEL"}
    CHAN_END     | 1.0 |
    LINKEDID_END | 1.0 |
"""
