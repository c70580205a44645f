"""A GSM modem on a pty, at AT wire level: real gammu and our own engine both work with it.

python3 -m hw.gsm_sim --link /tmp/modem --air /tmp/air.jsonl --network-s 3 --script "ok, cms 38, noanswer"
Every PDU the network takes is a line of the air file. Standard input steers it: unplug, plug, script …,
receive NUMBER TEXT, ring NUMBER, hangup, registration N, silent, garbage, well.
"""
from __future__ import annotations

import argparse
import errno
import heapq
import itertools
import json
import os
import pty
import random
import re
import selectors
import signal
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from hw.gsm_sim_air import OUTCOMES, Outcome, Submit, read_submit, script, write_deliver, write_report
from hw.gsm_sim_at import MESSAGE, Modem, Refused

ESC, CTRL_Z = "\x1b", "\x1a"
RING_S = 5.0
MOODS = ("well", "silent", "garbage")


class GsmSim:
    """One modem, served by its own thread from start() to stop(). Every other method may be called from any thread."""

    def __init__(self, link: Path, air: Path | None = None, *, network_s: float = 0.0, jitter_s: float = 0.0,
                 report_after_s: float | None = 0.05, replug_after_s: float | None = None,
                 outcomes: Iterable[Outcome] = (), modem: Modem | None = None) -> None:
        self.link, self.modem, self.outcomes = link, modem or Modem(), list(outcomes)
        self.network_s, self.jitter_s = network_s, jitter_s
        self.report_after_s, self.replug_after_s = report_after_s, replug_after_s
        self.commands: list[tuple[float, str]] = []  # (monotonic seconds, line) as they came
        self.air: list[str] = []  # PDUs the network took
        self.mood = "well"
        self._air_file = air
        self._reference = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._held: list[str] = []  # reports the network keeps until the modem asks for them
        self._noise = random.Random(7)
        self._master = self._slave = -1
        self._typed = ""
        self._awaited: int | None = None  # TPDU length after +CMGS, while the prompt stands
        self._is_busy = False
        self._rings = 0
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = os.pipe()
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="gsm_sim", daemon=True)

    # what a person does to the modem

    def start(self) -> GsmSim:
        """Plugs it in and serves it; the link is there when this returns."""
        self._plug()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends the thread and takes the link away."""
        self._stopped.set()
        self._later(0, lambda: None)
        self._thread.join(5)
        self._unplug()
        self._selector.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def __enter__(self) -> GsmSim:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def unplug(self) -> None:
        """Pulls the stick: the port vanishes under whoever holds it."""
        self._later(0, self._unplug)

    def plug(self) -> None:
        """Puts it back: a new port under the old link, all settings forgotten."""
        self._later(0, self._plug)

    def receive(self, number: str, text: str) -> None:
        """The network brings a text."""
        pdu = write_deliver(number, text, datetime.now(UTC))
        self._later(0, lambda: self._deliver(pdu))

    def ring(self, number: str) -> None:
        """Somebody calls the SIM; RING and, when asked for, +CLIP until hang_up()."""
        self._rings += 1
        self._later(0, lambda: self._ring(number, self._rings))

    def hang_up(self) -> None:
        """The caller gives up."""
        self._rings += 1
        self._later(0, lambda: self._say("NO CARRIER"))

    def register(self, registration: int) -> None:
        """The network's word, as in +CREG: 0 not searching, 1 home, 2 searching, 3 denied, 5 roaming."""
        def act() -> None:
            self.modem.registration = registration
            if self.modem.flags.get("+CREG", "0") != "0":
                self._say(f"+CREG: {registration}")
        self._later(0, act)

    # the thread

    def _later(self, after_s: float, act: Callable[[], object]) -> None:
        with self._lock:
            heapq.heappush(self._timers, (time.monotonic() + after_s, next(self._order), act))
        os.write(self._wake_w, b"!")

    def _serve(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                due = self._timers[0][0] if self._timers else None
            wait_s = None if due is None else max(0.0, due - time.monotonic())
            for key, _events in self._selector.select(wait_s):
                if key.fd == self._wake_r:
                    os.read(self._wake_r, 4096)
                elif key.fd == self._master:
                    self._read()
            self._run_due()

    def _run_due(self) -> None:
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > time.monotonic():
                    return
                _due, _order, act = heapq.heappop(self._timers)
            act()

    def _plug(self) -> None:
        if self._master >= 0:
            return
        self._master, self._slave = pty.openpty()  # our own slave fd stays open, or a client's close would be EIO here
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.modem.power_cycle()
        self._typed, self._awaited, self._is_busy = "", None, False
        aside = self.link.with_name(self.link.name + ".new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.ttyname(self._slave))
        aside.replace(self.link)
        self._selector.register(self._master, selectors.EVENT_READ)

    def _unplug(self) -> None:
        if self._master < 0:
            return
        self._selector.unregister(self._master)
        self.link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _write(self, data: bytes) -> None:
        if self._master < 0:
            return
        try:
            os.write(self._master, data)
        except OSError as full:  # nobody reads: a real modem's FIFO overflows too
            if full.errno not in (errno.EAGAIN, errno.EIO):
                raise

    def _say(self, *lines: str) -> None:
        self._write("".join(f"\r\n{line}\r\n" for line in lines).encode("latin-1"))

    def _read(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError:
            return
        if self.mood == "garbage":
            self._write(self._noise.randbytes(len(data) + 7))
        if self.mood != "well":
            return
        if self.modem.echo:
            self._write(data)
        for letter in data.decode("latin-1"):
            self._type(letter)

    def _type(self, letter: str) -> None:
        if self._awaited is not None:
            self._type_text(letter)
        elif letter == "\r":
            line, self._typed = self._typed.strip(), ""
            self._line(line)
        elif letter == ESC:
            self._typed = ""
            if self.modem.minds_escape:
                self._final("ERROR")
        elif letter != "\n":
            self._typed += letter

    def _type_text(self, letter: str) -> None:
        if letter == ESC:
            self._typed, self._awaited = "", None
            self._final("OK")
        elif letter == CTRL_Z:
            pdu, awaited = self._typed, self._awaited or 0
            self._typed, self._awaited = "", None
            self._submit(pdu.strip(), awaited)
        else:
            self._typed += letter

    def _line(self, line: str) -> None:
        if not line:
            return
        self.commands.append((time.monotonic(), line))
        if self._is_busy or line[:2].upper() != "AT":
            return
        for command in _commands(line[2:]):
            try:
                if command.upper().startswith("+CMGS="):
                    return self._prompt(command)
                if said := self.modem.answer(command):
                    self._say("\r\n".join(said))
            except Refused as refused:
                return self._refuse(refused)
            self._after(command.upper())
        self._final("OK")

    def _after(self, command: str) -> None:
        if command.startswith("+CUSD=1,"):
            self._later(self.network_s, lambda: self._say('+CUSD: 0,"Your balance is 12.34 EUR.",15'))
        if command.startswith("+CNMI=") and self.modem.news[3]:
            held, self._held = self._held, []
            for report in held:
                self._later(0.01, partial(self._report, report))

    def _final(self, result: str) -> None:
        self._write(f"\r\n{result}\r\n".encode() if self.modem.verbose else b"0\r" if result == "OK" else b"4\r")

    def _refuse(self, refused: Refused) -> None:
        if refused.code is None or (refused.family != MESSAGE and not self.modem.errors):
            self._final("ERROR")
        else:
            self._say(f"{refused.family}: {refused.code}")

    def _prompt(self, command: str) -> None:
        length = command[6:]
        if self.modem.has_sim is False or self.modem.pin is not None:
            raise Refused(311 if self.modem.pin else 310, MESSAGE)
        if not length.isdecimal() or not 7 <= int(length) <= 176:
            raise Refused(304, MESSAGE)
        if self.modem.registration not in (1, 5):
            raise Refused(331, MESSAGE)
        self._awaited = int(length)
        self._write(b"\r\n> ")

    # the network

    def _submit(self, pdu: str, awaited: int) -> None:
        try:
            submit = read_submit(pdu)
        except ValueError:
            return self._refuse(Refused(304, MESSAGE))
        if submit.length != awaited:
            return self._refuse(Refused(304, MESSAGE))
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome()
        self._is_busy = True
        wait_s = self.network_s + self._noise.uniform(0, self.jitter_s)
        if outcome.kind == "cms":
            return self._later(wait_s, lambda: self._rejected(int(outcome.value)))
        self._later(wait_s, lambda: self._taken(pdu, submit, outcome))

    def _rejected(self, code: int) -> None:
        self._is_busy = False
        self._refuse(Refused(code, MESSAGE))

    def _taken(self, pdu: str, submit: Submit, outcome: Outcome) -> None:
        reference, now = next(self._reference) % 256, datetime.now(UTC)
        self._is_busy = False
        self.air.append(pdu)
        if self._air_file is not None:
            line = {"at": now.isoformat(timespec="milliseconds"), "pdu": pdu, "reference": reference}
            with self._air_file.open("a") as file:
                file.write(json.dumps(line) + "\n")
        if outcome.kind == "garbage":
            self._write(self._noise.randbytes(64))
        elif outcome.kind == "unplug":
            self._unplug()
            if self.replug_after_s is not None:
                self._later(self.replug_after_s, self._plug)
        elif outcome.kind != "noanswer":
            self._later(outcome.value if outcome.kind == "late" else 0,
                        lambda: self._say(f"+CMGS: {reference}", "OK"))
        if submit.wants_report and self.report_after_s is not None and outcome.kind != "noreport":
            status = 0x45 if outcome.kind == "undelivered" else 0
            report = write_report(reference, submit.number, status, now, datetime.now(UTC))
            self._later(self.report_after_s, lambda: self._report(report))

    def _report(self, pdu: str) -> None:
        mode = self.modem.news[3]
        if self._master < 0 or mode == 0:
            self._held.append(pdu)
        elif mode == 1:
            self._write(f"\r\n+CDS: {len(pdu) // 2 - 1}\r\n{pdu}\r\n".encode())
        elif mode == 2 and (place := self.modem.store("SR", pdu)) is not None:
            self._say(f'+CDSI: "SR",{place}')

    def _deliver(self, pdu: str) -> None:
        if self.modem.news[1] == 2:
            return self._write(f"\r\n+CMT: ,{len(pdu) // 2 - 1}\r\n{pdu}\r\n".encode())
        place = self.modem.store(self.modem.incoming, pdu)
        if place is not None and self.modem.news[1] == 1:
            self._say(f'+CMTI: "{self.modem.incoming}",{place}')

    def _ring(self, number: str, ring: int) -> None:
        if ring != self._rings:
            return
        self._say("RING")
        if self.modem.flags.get("+CLIP", "0").startswith("1"):
            self._say(f'+CLIP: "{number}",{145 if number.startswith("+") else 129},,,,{0 if number else 1}')
        self._later(RING_S, lambda: self._ring(number, ring))


def _commands(line: str) -> list[str]:
    """The commands of a line: letters follow each other (E0V1), others are chained by ';' (+CMEE=1;+CREG=2)."""
    if re.fullmatch(r"(&?[A-Za-z]\d*){2,}", line):
        return re.findall(r"&?[A-Za-z]\d*", line)
    commands, quoted = [""], False
    for letter in line:
        quoted ^= letter == '"'
        if letter == ";" and not quoted:
            commands.append("")
        else:
            commands[-1] += letter
    return [command.strip() for command in commands]


def obey(sim: GsmSim, order: str) -> None:
    """One line of standard input. ValueError says what is not known."""
    verb, _, rest = order.strip().partition(" ")
    number, _, text = rest.partition(" ")
    verbs: dict[str, Callable[[], object]] = {
        "unplug": sim.unplug, "plug": sim.plug, "hangup": sim.hang_up, "ring": lambda: sim.ring(rest),
        "receive": lambda: sim.receive(number, text), "script": lambda: sim.outcomes.extend(script(rest)),
        "registration": lambda: sim.register(int(rest)),
    }
    if verb in MOODS:
        sim.mood = verb
    elif verb in verbs:
        verbs[verb]()
    else:
        raise ValueError(f"{verb!r} is no order; they are: {', '.join([*verbs, *MOODS])}")


def main() -> None:
    """Serves until its standard input says quit or a signal ends it."""
    parser = argparse.ArgumentParser("gsm_sim", description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="where the port appears")
    parser.add_argument("--air", type=Path, help="file that gets a JSON line for every PDU the network took")
    parser.add_argument("--network-s", type=float, default=3.0, help="how long the network takes for a text")
    parser.add_argument("--jitter-s", type=float, default=0.0)
    parser.add_argument("--report-after-s", type=float, default=2.0, help="below 0: no delivery reports")
    parser.add_argument("--replug-after-s", type=float, help="after the outcome unplug")
    parser.add_argument("--script", type=script, default=[], help=f"outcomes in order: {', '.join(OUTCOMES)}")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    report_after_s = None if given.report_after_s < 0 else given.report_after_s
    with GsmSim(given.link, given.air, network_s=given.network_s, jitter_s=given.jitter_s,
                report_after_s=report_after_s, replug_after_s=given.replug_after_s, outcomes=given.script) as sim:
        print(f"GSM modem at {given.link}", flush=True)
        for order in sys.stdin:
            if order.strip() == "quit":
                return
            try:
                obey(sim, order)
            except ValueError as unknown:
                print(unknown, file=sys.stderr, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
