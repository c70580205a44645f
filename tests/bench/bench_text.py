"""How soon and how fast texts go, and how soon again after a replug: ours, gammu-smsd and smstools on one simulator.

Prints a line a figure with the ratio to ours. About eight minutes, most of it the others' own waiting; each runs with
its defaults, but gammu-smsd and smstools are asked to look at their queue as often as they can.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from appliance.store import db as store
from appliance.texts import outbox
from appliance.texts.rules import Draft
from hw.gsm_sim import GsmSim
from tests.peers import WORDS, Peer, gammu_smsd, smstools

SLOW_S = 3.0                    # what a real network takes
LIMIT_S = 240.0
SETTLED_S = 3.0                 # without a word from the engine: it has started


@dataclass(frozen=True)
class Figures:
    """Seconds; a minute's worth of texts at 0 s and at 3 s network time."""

    first_s: float
    fast_a_minute: float
    slow_a_minute: float
    replug_s: float | None


def wait_until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> bool:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def handed_over(sim: GsmSim, since: float) -> list[float]:
    """When each AT+CMGS came since then, in monotonic seconds."""
    return [at for at, line in list(sim.commands) if line.upper().startswith("AT+CMGS=") and at >= since]


def deskbell(folder: Path, port: Path) -> Peer:
    """`deskbell run modem` as it ships; only the pace that spares a SIM is off."""
    config = folder / "box.toml"
    config.write_text(f'state = "{folder}"\nspool = "{folder}"\nrun = "{folder}"\nsecrets = "{folder}"\n'
                      f'[[modem]]\nname = "SIM"\nport = "{port}"\n')
    os.environ["DESKBELL_CONFIG"] = str(config)
    db = store.connect(folder / "office.db")
    store.migrate(db)
    with store.write(db):
        db.execute("INSERT INTO sim (name, pace_s, hourly, daily) VALUES ('SIM', 0, 100000, 100000)")

    def queue(number: str) -> None:
        now = datetime.now(UTC)
        with store.write(db):
            outbox.queue(db, Draft(number, WORDS, "bench", now), None, now)

    return Peer([sys.executable, "-P", "-m", "appliance.cli", "run", "modem"], queue)


def numbers(start: int, count: int) -> list[str]:
    return [f"+49170{place:07d}" for place in range(start, start + count)]


def measured(name: str, make: Callable[[Path, Path], Peer], texts: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder, GsmSim(Path(folder) / "port", report_after_s=None) as sim:
        peer = make(Path(folder), sim.link)
        with open(Path(folder) / "said", "w") as said:
            engine = subprocess.Popen(peer.command, stdout=said, stderr=said, start_new_session=True)
            try:
                wait_until(lambda: sim.commands)
                wait_until(lambda: time.monotonic() - sim.commands[-1][0] > SETTLED_S, 20)
                first_s = _sent(sim, peer, numbers(0, 1))[0]
                fast = _rate(_sent(sim, peer, numbers(100, texts)))
                sim.network_s = SLOW_S
                slow = _rate(_sent(sim, peer, numbers(200, texts)))
                sim.network_s = 0.0
                return Figures(first_s, fast, slow, _replug(sim, peer))
            finally:
                subprocess.run(["pkill", "-KILL", "-s", str(engine.pid)], check=False)
                engine.wait()


def _sent(sim: GsmSim, peer: Peer, to: list[str]) -> list[float]:
    """Seconds from queueing to each AT+CMGS, once all of them are on the air."""
    aim, began = len(sim.air) + len(to), time.monotonic()
    for number in to:
        peer.queue(number)
    wait_until(lambda: len(sim.air) >= aim)
    return [at - began for at in handed_over(sim, began)]


def _rate(starts: list[float]) -> float:
    return 60 * (len(starts) - 1) / (starts[-1] - starts[0])


def _replug(sim: GsmSim, peer: Peer) -> float | None:
    """Seconds from putting the stick back to the next text's AT+CMGS; None when it never came."""
    sim.unplug()
    time.sleep(5)
    peer.queue(numbers(300, 1)[0])
    sim.plug()
    began = time.monotonic()
    return handed_over(sim, began)[0] - began if wait_until(lambda: handed_over(sim, began)) else None


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=8, help="texts in a row for the rates")
    texts = parser.parse_args().texts
    makes = {"deskbell": deskbell, "gammu-smsd": gammu_smsd, "smstools": smstools}
    found = {}
    for name, make in makes.items():
        found[name] = measured(name, make, texts)
        print(f"text: {name}: measured", file=sys.stderr, flush=True)
    ours = found["deskbell"]
    for name, one in found.items():
        replug = f"{one.replug_s:.1f} s ({one.replug_s / (ours.replug_s or 1):.0f}x)" if one.replug_s else "never"
        over_ms = 1000 * (60 / one.slow_a_minute - SLOW_S)
        print(f"text: {name}: first {one.first_s:.3f} s ({one.first_s / ours.first_s:.0f}x ours), "
              f"{one.fast_a_minute:.0f} a minute at 0 s ({one.fast_a_minute / ours.fast_a_minute:.3f}x), "
              f"{one.slow_a_minute:.1f} at 3 s ({one.slow_a_minute / ours.slow_a_minute:.2f}x; aim of ours 19), "
              f"{over_ms:.0f} ms a text beyond the network (aim of ours 50), after a replug {replug}", flush=True)


if __name__ == "__main__":
    main()
