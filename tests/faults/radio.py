"""A modem that fails at the byte it was told to, and the real modem daemon beside it. The modem outlives the daemon."""
from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import gammu

from appliance.store import db as store
from appliance.texts import outbox
from appliance.texts.rules import Draft
from hw.gsm_sim import GsmSim

NETWORK_S = 0.02
LIMIT_S = 60.0          # the issue's: nothing is left `sending` so long after a start


class FaultySim(GsmSim):
    """Counts every byte of the dialogue, both ways, and does the armed act before the byte that is due."""

    def __init__(self, link: Path, air: Path) -> None:
        super().__init__(link, air, network_s=NETWORK_S, report_after_s=NETWORK_S)
        self.count = self.submits = 0
        self.is_mute = False
        self._due: int | None = None
        self._act: Callable[[], object] = lambda: None

    def arm(self, offset: int | None, act: Callable[[], object] = lambda: None) -> None:
        """The dialogue is counted from 0 again; the act comes before the byte `offset`."""
        self.count, self._due, self._act = 0, offset, act

    @property
    def has_failed(self) -> bool:
        return self._due is not None and self.count > self._due

    def _tick(self) -> bool:
        """False when the byte is lost: the modem is mute, or its port has gone."""
        if self.count == self._due:
            self._act()
        self.count += 1
        return not self.is_mute and self._master >= 0

    def _typed_in(self, data: bytes) -> None:
        for byte in data:
            if self._tick():
                super()._typed_in(bytes([byte]))

    def _submit(self, pdu: str, awaited: int) -> None:
        self.submits += 1
        super()._submit(pdu, awaited)

    def _write(self, data: bytes) -> None:
        passed = bytes(byte for byte in data if self._tick())
        if passed:
            super()._write(passed)


class Office:
    """A store, its modem daemon as the process that ships, and the faulty modem."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.air = folder / "air.jsonl"
        self.air.touch()
        self.sim = FaultySim(folder / "port", self.air)
        self.sim.start()
        self._config = folder / "box.toml"
        self._config.write_text(f'state = "{folder}"\nspool = "{folder}"\nrun = "{folder}"\nsecrets = "{folder}"\n'
                                f'[[modem]]\nname = "SIM"\nport = "{self.sim.link}"\n')
        self.db = store.connect(folder / "office.db")
        store.migrate(self.db)
        with store.write(self.db):      # as fast as the radio can: the pace is not what is tested here
            self.db.execute("INSERT INTO sim (name, pace_s, hourly, daily) VALUES ('SIM', 0, 100000, 100000)")
        self._log = (folder / "log").open("w")
        self.daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.daemon = subprocess.Popen([sys.executable, "-m", "appliance.cli", "run", "modem"], stderr=self._log,
                                       env={**os.environ, "DESKBELL_CONFIG": str(self._config)})

    def kill(self) -> None:
        """SIGKILL; safe to call from the modem's own thread."""
        if self.daemon:
            self.daemon.send_signal(signal.SIGKILL)

    def text(self, number: str) -> int:
        now = datetime.now(UTC)
        with store.write(self.db):
            return outbox.queue(self.db, Draft(number, "Sorry we missed you.", "fault", now), None, now)

    def state(self, sms_id: int) -> str:
        return str(self.db.execute("SELECT state FROM sms WHERE id = ?", (sms_id,)).fetchone()[0])

    def texts(self) -> list[sqlite3.Row]:
        return self.db.execute("SELECT number, state, reason FROM sms WHERE direction = 'out' ORDER BY id").fetchall()

    def settle(self) -> None:
        """A last life without faults: every text leaves `queued` and `sending` within LIMIT_S."""
        self.sim.is_mute = False
        self.sim.arm(None)
        self.sim.plug()
        self.start()
        wait(lambda: not {row["state"] for row in self.texts()} & {"queued", "sending"}, LIMIT_S, "texts hang")

    def close(self) -> None:
        if self.daemon and self.daemon.poll() is None:
            self.kill()
            self.daemon.wait(10)
        self.sim.stop()
        self.db.close()
        self._log.close()


def on_air(pdus: Iterable[str]) -> Counter[str]:
    """How often each number was reached, as gammu reads the PDUs and not our codec."""
    return Counter(gammu.DecodePDU(bytes.fromhex(pdu), True)["Number"] for pdu in list(pdus))


def wait(condition: Callable[[], object], limit_s: float, what: str) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"{what} after {limit_s:.0f} s"
        time.sleep(0.002)


def verdict(office: Office) -> None:
    """Nobody was texted twice, and no text is lost without a word."""
    reached = on_air(json.loads(line)["pdu"] for line in office.air.read_text().splitlines())
    assert not [number for number, times in reached.items() if times > 1], "somebody got it twice"
    for row in office.texts():
        if row["number"] not in reached:
            assert row["state"] in ("unknown", "failed"), f"{row['state']}, but it never went"
            assert row["reason"], "and nobody is told why"
        else:
            assert row["state"] in ("sent", "delivered", "unknown"), f"{row['state']}, but it went"
