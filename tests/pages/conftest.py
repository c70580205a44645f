"""An office for every test of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Browser, Office, box_at


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(box_at(tmp_path))
    yield office
    office.close()


@pytest.fixture
def amy(office: Office) -> Browser:
    """The first user, logged in."""
    return office.browser()
