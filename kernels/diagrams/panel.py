"""Where the boxes, wires and labels of one diagram stand, column after column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from .boxes import ARROW, LEADING, ROUTE, SIDE, SIZES, Size, room, sizes
from .columns import Columns, Place, columns_of, ordered
from .diagram import Diagram, Edge, Stub
from .drawing import Box, Point, Text, Wire
from .heights import heights
from .text import width

PASSING = 2.0  # the height of an edge that passes a column
ABOVE = 4.5  # of a label over its edge
PER_LINK, MOST_ROUTE = 2.0, 110.0  # what each edge widens the way to a column by


@dataclass(frozen=True)
class Panel:
    """A diagram from `left` and `top`, whose vertices stand in the columns `level`, a `gap` apart."""

    diagram: Diagram
    level: Mapping[str, int]
    left: float
    top: float
    gap: float

    @cached_property
    def columns(self) -> Columns:
        """The order of what stands in each column."""
        return ordered(columns_of(self.level, self.diagram.pairs))

    @cached_property
    def colour(self) -> dict[str, int]:
        """vertex -> its number among those of its column."""
        boxes = ([place for place in column if isinstance(place, str)] for column in self.columns.columns)
        return {name: number for column in boxes for number, name in enumerate(column)}

    @cached_property
    def size(self) -> dict[str, Size]:
        return sizes(self.diagram)

    @cached_property
    def edge(self) -> dict[tuple[str, str], Edge]:
        return {(edge.start, edge.end): edge for edge in self.diagram.edges}

    @cached_property
    def stubs(self) -> dict[str, list[Stub]]:
        """vertex -> those that end there."""
        stubs: dict[str, list[Stub]] = {}
        for stub in self.diagram.stubs:
            stubs.setdefault(stub.end, []).append(stub)
        return stubs

    @cached_property
    def port(self) -> dict[tuple[Place, Place], float]:
        """(start, end) -> how far below the middle of a box a link arrives: above the stubs."""
        offsets: dict[tuple[Place, Place], float] = {}
        for end, starts in self.columns.by_end().items():
            if isinstance(end, str):
                offsets |= {(start, end): self._offset(end, i) for i, start in enumerate(starts)}
        return offsets

    @cached_property
    def middle(self) -> dict[Place, float]:
        """place -> the height of its middle."""
        high = {place: self._height(place) for column in self.columns.columns for place in column}
        at = heights(self.columns, high, self.port, self.gap)
        shift = self.top - min((at[place] - high[place] / 2 for place in at), default=0.0)
        return {place: height + shift for place, height in at.items()}

    @cached_property
    def rooms(self) -> list[float]:
        """What labels take before each column."""
        rooms = [0.0] * len(self.columns.columns)
        for edge in (*self.diagram.edges, *self.diagram.stubs):
            rooms[self.level[edge.end]] = max(rooms[self.level[edge.end]], room(edge))
        return rooms

    @cached_property
    def across(self) -> list[tuple[float, float]]:
        """(left, right) of each column of boxes."""
        result: list[tuple[float, float]] = []
        links = [0] * len(self.columns.columns)
        for _, end in self.columns.links:
            links[self._column(end)] += 1
        right = self.left
        for number, column in enumerate(self.columns.columns):
            way = min(ROUTE + PER_LINK * links[number], MOST_ROUTE) if number else 0.0
            left = right + way + self.rooms[number]
            wide = (self.size[place].width for place in column if isinstance(place, str))
            right = left + max(wide, default=0.0)
            result.append((left, right))
        return result

    @property
    def bottom(self) -> float:
        return max(self.middle[place] + self._height(place) / 2 for place in self.middle)

    def boxes(self) -> Iterator[Box]:
        """The vertices, each at the left of its column."""
        for name, vertex in self.diagram.vertices.items():
            size = self.size[name]
            y = self.middle[name] - size.height / 2
            yield Box(self.across[self.level[name]][0], y, size.width, size.height, vertex)

    def wires(self) -> Iterator[Wire]:
        """The links, and the stubs; those that end at boxes have arrows."""
        for start, end in self.columns.links:
            origin = start if isinstance(start, str) else start[0]
            about = self.edge[origin, end].about if isinstance(end, str) else ""
            points = tuple(self._points(start, end))
            yield Wire(points, isinstance(end, str), self.colour[origin], about)
        for stub, x, y in self._arrivals():
            begin = self._zone(stub) + width(stub.start, SIZES["start"]) + 4
            yield Wire(((begin, y), (x, y)), arrow=True, colour=None, about=stub.about)

    def labels(self) -> Iterator[Text]:
        """Those of edges, over their ends, and the names of where stubs begin."""
        for (start, end), offset in self.port.items():
            origin = start if isinstance(start, str) else start[0]
            assert isinstance(end, str)
            yield from self._label(self.edge[origin, end], self.middle[end] + offset)
        for stub, _, y in self._arrivals():
            yield Text(self._zone(stub), y + 4, stub.start, "start", "start")
            yield from self._label(stub, y)

    def _label(self, edge: Edge | Stub, y: float) -> Iterator[Text]:
        if edge.label:
            x = self.across[self.level[edge.end]][0] - ARROW - 4
            yield Text(x, y - ABOVE, edge.label, "label", "end")

    def _zone(self, stub: Stub) -> float:
        """Where the labels before a stub's column begin."""
        column = self.level[stub.end]
        return self.across[column][0] - self.rooms[column]

    def _arrivals(self) -> Iterator[tuple[Stub, float, float]]:
        """Where the stubs end."""
        for end, stubs in self.stubs.items():
            linked = self.arrows[end] - len(stubs)
            for number, stub in enumerate(stubs, linked):
                yield stub, self.across[self.level[end]][0], self.middle[end] + self._offset(end, number)

    @cached_property
    def arrows(self) -> dict[str, int]:
        """vertex -> how many arrows end there."""
        count = dict.fromkeys(self.diagram.vertices, 0)
        for edge in (*self.diagram.edges, *self.diagram.stubs):
            count[edge.end] += 1
        return count

    def _offset(self, end: str, number: int) -> float:
        """How far below the middle of a box one of its arrows ends."""
        return (number - (self.arrows[end] - 1) / 2) * self.size[end].port

    def _points(self, start: Place, end: Place) -> Iterator[Point]:
        """From a box, or a place that is passed, into the next column; level beside the boxes of both."""
        before, column = self._column(start), self._column(end)
        (first, right), (left, beyond) = self.across[before], self.across[column]
        y, arrival = self.middle[start], self.middle[end] + self.port.get((start, end), 0.0)
        if isinstance(start, str):
            yield first + self.size[start].width, y
        yield right, y
        yield left - self.rooms[column], arrival
        yield left if isinstance(end, str) else beyond, arrival

    def _column(self, place: Place) -> int:
        return self.level[place] if isinstance(place, str) else place[1]

    def _height(self, place: Place) -> float:
        return self.size[place].height if isinstance(place, str) else PASSING


def lines(box: Box) -> Iterator[Text]:
    """The texts in a box: in its middle, but several lines of an equation from the left.

    >>> from .diagram import Line, Vertex
    >>> vertex = Vertex((Line("xa"), Line("0.5", "value")), "input", "xa")
    >>> [(text.x, text.text) for text in lines(Box(0, 0, 100, 60, vertex))]
    [(50.0, 'xa'), (50.0, '0.5')]
    """
    several = sum(line.role == "title" for line in box.vertex.lines) > 1
    y = box.y + box.height / 2 - sum(SIZES[line.role] for line in box.vertex.lines) * LEADING / 2
    for line in box.vertex.lines:
        step = SIZES[line.role] * LEADING
        from_left = several and line.role == "title"
        place = (box.x + SIDE, "start") if from_left else (box.x + box.width / 2, "middle")
        yield Text(place[0], y + 0.76 * step, line.text, line.role, place[1])
        y += step
