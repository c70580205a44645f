"""What a receptionist changes: kept at once, within its limits."""
from __future__ import annotations

import sqlite3

import pytest

from appliance import settings
from appliance.settings import SettingError
from appliance.store import db as store


def test_what_was_never_set_has_its_default(db: sqlite3.Connection) -> None:
    now = settings.read(db)
    assert now == settings.DEFAULTS
    assert now.missed_text_on and now.missed_text_delay_s == 0 and now.missed_text_pause_min == 60
    assert not now.record_calls, "nobody is recorded unless somebody switched it on"


@pytest.mark.parametrize(("key", "value"), [
    ("shop_name", "Frühling & Söhne 張"), ("shop_name", ""), ("missed_text_on", False),
    ("missed_text", "{shop}: {x} %s"),
    ("missed_text_delay_s", 0), ("missed_text_delay_s", 3600), ("missed_text_pause_min", 10080), ("record_calls", True),
    ("ring_s", 5), ("ring_s", 300),
])
def test_a_setting_is_kept_and_kept_again(db: sqlite3.Connection, key: str, value: object) -> None:
    for _ in (1, 2):
        with store.write(db):
            settings.put(db, key, value)
        assert getattr(settings.read(db), key) == value


@pytest.mark.parametrize(("key", "value", "sentence"), [
    ("shopname", "x", "There is no setting 'shopname'. Did you mean 'shop_name'?"),
    ("zzz", 1, "There is no setting 'zzz'."),
    ("__class__", 1, "There is no setting '__class__'."),
    ("record_calls", 1, "record_calls is true or false, not 1."),
    ("record_calls", "yes", "record_calls is true or false, not 'yes'."),
    ("ring_s", True, "ring_s is a whole number, not True."),
    ("ring_s", 12.5, "ring_s is a whole number, not 12.5."),
    ("ring_s", "30", "ring_s is a whole number, not '30'."),
    ("ring_s", 4, "ring_s goes from 5 to 300."),
    ("ring_s", 301, "ring_s goes from 5 to 300."),
    ("ring_s", 10**30, "ring_s goes from 5 to 300."),
    ("missed_text_delay_s", -1, "missed_text_delay_s goes from 0 to 3600."),
    ("missed_text_pause_min", 10081, "missed_text_pause_min goes from 0 to 10080."),
    ("shop_name", 5, "shop_name is text, not 5."),
    ("shop_name", None, "shop_name is text, not None."),
    ("missed_text", "half \ud83d", "missed_text holds a character that is not whole. Type it again."),
])
def test_a_wrong_one_is_refused_in_words_and_changes_nothing(
        db: sqlite3.Connection, key: str, value: object, sentence: str) -> None:
    with pytest.raises(SettingError) as refused, store.write(db):
        settings.put(db, key, value)
    assert str(refused.value) == sentence
    assert settings.read(db) == settings.DEFAULTS


@pytest.mark.parametrize("value", ["null", '"thirty"', "[]", "1.5", "true"])
def test_a_value_that_somebody_wrote_past_us_is_the_default(db: sqlite3.Connection, value: str) -> None:
    db.execute("INSERT INTO setting VALUES ('ring_s', ?)", (value,))
    db.execute("INSERT INTO setting VALUES ('of_a_later_release', '1')")
    assert settings.read(db) == settings.DEFAULTS


def test_a_change_is_seen_by_the_others_at_once(db: sqlite3.Connection) -> None:
    path = db.execute("PRAGMA database_list").fetchone()["file"]
    other = store.connect(path)
    with store.write(db):
        settings.put(db, "ring_s", 20)
    assert settings.read(other).ring_s == 20
    other.close()
