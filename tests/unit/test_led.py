"""The LED of the box says what suffers most."""
from __future__ import annotations

from pathlib import Path

import pytest

from appliance.box import led
from appliance.box.codes import Weight
from appliance.box.look import Eye
from appliance.config import Box
from appliance.store import db as store

TRIGGERS = "none [mmc0] timer heartbeat"


@pytest.fixture
def leds(tmp_path: Path) -> Path:
    """/sys/class/leds of a Raspberry Pi, as plain files."""
    for name in ("ACT", "PWR", "mmc0::"):
        (tmp_path / "leds" / name).mkdir(parents=True)
        (tmp_path / "leds" / name / "trigger").write_text(TRIGGERS)
    return tmp_path / "leds"


def blinks(leds: Path) -> tuple[str, ...]:
    return tuple((leds / "ACT" / file).read_text() for file in ("trigger", "delay_on", "delay_off"))


@pytest.mark.parametrize("weight", Weight)
def test_each_word_has_its_own_blinking(leds: Path, weight: Weight) -> None:
    assert led.show(weight.name, leds) == f"The LED says {weight.name.lower()}."
    lit_ms, dark_ms = led.PATTERNS[weight]
    assert blinks(leds) == ("timer", str(lit_ms), str(dark_ms))
    assert (leds / "PWR" / "trigger").read_text() == TRIGGERS, "the red one belongs to the power supply"


def test_a_word_that_nobody_knows_changes_nothing(leds: Path) -> None:
    assert "no word" in led.show("../../etc/passwd", leds)
    assert (leds / "ACT" / "trigger").read_text() == TRIGGERS


def test_a_machine_without_an_led_or_without_blinking_is_left_alone(leds: Path, tmp_path: Path) -> None:
    assert "no LED" in led.show("WELL", tmp_path / "none")
    (leds / "ACT" / "trigger").write_text("none [mmc0]")
    assert "cannot blink" in led.show("WELL", leds)
    assert not (leds / "ACT" / "delay_on").exists()


def test_the_clocks_look_leaves_the_word_of_what_suffers_most(tmp_path: Path) -> None:
    box = Box(state=tmp_path / "state", spool=tmp_path / "spool", run=tmp_path / "run")
    box.state.mkdir()
    box.run.mkdir()
    store.migrate(store.connect(box.store))
    Eye(box).look()
    assert (box.run / led.WORD).read_text() == "CALLS", "no line is set up"


def test_a_word_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    led.leave(tmp_path, [])
    before = (tmp_path / led.WORD).stat().st_mtime_ns
    led.leave(tmp_path, [])
    assert (tmp_path / led.WORD).stat().st_mtime_ns == before and (tmp_path / led.WORD).read_text() == "WELL"
    led.leave(tmp_path / "none", [])
