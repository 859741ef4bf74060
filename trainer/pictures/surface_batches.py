"""The surfaces of minibatches beside that of all samples: how they move from step to step."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ..data.order import Order
from ..models.landscape import minibatch
from .style import SEVERAL, new_figure
from .surface_panels import Scale, fill, write_bar
from .surface_scene import Scene, Surface, loss_name, title_of
from .surface_values import values_on

PANEL = 3.3  # inches


def figure_of_batches(scene: Scene, size: int, surface: Surface, scale: Scale) -> Any:
    """The surface of all samples, and those of the first minibatches of `size` samples, with their minima.

    Raises UserError where there are no such minibatches.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> from packtrain.trainer.pictures.surface_paths import Path
    >>> from packtrain.trainer.pictures.surface_scene import Asked
    >>> from packtrain.trainer.pictures.surface_values import surface_of
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> data = Dataset(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]]), ("x",), ("xy",))
    >>> paths = [Path("gd", np.array([[0.0, 0.0], [2.0, 1.0]]), 0.0)]
    >>> scene = Scene(model, data, Pack(Config(), {}, 1), paths)
    >>> surface = surface_of(scene, Asked(size=7, batch=1))
    >>> figure = figure_of_batches(scene, 1, surface, Scale.of(surface.loss))
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['all 2 samples', 'the 1 of step 0']
    """
    order = _order(scene, size)
    figure = new_figure(3 * PANEL + 0.8, 2 * PANEL + 0.3)
    panels = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    filled = None
    for number, axes in enumerate(panels):
        loss, title = surface.loss, f"all {len(scene.data.counted):,} samples"
        if number:
            batch = minibatch(scene.data, order.indices(number - 1, number).flatten())
            loss = values_on(scene, batch, surface.plane, surface.x, surface.y)
            title = f"the {size} of step {number - 1}"
        filled = fill(axes, surface, scale, loss)
        _mark_lowest(axes, surface, loss, own=bool(number))
        axes.set_title(title, fontsize=9)
        axes.label_outer()
    write_bar(figure, filled, list(panels), scale, loss_name(scene))
    _write_lowest(figure)
    figure.suptitle(title_of(scene, surface), fontsize=10)
    return figure


def _order(scene: Scene, size: int) -> Order:
    """The order of minibatches of so many samples, as training takes them. Raises UserError."""
    samples, loop = len(scene.data), scene.pack.config.loop
    if not 0 < size <= samples:
        raise UserError(f"batch is a number of samples, 1 to {samples:,}; got {size}")
    seed = scene.seed if loop.order == "own" else scene.pack.config.data.seed
    seeds = None if loop.order == "sequential" else torch.tensor(seed, device=scene.data.inputs.device)
    return Order(samples, size, seeds, scene.data.inputs.device)


def _mark_lowest(axes: Any, surface: Surface, loss: np.ndarray, own: bool) -> None:
    """A ring where the loss over all samples is least, and a cross where a minibatch's own is."""
    axes.plot(*surface.lowest, **_ring())
    if own and np.isfinite(loss).any():
        place = replace(surface, loss=loss).lowest
        axes.plot(*place, "X", markersize=8, color=SEVERAL[0][0], markeredgecolor="white")


def _write_lowest(figure: Any) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 (an optional dependency, and slow)

    cross = {"marker": "X", "markersize": 8, "color": SEVERAL[0][0], "markeredgecolor": "white"}
    handles = [
        Line2D([], [], linestyle="", label="least over all samples", **_ring()),
        Line2D([], [], linestyle="", label="least over this minibatch", **cross),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)


def _ring() -> dict[str, Any]:
    """The look of a white ring with a dark rim, to be seen on dark and on light."""
    from matplotlib.patheffects import withStroke  # noqa: PLC0415 (an optional dependency, and slow)

    ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": "white"}
    return ring | {"markeredgewidth": 1.8, "path_effects": [withStroke(linewidth=3.4, foreground="#333333")]}
