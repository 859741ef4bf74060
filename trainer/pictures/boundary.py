"""The picture of what a model says over two columns, with the samples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...kernels.equations.losses import BINARY
from ..folder.result import Result
from ..models.mlp import MLPModel
from .classes import CLASSES, EDGES, LONGEST, colors_of, draw_classes, two_shades, write_legend, write_names
from .parts import Part, Predictor, drawn_run, headline
from .plane import Plane, plane_of
from .style import MUTED, can_draw, new_figure, save, tidy
from .texts import all_shortened, shortened

SIDE, BESIDE = 4.4, 2.2  # inches: of a panel, and of what stands beside it
ACROSS, MOST_PANELS = 3, 6
COARSE, FINE = 60, 200  # places on a side: of a model that takes long, and of others
MOST_DRAWN = {"training": 400, "validation": 200}  # samples


def has_boundary(result: Result) -> bool:
    """Whether it is of a model of two columns or more: of any that tells classes apart, or an MLP of numbers.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_boundary(session.result())  # of one column
    False
    """
    if result.data.segments is not None or len(Predictor(result, 0).features) < 2:
        return False
    model = result.model
    of_classes = model.loss_kind.of_classes or model.loss_kind.name == BINARY or result.data.one_hot
    return of_classes or isinstance(model, MLPModel)


def is_flat(result: Result) -> bool:
    """Whether the model has two columns, which a picture shows whole.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> is_flat(session.result())
    False
    """
    return len(Predictor(result, 0).features) == 2


def draw_boundary(result: Result, file: Path, run: int | None = None, of: Sequence[str] = ()) -> bool:
    """Draws what a run says over two columns, the best run where none is named -> whether it did.

    They are the first two where none are named by `of`. Raises UserError for others than the data's.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_boundary(session.result(), Path("boundary.png"))  # of one column
    False
    """
    if not has_boundary(result) or not can_draw():
        return False
    save(figure_of_boundary(result, run, of), file)
    return True


def figure_of_boundary(result: Result, run: int | None = None, of: Sequence[str] = ()) -> Any:
    """The classes, or numbers, that a run predicts over two columns, in their own units.

    Of classes the colour is that of the most probable one, the stronger the surer, and lines are where
    another begins. Where outputs are numbers, or each says yes or no by itself, each has a panel. Samples
    have the colours of their own classes or numbers. Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[2, 4, 2], loss="cross_entropy"),
    ...     data=DataConfig("gaussians", size=8, means=[[0, 0], [9, 9]]),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure_of_boundary(session.result()).axes]
    [('x1', 'x2'), ('', 'probability of class 1')]
    """
    run = drawn_run(result) if run is None else run
    map_ = Map(Predictor(result, run), of)
    drawers = _panels(map_)
    across = min(ACROSS, len(drawers))
    down = math.ceil(len(drawers) / across)
    figure = new_figure((SIDE + BESIDE) * across, SIDE * down)
    cells = figure.subplots(down, across, squeeze=False).ravel()
    for axes, draw in zip(cells, drawers, strict=False):
        draw(axes)
        map_.plane.label(axes)
        tidy(axes)
    for axes in cells[len(drawers) :]:
        axes.set_visible(False)
    figure.suptitle(headline(result, run, "accuracy" if map_.of_classes else "r2"), fontsize=10)
    if caption := _caption(map_.predictor.parts, is_flat(result)):
        figure.supxlabel(caption, x=0.02, ha="left", fontsize=7.5, color=MUTED)
    return figure


@dataclass(frozen=True)
class Map:
    """What a run predicts over the plane of two columns."""

    predictor: Predictor
    columns: Sequence[str] = ()

    @cached_property
    def plane(self) -> Plane:
        inputs = np.concatenate([part.inputs for part in self.predictor.parts])
        return plane_of(self.predictor.features, inputs, self.columns)

    @property
    def of_classes(self) -> bool:
        """Whether its outputs say which class, or yes or no."""
        return "accuracy" in self.predictor.result.model.metrics

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places [S], [S], and the outputs [S, S, T] there, row after row."""
        count = math.isqrt(self.predictor.affordable(COARSE**2, FINE**2))
        x, y, inputs = self.plane.grid(count)
        return x, y, self.predictor.outputs(inputs).reshape(count, count, -1)


def _panels(map_: Map) -> list[Callable[[Any], None]]:
    """What draws each panel in its axes."""
    if labels := all_shortened(map_.predictor.meaning.labels, LONGEST):
        return [partial(_draw_classes, map_=map_, labels=labels)]
    draw = _draw_yes if map_.of_classes else _draw_numbers
    targets = map_.predictor.result.data.target_names[:MOST_PANELS]
    return [partial(draw, map_=map_, target=target, name=name) for target, name in enumerate(targets)]


