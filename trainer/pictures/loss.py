"""The picture of a training on its way: its losses over the steps, and the learning rate beneath."""

from pathlib import Path
from typing import Any

import numpy as np

from ..folder.ranking import BEST_STEP
from .lines import NAMES, RATES, draw_runs, is_flat, limit_flat
from .ranked import Ranked
from .scales import is_wide
from .style import CURVE, DATA, MUTED, can_draw, new_figure, save, tidy

WIDTH, HEIGHT, LOW = 7.5, 3.1, 1.1  # inches: of the picture, of a panel, of the one beneath
SIDE = 2.3  # of the legend of many runs
TRAIN = "loss"  # its column
NOISY, SMOOTH, LEAST = 0.25, 40, 60  # of its turns; parts of a curve that a mean is over; its points


def has_loss(runs: Ranked) -> bool:
    """Whether there is a curve of the runs' losses.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> has_loss(Ranked([], Objective("loss.train")))
    False
    """
    return bool(runs.rows) and any(name in runs.curves.names for name in NAMES)


def draw_loss(runs: Ranked, file: Path) -> bool:
    """Draws the losses of the runs over the steps -> whether they were recorded.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> draw_loss(Ranked([], Objective("loss.train")), Path("loss.png"))
    False
    """
    if not has_loss(runs) or not can_draw():
        return False
    save(figure_of_loss(runs), file)
    return True


def figure_of_loss(runs: Ranked) -> Any:
    """Training and validation loss over the steps, and beneath the learning rate, or the damping of fits.

    Of one run both losses stand in one panel, of several each has its own; a metric that runs are ranked by
    has one, too. Raises ModuleNotFoundError without matplotlib.

    >>> import pyarrow
    >>> from packtrain.trainer.folder.objective import Objective
    >>> from packtrain.trainer.folder.curves import Curves
    >>> row = {"index": 0, "outcome": "finished", "message": "", "steps": 2, "loss.train.first": 4.0}
    >>> row |= {"loss.train.last": 1.0, "loss.validation": None}
    >>> curves = Curves(pyarrow.table({"run": [0, 0], "step": [0, 1], "loss": [4.0, 2.0], "lr": [0.1, 0.1]}))
    >>> figure = figure_of_loss(Ranked([row], Objective("loss.train"), lambda: curves))
    >>> [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    [('step', 'training loss')]
    """
    alone = len(runs.rows) == 1
    names = [name for name in (*NAMES, *_metric(runs)) if name in runs.curves.names]
    panels = [names[:2], *names[2:]] if alone and names[:2] == [*NAMES] else names
    rate = next((name for name in RATES if name in runs.curves.names), None)
    varies = rate is not None and _varies(runs, rate)
    heights = [HEIGHT] * len(panels) + [LOW] * varies
    figure = new_figure(WIDTH + SIDE * (not alone), sum(heights) + 0.3)
    stack = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    legend: list[Any] = []
    for axes, name in zip(stack, panels, strict=False):
        if alone:
            _draw_one(axes, runs, [name] if isinstance(name, str) else name)
        else:
            handles = draw_runs(axes, runs, name)
            legend = legend or handles
        axes.set_ylabel("loss" if isinstance(name, list) else NAMES.get(name, name))
        axes.set_xlabel("")
    if varies:
        _draw_rates(stack[-1], runs, str(rate))
    stack[-1].set_xlabel("step")
    low, high = stack[-1].get_xlim()
    if high - low < 1:  # of one step
        stack[-1].set_xlim(low - 0.5, high + 0.5)
    stack[-1].locator_params(axis="x", integer=True, min_n_ticks=1)
    figure.align_ylabels(stack)
    if not alone:
        figure.legend(handles=legend, loc="outside right upper", frameon=False, fontsize=8)
    if rate and not varies:
        _write_rate(figure, runs, rate)
    return figure


