"""Charts as shapes, drawn on the box: where each bar, line and square is. Templates write them as SVG."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.calls.stats import Bar

WIDTH, TOP, BASE, LEFT = 720, 12, 196, 40         # the plot lies between TOP and BASE, right of LEFT
SLOT_SHARE, WIDEST, GAP = 0.6, 44, 2
MOST_LABELS = 16
NICE = (1, 2, 5)
SQUARE_W, SQUARE_H, SQUARE_X, SQUARE_Y, SQUARE_STEP_X, SQUARE_STEP_Y = 23, 22, 46, 6, 25, 24
HEAT_WIDTH = 646
STEPS = 6
FRAMED_SHARE, FRAMED_FROM = 1 / 3, 3                # a frame where over a third of at least three was lost
SPARK_W, SPARK_H, SPARK_EDGE = 84, 28, 4


@dataclass(frozen=True)
class Stack:
    """One bar: answered at the bottom, then what ended otherwise, then lost. label stands on one or two lines below."""
    x: float
    width: float
    answered_y: float
    answered_h: float
    otherwise_y: float
    otherwise_h: float
    lost_y: float
    lost_h: float
    label: tuple[str, ...]

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True)
class Bars:
    grid: list[tuple[float, int]]        # height and what it stands for, from 0 up
    stacks: list[Stack]
    before: str                          # the path of the period before, "" without one
    base: int = BASE
    width: int = WIDTH
    left: int = LEFT


@dataclass(frozen=True)
class Square:
    x: int
    y: int
    step: int
    is_framed: bool


@dataclass(frozen=True)
class Spark:
    path: str
    x: float
    y: float


def bars(found: Sequence[Bar], labels: Sequence[tuple[str, ...]], before: Sequence[int] = (),
         every: int = 0) -> Bars:
    """Stacked bars; before: the calls of each bar of the period before, drawn as a dotted line.

    Each `every`th bar has its label; 0: as many as have room.
    """
    before = before[:len(found)]
    step, highest = scale(max([bar.calls for bar in found] + list(before) + [0]))
    slot = (WIDTH - LEFT) / max(len(found), 1)
    width = round(min(slot * SLOT_SHARE, WIDEST), 1)
    every = every or max(1, -(-len(found) // MOST_LABELS))
    stacks = [_stack(bar, round(LEFT + slot * (place + 0.5) - width / 2, 1), width, highest,
                     labels[place] if place % every == 0 else ()) for place, bar in enumerate(found)]
    points = [f"{stack.middle} {_y(calls, highest)}" for stack, calls in zip(stacks, before, strict=False)]
    return Bars([(_y(value, highest), value) for value in range(0, highest + 1, step)], stacks,
                "M" + " L".join(points) if len(points) > 1 else "")


def scale(most: int) -> tuple[int, int]:
    """The step between lines and the highest line, in whole calls: at most five lines above 0."""
    size = 1
    while True:
        for nice in NICE:
            step = nice * size
            if step * 4 >= most:
                return step, max(step, -(-most // step) * step)
        size *= 10


def heat(week: Sequence[Sequence[Bar]]) -> list[list[Square]]:
    """Seven rows of 24 squares: step 0 had no call, 5 is the busiest."""
    most = max((hour.calls for day in week for hour in day), default=0)
    return [[Square(SQUARE_X + SQUARE_STEP_X * hour, SQUARE_Y + SQUARE_STEP_Y * day,
                    -(-bar.calls * (STEPS - 1) // most) if most else 0,
                    bar.calls >= FRAMED_FROM and bar.lost > bar.calls * FRAMED_SHARE)
             for hour, bar in enumerate(row)] for day, row in enumerate(week)]


def spark(values: Sequence[float | None]) -> Spark | None:
    """A small line without scale from 0 up; None for fewer than two points. A time without a value is left out."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    most = max(value for _, value in known) or 1
    across, up = SPARK_W - 2 * SPARK_EDGE, SPARK_H - 2 * SPARK_EDGE
    points = [(round(SPARK_EDGE + across * place / (len(values) - 1), 1),
               round(SPARK_H - SPARK_EDGE - up * value / most, 1)) for place, value in known]
    return Spark("M" + " ".join(f"{x} {y}" for x, y in points), *points[-1])


def lengths(values: Sequence[int], longest: int = 90) -> list[int]:
    """How long the bar of each value is when the highest is `longest`; what is there is seen."""
    most = max(values, default=0)
    return [max(2, round(longest * value / most)) if value else 0 for value in values]


def _stack(bar: Bar, x: float, width: float, highest: int, label: tuple[str, ...]) -> Stack:
    """A little air between the parts, but only where a part is high enough to spare it."""
    answered, middle, top = (_y(count, highest) for count in (
        bar.answered, bar.answered + bar.otherwise, bar.calls))
    return Stack(x, width, answered, round(BASE - answered, 1),
                 middle, _airy(answered - middle, bar.answered), top, _airy(middle - top, bar.calls - bar.lost), label)


def _airy(height: float, below: int) -> float:
    return round(max(height - GAP, min(height, 1)), 1) if below else round(height, 1)


def _y(count: int, highest: int) -> float:
    return round(BASE - (BASE - TOP) * count / highest, 1)
