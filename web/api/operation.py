"""What an operation of the API is: its address, who may, what it takes and gives. The whole table is made of these."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from web.api.shapes import Schema
from web.office import Office

BASE = "/api/v1"
NAME = re.compile(r"\{(\w+)\}")
IDS: dict[str, tuple[str, Schema]] = {     # a name in a path: what it looks like there, and in the document
    "contact_id": ("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", {"type": "string", "format": "uuid"})}
ID: tuple[str, Schema] = ("[0-9]{1,18}", {"type": "integer", "minimum": 0, "maximum": 10**18 - 1})


@dataclass(frozen=True)
class Asked:
    """One request that passed: what its path, its query and its body say, all of the right shape."""
    office: Office
    by: str
    now: datetime
    path: dict[str, str]
    query: dict[str, Any]
    body: Any

    def id(self, name: str) -> int:
        return int(self.path[name])


@dataclass(frozen=True)
class Operation:
    """One of them. role: what a token needs, see tokens.ROLES; gives: the name of a schema of answers.py, "" nothing;
    kind: the media type when the answer is no JSON; is_costly: counted against the texts an hour too."""
    method: str
    path: str
    name: str
    summary: str
    role: str
    run: Callable[[Asked], Any]
    gives: str = ""
    status: int = 200
    query: dict[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    kind: str = "application/json"
    is_costly: bool = False


def rule(it: Operation) -> str:
    """Its route as bottle writes it."""
    def part(found: re.Match[str]) -> str:
        return f"<{found[1]}:re:{IDS.get(found[1], ID)[0]}>"
    return BASE + NAME.sub(part, it.path)
