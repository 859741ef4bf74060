"""Curves of one run or many over the steps, in one pair of axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..folder.curves import VALIDATION
from ..folder.ranking import Row
from .ranked import Ranked, settings_of, spread
from .scales import is_wide
from .style import CURVE, FAULT, NEW, SEVERAL, tidy

MOST_LINES, MOST_RUNS = 200, 1000  # that are drawn; that quantiles are of
FEW = 40  # runs that are each seen
PLACES = 300  # steps at which quantiles are taken
SETTINGS = (*SEVERAL[1:], ("#333333", (0, (4, 1))))  # colours and dashes; the first of all is the best run's
NAMES = {"loss": "training loss", VALIDATION: "validation loss"}
RATES = {"lr": "learning rate", "damping": "damping"}
QUANTILES = 0.1, 0.5, 0.9
ROOM = 0.08  # decades above the greatest value of a logarithmic axis, and below the least
FLAT = 1e-6  # of their size: values that differ by less are one
BULK, MANY = 95, 10  # per cent of the values that an axis is for, of so many lines


def draw_runs(axes: Any, runs: Ranked, name: str) -> list[Any]:
    """Draws the curves of `name`: of up to 40 runs each, of more the median and a band of 10-90 %; the best.

    Runs of up to six settings, seeds apart, have a colour for each. A cross is where a run diverged.
    -> what a legend shows of it.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> from packtrain.trainer.pictures.style import new_figure
    >>> draw_runs(new_figure(3, 3).subplots(), Ranked([], Objective("loss.train")), "loss")
    []
    """
    groups = _groups(runs)
    drawn: list[np.ndarray] = []
    for (label, rows), look in zip(groups, _looks(len(groups)), strict=False):
        drawn += _draw_group(axes, runs, name, rows, label, look)
    best = runs.lines_of(name, [runs.best])[0] if runs.lines else np.empty((2, 0))
    if best.size and len(runs.rows) > 1:
        style = {"color": CURVE, "linewidth": 2, "label": f"best: run {runs.best}", "zorder": 4}
        axes.plot(*best, marker="." if best.shape[1] == 1 else "", **style)
    _limit(axes, drawn)
    if name not in RATES:
        _mark_diverged(axes, runs, name)
    axes.set_xlabel("step")
    axes.locator_params(axis="x", integer=True)
    tidy(axes)
    return axes.get_legend_handles_labels()[0]


def _groups(runs: Ranked) -> list[tuple[str, list[Row]]]:
    """(label, rows) of the runs of each setting; of too many settings, or one, all together."""
    rows = runs.lines or list(runs.rows)
    setting = settings_of(rows)
    by_setting: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["index"]):
        by_setting.setdefault(setting[row["index"]], []).append(row)
    if 1 < len(by_setting) <= len(SETTINGS):
        return list(by_setting.items())
    return [("", rows)]


def _looks(groups: int) -> Sequence[tuple[str, Any]]:
    return SETTINGS if groups > 1 else ((NEW, "-"),)


def _draw_group(
    axes: Any, runs: Ranked, name: str, rows: Sequence[Row], label: str, look: tuple[str, Any]
) -> list[np.ndarray]:
    """Draws the runs of a setting -> the curves that the axes have to have room for."""
    lines = runs.lines_of(name, [row["index"] for row in spread(rows, MOST_RUNS)])
    lines = [line for line in lines if line.size]
    if not lines:
        return []
    shown, (color, dashes) = spread(lines, MOST_LINES), look
    if len(lines) > FEW:
        at, (low, middle, high) = quantiles(lines)
        axes.fill_between(at, low, high, color=color, alpha=0.2, linewidth=0)
        label = f"{label}: median, 10-90 %" if label else f"median, 10-90 % of {len(rows):,} runs"
        axes.plot(at, middle, color=color, linestyle=dashes, linewidth=1.8, label=label, zorder=3)
        _draw_thin(axes, shown, color, "-", alpha=0.15)
    else:
        _draw_thin(axes, shown, color, dashes, alpha=min(0.9, 0.35 + 2 / len(shown)))
        label = label or ("other runs" if len(runs.rows) > 1 else NAMES.get(name, name))
        axes.plot([], [], color=color, linestyle=dashes, linewidth=1.4, label=label)
    return shown


def _draw_thin(axes: Any, lines: Sequence[np.ndarray], color: str, dashes: Any, alpha: float) -> None:
    """Thin lines; a point alone is a dot."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 (an optional dependency, and slow)

    long = [line.T for line in lines if line.shape[1] > 1]
    style = {"colors": color, "linewidths": 0.8, "linestyles": [dashes], "alpha": alpha}
    axes.add_collection(LineCollection(long, **style))
    points = [line for line in lines if line.shape[1] == 1]
    if points:
        axes.plot(*np.concatenate(points, 1), ".", color=color, alpha=0.6, markersize=4)
    axes.autoscale_view()


