"""Losses over the steps as a picture of lines: SVG that the server draws, without a library."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 800, 300
LEFT, RIGHT, TOP, BOTTOM = 84, 40, 12, 36  # margins
MOST_RUNS, MOST_POINTS, TICKS = 10, 2400, 5  # points of all lines together
FLAT = 0.05  # decades above and below a loss that doesn't change
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """The points of a run, by the step; `number` is its colour, `kind` train or validation."""

    number: int
    kind: str
    points: list[Point]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it stands, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Picture:
    """What a template needs to draw: paths in pixels, ticks of both axes, and the scale in words."""

    paths: list[tuple[int, str, str]]  # number, kind, what stands in `d`
    across: list[Tick]
    up: list[Tick]
    scale: str
    names: list[str]

    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


def lines_of(curve: Mapping[str, Any]) -> list[Line]:
    """The lines of a stored curve, {"step": [...], "runs": [{"loss": [...], "validation": [...]}]}.

    >>> lines_of({"step": [0, 20], "runs": [{"loss": [4.0, None]}]})
    [Line(number=0, kind='train', points=[(0, 4.0)])]
    """
    lines = []
    for number, run in enumerate(curve.get("runs", [])[:MOST_RUNS]):
        for kind, name in (("train", "loss"), ("validation", "validation")):
            values = run.get(name) or []
            points = list(_finite(zip(curve.get("step", []), values, strict=False)))
            if points:
                lines.append(Line(number, kind, points))
    return lines


def picture(lines: Sequence[Line], names: Sequence[str] = (), steps: int = 0) -> Picture | None:
    """The lines as they are drawn, None where there is nothing to draw; the axis goes to `steps` at least.

    Losses stand on a logarithmic scale where all are above 0.

    >>> drawn = picture([Line(0, "train", [(0, 100.0), (20, 1.0)])])
    >>> drawn.scale, [tick.text for tick in drawn.up]
    ('logarithmic', ['1', '10', '100'])
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return None
    logarithmic = all(value > 0 for _, value in points)
    heights = [math.log10(value) if logarithmic else value for _, value in points]
    low, high = _widened(min(heights), max(heights))
    first, last = min(step for step, _ in points), max(steps, *(step for step, _ in points), 1)

    def place(point: Point) -> Point:
        height = math.log10(point[1]) if logarithmic else point[1]
        x = LEFT + (point[0] - first) / max(last - first, 1) * (WIDTH - LEFT - RIGHT)
        return x, TOP + (high - height) / (high - low) * (HEIGHT - TOP - BOTTOM)

    paths = [
        (line.number, line.kind, _path(map(place, thinned(line.points, MOST_POINTS // len(lines)))))
        for line in lines
    ]
    up = _decades(low, high) if logarithmic else [(value, _text(value)) for value in _round(low, high)]
    across = [Tick(place((step, 10.0**low if logarithmic else low))[0], f"{step:,.0f}")
              for step in _round(first, last) if step == int(step)]  # fmt: skip
    ticks = [
        Tick(place((first, 10.0**height if logarithmic else height))[1], text)
        for height, text in up
    ]  # fmt: skip
    return Picture(paths, across, ticks, "logarithmic" if logarithmic else "linear", list(names))


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most about so many of the points: of each stretch its least and its greatest value.

    >>> thinned([(step, float(step % 2)) for step in range(1000)], most=4)
    [(0, 0.0), (1, 1.0), (500, 0.0), (501, 1.0)]
    """
    if len(points) <= most:
        return list(points)
    size = -(-len(points) * 2 // most)
    kept = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        ends = {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def _finite(points: Any) -> Iterator[Point]:
    for step, value in points:
        if isinstance(value, (int, float)) and math.isfinite(value):
            yield step, value


def _widened(low: float, high: float) -> tuple[float, float]:
    room = 0.03 * (high - low) or max(FLAT, FLAT * abs(high))
    return low - room, high + room


def _path(points: Any) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten, some of them where they are many, and numbers between where they are few."""
    whole = range(math.ceil(low), math.floor(high) + 1)
    if len(whole) > 2:
        return [(power, _power(power)) for power in whole[:: -(-len(whole) // (TICKS + 1))]]
    between = [power + math.log10(n) for power in range(math.floor(low), math.ceil(high)) for n in (1, 2, 5)]
    between = [height for height in between if low <= height <= high]
    if len(between) < 2:
        return [(math.log10(value), _text(value)) for value in _round(10**low, 10**high) if value > 0]
    return [(height, _text(10**height)) for height in between]


def _round(low: float, high: float) -> list[float]:
    """A few round numbers between."""
    raw = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    apart = next((n * power for n in (1, 2, 5) if n * power >= raw), 10 * power)
    return [n * apart for n in range(math.ceil(low / apart), math.floor(high / apart) + 1)]


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -4 < power < 5 else f"1e{power}"


def _text(value: float) -> str:
    return f"{value:.4g}"
