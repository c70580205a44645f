"""Other people's SMS daemons, as Debian ships them, on a modem of ours: to measure beside and to test our tests by."""
from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WORDS = "Sorry we missed you."


@dataclass(frozen=True)
class Peer:
    """The command that runs it, and what queues one text to a number."""

    command: list[str]
    queue: Callable[[str], object]


def gammu_smsd(folder: Path, port: Path, options: str = "") -> Peer:
    """gammu-smsd with its file service; options are further lines of its [smsd]."""
    boxes = {"inbox": "inbox", "outbox": "outbox", "sentsms": "sent", "errorsms": "error"}
    for name in boxes.values():
        (folder / name).mkdir()
    rc = folder / "smsdrc"
    paths = "".join(f"{box}path = {folder}/{name}/\n" for box, name in boxes.items())
    rc.write_text(f"[gammu]\ndevice = {port}\nconnection = at115200\n[smsd]\nservice = files\nlogfile = {folder}/log\n"
                  f"{paths}{options}")
    inject = ["gammu-smsd-inject", "-c", str(rc), "TEXT"]
    return Peer(["gammu-smsd", "-c", str(rc)], lambda number: subprocess.run(
        [*inject, number, "-text", WORDS], check=True, capture_output=True))


def smstools(folder: Path, port: Path, options: str = "delaytime = 1\n") -> Peer:
    """smstools' smsd; options are further global lines of its configuration."""
    boxes = ("outgoing", "checked", "incoming", "failed", "sent", "stats")
    for name in boxes:
        (folder / name).mkdir()
    conf = folder / "smsd.conf"
    paths = "".join(f"{name} = {folder}/{name}\n" for name in boxes)
    conf.write_text(f"devices = SIM\nlogfile = {folder}/log\npidfile = {folder}/pid\ninfofile = {folder}/running\n"
                    f"{paths}{options}[SIM]\ndevice = {port}\nincoming = no\nreport = yes\n")

    def queue(number: str) -> None:
        aside = folder / "aside"
        aside.write_text(f"To: {number.lstrip('+')}\n\n{WORDS}\n")
        aside.rename(folder / "outgoing" / f"to{number.lstrip('+')}")

    return Peer(["smsd", "-c", str(conf), "-t"], queue)
