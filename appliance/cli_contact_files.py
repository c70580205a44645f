"""`deskbell contact import|export`: customers in by a file and out, as on the page."""
from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from appliance import config
from appliance.people import (
    sheets,
    transfer_columns,
    transfer_export,
    transfer_read,
    transfer_store,
    transfer_vcard,
    transfer_work,
)
from appliance.people.search import Filter
from appliance.people.transfer import MOST_BYTES, TransferError
from appliance.people.transfer_store import Import
from appliance.store import db as store

LOOK_S = 0.2
ASLEEP_S = 15.0            # the clock looks each second
HEADINGS = {"name": "Name", "other_name": "Other name", "company": "Company", "number": "Number",
            "label": "Label of the number", "address": "Address", "birthday": "Birthday", "vip": "VIP",
            "blocked": "Blocked", "blocked_reason": "Why blocked", "groups": "Groups", "tags": "Tags"}


def add_to(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two verbs, beside the others of `deskbell contact`."""
    bring = verbs.add_parser("import", help="customers from a CSV, Excel or vCard file; without --yes it is only read")
    bring.add_argument("file", type=Path)
    bring.add_argument("--yes", action="store_true", help="bring them in; the page takes all of it back")
    bring.set_defaults(act=_import)
    out = verbs.add_parser("export", help="every customer into a file: .csv, .xlsx or .vcf")
    out.add_argument("file", type=Path)
    out.set_defaults(act=_export)


def _import(asked: argparse.Namespace) -> int:
    box, db = _open()
    try:
        if asked.file.stat().st_size > MOST_BYTES:
            raise TransferError(f"It is bigger than {MOST_BYTES // 1024 // 1024} MB. Send it in parts.")
        it = _take(db, box, asked.file)
        it = _settled(db, it.id)
        print(f"{it.rows} rows: {it.added} new, {it.joined} have a card already, {it.left_out} cannot be used.")
        for remark in transfer_store.remarks(db, it.id, 20):
            print(f"  row {remark.line}: {remark.reason}")
        if not asked.yes:
            with store.write(db):
                transfer_store.forget(db, box, it.id)
            print("Nothing was brought in; with --yes it is.")
            return 0
        with store.write(db):
            transfer_store.bring_in(db, it.id, datetime.now(UTC))
        it = _settled(db, it.id)
    except (TransferError, OSError) as refused:
        print(f"deskbell: {asked.file}: {refused}", file=sys.stderr)
        return 2
    print(f"Brought in: {it.added} new, {it.joined} joined to a card, {it.same} were the same. "
          f"The page takes it back: /customers/import/{it.id}")
    return 0


def _take(db: sqlite3.Connection, box: config.Box, file: Path) -> Import:
    """The import of a copy that stands where the clock finds it; the clock looks at every row."""
    with open(file, "rb") as opened:
        format = transfer_read.format_of(opened.read(4096), file.name)
    ours = {transfer_columns.head_key(word): target for target, word in HEADINGS.items()}
    plan = transfer_work.plan_of(file, format, box.country, ours)
    aside = transfer_store.folder(box) / secrets.token_hex(16)
    shutil.copyfile(file, aside)
    aside.chmod(0o660)
    with store.write(db):
        import_id = transfer_store.add(db, file.name, aside.name, format, plan, by(), datetime.now(UTC))
        transfer_store.check(db, import_id)
    return transfer_store.get(db, import_id)


def _settled(db: sqlite3.Connection, import_id: int) -> Import:
    """The import once the clock is done with it. Raises TransferError when it failed, or nobody works on it."""
    last, moved = (0.0, 0), time.monotonic()
    while (it := transfer_store.get(db, import_id)).is_working:
        if (it.share, it.position) != last:
            last, moved = (it.share, it.position), time.monotonic()
        if time.monotonic() - moved > ASLEEP_S:
            raise TransferError("The file waits: nothing works on it. Start deskbell-clock; it goes on by itself.")
        time.sleep(LOOK_S)
    if it.state == "failed":
        raise TransferError(it.reason or "It could not be read.")
    return it


def _export(asked: argparse.Namespace) -> int:
    box, db = _open()
    cards, head = transfer_export.chosen(db, box.country, Filter()), transfer_export.head(db, HEADINGS)
    rows = transfer_export.rows(db, cards, len(head))
    makers: dict[str, Iterator[bytes]] = {
        ".csv": sheets.csv(head, rows, sheets.separator(box.country)), ".xlsx": sheets.xlsx(head, rows),
        ".vcf": transfer_vcard.write(cards)}
    body = makers.get(asked.file.suffix.lower())
    if body is None:
        print(f"deskbell: {asked.file}: a name that ends in .csv, .xlsx or .vcf is wanted.", file=sys.stderr)
        return 2
    return write_out(asked.file, body, "customers")


def write_out(file: Path, body: Iterator[bytes], what: str) -> int:
    """Writes a file that only its owner reads; one that is there already is not touched."""
    try:
        with open(file, "xb") as out:
            file.chmod(0o600)
            for piece in body:
                out.write(piece)
    except OSError as refused:
        print(f"deskbell: {file} was not written ({refused.strerror}).", file=sys.stderr)
        return 2
    print(f"The {what} are in {file}.")
    return 0


def by() -> str:
    """Who works at the command line, for the log of changes."""
    return f"{os.environ.get('SUDO_USER') or os.environ.get('USER') or 'root'} (command line)"


def _open() -> tuple[config.Box, sqlite3.Connection]:
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    return box, db
