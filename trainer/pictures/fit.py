"""The picture of a fit: data, curve and bands, the residuals below, and the report beside them."""

import math
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

from ..folder.result import Result
from .curve import figure_of_curve, has_curve
from .dots import MOST_DOTS
from .panel import Panel
from .parts import drawn_run
from .style import FAULT, MUTED, can_draw, new_figure, save
from .texts import FONT as TITLE
from .texts import equation, measured, symbol, width
from .view import View, has_picture

WIDTH, HEIGHT, SIDE = 5.9, 5.0, 2.45  # inches: of a panel with its residuals, and of the report
MOST_TARGETS, ACROSS = 6, 3
MOST_PARAMETERS, MOST_NOTES = 14, 3
SMALL, LINE = 8.5, 14.5  # points: of letters, and from line to line
LEGEND = {"loc": "lower left", "frameon": False, "fontsize": SMALL, "borderpad": 0, "borderaxespad": 0}


def has_fit(result: Result) -> bool:
    """Whether a run can be drawn: of equations or an MLP of one input, of numbers; groups have others.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_fit(session.result())
    True
    """
    return has_curve(result) or (has_picture(result) and result.data.segments is None)


def draw_fit(result: Result, file: Path, run: int | None = None) -> bool:
    """Draws a run of a result, the best where none is named -> whether it has a picture.

    Without matplotlib nothing is drawn.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[2, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "z": [3, 3], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_fit(session.result(), Path("fit.png"))
    False
    """
    if not has_fit(result) or not can_draw():
        return False
    figure_of = figure_of_curve if has_curve(result) else figure_of_fit
    save(figure_of(result, run), file)
    return True


def figure_of_fit(result: Result, run: int | None = None) -> Any:
    """The figure of a run of equations, the best one where none is named: a panel for each target.

    Of one input the data and the curve stand against it, of several what was measured against what is fitted.
    A fit that has converged has its 95 % bands. Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse"),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> [axes.get_ylabel() for axes in figure_of_fit(session.result()).axes]
    ['xy', 'residual', '']
    """
    view = View(result, drawn_run(result) if run is None else run)
    names = result.data.target_names[:MOST_TARGETS]
    across = min(ACROSS, len(names))
    down = math.ceil(len(names) / across)
    figure = new_figure(WIDTH * across + SIDE, HEIGHT * down)
    main, side = figure.subfigures(1, 2, width_ratios=[WIDTH * across, SIDE], wspace=0.02)
    cells = main.subfigures(down, across, squeeze=False).ravel()
    drawn = [_panel(cell, view, target) for target, cell in zip(range(len(names)), cells, strict=False)]
    _write_title(main, drawn[0], view, WIDTH * across)
    main.supxlabel("\n".join(_caption(view)), x=0.02, ha="left", fontsize=7.5, color=MUTED)
    _write_report(side.subplots(), view, drawn[0])
    return figure


def _panel(cell: Any, view: View, target: int) -> Any:
    """Draws the data above, the residuals below -> the axes above."""
    above, below = cell.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    Panel(above, view, target).draw()
    Panel(below, view, target).draw_residuals()
    cell.align_ylabels([above, below])
    return above


def _write_title(main: Any, first: Any, view: View, inches: float) -> None:
    """The equations, and why a fit is none."""
    text, size = equation(view.graph, inches - 0.4)
    main.suptitle(text, fontsize=size)
    if not view.converged and ("fit" in view.row or view.row["outcome"] in ("failed", "diverged")):
        what = "not converged" if "fit" in view.row else view.row["outcome"]
        why = fill(f"{what}: {view.row['message']}", int(WIDTH * 15))
        first.set_title(why, loc="left", color=FAULT, fontsize=SMALL)


def _caption(view: View) -> Iterator[str]:
    """What a reader has to know of the picture, a line each."""
    most = int(WIDTH * 19)
    if view.covariance is not None:
        left = f"Student's t with {view.fit['degrees_of_freedom']:,} degrees of freedom"
        yield f"Bands: delta method, {left if view.sigma is None else 'by the known errors'}."
    if len(view.shown) > MOST_DOTS:
        yield "Darker cells hold more measurements."
    hidden = len(view.result.data.target_names) - MOST_TARGETS
    if hidden > 0:
        yield f"The first {MOST_TARGETS} of {hidden + MOST_TARGETS} targets."
    for note in view.fit["notes"][:MOST_NOTES]:
        if not note.startswith("the fit has not converged"):
            yield fill(f"{note[0].upper()}{note[1:]}.", most)


def _write_report(axes: Any, view: View, drawn: Any) -> None:
    """The parameters with their standard errors, how good the fit is, and what is what in the picture."""
    axes.set_axis_off()
    axes.legend(*drawn.get_legend_handles_labels(), **LEGEND)
    lines = list(_report(view))
    indent = max((width(label) or 0.0 for label, text in lines if text), default=0.0) * 72 * SMALL / TITLE + 5
    for place, (label, text) in enumerate(lines):
        for x, part in ((0.0, label), (indent, f"= {text}" if text else "")):
            axes.annotate(
                part, (0, 1), (x, -LINE * (place + 1)), "axes fraction", "offset points", fontsize=SMALL
            )


def _report(view: View) -> Iterator[tuple[str, str]]:
    """(label, text) of a line each."""
    if view.result.pack.runs > 1:
        yield f"run {view.run} of {view.result.pack.runs:,}", ""
    named = list(view.row["parameters"].items())
    for name, about in named[:MOST_PARAMETERS]:
        yield symbol(name), measured(about["value"], about.get("stderr")) + _standing(view, name)
    if len(named) > MOST_PARAMETERS:
        yield f"and {len(named) - MOST_PARAMETERS} more", ""
    yield "", ""
    fit = view.fit
    r2 = fit.get("r_squared", view.row["metrics"].get("r2"))
    if r2 is not None:
        yield f"$R^2$ = {r2:.5g}", ""
    if fit.get("reduced_chi_square") is not None:
        yield f"reduced $\\chi^2$ = {fit['reduced_chi_square']:.4g}", ""
    elif fit.get("residual_std") is not None:
        yield f"residual std = {fit['residual_std']:.4g}", ""
    yield f"{len(view.counted):,} samples", ""


def _standing(view: View, name: str) -> str:
    """Why a parameter has no standard error."""
    words = {"fixed": "fixed", "at_bound": "at a bound", "undetermined": "undetermined"}
    return "".join(f" ({word})" for key, word in words.items() if name in view.fit[key])
