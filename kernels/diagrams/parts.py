"""A wide diagram as several, one below another, and without edges that would lead too far."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from .boxes import ROUTE, room, sizes
from .columns import levels
from .diagram import Diagram, Edge, Stub

Level = Mapping[str, int]  # vertex -> its column


def parts(diagram: Diagram, most: int, across: float) -> list[tuple[Diagram, Level]]:
    """Diagrams of some columns each, hardly wider than `across`, with at most so many boxes in a column.

    An edge from one to another is a stub.

    >>> from packtrain.kernels.diagrams import graph_diagram
    >>> from packtrain.kernels.language import parse
    >>> chain = graph_diagram(parse("xb = a*xa\\nxc = xb^2"))
    >>> [(level, [stub.start for stub in part.stubs]) for part, level in parts(chain, 8, across=250)]
    [({'xa': 0, 'xb': 1}, []), ({'xc': 0}, ['xb'])]
    """
    level = levels([*diagram.vertices], diagram.pairs, most)
    number = _numbers(_widths(diagram, level), across)
    result: list[tuple[Diagram, Level]] = []
    for part in range(max(number, default=-1) + 1):
        first = number.index(part)
        own = {vertex: column - first for vertex, column in level.items() if number[column] == part}
        result.append((_part(diagram, own), own))
    return result


def cut(diagram: Diagram, level: Level, reach: int) -> Diagram:
    """The diagram with stubs for edges over more than `reach` columns, but those to the nearest vertex.

    >>> from packtrain.kernels.diagrams import graph_diagram
    >>> from packtrain.kernels.language import parse
    >>> diagram = graph_diagram(parse("xb = a*xa\\nxc = xb + xa"))
    >>> [stub.label for stub in cut(diagram, {"xa": 0, "xb": 1, "xc": 2}, reach=1).stubs]
    ['1']
    """
    nearest: dict[str, int] = {}
    for edge in diagram.edges:
        nearest[edge.start] = min(level[edge.end], nearest.get(edge.start, level[edge.end]))
    far = {
        edge: None
        for edge in diagram.edges
        if level[edge.end] > max(nearest[edge.start], level[edge.start] + reach)
    }
    stubs = (*diagram.stubs, *(_stub(diagram, edge) for edge in far))
    return replace(diagram, edges=tuple(edge for edge in diagram.edges if edge not in far), stubs=stubs)


def _widths(diagram: Diagram, level: Level) -> list[float]:
    """Those of the columns, with the way to each."""
    boxes, ways = ([0.0] * (max(level.values(), default=-1) + 1) for _ in range(2))
    for vertex, size in sizes(diagram).items():
        boxes[level[vertex]] = max(boxes[level[vertex]], size.width)
    for edge in diagram.edges:
        ways[level[edge.end]] = max(ways[level[edge.end]], room(edge) + ROUTE)
    return [box + way for box, way in zip(boxes, ways, strict=True)]


def _numbers(widths: list[float], across: float) -> list[int]:
    """The number of the diagram that each column is in: all are about equally wide."""
    total = sum(widths)
    share = total / max(1, -(-total // across))
    numbers: list[int] = []
    number, used, reached = 0, 0.0, 0.0
    for width in widths:
        if used and (used + width > across or reached + width / 2 > (number + 1) * share):
            number, used = number + 1, 0.0
        used, reached = used + width, reached + width
        numbers.append(number)
    return numbers


def _part(diagram: Diagram, own: Collection[str]) -> Diagram:
    """The diagram of these vertices."""
    vertices = {name: vertex for name, vertex in diagram.vertices.items() if name in own}
    into = [edge for edge in diagram.edges if edge.end in own]
    edges = tuple(edge for edge in into if edge.start in own)
    stubs = tuple(_stub(diagram, edge) for edge in into if edge.start not in own)
    return replace(diagram, vertices=vertices, edges=edges, stubs=stubs)


def _stub(diagram: Diagram, edge: Edge) -> Stub:
    return Stub(diagram.vertices[edge.start].short, edge.end, edge.label, edge.about)
