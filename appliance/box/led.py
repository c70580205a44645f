"""The box's own LED says how it stands: the clock leaves a word, this writes the kernel's blinking, as root.

`python3 -P -m appliance.box.led` is what deskbell-led.service runs; image/INSTALL.md has the patterns for people.
"""
from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance.box import codes
from appliance.box.codes import Weight

WORD = "led"                                # a file of /run/deskbell with the name of a Weight
LEDS = Path("/sys/class/leds")
NAMES = ("act", "led0", "green:act")        # ACT of a Raspberry Pi, by kernel
PATTERNS = {                                # milliseconds lit and dark, over and over
    Weight.WELL: (60, 2940),                # a blink every three seconds
    Weight.SEE_TO: (1000, 1000),            # slowly on and off
    Weight.TEXTS: (2700, 300),              # lit, with a gap
    Weight.CALLS: (100, 100),               # hurried
}


def leave(run: Path, findings: Sequence[str]) -> None:
    """Leaves the word for what suffers most in run/led, when it is another one than before."""
    word = codes.worst(findings).name
    with contextlib.suppress(OSError):      # a demo, a test: no such folder, no LED
        if not (run / WORD).exists() or (run / WORD).read_text() != word:
            (run / WORD).write_text(word)


def show(word: str, leds: Path = LEDS) -> str:
    """Sets the LED to blink by that word; a sentence says what was done. A machine without one is left alone."""
    if word not in Weight.__members__:
        return f"{word[:20]!r} is no word for the LED. It blinks as before."
    found = sorted(led for led in leds.iterdir() if led.name.lower() in NAMES) if leds.is_dir() else []
    if not found:
        return "This machine has no LED of that kind."
    if "timer" not in (found[0] / "trigger").read_text():
        return "This kernel cannot blink the LED (it lacks ledtrig-timer). Everything else works."
    lit_ms, dark_ms = PATTERNS[Weight[word]]
    (found[0] / "trigger").write_text("timer")        # the two files below come with it
    (found[0] / "delay_on").write_text(str(lit_ms))
    (found[0] / "delay_off").write_text(str(dark_ms))
    return f"The LED says {word.lower()}."


def main() -> int:
    try:
        print(show(Path("/run/deskbell", WORD).read_text()))
    except OSError as refused:
        print(f"The LED cannot be set ({refused}). Everything else works.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