def _draw_classes(axes: Any, map_: Map, labels: Sequence[str]) -> None:
    """Each class in its colour."""
    x, y, outputs = map_.grid
    shares = _shares(map_, outputs)
    if len(labels) == 2:
        _draw_probability(axes, x, y, shares[..., 1], f"probability of class {labels[1]}")
    else:
        _draw_image(axes, colors_of(shares))
        for k in range(len(labels)):
            ahead = shares[..., k] - np.delete(shares, k, -1).max(-1)
            if ahead.min() < 0 < ahead.max():
                axes.contour(x, y, ahead, levels=[0], colors="black", linewidths=0.9)
    for part in map_.predictor.parts:
        shown = part.some(MOST_DRAWN[part.name])
        draw_classes(axes, *map_.plane.at(shown.inputs), shown.classes, part.name)
    if len(labels) > len(CLASSES):
        inputs = np.concatenate([part.inputs for part in map_.predictor.parts])
        classes = np.concatenate([part.classes for part in map_.predictor.parts])
        write_names(axes, *map_.plane.at(inputs), classes, labels)
    counts = {part.name: part.count for part in map_.predictor.parts}
    write_legend(axes.figure, labels, counts)


def _draw_yes(axes: Any, map_: Map, target: int, name: str) -> None:
    """One output that says yes or no by itself."""
    x, y, outputs = map_.grid
    probability = map_.predictor.meaning.probabilities(torch.from_numpy(outputs)).numpy()[..., target]
    _draw_probability(axes, x, y, probability, f"probability of {shortened(name, LONGEST)}")
    for part in map_.predictor.parts:
        shown = part.some(MOST_DRAWN[part.name])
        says = (shown.targets[:, target] > 0.5).astype(int)
        draw_classes(axes, *map_.plane.at(shown.inputs), says, part.name)


def _draw_numbers(axes: Any, map_: Map, target: int, name: str) -> None:
    """One output that is a number: its height, and samples in the colours of their own."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 (an optional dependency, and slow)

    x, y, outputs = map_.grid
    parts = [part.some(MOST_DRAWN[part.name]) for part in map_.predictor.parts]
    height = np.ma.masked_invalid(outputs[..., target])
    measured = np.concatenate([part.targets[:, target] for part in parts])
    measured = measured[np.isfinite(measured)]
    low, high = (measured.min(), measured.max()) if measured.size else (0.0, 1.0)
    room = 0.0 if high > low else 0.5 * abs(low) or 0.5
    levels = MaxNLocator(16).tick_values(low - room, high + room)
    scale = {"cmap": "cividis", "vmin": levels[0], "vmax": levels[-1]}
    if not height.mask.all():
        filled = axes.contourf(x, y, height, levels=levels, extend="both", **scale)
        axes.contour(x, y, height, levels=levels[::2], colors="white", linewidths=0.5, linestyles="solid")
        _write_scale(axes, filled, shortened(name, 40))
    for part in parts:
        at = map_.plane.at(part.inputs)
        label = f"{part.name}: {part.count:,} samples"
        dots = {"s": 20, "c": part.targets[:, target], "edgecolors": EDGES[part.name], "linewidths": 0.7}
        axes.scatter(*at, label=label, zorder=3, **scale, **dots)
    if target == 0:
        axes.legend(loc="upper left", fontsize=7.5, framealpha=0.8)


def _shares(map_: Map, outputs: np.ndarray) -> np.ndarray:
    """The probability of each class [..., K]; where the loss knows none, 1 of the greatest output's."""
    meaning = map_.predictor.meaning
    if meaning.loss.of_classes or meaning.loss.name == BINARY:
        return meaning.probabilities(torch.from_numpy(outputs)).numpy()
    return (outputs == outputs.max(-1, keepdims=True)).astype(float)


def _draw_probability(axes: Any, x: np.ndarray, y: np.ndarray, probability: np.ndarray, label: str) -> None:
    """From the first class's colour to the second's, with a line at one half."""
    image = _draw_image(axes, probability, cmap=two_shades(), vmin=0, vmax=1)
    if probability.min() < 0.5 < probability.max():
        axes.contour(x, y, probability, levels=[0.5], colors="black", linewidths=1.2)
    _write_scale(axes, image, label)


def _draw_image(axes: Any, values: np.ndarray, **style: Any) -> Any:
    """Values or colours [S, S, ...] at places spread evenly over the axes, of whatever scale."""
    beyond = 0.5 / (len(values) - 1)
    ends = (-beyond, 1 + beyond, -beyond, 1 + beyond)
    place = {"extent": ends, "transform": axes.transAxes, "origin": "lower", "aspect": "auto"}
    return axes.imshow(values, interpolation="nearest", **place, **style)


def _write_scale(axes: Any, image: Any, label: str) -> None:
    bar = axes.figure.colorbar(image, ax=axes, aspect=30)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def _caption(parts: Sequence[Part], flat: bool) -> str:
    """What isn't in the picture."""
    many = [part for part in parts if part.count > MOST_DRAWN[part.name]]
    some = f"Drawn are {' and '.join(f'{MOST_DRAWN[p.name]} {p.name}' for p in many)} samples." * bool(many)
    others = "" if flat else "All other columns are at their medians, which the samples' needn't be."
    return f"{some} {others}".strip()
