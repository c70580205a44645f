"""How soon a text is on its way and what we add to the modem's own time, beside gammu-smsd on the same simulator.

python3 tests/bench/bench_text.py [--texts 5]      about two minutes, most of it gammu-smsd's own waiting
Prints one line a figure. gammu-smsd runs as it ships, but inside python-gammu (its FILES service).
"""
from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import gammu

from appliance.store import db as store
from appliance.texts import outbox
from appliance.texts.rules import Draft
from hw.gsm_sim import GsmSim

NUMBER, WORDS, NETWORK_S = "+491701234567", "Sorry we missed your call.", 3.0
SMSD = "import gammu, sys; gammu.SMSD(sys.argv[1]).MainLoop()"


def wait_until(condition: Callable[[], object], limit_s: float = 120) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            sys.exit("the bench waited in vain")
        time.sleep(0.002)


def handed_over(sim: GsmSim, since: float) -> list[float]:
    """When each AT+CMGS came since then, in monotonic seconds."""
    return [at for at, line in list(sim.commands) if line.startswith("AT+CMGS") and at >= since]


def overhead_s(sim: GsmSim, since: float) -> float:
    """What passed between two texts beyond the network's time, on average."""
    starts = handed_over(sim, since)
    return statistics.mean(later - earlier for earlier, later in zip(starts, starts[1:], strict=False)) - NETWORK_S


def deskbell(folder: Path, texts: int) -> tuple[list[float], float]:
    """(seconds from queueing to the first AT+CMGS, several times; overhead a text) of `deskbell run modem`."""
    with GsmSim(folder / "port", report_after_s=0.5) as sim:
        config = folder / "box.toml"
        config.write_text(f'state = "{folder}"\nspool = "{folder}"\nrun = "{folder}"\n'
                          f'[[modem]]\nname = "SIM"\nport = "{sim.link}"\n')
        db = store.connect(folder / "office.db")
        store.migrate(db)
        daemon = subprocess.Popen([sys.executable, "-m", "appliance.cli", "run", "modem"], stderr=subprocess.DEVNULL,
                                  env={**os.environ, "DESKBELL_CONFIG": str(config)})
        try:
            wait_until(lambda: db.execute("SELECT 1 FROM modem WHERE state = 'registered'").fetchone())
            waits = []
            for _ in range(10):
                queued = time.monotonic()
                queue(db, 1)
                wait_until(lambda since=queued: handed_over(sim, since))
                waits.append(handed_over(sim, queued)[0] - queued)
                wait_until(lambda: is_done(db))
            sim.network_s = NETWORK_S
            began = time.monotonic()
            queue(db, texts)
            wait_until(lambda: is_done(db))
            return waits, overhead_s(sim, began)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


def queue(db: store.sqlite3.Connection, texts: int) -> None:
    now = datetime.now(UTC)
    with store.write(db):
        for _ in range(texts):
            outbox.queue(db, Draft(NUMBER, WORDS, "bench", now), None, now)


def is_done(db: store.sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sms WHERE state IN ('queued', 'sending')").fetchone() is None


def smsd(folder: Path, texts: int) -> tuple[float, float]:
    """(seconds from queueing to the first AT+CMGS, overhead a text) of gammu-smsd with its defaults."""
    with GsmSim(folder / "port", network_s=NETWORK_S, report_after_s=0.5) as sim:
        for box in ("inbox", "outbox", "sent", "error"):
            (folder / box).mkdir()
        rc = folder / "smsdrc"
        rc.write_text(f"[gammu]\ndevice = {sim.link}\nconnection = at115200\n"
                      f"[smsd]\nservice = files\nlogfile = {folder}/log\n"
                      f"inboxpath = {folder}/inbox/\noutboxpath = {folder}/outbox/\n"
                      f"sentsmspath = {folder}/sent/\nerrorsmspath = {folder}/error/\n")
        daemon = subprocess.Popen([sys.executable, "-c", SMSD, str(rc)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: any(line.startswith("AT+CNMI=2") for _at, line in list(sim.commands)))
            quiet_since = time.monotonic()
            wait_until(lambda: time.monotonic() - max(quiet_since, sim.commands[-1][0]) > 2)
            began = time.monotonic()
            sender = gammu.SMSD(str(rc))
            for _ in range(texts):
                sender.InjectSMS([{"Text": WORDS, "SMSC": {"Location": 1}, "Number": NUMBER}])
            wait_until(lambda: len(handed_over(sim, began)) == texts)
            return handed_over(sim, began)[0] - began, overhead_s(sim, began)
        finally:
            daemon.terminate()
            daemon.wait(60)


def loop(folder: Path, texts: int) -> float:
    """Overhead a text of python-gammu's SendSMS called again and again."""
    with GsmSim(folder / "port", network_s=NETWORK_S, report_after_s=None) as sim:
        rc = folder / "gammurc"
        rc.write_text(f"[gammu]\ndevice = {sim.link}\nconnection = at115200\n")
        phone = gammu.StateMachine()
        phone.ReadConfig(0, 0, str(rc))
        phone.Init()
        began = time.monotonic()
        for _ in range(texts):
            phone.SendSMS({"Text": WORDS, "SMSC": {"Location": 1}, "Number": NUMBER})
        phone.Terminate()
        return overhead_s(sim, began)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=5, help="texts in a row for the overhead")
    texts = parser.parse_args().texts
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
            tempfile.TemporaryDirectory() as three:
        waits, ours_s = deskbell(Path(one), texts)
        first_s = statistics.median(waits)
        print(f"text: queued to first AT+CMGS: {first_s * 1000:.1f} ms median, {max(waits) * 1000:.1f} ms worst of "
              f"{len(waits)} (aim 1000)", flush=True)
        print(f"text: overhead a message at {NETWORK_S:.0f} s network time: {ours_s * 1000:.1f} ms (aim 50)",
              flush=True)
        loop_s = loop(Path(three), texts)
        print(f"text: python-gammu SendSMS loop: overhead {loop_s * 1000:.0f} ms, "
              f"{loop_s / ours_s:.0f} times ours", flush=True)
        theirs_first_s, theirs_s = smsd(Path(two), texts)
        print(f"text: gammu-smsd as it ships: first {theirs_first_s:.1f} s, {theirs_first_s / first_s:.0f} times ours; "
              f"overhead {theirs_s * 1000:.0f} ms, {theirs_s / ours_s:.0f} times ours")


if __name__ == "__main__":
    main()
