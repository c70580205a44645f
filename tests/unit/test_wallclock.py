"""A box has no battery clock: when may a time be trusted?"""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.box import wallclock


@pytest.mark.parametrize("now", [
    datetime(1970, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), wallclock.EARLIEST - timedelta(seconds=1)])
def test_a_time_before_this_release_is_certainly_wrong(now: datetime) -> None:
    assert not wallclock.is_set(now)


def test_a_later_time_is_as_good_as_what_vouches_for_it() -> None:
    """The kernel is really asked (adjtimex); what it says depends on the machine."""
    first = wallclock.is_set(datetime.now(UTC))
    assert isinstance(first, bool)
    assert wallclock.is_set(wallclock.EARLIEST) == first


@pytest.mark.parametrize(("note", "is_of_a_call"), [
    ('{"by": "line"}', True), ('{"by": "gsm"}', False), ("{", False), (None, False)])
def test_a_time_that_only_a_call_told_is_known_as_such(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note: str | None, is_of_a_call: bool) -> None:
    monkeypatch.setattr(wallclock, "BY_NETWORK", tmp_path / "time.json")
    if note:
        wallclock.BY_NETWORK.write_text(note)
    assert wallclock.is_of_a_call() == is_of_a_call
