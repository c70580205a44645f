"""Opus by opus-tools: what a recording is kept as, and the way back for a browser that cannot play it.

The settings are measured (tests/bench/bench_opus.py): low complexity, the narrow band that a telephone has, frames
of 60 ms. Below 24 kbit/s the encoder begins to mix the two sides; at 32 they stay apart with a margin.
"""
from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

NARROW_BAND = "4004=1101"        # OPUS_SET_MAX_BANDWIDTH(OPUS_BANDWIDTH_NARROWBAND), opus_defines.h
ENCODE = ("opusenc", "--quiet", "--bitrate", "32", "--comp", "0", "--speech", "--framesize", "60",
          "--set-ctl-int", NARROW_BAND, "--discard-comments", "--padding", "0", "-")
DECODE = ("opusdec", "--quiet", "--rate", "8000", "--no-dither", "--force-stereo", "-", "-")
IDLE = ("ionice", "-t", "-c", "3", "nice", "-n", "19")
RATE = 48_000                    # granule positions count this rate whatever went in (RFC 7845, 4)
PAGE = b"OggS"
TAIL_BYTES = 128 * 1024          # a page is at most 65,307 bytes (RFC 3533, 6)
SLACK_MS = 120                   # two frames
POLL_S = 0.25


class OpusError(Exception):
    """The tool refused or what it made is not whole; the text says so."""


def encode(wav: BinaryIO, into: Path, duration_ms: int, breathe: Callable[[subprocess.Popen[bytes]], None]) -> None:
    """Makes `into` from a WAV, idle in processor and disk; `breathe` is called with the tool every quarter second.

    Raises OpusError unless the file is whole: a tool that met a full disk may say that all went well.
    """
    tool = subprocess.Popen([*IDLE, *ENCODE, str(into)], stdin=wav, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
    try:
        while tool.poll() is None:
            breathe(tool)
            try:
                tool.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if tool.poll() is None:
            tool.kill()
        _, said = tool.communicate()
    if tool.returncode != 0:
        raise OpusError(f"opusenc gave up ({tool.returncode}): {said.decode(errors='replace').strip()[-200:]}")
    with open(into, "rb") as made:
        found_ms = length_ms(made)
    if found_ms is None or abs(found_ms - duration_ms) > SLACK_MS:
        raise OpusError(f"{found_ms} ms came of {duration_ms} ms")


def length_ms(opus: BinaryIO) -> int | None:
    """How long an Ogg Opus file plays, by its last page; None when it is not one or has no end (RFC 7845, 4)."""
    opus.seek(0)
    head = opus.read(64)
    if not head.startswith(PAGE) or (at := head.find(b"OpusHead")) < 0 or len(head) < at + 12:
        return None
    skipped = int(struct.unpack_from("<H", head, at + 10)[0])
    size = opus.seek(0, os.SEEK_END)
    opus.seek(max(0, size - TAIL_BYTES))
    tail = opus.read()
    last = tail.rfind(PAGE)
    if last < 0 or len(tail) < last + 27 or not tail[last + 5] & 4:      # 4: the last page of the stream
        return None
    lacing = tail[last + 27:last + 27 + tail[last + 26]]
    if last + 27 + tail[last + 26] + sum(lacing) != len(tail):           # its end is missing (RFC 3533, 6)
        return None
    return max(0, int(struct.unpack_from("<q", tail, last + 6)[0]) - skipped) * 1000 // RATE


def decode(opus: BinaryIO, into: BinaryIO) -> None:
    """Writes the sound of an Opus file as 16-bit stereo at 8 kHz. Raises OpusError when it cannot be played."""
    tool = subprocess.run(DECODE, stdin=opus, stdout=into, stderr=subprocess.PIPE, check=False)
    if tool.returncode != 0:
        raise OpusError(f"opusdec gave up ({tool.returncode}): {tool.stderr.decode(errors='replace').strip()[-200:]}")
