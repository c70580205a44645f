"""The first steps: which there are and how far one is; kept beside the settings, so that a closed browser goes on."""
from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from web.language import N_

KEY = "wizard"           # a row beside the settings: nobody sets it by name
DONE, LATER = "done", "later"


@dataclass(frozen=True)
class Step:
    """One of them. mark: whose it is, see roles.py; lacks: what is not there until it is done."""
    key: str
    name: str
    mark: str
    lacks: str = ""


STEPS = (
    Step("language", N_("Language"), "installer"),
    Step("shop", N_("Shop and place"), "owner", N_("Numbers are read as of another country, and times may be wrong.")),
    Step("hours", N_("Opening hours"), "owner", N_("Rules take you to be there at any hour.")),
    Step("line", N_("Your line"), "installer", N_("Nobody has heard the line ring yet.")),
    Step("sim", N_("SIM and texts"), "installer", N_("Nobody has seen a text arrive yet.")),
    Step("backup", N_("First backup"), "owner", N_("If the box breaks today, all that it knows is gone.")),
    Step("end", N_("What is left"), "installer"),
)


@dataclass(frozen=True)
class Progress:
    """How far it is. at: the step that is next; steps: done or later, by key; is_over: finished, never shown again.

    ring_after: the last call there was when the line's test began, -1 before; sms, backup: the text of the SIM's test
    and the first backup asked for, 0 before them.
    """
    at: str = "language"
    steps: dict[str, str] = field(default_factory=dict)
    is_over: bool = False
    ring_after: int = -1
    sms: int = 0
    backup: int = 0


def read(db: sqlite3.Connection) -> Progress | None:
    """None for an office that never began them: it was set up before there were any. What is odd begins anew."""
    row = db.execute("SELECT value FROM setting WHERE key = ?", (KEY,)).fetchone()
    return parse(row["value"]) if row else None


def parse(text: str) -> Progress:
    try:
        given = json.loads(text)
        steps = {step.key: given["steps"][step.key] for step in STEPS if given["steps"].get(step.key) in (DONE, LATER)}
        numbers = {key: int(given[key]) for key in ("ring_after", "sms", "backup")}
        at = given["at"] if given["at"] in {step.key for step in STEPS} else "language"
        return Progress(at, steps, bool(given["is_over"]), **numbers)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Progress()


def keep(db: sqlite3.Connection, progress: Progress) -> None:
    """Call it inside write()."""
    db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", (KEY, json.dumps(asdict(progress))))


def begin(db: sqlite3.Connection) -> None:
    """The first user is in; call it inside write()."""
    keep(db, Progress())


def mine(may: Callable[[str], bool]) -> list[Step]:
    """The steps of somebody who may open such marks."""
    return [step for step in STEPS if may(step.mark)]


def after(progress: Progress, key: str, outcome: str, may: Callable[[str], bool]) -> Progress:
    """Once this step is done or left for later: at the next one."""
    keys = [step.key for step in mine(may)]
    following = keys[min(keys.index(key) + 1, len(keys) - 1)]
    return replace(progress, at=following, steps={**progress.steps, key: outcome})


def left(progress: Progress, may: Callable[[str], bool]) -> list[Step]:
    """The steps that are not done, without the last page."""
    return [step for step in mine(may) if step.lacks and progress.steps.get(step.key) != DONE]
