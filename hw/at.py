"""Our AT engine: one thread owns the port, commands wait in line, what the modem says unasked is sorted out."""
from __future__ import annotations

import contextlib
import errno
import os
import queue
import re
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NoReturn

import serial

from hw import cms, rings
from hw.pdu import Pdu

COMMAND_TIMEOUT_S = 5.0
PROMPT_TIMEOUT_S = 5.0
RESYNC_TIMEOUT_S = 1.0
RESYNC_TRIES = 3
WRITE_TIMEOUT_S = 2.0
LONGEST_LINE = 2048
UNASKED = (*rings.NAMES, "+CDS", "+CDSI", "+CMTI", "+CMT", "+CREG", "+CEREG", "+CUSD")
TWO_LINES = ("+CDS", "+CMT")
OPENING = {
    errno.ENOENT: "no modem there.", errno.EACCES: "this program may not open the port.",
    errno.EAGAIN: "another program has the modem.", errno.EBUSY: "another program has the modem.",
}
HEX = re.compile("[0-9A-Fa-f]{4,}")
ERROR = re.compile(r"\+(CME|CMS) ERROR: *(\d+)|ERROR|COMMAND NOT SUPPORT")


class GsmError(Exception):
    """A modem did not do what was asked; the text names its port."""

    def __init__(self, port: str, words: str) -> None:
        super().__init__(f"{port}: {words}")
        self.port, self.words = port, words


class GsmRejected(GsmError):
    """A definite no: nothing was sent. cms_code: of a +CMS ERROR; mobile_code: of a +CME ERROR; None: not given."""

    def __init__(self, port: str, words: str, cms_code: int | None = None, mobile_code: int | None = None,
                 is_passing: bool = True) -> None:
        super().__init__(port, words)
        self.cms_code, self.mobile_code, self.is_passing = cms_code, mobile_code, is_passing


class GsmSilent(GsmRejected):
    """No answer to a command in its time; the modem was resynced and answers again. Nothing was sent."""


class GsmUnknown(GsmError):
    """The network may have taken the text, nobody can say. cms_code when the modem itself was unsure, else None."""

    def __init__(self, port: str, words: str, cms_code: int | None = None) -> None:
        super().__init__(port, words)
        self.cms_code = cms_code


class GsmGone(GsmError):
    """The port is not there, somebody else's, or mute: nothing was sent; close and open again."""


@dataclass(frozen=True)
class Unasked:
    """A line the modem said of itself: `name` without colon, what follows it, and the PDU below +CDS and +CMT.

    `at` is when it came, in monotonic seconds.
    """

    name: str
    rest: str
    pdu: str | None = None
    at: float = field(default_factory=time.monotonic)


class _Closed(Exception):
    pass


