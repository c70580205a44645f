"""`deskbell recording`: what was recorded, listed and copied out; who copied it is written down."""
from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from appliance import config
from appliance.calls import library, listening
from appliance.calls.tapes import open_beneath
from appliance.cli_contact_files import by, write_out
from appliance.people import numbers
from appliance.store import db as store

PIECE_BYTES = 256 * 1024


def add_to(nouns: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs of `deskbell recording`."""
    verbs = nouns.add_parser("recording", help="what was recorded").add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="the latest recordings, or those that fit a search")
    listing.add_argument("search", nargs="?", default="", help="a part of the name, number or note")
    listing.add_argument("--limit", type=int, default=50)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(act=_list)
    export = verbs.add_parser("export", help="one recording into a file: deskbell recording export 17 call.opus")
    export.add_argument("call", type=int, help="the number of its call, as the list has it")
    export.add_argument("file", type=Path)
    export.set_defaults(act=_export)


def _list(asked: argparse.Namespace) -> int:
    box, db = _open()
    found = library.page(db, library.Filter(text=asked.search), limit=max(1, min(asked.limit, 1000))).entries
    for one in found:
        call = one.call
        if asked.json:
            print(json.dumps({"call": call.id, "at": store.iso(call.started_at), "number": call.number,
                              "duration_ms": one.duration_ms, "is_starred": one.is_starred,
                              "is_missing": one.is_missing, "mark": one.mark, "note": one.note}, ensure_ascii=False))
            continue
        who = numbers.shown(call.number, box.country) if call.number else "no number"
        said = [f"{call.started_at.astimezone(box.zone):%Y-%m-%d %H:%M}", who, f"{one.duration_ms // 1000} s",
                "starred" if one.is_starred else "", "its file is gone" if one.is_missing else ""]
        print(f"{call.id:>6}  " + "  ".join(filter(None, said)))
    if not found and not asked.json:
        print(f"No recording fits {asked.search!r}." if asked.search else "Nothing was recorded yet.")
    return 0


def _export(asked: argparse.Namespace) -> int:
    box, db = _open()
    tape = library.tape(db, asked.call)
    file = open_beneath(box.recordings, tape.file) if tape else None
    if tape is None or file is None:
        print(f"deskbell: Of call {asked.call} there is no recording. `deskbell recording list` shows them.",
              file=sys.stderr)
        return 2
    code = write_out(asked.file, _pieces(file), f"sounds of call {asked.call} ({Path(tape.file).suffix})")
    if code == 0:
        listening.heard(db, asked.call, by(), True, datetime.now(UTC))
    return code


def _pieces(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _open() -> tuple[config.Box, sqlite3.Connection]:
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    return box, db
