"""The same fault on the same modem for gammu-smsd and smstools: a test of our test. Each of them texts twice."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.radio import FaultySim, on_air, wait
from tests.peers import gammu_smsd, smstools

NUMBER = "+491704000000"
START_S = 90.0


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[FaultySim]:
    air = tmp_path / "air.jsonl"
    air.touch()
    with FaultySim(tmp_path / "port", air) as sim:
        sim.network_s = 1.0        # long enough to kill a daemon in it
        yield sim


PEERS = {
    "gammu-smsd": partial(gammu_smsd, options="commtimeout = 1\nsendtimeout = 20\n"),
    "smstools": partial(smstools, options="delaytime = 1\nerrorsleeptime = 2\nblocktime = 5\n"),
}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_killed_while_the_network_takes_the_text_sends_it_twice(
        tmp_path: Path, sim: FaultySim, name: str) -> None:
    peer = PEERS[name](tmp_path, sim.link)
    log = (tmp_path / "said").open("w")
    daemon = subprocess.Popen(peer.command, stdout=log, stderr=log, start_new_session=True)
    peer.queue(NUMBER)
    wait(lambda: sim.submits == 1, START_S, "the text was not handed over")
    subprocess.run(["pkill", "-KILL", "-s", str(daemon.pid)], check=True)
    daemon.wait(10)
    wait(lambda: sum(on_air(sim.air).values()) == 1, 10, "the network did not take it")
    again = subprocess.Popen(peer.command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait(lambda: sum(on_air(sim.air).values()) == 2, START_S, "it was not sent again")
    finally:
        subprocess.run(["pkill", "-KILL", "-s", str(again.pid)], check=False)
        again.wait(10)
        log.close()
    assert max(on_air(sim.air).values()) == 2, "this peer is no control any more: the same person twice was expected"
