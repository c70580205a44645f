"""The same office and the same browser as the quicker rings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import amy, chromium, desk, office

__all__ = ["amy", "chromium", "desk", "office"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is deep; of the others only what says so."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.deep)
