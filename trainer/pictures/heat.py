"""A panel of a sweep's picture: what the runs came to by two fields at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .by_field import slant
from .heights import Heights
from .scales import LEVEL, MOST_NAMES, Scale, brief, decades, shortened
from .style import CURVE, FAULT, MUTED

MOST_CELLS, WRITTEN = 12, 8  # along a side; up to which each cell has its number
EMPTY = "#e6e6e6"


def draw_heat(figure: Any, axes: Any, across: Scale, up: Scale, heights: Heights) -> None:
    """Draws a cell for each pair of values of two fields: the median of the runs there, over all else.

    Of more values than can be seen, cells are bins of them. The best cell has a frame, and one whose runs
    are of no use, the last ones of the scales, a cross.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> from packtrain.trainer.pictures.style import new_figure
    >>> heights = Heights(np.array([1.0, 2.0, 3.0]), Objective("loss.train"))
    >>> figure = new_figure(3, 3)
    >>> draw_heat(figure, figure.subplots(), Scale.of([1, 2, 1]), Scale.of(["a", "a", "b"]), heights)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['a', 'b']
    """
    from matplotlib import colormaps  # noqa: PLC0415 (an optional dependency, and slow)

    (columns, names), (rows, labels) = cells(across), cells(up)
    shape, useful = (len(labels), len(names)), len(heights.of)
    place = rows * shape[1] + columns
    medians = _medians(place[:useful], heights.even(heights.of), shape)
    low, high = heights.limits
    name = "viridis" if heights.objective.maximized else "viridis_r"
    colors = colormaps[name].with_extremes(bad=EMPTY)
    image = axes.imshow(medians, origin="lower", aspect="auto", cmap=colors, vmin=low, vmax=high)
    _frame_best(axes, medians, heights.objective.maximized)
    _cross(axes, medians, place[useful:])
    if max(shape) <= WRITTEN:
        _write(axes, medians, heights)
    _label(axes, names, labels)
    bar = figure.colorbar(image, ax=axes, aspect=24, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(f"median of {heights.objective.column}", fontsize=8.5, color=MUTED)
    if heights.is_log:
        at, texts = decades(low, high)
        bar.set_ticks(at, labels=texts)


def _label(axes: Any, names: Sequence[str], labels: Sequence[str]) -> None:
    across, up = -(-len(names) // MOST_NAMES), -(-len(labels) // MOST_NAMES)
    axes.set_xticks(range(0, len(names), across), names[::across], fontsize=8)
    axes.set_yticks(range(0, len(labels), up), labels[::up], fontsize=8)
    if sum(map(len, names)) > LEVEL:
        slant(axes, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def cells(scale: Scale) -> tuple[np.ndarray, list[str]]:
    """The cell of each run along a side, and the names of the cells.

    >>> cells(Scale.of([3, 1, 3]))
    (array([1, 0, 1]), ['1', '3'])
    """
    levels, cell = np.unique(scale.at, return_inverse=True)
    if len(levels) <= MOST_CELLS:
        names = shortened(scale.names)
        return cell, [names[int(level)] if names else brief(level) for level in levels]
    even = scale.even(scale.at)
    edges = np.linspace(even.min(), even.max(), MOST_CELLS + 1)
    cell = np.searchsorted(edges[1:-1], even, "right")
    middles = [scale.at[cell == place] for place in range(MOST_CELLS)]
    if scale.names:
        short = shortened(scale.names)
        return cell, [f"from {short[int(m.min())]}" if m.size else "" for m in middles]
    return cell, [f"{np.median(m):.2g}" if m.size else "" for m in middles]


def _medians(place: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The median of the values in each place of a map of this shape, NaN where there is none."""
    medians = np.full(shape, np.nan)
    order = np.argsort(place, kind="stable")
    edges = np.flatnonzero(np.diff(place[order], prepend=-1))
    for start, group in zip(edges, np.split(values[order], edges[1:]), strict=True):
        medians.flat[place[order[start]]] = np.median(group)
    return medians


def _cross(axes: Any, medians: np.ndarray, lost: np.ndarray) -> None:
    """A cross in each cell that has nothing but runs of no use."""
    rows, columns = np.unravel_index(np.unique(lost.astype(int)), medians.shape)
    empty = np.isnan(medians[rows, columns])
    style = {"color": FAULT, "markersize": 6, "linestyle": ""}
    axes.plot(columns[empty], rows[empty], "x", **style)


def _frame_best(axes: Any, medians: np.ndarray, maximized: bool) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 (an optional dependency, and slow)

    best = np.nanargmax(medians) if maximized else np.nanargmin(medians)
    row, column = np.unravel_index(best, medians.shape)
    frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=CURVE, linewidth=2.2, zorder=3)
    frame.set_clip_on(False)
    axes.add_patch(frame)


def _write(axes: Any, medians: np.ndarray, heights: Heights) -> None:
    """The number of each cell, in ink that shows on its colour."""
    low, high = heights.limits
    finite = medians[np.isfinite(medians)]
    digits = _digits(10**finite if heights.is_log else finite)
    for (row, column), median in np.ndenumerate(medians):
        if np.isfinite(median):
            dark = (median - low) / (high - low) > 0.5
            dark = not dark if heights.objective.maximized else dark
            text = f"{10**median if heights.is_log else median:.{digits}g}"
            style = {"ha": "center", "va": "center", "fontsize": 7.5, "color": "white" if dark else "black"}
            axes.text(column, row, text, **style)


def _digits(values: np.ndarray) -> int:
    """How many digits tell values apart: three, or as many as their spread needs, up to six."""
    spread, size = np.ptp(values), abs(values).max()
    return int(np.clip(np.ceil(np.log10(size / spread)) + 2, 3, 6)) if spread > 0 else 3
