"""Classes in a picture: their colours, markers, names and legend."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .style import MUTED

# Okabe and Ito's colours, each with a marker of its own.
CLASSES = (
    ("#0072b2", "o"),
    ("#d55e00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "D"),
    ("#e69f00", "v"),
    ("#56b4e9", "P"),
    ("#8a7f00", "X"),
    ("#555555", "*"),
)
EDGES = {"training": "white", "validation": "black"}  # of a part's samples
LONGEST = 24  # letters of a class's name
PALE = 0.62  # of a class's colour, where its probability is 1


def colors_of(shares: np.ndarray) -> np.ndarray:
    """[..., 3] of probabilities [..., K] of classes: the greatest one's colour, white where all are equal.

    >>> colors_of(np.array([[0.5, 0.5], [0.0, 1.0]])).round(2).tolist()
    [[1.0, 1.0, 1.0], [0.9, 0.61, 0.38]]
    """
    count = shares.shape[-1]
    sure = (shares.max(-1, keepdims=True) - 1 / count) / (1 - 1 / count)
    return 1 - PALE * sure * (1 - _palette(count)[shares.argmax(-1)])


def two_shades() -> Any:
    """The colours of the second class's probability, where there are two.

    >>> two_shades()(0.5)[:3] == (1.0, 1.0, 1.0)
    True
    """
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 (an optional dependency, and slow)

    shares = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    return LinearSegmentedColormap.from_list("probability", colors_of(shares).tolist(), N=257)


def _palette(count: int) -> np.ndarray:
    from matplotlib.colors import to_rgb  # noqa: PLC0415 (as above)

    return np.array([to_rgb(CLASSES[k % len(CLASSES)][0]) for k in range(count)])


def draw_classes(axes: Any, x: np.ndarray, y: np.ndarray, classes: np.ndarray, part: str) -> None:
    """Draws samples at x, y [N] in the colours and markers of their classes [N], with the edge of their part.

    >>> from packtrain.trainer.pictures.style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> draw_classes(axes, np.zeros(3), np.arange(3.0), np.array([0, 1, 1]), "training")
    >>> [len(drawn.get_offsets()) for drawn in axes.collections]
    [1, 2]
    """
    for k in np.unique(classes).tolist():
        color, marker = CLASSES[k % len(CLASSES)]
        own = classes == k
        style = {"s": 18, "color": color, "marker": marker, "edgecolors": EDGES[part], "linewidths": 0.7}
        axes.scatter(x[own], y[own], zorder=3 + (part == "validation"), **style)


def write_names(axes: Any, x: np.ndarray, y: np.ndarray, classes: np.ndarray, labels: Sequence[str]) -> None:
    """Writes the name of each class in the middle of its samples at x, y [N]: of more than have colours.

    >>> from packtrain.trainer.pictures.style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> write_names(axes, np.zeros(3), np.arange(3.0), np.array([0, 1, 1]), ["a", "b"])
    >>> [(text.get_text(), text.get_position()[1]) for text in axes.texts]
    [('a', 0.0), ('b', 1.5)]
    """
    from matplotlib.patheffects import withStroke  # noqa: PLC0415 (as above)

    edge = [withStroke(linewidth=2.5, foreground="white")]
    for k in map(int, np.unique(classes)):
        middle = float(np.median(x[classes == k])), float(np.median(y[classes == k]))
        style = {"ha": "center", "va": "center", "fontsize": 8, "path_effects": edge, "zorder": 5}
        axes.text(*middle, labels[k], **style)


def write_legend(figure: Any, labels: Sequence[str], counts: Mapping[str, int]) -> None:
    """Writes beside the panels which marker is which class, of few, and which edge which part of the data.

    >>> from packtrain.trainer.pictures.style import new_figure
    >>> figure = new_figure(3, 3)
    >>> write_legend(figure, ["no", "yes"], {"training": 1000})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['no', 'yes', 'training: 1,000']
    """
    from matplotlib.lines import Line2D  # noqa: PLC0415 (as above)

    few = list(labels) if len(labels) <= len(CLASSES) else []
    rows = [(*look, "white", label) for look, label in zip(CLASSES, few, strict=False)]
    rows += [(MUTED, "o", EDGES[part], f"{part}: {count:,}") for part, count in counts.items()]
    handles = [
        Line2D([], [], linestyle="none", color=color, marker=marker, markeredgecolor=edge, label=label)
        for color, marker, edge, label in rows
    ]
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=8)
