"""A box that was set up by deskbell.toml: its first texts are in the shop's language, though nobody opened a page."""
from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from appliance import settings
from appliance.box.places import FIRST_WORDS
from appliance.config import Box
from appliance.store import db as store
from web import firstwords

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_the_first_texts_are_in_the_language_of_the_file_and_only_once(tmp_path: Path) -> None:
    box = Box(state=tmp_path)
    db = store.connect(box.store)
    store.migrate(db)
    firstwords.at_start(db, box, NOW)
    assert settings.read(db).stop_answer == settings.DEFAULTS.stop_answer
    (tmp_path / FIRST_WORDS).write_text("fr")
    firstwords.at_start(db, box, NOW)
    assert settings.read(db).stop_answer != settings.DEFAULTS.stop_answer
    assert not (tmp_path / FIRST_WORDS).exists()
    with store.write(db):
        settings.put(db, "stop_answer", "Bye.")
    firstwords.at_start(db, box, NOW)
    assert settings.read(db).stop_answer == "Bye."