class AtEngine:
    """A modem's port from open() to close(). Its verbs may be called from any thread; they take turns.

    While one waits it calls meanwhile() twice a second.
    """

    def __init__(self, port: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.port, self._meanwhile = port, meanwhile
        self.unasked: queue.SimpleQueue[Unasked] = queue.SimpleQueue()
        self.rings: queue.SimpleQueue[Unasked] = queue.SimpleQueue()  # of rings.NAMES, apart: they do not wait
        self._jobs: queue.SimpleQueue[tuple[Callable[[], object], Future[object]] | None] = queue.SimpleQueue()
        self._serial: serial.Serial | None = None
        self._gone: str | None = "the port is not open."
        self._wake_r = self._wake_w = -1
        self._buffer = b""
        self._sent = ""  # the command in flight, "" when none
        self._lines: list[str] = []
        self._header: Unasked | None = None  # a +CDS or +CMT whose PDU is still to come
        self._open_quote = ""  # a +CUSD whose text has more lines
        self._stray_ok = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._own, name=f"at {port}", daemon=True)

    def open(self) -> None:
        """Takes the port for us alone. Raises GsmGone when it is missing or taken."""
        try:
            self._serial = serial.Serial(self.port, 115200, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True)
        except (serial.SerialException, OSError) as missing:
            why = OPENING.get(missing.errno or 0, f"no modem there ({os.strerror(missing.errno or errno.EIO)}).")
            raise GsmGone(self.port, why) from missing
        self._wake_r, self._wake_w = os.pipe()
        self._gone = None
        self._thread.start()

    def close(self) -> None:
        """Lets the port go; a command in flight ends with GsmGone, a text in flight with GsmUnknown."""
        if self._serial is None:
            return
        self._closing.set()
        self._wake()
        self._thread.join(WRITE_TIMEOUT_S + 1)
        with contextlib.suppress(OSError):  # the port went first
            self._serial.close()
        os.close(self._wake_r)
        os.close(self._wake_w)
        self._serial = None

    @property
    def is_alive(self) -> bool:
        """False once the port vanished."""
        return self._gone is None and self._thread.is_alive()

    def command(self, text: str, timeout_s: float = COMMAND_TIMEOUT_S) -> list[str]:
        """The lines before OK. Raises GsmRejected for an error or no answer, GsmGone for a dead port."""
        return self._wait(self._queue(lambda: self._command(text, timeout_s)))

    def submit(self, pdu: Pdu, timeout_s: float) -> int:
        """TP-MR of a segment the network took (3GPP TS 27.005 §4.3, +CMGS).

        Raises GsmRejected and GsmGone when the network has not got it, GsmUnknown when it may have.
        """
        return self._wait(self._queue(lambda: self._submit(pdu, timeout_s)))

    def resync(self, tries: int = RESYNC_TRIES, timeout_s: float = RESYNC_TIMEOUT_S) -> None:
        """Frees a modem that waits for a text and drops what it was saying. Raises GsmGone when it stays mute."""
        self._wait(self._queue(lambda: self._resync(tries, timeout_s)))

    def _queue[T](self, act: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        if self._gone is not None:
            raise GsmGone(self.port, self._gone)
        self._jobs.put((act, future))  # type: ignore[arg-type]
        self._wake()
        return future

    def _wait[T](self, future: Future[T]) -> T:
        while True:
            try:
                return future.result(0.5)
            except TimeoutError:
                if not self._thread.is_alive() and not future.done():
                    raise GsmGone(self.port, self._gone or "the port is closed.") from None
                self._meanwhile()

    def _wake(self) -> None:
        os.write(self._wake_w, b"!")

    # the owner's thread

    def _own(self) -> None:
        try:
            while True:
                try:
                    act, future = self._jobs.get_nowait() or (None, None)
                except queue.Empty:
                    self._receive(None)
                    continue
                if act is not None and future is not None:
                    self._do(act, future)
        except (_Closed, GsmGone) as end:
            self._gone = self._gone or (end.words if isinstance(end, GsmGone) else "the port is closed.")
        while not self._jobs.empty():
            if left := self._jobs.get():
                left[1].set_exception(GsmGone(self.port, self._gone))

    def _do(self, act: Callable[[], object], future: Future[object]) -> None:
        try:
            future.set_result(act())
        except GsmGone as gone:
            future.set_exception(gone)
            raise
        except _Closed:
            future.set_exception(GsmGone(self.port, "the port is closed."))
            raise
        except GsmError as refused:
            future.set_exception(refused)
        finally:
            self._sent = ""

    def _command(self, text: str, timeout_s: float) -> list[str]:
        self._say(text, text + "\r")
        final = self._final(time.monotonic() + timeout_s)
        if final is None:
            self._resync()
            raise GsmSilent(self.port, f"no answer to {text.split('=')[0]}.")
        if final != "OK":
            self._refuse(final)
        return self._lines

    def _submit(self, pdu: Pdu, timeout_s: float) -> int:
        self._say("AT+CMGS", f"AT+CMGS={pdu.length}\r")
        until = time.monotonic() + PROMPT_TIMEOUT_S
        while not self._prompt():
            if self._lines and (ERROR.match(self._lines[-1])):
                self._refuse(self._lines[-1])
            if not self._receive(until):
                self._resync()
                raise GsmRejected(self.port, "the modem did not ask for the text.")
        self._lines = []
        try:
            self._write(pdu.hex + "\x1a")
            return self._accepted(time.monotonic() + timeout_s)
        except (GsmGone, _Closed) as end:
            self._gone = end.words if isinstance(end, GsmGone) else "the port is closed."
            raise GsmUnknown(self.port, "the modem went away while it was sending.") from end

    def _accepted(self, until: float) -> int:
        while True:
            final = self._final(until)
            for line in self._lines:
                if answer := re.match(r"\+CMGS: *(\d{1,3})\b", line):
                    return int(answer[1]) % 256
            if final is None:
                try:
                    self._resync()
                except GsmGone as mute:
                    self._gone = mute.words
                raise GsmUnknown(self.port, "the modem did not say whether the network took the text.")
            if final != "OK":
                self._unsure_or_refused(final)

    def _unsure_or_refused(self, final: str) -> NoReturn:
        error = ERROR.match(final)
        if error is None or error[1] != "CMS":
            raise GsmUnknown(self.port, f"the modem only said {final}.")
        code = int(error[2])
        outcome = cms.outcome(code)
        if outcome is cms.Outcome.UNSURE:
            raise GsmUnknown(self.port, f"{cms.words(code)}.", code)
        raise GsmRejected(self.port, f"{cms.words(code)}.", code, is_passing=outcome is cms.Outcome.PASSING)

    def _refuse(self, final: str) -> NoReturn:
        error = ERROR.match(final)
        code = int(error[2]) if error is not None and error[2] else None
        if error is not None and error[1] == "CMS" and code is not None:
            is_passing = cms.outcome(code) is not cms.Outcome.PERMANENT
            raise GsmRejected(self.port, f"{cms.words(code)}.", code, is_passing=is_passing)
        raise GsmRejected(self.port, f"the modem said {final}.", mobile_code=code)

    def _resync(self, tries: int = RESYNC_TRIES, timeout_s: float = RESYNC_TIMEOUT_S) -> None:
        for _ in range(tries):
            self._say("AT", "\x1b\rAT\r")
            until = time.monotonic() + timeout_s
            while self._receive(until):
                if "OK" in self._lines:  # an ERROR before it was for the ESC
                    self._receive(time.monotonic() + 0.02)  # a modem freed from its prompt says OK twice
                    self._lines = []
                    return
        raise GsmGone(self.port, "the modem does not answer.")

    def _final(self, until: float) -> str | None:
        """OK or the error that ends the command, taken off the lines; None when it never came."""
        while True:
            for place, line in enumerate(self._lines):
                if line == "OK" or ERROR.match(line):
                    self._lines = self._lines[:place]
                    return line
            if not self._receive(until):
                return None

    def _prompt(self) -> bool:
        if not self._buffer.lstrip(b"\r\n").startswith(b">") and ">" not in self._lines:  # in them: a RING followed
            return False
        self._buffer = b""
        return True

    def _say(self, name: str, text: str) -> None:
        self._sent, self._lines = name, []
        self._write(text)

    def _write(self, text: str) -> None:
        assert self._serial is not None
        try:
            self._serial.write(text.encode("ascii"))
        except (serial.SerialException, OSError) as gone:
            raise GsmGone(self.port, "the modem was unplugged or hangs.") from gone

    def _receive(self, until: float | None) -> bool:
        """Sorts what has come by `until` (monotonic; None: until a job comes). False when nothing has."""
        assert self._serial is not None
        wait_s = None if until is None else until - time.monotonic()
        if wait_s is not None and wait_s <= 0:
            return False
        try:
            ready, _, _ = select.select([self._serial.fileno(), self._wake_r], [], [], wait_s)
            if self._wake_r in ready:
                os.read(self._wake_r, 4096)
            if self._closing.is_set():
                raise _Closed
            if self._serial.fileno() in ready:
                self._sort(os.read(self._serial.fileno(), 4096))
        except OSError as gone:
            raise GsmGone(self.port, "the modem was unplugged.") from gone
        return bool(ready)

    def _sort(self, data: bytes) -> None:
        if not data:
            raise OSError("end of file")
        *lines, self._buffer = re.split(rb"[\r\n]+", self._buffer + data)
        self._buffer = self._buffer[-LONGEST_LINE:]
        for line in lines:
            if text := line.decode("ascii", "replace").strip():
                self._take(text)

    def _take(self, line: str) -> None:
        header, self._header = self._header, None
        if header is not None and HEX.fullmatch(line):
            self.unasked.put(Unasked(header.name, header.rest, line))
            return
        if self._open_quote and not (self._sent and (line == "OK" or ERROR.match(line))):
            line = f"{self._open_quote}\n{line}"
        self._open_quote = ""
        name, _, rest = line.partition(":")
        if name == "+CUSD" and line.count('"') % 2 and len(line) < LONGEST_LINE:
            self._open_quote = line
        elif name == "+CMGS" and self._sent != "AT+CMGS":  # the late answer of a text we gave up on
            self._stray_ok = True
        elif line == "OK" and self._stray_ok:
            self._stray_ok = False
        elif name in UNASKED and self._sent != f"AT{name}?":
            self._tell(Unasked(name, rest.strip()))
        elif self._sent and line != self._sent:
            self._lines.append(line)

    def _tell(self, told: Unasked) -> None:
        if told.name in TWO_LINES:
            self._header = told
        elif told.name in rings.NAMES:
            self.rings.put(told)
        else:
            self.unasked.put(told)
