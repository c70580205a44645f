"""The door for a person: a Unix socket on which `deskbell modem at|ussd` and the pages ask who holds the port.

One JSON line in, one out. Commands that would send, dial, delete, lock or change what the engine relies on are refused.
They are not kept in the store: a restored backup must not speak to the modem.
"""
from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path

from appliance.config import Box
from appliance.texts.radio import Question, Radio
from hw.gsm import GsmError

LOG = logging.getLogger(__name__)
ANSWER_S = 75.0              # a text may be on its way first, then a USSD answer takes its 30 s
LONGEST = 4096
PLAIN = re.compile(r"(?:I\d*|&V\d*)?", re.IGNORECASE)    # of the commands of letters alone: any other may hide a D
EXTENDED = re.compile(r"[+^$%*!#@_]([A-Z0-9:]+)(\?|=.*)?", re.IGNORECASE)
VERBS = ("at", "ussd", "pin", "tries")
NEVER = {"CMGS", "CMGW", "CMGD", "CMGC", "CMSS", "CNMA", "CUSD", "CPWD"}
ONLY_ASKED = {"CPIN", "CLCK", "CNMI", "CPMS", "CMGF", "CMEE", "CLIP", "IPR", "ICF", "IFC"}


class ControlError(Exception):
    """It could not be asked; the text says why and what to do."""


def refusal(command: str) -> str | None:
    """Why this AT command may not be given, None when it may."""
    plain = command.strip()
    if not re.fullmatch(r"(?i)at[ -~]*", plain) or len(plain) > 300:
        return "An AT command begins with AT and is one line of plain characters."
    if not all(_is_harmless(part.strip()) for part in plain[2:].split(";")):
        return ("That command sends, dials, deletes, locks or changes what the radio relies on. Texts go through the "
                "outbox, a PIN into its secret file, a balance by `deskbell modem ussd`.")
    return None


def _is_harmless(part: str) -> bool:
    if PLAIN.fullmatch(part):
        return True
    found = EXTENDED.fullmatch(part)
    if found is None or found[1].upper() in NEVER:
        return False
    return found[1].upper() not in ONLY_ASKED or found[2] in ("?", "=?")


def path(box: Box) -> Path:
    return box.run / "modem.sock"


def ask(box: Box, modem: str, verb: str, words: str, patience_s: float = ANSWER_S + 5) -> list[str]:
    """The lines the daemon's modem answered within patience_s. Raises ControlError."""
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(patience_s)
            door.connect(str(path(box)))
            door.sendall(json.dumps({"modem": modem, "verb": verb, "words": words}).encode() + b"\n")
            said = json.loads(door.makefile().readline() or "{}")
    except FileNotFoundError as missing:
        raise ControlError("The radio's daemon does not run. Start deskbell-modem.") from missing
    except ConnectionRefusedError as dead:
        raise ControlError("The radio's daemon has died. Restart deskbell-modem.") from dead
    except PermissionError as refused:
        raise ControlError("This user may not ask the radio. Run it as root.") from refused
    except (OSError, ValueError) as silent:
        raise ControlError(f"The radio's daemon did not answer ({silent}). Try again.") from silent
    if "lines" not in said:
        raise ControlError(str(said.get("refused", "The radio's daemon did not answer. Try again.")))
    return [str(line) for line in said["lines"]]


@contextlib.contextmanager
def serving(box: Box, radios: Mapping[str, Radio]) -> Iterator[None]:
    """Answers on the socket meanwhile; members of the group deskbell may ask."""
    place = path(box)
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)

    class Answer(socketserver.StreamRequestHandler):
        timeout = 10.0

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(json.dumps(_answer(radios, self.rfile.readline(LONGEST))).encode() + b"\n")

    try:
        server = socketserver.ThreadingUnixStreamServer(str(place), Answer)
    except OSError as refused:               # texts matter more than the installer's door
        LOG.warning("`deskbell modem at` cannot be answered: %s (%s)", place, refused.strerror)
        yield
        return
    with server:
        server.daemon_threads = True
        server.block_on_close = False
        os.chmod(place, 0o660)
        threading.Thread(target=server.serve_forever, args=(0.2,), name="control", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            place.unlink(missing_ok=True)


def _answer(radios: Mapping[str, Radio], line: bytes) -> dict[str, object]:
    try:
        asked = json.loads(line)
        radio, verb, words = radios.get(asked["modem"]), asked["verb"], str(asked["words"])
    except (ValueError, KeyError, TypeError):
        return {"refused": "That was no question."}
    if radio is None:
        return {"refused": f"box.toml has no modem {asked['modem']!r}; it has {', '.join(radios)}."}
    if verb not in VERBS:
        return {"refused": "That was no question."}
    if verb == "at" and (why := refusal(words)):
        return {"refused": why}
    question = Question(verb, words)
    radio.questions.put(question)
    try:
        return {"lines": question.answer.result(ANSWER_S)}
    except GsmError as refused:
        return {"refused": str(refused)}
    except NoAnswer:
        return {"refused": f"{radio.name} was busy and did not answer within {ANSWER_S:.0f} s. Try again."}
