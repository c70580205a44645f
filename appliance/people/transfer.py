"""Customers that come in by a file: what a column may mean, how a file is to be read, what became of a row.

The way of a file: transfer_read (bytes → rows) or transfer_vcard → transfer_columns (which column is what) →
transfer_rows (a row → a card as we write it, or why not) → transfer_work (checks, brings in, takes back).
Out they go by transfer_export.
"""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

# What a column may be. Several columns may be `number` and `field`; parts of a name and an address are put together.
TARGETS = ("name", "first", "middle", "last", "other_name", "company", "number", "label", "address", "street", "zip",
           "city", "state", "land", "birthday", "groups", "tags", "vip", "blocked", "blocked_reason", "note", "field",
           "skip")
JOIN, SKIP = "join", "skip"

MOST_BYTES = 64 * 1024 * 1024
MOST_ROWS = 300_000
MOST_COLUMNS = 500
LONGEST_LINE = 1024 * 1024
SHOWN = 20                   # rows of the preview


class TransferError(Exception):
    """A file was refused; the text says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """How a file is read. columns: a target for each column, "field:bike" for one of the owner's own."""
    encoding: str = "utf-8"
    separator: str = ","
    has_head: bool = True
    columns: tuple[str, ...] = ()
    duplicates: str = JOIN

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Plan:
        given = json.loads(text)
        return replace(Plan(**{**given, "columns": tuple(given.get("columns", ()))}))


@dataclass(frozen=True)
class Item:
    """One thing that a row says: "number" with its label, or "field" with its name."""
    target: str
    value: str
    label: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a file or one vCard: where it stands, what it says, its cells as they were."""
    number: int
    items: Sequence[Item]
    cells: Sequence[str]
    problem: str = ""


@dataclass(frozen=True)
class Ready:
    """A row as we would write it. `left_out` says why it cannot be used at all, `remark` what of it cannot."""
    line: int
    name: str = ""
    other_name: str | None = None
    company: str | None = None
    address: str | None = None
    birthday: str | None = None
    is_vip: bool = False
    is_blocked: bool = False
    blocked_reason: str | None = None
    numbers: tuple[tuple[str, str], ...] = ()            # E.164, label
    fields: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    note: str = ""
    left_out: str = ""
    remark: str = ""
    cells: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        told = {name: value for name, value in self.__dict__.items() if value}
        if not (self.left_out or self.remark):
            told.pop("cells", None)
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(text: str | bytes) -> Ready:
        told = json.loads(text)
        for name in ("numbers", "fields"):
            if name in told:
                told[name] = tuple((one, other) for one, other in told[name])
        for name in ("tags", "groups", "cells"):
            if name in told:
                told[name] = tuple(told[name])
        return Ready(**told)
