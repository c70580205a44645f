"""Brings files of customers in, as the pages and the clock do."""
from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from appliance.config import Box
from appliance.people import (
    cards,
    contacts,
    transfer_store,
    transfer_work,
)
from appliance.people.transfer import Plan
from appliance.store import db as store

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Clerk:
    """Brings files in as the pages and the clock do."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.box, self.files = db, box, 0

    def check(self, content: str | bytes, format: str = "csv", **plan: object) -> int:
        self.files += 1
        path = transfer_store.folder(self.box) / f"{self.files}.upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        guessed = transfer_work.plan_of(path, format, self.box.country)
        guessed = Plan(**{**guessed.__dict__, **plan})          # type: ignore[arg-type]
        with store.write(self.db):
            number = transfer_store.add(self.db, "people.csv", path.name, format, guessed, "amy", NOW)
            transfer_store.check(self.db, number)
        self.work()
        return number

    def bring_in(self, content: str | bytes, format: str = "csv", now: datetime = NOW, **plan: object) -> int:
        number = self.check(content, format, **plan)
        with store.write(self.db):
            transfer_store.bring_in(self.db, number, now)
        self.work()
        return number

    def undo(self, number: int) -> transfer_store.Import:
        with store.write(self.db):
            transfer_store.undo(self.db, number)
        self.work()
        return transfer_store.get(self.db, number)

    def work(self) -> None:
        while transfer_work.attend(self.db, self.box, NOW):
            pass

    def card(self, number: str) -> cards.Card:
        owner = contacts.find(self.db, number)
        assert owner
        found = cards.card(self.db, owner)
        assert found
        return found

    def everything(self) -> list[list[tuple[object, ...]]]:
        """Every row that makes cards what they are."""
        return [[tuple(row) for row in self.db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")] for table in (
            "contact", "contact_number", "contact_field", "contact_tag", "contact_group_member", "contact_group",
            "note")]
