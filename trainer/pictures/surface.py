"""The picture of the loss over two parameters, or over a plane, with the paths of runs on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ..data.order import Order
from ..models.landscape import minibatch
from .style import SEVERAL, new_figure
from .surface_panels import (
    Scale,
    back_to_front,
    draw_path,
    draw_path_solid,
    draw_solid,
    fill,
    look_of,
    write_bar,
)
from .surface_paths import NAMED, Path, drawn_of
from .surface_values import MOST_WORK, Asked, Scene, Surface, surface_of, values_on

WIDTH, HEIGHT = 10.4, 5.0  # inches
BATCHES, PANEL = 5, 3.3


def figure_of_surface(scene: Scene, asked: Asked, most_work: int = MOST_WORK) -> Any:
    """The surface as a map and in 3D, with the scene's paths; of minibatches a map each. Raises UserError."""
    surface = surface_of(scene, asked, most_work)
    scale = Scale.of(surface.loss)
    if asked.batch:
        return _figure_of_batches(scene, asked.batch, surface, scale)
    drawn = drawn_of(scene.paths)
    named = len(scene.paths) <= NAMED
    figure = new_figure(WIDTH, HEIGHT)
    grid = figure.add_gridspec(1, 2, width_ratios=[1.2, 1])
    axes, solid = figure.add_subplot(grid[0]), figure.add_subplot(grid[1], projection="3d")
    write_bar(figure, fill(axes, surface, scale), axes, scale, _loss_name(scene))
    draw_solid(solid, surface, scale)
    for place in back_to_front(surface, drawn):
        draw_path(axes, surface, drawn[place], place, named)
        draw_path_solid(solid, surface, scale, drawn[place], place, named)
    _write_legend(figure, drawn, len(scene.paths))
    figure.suptitle(_title(scene, surface), fontsize=10)
    return figure


def _loss_name(scene: Scene) -> str:
    return f"loss ({scene.model.loss_kind.name})"


def _title(scene: Scene, surface: Surface) -> str:
    first, second = surface.plane.names
    over = f"over {first} and {second}"
    if surface.plane.columns is None:
        over = (
            "over the plane through the best run's start and end, and most of what the others have beside it"
        )
    parts = [f"{scene.model.loss_kind.name} {over}", surface.about]
    if surface.samples is not None:
        parts.append(f"of {surface.samples:,} of {len(scene.data.counted):,} samples")
    return "; ".join(filter(None, parts))


def _write_legend(figure: Any, drawn: Sequence[Path], count: int) -> None:
    """The names of paths, below the picture, where they cover nothing."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 (an optional dependency, and slow)

    start = {"marker": "s", "color": "white", "markeredgecolor": "#222222", "markersize": 6}
    handles = [Line2D([], [], linestyle="", label="start", **start)]
    named = count <= NAMED
    for place, path in enumerate(drawn if named else drawn[:1]):
        text = f"{path.label}: {'diverged' if path.loss is None else f'{path.loss:.3g}'}"
        text = text if named else f"best of {count:,}: {text}"
        end = "o" if path.loss is not None else "X"
        handles.append(Line2D([], [], marker=end, label=text, **look_of(place, named)))
    if not named:
        others = f"{len(drawn) - 1} others" + (", evenly by rank" if len(drawn) < count else "")
        handles.append(Line2D([], [], color="#9a9a9a", linewidth=1, label=others))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5, handlelength=3
    )


def _figure_of_batches(scene: Scene, size: int, surface: Surface, scale: Scale) -> Any:
    """The surface of all samples, and those of the first minibatches of `size` samples, each with its minimum."""
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
    write_bar(figure, filled, list(panels), scale, _loss_name(scene))
    _write_lowest(figure)
    figure.suptitle(_title(scene, surface), fontsize=10)
    return figure


def _order(scene: Scene, size: int) -> Order:
    """The order of minibatches of so many samples, as training takes them. Raises UserError."""
    samples, loop = len(scene.data), scene.config.loop
    if not 0 < size <= samples:
        raise UserError(f"batch is a number of samples, 1 to {samples:,}; got {size}")
    seed = scene.seed if loop.order == "own" else scene.config.data.seed
    seeds = None if loop.order == "sequential" else torch.tensor(seed, device=scene.data.inputs.device)
    return Order(samples, size, seeds, scene.data.inputs.device)


def _mark_lowest(axes: Any, surface: Surface, loss: np.ndarray, own: bool) -> None:
    """A ring where the loss over all samples is least, and a cross where a minibatch's own is."""
    axes.plot(
        *surface.lowest,
        "o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor="white",
        markeredgewidth=1.8,
    )
    if own and np.isfinite(loss).any():
        place = replace(surface, loss=loss).lowest
        axes.plot(*place, "X", markersize=8, color=SEVERAL[0][0], markeredgecolor="white")


def _write_lowest(figure: Any) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 (an optional dependency, and slow)

    ring = {"marker": "o", "markersize": 9, "markerfacecolor": "#777777", "markeredgecolor": "white"}
    cross = {"marker": "X", "markersize": 8, "color": SEVERAL[0][0], "markeredgecolor": "white"}
    handles = [
        Line2D([], [], linestyle="", markeredgewidth=1.8, label="least over all samples", **ring),
        Line2D([], [], linestyle="", label="least over this minibatch", **cross),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
