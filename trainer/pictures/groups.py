"""The page of many groups' fits: the best, those around the median, and the worst."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.groups import group_columns, key_column
from ..engines.rows import numbers
from ..folder.result import Result
from .panel import Panel
from .scales import shortened
from .style import FAULT, MUTED, can_draw, new_figure, save
from .texts import equation
from .view import View, has_picture

ACROSS, PART = 4, 4  # panels in a row; of the best, the median and the worst
WIDTH, HEIGHT = 2.75, 2.35  # inches, of a panel
PARTS = "best", "median", "worst"
OWN_COUNT = re.compile(r"^[\d,]+ measurements$")  # a legend is for all panels


def has_groups(result: Result) -> bool:
    """Whether a result is of groups whose fits can be drawn.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_groups(session.result())
    False
    """
    return has_picture(result) and bool(_group_names(result))


def draw_groups(result: Result, file: Path) -> bool:
    """Draws the page of a grouped result as PNG -> whether it has one.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_groups(session.result(), Path("fits.png"))  # which has no groups
    False
    """
    if not has_groups(result) or not can_draw():
        return False
    save(figure_of_groups(result), file)
    return True


def figure_of_groups(result: Result) -> Any:
    """Twelve groups, each with its key, R^2, and why it has not converged, where it hasn't.

    They are the best four by R^2 (by what is left of the residuals, where there is none), four around the
    median, and the worst four; of up to twelve all. Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> table = {"x": [1, 2, 3, 1, 2, 3], "xy": [1, 2, 4, 2, 4, 5], "cell": ["a"] * 3 + ["b"] * 3}
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse"),
    ...     data=DataConfig("table", table=table, group="cell"),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> [axes.get_title(loc="left") for axes in figure_of_groups(session.result()).axes]
    ['a', 'b']
    """
    ranked = _ranked(result)
    rows = list(_rows(ranked))
    across = max(len(runs) for _, runs in rows)
    down = len(rows)
    figure = new_figure(max(WIDTH * across, 2 * WIDTH), HEIGHT * down + 0.7)
    strips = figure.subfigures(down, 1, squeeze=False)[:, 0]
    first = None
    shown = [run for _, runs in rows for run in runs]
    titles = dict(zip(shown, shortened([_key(result, run) for run in shown]), strict=True))
    for strip, (label, runs) in zip(strips, rows, strict=True):
        panels = strip.subplots(1, across, squeeze=False)[0]
        strip.supylabel(label, fontsize=10, color=MUTED)
        for axes, run in zip(panels, runs, strict=False):
            view = View(result, run)
            _panel(axes, view, titles[run], is_first=axes is panels[0], is_last=strip is strips[-1])
            first = first or axes
        for axes in panels[len(runs) :]:
            axes.set_axis_off()
    assert first is not None
    _write(figure, result, ranked, first)
    return figure


def _group_names(result: Result) -> list[str]:
    """The columns of runs.csv that tell the groups apart; [] where there are none."""
    names = [] if result.data.segments is None else group_columns(result.pack.config.data.group)
    return [key_column(name) for name in names]


def _ranked(result: Result) -> list[int]:
    """The best run of each group that has samples, the best group first."""
    score = _scores(result)
    keys = list(zip(*(result.pack.over[name] for name in _group_names(result)), strict=True))
    assert result.data.segments is not None
    order = sorted(range(len(keys)), key=lambda run: (math.isnan(score[run]), -score[run], run))
    best: dict[Any, int] = {}
    for run in order:
        best.setdefault(keys[run], run)
    counts = result.data.segments.counts.tolist()
    return [run for run in best.values() if counts[run]]


def _scores(result: Result) -> np.ndarray:
    """What groups are ranked by: R^2, or less of the residuals; NaN where there is neither."""
    of_fit = numbers(result.rows, "fit", "r_squared")
    if np.isfinite(of_fit).any():
        return of_fit
    of_run = numbers(result.rows, "metrics", "r2")
    deviation = numbers(result.rows, "fit", "residual_std")
    return -deviation if np.isfinite(deviation).any() else of_run


def _rows(ranked: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    """Label and runs of each row of panels."""
    if len(ranked) <= PART * len(PARTS):
        for start in range(0, len(ranked), ACROSS):
            yield "", ranked[start : start + ACROSS]
        return
    middle = (len(ranked) - PART) // 2
    for label, start in zip(PARTS, (0, middle, len(ranked) - PART), strict=True):
        yield label, ranked[start : start + PART]


def _key(result: Result, run: int) -> str:
    """What tells the group of a run from the others."""
    values = result.rows[run]["values"]
    return ", ".join(str(values[name]) for name in _group_names(result))


def _panel(axes: Any, view: View, title: str, is_first: bool, is_last: bool) -> None:
    panel = Panel(axes, view, target=0, size=3.8)
    panel.draw()
    axes.set_ylabel(axes.get_ylabel() if is_first else "")
    axes.set_xlabel(panel.across[1] if is_last else "")
    axes.tick_params(labelsize=7.5)
    axes.minorticks_off()  # which take half the time of drawing
    failed = not view.converged and ("fit" in view.row or view.row["outcome"] in ("failed", "diverged"))
    axes.set_title(title, loc="left", fontsize=9, fontweight="bold", color=FAULT if failed else "black")
    axes.set_title(_quality(view), loc="right", fontsize=8, color=MUTED)
    if failed:
        note = {"fontsize": 7.5, "color": FAULT, "ha": "right", "va": "bottom"}
        axes.text(0.99, 0.02, view.row["outcome"], transform=axes.transAxes, **note)


def _quality(view: View) -> str:
    r2 = view.row.get("fit", {}).get("r_squared", view.row["metrics"].get("r2"))
    return "" if r2 is None else f"$R^2$ = {r2:.4g}"


def _write(figure: Any, result: Result, ranked: Sequence[int], first: Any) -> None:
    """The equations above; below, what is shown, and what is what."""
    inches = figure.get_size_inches()[0]
    text, size = equation(View(result, ranked[0]).graph, inches - 0.5)
    figure.suptitle(text, fontsize=size)
    names = ", ".join(_group_names(result))
    which = "" if len(ranked) <= PART * len(PARTS) else ": best, median and worst by $R^2$"
    targets = len(result.data.target_names)
    more = f"; the first of {targets} targets" if targets > 1 else ""
    figure.supxlabel(
        f"{len(ranked):,} groups by {names}{which}{more}", x=0.01, ha="left", fontsize=8, color=MUTED
    )
    handles, labels = first.get_legend_handles_labels()
    labels = [OWN_COUNT.sub("measurements", label) for label in labels]
    style = {"frameon": False, "fontsize": 8, "ncols": 4, "borderaxespad": 0.2}
    figure.legend(handles, labels, loc="outside lower right", **style)
