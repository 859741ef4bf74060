"""Samples in a picture: a dot each, or of very many how densely they lie; and where x = y."""

from typing import Any

import numpy as np

from .style import CURVE, DATA

MOST_DOTS, DENSE = 20_000, 60  # more samples are a density, of so many cells across
FEW = 200  # samples that have large dots


def draw_dots(
    axes: Any, x: np.ndarray, y: np.ndarray, label: str, size: float = 4.5, color: str = DATA
) -> None:
    """Draws a dot of `size` points for each of the samples at x, y [N]; of more than MOST_DOTS a density.

    >>> from packtrain.trainer.pictures.style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> draw_dots(axes, np.arange(3.0), np.arange(3.0), "3 measurements")
    >>> len(axes.lines), len(axes.collections)
    (1, 0)
    """
    if len(x) > MOST_DOTS:
        finite = np.isfinite(x) & np.isfinite(y)
        cells = {"gridsize": DENSE, "mincnt": 1, "linewidths": 0.1, "bins": "log", "zorder": 0.9}
        axes.hexbin(x[finite], y[finite], xscale=axes.get_xscale(), cmap=_shades(color), **cells)
        axes.plot([], [], "h", color=color, label=label)
        return
    edge: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.5}
    if len(x) > FEW:
        size *= max(0.35, (FEW / len(x)) ** 0.3)
        edge = {"markeredgewidth": 0, "alpha": 0.6}
    axes.plot(x, y, "o", color=color, markersize=size, label=label, zorder=2.5, **edge)


def draw_diagonal(axes: Any, x: np.ndarray, y: np.ndarray, label: str) -> np.ndarray:
    """Draws the line on which x and y [N] are equal -> its ends [2], which are the least and the greatest.

    >>> from packtrain.trainer.pictures.style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> draw_diagonal(axes, np.array([1.0, 2.0]), np.array([1.5, np.nan]), "equal").tolist()
    [1.0, 2.0]
    """
    finite = np.concatenate([x[np.isfinite(x)], y[np.isfinite(y)]])
    ends = np.array([finite.min(), finite.max()]) if finite.size else np.array([0.0, 1.0])
    axes.plot(ends, ends, color=CURVE, linewidth=1.4, label=label, zorder=1.4)
    return ends


def _shades(color: str) -> Any:
    """From nearly white to the color."""
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 (an optional dependency, and slow)

    return LinearSegmentedColormap.from_list("shades", ["#edf2f8", color])
