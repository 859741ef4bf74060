"""The picture of a diagram, in pixels: renderers only have to draw it."""

from dataclasses import dataclass

from .boxes import SIZES
from .diagram import Vertex
from .text import width

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle from its upper left corner, and the vertex that it shows."""

    x: float
    y: float
    width: float
    height: float
    vertex: Vertex


@dataclass(frozen=True)
class Wire:
    """A curve through points from left to right, level at each, with an arrow at its end or none.

    `colour` is a number by which it differs from those nearby, None of a stub.
    """

    points: tuple[Point, ...]
    arrow: bool
    colour: int | None
    about: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text, whose letters stand on y, and whose start, middle or end (`anchor`) is at x."""

    x: float
    y: float
    text: str
    role: str
    anchor: str

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """x, y, width and height of what it covers.

        >>> Text(100, 20, "2*xa", "label", "end").bounds
        (73.468, 11.2, 26.532, 11.0)
        """
        size = SIZES[self.role]
        across = width(self.text, size)
        left = self.x - across * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return left, self.y - 0.8 * size, across, size


@dataclass(frozen=True)
class Drawing:
    """A picture, x to the right and y down. The texts in boxes are among `texts`."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    texts: tuple[Text, ...]
    title: str
    about: str
