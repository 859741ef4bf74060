"""The picture of several starts: the curves of the minima, and in which of them each start ended."""

from pathlib import Path
from typing import Any

import numpy as np

from ..engines.rows import each, numbers
from ..folder.result import Result
from .panel import limits
from .scales import is_wide
from .style import DATA, MUTED, SEVERAL, can_draw, new_figure, save, tidy
from .texts import equation
from .view import View, has_picture

SAME = 1e-6  # relative difference of losses of one minimum


def has_minima(result: Result) -> bool:
    """Whether a result knows of minima that several starts ended in.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_minima(session.result())
    False
    """
    minima = (result.summary.get("multi_start") or {}).get("minima")
    return bool(minima) and result.data.segments is None and has_picture(result)


def draw_minima(result: Result, file: Path) -> bool:
    """Draws the minima that model.starts found as PNG -> whether there are some.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_minima(session.result(), Path("minima.png"))  # of one start
    False
    """
    if not has_minima(result) or not can_draw():
        return False
    save(figure_of_minima(result), file)
    return True


def figure_of_minima(result: Result) -> Any:
    """The curves of the minima over the data (of one input), and the losses of all starts in their order.

    Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse", starts=4),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> [text.get_text() for text in figure_of_minima(session.result()).axes[0].get_legend().get_texts()]
    ['3 measurements', 'loss 0.35714: 4 of 4 starts']
    """
    about = result.summary["multi_start"]
    minima = about["minima"][: len(SEVERAL)]
    view = View(result, minima[0]["run"])
    has_curve = view.inputs.shape[1] == 1
    figure = new_figure(9.6 if has_curve else 5.2, 4.2)
    *curve, losses = figure.subplots(
        1, 1 + has_curve, squeeze=False, width_ratios=[3, 2] if has_curve else [1]
    )[0]
    for axes in curve:
        _draw_curves(axes, result, minima, about["starts"])
    _draw_losses(losses, result, minima)
    text, size = equation(view.graph, figure.get_size_inches()[0] - 0.5)
    figure.suptitle(text, fontsize=size)
    hidden = about["found"] - len(minima)
    more = f"; {hidden:,} more are not shown" if hidden else ""
    line = (
        f"{about['found']:,} minima of {about['starts']:,} starts, of which {about['converged']:,} converged"
    )
    figure.supxlabel(line + more, x=0.02, ha="left", fontsize=7.5, color=MUTED)
    return figure


def _draw_curves(axes: Any, result: Result, minima: list[dict[str, Any]], starts: int) -> None:
    views = [View(result, minimum["run"]) for minimum in minima]
    first = views[0]
    if first.is_log:
        axes.set_xscale("log")
    dots = {"markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.5, "color": DATA}
    label = f"{len(first.counted):,} measurements"
    axes.plot(first.inputs[:, 0], first.targets[:, 0], "o", label=label, **dots)
    curves = []
    for place, (view, minimum) in reversed(list(enumerate(zip(views, minima, strict=True)))):
        color, dashes = SEVERAL[place]
        at, outputs = view.curve
        curves.append(outputs.value[:, 0])
        label = f"loss {minimum['loss']:.5g}: {minimum['starts']:,} of {starts:,} starts"
        axes.plot(at, curves[-1], color=color, linestyle=dashes, linewidth=1.8, label=label)
    axes.set_ylim(*limits(first.targets[:, 0], curves))
    axes.set_xlabel(first.label(result.data.input_names[0]))
    axes.set_ylabel(first.label(result.data.target_names[0]))
    handles, labels = axes.get_legend_handles_labels()
    order = [0, *range(len(handles) - 1, 0, -1)]
    axes.legend([handles[i] for i in order], [labels[i] for i in order], frameon=False, fontsize=8)
    tidy(axes)


def _draw_losses(axes: Any, result: Result, minima: list[dict[str, Any]]) -> None:
    """The losses of all starts, the least first, in the colours of their minima."""
    loss, outcome = numbers(result.rows, "loss", "train", "last"), each(result.rows, "outcome")
    ended = np.array([word == "finished" for word in outcome])
    order = np.argsort(loss)
    order = order[np.isfinite(loss[order])]
    edges = np.array([minimum["loss"] for minimum in minima])
    place = np.searchsorted(edges * (1 - SAME * np.sign(edges)), loss[order], "right") - 1
    same = loss[order] <= edges[place] + 1e-3 * abs(edges[place]) + 1e-300
    ranks = np.arange(1, len(order) + 1)
    for number, (color, _) in enumerate(SEVERAL[: len(minima)]):
        mask = ended[order] & same & (place == number)
        axes.plot(ranks[mask], loss[order][mask], "o", markersize=4, color=color)
    rest = ~ended[order]
    if rest.any():
        axes.plot(ranks[rest], loss[order][rest], "x", markersize=4, color=MUTED, label="not converged")
        axes.legend(frameon=False, fontsize=8)
    if len(order) and is_wide(loss[order].tolist()):
        axes.set_yscale("log")
    axes.set_xlabel("start, by its loss")
    axes.set_ylabel("loss.train")
    tidy(axes)
