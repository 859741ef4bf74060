"""The picture of a sweep: loss curves, the objective against each field that varied, all fields at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from ..console.fit import number
from ..folder.atomic import replace
from ..folder.ranking import PLACE, Objective, Row

MOST_PANELS, ACROSS = 12, 3
WIDTH, HEIGHT = 4.2, 3.2  # inches, of a panel
MOST_NAMES, LEVEL = 12, 30  # on an axis; characters of names that stand side by side
LEAST_ACROSS = 1.5  # panels that the curves have room for
MOST_DOTS, MOST_LINES = 20_000, 500  # the best runs, of more
BEST, OTHERS, AXIS = "#d1495b", "#3b6ea5", "#999999"
Values = list[Any]


def draw(ranked: Sequence[Row], objective: Objective, curves: Sequence[np.ndarray], file: Path) -> bool:
    """Draws the lines of a runs.csv and `curves` [2, S] of some of them, both the best first, as PNG.

    -> whether there was anything to draw: a curve, or a field that varied. Raises ModuleNotFoundError
    without matplotlib.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (an optional dependency, and slow)

    fields = varied(ranked)[:MOST_PANELS]
    parts = list(_parts(ranked[:MOST_DOTS][::-1], fields, objective.column, curves[::-1]))  # the best on top
    if not parts:
        return False
    heights = [part.height for part in parts]
    size = WIDTH * max(LEAST_ACROSS, _across(fields)), HEIGHT * sum(heights)
    figure = Figure(figsize=size, layout="constrained")
    places = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
    for place, part in zip(places, parts, strict=True):
        part.draw(place)
    replace(file, lambda draft: figure.savefig(draft, format="png", dpi=120))
    return True


@dataclass(frozen=True)
class Strip:
    """A strip of the picture, `height` panels high."""

    height: int
    draw: Callable[[Any], None]


def _parts(
    lines: Sequence[Row], fields: Sequence[str], column: str, curves: Sequence[np.ndarray]
) -> Iterator[Strip]:
    if curves:
        yield Strip(1, lambda part: _curves(part.subplots(), curves, _best(lines)))
    if fields:
        down, across = math.ceil(len(fields) / ACROSS), _across(fields)
        yield Strip(down, lambda part: _panels(_grid(part, down, across), lines, fields, column))
    if len(fields) > 2:
        yield Strip(1, lambda part: _parallel(part.subplots(), lines[-MOST_LINES:], [*fields, column]))


def _best(lines: Sequence[Row]) -> str:
    return f"best: run {lines[-1]['index']}"


def _across(fields: Sequence[str]) -> int:
    return min(ACROSS, len(fields))


def _grid(part: Any, down: int, across: int) -> Sequence[Any]:
    return part.subplots(down, across, squeeze=False, sharey=True).ravel()


def varied(lines: Sequence[Row]) -> list[str]:
    """The fields whose values differ between the lines."""
    columns = list(lines[0]) if lines else []
    fields = columns[: columns.index("outcome")] if lines else []
    return [name for name in fields if name not in PLACE and len({line[name] for line in lines}) > 1]


