"""Every route there is, with example values in it, and the test's own table of who may open it."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.desk import box_at
from web import app, auth
from web.events import Hub
from web.office import Office as Pages

ALL = {"owner", "staff", "installer"}
DESK, BOX, OWNER = {"owner", "staff"}, {"owner", "installer"}, {"owner"}

# Written apart from the marks in the routes, by the beginning of the address; the first that fits counts.
WHO: list[tuple[str, set[str]]] = [
    # and without a session:
    (r"/(static/.*|phonebook/.*|login|login/code|setup|welcome|ping|certificate|ca\.crt)$", ALL),
    (r"/(session|language|logout|undo|more|help|about|account)\b", ALL),
    (r"/(users|doors|changes|rules?|backups?|settings/(?!lines|network|$))\b", OWNER),
    (r"/customers?/(.*/)?(forget|forgotten|export|import)\b", OWNER),
    (r"/tocall/list(/1/(edit|answers.*|open|paused|closed))?$", OWNER),
    (r"/recording/1/delete$", OWNER),
    (r"/settings(/lines|/network)?\b", BOX),
    (r"/wizard/(shop|hours|backup)\b", OWNER),
    (r"/box/reset\b", OWNER),
    (r"/(wizard|box|telephones)\b", BOX),
    (r"/(sims|diagnostics|update)\b", BOX),
    (r"/recording/\d+/delete\b", OWNER),
    (r"/history\.(csv|xlsx)$", OWNER),
    (r"/(events|owed|history|call|calls|recordings?|texts|campaigns?|templates|optouts|tocall|callbacks?)\b", DESK),
    (r"/(customers?|contacts?|groups?|tags?|cards?|notes?)\b", DESK),
    (r"/(pop|dial|desks?)\b", DESK),
    (r"/(statistics)\b", OWNER),
    (r"/demo/", DESK),
    (r"/$", DESK),
]
EXAMPLES = ["1", "missed", "deskbell_desk.py", "00000000-0000-7000-8000-000000000001", "desk.css", "csv", "2026-11-21",
            "2026-11", "+4915123456789", "0" * 32, "A" * 22]


@dataclass(frozen=True)
class Walked:
    """One route: `rule` as the application has it, `path` with examples."""
    method: str
    rule: str
    path: str
    is_upload: bool

    @property
    def is_public(self) -> bool:
        return auth.is_public(self.path)

    @property
    def who(self) -> set[str]:
        for start, who in WHO:
            if re.match(start, self.path):
                return who
        raise AssertionError(f"say in tests/pages/walk.py who may open {self.rule}")


def routes(folder: Path) -> list[Walked]:
    """Every method and path of the application, with example values in it."""
    box = box_at(folder / "routes", demo=folder)
    return [Walked(route.method, route.rule, example(route.rule), "upload" in route.config)
            for route in app.pages(Pages(box, Hub(box))).routes
            if route.config.get("token") != "api"]             # no session opens those: test_api.py walks them


def example(rule: str) -> str:
    """An address of this route: the first of several words, or the first example that fits its pattern."""
    return re.sub(r"<\w+(?::(int|path|re:([^>]+)))?>", lambda found: _fitting(rule, found[1] or "", found[2]), rule)


def _fitting(rule: str, kind: str, pattern: str | None) -> str:
    if kind == "int":
        return "1"
    if pattern is None:
        return "desk.css"
    words = pattern.split("|")
    found = next((one for one in [*words, *EXAMPLES] if re.fullmatch(pattern, one)), None)
    assert found is not None, f"give {rule} an example in tests/pages/walk.py"
    return found
