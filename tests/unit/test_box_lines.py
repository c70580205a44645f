"""The lines of a box as the pages change them: kept in box.toml when they can be, and taken without a restart."""
from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from appliance.box import box_file, lines
from appliance.box.places import Places
from appliance.update.errands import RefusedError

ONE = {"key": "line1", "name": "Shop", "gateway": "192.168.1.20:5062"}
TWO = {"key": "line2", "name": "Line 2", "gateway": "192.168.1.20:5064"}


@pytest.mark.parametrize(("before", "key", "gateway", "after"), [
    ([], "", "192.168.1.20", [{"key": "line1", "name": "Line 1", "gateway": "192.168.1.20"}]),
    ([ONE], "", "192.168.1.20:5064", [ONE, TWO]),
    ([TWO], "", "192.168.1.9", [TWO, {"key": "line1", "name": "Line 1", "gateway": "192.168.1.9"}]),
    ([ONE, TWO], "line1", "192.168.1.9", [{**ONE, "gateway": "192.168.1.9"}, TWO]),
    ([ONE, TWO], "line1", "", [TWO]),
    ([ONE], "line1", "", []),
])
def test_a_line_is_added_changed_or_taken_away_and_nothing_else(
        before: list[dict[str, str]], key: str, gateway: str, after: list[dict[str, str]]) -> None:
    table: dict[str, Any] = {"name": "deskbell-4f2a", "trunk": before, "extension": box_file.NEW["extension"]}
    changed = lines.changed(table, key, gateway)
    assert changed.get("trunk", []) == after
    assert {name: value for name, value in changed.items() if name != "trunk"} \
        == {name: value for name, value in table.items() if name != "trunk"}


class Taken:
    """What systemd was asked for."""

    def __init__(self) -> None:
        self.orders = list[tuple[str, ...]]()

    def __call__(self, *words: str) -> None:
        self.orders.append(words)


def ask(places: Places, taken: Taken, key: str, gateway: str) -> str:
    return lines.errand(sqlite3.connect(":memory:"), {"key": key, "gateway": gateway}, lambda *_: None, places, taken)


def test_the_errand_of_a_page_is_kept_and_asterisk_is_not_restarted(tmp_path: Path) -> None:
    places, taken = Places(tmp_path), Taken()
    box_file.write(places.box, {"name": "deskbell-4f2a", **box_file.NEW})
    assert ask(places, taken, "", "192.168.1.20:5062") == "The line is set up. Ring the shop to hear it."
    kept = box_file.read(places.box)
    assert kept is not None and kept["trunk"] == [{**ONE, "name": "Line 1"}]
    assert ("restart", "deskbell-provision.service") in taken.orders
    assert [order[0] for order in taken.orders if "asterisk.service" in order] == ["try-reload-or-restart"]


@pytest.mark.parametrize(("key", "gateway", "told"), [
    ("", "192.168.1.20:5062", "is a line of this box already"),
    ("", "192.168.1.40:5060", "is a line of this box already"),
    ("line7", "192.168.1.9", "is gone meanwhile"),
    ("line7", "", "is gone meanwhile"), ("", "not an address", "write the gateway's address"),
    ("", "", "write the gateway's address"), ("line1", "1.2.3.4:99999", "write the gateway's address"),
    ("", "192.168.1.20\n[evil]", "write the gateway's address"),
])
def test_a_line_that_cannot_be_changes_nothing(tmp_path: Path, key: str, gateway: str, told: str) -> None:
    places, taken = Places(tmp_path), Taken()
    trunks = [ONE, {**TWO, "gateway": "192.168.1.40"}]
    box_file.write(places.box, {"name": "deskbell-4f2a", **box_file.NEW, "trunk": trunks})
    before = places.box.read_bytes()
    with pytest.raises(RefusedError, match=told):
        ask(places, taken, key, gateway)
    assert places.box.read_bytes() == before and not taken.orders
