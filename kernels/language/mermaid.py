"""A graph as a flowchart of Mermaid, which GitHub, GitLab and many notebooks draw."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ..diagrams.diagram import Diagram, Line
from ..diagrams.equations import graph_diagram
from ..diagrams.palette import FILL, INK, LINE
from .graph import Graph

SHAPES = {"input": '(["{}"])', "inner": '["{}"]', "output": '["{}"]'}
SPECIAL = re.compile(r"[^\w =,.()/]|_")  # what might mean something: to Mermaid, to Markdown, or to HTML


def mermaid(
    graph: Graph,
    values: Mapping[str, float] | None = None,
    partials: Mapping[str, Mapping[str, float]] | None = None,
    slopes: Mapping[str, float] | None = None,
) -> str:
    """The flowchart: equations, and as much as is known of one sample.

    `values` are by name, `partials` variable -> name -> d variable / d name, `slopes` variable ->
    dL / d variable. Characters that are no letter or digit are written as #CODE;.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.mermaid import mermaid
    >>> print(mermaid(parse("xy = a*x"), {"x": 3.0, "xy": 6.0}, {"xy": {"x": 2.0}}))
    graph LR
      v0(["x<br>3"]):::input
      v1["xy = a#42;x<br>6"]:::output
      v0 -->|"a = 2"| v1
      classDef input fill:#f1f1ef,stroke:#8a8a8a,color:#1a1a1a
      classDef inner fill:#e9f2f8,stroke:#0072b2,color:#1a1a1a
      classDef output fill:#fdeee3,stroke:#d55e00,color:#1a1a1a
    """
    return "\n".join(["graph LR", *_statements(graph_diagram(graph, values, partials, slopes))])


def _statements(diagram: Diagram) -> Iterator[str]:
    places = {name: f"v{place}" for place, name in enumerate(diagram.vertices)}
    for name, vertex in diagram.vertices.items():
        shape = SHAPES[vertex.kind].format(_text(vertex.lines))
        yield f"  {places[name]}{shape}:::{vertex.kind}"
    for edge in diagram.edges:
        label = f'|"{_text([Line(edge.label)])}"|' if edge.label else ""
        yield f"  {places[edge.start]} -->{label} {places[edge.end]}"
    for kind, fill in FILL.items():
        yield f"  classDef {kind} fill:{fill},stroke:{LINE[kind]},color:{INK['title']}"


def _text(lines: Sequence[Line]) -> str:
    return "<br>".join(SPECIAL.sub(lambda match: f"#{ord(match[0])};", line.text) for line in lines)
