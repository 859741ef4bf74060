"""A panel of a sweep's picture: what the runs came to at each value of a field."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .heights import Heights
from .ranked import spread
from .scales import LEVEL, Scale
from .style import CURVE, FAULT, NEW, tidy

MOST_BOXES, REPEATED = 12, 4  # values of a field; runs at each, from which there are boxes
MOST_DOTS = 2000  # in a panel
WIDTH, JITTER = 0.6, 0.22  # of the distance of two values: of a box, to either side of a dot
BOX = {"linewidth": 1.1, "color": "#1f3f66"}


def draw_field(axes: Any, scale: Scale, heights: Heights) -> None:
    """Draws the runs at their places on the `scale`: those of use first, the best of all first, then others.

    Of runs that share few values there are boxes: the middle half, the median, and whiskers that reach to
    95 % of the runs. What is worse than the axis shows stands at its edge.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> from packtrain.trainer.pictures.style import new_figure
    >>> heights = Heights(np.array([1.0, 2.0, 3.0]), Objective("loss.train"))
    >>> axes = new_figure(3, 3).subplots()
    >>> draw_field(axes, Scale.of([1, 10, 100]), heights)
    >>> [text.get_text() for text in axes.get_xticklabels()]
    ['1', '10', '100']
    """
    even, lost = np.split(scale.even(scale.at), [len(heights.of)])
    levels = scale.even(scale.levels)
    apart = np.diff(levels).min() if len(levels) > 1 else 1.0
    boxes = len(levels) <= MOST_BOXES and len(even) >= REPEATED * len(levels)
    jitter = JITTER * apart * (len(levels) <= MOST_BOXES and len(even) > len(levels))
    _draw_dots(axes, even, heights, jitter)
    if boxes:
        _draw_boxes(axes, even, levels, heights, WIDTH * apart)
    _draw_lost(axes, lost, heights, jitter)
    axes.plot(even[0], _within(heights)[0], "o", color=CURVE, markersize=6, zorder=5, label="best")
    _limit(axes, levels, apart)
    _label(axes, scale)
    tidy(axes)


def _within(heights: Heights) -> np.ndarray:
    """The even heights; what is beyond the axis at its edge."""
    return heights.even(heights.of).clip(*heights.limits)


def _draw_dots(axes: Any, even: np.ndarray, heights: Heights, jitter: float) -> None:
    places = np.array(spread(range(len(heights.of)), MOST_DOTS))
    y, beyond = _within(heights)[places], ~_is_shown(heights)[places]
    x = even[places] + jitter * _even_noise(places)
    alpha = float(np.clip(7 / np.sqrt(len(places)), 0.15, 0.7))
    style = {"color": NEW, "linewidths": 0, "zorder": 2}
    axes.scatter(x[~beyond], y[~beyond], s=12, alpha=alpha, **style)
    if beyond.any():
        marker = "v" if heights.objective.maximized else "^"
        axes.scatter(x[beyond], y[beyond], s=18, marker=marker, alpha=0.6, clip_on=False, **style)


def _is_shown(heights: Heights) -> np.ndarray:
    even = heights.even(heights.of)
    return (even >= heights.limits[0]) & (even <= heights.limits[1])


def _even_noise(places: np.ndarray) -> np.ndarray:
    """Numbers from -1 to 1, the same each time, evenly (the golden ratio's multiples)."""
    return 2 * ((places * 0.6180339887498949) % 1) - 1


def _draw_boxes(axes: Any, even: np.ndarray, levels: np.ndarray, heights: Heights, width: float) -> None:
    y = _within(heights)
    levels = levels[np.isin(levels, even)]
    groups = [y[even == level] for level in levels]
    line = {**BOX, "zorder": 3}
    axes.boxplot(
        groups,
        positions=levels,
        widths=width,
        whis=(2.5, 97.5),
        showfliers=False,
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops={**line, "linewidth": 2.4},
    )


def _draw_lost(axes: Any, even: np.ndarray, heights: Heights, jitter: float) -> None:
    """Crosses at the edge of the worst, for runs without a number."""
    if len(even):
        places = np.arange(len(even))
        x = even + jitter * _even_noise(places)
        label = f"{len(even):,} without {heights.objective.name}"
        style = {"color": FAULT, "alpha": 0.7, "clip_on": False, "zorder": 4, "linewidths": 1.0}
        axes.scatter(x, np.full(len(x), heights.edge), marker="x", s=20, label=label, **style)


def _limit(axes: Any, levels: np.ndarray, apart: float) -> None:
    low, high = levels[0], levels[-1]
    room = max(0.04 * (high - low), 0.6 * apart if len(levels) <= MOST_BOXES else 0.0)
    axes.set_xlim(low - room, high + room)


def _label(axes: Any, scale: Scale) -> None:
    """As many ticks as can be read, slanting where their texts are long."""
    if scale.ticks is None:
        axes.locator_params(axis="x", nbins=6, integer=bool((scale.at == scale.at.round()).all()))
        return
    at, texts = scale.ticks
    axes.set_xticks(at, texts)
    if sum(map(_length, texts)) > LEVEL:
        slant(axes, texts)


def _length(text: str) -> int:
    return 4 if text.startswith("$") else len(text)


def slant(axes: Any, texts: Sequence[str]) -> None:
    """Turns the labels of the horizontal axis, far enough that they pass one another.

    >>> from .style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> slant(axes, ["a", "b"])
    >>> axes.get_xticklabels()[0].get_rotation()
    30.0
    """
    axes.tick_params(axis="x", rotation=30 if len(texts) <= 8 else 45)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
