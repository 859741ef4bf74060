"""What is drawn: boxes with lines of text, and labelled edges between them; nothing of where they stand."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A line of text in a box, as a `title`, a `value`, a `slope` or a `note`."""

    text: str
    role: str = "title"


@dataclass(frozen=True)
class Vertex:
    """A box: its lines, what it is (`input`, `inner` or `output`), and all that could be said of it.

    `short` is what it is called elsewhere.
    """

    lines: tuple[Line, ...]
    kind: str
    short: str
    about: str = ""


@dataclass(frozen=True)
class Edge:
    """An arrow from one vertex to another, with a label, and all that could be said of it."""

    start: str
    end: str
    label: str = ""
    about: str = ""


@dataclass(frozen=True)
class Stub:
    """The end of an edge whose start stands elsewhere and is called by its `short` name."""

    start: str
    end: str
    label: str = ""
    about: str = ""


@dataclass(frozen=True)
class Diagram:
    """Vertices by name, each after those that lead to it, and the edges between them.

    `title` stands above, the `captions` below; `about` is for readers who can't see it.
    """

    vertices: Mapping[str, Vertex]
    edges: tuple[Edge, ...]
    title: str
    about: str = ""
    captions: tuple[str, ...] = ()
    stubs: tuple[Stub, ...] = ()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(start, end) of each edge."""
        return [(edge.start, edge.end) for edge in self.edges]
