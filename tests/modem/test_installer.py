"""`deskbell modem list|at|ussd` while the daemon holds the port."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hw.gsm_sim import GsmSim

Until = Callable[..., None]
Box = Any  # conftest's


def typed(sim: GsmSim, start: str) -> list[str]:
    return [line for _at, line in sim.commands if line.startswith(start)]

def test_an_installer_asks_the_modem_while_the_daemon_holds_it(box: Box, sim: GsmSim, until: Until) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    assert box.command("modem", "at", "SIM", "AT+CSQ").stdout == "+CSQ: 20,99\n"
    assert box.command("modem", "ussd", "SIM", "*100#").stdout == "Your balance is 12.34 EUR.\n"
    listed = box.command("modem", "list").stdout
    assert f"SIM  {sim.link}  registered  Demo Mobile  -73 dBm" in listed
    row = json.loads(box.command("modem", "list", "--json").stdout)
    assert row["state"] == "registered" and "pin_tried" not in row


@pytest.mark.parametrize(("words", "refusal"), [
    (("at", "SIM", "AT+CMGS=20"), "Texts go through the outbox"), (("at", "SIM", "at+cmgd=1,4"), "deletes"),
    (("at", "SIM", "AT+CSQ;D+491701234567;"), "dials"), (("at", "SIM", 'AT+CPIN="1234"'), "secret file"),
    (("at", "SIM", "hello"), "begins with AT"), (("at", "SIM2", "AT"), "no modem 'SIM2'; it has SIM"),
    (("at", "SIM", "AT+NONSENSE"), "the modem said ERROR"), (("ussd", "SIM", "balance"), "no USSD code"),
])
def test_what_an_installer_may_not_ask_is_refused_in_a_sentence(
        box: Box, sim: GsmSim, until: Until, words: tuple[str, ...], refusal: str) -> None:
    box.start()
    until(lambda: box.modem() == "registered")
    done = box.command("modem", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert refusal in done.stderr and "Traceback" not in done.stderr


def test_without_the_daemon_the_command_says_so(box: Box) -> None:
    done = box.command("modem", "at", "SIM", "AT")
    assert (done.returncode, done.stderr) == (2, "deskbell: The radio's daemon does not run. Start deskbell-modem.\n")
    assert "not started yet" in box.command("modem", "list").stdout


def test_a_ussd_code_that_is_never_answered_ends_in_a_sentence_and_texts_go_meanwhile(
        box: Box, sim: GsmSim, until: Until) -> None:
    sim.modem.set_ussd("never")
    box.start()
    until(lambda: box.modem() == "registered")
    done = box.command("modem", "ussd", "SIM", "*100#")
    assert done.returncode == 2 and "did not answer within 30 s" in done.stderr
    assert typed(sim, "AT+CUSD=2") == ["AT+CUSD=2"]
    box.text()
    box.until("delivered")


def test_a_door_that_cannot_be_made_stops_no_text(box: Box, sim: GsmSim) -> None:
    (box.folder / "modem.sock").mkdir()
    box.text()
    box.start()
    box.until("delivered")
    assert "cannot be answered" in box.log.read_text()
