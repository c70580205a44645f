"""Asterisk's manager interface at wire level, for tests: a script on a free port."""
from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from io import BufferedReader

Request = dict[str, str]
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
LOGIN_OK = "Response: Success\r\nActionID: {id}\r\nMessage: Authentication accepted\r\n\r\n"


class Asterisk:
    """Answers each request with what `script` says to it: "{id}" is its ActionID, None hangs up.

    A login that the script says nothing to is accepted.
    """

    def __init__(self, script: Callable[[Request], str | None], banner: bytes = BANNER,
                 address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.heard: list[Request] = []
        self.connections = 0
        self._script, self._banner = script, banner
        self._listener = socket.create_server(address)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with line, contextlib.suppress(ConnectionError):       # a client may leave in the middle
                self._talk(line)

    def _talk(self, line: socket.socket) -> None:
        line.sendall(self._banner)
        reader = line.makefile("rb")
        while request := self._request(reader):
            self.heard.append(request)
            answer = self._script(request)
            if request["Action"] == "Login":
                answer = answer or LOGIN_OK
            if answer is None:
                break
            line.sendall(answer.replace("{id}", request["ActionID"]).encode("utf-8", "surrogateescape"))
        reader.close()

    def _request(self, reader: BufferedReader) -> Request:
        found: Request = {}
        while True:
            raw = reader.readline()
            if not raw.strip():
                return found
            key, _, value = raw.decode().rstrip("\r\n").partition(": ")
            found[key] = value

    def asked(self) -> list[str]:
        return [request["Action"] for request in self.heard]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
