"""The commands of image/ as a person types them, inside a throw-away root that has the cache."""
from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
LIMIT_S = 180


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment}, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that refused."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("deskbell: ")]
    assert len(lines) == 1 and lines[0] == done.stderr.splitlines()[-1], done.stderr
    return lines[0]


def programs() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:      # it ended while we looked
                continue
    return found


def assert_nothing_else_runs(before: set[int], limit_s: float = 10) -> None:
    until = time.monotonic() + limit_s
    while left := {pid: what for pid, what in programs().items() if pid not in before and what}:
        assert time.monotonic() < until, left
        time.sleep(0.02)


def test_demo_check_sees_every_step_of_the_story() -> None:
    done = run("image/demo", "--check")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(done.stdout.splitlines()) == 1
    assert told["ok"] and all(step["ok"] for step in told["steps"])
    assert len(told["steps"]) == 14


def test_ctrl_c_ends_the_demo_and_leaves_nothing_running() -> None:
    before = set(programs())
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(REPO)
        os.execv("image/demo", ["image/demo"])
    printed = b""
    while b"Ctrl-C stops everything" not in printed:
        printed += os.read(terminal, 4096)
    assert b"http://127.0.0.1:8080/" in printed and b"First-run code" in printed
    os.write(terminal, b"\x03")
    try:
        while part := os.read(terminal, 4096):
            printed += part
    except OSError:      # Linux's end of a terminal nobody holds any more
        pass
    os.waitpid(child, 0)
    assert b"Nothing is left running" in printed
    assert_nothing_else_runs(before, 1)


def test_a_killed_demo_leaves_nothing_running() -> None:
    before = set(programs())
    demo = subprocess.Popen(["image/demo"], cwd=REPO, stdout=subprocess.PIPE, start_new_session=True)
    assert demo.stdout
    while b"Ctrl-C" not in demo.stdout.readline():
        pass
    demo.send_signal(signal.SIGKILL)
    demo.wait(10)
    assert_nothing_else_runs(before)


def _port_8080() -> socket.socket:
    """The pages' port, as soon as the kernel has let go of the demo before."""
    until = time.monotonic() + 30
    while True:
        try:
            return socket.create_server(("127.0.0.1", 8080))
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_a_demo_whose_port_is_taken_says_which_and_the_way_round() -> None:
    with _port_8080():
        sentence = refused(run("image/demo"))
    assert "Port 8080" in sentence and "--web-port" in sentence


def test_a_real_modem_needs_the_number_that_is_to_be_texted() -> None:
    assert "--caller" in refused(run("image/demo", "--gsm", "/dev/null"))


@pytest.mark.parametrize("command", ["image/demo", "image/rootfs", "tests/run"])
def test_without_root_it_is_refused_in_one_sentence(command: str) -> None:
    done = run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", command, DESKBELL_CACHE="/tmp/none")
    assert "root" in refused(done)


@pytest.fixture
def another_system() -> Iterator[None]:
    release = Path("/etc/os-release")
    own = release.read_text()
    release.write_text('ID=fedora\nVERSION_ID=44\nPRETTY_NAME="Fedora Linux 44"\n')
    yield
    release.write_text(own)


@pytest.mark.usefixtures("another_system")
@pytest.mark.parametrize("command", ["image/demo", "image/rootfs", "tests/run"])
def test_on_another_system_it_is_refused_in_one_sentence(command: str) -> None:
    assert "Fedora Linux 44" in refused(run(command))


@pytest.fixture
def cache() -> Iterator[Path]:
    folder = Path("/var/tmp/empty-cache")
    yield folder
    shutil.rmtree(folder)


def test_without_a_mirror_it_is_refused_in_one_sentence_and_nothing_half_made_is_left(cache: Path) -> None:
    sentence = refused(run("image/demo", DESKBELL_CACHE=str(cache)))
    assert "mirror" in sentence or "PyPI" in sentence
    assert sorted(entry.name for entry in cache.iterdir()) == ["inside", "lock"]


def test_an_unknown_ring_is_refused_with_the_ones_there_are() -> None:
    assert "pbx" in refused(run("tests/run", "nonsense"))