def is_log(values: Values) -> bool:
    """Numbers above 0 of several magnitudes, the middle one nearer to the geometric mean of the ends."""
    if not all(_is_number(value) and value > 0 for value in values):
        return False
    low, middle, high = min(values), sorted(values)[len(values) // 2], max(values)
    return high > 10 * low and middle - math.sqrt(low * high) < (low + high) / 2 - middle


def is_wide(losses: Values) -> bool:
    """Losses above 0 of three magnitudes or more, whose small ones a plain axis would not tell apart."""
    return 0 < 100 * min(losses) < max(losses)


def places(values: Values, runs: Sequence[int]) -> tuple[list[float], list[str]]:
    """Where the value of each of the `runs` stands; and of values that are not all numbers, their names.

    Those that are numbers come first, then the others in the order of the runs, which is the one that they
    were given in, and null last.
    """
    if all(map(_is_number, values)):
        return values, []
    given = dict.fromkeys(value for _, value in sorted(zip(runs, values, strict=True), key=itemgetter(0)))
    found = sorted(given, key=lambda v: (0, v) if _is_number(v) else (2 if v is None else 1, 0.0))
    return [found.index(value) for value in values], [_text(value) for value in found]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return "null" if value is None else number(value)


def _curves(axes: Any, curves: Sequence[np.ndarray], best: str) -> None:
    """The recorded training losses over the steps."""
    alpha = min(0.6, 0.2 + 4 / len(curves))
    for curve in curves[:-1]:
        axes.plot(*curve, color=OTHERS, linewidth=0.7, alpha=alpha, marker=_marker(curve))
    axes.plot(*curves[-1], color=BEST, linewidth=2, label=best, marker=_marker(curves[-1]))
    axes.legend(loc="upper right")
    axes.set_xlabel("step")
    axes.set_ylabel("loss.train")
    axes.spines[["top", "right"]].set_visible(False)
    losses = [loss for curve in curves for loss in curve[1].tolist() if loss > 0]
    if losses and is_wide(losses):
        axes.set_yscale("log", nonpositive="mask")


def _marker(curve: np.ndarray) -> str:
    """A point alone has no line."""
    return "." if curve.shape[1] == 1 else ""


def _panels(panels: Sequence[Any], lines: Sequence[Row], fields: Sequence[str], loss: str) -> None:
    """The loss of each run against each field."""
    losses = [line[loss] for line in lines]
    for axes, field in zip(panels, fields, strict=False):
        _panel(axes, *_places(lines, field), losses)
        axes.set_xlabel(field)
    for axes in panels[::ACROSS]:
        axes.set_ylabel(loss)
    for axes in panels[len(fields) :]:
        axes.set_visible(False)
    if is_wide(losses):
        panels[0].set_yscale("log")
    panels[0].legend(panels[0].collections[-1:], [_best(lines)])


def _places(lines: Sequence[Row], column: str) -> tuple[list[float], list[str]]:
    return places([line[column] for line in lines], [line["index"] for line in lines])


def _panel(axes: Any, at: list[float], names: Sequence[str], losses: list[float]) -> None:
    axes.scatter(at, losses, s=10, color=OTHERS, alpha=0.6, linewidths=0)
    axes.scatter(at[-1:], losses[-1:], s=36, color=BEST)
    axes.spines[["top", "right"]].set_visible(False)
    if names:
        _label(axes, names)
    elif is_log(at):
        axes.set_xscale("log")
    elif all(isinstance(value, int) for value in at):
        axes.xaxis.get_major_locator().set_params(integer=True)


def _label(axes: Any, names: Sequence[str]) -> None:
    """As many names as can be read, slanting where they are long."""
    every = -(-len(names) // MOST_NAMES)
    axes.set_xticks(range(0, len(names), every), names[::every])
    if sum(map(len, names)) > LEVEL:
        axes.tick_params(axis="x", rotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")


def _parallel(axes: Any, lines: Sequence[Row], columns: Sequence[str]) -> None:
    """A line a run through its place in each column, the loss at the right."""
    found = [_places(lines, column) for column in columns]
    logs = [*(not names and is_log(at) for at, names in found[:-1]), is_wide(found[-1][0])]
    shares = list(zip(*(_shares(at, log) for (at, _), log in zip(found, logs, strict=True)), strict=True))
    for each in shares[:-1]:
        axes.plot(each, color=OTHERS, linewidth=0.7, alpha=0.4)
    axes.plot(shares[-1], color=BEST, linewidth=2)
    for x, (at, names) in enumerate(found):
        foot, head = (names[0], names[-1]) if names else (number(min(at)), number(max(at)))
        axes.axvline(x, color=AXIS, linewidth=0.8)
        axes.text(x, -0.04, foot, ha="center", va="top", fontsize=7)
        axes.text(x, 1.04, head, ha="center", va="bottom", fontsize=7)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(axis="x", length=0, pad=12)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _shares(at: list[float], log: bool) -> list[float]:
    """0 for the first place of an axis, 1 for its last."""
    at = [math.log(each) for each in at] if log else at
    low, high = min(at), max(at)
    return [(each - low) / ((high - low) or 1) for each in at]
