"""A panel of a sweep's picture: all fields at once, a line for each run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .heights import Heights
from .scales import Scale, brief, wrapped
from .style import CURVE

MOST_LINES, AXIS = 300, "#999999"


def draw_parallel(axes: Any, columns: Mapping[str, Scale], heights: Heights) -> None:
    """Draws a line for each run, the best first, through its place in each column, what it came to last.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> from packtrain.trainer.pictures.style import new_figure
    >>> heights = Heights(np.array([1.0, 2.0, 3.0]), Objective("loss.train"))
    >>> axes = new_figure(3, 3).subplots()
    >>> draw_parallel(axes, {"lr": Scale.of([1, 2, 3]), "seed": Scale.of([0, 1, 2])}, heights)
    >>> len(axes.collections[0].get_paths())
    3
    """
    from matplotlib import colormaps  # noqa: PLC0415 (an optional dependency, and slow)
    from matplotlib.collections import LineCollection  # noqa: PLC0415 (likewise)

    places = np.unique(
        np.linspace(0, len(heights.of) - 1, min(MOST_LINES, len(heights.of))).round().astype(int)
    )
    low, high = heights.limits
    last = (heights.even(heights.of).clip(low, high) - low) / ((high - low) or 1)
    shares = np.stack([*(scale.shares for scale in columns.values()), last], 1)[places]
    goodness = last[places] if heights.objective.maximized else 1 - last[places]
    lines = np.stack([np.broadcast_to(np.arange(shares.shape[1]), shares.shape), shares], -1)
    colors = colormaps["viridis"](goodness[::-1] * 0.9)
    axes.add_collection(LineCollection([*lines[::-1]], colors=colors, linewidths=0.8, alpha=0.5))
    axes.plot(*lines[0].T, color=CURVE, linewidth=2)
    ends = [*(scale.ends for scale in columns.values()), (brief(heights.of.min()), brief(heights.of.max()))]
    for x, (foot, head) in enumerate(ends):
        axes.axvline(x, color=AXIS, linewidth=0.8)
        axes.text(x, -0.04, foot, ha="center", va="top", fontsize=7)
        axes.text(x, 1.04, head, ha="center", va="bottom", fontsize=7)
    names = [wrapped(name) for name in (*columns, heights.objective.column)]
    axes.set_xticks(range(len(names)), names, fontsize=7.5)
    axes.set_xlim(-0.4, len(names) - 0.6)
    axes.set_ylim(-0.02, 1.02)
    axes.tick_params(axis="x", length=0, pad=14)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
