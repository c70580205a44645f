"""What the gate of updates looks at, on a running box with a real Asterisk."""
from __future__ import annotations

import dataclasses

from appliance.update import health
from tests.pbx.office import Office


def test_a_call_to_ourselves_is_answered_written_down_and_in_no_history(office: Office) -> None:
    assert [health.loopback_call(office.box) for _ in range(2)] == ["", ""]
    office.settle()
    assert office.calls(0) == []
    office.missed(office.mobile())                 # and the next one is
    assert len(office.calls(1)) == 1


def test_asterisk_the_bell_and_the_store_are_well(office: Office) -> None:
    assert [check(office.box) for check in (health.asterisk, health.bell, health.the_store)] == ["", "", ""]


def test_without_its_secret_the_box_is_not_well(office: Office) -> None:
    elsewhere = dataclasses.replace(office.box, secrets=office.box.state)
    assert "was not answered" in health.loopback_call(elsewhere) and "No call can come in" in health.asterisk(elsewhere)
