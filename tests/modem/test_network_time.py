"""A box that no time server reaches takes the mobile network's time, through root, and no time that cannot be."""
from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.box import network_time, wallclock
from appliance.box.places import Places
from appliance.config import Box
from appliance.store import db as store
from appliance.update import errands
from appliance.update.errands import RefusedError
from hw.gsm import AtGsm

NOW = datetime(2026, 11, 1, 0, 0, 9, tzinfo=UTC)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(state=tmp_path / "lib", run=tmp_path / "run")
    for folder in (made.state / "errand", made.run):
        folder.mkdir(parents=True)
    (made.run / "boot").write_text("this boot\n")
    store.migrate(store.connect(made.store))
    return made


@pytest.mark.parametrize(("line", "told"), [
    ('+CCLK: "26/11/22,10:30:00+04"', "2026-11-22T09:30:00.000Z"),
    ('+CCLK: "26/11/22,03:30:00-20"', "2026-11-22T08:30:00.000Z"),
    ('+CCLK: "26/11/22,23:30:00+22"', "2026-11-22T18:00:00.000Z"),
    ("+CCLK: 26/11/22,10:30:00", "2026-11-22T10:30:00.000Z"),
    ('+CCLK: "80/01/06,00:00:12+00"', None), ('+CCLK: "70/01/01,00:00:00+00"', None),
    ('+CCLK: "04/01/01,00:00:12"', None), ('+CCLK: "26/13/45,10:30:00+04"', None),
    ('+CCLK: "77/01/01,00:00:00+00"', None), ("+CCLK: ", None), ("OK", None)])
def test_a_modems_clock_is_read_as_its_network_set_it(line: str, told: str | None) -> None:
    at = network_time.read([line])
    assert (store.iso(at) if at else None) == told


def test_the_networks_time_is_asked_of_root(box: Box, gsm: AtGsm) -> None:
    db = store.connect(box.store)
    gsm.at('AT+CCLK="26/11/22,10:30:00+04"')
    assert network_time.offer(db, box, gsm, NOW)
    asked = errands.latest(db, "time")
    assert asked is not None and asked.wanted["at"] == "2026-11-22T09:30:00.000Z" and asked.state == "waiting"
    assert errands.knocker(box).exists() and gsm.at("AT+CTZU?") == ["+CTZU: 1"]


def test_a_modem_that_was_never_told_the_time_offers_none(box: Box, gsm: AtGsm) -> None:
    db = store.connect(box.store)
    assert not network_time.offer(db, box, gsm, NOW)
    assert errands.latest(db, "time") is None


@pytest.mark.parametrize(("date", "told"), [
    ("Mon, 22 Nov 2027 10:30:00 GMT", "2027-11-22T10:30:00.000Z"),
    ("Mon 22 Nov 2027 10:30:00 GMT", "2027-11-22T10:30:00.000Z"),
    ("Sun, 01 Nov 2026 23:59:00 GMT", "2026-11-01T23:59:00.000Z"), ("Sun, 01 Nov 2026 23:58:00 GMT", None),
    ("Sat, 01 Jan 2000 00:00:09 GMT", None), ("Thu, 22 Nov 2077 10:30:00 GMT", None),
    ("Mon, 22 Nov 2027 10:30:00", None), ("Mon, 45 Nov 2027 10:30:00 GMT", None), ("GMT", None), ("", None),
    ("9" * 4000, None)])
def test_the_time_of_a_call_is_asked_of_root_unless_it_is_before_ours(box: Box, date: str, told: str | None) -> None:
    db = store.connect(box.store)
    assert network_time.offer_of_call(db, box, date, NOW + timedelta(days=1)) == bool(told)
    asked = errands.latest(db, "time")
    assert (asked.wanted["at"] if asked else None) == told


@pytest.fixture
def places(tmp_path: Path) -> Places:
    if wallclock.SYNCHRONISED.exists():
        pytest.skip("a time server keeps the clock here")
    return Places(tmp_path)


def test_root_sets_the_clock_to_the_time_and_what_went_by_since(places: Places) -> None:
    at, set_to = NOW + timedelta(days=365), list[float]()
    network_time.errand(sqlite3.connect(":memory:"), {"at": store.iso(at), "counted_s": time.monotonic() - 60},
                        lambda _percent, _said: None, places, set_to.append)
    assert at.timestamp() + 60 <= set_to[0] < at.timestamp() + 70
    assert json.loads((places.boot / "time.json").read_text())["by"] == "gsm"


@pytest.mark.parametrize(("of", "is_set"), [("line", False), ("gsm", True)])
def test_the_time_of_a_call_that_is_near_enough_vouches_for_the_clock_and_leaves_it(
        places: Places, of: str, is_set: bool) -> None:
    set_to = list[float]()
    said = network_time.errand(sqlite3.connect(":memory:"),
                               {"at": store.iso(datetime.now(UTC) - timedelta(minutes=1)), "of": of},
                               lambda _percent, _said: None, places, set_to.append)
    assert bool(set_to) == is_set
    assert ("telephone line" in said) == (of == "line")
    assert json.loads((places.boot / "time.json").read_text())["by"] == of


@pytest.mark.parametrize("wanted", [{}, {"at": "now"}, {"at": "1970-01-01T00:00:00.000Z"},
                                    {"at": "2026-11-22T09:30:00"},
                                    {"at": "2077-01-01T00:00:00.000Z"},
                                    {"at": "2026-11-22T09:30:00Z", "counted_s": "x"}])
def test_a_time_that_cannot_be_is_refused(places: Places, wanted: dict[str, object]) -> None:
    set_to = list[float]()
    with pytest.raises(RefusedError):
        network_time.errand(sqlite3.connect(":memory:"), wanted, lambda _percent, _said: None, places, set_to.append)
    assert set_to == [] and not (places.boot / "time.json").exists()
