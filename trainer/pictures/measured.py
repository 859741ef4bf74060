"""The picture of a regression by an MLP: what was measured against what is predicted, and what is left."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..folder.result import Result
from .dots import draw_diagonal, draw_dots
from .panel import limits
from .parts import COLORS, Part, Predictor, drawn_run, headline, is_of_numbers
from .style import MUTED, can_draw, new_figure, save, tidy

WIDTH, HEIGHT, BELOW = 3.1, 2.9, 1.3  # inches: of a part's panel, and of the residuals below
MOST_TARGETS, MOST_ACROSS = 4, 4  # targets; panels in a row
BINS = 40  # of residuals


def has_measured(result: Result) -> bool:
    """Whether it is a regression by an MLP; fits of equations have fit.png.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_measured(session.result())
    False
    """
    return is_of_numbers(result)


def draw_measured(result: Result, file: Path, run: int | None = None) -> bool:
    """Draws a run of a regression by an MLP, the best where none is named -> whether it is one.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_measured(session.result(), Path("measured.png"))
    False
    """
    if not has_measured(result) or not can_draw():
        return False
    save(figure_of_measured(result, run), file)
    return True


def figure_of_measured(result: Result, run: int | None = None) -> Any:
    """For each target a panel of the training part, one of the validation part, and the residuals of both.

    All in the target's own unit. Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2, 3, 4], "height": [2, 4, 5, 9]}, validation=0.5,
    ...                     columns={"targets": ["height"]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> [axes.get_xlabel() for axes in figure_of_measured(session.result()).axes]
    ['predicted', 'predicted', 'measured - predicted']
    """
    run = drawn_run(result) if run is None else run
    parts = Predictor(result, run).parts
    names = result.data.target_names[:MOST_TARGETS]
    across = min(len(names), MOST_ACROSS // len(parts))
    down = math.ceil(len(names) / across)
    figure = new_figure(WIDTH * len(parts) * across, (HEIGHT + BELOW) * down + 0.5)
    cells = figure.subfigures(down, across, squeeze=False).ravel()
    for target, (name, cell) in enumerate(zip(names, cells, strict=False)):
        _draw_target(cell, parts, target, name)
    figure.suptitle(headline(result, run, "r2"), fontsize=10)
    if caption := _caption(parts, len(result.data.target_names)):
        figure.supxlabel(caption, x=0.02, ha="left", fontsize=7.5, color=MUTED)
    return figure


def _draw_target(cell: Any, parts: Sequence[Part], target: int, name: str) -> None:
    """The panels of the parts beside each other, on the same scale; the residuals below."""
    cell.suptitle(name, fontsize=10)
    grid = cell.add_gridspec(2, len(parts), height_ratios=[HEIGHT, BELOW])
    measured = [part.targets[:, target] for part in parts]
    ends = limits(np.concatenate(measured), [part.outputs[:, target] for part in parts])
    for place, part in enumerate(parts):
        axes = cell.add_subplot(grid[0, place])
        _draw_part(axes, part, target)
        axes.set(xlim=ends, ylim=ends)
        if place:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("measured")
    _draw_residuals(cell.add_subplot(grid[1, :]), parts, target)


def _draw_part(axes: Any, part: Part, target: int) -> None:
    t, y = part.targets[:, target], part.outputs[:, target]
    draw_diagonal(axes, y, t, "measured = predicted")
    draw_dots(axes, y, t, part.name, color=COLORS[part.name])
    axes.set_title(f"{part.name}: {part.count:,} samples", fontsize=8.5)
    text = f"$R^2$ = {_number(r_squared(t, y))}\nRMSE = {_number(math.sqrt(np.mean((t - y) ** 2)))}"
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=8.5, zorder=5)
    axes.set_xlabel("predicted")
    tidy(axes)


def _draw_residuals(axes: Any, parts: Sequence[Part], target: int) -> None:
    """How often a residual is how large, as shares of each part."""
    residuals = [part.targets[:, target] - part.outputs[:, target] for part in parts]
    finite = [e[np.isfinite(e)] for e in residuals]
    together = np.concatenate(finite)
    low, high = np.quantile(together, [0.001, 0.999]) if together.size else (0.0, 1.0)
    bins = np.linspace(low, high, BINS + 1) if high > low else np.linspace(low - 0.5, low + 0.5, 2)
    for part, e in zip(parts, finite, strict=True):
        shares = np.full(len(e), 1 / max(1, len(e)))
        filled = {"histtype": "stepfilled", "alpha": 0.35} if part is parts[0] else {"histtype": "step"}
        style = {"color": COLORS[part.name], "linewidth": 1.6, **filled}
        axes.hist(np.clip(e, bins[0], bins[-1]), bins, weights=shares, label=part.name, **style)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("measured - predicted")
    axes.set_ylabel("share")
    axes.legend(frameon=False, fontsize=7.5)
    tidy(axes)


def _caption(parts: Sequence[Part], targets: int) -> str:
    said = []
    most = max(len(part.targets) for part in parts)
    if any(part.count > most for part in parts):
        said.append(f"Of {most:,} samples of a part, evenly chosen.")
    if targets > MOST_TARGETS:
        said.append(f"The first {MOST_TARGETS} of {targets:,} targets.")
    return " ".join(said)


def r_squared(measured: np.ndarray, predicted: np.ndarray) -> float:
    """1 - sum (t - y)^2 / sum (t - mean t)^2; NaN of a constant target.

    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    0.5
    """
    spread = float(np.sum((measured - measured.mean()) ** 2)) if measured.size else 0.0
    return 1 - float(np.sum((measured - predicted) ** 2)) / spread if spread else math.nan


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"
