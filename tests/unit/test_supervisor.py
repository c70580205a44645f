"""Parts of a box run without systemd: order, readiness, last words. The parts are small shell scripts."""
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.box.supervisor import Part, PartFailed, Supervisor

SAYS_READY = """import os, socket, signal
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "parts")
    yield made
    made.stop()


def shell(name: str, script: str, limit_s: float = 10) -> Part:
    return Part(name, ("sh", "-c", script), is_ready=lambda: True, limit_s=limit_s)


def test_a_part_is_started_once_it_has_said_ready(supervisor: Supervisor) -> None:
    supervisor.start(Part("calls", ("python3", "-c", SAYS_READY)))
    assert supervisor.dead() is None


def test_a_part_that_ends_before_it_is_ready_is_named_with_its_last_words(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailed, match=r"(?s)modem ended with code 3\. Its last words:\n    no port here"):
        supervisor.start(Part("modem", ("sh", "-c", "echo no port here; exit 3")))


def test_a_part_that_is_never_ready_is_given_up_after_its_limit(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailed, match=r"web was not ready within 0 s\. It said nothing\."):
        supervisor.start(Part("web", ("sleep", "60"), limit_s=0.2))


def test_a_part_that_dies_later_is_told_with_the_end_of_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell("clock", f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; seq 20; kill -SEGV $$"))
    assert supervisor.dead() is None
    (tmp_path / "go").touch()
    until = time.monotonic() + 10
    while (sentence := supervisor.dead()) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert sentence and sentence.startswith("clock was ended by SIGSEGV")
    assert "    20" in sentence and "    12\n" not in sentence


def test_parts_stop_in_reverse_order_with_all_that_they_started(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name in ("first", "second", "third"):
        ready = tmp_path / f"{name}.ready"
        script = (f"trap 'echo {name} >>{order}; exit' TERM; sleep 60 & "
                  f"echo $! >{tmp_path}/{name}.child; touch {ready}; wait")
        supervisor.start(Part(name, ("sh", "-c", script), is_ready=ready.exists))
    supervisor.stop()
    assert order.read_text().split() == ["third", "second", "first"]
    for name in ("first", "second", "third"):
        child = int((tmp_path / f"{name}.child").read_text())
        until = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text():
            assert time.monotonic() < until, f"the child of {name} runs on"
            time.sleep(0.01)


def test_a_part_keeps_nothing_of_our_own_environment(supervisor: Supervisor, tmp_path: Path) -> None:
    os.environ["SECRET_OF_THE_SHELL"] = "x"
    try:
        done = tmp_path / "done"
        supervisor.start(Part("calls", ("sh", "-c", f"env; touch {done}; sleep 60"), is_ready=done.exists))
    finally:
        del os.environ["SECRET_OF_THE_SHELL"]
    assert "SECRET" not in supervisor.log("calls").read_text()
