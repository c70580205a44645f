"""The power goes in the middle of the first start: wherever it does, the next start ends where one whole one does."""
from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance.box import reset, reset_asked
from tests.unit.firstcard import SECRETS, WHOLE, Card

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.chmod", "os.chown",
           "shutil.rmtree", "sqlite3.connect"}


def cut_at(step: int, work: Any) -> bool:
    """Whether it came to its end: a process of its own is killed before its step-th change to the disk."""
    child = os.fork()
    if child == 0:
        left = [step]

        def changes() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in CHANGES or event == "open" and isinstance(arguments[2], int) and \
                    arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                changes()

        flushed = os.fsync

        def flush(descriptor: int) -> None:
            changes()
            flushed(descriptor)
            changes()

        os.fsync = flush                      # Python tells its hooks of no fsync
        sys.addaudithook(hook)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def whole(card: Card) -> dict[str, Any]:
    """Everything that must be the same, however often it was cut."""
    etc = card.places.etc
    found: dict[str, Any] = {
        str(file.relative_to(card.root)): file.read_bytes() for file in sorted(card.root.rglob("*"))
        if file.is_file() and file.name not in ("office.db", "office.db-wal", "office.db-shm", "firstboot.json")}
    found["taken"] = sorted(json.loads((etc / "firstboot.json").read_text())["values"])
    found["users"] = card.asks("SELECT name, role FROM user")
    found["settings"] = card.asks("SELECT key, value FROM setting WHERE key = 'shop_name'")
    return found


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.deep) for part in (1, 2, 3))])
def test_a_first_start_that_is_cut_anywhere_ends_as_a_whole_one(tmp_path: Path, part: int) -> None:
    plain = Card(tmp_path / "box")
    (plain.root / "sys/class/net/eth0").mkdir(parents=True)
    (plain.root / "sys/class/net/eth0/address").write_text("dc:a6:32:01:ab:cd\n")
    (plain.root / "sys/class/net/eth0/type").write_text("1\n")
    plain.writes(WHOLE)
    shutil.copytree(plain.root, tmp_path / "before")
    assert plain.starts() == []
    wanted, cuts, step = whole(plain), 0, part
    while True:
        shutil.rmtree(plain.root)
        shutil.copytree(tmp_path / "before", plain.root)      # the paths in box.toml are the same each time
        is_over = cut_at(step, plain.start)
        if not is_over:
            assert plain.starts() == [], f"after a cut at step {step}"
            cuts += 1
        assert whole(plain) == wanted, f"after a cut at step {step}"
        assert not [secret for secret in SECRETS if secret in plain.toml.read_bytes()]
        if is_over:
            break
        step += 4
    assert cuts >= 10


@pytest.mark.parametrize("what", [reset_asked.KEEP, reset_asked.EVERYTHING])
def test_a_reset_that_is_cut_anywhere_ends_as_a_whole_one(tmp_path: Path, what: str) -> None:
    card = Card(tmp_path / "box")
    data = card.places.data
    card.writes(WHOLE)
    card.starts()
    data.mkdir()
    shutil.move(card.places.etc, data / "etc")
    shutil.move(card.root / "var/lib/deskbell", data / "lib")
    (data / "lib/recordings").mkdir()
    for number in range(3):
        (data / f"lib/recordings/{number}.opus").write_bytes(b"x")
    (card.places.fat / "factory-reset.txt").write_text(what)
    shutil.copytree(card.root, tmp_path / "before")

    def start() -> None:
        if asked := reset_asked.pending(card.places):
            reset.carry_out(card.places, asked)

    def state() -> dict[str, bytes]:
        return {str(file.relative_to(card.root)): file.read_bytes() for file in sorted(card.root.rglob("*"))
                if file.is_file() and not file.name.startswith(("reset", "office.db"))}

    start()
    wanted, cuts = state(), 0
    for step in range(10_000):
        shutil.rmtree(card.root)
        shutil.copytree(tmp_path / "before", card.root)
        is_over = cut_at(step, start)
        start()
        assert state() == wanted, f"after a cut at step {step}"
        assert reset_asked.pending(card.places) is None
        if is_over:
            break
        cuts += 1
    assert cuts >= 10
