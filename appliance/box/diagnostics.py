"""What somebody who helps from afar needs, and nothing that is a customer's or a secret.

Only what is named here goes in: settings that say nothing of anybody with their value, all others as set or not; rows
are counted, never read. Whatever free text there is (findings, the journal) has its numbers shortened and the names the
office gave its people, lines and telephones struck out.
"""
from __future__ import annotations

import io
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from datetime import datetime

from appliance import settings
from appliance.box import codes, licences
from appliance.config import Box
from appliance.people import changes, numbers
from appliance.store import db as store

# Settings whose value says nothing of a person; each new one is hidden until somebody puts it here.
OPEN_SETTINGS = frozenset({
    "country", "time_zone", "language", "opening_hours", "text_pause_min", "texts_a_day", "quiet_from", "quiet_until",
    "quiet_does", "breaker_an_hour", "record_calls", "recording_keep_days", "recording_free_percent", "ring_s",
    "closed_until", "forward_a_day", "broadcast_from", "broadcast_until", "pop_sound", "pop_outgoing",
    "service_level_s", "service_level_percent", "abandon_under_s", "session_idle_min"})
JOURNAL = ("journalctl", "--no-pager", "--output=short-iso", "--lines=3000", "--unit=deskbell-*", "--unit=asterisk*")
JOURNAL_S = 10
STRUCK = "…"
ABOUT = """Deskbell diagnostics of {box}, made {at}.

In here: findings, versions, settings, counts of rows, what the modems say, the disk, excerpts of the journal.
Not in here: texts, notes, names, recordings, passwords, keys. Numbers are shortened.
"""


def archive(db: sqlite3.Connection, box: Box, findings: Sequence[str], now: datetime) -> bytes:
    """A .zip that may be sent on. findings: as health gave them."""
    names = _names(db, box)
    files = {"README.txt": ABOUT.format(box=box.name, at=store.iso(now)),
             "health.txt": clean("\n".join(map(codes.coded, findings)) or "All well.", names),
             "versions.txt": _versions(db),
             "settings.txt": _settings(db), "rows.txt": _rows(db), "modems.txt": clean(_modems(db), names),
             "box.txt": _box(box), "disk.txt": _disk(box), "journal.txt": clean(_journal(), names)}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(f"deskbell-{box.name}/{name}", now.timetuple()[:6]), content)
    return made.getvalue()


def clean(text: str, names: Sequence[str]) -> str:
    """The text with numbers shortened and those names struck out, however they are cased; line by line."""
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    struck = re.compile("|".join(longest_first), re.IGNORECASE) if names else None
    lines = []
    for line in text.split("\n"):
        line = changes.shortened(line)
        lines.append(struck.sub(STRUCK, line) if struck else line)
    return "\n".join(lines)


def _names(db: sqlite3.Connection, box: Box) -> list[str]:
    """Names that free text might hold: users, modems' and telephones' owners, rules, lists, groups, the shop."""
    found = [row[0] for table in ("user", "rule", "contact_group", "campaign", "call_list", "template")
             for row in db.execute(f"SELECT name FROM {table}")]
    found += [row[0] for row in db.execute("SELECT name FROM contact LIMIT 200000")] if _is_small(db) else []
    found += [settings.read(db).shop_name]
    found += [phone.name for phone in box.extensions] + [line.name for line in box.trunks]
    return sorted({name for name in found if len(name.strip()) > 2})


def _is_small(db: sqlite3.Connection) -> bool:
    """The journal never names customers; the names of a small book are struck out all the same."""
    return int(db.execute("SELECT count(*) FROM (SELECT 1 FROM contact LIMIT 5001)").fetchone()[0]) <= 5000


def _versions(db: sqlite3.Connection) -> str:
    steps = [row[0] for row in db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'deskbell'")]
    lines = [f"deskbell {licences.version()}", f"schema {', '.join(sorted(steps))}", f"python {sys.version.split()[0]}",
             f"sqlite {sqlite3.sqlite_version}", f"kernel {platform.release()} {platform.machine()}",
             *(f"{part.name} {part.version}" for part in licences.parts())]
    return "\n".join(lines)


def _settings(db: sqlite3.Connection) -> str:
    now, lines = settings.read(db), []
    for key, default in vars(settings.DEFAULTS).items():
        value = getattr(now, key)
        shown = repr(value) if key in OPEN_SETTINGS else "as it came" if value == default else "set"
        lines.append(f"{key} = {shown}")
    return "\n".join(lines)


def _rows(db: sqlite3.Connection) -> str:
    tables = [row["name"] for row in db.execute("""
        SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
        AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name""")]
    return "\n".join(f"{name} {db.execute(f'SELECT count(*) FROM \"{name}\"').fetchone()[0]}" for name in tables)


def _modems(db: sqlite3.Connection) -> str:
    rows = db.execute("SELECT state, operator, signal_dbm, trouble, updated_at FROM modem ORDER BY name").fetchall()
    return "\n".join(f"modem {place}: {row['state']}, {row['operator'] or 'no operator'}, {row['signal_dbm']} dBm, "
                     f"{row['trouble'] or 'no trouble'}, {row['updated_at']}" for place, row in enumerate(rows, 1))


def _box(box: Box) -> str:
    """box.toml without names, addresses of gateways and whole numbers."""
    lines = [f"name = {box.name}", f"country = {box.country}", f"time_zone = {box.time_zone}",
             f"language = {box.language}",
             f"own_numbers = {', '.join(map(numbers.short, box.own_numbers))}",
             f"web = port {box.web.port}, tls {box.web.tls}", f"sip = port {box.sip.port}", f"demo = {bool(box.demo)}"]
    lines += [f"trunk {place}" for place, _ in enumerate(box.trunks, 1)]
    lines += [f"extension {phone.number}" for phone in box.extensions]
    lines += [f"modem {place}: {modem.engine}, {'searched for' if modem.port == 'auto' else 'a fixed port'}"
              for place, modem in enumerate(box.modems, 1)]
    return "\n".join(lines)


def _disk(box: Box) -> str:
    disk = shutil.disk_usage(box.state)
    store_bytes = sum(file.stat().st_size for file in box.state.glob("office.db*"))
    return f"free {disk.free} of {disk.total} bytes\nstore {store_bytes} bytes"


def _journal() -> str:
    try:
        said = subprocess.run(JOURNAL, capture_output=True, timeout=JOURNAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as silent:
        return f"The journal cannot be read here ({type(silent).__name__}). On the box: journalctl -u 'deskbell-*'"
    return said.stdout.decode("utf-8", "replace") or "The journal says nothing to this user. On the box: journalctl."
