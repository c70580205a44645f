"""Finding modems: the ports that are there, and which of them answers as a GSM modem.

A stick has several ports and only some speak AT; /dev/ttyUSBn changes with every replug, /dev/serial/by-id does not.
"""
from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hw.at import AtEngine, GsmError, GsmGone

AUTO = "auto"
NAMED = "/dev/serial/by-id/*"
PLAIN = ("/dev/ttyUSB*", "/dev/ttyACM*")  # for sticks that udev has given no name
ANSWER_S = 2.0
SERIAL_NUMBER = re.compile(r"\b\d{14,16}\b")
STICK = re.compile(r"-if\d+(-port\d+)?$")


@dataclass(frozen=True)
class Found:
    """A port behind which a GSM modem answers. imei is '' when it does not say."""

    port: str
    maker: str
    model: str
    imei: str


def is_pattern(port: str) -> bool:
    """Whether box.toml leaves it to us to find the port: "auto", or a path with * in it."""
    return port == AUTO or "*" in port


def candidates(pattern: str) -> list[str]:
    """The ports that the pattern means, best first; plain names only of devices that have no lasting one."""
    if pattern != AUTO:
        return _there(pattern)
    named = _there(NAMED)
    known = {Path(port).resolve() for port in named}
    return named + [port for plain in PLAIN for port in _there(plain) if Path(port).resolve() not in known]


def stick(port: str) -> str:
    """What the ports of one stick have in common: their name by-id without the interface, else the port itself."""
    return STICK.sub("", port)


def find(ports: Iterable[str], besides: Collection[str] = ()) -> list[Found]:
    """The modems behind these ports, one a stick, in order; sticks of `besides` are left in peace.

    All ports are asked at once: a dead one costs ANSWER_S. One that another program holds is passed over.
    """
    taken = {stick(port) for port in besides}
    asked = [port for port in ports if stick(port) not in taken]
    if not asked:
        return []
    found: list[Found] = []
    with ThreadPoolExecutor(len(asked), "port") as pool:
        for modem in pool.map(identify, asked):
            if modem is not None and stick(modem.port) not in taken:
                taken.add(stick(modem.port))
                found.append(modem)
    return found


def identify(port: str) -> Found | None:
    """The modem behind this port, None when nothing there speaks AT as a GSM modem does (AT+CGMI)."""
    engine = AtEngine(port)
    try:
        engine.open()
        engine.resync(tries=1, timeout_s=ANSWER_S / 2)
        with contextlib.suppress(GsmError):
            engine.command("ATE0", ANSWER_S / 2)
        maker = _said(engine, "AT+CGMI")
        return Found(port, maker, _said(engine, "AT+CGMM"), _imei(engine)) if maker else None
    except (GsmError, OSError):
        return None
    finally:
        engine.close()


class Finder:
    """Gives each of several owners a modem of its own; safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, str] = {}  # owner: port

    def take(self, owner: str, port: str) -> str:
        """The port for this owner: as it stands in box.toml, or where a modem answers. Raises GsmGone."""
        with self._lock:
            last = self._taken.pop(owner, "")
            if is_pattern(port):
                port = self._find(port, last)
            self._taken[owner] = port
            return port

    def _find(self, pattern: str, last: str) -> str:
        ports = candidates(pattern)
        if last in ports:                      # a stick that was pulled out and is back
            ports.remove(last)
            if identify(last):
                return last
        found = find(ports, self._taken.values())
        if not found:
            where = "anywhere" if pattern == AUTO else f"at {pattern}"
            raise GsmGone(pattern, f"no modem found {where}.")
        return found[0].port


def _there(pattern: str) -> list[str]:
    return sorted(str(port) for port in Path(Path(pattern).anchor or ".").glob(pattern.lstrip("/")))


def _said(engine: AtEngine, question: str) -> str:
    try:
        lines = engine.command(question, ANSWER_S)
    except GsmGone:
        raise
    except GsmError:
        return ""
    return lines[0].partition(":")[2].strip() or lines[0] if lines else ""


def _imei(engine: AtEngine) -> str:
    found = SERIAL_NUMBER.search(_said(engine, "AT+CGSN"))
    return found[0] if found else ""
