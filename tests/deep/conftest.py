"""The same office and the same browser as the quicker rings."""

from __future__ import annotations

from tests.browser.conftest import amy, chromium, desk, office

__all__ = ["amy", "chromium", "desk", "office"]
