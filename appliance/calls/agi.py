"""FastAGI: a threaded server on pyst2's AGI, behind one adapter that mends what pyst2 0.5.1 breaks.

Mended: signal() outside the main thread, bytes against text, HANGUP lines and closed sockets, 511 on a dead
channel, names that are not UTF-8, missing quoting (a caller's name must never become a command), the dump of
every command to stderr.
"""
from __future__ import annotations

import io
import logging
import re
import socket
import socketserver
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, cast

from asterisk import agi as pyst2

log = logging.getLogger("bell")

ADDRESS = ("127.0.0.1", 4573)    # loopback only: FastAGI has no password
TIMEOUT_S = 2.0                  # longer than the dialplan waits
LONGEST_LINE = 4096
MOST_LINES = 200
ANSWER = re.compile(r"(\d{3})(?:[ -](.*))?")
RESULT = re.compile(r"result=(-?\w*)(?: \((.*)\))?")

Hangup = pyst2.AGIHangup


class Refused(Exception):
    """What came over the socket is no AGI request; the text says what."""


class Agi(pyst2.AGI):  # type: ignore[misc]
    """One AGI conversation over a socket's two files. env holds agi_* as text.

    close() ends it: Asterisk goes on with the call, and what the script does then keeps nobody waiting.
    """

    def __init__(self, reader: BinaryIO, writer: BinaryIO, close: Callable[[], None] = lambda: None) -> None:
        self.stdin, self.stdout, self.stderr = reader, writer, io.StringIO()
        self.close = close
        self._got_sighup = False
        self.env: dict[str, str] = {}
        self._get_agi_env()

    def _get_agi_env(self) -> None:
        for _ in range(MOST_LINES):
            line = self._line()
            if line == "":
                return
            key, separator, value = line.partition(":")
            if not separator or not key.startswith("agi_"):
                raise Refused(f"a line without agi_…: {line[:40]!r}")
            self.env[key.strip()] = value.strip()
        raise Refused(f"more than {MOST_LINES} lines of environment")

    def _line(self) -> str:
        raw = self.stdin.readline(LONGEST_LINE)
        if not raw:
            raise Hangup("Asterisk closed the connection")
        if not raw.endswith(b"\n"):
            raise Refused(f"a line of over {LONGEST_LINE} bytes")
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    def _quote(self, string: object) -> str:
        text = "".join(c if c.isprintable() else " " for c in str(string))
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def send_command(self, command: str, *args: object) -> None:
        """One line to Asterisk. Raises ValueError for a line break: a second command must never follow."""
        line = " ".join([command.strip(), *map(str, args)])
        if "\n" in line or "\r" in line:
            raise ValueError("an AGI command is one line")
        self.stdout.write(line.encode() + b"\n")
        self.stdout.flush()

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """{"result": (value, data)} of a 200 answer. Raises Hangup, or pyst2's AGIError for the others."""
        found = ANSWER.fullmatch(line := self._line())
        if line == "HANGUP" or found and found[1] == "511":
            raise Hangup("the caller has gone")
        if found is None:
            raise pyst2.AGIUnknownError(f"no AGI answer: {line[:40]!r}")
        if found[1] == "520":
            while not self._line().startswith("520 "):
                pass
            raise pyst2.AGIUsageError(line)
        if found[1] != "200":
            raise pyst2.AGIInvalidCommand(line)
        result = RESULT.match(found[2] or "")
        value, data = (result[1], result[2] or "") if result else ("", "")
        if data == "hangup" or value == "-1":
            raise Hangup("the caller has gone")
        return {"result": (value, data)}


Script = Callable[[Agi], None]


class Server(socketserver.ThreadingTCPServer):
    """Answers agi://127.0.0.1:4573/NAME with the script of that name, a thread a call."""
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, scripts: Mapping[str, Script], address: tuple[str, int] = ADDRESS,
                 patience_s: float = TIMEOUT_S) -> None:
        self.scripts, self.patience_s = scripts, patience_s
        super().__init__(address, _Conversation)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("The bell stumbled over a call; the telephone rings on and the ledger has it.")


class _Conversation(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.request.settimeout(cast(Server, self.server).patience_s)
        super().setup()

    def handle(self) -> None:
        try:
            agi = Agi(cast(BinaryIO, self.rfile), cast(BinaryIO, self.wfile), self._close)
            name = agi.env.get("agi_network_script", "")
            script = cast(Server, self.server).scripts.get(name)
            if script is None:
                raise Refused(f"there is no script {name[:40]!r}")
            script(agi)
        except Refused as wrong:
            log.warning("Not served: %s. The call goes on.", wrong)
        except (Hangup, OSError):
            log.info("The caller, or Asterisk's patience, ended before the bell had answered.")
        except pyst2.AGIException as wrong:
            log.warning("Asterisk refused an answer of the bell: %s. The call goes on.", wrong)

    def _close(self) -> None:
        self.request.shutdown(socket.SHUT_RDWR)