def _metric(runs: Ranked) -> tuple[str, ...]:
    """The metric that the runs are ranked by, if that is one."""
    name = runs.objective.name
    return (name,) if name.startswith("metrics.") else ()


def _draw_one(axes: Any, runs: Ranked, names: list[str]) -> None:
    """The curves of the one run: minibatches' losses lie close, validations have dots."""
    row = runs.rows[0]
    curves = [runs.lines_of(name, [row["index"]])[0] for name in names]
    for name, curve, color in zip(names, curves, (DATA, CURVE), strict=False):
        few = name != TRAIN or curve.shape[1] == 1
        style = {"color": color, "marker": "." if few and curve.shape[1] <= LEAST else ""}
        label = NAMES.get(name, name)
        if name == TRAIN and _is_noisy(curve):
            axes.plot(*curve, color=color, linewidth=0.7, alpha=0.4, label=label)
            axes.plot(*_smoothed(curve), color=color, linewidth=1.8, label=f"{label}, smoothed")
        else:
            axes.plot(*curve, linewidth=1.5, label=label, **style)
    values = np.concatenate([curve[1] for curve in curves])
    if len(values) and values.min() >= 0 and (values > 0).any() and is_wide(values[values > 0]):
        axes.set_yscale("log", nonpositive="mask")
    elif is_flat(values):
        limit_flat(axes, values)
    if (best := row.get(BEST_STEP)) is not None:
        label = f"best validation: step {best:,}"
        axes.axvline(best, color=MUTED, linestyle=(0, (4, 2)), linewidth=1.1, label=label)
    if row["outcome"] == "diverged" and curves[0].size:
        axes.plot(*curves[0][:, -1], "x", color=CURVE, markersize=7, label="diverged", clip_on=False)
    tidy(axes)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(frameon=False, fontsize=8, loc="upper right")


def _is_noisy(curve: np.ndarray) -> bool:
    """Whether a curve goes up and down so often that it hides where it goes."""
    turns = np.diff(np.sign(np.diff(curve[1]))) != 0
    return curve.shape[1] >= LEAST and bool(turns.mean() > NOISY)


def _smoothed(curve: np.ndarray) -> np.ndarray:
    """A running mean, of the logarithms where all are above 0."""
    steps, values = curve
    width = max(3, len(values) // SMOOTH) | 1
    is_log = bool((values > 0).all())
    values = np.log(values) if is_log else values
    padded = np.pad(values, width // 2, mode="edge")
    means = np.convolve(padded, np.ones(width) / width, mode="valid")
    return np.stack([steps, np.exp(means) if is_log else means])


def _varies(runs: Ranked, rate: str) -> bool:
    """Whether the rate of a run changes on the way."""
    indices = [row["index"] for row in runs.rows]
    return any(line.size and np.ptp(line[1]) > 0 for line in runs.lines_of(rate, indices))


def _draw_rates(axes: Any, runs: Ranked, rate: str) -> None:
    if len(runs.rows) > 1:
        draw_runs(axes, runs, rate)
    else:
        line = runs.lines_of(rate, [runs.rows[0]["index"]])[0]
        axes.plot(*line, color=MUTED, linewidth=1.3)
        if line.size and line[1].min() > 0 and is_wide(line[1]):
            axes.set_yscale("log")
        tidy(axes)
    axes.set_ylabel(RATES[rate])


def _write_rate(figure: Any, runs: Ranked, rate: str) -> None:
    """Says below what a rate was that stays the same."""
    lines = runs.lines_of(rate, [row["index"] for row in runs.rows])
    values = sorted({float(line[1][0]) for line in lines if line.size})
    if values:
        shown = f"{values[0]:.5g}" if len(values) == 1 else f"{values[0]:.3g} to {values[-1]:.3g}, by run"
        figure.supxlabel(f"{RATES[rate]}: {shown}", x=0.02, ha="left", fontsize=7.5, color=MUTED)
