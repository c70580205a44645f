"""Migrations: frozen SQL files, applied by sqlite-utils, each recorded in _sqlite_migrations."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations


def apply(db: sqlite3.Connection, folder: Path) -> list[str]:
    """Names of the files of folder that were still to be applied, in order; call it inside write()."""
    house, steps = Database(db), Migrations("deskbell")
    for file in sorted(folder.glob("[0-9]*.sql")):
        steps(name=file.stem)(_step(file.read_text()))
    pending = [step.name for step in steps.pending(house)]
    steps.apply(house)
    return pending


def _step(sql: str) -> Callable[[Database], None]:
    """The statements of a schema file one by one: executescript() would commit what went before."""
    def run(house: Database, /) -> None:
        statement = ""
        for line in sql.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                house.execute(statement)
                statement = ""
        if statement.strip():
            house.execute(statement)
    return run
