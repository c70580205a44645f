"""Real gammu on the simulator: it is a modem to somebody who never saw our engine."""
from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import gammu
import pytest

from hw.gsm_sim import GsmSim

CALLER = "+491701234567"


@pytest.fixture
def gammurc(sim: GsmSim, tmp_path: Path) -> Path:
    file = tmp_path / "gammurc"
    file.write_text(f"[gammu]\ndevice = {sim.link}\nconnection = at115200\n")
    return file


def run(gammurc: Path, *arguments: str) -> str:
    done = subprocess.run(["gammu", "-c", str(gammurc), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_gammu_identifies_the_modem(gammurc: Path) -> None:
    said = run(gammurc, "--identify")
    assert "GSM-SIM" in said and "490154203237518" in said and "001010123456789" in said


def test_gammu_sends_a_text_through_it(
        sim: GsmSim, gammurc: Path, off_the_air: Callable[[str], tuple[str, str]]) -> None:
    said = run(gammurc, "sendsms", "TEXT", CALLER, "-text", "Guten Tag", "-report")
    assert "message reference=0" in said
    assert [off_the_air(pdu) for pdu in sim.air] == [(CALLER, "Guten Tag")]


def test_gammus_library_sends_hears_of_a_call_and_reads_a_text(
        sim: GsmSim, gammurc: Path, until: Callable[..., None],
        off_the_air: Callable[[str], tuple[str, str]]) -> None:
    phone = gammu.StateMachine()
    phone.ReadConfig(0, 0, str(gammurc))
    phone.Init()
    heard: list[str] = []
    phone.SetIncomingCallback(lambda _phone, kind, _what: heard.append(kind))
    phone.SetIncomingSMS(True)
    phone.SetIncomingCall(True)
    assert phone.GetSignalQuality()["SignalStrength"] == -73
    assert phone.GetNetworkInfo()["State"] == "HomeNetwork"
    phone.SendSMS({"Text": "hi", "SMSC": {"Location": 1}, "Number": CALLER})
    assert off_the_air(sim.air[0]) == (CALLER, "hi")
    sim.receive(CALLER, "Привет")
    sim.ring(CALLER)
    until(lambda: phone.ReadDevice() is None or {"SMS", "Call"} <= set(heard))
    assert phone.GetNextSMS(Start=True, Folder=0)[0]["Text"] == "Привет"
    phone.Terminate()
