"""The same fault on the same modem for gammu-smsd and smstools: a test of our test. Each of them texts twice."""
from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.radio import FaultySim, on_air, wait

NUMBER = "+491704000000"
START_S = 90.0


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[FaultySim]:
    air = tmp_path / "air.jsonl"
    air.touch()
    with FaultySim(tmp_path / "port", air) as sim:
        sim.network_s = 1.0        # long enough to kill a daemon in it
        yield sim


def gammu_smsd(folder: Path, port: Path) -> tuple[list[str], Callable[[], object]]:
    """(command, what queues one text) of gammu-smsd with its file service, as patient as it lets us ask."""
    for box in ("inbox", "outbox", "sent", "error"):
        (folder / box).mkdir()
    rc = folder / "smsdrc"
    rc.write_text(f"[gammu]\ndevice = {port}\nconnection = at115200\n[smsd]\nservice = files\ncommtimeout = 1\n"
                  f"sendtimeout = 20\nlogfile = {folder}/log\n" +
                  "".join(f"{box}path = {folder}/{name}/\n" for box, name in
                          (("inbox", "inbox"), ("outbox", "outbox"), ("sentsms", "sent"), ("errorsms", "error"))))
    inject = ["gammu-smsd-inject", "-c", str(rc), "TEXT", NUMBER, "-text", "Sorry we missed you."]
    return ["gammu-smsd", "-c", str(rc)], lambda: subprocess.run(inject, check=True, capture_output=True)


def smstools(folder: Path, port: Path) -> tuple[list[str], Callable[[], object]]:
    """(command, what queues one text) of smstools' smsd."""
    for box in ("outgoing", "checked", "incoming", "failed", "sent", "stats"):
        (folder / box).mkdir()
    conf = folder / "smsd.conf"
    conf.write_text(f"devices = SIM\nlogfile = {folder}/log\npidfile = {folder}/pid\ninfofile = {folder}/running\n"
                    f"outgoing = {folder}/outgoing\nchecked = {folder}/checked\nincoming = {folder}/incoming\n"
                    f"failed = {folder}/failed\nsent = {folder}/sent\nstats = {folder}/stats\ndelaytime = 1\n"
                    f"errorsleeptime = 2\nblocktime = 5\n[SIM]\ndevice = {port}\nincoming = no\nreport = yes\n")
    text = f"To: {NUMBER.lstrip('+')}\n\nSorry we missed you.\n"
    return ["smsd", "-c", str(conf), "-t"], lambda: (folder / "outgoing/one").write_text(text)


@pytest.mark.parametrize("peer", [gammu_smsd, smstools])
def test_a_peer_killed_while_the_network_takes_the_text_sends_it_twice(
        tmp_path: Path, sim: FaultySim, peer: Callable[[Path, Path], tuple[list[str], Callable[[], object]]]) -> None:
    command, queue = peer(tmp_path, sim.link)
    log = (tmp_path / "said").open("w")
    daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    queue()
    wait(lambda: sim.submits == 1, START_S, "the text was not handed over")
    subprocess.run(["pkill", "-KILL", "-s", str(daemon.pid)], check=True)
    daemon.wait(10)
    wait(lambda: sum(on_air(sim.air).values()) == 1, 10, "the network did not take it")
    again = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait(lambda: sum(on_air(sim.air).values()) == 2, START_S, "it was not sent again")
    finally:
        subprocess.run(["pkill", "-KILL", "-s", str(again.pid)], check=False)
        again.wait(10)
        log.close()
    assert max(on_air(sim.air).values()) == 2, "this peer is no control any more: the same person twice was expected"
