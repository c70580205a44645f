"""What the history and a call's page say."""
from __future__ import annotations

from tests.desk import Browser, Office


def test_history_shows_a_missed_call_with_its_text(office: Office, amy: Browser) -> None:
    office.texted(office.missed("+4915123456789", name="Margaret Osei"))
    page = amy.get("/").text
    assert "Margaret Osei" in page and "01512 3456789" in page
    assert "Missed, rang 24\N{NO-BREAK SPACE}s" in page and "Texted, delivered" in page
