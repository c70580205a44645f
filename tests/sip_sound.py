"""The sound of a call: A-law tones that are said, heard and told apart."""
from __future__ import annotations

import contextlib
import math
import secrets
import socket
import threading
import time

PACKET_SAMPLES = 160            # 20 ms at 8 kHz
PACKET_S = 0.02
PCMA = 8                        # RTP payload type of A-law, RFC 3551
SILENCE = 0xD5
WINDOW_SAMPLES = 400            # whole waves of any tone that is a multiple of 20 Hz


def alaw(sample: int) -> int:
    """One 16-bit sample as an A-law byte (ITU-T G.711)."""
    mask, size = (0xD5, sample) if sample >= 0 else (0x55, -sample - 1)
    size >>= 3
    chord = max(0, size.bit_length() - 5)
    return ((chord << 4) | ((size >> max(1, chord)) & 0x0F)) ^ mask


def linear(byte: int) -> int:
    """The 16-bit sample an A-law byte stands for."""
    byte ^= 0x55
    chord, size = (byte & 0x70) >> 4, (byte & 0x0F) << 4
    size = size + 8 if chord == 0 else (size + 0x108) << (chord - 1)
    return size if byte & 0x80 else -size


def tone(hz: int) -> bytes:
    """One second of A-law, half as loud as can be; it joins to itself without a click."""
    return bytes(alaw(round(16000 * math.sin(2 * math.pi * hz * at / 8000))) for at in range(8000))


def share_of(samples: list[int], hz: int) -> float:
    """How much of the sound is this tone: about 1.0 for a pure one, 0.0 when it is not there.

    Measured in windows of 50 ms: a late packet on a busy machine shifts the tone, and it is the same tone still.
    """
    energy = sum(sample * sample for sample in samples)
    windows = range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)
    return sum(_power(samples[at:at + WINDOW_SAMPLES], hz) for at in windows) / energy if energy else 0.0


def _power(samples: list[int], hz: int) -> float:
    """The energy of one tone, by the Goertzel algorithm."""
    turn, one, two = 2 * math.cos(2 * math.pi * hz / 8000), 0.0, 0.0
    for sample in samples:
        one, two = sample + turn * one - two, one
    return 2 * (one * one + two * two - turn * one * two) / len(samples)


class Sound:
    """One end of an RTP stream: says a tone, keeps what it hears."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self.heard = bytearray()

    def start(self, towards: tuple[str, int], hz: int | None) -> None:
        """Speaks from a thread of its own until `stop`; silence when hz is None."""
        if self._thread is None:
            said = tone(hz) if hz else bytes([SILENCE]) * 8000
            self._thread = threading.Thread(target=self._run, args=(towards, said), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread is None:
            self._socket.close()

    def _run(self, towards: tuple[str, int], said: bytes) -> None:
        source, sequence, began = secrets.token_bytes(4), 0, time.monotonic()
        self._socket.setblocking(False)
        while not self._over.wait(max(0.0, began + sequence * PACKET_S - time.monotonic())):
            stamp = sequence * PACKET_SAMPLES
            head = bytes([0x80, PCMA | (0x80 if sequence == 0 else 0)]) + (sequence & 0xFFFF).to_bytes(2)
            cut = stamp % len(said)
            with contextlib.suppress(OSError):          # the other side has gone: its port is closed
                self._socket.sendto(head + stamp.to_bytes(4) + source + said[cut:cut + PACKET_SAMPLES], towards)
            sequence += 1
            self._listen()
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet = self._socket.recv(2048)
                if packet[1] & 0x7F == PCMA:
                    self.heard += packet[12:]
