"""Whether what is written in a picture can be read: labels that lie on one another, or beyond its edge."""

from itertools import combinations
from typing import Any
from unittest.mock import patch

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

TOUCH = 1.0  # pixels by which boxes may overlap: the room around letters


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """The pairs of texts that lie on one another, by Matplotlib's own boxes; [] where all can be read.

    A text is one that is really drawn: a title, a label, a tick's, a note's, or a whole legend. One that ends
    beyond the picture's edge stands beside "edge".

    >>> figure = Figure()
    >>> _ = figure.text(0.5, 0.5, "one"), figure.text(0.51, 0.5, "two"), figure.text(0.99, 0.1, "far out")
    >>> overlaps(figure)
    [('one', 'two'), ('far out', 'edge')]
    """
    boxes = _boxes(figure)
    pairs = [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if _meet(one, other)]
    width, height = figure.canvas.get_width_height()
    inside = np.array([[-TOUCH, -TOUCH], [width + TOUCH, height + TOUCH]])
    out = [name for name, box in boxes if (box < inside[0]).any() or (box > inside[1]).any()]
    return [*pairs, *((name, "edge") for name in out)]


def _boxes(figure: Figure) -> list[tuple[str, np.ndarray]]:
    """The corners [4, 2] in pixels of each text that is drawn, legends whole."""
    drawn: list[Text] = []
    with patch.object(Text, "draw", _noting(Text.draw, drawn)):
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        drawn.clear()  # the first time, constrained layout moves things
        figure.draw_without_rendering()
    legends = [legend for legend in figure.findobj(Legend) if legend.get_visible()]
    of_legends = {id(text) for legend in legends for text in legend.findobj(Text)}
    texts = {id(text): text for text in drawn if text.get_text().strip() and id(text) not in of_legends}
    boxes = [(text.get_text(), _corners(text)) for text in texts.values()]
    return boxes + [(_named(legend), _square(legend.get_window_extent())) for legend in legends]


def _noting(draw: Any, drawn: list[Text]) -> Any:
    def noting(text: Text, *given: Any, **options: Any) -> Any:
        if text.get_visible():
            drawn.append(text)
        return draw(text, *given, **options)

    return noting


def _corners(text: Text) -> np.ndarray:
    """Those of the box of a text, which may slant: its middle is that of the box that stands around it."""
    around = text.get_window_extent()
    middle = np.array([(around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2])
    angle = text.get_rotation()
    text.set_rotation(0)
    level = text.get_window_extent()
    text.set_rotation(angle)
    turn = np.deg2rad(angle)
    across = np.array([np.cos(turn), np.sin(turn)]) * max(level.width / 2 - TOUCH, 0)
    up = np.array([-np.sin(turn), np.cos(turn)]) * max(level.height / 2 - TOUCH, 0)
    return np.stack([middle - across - up, middle + across - up, middle + across + up, middle - across + up])


def _square(box: Any) -> np.ndarray:
    return np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])


def _named(legend: Legend) -> str:
    return f"legend of {', '.join(text.get_text() for text in legend.get_texts())}"


def _meet(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes overlap: no side of either has all of the other before it."""
    sides = np.concatenate([np.diff(box, axis=0)[:2] for box in (one, other)])
    ends = [(box @ sides.T).min(0) for box in (one, other)], [(box @ sides.T).max(0) for box in (one, other)]
    return bool(((ends[1][0] > ends[0][1]) & (ends[1][1] > ends[0][0])).all())
