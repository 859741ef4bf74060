"""The picture of a sweep, strip below strip: loss curves, the objective by each field, all fields at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from ..folder.atomic import replace
from ..folder.digits import number
from ..folder.objective import Objective
from ..folder.ranking import PLACE, Row

MOST_PANELS, ACROSS = 12, 3
WIDTH, HEIGHT = 4.2, 3.2  # inches, of a panel
MOST_NAMES, LEVEL = 12, 30  # on an axis; characters of names that stand side by side
LEAST_ACROSS = 1.5  # panels that the curves have room for
MOST_DOTS, MOST_LINES = 20_000, 500  # the best runs, of more
BEST, OTHERS, AXIS = "#d1495b", "#3b6ea5", "#999999"
Values = list[Any]


def draw(ranked: Sequence[Row], objective: Objective, curves: Sequence[np.ndarray], file: Path) -> bool:
    """Draws the lines of a runs.csv and the `curves` [2, S] of some of them, both the best first, as PNG.

    A curve is S steps and the training losses there. -> whether there was anything to draw: a curve, or a
    field that varied. Raises ModuleNotFoundError without matplotlib.

    >>> draw([], Objective("loss.train"), [], Path("nothing.png"))
    False
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (an optional dependency, and slow)

    fields = varied(ranked)[:MOST_PANELS]
    worst_first = ranked[:MOST_DOTS][::-1], curves[::-1]  # so that the best is drawn on top
    strips = list(_strips(*worst_first, fields, objective.column))
    if not strips:
        return False
    heights = [strip.height for strip in strips]
    size = WIDTH * max(LEAST_ACROSS, _across(fields)), HEIGHT * sum(heights)
    figure = Figure(figsize=size, layout="constrained")
    subfigures = figure.subfigures(len(strips), 1, squeeze=False, height_ratios=heights)[:, 0]
    for subfigure, strip in zip(subfigures, strips, strict=True):
        strip.draw(subfigure)
    replace(file, lambda draft: figure.savefig(draft, format="png", dpi=120))
    return True


@dataclass(frozen=True)
class Strip:
    """A part of the picture, of its whole width: the `height` in panels, and what draws it in a subfigure."""

    height: int
    draw: Callable[[Any], None]


def _strips(
    lines: Sequence[Row], curves: Sequence[np.ndarray], fields: Sequence[str], column: str
) -> Iterator[Strip]:
    """The curves, a panel for each field, and of more than two fields all at once."""
    if curves:
        yield Strip(1, lambda subfigure: _curves(subfigure.subplots(), curves, _best(lines)))
    if fields:
        down, across = math.ceil(len(fields) / ACROSS), _across(fields)
        yield Strip(down, lambda subfigure: _panels(_grid(subfigure, down, across), lines, fields, column))
    if len(fields) > 2:
        columns = [*fields, column]
        yield Strip(1, lambda subfigure: _parallel(subfigure.subplots(), lines[-MOST_LINES:], columns))


def _best(lines: Sequence[Row]) -> str:
    return f"best: run {lines[-1]['index']}"


def _across(fields: Sequence[str]) -> int:
    return min(ACROSS, len(fields))


def _grid(subfigure: Any, down: int, across: int) -> Sequence[Any]:
    return subfigure.subplots(down, across, squeeze=False, sharey=True).ravel()


def varied(lines: Sequence[Row]) -> list[str]:
    """The fields whose values differ between the lines of a runs.csv.

    >>> lines = [{"index": i, "seed": 3, "optimizer.lr": 0.1 * i, "outcome": "finished"} for i in (1, 2)]
    >>> varied(lines)
    ['optimizer.lr']
    """
    columns = list(lines[0]) if lines else []
    fields = columns[: columns.index("outcome")] if lines else []
    return [name for name in fields if name not in PLACE and len({line[name] for line in lines}) > 1]


def is_log(values: Values) -> bool:
    """Whether an axis of these values is logarithmic.

    It is where all are numbers above 0, the greatest is over ten times the least, and the middle one is
    nearer to the geometric mean of these two than to their arithmetic mean.

    >>> is_log([0.001, 0.01, 0.1]), is_log([1, 2, 3])
    (True, False)
    """
    if not all(_is_number(value) and value > 0 for value in values):
        return False
    low, middle, high = min(values), sorted(values)[len(values) // 2], max(values)
    return high > 10 * low and middle - math.sqrt(low * high) < (low + high) / 2 - middle


def is_wide(losses: Values) -> bool:
    """Whether losses are above 0 and differ by over 100 times: a plain axis would not tell small ones apart.

    >>> is_wide([0.01, 5.0]), is_wide([1.0, 5.0])
    (True, False)
    """
    return 0 < 100 * min(losses) < max(losses)


def places(values: Values, runs: Sequence[int]) -> tuple[list[float], list[str]]:
    """The places of the `values` of these `runs` on an axis; and the names there, unless all are numbers.

    Numbers come first, then the others in the order of the runs, which is that of the sweep, and null last.

    >>> places(["sgd", "adam", None], runs=[1, 0, 2])
    ([1, 0, 2], ['adam', 'sgd', 'null'])
    """
    if all(map(_is_number, values)):
        return values, []
    by_run = dict.fromkeys(value for _, value in sorted(zip(runs, values, strict=True), key=itemgetter(0)))
    order = sorted(by_run, key=lambda v: (0, v) if _is_number(v) else (2 if v is None else 1, 0.0))
    return [order.index(value) for value in values], [_text(value) for value in order]


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
    """A line for each run through its place in each column, the loss at the right."""
    scales = [_places(lines, column) for column in columns]
    logs = [*(not names and is_log(at) for at, names in scales[:-1]), is_wide(scales[-1][0])]
    heights = [_shares(at, log) for (at, _), log in zip(scales, logs, strict=True)]
    *others, best = zip(*heights, strict=True)
    for run in others:
        axes.plot(run, color=OTHERS, linewidth=0.7, alpha=0.4)
    axes.plot(best, color=BEST, linewidth=2)
    for x, (at, names) in enumerate(scales):
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
    at = [math.log(place) for place in at] if log else at
    low, high = min(at), max(at)
    return [(place - low) / ((high - low) or 1) for place in at]
