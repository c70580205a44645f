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
    assert (now.text_pause_min, now.texts_a_day, now.breaker_an_hour) == (60, 3, 30)
    assert (now.quiet_from, now.quiet_until, now.quiet_does) == ("21:00", "08:00", "later")
    assert not now.record_calls, "nobody is recorded unless somebody switched it on"


@pytest.mark.parametrize(("key", "value"), [
    ("shop_name", "Frühling & Söhne 張"), ("shop_name", ""), ("record_calls", True),
    ("text_pause_min", 0), ("text_pause_min", 10080), ("texts_a_day", 100), ("breaker_an_hour", 1000),
    ("opening_hours", "Mon-Fri 9:00-18:00, Sat 10:00-14:00"), ("opening_hours", ""), ("quiet_from", "22:30"),
    ("quiet_until", "24:00"), ("quiet_does", "drop"), ("closed_until", "2026-11-21T15:00:00.000Z"),
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
    ("texts_a_day", 0, "texts_a_day goes from 1 to 100."),
    ("text_pause_min", 10081, "text_pause_min goes from 0 to 10080."),
    ("quiet_does", "wait", "quiet_does is later or drop, not 'wait'."),
    ("quiet_from", "9 pm", "quiet_from: '9 pm' is no time of day. Write it like 09:00."),
    ("quiet_until", "24:01", "quiet_until: '24:01' is no time of day. Write it like 09:00."),
    ("closed_until", "15:00", "closed_until: '15:00' is no moment. Write it like 2026-11-21T15:00:00Z."),
    ("opening_hours", "Mom-Fri 9:00-18:00", "opening_hours: 'Mom' is no day of the week. "
     'Write it like "Mon-Fri 09:00-18:00, Sat 10:00-14:00".'),
    ("shop_name", 5, "shop_name is text, not 5."),
    ("shop_name", None, "shop_name is text, not None."),
    ("shop_name", "half \ud83d", "shop_name holds a character that is not whole. Type it again."),
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


@pytest.mark.parametrize(("key", "value"), [
    ("quiet_from", '"late"'), ("opening_hours", '"always"'), ("quiet_does", '"maybe"'), ("texts_a_day", "0")])
def test_a_value_that_cannot_be_used_is_the_default_and_stops_no_call(
        db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT INTO setting VALUES (?, ?)", (key, value))
    assert settings.read(db) == settings.DEFAULTS


def test_a_change_is_seen_by_the_others_at_once(db: sqlite3.Connection) -> None:
    path = db.execute("PRAGMA database_list").fetchone()["file"]
    other = store.connect(path)
    with store.write(db):
        settings.put(db, "ring_s", 20)
    assert settings.read(other).ring_s == 20
    other.close()
