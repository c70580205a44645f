"""The box of this ring: started once, handed to every test as `office`."""
from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.pbx import box as boxes
from tests.pbx.office import Office, running


@pytest.fixture(scope="session")
def _running() -> Iterator[Office]:
    if os.geteuid() != 0 or boxes.REPO != boxes.DISPOSABLE:
        pytest.skip("these tests lay out a whole box, so they run as root in the disposable root only: tests/run pbx")
    with running() as office:
        yield office


@pytest.fixture
def office(_running: Office) -> Iterator[Office]:
    """The running office with a clean desk; afterwards no call of this test goes on."""
    _running.begin()
    yield _running
    _running.end()
