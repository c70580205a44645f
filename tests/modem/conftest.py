"""A simulated modem, a box around it, and the modem daemon as the process that ships."""
from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import gammu
import pytest

from appliance.store import db as store
from appliance.texts import outbox
from appliance.texts.rules import Draft
from hw.gsm import AtGsm
from hw.gsm_sim import GsmSim

CALLER = "+491701234567"
LIMIT_S = 10.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gsm", help="the port of a real modem, for the contract")
    parser.addoption("--number", help="the number of the SIM in it: it is texted once")


def wait_until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Returns as soon as the condition holds; fails the test at the limit."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def read_off_the_air(pdu: str) -> tuple[str, str]:
    """(number, text) of a PDU as gammu reads it, not our codec."""
    sms = gammu.DecodePDU(bytes.fromhex(pdu), True)
    return sms["Number"], sms["Text"].split("\x00")[0]


class Box:
    """A box with one modem: its files, its store, its modem daemon."""

    def __init__(self, folder: Path, port: Path) -> None:
        self.folder, self.port = folder, port
        self.config = folder / "box.toml"
        self.modems(SIM=str(port))
        self.db = store.connect(folder / "office.db")
        store.migrate(self.db)
        self.daemon: subprocess.Popen[str] | None = None
        self.log = folder / "modem.log"

    def modems(self, **ports: str) -> None:
        """Writes box.toml with these modems, by name."""
        folders = "".join(f'{folder} = "{self.folder}"\n' for folder in ("state", "spool", "run", "secrets"))
        self.config.write_text(folders + "".join(f'[[modem]]\nname = "{name}"\nport = "{port}"\n'
                                                 for name, port in ports.items()))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`deskbell …` on this box."""
        return subprocess.run([sys.executable, "-m", "appliance.cli", *words], capture_output=True, text=True,
                              timeout=90, env={**os.environ, "DESKBELL_CONFIG": str(self.config)})

    def start(self) -> None:
        with self.log.open("a") as log:
            self.daemon = subprocess.Popen([sys.executable, "-m", "appliance.cli", "run", "modem"], stderr=log,
                                           text=True, env={**os.environ, "DESKBELL_CONFIG": str(self.config)})

    def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(5)

    def stop(self) -> int:
        """The daemon's exit code after SIGTERM."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(20)

    def text(self, number: str = CALLER, words: str = "Sorry we missed you.") -> int:
        now = datetime.now(UTC)
        with store.write(self.db):
            return outbox.queue(self.db, Draft(number, words, "missed", now), None, now)

    def rows(self, sql: str) -> list[sqlite3.Row]:
        return self.db.execute(sql).fetchall()

    def states(self) -> list[str]:
        return [row["state"] for row in self.rows("SELECT state FROM sms WHERE direction = 'out' ORDER BY id")]

    def reason(self) -> str:
        return str(self.rows("SELECT reason FROM sms ORDER BY id DESC")[0]["reason"])

    def modem(self, name: str = "SIM", column: str = "state") -> str:
        rows = self.rows(f"SELECT {column} FROM modem WHERE name = '{name}'")
        return str(rows[0][column] or "") if rows else ""

    def until(self, *states: str, limit_s: float = LIMIT_S) -> None:
        wait_until(lambda: self.states() == list(states), limit_s)


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[GsmSim]:
    with GsmSim(tmp_path / "port", tmp_path / "air.jsonl") as sim:
        yield sim


@pytest.fixture
def gsm(sim: GsmSim) -> Iterator[AtGsm]:
    """The engine, open and ready, with a short patience for texts."""
    gsm = AtGsm(str(sim.link), send_timeout_s=0.6)
    gsm.open()
    gsm.status()
    yield gsm
    gsm.close()


@pytest.fixture
def box(tmp_path: Path, sim: GsmSim) -> Iterator[Box]:
    """The box beside the simulator; its daemon is not started yet."""
    box = Box(tmp_path, sim.link)
    yield box
    if box.daemon is not None and box.daemon.poll() is None:
        box.kill()
    box.db.close()


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_until


@pytest.fixture
def off_the_air() -> Callable[[str], tuple[str, str]]:
    return read_off_the_air
