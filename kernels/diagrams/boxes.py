"""The sizes of a diagram's boxes and labels, in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from .diagram import Diagram, Edge, Stub, Vertex
from .text import width

SIZES = {"title": 14.0, "value": 13.0, "slope": 13.0, "note": 11.0}  # of letters in boxes
SIZES |= {"label": 11.0, "start": 12.0, "heading": 14.0, "caption": 11.5}  # and elsewhere
LEADING = 1.4  # from line to line, of a line's size
SIDE, TOP = 11.0, 7.0  # of a box, around its lines
PORT, BARE_PORT, LEAST_PORT = 19.0, 15.0, 7.0  # between arrows: with labels, with names, with neither
MOST_PORTS = 700.0  # of a box's height, for arrows with neither
ARROW = 9.0
ROUTE = 54.0  # across which edges find their way


@dataclass(frozen=True)
class Size:
    """Of a box, and the distance between the arrows that end at it."""

    width: float
    height: float
    port: float


def size(vertex: Vertex, into: Sequence[Edge | Stub] = ()) -> Size:
    """That of a vertex with these edges into it.

    >>> from packtrain.kernels.diagrams.diagram import Line
    >>> size(Vertex((Line("xa"),), "input", "xa"))
    Size(width=38.884, height=33.6, port=7.0)
    """
    across = max((width(line.text, SIZES[line.role]) for line in vertex.lines), default=0.0)
    lines = sum(SIZES[line.role] * LEADING for line in vertex.lines)
    port = min(LEAST_PORT, MOST_PORTS / max(1, len(into)))
    if any(edge.label for edge in into):
        port = PORT
    elif any(isinstance(edge, Stub) for edge in into):
        port = BARE_PORT
    return Size(across + 2 * SIDE, round(max(lines + 2 * TOP, (len(into) + 0.5) * port), 3), port)


def sizes(diagram: Diagram) -> dict[str, Size]:
    """Those of all of its vertices.

    >>> from packtrain.kernels.diagrams import perceptron_diagram
    >>> [*sizes(perceptron_diagram([2, 1], "relu", "mse"))]
    ['inputs', 'layer 1', 'loss']
    """
    into: dict[str, list[Edge | Stub]] = {vertex: [] for vertex in diagram.vertices}
    for edge in (*diagram.edges, *diagram.stubs):
        into[edge.end].append(edge)
    return {name: size(vertex, into[name]) for name, vertex in diagram.vertices.items()}


def room(edge: Edge | Stub) -> float:
    """What an edge's label takes before the arrow, and of a stub the name of its start.

    >>> room(Edge("a", "b")), room(Edge("a", "b", "2*a")), room(Stub("a", "b"))
    (21.0, 40.899, 28.236)
    """
    label = width(edge.label, SIZES["label"]) if edge.label else 0.0
    start = width(edge.start, SIZES["start"]) if isinstance(edge, Stub) else 0.0
    return 12.0 + ARROW + label + start
