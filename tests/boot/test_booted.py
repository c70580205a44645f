"""The root that ships, booted by systemd: its own units, users, mounts and network."""
from __future__ import annotations

from tests.boot.nspawn import Machine


def test_the_box_boots_and_nothing_failed(machine: Machine) -> None:
    assert machine.failed() == [], machine.troubles()
    assert machine.said("systemctl is-system-running") == "running"
