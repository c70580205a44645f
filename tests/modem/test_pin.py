"""The PIN that a person types on a page: tried once, never at the last try, kept for the card that it opened."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import config
from appliance.texts import control
from hw.gsm_sim import GsmSim
from hw.gsm_sim_at import Modem

Until = Callable[..., None]
Box = Any  # conftest's


@pytest.fixture
def locked(box: Box, tmp_path: Path, until: Until) -> Iterator[GsmSim]:
    """A box whose SIM asks for a PIN that nobody wrote down."""
    with GsmSim(tmp_path / "locked", modem=Modem(pin="2468")) as sim:
        box.modems(SIM=str(sim.link))
        box.start()
        until(lambda: "asks for its PIN" in box.modem())
        yield sim


def ask(box: Box, verb: str, words: str = "") -> list[str]:
    return control.ask(config.read(box.config), "SIM", verb, words)


def typed(sim: GsmSim) -> list[str]:
    return [line for _at, line in sim.commands if line.startswith("AT+CPIN=")]


def test_a_pin_from_the_page_opens_the_sim_and_again_after_a_power_cut(
        box: Box, locked: GsmSim, tmp_path: Path, until: Until) -> None:
    assert ask(box, "tries") == ["3"]
    assert ask(box, "pin", "2468") == ["open"]
    until(lambda: box.modem() == "registered")
    box.stop()
    locked.unplug()
    locked.plug()
    box.start()
    until(lambda: box.modem() == "registered")
    assert typed(locked) == ['AT+CPIN="2468"'] * 2, "the box typed it by itself the second time"
    kept = tmp_path / "sim" / "SIM.pin"
    assert (kept.parent.stat().st_mode & 0o777) == 0o700, "only the radio's daemon reads it"
    assert "2468" not in box.log.read_text() and "2468" not in re.sub(r"\d{4}-\d\d", "", str(
        [tuple(row) for row in box.rows("SELECT * FROM modem")]))


def test_a_wrong_pin_from_the_page_is_never_tried_twice_and_the_last_try_never_made(
        box: Box, locked: GsmSim) -> None:
    assert ask(box, "pin", "1111") == ["wrong", "2"]
    assert ask(box, "pin", "1111") == ["tried", "2"]
    assert ask(box, "pin", "2222") == ["wrong", "1"]
    assert ask(box, "pin", "2468") == ["last", "1"], "a telephone opens the card; three wrong ones would lock it"
    assert ask(box, "pin", "24 68") == ["odd"]
    assert typed(locked) == ['AT+CPIN="1111"', 'AT+CPIN="2222"']
    assert locked.modem.pin_tries_left == 1


def test_a_kept_pin_is_for_the_card_it_opened_and_no_other(box: Box, locked: GsmSim, until: Until) -> None:
    assert ask(box, "pin", "2468") == ["open"]
    until(lambda: box.modem() == "registered")
    locked.unplug()
    until(lambda: box.modem() == "no modem there")
    locked.modem = Modem(pin="1357", iccid="8949010000000000099")
    locked.plug()
    until(lambda: "asks for its PIN" in box.modem())
    assert locked.modem.pin_tries_left == 3
    assert ask(box, "pin", "1357") == ["open"]
    assert ask(box, "pin", "1357") == ["free"]
