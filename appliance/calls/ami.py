"""A small client of Asterisk's manager interface: one question, one answer, matched by its ActionID.

pyst2's Manager matches answers by their order, never reconnects and may wait for ever; it stays unused.
"""
from __future__ import annotations

import itertools
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ADDRESS = ("127.0.0.1", 5038)
TIMEOUT_S = 5.0
LONGEST_LINE = 65536

Message = dict[str, str]


class AmiError(Exception):
    """Asterisk cannot be asked, or said no; the text says which."""


class Ami:
    """A logged-in connection; connects at the first question and again after a break.

    Not for several threads at once.
    """

    def __init__(self, user: str, secret: str, address: tuple[str, int] = ADDRESS,
                 timeout_s: float = TIMEOUT_S) -> None:
        self._user, self._secret, self._address, self._timeout_s = user, secret, address, timeout_s
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket:
            self._file.close()
            self._socket.close()
            self._socket = None

    def ask(self, action: str, **fields: str) -> Message:
        """The answer to one action. Raises AmiError when it is refused or none comes within timeout_s."""
        return self.ask_list(action, "", **fields)[0]

    def ask_list(self, action: str, last_event: str, **fields: str) -> list[Message]:
        """The answer and the events that belong to it, up to (and without) last_event."""
        try:
            if self._socket is None:
                self._connect()
            return self._exchange(action, last_event, fields)
        except (OSError, EOFError) as broken:
            self.close()
            raise AmiError(f"Asterisk does not answer on {self._address[0]}:{self._address[1]} ({broken})") from broken

    def live_linkedids(self) -> set[str]:
        """The linkedids of every call Asterisk has now."""
        found = self.ask_list("CoreShowChannels", "CoreShowChannelsComplete")
        live = {message.get("Linkedid", "") for message in found if message.get("Event") == "CoreShowChannel"}
        if "" in live:      # guessing would end a call that lives
            raise AmiError("Asterisk names a channel without its call")
        return live

    def put(self, family: str, key: str, value: str) -> None:
        """Keeps a value in Asterisk's own database, where the dialplan finds it while we are dead."""
        self.ask("DBPut", Family=family, Key=key, Val=value)

    def delete(self, family: str, key: str) -> None:
        """Removes a value; one that is not there is removed already."""
        try:
            self.ask("DBDel", Family=family, Key=key)
        except AmiError:
            if self._socket is None:      # the connection broke: that is no answer
                raise

    def get(self, family: str, key: str) -> str | None:
        """A value of Asterisk's own database, None when it is not there."""
        try:
            found = self.ask_list("DBGet", "DBGetComplete", Family=family, Key=key)
        except AmiError:
            if self._socket is None:
                raise
            return None
        return next((message["Val"] for message in found if "Val" in message), None)

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, self._timeout_s)
        self._file = self._socket.makefile("rb")
        if not self._file.readline(LONGEST_LINE).startswith(b"Asterisk Call Manager"):
            raise EOFError("what answers is not Asterisk")
        try:
            self._exchange("Login", "", {"Username": self._user, "Secret": self._secret, "Events": "off"})
        except AmiError:
            self.close()     # not logged in: the next question must not be asked here
            raise

    def _exchange(self, action: str, last_event: str, fields: dict[str, str]) -> list[Message]:
        assert self._socket
        number = str(next(self._numbers))
        lines = [f"Action: {action}", f"ActionID: {number}", *(f"{key}: {_line(text)}" for key, text in fields.items())]
        until = time.monotonic() + self._timeout_s
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        found: list[Message] = []
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")       # also when events keep coming
            self._socket.settimeout(left)
            message = self._message()
            if message.get("ActionID") != number:
                continue          # a late answer to a question already given up, or an event
            if not found and message.get("Response") == "Error":
                raise AmiError(f"Asterisk refused {action}: {message.get('Message', 'no reason given')}")
            if found and message.get("Event") == last_event:
                return found
            found.append(message)
            if not last_event:
                return found

    def _message(self) -> Message:
        message: Message = {}
        while True:
            raw = self._file.readline(LONGEST_LINE)
            if not raw.endswith(b"\n"):
                raise EOFError("the connection was closed")
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                return message
            key, separator, value = line.partition(":")
            if separator:
                message[key] = value.strip()


def _line(text: str) -> str:
    """A header value that cannot become a second header."""
    return "".join(c if c.isprintable() else " " for c in text)


def from_secret(file: Path, user: str = "deskbell") -> Ami:
    """The daemons' own connection. Raises AmiError when provision has not made the secret."""
    try:
        return Ami(user, file.read_text().strip())
    except OSError as missing:
        raise AmiError(f"{file} cannot be read ({missing.strerror}); run `deskbell provision` as root") from missing
