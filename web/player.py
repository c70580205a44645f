"""What a player shows: the picture of the sound as two paths, the sources, whose voice is on which side."""
from __future__ import annotations

import math
from dataclasses import dataclass

from appliance.calls import peaks
from appliance.calls.library import Tape
from web.journey import Row, Teller

BAR = 5                          # a bar and the gap after it
ABOVE, BELOW, HIGHEST, LOWEST = 55, 57, 50, 1.5


@dataclass(frozen=True)
class Picture:
    """The bars of both sides as SVG path data; the caller's go up, the staff's go down."""
    width: int
    caller: str
    staff: str


@dataclass(frozen=True)
class Player:
    """The player of one recording. sources: (address, type), the browser takes the first it can play."""
    tape: Tape
    picture: Picture | None
    sources: tuple[tuple[str, str], ...]
    caller: str
    staff: str
    is_in: bool

    @property
    def seconds(self) -> int:
        return max(1, round(self.tape.duration_ms / 1000))

    @property
    def running(self) -> str:
        """4:20, or 1:02:03."""
        minutes, seconds = divmod(self.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def of(tape: Tape, row: Row, teller: Teller) -> Player:
    """The player of this recording, in the words of the reader."""
    address = f"/recording/{tape.call_id}"
    sources = ((f"{address}?as=wav", "audio/wav"),)
    if tape.is_opus:
        sources = ((f"{address}?as=opus", "audio/ogg; codecs=opus"), *sources)
    staff = teller.extension(row.call.extension) or teller.words("Your side")
    return Player(tape, picture(tape.peaks) if tape.peaks else None, sources, row.who, staff,
                  row.call.direction == "in")


def picture(bars: bytes) -> Picture:
    """The paths of a recording's peaks. Loudness as the ear has it: a tenth of the level is a third of the height."""
    caller, staff = peaks.sides(bars)
    return Picture(len(caller) * BAR,
                   "".join(f"M{place * BAR + 2.5:g} {ABOVE}v-{_height(level)}" for place, level in enumerate(caller)),
                   "".join(f"M{place * BAR + 2.5:g} {BELOW}v{_height(level)}" for place, level in enumerate(staff)))


def _height(level: int) -> str:
    return f"{max(LOWEST, math.sqrt(level / 255) * HIGHEST):.3g}"