def quantiles(lines: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Steps [S], and the 10, 50 and 90 % quantiles there [3, S] of the lines [2, .] that reach so far.

    >>> at, three = quantiles([np.array([[0, 10], [level, level]]) for level in (1.0, 2.0, 3.0)])
    >>> three[:, 0].tolist(), at.tolist()
    ([1.2, 2.0, 2.8], [0.0, 10.0])
    """
    steps = np.unique(np.concatenate([line[0] for line in lines]))
    at = steps if len(steps) <= PLACES else np.linspace(steps[0], steps[-1], PLACES)
    grid = np.stack([np.interp(at, *line, left=np.nan, right=np.nan) for line in lines])
    with np.errstate(invalid="ignore"):
        return at.astype(float), np.nanquantile(grid, QUANTILES, axis=0)


def _mark_diverged(axes: Any, runs: Ranked, name: str) -> None:
    """Crosses where runs diverged, at the edge where they left the axes."""
    lost = [row["index"] for row in runs.lost if row["outcome"] == "diverged"]
    lines = runs.lines_of(name, spread(lost, MOST_RUNS)) if lost else []
    ends = np.array([line[:, -1] for line in lines if line.size]).reshape(-1, 2).T
    if ends.size:
        low, high = axes.get_ylim()
        style = {"color": FAULT, "markersize": 5, "linestyle": "", "clip_on": False, "zorder": 5}
        axes.plot(ends[0], ends[1].clip(low, high), "x", label=f"{len(lost):,} diverged", **style)


def _limit(axes: Any, lines: Sequence[np.ndarray]) -> None:
    """A logarithmic axis where values are wide, with room for these lines, but for a few far above them."""
    values = np.concatenate([line[1] for line in lines]) if lines else np.empty(0)
    above = values[values > 0]
    if len(above) and values.min() >= 0 and is_wide(above):
        axes.set_yscale("log", nonpositive="mask")
        low, high = _bulk(np.log10(above), lines)
        axes.set_ylim(10 ** (low - ROOM), 10 ** (high + ROOM))
    elif is_flat(values):
        limit_flat(axes, values)
    elif len(values):
        low, high = _bulk(values, lines)
        axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def is_flat(values: np.ndarray) -> bool:
    """Whether these values are one, but for their last digits.

    >>> is_flat(np.array([3.0, 3.0 + 1e-12])), is_flat(np.array([3.0, 3.1])), is_flat(np.array([]))
    (True, False, False)
    """
    return bool(values.size) and bool(np.ptp(values) <= FLAT * abs(values).max())


def limit_flat(axes: Any, values: np.ndarray) -> None:
    """Limits about values that are one, in which the ticks are numbers without an offset.

    >>> from .style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> limit_flat(axes, np.array([3.0, 3.0 + 1e-12]))
    >>> np.round(axes.get_ylim(), 6).tolist()
    [2.7, 3.3]
    """
    middle = float(values.mean())
    room = 0.1 * abs(middle) or 1.0
    axes.set_ylim(middle - room, middle + room)


def _bulk(values: np.ndarray, lines: Sequence[np.ndarray]) -> tuple[float, float]:
    """The range of values, without what a few of many lines have far above the others."""
    low, high = values.min(), values.max()
    most = np.percentile(values, BULK)
    return low, most if len(lines) >= MANY and high - most > most - low else high
