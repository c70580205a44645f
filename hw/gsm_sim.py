"""A GSM modem on a pty, at AT wire level: real gammu, smstools and our own engine all work with it.

python3 -m hw.gsm_sim --link /tmp/modem --air /tmp/air.jsonl --network-s 3 --script "ok, cms 38, noanswer"
Every PDU the network takes is a line of the air file. Standard input steers it: unplug, plug, script …,
receive NUMBER TEXT, flood N NUMBER, half NUMBER TEXT, ring NUMBER, withheld, hangup, registration N, fill N,
pin NNNN, ussd MOOD, slow S, silent, garbage, yes, well.
"""
from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from hw.gsm_sim_air import OUTCOMES, Outcome, Submit, read_submit, script, write_deliver, write_report
from hw.gsm_sim_at import MESSAGE, USSD_MOODS, Modem, Refused
from hw.gsm_sim_port import SimPort

ESC, CTRL_Z = "\x1b", "\x1a"
RING_S = 5.0
HELD_S = 0.02  # between two texts that the network kept because the SIM was full
MOODS = ("well", "silent", "garbage", "yes")


class GsmSim(SimPort):
    """One modem, served by its own thread from start() to stop(). Every other method may be called from any thread."""

    def __init__(self, link: Path, air: Path | None = None, *, network_s: float = 0.0, jitter_s: float = 0.0,
                 report_after_s: float | None = 0.05, replug_after_s: float | None = None,
                 outcomes: Iterable[Outcome] = (), modem: Modem | None = None) -> None:
        super().__init__(link)
        self.modem, self.outcomes = modem or Modem(), list(outcomes)
        self.network_s, self.jitter_s = network_s, jitter_s
        self.report_after_s, self.replug_after_s = report_after_s, replug_after_s
        self.commands: list[tuple[float, str]] = []  # (monotonic seconds, line) as they came
        self.air: list[str] = []  # PDUs the network took
        self.mood = "well"
        self.slow_s = 0.0  # before it looks at a line
        self._air_file = air
        self._reference = itertools.count()
        self._held: list[str] = []  # reports the network keeps until the modem asks for them
        self._waiting: list[str] = []  # texts the network keeps while the SIM is full
        self._noise = random.Random(7)
        self._typed = ""
        self._awaited: int | None = None  # TPDU length after +CMGS, while the prompt stands
        self._is_busy = False
        self.ring_every_s, self.rings_said = RING_S, 0
        self._rings = 0

    # what a person does to the modem

    def start(self) -> GsmSim:
        """Plugs it in and serves it; the link is there when this returns."""
        self._plug()
        self._thread.start()
        return self

    def __enter__(self) -> GsmSim:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def receive(self, number: str, *texts: str) -> None:
        """The network brings these texts at once: what the modem says of them is one write."""
        self.bring(*(write_deliver(number, text, datetime.now(UTC)) for text in texts))

    def bring(self, *pdus: str) -> None:
        """The network brings these SMS-DELIVER PDUs (hex, SMSC address first) at once."""
        self._later(0, lambda: self._deliver(list(pdus)))

    def receive_half(self, number: str, text: str) -> None:
        """The network brings a text and the modem keeps only the first half of it."""
        pdu = write_deliver(number, text, datetime.now(UTC))
        self.bring(pdu[:len(pdu) // 4 * 2])

    def ring(self, number: str, validity: int = 0) -> None:
        """Somebody calls the SIM: RING and, when asked for, +CLIP until hang_up(). validity 1: withheld."""
        self._rings += 1
        self._later(0, partial(self._ring, number, validity, self._rings))

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

    def _say(self, *lines: str) -> None:
        self._write("".join(f"\r\n{line}\r\n" for line in lines).encode("latin-1"))

    # the thread

    def _powered(self) -> None:
        self.modem.power_cycle()
        self._typed, self._awaited, self._is_busy = "", None, False

    def _typed_in(self, data: bytes) -> None:
        if self.mood == "garbage":
            self._write(self._noise.randbytes(len(data) + 7))
        if self.mood == "yes":
            self._write(b"\r\nOK\r\n" * sum(data.count(end) for end in (b"\r", b"\x1a")))
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
            self._in_time(partial(self._line, line))
        elif letter == ESC:
            self._typed = ""
            if self.modem.minds_escape:
                self._final("ERROR")
        elif letter != "\n":
            self._typed += letter

    def _in_time(self, act: Callable[[], object]) -> None:
        if self.slow_s:
            self._later(self.slow_s, act)
        else:
            act()

    def _type_text(self, letter: str) -> None:
        if letter == ESC:
            self._typed, self._awaited = "", None
            self._final("OK")
        elif letter == CTRL_Z:
            pdu, awaited = self._typed, self._awaited or 0
            self._typed, self._awaited = "", None
            self._in_time(partial(self._submit, pdu.strip(), awaited))
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
        if command.startswith("+CUSD=1,") and (said := self.modem.ussd_answer()):
            self._later(max(0.01, self.network_s), partial(self._write, f"\r\n{said}\r\n".encode()))
        if command.startswith("+CNMI=") and self.modem.news[3]:
            held, self._held = self._held, []
            for report in held:
                self._later(0.01, partial(self._report, report))
        if command.startswith("+CMGD") and self._waiting:
            self._later(HELD_S, self._bring_held)

    def _final(self, result: str) -> None:
        self._write(f"\r\n{result}\r\n".encode() if self.modem.verbose else b"0\r" if result == "OK" else b"4\r")

    def _refuse(self, refused: Refused) -> None:
        if refused.code is None or (refused.family != MESSAGE and not self.modem.errors):
            self._final("ERROR")
        else:
            self._say(f"{refused.family}: {refused.code}")

    def _prompt(self, command: str) -> None:
        length = command[6:]
        if self.modem.has_sim is False or self.modem.is_locked:
            raise Refused(311 if self.modem.is_locked else 310, MESSAGE)
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
            after_s = outcome.value if outcome.kind == "latereport" else self.report_after_s
            self._later(after_s, lambda: self._report(report))

    def _report(self, pdu: str) -> None:
        mode = self.modem.news[3]
        if self._master < 0 or mode == 0:
            self._held.append(pdu)
        elif mode == 1:
            self._write(f"\r\n+CDS: {len(pdu) // 2 - 1}\r\n{pdu}\r\n".encode())
        elif mode == 2 and (place := self.modem.store("SR", pdu)) is not None:
            self._say(f'+CDSI: "SR",{place}')

    def _deliver(self, pdus: list[str]) -> None:
        said = ""
        for pdu in pdus:
            if self.modem.news[1] == 2:
                said += f"\r\n+CMT: ,{len(pdu) // 2 - 1}\r\n{pdu}\r\n"
            elif self._waiting or (place := self.modem.store(self.modem.incoming, pdu)) is None:
                self._waiting.append(pdu)
            elif self.modem.news[1] == 1:
                said += f'\r\n+CMTI: "{self.modem.incoming}",{place}\r\n'
        self._write(said.encode())

    def _bring_held(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._deliver(waiting[:1])
        self._waiting += waiting[1:]
        if len(self._waiting) < len(waiting) and self._waiting:
            self._later(HELD_S, self._bring_held)

    def _ring(self, number: str, validity: int, ring: int) -> None:
        if ring != self._rings:
            return
        self.rings_said += 1
        self._say("RING")
        if self.modem.flags.get("+CLIP", "0").startswith("1"):
            kind = 145 if number.startswith("+") else 129 if number else 128
            self._say(f'+CLIP: "{number}",{kind},,,,{validity}')
        self._later(self.ring_every_s, partial(self._ring, number, validity, ring))


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
        "withheld": lambda: sim.ring("", 1), "half": lambda: sim.receive_half(number, text),
        "receive": lambda: sim.receive(number, text), "script": lambda: sim.outcomes.extend(script(rest)),
        "flood": lambda: sim.receive(text, *(f"text {place} of {number}" for place in range(1, int(number) + 1))),
        "registration": lambda: sim.register(int(rest)), "fill": lambda: sim.modem.fill(int(rest)),
        "pin": lambda: sim.modem.lock(rest), "ussd": lambda: sim.modem.set_ussd(rest),
        "slow": lambda: setattr(sim, "slow_s", float(rest)),
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
    parser.add_argument("--pin", help="the PIN the SIM asks for after each power-up")
    parser.add_argument("--ussd", choices=USSD_MOODS, default="plain", help="how it gives the answer to a USSD code")
    parser.add_argument("--me-refused", action="store_true", help="names ME among its memories and refuses it")
    parser.add_argument("--slow-s", type=float, default=0.0, help="before it looks at a line")
    parser.add_argument("--script", type=script, default=[], help=f"outcomes in order: {', '.join(OUTCOMES)}")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    report_after_s = None if given.report_after_s < 0 else given.report_after_s
    with GsmSim(given.link, given.air, network_s=given.network_s, jitter_s=given.jitter_s,
                report_after_s=report_after_s, replug_after_s=given.replug_after_s, outcomes=given.script,
                modem=Modem(pin=given.pin, ussd=given.ussd, me_refused=given.me_refused)) as sim:
        sim.slow_s = given.slow_s
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
