"""The radio's promise: never text twice, never lose one in silence; a fault at every byte of the dialogue.

The dialogue is everything from the daemon's first byte to the delivery report. It has some 600 bytes: killed
and unplugged at each, silenced at each of the text's own, these are over 1,000 faults.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.radio import LIMIT_S, NETWORK_S, Office, verdict, wait

WORKERS = {"kill": 3, "unplug": 12, "silence": 24}
Fault = Callable[[Office, int, int], None]


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """(length of the whole dialogue of one text, where the text's own part of it begins), in bytes."""
    office = Office(tmp_path_factory.mktemp("clean") / "office")
    try:
        office.sim.arm(None)
        office.start()
        wait(lambda: office.db.execute("SELECT 1 FROM modem WHERE state = 'registered'").fetchone(), 30, "not ready")
        begins = office.sim.count
        sms_id = office.text("+491700000000")
        wait(lambda: office.state(sms_id) == "delivered", 30, "not delivered")
        return office.sim.count, begins
    finally:
        office.close()


def killed(office: Office, offset: int, place: int) -> None:
    """A life that is killed before the byte `offset`, or at the text's end when it is shorter."""
    sms_id = office.text(f"+491701{place:06d}")
    office.sim.arm(offset, office.kill)
    office.start()
    assert office.daemon
    wait(lambda: office.sim.has_failed or office.state(sms_id) == "delivered", LIMIT_S, f"stuck at byte {offset}")
    office.kill()
    office.daemon.wait(10)


def unplugged(office: Office, offset: int, place: int) -> None:
    """The stick is put in, pulled before the byte and put back; the daemon lives on."""
    sms_id = office.text(f"+491702{place:06d}")
    office.sim.arm(offset, office.sim._unplug)
    office.sim.plug()
    wait(lambda: office.sim.has_failed or office.state(sms_id) == "delivered", LIMIT_S, f"stuck at byte {offset}")
    office.sim.plug()
    wait(lambda: office.state(sms_id) not in ("queued", "sending"), LIMIT_S, f"hangs at byte {offset}")
    office.sim.unplug()


def silenced(office: Office, offset: int, place: int) -> None:
    """The modem says and hears nothing from this byte on, until the daemon has given it up or asks it again."""
    sms_id = office.text(f"+491703{place:06d}")

    def mute() -> None:
        office.sim.is_mute = True
        office.sim._later(2 + NETWORK_S, lambda: setattr(office.sim, "is_mute", False))

    office.sim.arm(offset, mute)
    wait(lambda: office.sim.has_failed or office.state(sms_id) == "delivered", LIMIT_S, f"stuck at byte {offset}")
    wait(lambda: office.state(sms_id) not in ("queued", "sending"), 2 * LIMIT_S, f"hangs at byte {offset}")


def run(folder: Path, kind: str, fault: Fault, offsets: Iterable[int]) -> int:
    """How many faults there were; each worker has an office of its own."""
    planned, workers = list(offsets), WORKERS[kind]

    def work(worker: int) -> int:
        office = Office(folder / f"{kind}-{worker}")
        try:
            if kind == "unplug":
                office.sim.unplug()
            if kind != "kill":
                office.start()
            for place, offset in enumerate(planned[worker::workers]):
                fault(office, offset, place)
            if office.daemon and office.daemon.poll() is None:
                office.kill()
                office.daemon.wait(10)
            office.settle()
            verdict(office)
            return len(planned[worker::workers])
        finally:
            office.close()

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(work, range(workers)))


def test_killed_at_every_byte_no_text_is_on_the_air_twice_or_lost_in_silence(
        dialogue: tuple[int, int], tmp_path: Path) -> None:
    length, _begins = dialogue
    assert run(tmp_path, "kill", killed, range(length)) == length


def test_unplugged_at_every_byte_no_text_is_on_the_air_twice_or_lost_in_silence(
        dialogue: tuple[int, int], tmp_path: Path) -> None:
    length, _begins = dialogue
    assert run(tmp_path, "unplug", unplugged, range(length)) == length


def test_silenced_at_every_byte_no_text_is_on_the_air_twice_or_lost_in_silence(
        dialogue: tuple[int, int], tmp_path: Path) -> None:
    length, begins = dialogue
    assert run(tmp_path, "silence", silenced, range(length - begins)) == length - begins
