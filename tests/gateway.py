"""Something on this machine that answers OPTIONS as an FXO gateway does."""
from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def answering(reply: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Its UDP port on loopback, and what it was asked so far; each question gets `reply`."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.1)
        over = threading.Event()

        def answer() -> None:
            while not over.is_set():
                try:
                    asked, who = line.recvfrom(4096)
                except TimeoutError:
                    continue
                heard.append(asked)
                line.sendto(reply, who)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield line.getsockname()[1], heard
        finally:
            over.set()
            thread.join()
