"""What is wrong with this box, each finding a sentence: what happened, what still works, what to do."""
from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import settings
from appliance.backup import health as backups
from appliance.box import boot_health, box_file, stick, wallclock
from appliance.calls import ami, follow, retention, room
from appliance.config import Box
from appliance.doors import standing as doors
from appliance.doors import webhooks
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import rulebook
from appliance.texts.campaigns import PAUSED

OLDEST_RADIO = timedelta(minutes=2)


def findings(box: Box) -> list[str]:
    """The findings, worst first; an empty list when all is well."""
    return [*of_the_store(box), *standing(box)]


def of_the_store(box: Box) -> list[str]:
    """What the store says when it is read through, which takes its time."""
    return list(_store(box))


def standing(box: Box) -> list[str]:
    """The findings but for those of the store: cheap enough for every few minutes."""
    return [*_asterisk(box), *telephones(box), *_ledger(box), *_modems(box), *_campaigns(box), *_numbers(box),
            *_rules(box), *_disk(box), *_backups(box), *_doors(box), *boot_health.findings(),
            *stick.findings(box.run), *_clock()]


def _store(box: Box) -> Iterator[str]:
    if not box.store.exists():
        yield f"Nothing was kept yet: {box.store} does not exist. Start deskbell-calls."
        return
    try:
        broken = store.connect(box.store).execute("PRAGMA quick_check(1)").fetchone()[0]
    except (store.StoreError, sqlite3.Error) as refused:
        yield f"The store cannot be used. {refused}"
        return
    if broken != "ok":
        yield f"The store is damaged ({broken}). Calls still ring. Restore the last good backup."


def _asterisk(box: Box) -> Iterator[str]:
    if not box.trunks:
        yield ("No line is set up. Give its gateway's address in the first steps, under \"Your line\"; on a machine "
               "without our image as a [[trunk]] in box.toml.")
    if not box.extensions:
        yield "No telephone is set up, so nothing rings. Add an [[extension]] to box.toml."
    try:
        with ami.from_secret(box.secrets / "ami") as asterisk:
            asterisk.ask("CoreStatus")
    except ami.AmiError as silent:
        yield f"{silent}. No call can come in. Restart asterisk.service."


def telephones(box: Box) -> Iterator[str]:
    """Those that nobody inside can ring: the country that the office chose has an emergency number of their digits."""
    taken = (phone.number for phone in box.extensions if numbers.is_emergency(phone.number, box.country))
    for number, free in zip(taken, box_file.free_numbers(box), strict=False):
        yield (f"The telephone {number} has an emergency number of {box.country}. Who dials {number} inside reaches "
               "the emergency service instead, from the next start of the box at the latest; calls from outside ring "
               f"here as before. Give it another number, such as {free}, in deskbell.toml or "
               "box.toml, and in the telephone itself.")


def _ledger(box: Box) -> Iterator[str]:
    if not box.ledger.exists() or not box.store.exists():
        return
    try:
        spool = follow.Spool(box.ledger)
        last = spool.db.execute("SELECT coalesce(max(AcctId), 0) FROM cel").fetchone()[0]
        behind = last - follow.cursor(store.connect(box.store), spool.id)
    except store.StoreError:
        return                     # said already
    except (sqlite3.Error, OSError) as broken:
        yield f"Asterisk's ledger cannot be read ({broken}). Calls ring; the history stands still."
        return
    if behind > follow.BATCH:
        yield f"The history is {behind} rows behind Asterisk's ledger. Calls ring. Restart deskbell-calls."


def _modems(box: Box) -> Iterator[str]:
    for modem in box.modems:
        is_searched_for = "*" in modem.port or not modem.port.startswith("/")   # its row says whether it was found
        if not is_searched_for and not Path(modem.port).exists():
            yield (f"The modem {modem.name} is not plugged in ({modem.port}). Calls are logged; texts wait. "
                   "Plug it in.")
    if not box.modems or not box.store.exists():
        return
    try:
        rows = store.connect(box.store).execute("SELECT name, state, trouble, updated_at FROM modem").fetchall()
    except (store.StoreError, sqlite3.Error):
        return                     # said already
    now, named = datetime.now(UTC), {modem.name for modem in box.modems}
    for row in rows:
        if row["name"] not in named:
            continue               # it was taken out of box.toml
        if row["state"] != "registered" and row["state"] != "roaming":
            yield f"The modem {row['name']}: {row['state']}. Calls are logged; texts wait."
        elif now - store.parse_time(row["updated_at"]) > OLDEST_RADIO:
            yield f"The modem {row['name']} has said nothing for a while. Texts wait. Restart deskbell-modem."
        elif row["trouble"]:
            yield f"The modem {row['name']}: {row['trouble']} Texts go."


def _campaigns(box: Box) -> Iterator[str]:
    if not box.store.exists():
        return
    try:
        db = store.connect(box.store)
        sims = db.execute("SELECT name, paused_reason FROM sim WHERE paused_reason IS NOT NULL").fetchall()
        halted = db.execute("""
            SELECT name, reason
            FROM campaign
            WHERE state = 'paused' AND reason <> ?
            ORDER BY id""", (PAUSED,)).fetchall()
    except (store.StoreError, sqlite3.Error):
        return                     # said already
    for row in sims:
        yield f"The SIM {row['name']}: {row['paused_reason']}"
    for row in halted:
        yield f"The group text \"{row['name']}\" is halted. {row['reason']}"


def _numbers(box: Box) -> Iterator[str]:
    if not box.store.exists():
        return
    try:
        now = settings.read(store.connect(box.store))
    except (store.StoreError, sqlite3.Error):
        return                     # said already
    for key, given in (("owner_numbers", now.owner_numbers), ("forward_texts", now.forward_texts)):
        for raw in filter(None, (part.strip() for part in given.split(","))):
            if numbers.e164(raw, box.country) is None:
                yield (f"{raw!r} in the setting {key} is no number in {box.country}. Nobody is texted there and no "
                       "order from there is obeyed. Write it as you would dial it, or with +.")


def _rules(box: Box) -> list[str]:
    if not box.store.exists():
        return []
    try:
        return list(rulebook.troubles(store.connect(box.store), box))
    except (store.StoreError, sqlite3.Error):
        return []                  # said already


def _disk(box: Box) -> Iterator[str]:
    folder = next(path for path in (box.state, *box.state.parents) if path.exists())
    disk = room.disk(folder)
    if not disk.has_room:
        yield (f"Only {disk.free_bytes // 1_000_000} MB are free on the disk. Calls ring and are written down, but "
               "none is recorded. Delete recordings that nobody needs.")
    if box.store.exists():
        with contextlib.suppress(store.StoreError, sqlite3.Error, OSError):      # said already
            yield from retention.troubles(store.connect(box.store), box)


def _backups(box: Box) -> list[str]:
    if not box.store.exists():
        return []
    try:
        return list(backups.findings(store.connect(box.store), box, datetime.now(UTC)))
    except (store.StoreError, sqlite3.Error):
        return []                  # said already


def _doors(box: Box) -> list[str]:
    if not box.store.exists():
        return []
    try:
        db = store.connect(box.store)
        return [*webhooks.findings(db, datetime.now(UTC)), *doors.findings(db)]
    except (store.StoreError, sqlite3.Error):
        return []                  # said already


def _clock() -> Iterator[str]:
    if not wallclock.is_set(datetime.now(UTC)):
        yield ("Nothing vouches for the clock: no time server was reached. Calls are kept and marked. "
               "Connect the box to the network.")
