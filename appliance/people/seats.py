"""A user's place: desk phone, the lines seen there, whether it rings aloud. Writers run inside the caller's write()."""
from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """extension None: no desk phone of theirs; lines None: every one, else keys of trunks."""
    extension: str | None = None
    lines: frozenset[str] | None = None
    is_muted: bool = False

    def sees(self, trunk: object) -> bool:
        """Whether calls of this line come to this place; a call of no line comes to all."""
        return self.lines is None or trunk is None or trunk in self.lines


def of_user(db: sqlite3.Connection, user_id: int) -> Seat:
    row = db.execute("SELECT extension, lines, is_muted FROM user WHERE id = ?", (user_id,)).fetchone()
    return seat(row) if row else Seat()


def seat(row: sqlite3.Row) -> Seat:
    """From a row of user or desk."""
    lines = None if row["lines"] is None else frozenset(map(str, json.loads(row["lines"])))
    return Seat(row["extension"], lines, bool(row["is_muted"]))


def put(db: sqlite3.Connection, user_id: int, kept: Seat) -> None:
    """Keeps the lines and the mute; the desk phone is kept with the user."""
    db.execute("UPDATE user SET lines = ?, is_muted = ? WHERE id = ?",
               (None if kept.lines is None else json.dumps(sorted(kept.lines)), kept.is_muted, user_id))


def told(its: Seat) -> dict[str, object]:
    """For the log of changes."""
    return {"lines": None if its.lines is None else sorted(its.lines), "is_muted": its.is_muted}


def mute(db: sqlite3.Connection, user_id: int, is_muted: bool) -> None:
    db.execute("UPDATE user SET is_muted = ? WHERE id = ?", (is_muted, user_id))
