"""What an hour of talk costs by how it is kept: processor seconds, megabytes, and whether the sides stay apart.

    python3 -m tests.bench.bench_opus [--seconds 120]

The talk is made up: vowels and hisses on one side at a time over a faint hiss of the line. Ours is marked with *.
"""
from __future__ import annotations

import argparse
import array
import math
import random
import resource
import subprocess
import tempfile
import time
import wave
from pathlib import Path

from appliance.calls import opus, peaks
from appliance.calls.recordings import wav_header
from tests.browser.sound import apart_db

RATE = 8000
LEFT_HZ, RIGHT_HZ = 440, 1000
HOUR_S = 3600
OURS = tuple(opus.ENCODE[2:-1])
WAYS: dict[str, tuple[str, ...]] = {
    "* 32 kbit/s, narrow, 60 ms": OURS,
    "  24 kbit/s, narrow, 60 ms": ("--bitrate", "24", *OURS[2:]),
    "  16 kbit/s, narrow, 60 ms": ("--bitrate", "16", *OURS[2:]),
    "  32 kbit/s, narrow, 20 ms": ("--bitrate", "32", "--comp", "0", "--speech", "--set-ctl-int", opus.NARROW_BAND),
    "  32 kbit/s, any band, 20 ms": ("--bitrate", "32", "--comp", "0", "--speech"),
    "  32 kbit/s, complexity 5": (*OURS, "--comp", "5"),
    "  24 kbit/s, as it comes": ("--bitrate", "24"),
    "  as it comes": (),
}


def voice(count: int, source: random.Random) -> list[int]:
    """So many samples of somebody talking."""
    made: list[int] = []
    while len(made) < count:
        length, kind = int(RATE * source.uniform(0.06, 0.2)), source.random()
        if kind < 0.6:
            pitch, first, second = source.uniform(90, 220), source.uniform(300, 800), source.uniform(900, 2300)
            period = int(RATE / pitch)
            parts = [(n, 1 / (1 + ((n * pitch - first) / 120) ** 2) + 0.5 / (1 + ((n * pitch - second) / 180) ** 2))
                     for n in range(1, int(3400 / pitch))]
            one = [sum(share * math.sin(2 * math.pi * n * place / period) for n, share in parts)
                   for place in range(period)]
            made += [max(-30000, min(30000, int(5000 * one[place % period] * math.sin(math.pi * place / length))))
                     for place in range(length)]
        else:
            loud = 1800 if kind < 0.8 else 25
            made += [int(source.gauss(0, loud)) for _ in range(length)]
    return made[:count]


def talk(seconds: int) -> array.array[int]:
    """Both sides, in turns of two to seven seconds."""
    source, sides, turn = random.Random(5), (array.array("h"), array.array("h")), 0
    while len(sides[0]) < seconds * RATE:
        count = source.randint(2, 7) * RATE
        sides[turn % 2].extend(voice(count, source))
        sides[1 - turn % 2].extend(int(source.gauss(0, 25)) for _ in range(count))
        turn += 1
    both = array.array("h", bytes(4 * len(sides[0])))
    both[0::2], both[1::2] = sides
    return both


def tones() -> array.array[int]:
    """Two seconds of each side's own tone."""
    both = array.array("h")
    for hertz, is_left in ((LEFT_HZ, True), (RIGHT_HZ, False)):
        for place in range(2 * RATE):
            level = int(8000 * math.sin(2 * math.pi * hertz * place / RATE))
            both.extend((level, 0) if is_left else (0, level))
    return both


def keep(samples: array.array[int], file: Path) -> Path:
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(samples.tobytes())
    return file


def cpu_s(*command: str) -> float:
    """Processor seconds of a command, the better of two runs."""
    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return min(once(), once())


def apart(folder: Path, ways: tuple[str, ...]) -> float:
    """By how many dB the weaker side's tone stays above the other's."""
    subprocess.run(["opusenc", "--quiet", *ways, str(folder / "tones.wav"), str(folder / "tones.opus")], check=True)
    raw = subprocess.run(["opusdec", "--quiet", "--rate", str(RATE), str(folder / "tones.opus"), "-"],
                         check=True, capture_output=True).stdout
    return min(apart_db(wav_header(len(raw)) + raw, LEFT_HZ, RIGHT_HZ))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    samples = talk(parser.parse_args().seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wav, hours = keep(samples, folder / "talk.wav"), len(samples) / 2 / RATE / HOUR_S
        keep(tones(), folder / "tones.wav")
        print(f"{'an hour of talk':34}{'encode s':>10}{'decode s':>10}{'MB':>8}{'apart dB':>10}")
        print(f"{'  WAV, as it was':34}{0:10.1f}{0:10.1f}{wav.stat().st_size / hours / 1e6:8.1f}")
        for label, command in (("  sox, WAV to FLAC", ("sox", str(wav), str(folder / "talk.flac"))),
                               ("  sox, WAV to ADPCM",
                                ("sox", str(wav), "-e", "ima-adpcm", str(folder / "talk.ad.wav")))):
            took = cpu_s(*command)
            print(f"{label:34}{took / hours:10.1f}{'':10}{Path(command[-1]).stat().st_size / hours / 1e6:8.1f}")
        for label, ways in WAYS.items():
            kept = folder / "talk.opus"
            took = cpu_s("opusenc", "--quiet", *ways, str(wav), str(kept))
            back = cpu_s("opusdec", "--quiet", "--rate", str(RATE), str(kept), str(folder / "back.raw"))
            print(f"{label:34}{took / hours:10.1f}{back / hours:10.1f}{kept.stat().st_size / hours / 1e6:8.1f}"
                  f"{apart(folder, ways):10.0f}", flush=True)
        began = time.process_time()
        with wav.open("rb") as sound:
            sound.seek(44)
            peaks.of(sound, len(samples) // 2)
        print(f"{'the picture (200 bars a side)':34}{(time.process_time() - began) / hours:10.2f}")


if __name__ == "__main__":
    main()
