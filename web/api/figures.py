"""The figures of a time, and how the box is."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

from appliance.box import licences
from appliance.calls import stats, today
from appliance.store.db import iso
from web.api.calls import QUERY
from web.api.operation import Asked, Operation
from web.api.problems import Problem

COUNTS = ("calls", "answered", "missed", "abandoned", "voicemail", "blocked", "withheld", "outgoing",
          "outgoing_answered", "mean_wait_ms", "mean_talk_ms")
LONGEST = timedelta(days=366 * 3)
USUAL = timedelta(days=7)


def _statistics(asked: Asked) -> dict[str, Any]:
    until = asked.query.get("until", asked.now)
    since = asked.query.get("from", until - min(USUAL, until - until.min.replace(tzinfo=until.tzinfo)))
    if not timedelta(0) < until - since <= LONGEST:
        raise Problem(422, "until is later than from, by three years at most.")
    found = stats.total(asked.office.db, stats.ALL, since, until)
    return {"since": iso(since), "until": iso(until), **{name: getattr(found, name) for name in COUNTS}}


def _health(asked: Asked) -> dict[str, Any]:
    look = today.look(asked.office.db)
    return {"looked_at": iso(look.at) if look else None, "is_well": look is not None and not look.findings,
            "findings": look.findings if look else [], "version": licences.version()}


OPERATIONS = (
    Operation("GET", "/statistics", "getStatistics", "Calls of a time in figures; the last seven days without one",
              "staff", _statistics, "Statistics", query={name: QUERY[name] for name in ("from", "until")}),
    Operation("GET", "/health", "getHealth", "What the box found when it last looked at itself", "reader", _health,
              "Health"),
)
