"""The picture of an MLP with one input: the curve that it has learned, among the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..folder.result import Result
from .dots import MOST_DOTS, draw_dots
from .panel import limits
from .parts import COLORS, Part, Predictor, drawn_run, headline, is_of_numbers
from .scales import is_log
from .style import CURVE, new_figure, tidy

WIDTH, HEIGHT = 6.2, 4.2  # inches
MOST_TARGETS = 4
FINE = 600  # places of the curve


def has_curve(result: Result) -> bool:
    """Whether it is of an MLP that makes numbers of one number.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[2, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "z": [3, 5], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_curve(session.result())  # of two inputs
    False
    """
    return is_of_numbers(result) and len(result.data.input_names) == 1


def figure_of_curve(result: Result, run: int | None = None) -> Any:
    """A panel for each target: the samples of both parts, and the curve, in their own units.

    Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> [axes.get_ylabel() for axes in figure_of_curve(session.result()).axes]
    ['target']
    """
    run = drawn_run(result) if run is None else run
    predictor = Predictor(result, run)
    x = np.concatenate([part.inputs[:, 0] for part in predictor.parts])
    log = len(x) > 2 and is_log(x.tolist())
    at = (np.geomspace if log else np.linspace)(x.min(), x.max(), FINE)
    curves = predictor.outputs(at[:, None])
    names = result.data.target_names[:MOST_TARGETS]
    figure = new_figure(WIDTH, HEIGHT * len(names) ** 0.7)
    panels = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for target, (axes, name) in enumerate(zip(panels, names, strict=True)):
        if log:
            axes.set_xscale("log")
        _draw_samples(axes, predictor.parts, target)
        axes.plot(at, curves[:, target], color=CURVE, linewidth=1.8, label="predicted", zorder=3)
        targets = np.concatenate([part.targets[:, target] for part in predictor.parts])
        axes.set_ylim(*limits(targets, [curves[:, target]]))
        axes.set_ylabel(name)
        tidy(axes)
    panels[-1].set_xlabel(predictor.features[0].column)
    panels[0].legend(frameon=False, fontsize=8)
    figure.suptitle(headline(result, run, "r2"), fontsize=10)
    return figure


def _draw_samples(axes: Any, parts: Sequence[Part], target: int) -> None:
    """In a color a part; of very many how densely all of them lie."""
    if any(len(part.inputs) > MOST_DOTS for part in parts):
        x = np.concatenate([part.inputs[:, 0] for part in parts])
        y = np.concatenate([part.targets[:, target] for part in parts])
        draw_dots(axes, x, y, f"{sum(part.count for part in parts):,} samples")
        return
    for part in parts:
        label = f"{part.name}: {part.count:,} samples"
        draw_dots(axes, part.inputs[:, 0], part.targets[:, target], label, color=COLORS[part.name])
